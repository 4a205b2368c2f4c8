"""Which existing tests ran what of a file, as the measured run of the suite says. Pure; for `search.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from greenlane.suite.runner import SuiteRun
from greenlane.testgen.callers import callers_of
from greenlane.testgen.code import Function, lines_inside
from greenlane.testgen.guards import guards_of
from greenlane.testgen.operations import kin_operators
from greenlane.testgen.rows import MAX_ROWS
from greenlane.testgen.siblings import family_of, siblings_of
from greenlane.testgen.source import Source
from greenlane.testgen.turns import in_turn

TESTS_A_LINE, _TESTS_TO_CARVE = 12, 60
_FOCUSED, _SPREAD = 15, 15
_FEW = 3
"""So few tests of a function may all take the same early way out of it."""


def noticing_tests(line: int, path: str, baseline: SuiteRun) -> list[str]:
    """Existing tests that may notice a fault on a line that they run: those that ran least of the file, and where there
    are many more, some of each kind (names that stand beside each other are of one kind)."""
    ran = baseline.contexts.get(path, {})
    counts = _counts(ran.values())
    there = sorted(ran.get(line, frozenset()) - {""}, key=lambda test: (counts[test], test))
    rest = sorted(there[_FOCUSED:])
    return [*there[:_FOCUSED], *rest[:: max(-(-len(rest) // _SPREAD), 1)]]


def _counts(ran: Iterable[frozenset[str]]) -> dict[str, int]:
    """In how many lines each test was seen."""
    counts: dict[str, int] = {}
    for tests in ran:
        for test in tests:
            counts[test] = counts.get(test, 0) + 1
    return counts


def nearest_tests(
    line: int,
    function: Function,
    source: Source,
    baseline: SuiteRun,
    most: int = TESTS_A_LINE,
    beside: Sequence[Source] = (),
) -> list[str]:
    """So many existing tests that came nearest to a line: to the condition before it, else into its function; where
    hardly one does, into other operators, if it is one, into what calls that (here, or in the files `beside`), what it
    calls, and into its class and those that inherit from it; where none came near a new class, into those of the same
    base, else into any. Of each those first that ran fewest lines; of one with parameters the few rows that came
    nearest, where that is a single one also the test as it stands."""
    ran = baseline.contexts.get(source.path, {})
    near = [guard.line for guard in reversed(guards_of(source.tree, line))]
    own = range(function.first + 1, function.last + 1)
    siblings = siblings_of(source.tree, function.owner)
    alike = [f for f in source.functions if f.owner in siblings and f.name == function.name]
    if function.owner and not alike:  # classes that are used alike have no base in common, perhaps
        alike = [f for f in source.functions if f.owner and f.name == function.name and f != function]
    alike += [f for f in source.functions if f.owner == function.owner]
    found = _tests_of(baseline, [(source.path, near[:1]), (source.path, near[1:]), (source.path, own)])
    count = len({test for n in own for test in ran.get(n, frozenset())} - {""})
    callers = [(one.path, lines_inside(callers_of(function, one.functions))) for one in (source, *beside)]
    if not count:
        kin = kin_operators(function, source.functions)
        found += in_turn(_tests_of(baseline, [(source.path, lines_inside([f]))]) for f in kin)
        found += _tests_of(baseline, callers)
        called = [f for f in alike if f.name in function.calls and f.name != function.name]
        found += in_turn(_tests_of(baseline, [(source.path, lines_inside([f]))]) for f in called)
        heirs = [[f for f in source.functions if f.owner == name] for name in _heirs(function, source)]
        rooms = [alike, *heirs]  # an object of a class that inherits it has the method as well
        found += in_turn(_tests_of(baseline, [(source.path, lines_inside(room))]) for room in rooms)
    elif count < _FEW:
        alike.sort(key=lambda f: abs(f.first - function.first))  # what stands beside it does most likely the like
        found += _tests_of(baseline, callers)
        found += in_turn(_tests_of(baseline, [(source.path, lines_inside([f]))]) for f in alike)
    if not found and function.owner:  # a new class: what others of its base do under other names, then its file at all
        others = [f for f in source.functions if f.owner in siblings] or [f for f in source.functions if f.owner]
        found += in_turn(_tests_of(baseline, [(source.path, lines_inside([f]))]) for f in others)
    rows: dict[str, list[str]] = {}
    for test in dict.fromkeys(found):
        rows.setdefault(without_row(test), []).append(test)
    return [test for base, row in list(rows.items())[:most] for test in _few_rows(base, row)]


def _heirs(function: Function, source: Source) -> Sequence[str]:
    """The classes of its file that inherit a method."""
    return family_of(source.tree, function.owner)[1:] if function.kind == "method" else ()


def without_row(test: str) -> str:
    """The node id of a test without its parameters."""
    return test.split("[")[0]


def _few_rows(base: str, row: Sequence[str]) -> list[str]:
    return [*row, base] if row != [base] and len(row) == 1 else [*row[:MAX_ROWS]]


def _tests_of(baseline: SuiteRun, lines: Iterable[tuple[str, Iterable[int]]]) -> list[str]:
    """The tests that ran these lines of files, those first that ran least of the file."""
    found: list[str] = []
    counted: dict[str, dict[str, int]] = {}
    for path, numbers in lines:
        ran = baseline.contexts.get(path, {})
        counts = counted[path] if path in counted else counted.setdefault(path, _counts(ran.values()))
        there = {test for number in numbers for test in ran.get(number, frozenset())} - {""}
        found += sorted(there, key=lambda t: (counts[t], t))
    return found


def was_run(function: Function, ran: Mapping[int, frozenset[str]]) -> bool:
    """Whether a test came into it: a signature over several lines is run as its module is imported, by none."""
    return any(ran.get(number, frozenset()) - {""} for number in lines_inside([function]))


def files_of(baseline: SuiteRun, source: Source) -> list[str]:
    """Test files, those that ran this source file first."""
    ran = {test for tests in baseline.contexts.get(source.path, {}).values() for test in tests} - {""}
    files = [*sorted(ran), *sorted(outcome.test for outcome in baseline.outcomes)]
    return list(dict.fromkeys(test.split("::")[0] for test in files if test.split("::")[0].endswith(".py")))


def running_tests(functions: Iterable[Function], baseline: SuiteRun) -> set[str]:
    """The existing tests that ran one of these functions, or else one of their files: of each those that ran least."""
    functions = list(functions)
    paths = {function.path for function in functions}
    ran = [(path, line, tests) for path in sorted(paths) for line, tests in baseline.contexts.get(path, {}).items()]
    counts = _counts(tests for _, _, tests in ran)
    counts.pop("", None)
    near: set[str] = set()
    for function in functions:
        own = {t for path, line, tests in ran if path == function.path and function.first < line <= function.last
               for t in tests} - {""}  # fmt: skip
        near |= set(sorted(own, key=lambda test: (counts[test], test))[:_TESTS_TO_CARVE])
    return near or set(counts)
