"""Real merged changes whose human tests are withheld: for `bench/testgen.py`, and how they were chosen.

A project is a clone below `--repos DIR` and a few facts that an adopter would write into `greenlane.yaml`. A change
is taken if people merged it with tests of its own, if the suite passes on it with those tests and without them, and
if at least `MIN_OPEN` of its changed lines run only because of them, and if the suite takes no more than `SUITE_S`.
`python bench/_testgen_cases.py --repos DIR --python PYTHON` writes the list anew, newest changes first, before anything
is generated for them.

Sides are given by project. Whatever was once held out and looked at is `develop`: all changes of the first eight draws
(37, 18, 10, 5, 16, 24, 20 and 20 projects) and of the projects before them. What a project's changes look like never
decides: it is missing if no change fits, if its suite fails or takes too long in this environment, if it needs a
further plugin of pytest, which would cost every start of the others, or if its tests stand in no folder of their own.
bottle was not drawn: that change was wanted on the `develop` side, and closes less than `MIN_OPEN` lines.

`report` is the ninth draw: 70 projects that the generator had never seen, of each the newest fitting change of the
last 300. No earlier draw had named them, but for six that the eighth left over without a look. Their names, owner and
repository without regard to case, were put in the order of the alphabet before any change was looked at, and until the
generator ran on the side, nobody looked. Said beforehand as well: a suite is too slow if it takes more than `SUITE_S`
even when tried again; a search ends after 7 minutes; the list ends with the 20th change. The machine was busy with
other work, nothing was tried again, and vobject, flask-jwt-extended and what follows were searched half an hour later:

- taken, 20: clld/clldutils, containerbuildsystem/dockerfile-parse, davidaurelio/hashids-python, dbcli/litecli,
  decalage2/olefile, fonttools/ufoLib2, geomet/geomet, joowani/binarytree, kurtmckee/listparser, microformats/mf2py,
  mwclient/mwclient, pbs/pycaption, pytroll/trollsift, pyvisa/pyvisa, release-engineering/productmd,
  scrapinghub/number-parser, tkarabela/pysubs2, Turbo87/utm, wbond/asn1crypto, zopefoundation/DateTime
- no fitting change, or (petl) none within 7 minutes: alastair/python-musicbrainzngs, asottile/yesqa,
  buriy/python-readability, celery/py-amqp, duo-labs/py_webauthn, eoyilmaz/timecode, GehirnInc/python-jwt,
  jazzband/dj-database-url, mhe/pynrrd, petertodd/python-bitcoinlib, petl-developers/petl, pudo/dataset,
  py-vobject/vobject, unified-font-object/ufoNormalizer, vimalloc/flask-jwt-extended, zheller/flake8-quotes
- the suite of the newest commit takes more than `SUITE_S` (85 s and more, or 38 s of CPU):
  CycloneDX/cyclonedx-python-lib, DataDog/datadogpy, igordejanovic/parglare, inducer/pytools, pdfminer/pdfminer.six,
  Pylons/pyramid, python-cmd2/cmd2, simple-salesforce/simple-salesforce, spdx/tools-python, Yelp/detect-secrets
- that suite fails in this environment: aboutcode-org/univers, beetbox/mediafile, googleapis/proto-plus-python,
  jjjake/internetarchive, kislyuk/argcomplete, marshmallow-code/flask-marshmallow, mongomock/mongomock,
  pallets-eco/flask-sqlalchemy, pyexcel/pyexcel, richardkiss/pycoin, rollbar/pyrollbar, rthalley/dnspython,
  scikit-hep/particle, SpamScope/mail-parser, willkg/everett, wolverdude/GenSON, zeroSteiner/rule-engine
- it needs a further plugin of pytest, or (python-string-similarity) its tests have no folder: benoitc/gunicorn,
  fhightower/ioc-finder, luozhouyang/python-string-similarity, python-gitlab/python-gitlab
- the clone lacks a file, or (rebulk) could not be had: guessit-io/rebulk, sartography/SpiffWorkflow, vstinner/hachoir
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
from greenlane.adapters.git.diffs import read_diff
from greenlane.adapters.git.export import export_tree
from greenlane.adapters.git.process import Git
from greenlane.adapters.sandbox import choose_sandbox
from greenlane.analyzers.coverage import is_test_file, read_statements
from greenlane.domain.service_settings import Commands, Service
from greenlane.domain.settings import Settings
from greenlane.ports.environments import PythonEnvironment
from greenlane.suite.runner import SuiteRequest, SuiteRun, SuiteRunner

LIST = Path(__file__).with_name("testgen_changes.csv")
SIDES = ("report", "develop")
MIN_OPEN, MAX_ADDED, MAX_FILES = 3, 150, 3
SUITE_S = 30.0
"""For a suite while it is measured, which takes up to twice as long: a slower one makes a case of minutes."""


_CLOCK = re.compile(r"\b(process_time|perf_counter|monotonic)\(")


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """`made` are files that the project's own build step would write; `given` is what its suite is started with."""

    repository: str
    package: str
    tests: str = "tests"
    given: str = ""
    made: tuple[tuple[str, str], ...] = ()

    def ships(self, path: str) -> bool:
        """Whether a path is of the package, or the module of a project that is a single file."""
        return path == self.package or path.startswith(f"{self.package}/")

    @property
    def service(self) -> Service:
        root = self.package.rpartition("/")[0] or "."
        commands = Commands(test=f"{Commands().test} {self.given}") if self.given else Commands()
        return Service(name="project", source_roots=(root,), tests_dir=self.tests, commands=commands)


_VERSION = '__version__ = version = "99.0.0"\n__version_tuple__ = version_tuple = (99, 0, 0)\n'
PROJECTS = (
    Project(
        repository="python-humanize/humanize",
        package="src/humanize",
        made=(("src/humanize/_version.py", _VERSION),),
    ),
    Project(repository="mahmoud/boltons", package="boltons"),
    Project(repository="msiemens/tinydb", package="tinydb"),
    Project(repository="pallets/itsdangerous", package="src/itsdangerous"),
    Project(repository="marshmallow-code/marshmallow", package="src/marshmallow"),
    Project(repository="andialbrecht/sqlparse", package="sqlparse"),
    Project(repository="pallets/click", package="src/click"),
    Project(repository="tkem/cachetools", package="src/cachetools"),
    Project(repository="jpadilla/pyjwt", package="jwt"),
    Project(repository="lepture/mistune", package="src/mistune"),
    Project(
        repository="prettytable/prettytable",
        package="src/prettytable",
        made=(("src/prettytable/_version.py", _VERSION),),
    ),
    Project(repository="astanin/python-tabulate", package="tabulate", tests="test"),
    Project(repository="jd/tenacity", package="tenacity"),
    Project(repository="hukkin/tomli", package="src/tomli"),
    Project(repository="alecthomas/voluptuous", package="voluptuous", tests="voluptuous/tests"),
    Project(repository="AlexandreDecan/portion", package="portion"),
    Project(repository="bottlepy/bottle", package="bottle.py", tests="test"),
    Project(repository="cpburnz/python-pathspec", package="pathspec"),
    Project(repository="dgilland/pydash", package="src/pydash", given="src tests --ignore tests/pytest_mypy_testing"),
    Project(repository="executablebooks/markdown-it-py", package="markdown_it"),
    Project(repository="jazzband/tablib", package="src/tablib"),
    Project(repository="lincolnloop/python-qrcode", package="qrcode", tests="qrcode/tests"),
    Project(repository="martinblech/xmltodict", package="xmltodict.py"),
    Project(repository="matthewwithanm/python-markdownify", package="markdownify"),
    Project(repository="PyCQA/pyflakes", package="pyflakes", tests="pyflakes/test"),
    Project(repository="python-hyper/h11", package="h11", tests="h11/tests"),
    Project(repository="python-hyper/hyperlink", package="src/hyperlink", tests="src/hyperlink/test"),
    Project(repository="python-validators/validators", package="src/validators"),
    Project(repository="r1chardj0n3s/parse", package="parse.py"),
    Project(repository="scrapy/cssselect", package="cssselect"),
    Project(repository="scrapy/itemloaders", package="itemloaders"),
    Project(repository="scrapy/w3lib", package="w3lib"),
    Project(repository="sdispater/tomlkit", package="tomlkit"),
    Project(repository="Suor/funcy", package="funcy"),
    Project(repository="asottile/add-trailing-comma", package="add_trailing_comma"),
    Project(repository="asottile/tokenize-rt", package="tokenize_rt.py"),
    Project(repository="executablebooks/mdit-py-plugins", package="mdit_py_plugins"),
    Project(repository="facelessuser/bracex", package="bracex"),
    Project(repository="jazzband/geojson", package="geojson"),
    Project(repository="Knio/dominate", package="dominate"),
    Project(repository="mahmoud/face", package="face", tests="face/test"),
    Project(repository="miyuchina/mistletoe", package="mistletoe", tests="test"),
    Project(repository="Pylons/colander", package="src/colander"),
    Project(repository="Pylons/webtest", package="webtest"),
    Project(repository="pypa/installer", package="src/installer"),
    Project(repository="pypa/pyproject-metadata", package="pyproject_metadata"),
    Project(repository="python-semver/python-semver", package="src/semver"),
    Project(repository="rbarrois/python-semanticversion", package="semantic_version"),
    Project(repository="rr-/docstring_parser", package="docstring_parser", tests="docstring_parser/tests"),
    Project(repository="zopefoundation/RestrictedPython", package="src/RestrictedPython"),
    Project(repository="aboutcode-org/license-expression", package="src/license_expression"),
    Project(repository="asottile/setup-cfg-fmt", package="setup_cfg_fmt.py"),
    Project(repository="beetbox/confuse", package="confuse", tests="test"),
    Project(repository="caesar0301/treelib", package="treelib"),
    Project(repository="defnull/multipart", package="multipart.py", tests="test"),
    Project(repository="earwig/mwparserfromhell", package="src/mwparserfromhell"),
    Project(repository="eerimoq/bincopy", package="bincopy.py"),
    Project(repository="eliben/pycparser", package="pycparser"),
    Project(repository="flyingcircusio/pycountry", package="src/pycountry", tests="src/pycountry/tests"),
    Project(repository="inveniosoftware/dictdiffer", package="dictdiffer"),
    Project(repository="ionelmc/python-tblib", package="src/tblib"),
    Project(repository="jazzband/jsonmodels", package="jsonmodels"),
    Project(repository="joke2k/django-environ", package="environ"),
    Project(repository="kayak/pypika", package="pypika", tests="pypika/tests"),
    Project(repository="kjd/idna", package="idna"),
    Project(repository="ltworf/typedload", package="typedload"),
    Project(repository="mido/mido", package="mido"),
    Project(repository="nickstenning/honcho", package="honcho"),
    Project(repository="pallets-eco/croniter", package="src/croniter", tests="src/croniter/tests"),
    Project(repository="pallets-eco/flask-wtf", package="src/flask_wtf"),
    Project(repository="python-metar/python-metar", package="metar", tests="test"),
    Project(repository="python-parsy/parsy", package="src/parsy"),
    Project(repository="regebro/svg.path", package="src/svg"),
    Project(repository="regebro/tzlocal", package="tzlocal"),
    Project(repository="assertpy/assertpy", package="assertpy"),
    Project(repository="avian2/unidecode", package="unidecode"),
    Project(repository="borntyping/python-colorlog", package="colorlog", tests="colorlog/tests"),
    Project(repository="casbin/pycasbin", package="casbin"),
    Project(repository="cloudtools/troposphere", package="troposphere"),
    Project(repository="coady/multimethod", package="multimethod"),
    Project(repository="devsnd/tinytag", package="tinytag", tests="tinytag/tests"),
    Project(repository="HBNetwork/python-decouple", package="decouple.py"),
    Project(repository="iterative/shtab", package="shtab", made=(("shtab/_dist_ver.py", _VERSION),)),
    Project(repository="jawah/charset_normalizer", package="src/charset_normalizer"),
    Project(
        repository="jorisroovers/gitlint",
        package="gitlint-core/gitlint",
        tests="gitlint-core/gitlint/tests",
        given="gitlint-core",
    ),
    Project(repository="Kozea/cssselect2", package="cssselect2"),
    Project(repository="kvesteri/intervals", package="intervals"),
    Project(repository="lkiesow/python-feedgen", package="feedgen"),
    Project(repository="lmfit/asteval", package="asteval", made=(("asteval/version.py", _VERSION),)),
    Project(repository="madpah/serializable", package="py_serializable"),
    Project(repository="myusuf3/delorean", package="delorean"),
    Project(repository="nhairs/python-json-logger", package="src/pythonjsonlogger"),
    Project(repository="pavlov99/json-rpc", package="jsonrpc", tests="jsonrpc/tests"),
    Project(repository="python-distro/distro", package="src/distro"),
    Project(repository="23andMe/Yamale", package="yamale", tests="yamale/tests"),
    Project(repository="ahawker/ulid", package="ulid"),
    Project(repository="barseghyanartur/tld", package="src/tld", tests="src/tld/tests"),
    Project(repository="bobthemighty/punq", package="punq"),
    Project(repository="cool-RR/PySnooper", package="pysnooper"),
    Project(repository="gmr/pamqp", package="pamqp"),
    Project(repository="hhatto/autopep8", package="autopep8.py", tests="test"),
    Project(repository="Infinidat/munch", package="munch"),
    Project(repository="laurent-laporte-pro/deprecated", package="deprecated"),
    Project(repository="lovasoa/marshmallow_dataclass", package="marshmallow_dataclass"),
    Project(repository="matiasb/python-unidiff", package="unidiff"),
    Project(repository="microsoft/knack", package="knack"),
    Project(repository="python-excel/xlrd", package="xlrd"),
    Project(repository="python-openapi/openapi-schema-validator", package="openapi_schema_validator", given="tests"),
    Project(repository="sciunto-org/python-bibtexparser", package="bibtexparser"),
    Project(repository="selectel/pyte", package="pyte"),
    Project(repository="spulec/freezegun", package="freezegun"),
    Project(repository="tartley/colorama", package="colorama", tests="colorama/tests"),
    Project(repository="terrencepreilly/darglint", package="darglint", given="tests"),
    Project(repository="urwid/urwid", package="urwid", given="tests", made=(("urwid/version.py", _VERSION),)),
    Project(repository="clld/clldutils", package="src/clldutils"),
    Project(repository="containerbuildsystem/dockerfile-parse", package="dockerfile_parse"),
    Project(repository="davidaurelio/hashids-python", package="hashids.py", tests="test"),
    Project(repository="dbcli/litecli", package="litecli"),
    Project(repository="decalage2/olefile", package="olefile"),
    Project(repository="fonttools/ufoLib2", package="src/ufoLib2", given="tests"),
    Project(repository="geomet/geomet", package="geomet", tests="geomet/tests"),
    Project(repository="joowani/binarytree", package="binarytree"),
    Project(repository="kurtmckee/listparser", package="src/listparser"),
    Project(repository="microformats/mf2py", package="mf2py", tests="test"),
    Project(repository="mwclient/mwclient", package="mwclient", tests="test"),
    Project(repository="pbs/pycaption", package="pycaption"),
    Project(
        repository="pytroll/trollsift",
        package="trollsift",
        tests="trollsift/tests",
        made=(("trollsift/version.py", _VERSION),),
    ),
    Project(
        repository="pyvisa/pyvisa",
        package="pyvisa",
        tests="pyvisa/testsuite",
        given="pyvisa/testsuite",
        made=(("pyvisa/version.py", _VERSION),),
    ),
    Project(repository="release-engineering/productmd", package="productmd"),
    Project(repository="scrapinghub/number-parser", package="number_parser"),
    Project(repository="tkarabela/pysubs2", package="pysubs2", given="tests"),
    Project(repository="Turbo87/utm", package="utm", tests="test"),
    Project(repository="wbond/asn1crypto", package="asn1crypto"),
    Project(repository="zopefoundation/DateTime", package="src/DateTime", tests="src/DateTime/tests"),
)
PACKAGES = (
    "pytest coverage pytest-cov pytest-timeout pytest-lazy-fixtures freezegun pyyaml simplejson pytz cryptography "
    "typeguard typing_extensions colorama python-dateutil tzdata wcwidth tornado humanize boltons tinydb itsdangerous "
    "marshmallow sqlparse click cachetools pyjwt mistune prettytable tabulate tenacity tomli pydash markdown-it-py "
    "mdit-py-plugins linkify-it-py pytest-regressions xmltodict validators eth-hash[pycryptodome] w3lib "
    "beautifulsoup4 six markdownify h11 parse tomlkit idna hyperlink voluptuous portion pytest-benchmark "
    "sortedcontainers whatever funcy pathspec tablib openpyxl xlrd xlwt pandas odfpy markuppy pyflakes qrcode "
    "pillow pypng deprecation cssselect lxml parsel itemadapter jmespath itemloaders add-trailing-comma tokenize-rt "
    "bracex geojson dominate face mistletoe parameterized colander webtest waitress pyquery WSGIProxy2 PasteDeploy "
    "installer pyproject-metadata exceptiongroup semver semantic-version django docstring-parser RestrictedPython "
    "pytest-mock boolean.py identify[license] argparse-addons humanfriendly pyelftools pycountry invoke attrs mock "
    "flask wtforms flask-babel email-validator tzlocal mido honcho assertpy unidecode colorlog casbin wcmatch "
    "troposphere awacs multimethod tinytag python-decouple shtab charset-normalizer gitlint-core cssselect2 intervals "
    "feedgen asteval py-serializable xmldiff delorean python-json-logger json-rpc yamale ruamel.yaml ulid-py tld "
    "fake.py punq expects sqlalchemy pysnooper pamqp autopep8 munch deprecated typing_inspect marshmallow-enum "
    "unidiff knack vcrpy openapi-schema-validator bibtexparser pyte freezegun colorama darglint urwid clldutils "
    "dockerfile-parse hashids litecli olefile ufoLib2 cattrs orjson geomet binarytree listparser mf2py mwclient "
    "responses cssutils trollsift pyvisa productmd number-parser pysubs2 utm asn1crypto "
    "DateTime setuptools==81.0.0"
)
"""What the projects' suites import, and nothing else: a plugin of pytest that none of them needs costs each start of
it. The projects themselves are among it for their metadata; their trees come first."""


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
