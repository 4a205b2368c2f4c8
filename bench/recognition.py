"""Is every migration recognised, and every broken API? Real migration commits, and breaks injected into real libraries.

`--repos DIR` is a folder of clones (without it, how to get them). Migrations: commits that add a file under
`migrations/NNNN_*.py` or an Alembic `versions/` folder, which is the truth, by path alone. API: in the newest tree of
each library one public function at a time is edited so that calls to it fail (`BREAKS`); what was injected is the
truth. Beside them as many harmless edits (`HARMLESS`). Public is what a public module defines, or lists in `__all__`
if it does; of a private one, what its package lists there.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from _harness import Bench, run
from _merged import clone_words, find_clone
from greenlane.adapters.git.diffs import read_diff
from greenlane.adapters.git.export import export_tree
from greenlane.adapters.git.process import Git
from greenlane.analyzers import files
from greenlane.analyzers.base import ReviewInput, SourceRoot
from greenlane.analyzers.worker import run as run_analyzer
from greenlane.domain.diff import Diff, FileDiff, Line
from greenlane.domain.errors import GreenlaneError
from greenlane.domain.findings import Severity

MIGRATING = ("wagtail/wagtail", "modoboa/modoboa", "django-helpdesk/django-helpdesk", "dpgaspar/Flask-AppBuilder",
             "vantage6/vantage6", "jupyter-server/jupyter_server")  # fmt: skip
LIBRARIES = (
    ("pallets/click", "src"), ("psf/requests", "src"), ("pallets/flask", "src"), ("encode/httpx", "."),
    ("marshmallow-code/marshmallow", "src"), ("msiemens/tinydb", "."), ("python-humanize/humanize", "src"),
)  # fmt: skip
BREAKS = ("removed", "renamed", "required parameter", "parameter removed", "parameter renamed", "default removed",
          "made async", "made keyword-only")  # fmt: skip
HARMLESS = ("optional parameter", "docstring", "new function", "hint added")
_MIGRATION = re.compile(r"(^|/)(migrations/\d{4}_\w+|(alembic|migrations?)/versions/\w+)\.py$")
_SERIOUS = (Severity.HIGH, Severity.CRITICAL)
SEED = 7


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repos", type=Path, metavar="DIR", help="the folder of clones; without it, how to get them")


def measure(bench: Bench) -> None:
    folder: Path | None = bench.args.repos
    names = (*MIGRATING, *(name for name, _ in LIBRARIES))
    clones = {name: clone for name in names if folder and (clone := find_clone(folder, name))}
    missing = [name for name in names if name not in clones]
    if missing:
        bench.note(clone_words(missing, folder or Path("DIR")))
    wanted = 20 if bench.quick else 100
    with tempfile.TemporaryDirectory(prefix="greenlane-recognition-") as work:
        _migrations(bench, clones, Path(work), wanted)
        _breaks(bench, clones, Path(work), wanted)


# ------------------------------------------------------------------ migrations


def _migrations(bench: Bench, clones: dict[str, Path], work: Path, wanted: int) -> None:
    seen = found = unread = 0
    each = -(-wanted // max(1, len([n for n in MIGRATING if n in clones])))
    with bench.progress("migrations", total=wanted) as advance:
        for name in MIGRATING:
            if name not in clones:
                continue
            git = Git(clones[name])
            for commit in list(_migration_commits(git))[: each * 2]:
                if seen >= wanted:
                    break
                try:
                    review = _review(git, f"{commit}^1", commit, work)
                except GreenlaneError:
                    unread += 1  # a clone without its largest files
                    continue
                result = run_analyzer("schema", review)
                hit = any(_is_migration(f.path) and f.severity is not Severity.INFO for f in result.findings)
                seen, found = seen + 1, found + hit
                if not hit:
                    bench.note(f"not recognised: {name} {commit[:10]} ({'; '.join(s.reason for s in result.skipped)})")
                advance()
    bench.figure("migration_commits", seen, "real commits that add a migration")
    bench.figure("migrations_recognised", found, "of which recognised")
    bench.figure("migrations_unread", unread, "commits that the clone could not compare")
    bench.figure("migrations_missed", seen - found if seen else None, "not recognised")
    bench.goal("every migration is recognised", "migrations_missed", "==", 0)
    bench.goal("enough migrations", "migration_commits", ">=", wanted)


def _is_migration(path: str) -> bool:
    """By path alone; the schema of a project's test applications is nobody's production."""
    return bool(_MIGRATION.search(path)) and not files.is_support(path)


def _migration_commits(git: Git) -> Iterator[str]:
    log = git.text(
        "log", "--no-merges", "--no-renames", "--diff-filter=A", "--name-only", "--format=%x1e%H", "-6000", "HEAD"
    )
    for part in log.split("\x1e")[1:]:
        commit, *paths = part.split()
        if any(_is_migration(path) for path in paths):
            yield commit


def _review(git: Git, base: str, head: str, work: Path) -> ReviewInput:
    """The files that the commit changes, on both sides: the analyzer of schemas looks at no other."""
    base, head = (git.text("rev-parse", f"{x}^{{commit}}") for x in (base, head))
    diff = read_diff(git, base, head)
    for side, commit in (("base", base), ("head", head)):
        shutil.rmtree(work / side, ignore_errors=True)
        (work / side).mkdir()
        for file in diff.files:
            path = (file.old_path or file.path) if side == "base" else file.path
            if file.status == ("added" if side == "base" else "deleted") or file.skipped:
                continue
            target = work / side / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(git.run("cat-file", "blob", f"{commit}:{path}"))
    return ReviewInput(
        diff=diff,
        base_tree=str(work / "base"),
        head_tree=str(work / "head"),
        roots=(SourceRoot(path=".", service="project", deployed=False),),
    )


# ------------------------------------------------------------------ breaks


def _breaks(bench: Bench, clones: dict[str, Path], work: Path, wanted: int) -> None:
    chance = random.Random(SEED)
    outcome = {True: [0, 0], False: [0, 0]}
    libraries = [(clones[name], root) for name, root in LIBRARIES if name in clones]
    each = -(-wanted // max(1, len(libraries)))
    with bench.progress("API breaks", total=2 * wanted) as advance:
        for clone, root in libraries:
            git = Git(clone)
            for side in ("base", "head"):
                shutil.rmtree(work / side, ignore_errors=True)
                export_tree(git, "HEAD", work / side)
            places = list(_public_functions(work / "base", root))
            chance.shuffle(places)
            for breaking in (True, False):
                for index, (path, line) in enumerate(places[:each]):
                    if sum(outcome[breaking]) >= wanted:
                        break
                    kind, hit = _inject(work, path, line, root, index, breaking=breaking)
                    outcome[breaking][hit] += 1
                    if hit != breaking:
                        bench.note(f"{'missed' if breaking else 'false alarm'}: {kind} at {path}:{line}")
                    advance()
    (missed, caught), (quiet, false) = outcome[True], outcome[False]
    injected = missed + caught
    bench.figure("breaks_injected", injected, "API breaks injected")
    bench.figure("breaks_recognised", caught, "of which recognised")
    bench.figure("breaks_missed", missed if injected else None, "not recognised")
    bench.figure("harmless_edits", quiet + false, "harmless edits beside them")
    bench.figure("harmless_called_breaks", false if quiet + false else None, "of which called a break")
    bench.goal("every break is recognised", "breaks_missed", "==", 0)
    bench.goal("enough breaks", "breaks_injected", ">=", wanted)
    bench.goal("no harmless edit is called a break", "harmless_called_breaks", "==", 0)


def _public_functions(tree: Path, root: str) -> Iterator[tuple[str, int]]:
    """Functions at the top of modules, and methods of classes, that callers can name."""
    start = tree / root
    for path in sorted(start.rglob("*.py")):
        inside = path.relative_to(start)
        if len(inside.parts) < 2 or {"tests", "test", "docs", "examples", "scripts"} & set(inside.parts):
            continue
        module = ast.parse(path.read_text("utf-8"))
        private = any(part.startswith("_") and part != "__init__.py" for part in inside.parts)
        handed_on = (_listed(start / inside.parts[0] / "__init__.py") or set()) if private else _listed(path)
        for node in module.body:
            name = getattr(node, "name", "_")
            if name.startswith("_") or (handed_on is not None and name not in handed_on):
                continue
            # A method of a class with a base may be inherited still when it is gone: then nothing broke.
            plain = isinstance(node, ast.ClassDef) and not node.bases
            nodes = node.body if isinstance(node, ast.ClassDef) and plain else [node]
            for inner in nodes:
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_") and not inner.decorator_list:
                    yield str(path.relative_to(tree)), inner.lineno


def _listed(module: Path) -> set[str] | None:
    """The names in `__all__` of a module; None if it has none."""
    for node in ast.parse(module.read_text("utf-8")).body if module.is_file() else ():
        if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "__all__" for t in node.targets):
            return {c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, str)}
    return None


def _is_applicable(kind: str, function: ast.FunctionDef, *, method: bool) -> bool:
    """Whether this edit breaks some call of the function. `*args` and `**kwargs` take what a parameter took."""
    own = function.args.args[method:]
    closed = not function.args.vararg and not function.args.kwarg
    if kind in ("parameter removed", "parameter renamed", "made keyword-only"):
        return bool(own) and closed and not own[-1].arg.startswith("_")
    return kind != "default removed" or bool(function.args.defaults)


def _edit(kind: str, function: ast.FunctionDef) -> None:
    """Change the head of a function; removing it, and adding others, is done by the caller."""
    arguments = function.args
    if kind == "renamed":
        function.name = f"{function.name}_renamed"
    elif kind == "required parameter":
        arguments.kwonlyargs.append(ast.arg("greenlane_required"))
        arguments.kw_defaults.append(None)
    elif kind in ("parameter removed", "made keyword-only"):
        last = arguments.args.pop()
        default = arguments.defaults.pop() if arguments.defaults else None
        if kind == "made keyword-only":
            arguments.kwonlyargs.insert(0, last)
            arguments.kw_defaults.insert(0, default)
    elif kind == "parameter renamed":
        arguments.args[-1].arg += "_renamed"
    elif kind == "default removed":
        arguments.defaults.pop(0)
    elif kind == "optional parameter":
        arguments.kwonlyargs.append(ast.arg("greenlane_optional"))
        arguments.kw_defaults.append(ast.Constant(None))
    elif kind == "docstring":
        function.body.insert(0, ast.Expr(ast.Constant("Says what it does.")))
    elif kind == "hint added" and arguments.args and arguments.args[-1].annotation is None:
        arguments.args[-1].annotation = ast.Name("object")


def _inject(work: Path, path: str, line: int, root: str, index: int, *, breaking: bool) -> tuple[str, bool]:
    """Edit one function at the head; what was done, and whether the analyzer calls it a break."""
    before = (work / "base" / path).read_text("utf-8")
    module = ast.parse(before)
    node = next(n for n in ast.walk(module) if isinstance(n, ast.FunctionDef) and n.lineno == line)
    owner = next(n for n in ast.walk(module) if node in getattr(n, "body", []))
    method = isinstance(owner, ast.ClassDef)
    kinds = [k for k in BREAKS if _is_applicable(k, node, method=method)] if breaking else list(HARMLESS)
    kind = kinds[index % len(kinds)]
    _edit(kind, node)
    if kind == "removed":
        owner.body.remove(node)  # type: ignore[attr-defined]  # whatever has the function in its body
        if not owner.body:  # type: ignore[attr-defined]  # likewise
            owner.body.append(ast.Pass())  # type: ignore[attr-defined]  # likewise
    elif kind == "new function":
        module.body.append(ast.parse("def greenlane_added(x):\n    return x\n").body[0])
    elif kind == "made async":
        made = ast.AsyncFunctionDef(**{field: getattr(node, field) for field in node._fields})
        owner.body[owner.body.index(node)] = made  # type: ignore[attr-defined]  # likewise
    # Both sides are written by the same printer, so that they differ in nothing but the edit.
    for side, tree in (("base", ast.parse(before)), ("head", module)):
        (work / side / path).write_text(ast.unparse(ast.fix_missing_locations(tree)) + "\n", "utf-8")
    old, new = ((work / side / path).read_text("utf-8").splitlines() for side in ("base", "head"))
    removed = tuple(Line(n, t) for n, t in enumerate(old, 1))
    added = tuple(Line(n, t) for n, t in enumerate(new, 1))
    diff = Diff(
        base_sha="b" * 40, head_sha="e" * 40, sha256="0" * 64,
        files=(FileDiff(path=path, status="modified", added=added, removed=removed),),
    )  # fmt: skip
    review = ReviewInput(
        diff=diff, base_tree=str(work / "base"), head_tree=str(work / "head"),
        roots=(SourceRoot(path=root, service="project", deployed=False),),
    )  # fmt: skip
    result = run_analyzer("api", review)
    for side in ("base", "head"):
        (work / side / path).write_text(before, "utf-8")
    return kind, any(f.severity in _SERIOUS for f in result.findings)


if __name__ == "__main__":
    run("recognition", "Migrations and broken APIs that are recognised", measure, arguments=add)
