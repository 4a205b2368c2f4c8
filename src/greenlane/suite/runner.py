"""`SuiteRunner`: runs tests of a copy of a source tree in the sandbox, and reads outcomes and coverage back.

What comes back was written by the process that also ran the code under test, so that code could forge it: a pass, a
count, a covered line. Forged results can make a change look better tested than it is, and nothing more: what they
decide is which generated tests are kept and whether a gap is called closed. Parsing is done with typed, bounded
decoders outside.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shlex
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.ports.environments import FoundSuite, PythonEnvironment
from greenlane.ports.sandbox import Sandbox, SandboxJob, SandboxResult
from greenlane.suite.files import put_files, read_bytes
from greenlane.suite.report import NOT_BEGUN, TestOutcome, find_doubts, list_disturbed

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_INSIDE = Path(__file__).with_name("inside")
IGNORED = ("__pycache__", ".git", ".hg", ".mypy_cache", ".nox", ".pytest_cache", ".tox", ".venv", "node_modules")
_MAX_LINES, _NO_TESTS, _OUTPUT_TAIL = 200_000, 5, 4000
_CALLS_PYTEST = re.compile(r"^\S*(\{python\}|python[\d.]*) -m pytest\b|^\S*pytest\b")
_PLUGIN_OPTIONS = "(('xdist', '-n0'), ('pytest_cov', '--no-cov'), ('pytest_randomly', '-p no:randomly'))"
"""Options that keep a plugin from spreading the suite over processes, or from measuring and shuffling on its own."""


class _ReportLine(TestOutcome, frozen=True):
    """A line as it is written: with the nonce of the run that it belongs to."""

    nonce: str = ""


class SuiteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to run. `select` names test files or node ids (empty: the service's own command, the whole suite);
    `measure` names source files whose lines are traced; `extra` are files put into the copy, by path."""

    measure: tuple[str, ...] = ()
    branches: bool = False
    """Trace from where to where, too: a little slower."""
    select: tuple[str, ...] = ()
    extra: tuple[tuple[str, bytes], ...] = ()
    plugins: tuple[str, ...] = ()
    plugin_folders: tuple[Path, ...] = ()
    plugin_input: bytes = b""
    """Given to the plugins as the file `$GREENLANE_INPUT`, `{tree}` replaced by the folder of the copy; they may write
    `$GREENLANE_OUTPUT`."""
    options: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    """Plugins of the environment, by entry point, that are not loaded (`plugins.py`)."""
    hash_seed: int = 0
    timezone: str = "UTC"
    reverse: bool = False
    shuffle: int | None = None
    """Run the tests in a random order that this number decides."""
    timeout_s: float | None = None
    guard_tree: bool = False
    """Say which files of the tree the run removed or changed."""


class SuiteRun(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `contexts` maps file, then line, to the tests that ran it ('' stands for import time)."""

    passed: bool
    outcomes: tuple[TestOutcome, ...]
    no_tests: bool
    output: str
    result: SandboxResult
    contexts: Mapping[str, Mapping[int, frozenset[str]]]
    arcs: Mapping[str, Mapping[tuple[int, int], frozenset[str]]] = {}
    """By file: from which line to which, and the tests that went there; empty unless `branches` was asked."""
    plugin_output: bytes = b""
    cut_short: bool = False
    """The process that ran the tests ended before its last test, whatever exit code it had."""
    doubts: tuple[str, ...] = ()
    """Why what it reports can't be believed (`report.py`); such a run has not passed."""
    disturbed: tuple[str, ...] = ()
    """Files of the tree that the run removed or changed, if it was asked to look (`guard_tree`)."""
    in_part: tuple[str, ...] = ()
    """The whole suite takes longer than it may: these test files are all that was run of it (`impact.py`)."""
    executable: Mapping[str, frozenset[int]] = {}
    """Lines that could run, by file, where a program says so (`program.py`); of Python they are read from the text."""

    @property
    def tests_run(self) -> int:
        return len({o.test for o in self.outcomes if o.outcome != "skipped" and o.when != "collect"})

    @property
    def failing(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(o.test for o in self.outcomes if o.outcome == "failed"))

    def executed(self, path: str) -> frozenset[int]:
        """Lines of one source file that ran."""
        return frozenset(self.contexts.get(path, {}))


class _LineTests(msgspec.Struct, array_like=True):
    line: int
    tests: list[int]


class _MeasuredFile(msgspec.Struct):
    executed: list[int]
    tests: list[_LineTests]


class _Measured(msgspec.Struct):
    """Lines by file; a test is meant by its place in the list of names."""

    tests: list[str]
    files: dict[str, _MeasuredFile]


class _Arc(msgspec.Struct, array_like=True):
    start: int
    end: int
    tests: list[int]


class _MeasuredArcs(msgspec.Struct):
    tests: list[str]
    files: dict[str, list[_Arc]]


class SuiteRunner:
    """Each run gets a fresh copy of the tree, so that no run can leave anything to the next."""

    def __init__(self, sandbox: Sandbox, settings: Settings) -> None:
        self._sandbox = sandbox
        self._settings = settings
        self._bare: Path | None = None
        """The last tree whose own pytest options could not be understood: they are not tried each time."""

    async def run(
        self, service: Service, environment: PythonEnvironment, tree: Path, request: SuiteRequest
    ) -> SuiteRun:
        """Run the tests; once more without the project's own pytest options if those can't be understood."""
        run = await self._run_once(service, environment, tree, request, bare=tree == self._bare)
        if run.result.exit_code not in NOT_BEGUN or run.tests_run or tree == self._bare:
            return run
        if "pytest" not in service.commands.test:
            return run
        again = await self._run_once(service, environment, tree, request, bare=True)
        if again.result.exit_code in NOT_BEGUN:
            return run
        self._bare = tree
        return again

    async def _run_once(
        self, service: Service, environment: PythonEnvironment, tree: Path, request: SuiteRequest, *, bare: bool
    ) -> SuiteRun:
        with work_folder() as folder:
            await asyncio.to_thread(_lay_out, folder, tree, request, environment.found)
            nonce = secrets.token_hex(16)
            job = self._job(service, environment, folder, request, nonce=nonce, bare=bare)
            result = await self._sandbox.run(job)
            due = bool(request.select) or _CALLS_PYTEST.search(service.commands.test) is not None
            run = await asyncio.to_thread(_read_run, folder, result, nonce, due=due)
            if request.guard_tree:
                changed = await asyncio.to_thread(list_disturbed, tree, folder / "tree", IGNORED)
                run = msgspec.structs.replace(run, disturbed=changed)
            return run

    def _job(
        self,
        service: Service,
        environment: PythonEnvironment,
        folder: Path,
        request: SuiteRequest,
        *,
        nonce: str,
        bare: bool,
    ) -> SandboxJob:
        limits = self._settings.sandbox
        python = shlex.quote(str(environment.python))
        if request.select:
            command = shlex.join([str(environment.python), "-m", "pytest", "-q", *request.options, *request.select])
        else:
            command = service.commands.test.replace("{python}", python)
        script = _SCRIPT.format(
            command=command,
            python=python,
            options=_pytest_options(request, folder / "tree", bare=bare),
            plugins=_PLUGIN_OPTIONS,
            measure="1" if request.measure else "",
        )
        return SandboxJob(
            argv=("/bin/sh", "-c", script),
            workdir=folder,
            read_only=environment.read_only,
            env=(*_variables(service, environment, folder, request).items(), ("GREENLANE_NONCE", nonce)),
            timeout_s=request.timeout_s or self._settings.validation.test_timeout_s,
            memory_mb=limits.memory_mb,
            max_processes=limits.max_processes,
            max_file_mb=limits.max_file_mb,
            max_output_bytes=limits.max_output_kb << 10,
        )


_SCRIPT = """\
cd tree || exit 97
extra=$(env -u COVERAGE_PROCESS_START {python} -I -c "import importlib.util as u
print(' '.join(o for m, o in {plugins} if u.find_spec(m)))")
export PYTEST_ADDOPTS="{options} $extra"
(
{command}
)
code=$?
unset COVERAGE_PROCESS_START PYTEST_ADDOPTS
if [ -n "{measure}" ]; then
  {python} ../out/inside/greenlane_collect.py ../out >/dev/null 2>&1
fi
exit $code
"""


def _pytest_options(request: SuiteRequest, tree: Path, *, bare: bool) -> str:
    """Names of tests are relative to the tree, whatever folder the command changes to. A file that can't be imported,
    or a first failure under the project's `-x`, keeps no other test from being run."""
    own = ("greenlane_report", "greenlane_django", "greenlane_select")[: 3 if request.select else 2]
    plugins = (*own, "no:cacheprovider", *(f"no:{name}" for name in request.without), *request.plugins)
    options = [f"--rootdir={tree} --continue-on-collection-errors --maxfail=0", *(f"-p {name}" for name in plugins)]
    if bare:
        options += ["-o", "addopts=", "-o", "required_plugins=", "-o", "filterwarnings="]
    return " ".join(options)


def _variables(service: Service, environment: PythonEnvironment, folder: Path, request: SuiteRequest) -> dict[str, str]:
    tree, out = folder / "tree", folder / "out"
    roots = [str(tree / root) for root in import_roots(service, tree)]
    found = environment.found or FoundSuite()
    given = {name: value.replace("{tree}", str(tree)) for name, value in found.variables}
    variables = {
        "PATH": f"{environment.python.parent}:{_SYSTEM_PATH}",  # the project's own commands, as in its environment
        **dict(environment.variables),
        **given,
        "PYTHONPATH": os.pathsep.join([str(out / "inside"), *roots]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": str(request.hash_seed),
        "TZ": request.timezone,
        "GREENLANE_REPORT": str(out / "report.jsonl"),
        "GREENLANE_INPUT": str(out / "input"),
        "GREENLANE_OUTPUT": str(out / "output"),
    }
    if request.measure:
        variables["COVERAGE_PROCESS_START"] = str(out / "rc")
    if "pytest" not in service.commands.test and not request.select:
        variables |= {"GREENLANE_UNITTEST": "1", "GREENLANE_TREE": str(tree)}
    if request.reverse:
        variables["GREENLANE_ORDER"] = "reverse"
    if request.shuffle is not None:
        variables["GREENLANE_ORDER"] = str(request.shuffle)
    return variables


def import_roots(service: Service, tree: Path) -> tuple[str, ...]:
    """Folders of the tree that go on the import path: those of the service, and `src` below them where it is plainly
    one."""
    inner = (f"{root}/src" if root != "." else "src" for root in (".", *service.source_roots))
    plain = [path for path in inner if (tree / path).is_dir() and not (tree / path / "__init__.py").exists()]
    return tuple(dict.fromkeys((*plain, *service.source_roots)))


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """A folder for one job, removed afterwards whatever the job did to it."""
    folder = Path(tempfile.mkdtemp(prefix="greenlane-job-")).resolve()
    try:
        yield folder
    finally:
        remove_tree(folder)


def remove_tree(folder: Path) -> None:
    """Remove a folder even if the job took permissions away from parts of it."""

    def unlock(_function: object, path: str, _error: object) -> None:
        with contextlib.suppress(OSError):
            failed = Path(path)
            failed.parent.chmod(stat.S_IRWXU)
            if stat.S_ISDIR(failed.lstat().st_mode):  # never through a link: its target is not ours
                failed.chmod(stat.S_IRWXU)
                shutil.rmtree(failed, ignore_errors=True)
            else:
                failed.unlink()

    shutil.rmtree(folder, onerror=unlock)


def copy_tree(tree: Path, into: Path) -> None:
    """Copy a source tree without version control, caches and environments; links stay links and lead nowhere inside."""
    shutil.copytree(tree, into, symlinks=True, ignore=shutil.ignore_patterns(*IGNORED))


def _lay_out(folder: Path, tree: Path, request: SuiteRequest, found: FoundSuite | None) -> None:
    copy_tree(tree, folder / "tree")
    out = folder / "out"
    out.mkdir()
    for folder_of_plugins in (_INSIDE, *request.plugin_folders):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(folder_of_plugins, out / "inside", ignore=ignored, dirs_exist_ok=True)
    put_files(folder / "tree", request.extra)
    missing = [(path, text.encode()) for path, text in (found.files if found else ()) if not (tree / path).exists()]
    put_files(folder / "tree", missing)
    (out / "input").write_bytes(request.plugin_input.replace(b"{tree}", str(folder / "tree").encode()))
    settings = _coverage_settings(folder, request.measure, branches=request.branches)
    (out / "rc").write_text(settings, encoding="utf-8")


def _coverage_settings(folder: Path, measure: Iterable[str], *, branches: bool) -> str:
    """Our own coverage configuration: the project's could leave lines out. Excluded lines count (`a^` matches none)."""
    included = "\n".join(f"    {_literal(folder / 'tree' / path)}" for path in measure)
    return (
        f"[run]\nparallel = true\nsigterm = true\nbranch = {str(branches).lower()}\n"
        f"data_file = {folder}/out/data\ninclude =\n{included}\n"
        "[report]\nexclude_lines =\n    a^\nignore_errors = true\n"
    )


def _literal(path: Path) -> str:
    """A path as a pattern that matches itself alone."""
    return "".join(f"[{c}]" if c in "*?[" else "[\\]]" if c == "]" else c for c in str(path))


def _read_run(folder: Path, result: SandboxResult, nonce: str, *, due: bool) -> SuiteRun:
    lines = _read_outcomes(folder / "out" / "report.jsonl", nonce)
    doubts = find_doubts(lines, due=due and result.exit_code == 0)
    outcomes = tuple(o for o in lines if o.when not in {"session", "canary"})
    ended = {o.test for o in lines if o.when == "session" and o.outcome == "ended"}
    failed = any(o.outcome == "failed" for o in outcomes)
    ran = any(o.when != "collect" for o in outcomes)
    no_tests = result.exit_code == _NO_TESTS and not ran and not failed
    cut_short = not no_tests and any(o.when == "session" and o.test not in ended for o in lines)
    output = "\n".join((result.stderr.strip()[-_OUTPUT_TAIL // 4 :], result.stdout.strip()[-_OUTPUT_TAIL:])).strip()
    return SuiteRun(
        passed=result.exit_code == 0 and not failed and not result.stopped and not cut_short and not doubts,
        outcomes=outcomes,
        no_tests=no_tests,
        output=output,
        result=result,
        contexts=_read_contexts(folder / "out" / "coverage.json"),
        arcs=_read_arcs(folder / "out" / "arcs.json"),
        plugin_output=read_bytes(folder / "out" / "output"),
        cut_short=cut_short,
        doubts=doubts,
    )


def _read_outcomes(path: Path, nonce: str) -> tuple[TestOutcome, ...]:
    """The lines that carry this run's nonce: others were written by somebody else, or by a pytest inside a test."""
    decoder = msgspec.json.Decoder(_ReportLine)
    outcomes = []
    for line in read_bytes(path).splitlines()[:_MAX_LINES]:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            read = decoder.decode(line)
            if read.nonce == nonce:
                outcomes.append(TestOutcome(read.test, read.when, read.outcome, read.detail, read.xfail))
    return tuple(outcomes)


def _read_contexts(path: Path) -> dict[str, dict[int, frozenset[str]]]:
    data = read_bytes(path)
    if not data:
        return {}
    found: dict[str, dict[int, frozenset[str]]] = {}
    try:
        measured = msgspec.json.decode(data, type=_Measured)
        for name, file in measured.files.items():
            found[name] = {number: frozenset({""}) for number in file.executed}
            found[name] |= {entry.line: frozenset(measured.tests[n] for n in entry.tests) for entry in file.tests}
    except (msgspec.MsgspecError, UnicodeDecodeError, IndexError):
        return {}
    return found


def _read_arcs(path: Path) -> dict[str, dict[tuple[int, int], frozenset[str]]]:
    data = read_bytes(path)
    if not data:
        return {}
    try:
        measured = msgspec.json.decode(data, type=_MeasuredArcs)
        return {
            name: {(a.start, a.end): frozenset(measured.tests[n] for n in a.tests) for a in arcs}
            for name, arcs in measured.files.items()
        }
    except (msgspec.MsgspecError, UnicodeDecodeError, IndexError):
        return {}
