"""Real merged changes whose human tests are withheld: for `bench/testgen.py`, and how they were chosen.

A project is a clone below `--repos DIR` and a few facts that an adopter would write into `greenlane.yaml`. A change
is taken if people merged it with tests of its own, if the suite passes on it with those tests and without them, and
if at least `MIN_OPEN` of its changed lines run only because of them, and if the suite takes no more than `SUITE_S`.
`python bench/_testgen_cases.py --repos DIR --python PYTHON` writes the list anew, newest changes first, before anything
is generated for them.

What a project's changes look like never decides: it is missing if no change fits, if its suite fails or
takes too long in this environment, if it needs a further plugin of pytest, which would cost every start of the others,
or if its tests stand in no folder of their own. Whatever was once held out and looked at is `develop`: all changes of
the first fifteen draws (37, 18, 10, 5, 16, 24, 20, 20, 20, 20, 20, 20, 20, 20 and 20 projects), each but the fifteenth
of projects that the generator had never seen but for the first ones, those of the projects before them, and 45 of
projects of earlier draws, on which it was developed further before the fifteenth and the sixteenth.

bottle was not drawn: that change was wanted on the `develop` side, and closes less than `MIN_OPEN` lines.

`report` is the sixteenth draw, of **fresh changes of known projects** as the fifteenth, by the same rule: it goes on
in that order where the fifteenth stopped, behind its 30th project. Said before the search. Before it the generator
was developed further on the fifteenth's changes, and on 19 others of the same 30 projects. Two things were met on the
way: a project without a clone on that machine is passed over, and canopen-python/canopen gave a change that had been
read for an earlier draw, so it was left out. The 37 projects gone through:

- taken, 20: 23andMe/Yamale, AlexandreDecan/portion, avian2/unidecode, barseghyanartur/tld, caesar0301/treelib,
  chimpler/pyhocon, daggaz/json-stream, eerimoq/textparser, fox-it/dissect.cstruct, jazzband/tablib, joshtemple/lkml,
  marshmallow-code/marshmallow, microsoft/sarif-tools, miyuchina/mistletoe, python-humanize/humanize,
  scrapy/cssselect, scrapy/itemloaders, scrapy/w3lib, Suor/funcy, zopefoundation/DateTime
- no fitting change: codingjoe/relint, DMTF/python-redfish-library, MarcoGorelli/absolufy-imports,
  python-openapi/openapi-schema-validator, ulif/diceware
- none within 4 minutes: isso-comments/isso, mwilliamson/python-mammoth, python-hyper/h11
- no clone: atlassian-api/atlassian-python-api, georgkrause/langcodes, gmr/pamqp, google/mobly,
  hakancelikdev/unimport, pypa/installer, python-metar/python-metar, python-parsy/parsy
- known from before: canopen-python/canopen

Beside the searches others used the machine.

The fifteenth draw, the first of this kind. Of each of the 234 projects the newest fitting change of the last 600
(`--new --each 1 --last 600`) that does not stand in the list; the projects in the order of the SHA-256 of their names
in small letters, so that no one chose which come first; the list ends with the 20th change; a search ends after 4
minutes. All said before the search. Nobody read one of these changes or had the generator run on it before it ran on
the side; their projects' other changes, though, had been developed on, and single functions of them had been tried in
practice, without their tests. The 30 projects gone through:

- taken, 20: adamchainz/blacken-docs, bobthemighty/punq, devsnd/tinytag, dlce-eva/python-nexus, goodmami/penman,
  hetznercloud/hcloud-python, ionelmc/python-tblib, joke2k/django-environ, jpadilla/pyjwt, log2timeline/dfdatetime,
  martinblech/xmltodict, matiasb/python-unidiff, matthewwithanm/python-markdownify, netbox-community/pynetbox,
  pallets-eco/flask-wtf, prettytable/prettytable, pyvisa/pyvisa, scrapinghub/extruct, simlist/pyluach, webpy/webpy
- no fitting change, or none in 4 minutes: decalage2/olefile, docker/docker-py, gruns/icecream, mahmoud/boltons,
  psf/cachecontrol, PyCQA/pyflakes, python-excel/xlrd, regebro/tzlocal, sshuttle/sshuttle, vlasovskikh/funcparserlib

Beside the searches others used the machine.

The fourteenth draw, the last one of projects that the generator had never seen: 116 projects, of which the draw before
named 12 behind its 20th change. Of each the newest fitting change of the last 300. Their names, owner and repository
without regard to case, were put in the order of the alphabet before any change was looked at, and until the generator
ran on the side, nobody looked. Said beforehand as well: a suite is too slow if it takes more than `SUITE_S`; a search
ends after 7 minutes; the list ends with the 20th change. The 116 gave 19. So 37 further names were written down, in an
order of their own, and gone through in the same way: the fifth of them gave the 20th.
The machine did nothing else, but two searches ran beside each other. kislyuk/yq needs the program jq. All names:

- taken, 20: agronholm/exceptiongroup, authlib/authlib, click-contrib/click-help-colors, eandersson/amqpstorm,
  eerimoq/textparser, explosion/catalogue, hynek/environ-config, kislyuk/yq, MarcoGorelli/absolufy-imports,
  psf/cachecontrol, Pylons/deform, pypa/wheel, scikit-hep/hepunits, scrapy/queuelib, vi3k6i5/flashtext,
  weaveworks/grafanalib, webpy/webpy, websocket-client/websocket-client, XRPLF/xrpl-py, zytedata/zyte-parsers
- no fitting change (CERT-Polska/malduck is one more; of grantjenks/python-diskcache and pika/pika none in 7 minutes):
  aboutcode-org/container-inspector, aboutcode-org/saneyaml, adamchainz/patchy, beancount/smart_importer,
  crossbario/txaio, gitpython-developers/smmap, grantjenks/python-diskcache, pallets-eco/flask-mail, pika/pika,
  pre-commit/identify, pycontribs/ansi2html, Pylons/plaster, Pylons/venusian, pyserial/pyserial, rasterio/affine,
  thombashi/DataProperty, tkem/uritools, wireservice/leather, yaml/pyyaml, Yelp/py_zipkin,
  Yelp/swagger_spec_validator, zopefoundation/transaction
- the suite of the newest commit takes more than `SUITE_S` (of all of these, more than 60 s): Delgan/loguru,
  eerimoq/asn1tools, fastapi/typer, jelmer/dulwich, Kozea/Radicale, olofk/edalize, pylint-dev/astroid, pypa/build,
  pypa/setuptools-scm, rhinstaller/pykickstart, wntrblm/nox, Yelp/bravado-core, yukinarit/pyserde
- that suite fails in this environment: asottile/all-repos, asottile/git-code-debt,
  AzureAD/microsoft-authentication-library-for-python, callowayproject/bump-my-version, carsonyl/pypac,
  cloudevents/sdk-python, cthoyt/pystow, giampaolo/pyftpdlib, graphql-python/graphql-relay-py, jazzband/contextlib2,
  mkaz/termgraph, nteract/papermill, olofk/fusesoc, opentracing/opentracing-python, Pylons/hupper, pypa/distlib,
  python-mechanize/mechanize, python-restx/flask-restx, release-engineering/kobo, slackapi/python-slack-sdk,
  tefra/xsdata, thombashi/pytablewriter, thombashi/typepy, tox-dev/filelock, tox-dev/pipdeptree, uiri/toml,
  webrecorder/warcio, wemake-services/dotenv-linter, zopefoundation/ZConfig, zopefoundation/zope.interface
- it needs a further plugin of pytest (hypothesis and anyio are some, too): beancount/fava, burnash/gspread,
  canonical/craft-cli, dgilland/cacheout, explosion/confection, getpelican/pelican, hynek/stamina,
  jamesturk/scrapelib, jaraco/zipp, marshmallow-code/webargs, maxmind/GeoIP2-python, mkdocstrings/griffe, pypa/twine,
  python-attrs/attrs, python-caldav/caldav, python-openapi/openapi-core, python-trio/outcome,
  python/importlib_metadata, samuelcolvin/python-devtools, scrapinghub/web-poet, sopel-irc/sopel, tqdm/tqdm,
  wyfo/apischema, xlwings/jsondiff
- its tests stand in no folder of their own, or in several: dropbox/pyannotate, graphql-python/graphene, nedbat/cog,
  PyCQA/eradicate, PyCQA/pep8-naming
- the clone lacks a file, or all files: encode/apistar, googleapis/python-api-core, jquast/blessed, mwouts/jupytext,
  py-pdf/pypdf, python-openapi/openapi-spec-validator, we-like-parsers/pegen
- behind the 20th change: explodinglabs/jsonrpcclient, frictionlessdata/datapackage-py, hgrecco/flexparser,
  jwodder/check-wheel-contents, jwodder/javaproperties, jwodder/versioningit, kvesteri/wtforms-components,
  lektor/lektor, lepture/captcha, mgedmin/objgraph, MISP/PyMISP, mozilla-services/python-dockerflow,
  openedx/event-tracking, openedx/opaque-keys, openstack/cliff, openstack/debtcollector, openstack/stevedore,
  pawamoy/git-changelog, PyCQA/flake8-import-order, Pylons/peppercorn, Pylons/pyramid_jinja2,
  Pylons/translationstring, rbarrois/xworkflows, rycus86/prometheus_flask_exporter, sarugaku/shellingham,
  tcalmant/ipopo, tomerfiliba/plumbum, vfaronov/httpolice, wolph/portalocker, wolph/python-progressbar, xflr6/concepts
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


async def choose(
    repos: Path, python: Path, names: list[str], each: int, last: int, sides: Sequence[str], *, new: bool = False
) -> None:
    runner = SuiteRunner(choose_sandbox(), Settings())
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["repository", "commit", "side"])
    known = {change.commit for change in read_list()} if new else set()
    for project in (p for p in PROJECTS if not names or p.repository in names):
        clone = find_clone(repos, project.repository)
        found = 0
        for case in candidates(project, clone, last) if clone else ():
            if (
                clone is not None
                and case.head not in known
                and await is_fit(project, clone, case, runner, environment_of(python))
            ):
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
    parser.add_argument("--new", action="store_true", help="none that stands in the list")
    parser.add_argument("names", nargs="*", metavar="OWNER/NAME", help="these projects only")
    given = parser.parse_args()
    asyncio.run(choose(given.repos, given.python, given.names, given.each, given.last, given.sides, new=given.new))
