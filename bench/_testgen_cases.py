"""Real merged changes whose human tests are withheld: for `bench/testgen.py`, and how they were chosen.

A project is a clone below `--repos DIR` and a few facts that an adopter would write into `greenlane.yaml`. A change
is taken if people merged it with tests of its own, if the suite passes on it with those tests and without them, and
if at least `MIN_OPEN` of its changed lines run only because of them, and if the suite takes no more than `SUITE_S`.
`python bench/_testgen_cases.py --repos DIR --python PYTHON` writes the list anew, newest changes first, before anything
is generated for them.

Sides are given by project. Whatever was once held out and looked at is `develop`: all changes of the first twelve
draws (37, 18, 10, 5, 16, 24, 20, 20, 20, 20, 20 and 20 projects) and of the projects before them. What a project's
changes look like never decides: it is missing if no change fits, if its suite fails or takes too long in this
environment, if it needs a further plugin of pytest, which would cost every start of the others, or if its tests stand
in no folder of their own.
bottle was not drawn: that change was wanted on the `develop` side, and closes less than `MIN_OPEN` lines.

`report` is the thirteenth draw: 81 projects that the generator had never seen; the last draw named 30 of them, behind
its 20th change. Of each the newest fitting change of the last 300. Their names, owner and repository without regard to
case, were put in the order of the alphabet before any change was looked at, and until the generator ran on the side,
nobody looked. Said beforehand as well: a suite is too slow if it takes more than `SUITE_S` even when tried again; a
search ends after 7 minutes; the list ends with the 20th change.
The machine was busy with other work throughout. ReactiveX/RxPY was searched late: its suite did not end within 90 s,
but took 15 s of CPU when it was tried again. While the generator was still worked on, the decorators of tests were
counted by grep over all clones, linode_api4-python among them; nothing else of these was looked at:

- taken, 20: adamchainz/blacken-docs, chimpler/pyhocon, EmbroidePy/pyembroidery, google/mobly,
  hetznercloud/hcloud-python, linode/linode_api4-python, microsoft/sarif-tools, mollie/mollie-api-python,
  OnroerendErfgoed/skosprovider, pyscaffold/configupdater, python-quantities/python-quantities,
  sanic-org/sanic-routing, scrapinghub/extruct, simlist/pyluach, ssato/python-anyconfig, sshuttle/sshuttle,
  suds-community/suds, vinitkumar/json2xml, vlasovskikh/funcparserlib, voxpupuli/pypuppetdb
- no fitting change: asottile/flake8-typing-imports, eyeseast/python-frontmatter, ForensicArtifacts/artifacts,
  hynek/doc2dash, marshmallow-code/flask-smorest, oasis-open/cti-pattern-validator, pyca/service-identity,
  ReactiveX/RxPY
- the suite of the newest commit takes more than `SUITE_S` (with coverage, 30 s of CPU are enough for a third of
  guessit and for half of pygal, PyGithub takes 33 s of CPU; of cffconvert one test ran in 60 s, of rope an eighth in
  90 s): citation-file-format/cffconvert, guessit-io/guessit, Kozea/pygal, PyGithub/PyGithub, python-rope/rope
- that suite fails in this environment: aboutcode-org/commoncode, adafruit/circup, adbar/htmldate, behave/behave,
  biopragmatics/curies, facelessuser/backrefs, jaraco/keyring, openstack/oslo.utils, ovh/python-ovh, pypa/flit,
  python-jsonschema/check-jsonschema, python-social-auth/social-core, pytube/pytube, rm-hull/luma.core,
  ros-infrastructure/catkin_pkg, SigmaHQ/pySigma, sissaschool/elementpath, snok/flake8-type-checking, uqfoundation/dill
- it needs a further plugin of pytest (hypothesis is one, too): ARMmbed/mbed-tools, cdent/gabbi, goose3/goose3,
  greenbone/pontos, hugovk/pypistats, hvac/hvac, pimutils/khal, requests/requests-oauthlib, sigmavirus24/github3.py,
  SoCo/SoCo, ucfopen/canvasapi, valohai/valohai-yaml
- its tests stand in no folder of their own: honeycombio/libhoney-py
- the clone lacks a file: kinverarity1/lasio, praw-dev/praw, Turbo87/aerofiles
- no clone of it could be had: MycroftAI/lingua_franca
- behind the 20th change: we-like-parsers/pegen, weaveworks/grafanalib, webpy/webpy, webrecorder/warcio,
  wemake-services/dotenv-linter, wireservice/leather, wyfo/apischema, xlwings/jsondiff, XRPLF/xrpl-py,
  Yelp/bravado-core, yukinarit/pyserde, zytedata/zyte-parsers
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from _merged import Case, changed_paths, find_clone, merged_changes
from _testgen_projects import PROJECTS, Project
from greenlane.adapters.git.diffs import read_diff
from greenlane.adapters.git.export import export_tree
from greenlane.adapters.git.process import Git
from greenlane.adapters.sandbox import choose_sandbox
from greenlane.analyzers.coverage import is_test_file, read_statements
from greenlane.domain.settings import Settings
from greenlane.ports.environments import PythonEnvironment
from greenlane.suite.runner import SuiteRequest, SuiteRun, SuiteRunner

LIST = Path(__file__).with_name("testgen_changes.csv")
SIDES = ("report", "develop")
MIN_OPEN, MAX_ADDED, MAX_FILES = 3, 150, 3
SUITE_S = 30.0
"""For a suite while it is measured, which takes up to twice as long: a slower one makes a case of minutes."""


_CLOCK = re.compile(r"\b(process_time|perf_counter|monotonic)\(")


class Listed(msgspec.Struct, frozen=True):
    """A line of the list."""

    repository: str
    commit: str
    side: str


class Trees(msgspec.Struct, frozen=True, kw_only=True):
    """A change as it was merged, and the same with the tests of before; `lines` are the changed executable ones.

    `human` are the test files that the change brought or altered, `human_lines` how many lines it added to them."""

    whole: Path
    withheld: Path
    lines: dict[str, frozenset[int]]
    human: tuple[str, ...]
    human_lines: int


def read_list() -> list[Listed]:
    with LIST.open(encoding="utf-8", newline="") as file:
        return [Listed(**row) for row in csv.DictReader(file)]


def environment_of(python: Path) -> PythonEnvironment:
    """An environment made beforehand; its interpreter's own folders are shown to the sandbox as well."""
    roots = (python.absolute().parent.parent, python.resolve().parent.parent)
    return PythonEnvironment(python=python.absolute(), read_only=roots, digest="bench")


def lay_out(project: Project, clone: Path, case: Case, folder: Path) -> Trees:
    git = Git(clone)
    whole, withheld, base = folder / "whole", folder / "withheld", folder / "base"
    for tree, commit in ((whole, case.head), (withheld, case.head), (base, case.base)):
        export_tree(git, commit, tree)
        for path, text in project.made:
            if not (tree / path).exists():
                (tree / path).write_text(text, encoding="utf-8")
    human = tuple(p for p in changed_paths(clone, case.base, case.head) if p.startswith(f"{project.tests}/"))
    for path in human:
        (withheld / path).unlink(missing_ok=True)
        if (base / path).is_file():
            (withheld / path).parent.mkdir(parents=True, exist_ok=True)
            (withheld / path).write_bytes((base / path).read_bytes())
    diff = read_diff(git, case.base, case.head)
    changed = {
        f.path: frozenset(line.number for line in f.added) for f in diff.files if f.added and project.ships(f.path)
    }
    lines, _ = read_statements(withheld, changed)
    present = tuple(p for p in human if (whole / p).is_file() and is_test_file(p) and p.endswith(".py"))
    added = sum(len(f.added) for f in diff.files if f.path in present)
    return Trees(whole=whole, withheld=withheld, lines=lines, human=present, human_lines=added)


def open_lines(run: SuiteRun, lines: dict[str, frozenset[int]]) -> set[tuple[str, int]]:
    return {(path, line) for path, numbers in lines.items() for line in numbers - run.executed(path)}


def candidates(project: Project, clone: Path, last: int) -> Iterator[Case]:
    """Merged changes of source and tests together, of a size that people review. What tests notice that measure time
    depends on the machine, so such are no yardstick."""
    for case in merged_changes(project.repository, clone, last=last, wanted=last):
        paths = [p for p in changed_paths(clone, case.base, case.head) if p.endswith(".py")]
        source = [p for p in paths if project.ships(p) and not is_test_file(p)]
        tests = [p for p in paths if p.startswith(f"{project.tests}/") and is_test_file(p)]
        if not tests or not 1 <= len(source) <= MAX_FILES:
            continue
        diff = read_diff(Git(clone), case.base, case.head)
        added = sum(len(f.added) for f in diff.files if f.path in source)
        timed = any(_CLOCK.search(line.text) for f in diff.files if f.path in tests for line in f.added)
        if MIN_OPEN <= added <= MAX_ADDED and not timed:
            yield case


async def is_fit(project: Project, clone: Path, case: Case, runner: SuiteRunner, python: PythonEnvironment) -> int:
    """How many changed lines are open without the human tests, and closed with them; 0: the change is not taken."""
    with tempfile.TemporaryDirectory(prefix="greenlane-choose-") as folder:
        trees = lay_out(project, clone, case, Path(folder).resolve())
        if not trees.lines or not trees.human:
            return 0
        request = SuiteRequest(measure=tuple(trees.lines), timeout_s=SUITE_S)
        without = await runner.run(project.service, python, trees.withheld, request)
        if not without.passed or len(open_lines(without, trees.lines)) < MIN_OPEN:
            return 0
        whole = await runner.run(project.service, python, trees.whole, request)
        closed = open_lines(without, trees.lines) - open_lines(whole, trees.lines)
        return len(closed) if whole.passed and len(closed) >= MIN_OPEN else 0


async def choose(repos: Path, python: Path, names: list[str], each: int, last: int, sides: Sequence[str]) -> None:
    runner = SuiteRunner(choose_sandbox(), Settings())
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["repository", "commit", "side"])
    for project in (p for p in PROJECTS if not names or p.repository in names):
        clone = find_clone(repos, project.repository)
        found = 0
        for case in candidates(project, clone, last) if clone else ():
            if clone is not None and await is_fit(project, clone, case, runner, environment_of(python)):
                writer.writerow([project.repository, case.head, sides[found % len(sides)]])
                sys.stdout.flush()
                found += 1
            if found == each:
                break


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--each", type=int, default=4, help="changes of each project")
    parser.add_argument("--last", type=int, default=400, help="merged changes that are looked at")
    parser.add_argument("--sides", default=SIDES, nargs="+", help="given in turn; a project may be kept for one")
    parser.add_argument("names", nargs="*", metavar="OWNER/NAME", help="these projects only")
    given = parser.parse_args()
    asyncio.run(choose(given.repos, given.python, given.names, given.each, given.last, given.sides))
