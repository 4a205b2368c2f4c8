"""What is sent to the model for a change, beside the whole difference plus the files that it touches.

`--repos DIR` is a folder of clones (see `bench/escalation.py`, which says how to get them). Nothing is sent anywhere:
messages are packed as for a call, and counted by their characters, which is the same on both sides of the ratio.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path
from statistics import median

from _harness import Bench, run
from _merged import clone_words, find_clone, merged_changes
from greenlane.adapters.claude import pack_message
from greenlane.adapters.git.diffs import read_diff
from greenlane.adapters.git.export import export_tree
from greenlane.adapters.git.process import Git
from greenlane.domain.settings import ModelSettings
from greenlane.ports.reviewer import ReviewMaterial
from greenlane.prompts import load_prompts
from greenlane.prompts.redaction import Redactor

PROJECTS = ("pallets/flask", "encode/httpx", "pallets/werkzeug", "urllib3/urllib3")
MAKE_BENCH_ARGS: list[str] = []


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repos", type=Path, metavar="DIR", help="the folder of clones; without it, how to get them")


def measure(bench: Bench) -> None:
    folder: Path | None = bench.args.repos
    clones = {name: find_clone(folder, name) if folder else None for name in PROJECTS}
    missing = [name for name, clone in clones.items() if clone is None]
    if missing:
        bench.note(clone_words(missing, folder or Path("DIR")))
    wanted = 10 if bench.quick else 40
    limit = ModelSettings().max_input_tokens
    fixed = len(load_prompts().instructions)
    sent: list[int] = []
    whole: list[int] = []
    cut = hunks = shown = 0
    for name, clone in clones.items():
        if clone is None:
            continue
        with bench.progress(name, total=wanted) as advance:
            for case in merged_changes(name, clone, last=400, wanted=wanted):
                packed, files = _pack(clone, case.base, case.head, limit)
                sent.append(fixed + len(packed.text))
                whole.append(fixed + files)
                cut += len(packed.included) < packed.hunks
                hunks, shown = hunks + packed.hunks, shown + len(packed.included)
                advance()
    if sent:
        bench.figure("changes", len(sent), "changes packed")
        bench.figure("ratio_of_sums", sum(sent) / sum(whole), "characters sent, to difference plus whole files")
        bench.figure("ratio_median", median(s / w for s, w in zip(sent, whole, strict=True)), "the same, median change")
        bench.figure("tokens_median", median(sent) / 3, "tokens of one pass, estimated, median change")
        bench.figure("cut_share", cut / len(sent), "share of changes of which hunks were left out")
        bench.figure("hunks_shown", shown / max(1, hunks), "share of all hunks that were sent")
    bench.goal("less is sent than the difference and the files", "ratio_of_sums", "<", 1)


def _pack(clone: Path, base: str, head: str, limit: int):  # type: ignore[no-untyped-def]  # benchmarks are not typed
    """The packed message, and the characters of git's whole difference with the whole files that it touches."""
    git = Git(clone)
    diff = read_diff(git, base, head)
    with tempfile.TemporaryDirectory(prefix="greenlane-tokens-") as tree:
        export_tree(git, head, Path(tree) / "head")
        material = ReviewMaterial(
            repo=clone.name, pr_number=0, diff=diff, base=Path(tree) / "base", head=Path(tree) / "head", findings=()
        )
        packed = pack_message(material, limit, Redactor())
        touched = [Path(tree) / "head" / f.path for f in diff.files if f.status != "deleted" and not f.skipped]
        files = sum(path.stat().st_size for path in touched if path.is_file() and not path.is_symlink())
    patch = subprocess.run(["git", f"--git-dir={git.git_dir}", "diff", base, head], capture_output=True, check=True)
    return packed, files + len(patch.stdout)


if __name__ == "__main__":
    run("model_tokens", "What is sent to the model, beside everything", measure, arguments=add)
