"""Runs inside the sandbox: the pieces of a hunt (`greenlane_hunt.py`): calls with slots, what a try shows, faults."""

from __future__ import annotations

import ast
import collections
import importlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from greenlane_compared import Comparison, comparisons_of  # type: ignore[import-not-found]
from greenlane_explore import (  # type: ignore[import-not-found]  # they lie beside this file inside
    _call,
    _limited,
    _observe,
    _prepare,
)
from greenlane_further import looked_at  # type: ignore[import-not-found]
from greenlane_given import Fixtures  # type: ignore[import-not-found]
from greenlane_mutants import _live_functions, _swaps  # type: ignore[import-not-found]

MAX_TIMEOUTS = 3
_ENOUGH, _PAGES = 4, 4
"""Calls for which some text ran the file, where none of their own did."""
_MAX_SEEN = 300
_EASY = 300
"""Characters of a call with what comes before it: one that is longer has to tell as much more."""
_GENERATOR = 0x20 | 0x80 | 0x200


class Template:
    """A call with slots for some of its literals."""

    def __init__(self, given: dict[str, Any], fixtures: Fixtures) -> None:
        self.number: int = given["id"]
        self.rows: list[tuple[Any, ...]] = [tuple(_decoded(value) for value in row) for row in given["rows"]]
        self.timeouts = 0
        self.cost = max(_length(given) / _EASY, 1.0)
        self._fixtures, self._names = fixtures, dict[str, Any]()
        self._given = self._case = given
        try:
            self._compile()
            self.usable = True
        except Exception:  # it can't be made here: then it is not hunted with
            self.usable = False

    def _compile(self) -> None:
        self._script = self._case["script"]
        if self._script is not None:
            imports, setup, look = self._script
            self._names["__name__"] = "greenlane_script"
            for module, name in imports:
                exec(f"from {module} import {name}" if name else f"import {module}", self._names)
            self._setup = [compile(statement, "<setup>", "exec") for statement in setup]
            try:
                self._look = compile(look, "<look>", "eval")
            except SyntaxError:
                self._look = compile(look, "<look>", "exec")
            return
        for module, name in self._case["imports"]:
            self._names[name] = getattr(importlib.import_module(module), name)
        case = dict(self._case)
        case["arguments"] = [[name, compile(text, "<given>", "eval")] for name, text in case["arguments"]]
        case["history"] = [
            [step, [[name, compile(text, "<given>", "eval")] for name, text in given]]
            for step, given in case["history"]
        ]
        if case["receiver"] is not None:
            case["receiver"] = compile(case["receiver"], "<given>", "eval")
        self._case = case

    def texts(self) -> list[str]:
        """The longest text of each row: what leads one call near to what is open may lead another further."""
        found = [[value for value in row if isinstance(value, str)] for row in self.rows]
        return [max(row, key=len) for row in found if row]

    def call(self, values: tuple[Any, ...]) -> None:
        """Raises what the call raises, or CallTimeout."""
        slots = {f"greenlane_slot_{n}": value for n, value in enumerate(values)}
        names = self._fixtures.fresh() | self._names | slots
        progress: dict[str, Any] = {}
        if self._script is not None:
            for statement in self._setup:
                with _limited():
                    exec(statement, names)
            _call(lambda: eval(self._look, names), [], {}, False, progress)
            return
        with _limited():
            function, given = _prepare(self._case, names)
        arguments = [(name, given[f"#{i}"]) for i, (name, _) in enumerate(self._case["arguments"])]
        positional = [value for name, value in arguments if name is None]
        keywords = {name: value for name, value in arguments if name is not None}
        _call(function, positional, keywords, bool(self._case["asynchronous"]), progress)

    def outcome(self, values: tuple[Any, ...]) -> str:
        """What the assertions of a test would look at."""
        slots = {f"greenlane_slot_{n}": value for n, value in enumerate(values)}
        return str(looked_at(_observe(self._given, self._fixtures.fresh() | slots)))


def _length(given: dict[str, Any]) -> int:
    script = given["script"]
    parts = [*script[1], script[2]] if script is not None else [text for _, text in given["arguments"]]
    return sum(len(text) for text in parts) + sum(len(str(value)) for value in given["rows"][0])


class Entry:
    """An input that showed something new: what it ran, and what was compared on the way."""

    def __init__(self, template: int, values: tuple[Any, ...], seen: Seen, failed: bool) -> None:
        self.template, self.values, self.failed = template, values, failed
        self.arcs = frozenset(seen.arcs)
        self.beside = frozenset(seen.beside)
        self.lines = frozenset(line for _, line in seen.arcs)
        self.compared = tuple(seen.compared)

    @property
    def length(self) -> int:
        return sum(len(v) if isinstance(v, (str, bytes)) else len(str(v)) for v in self.values)


def begun(
    templates: list[Template],
    execute: Callable[[int, tuple[Any, ...]], Entry | None],
    texts: list[str],
    late: Callable[[], bool],
) -> list[Entry]:
    """What each call ran with the first of its rows that ran anything of the file, or with one of these texts, if it is
    of several lines and leads further: what takes a text itself, not a file, is hunted with best; where none did, with
    one of these texts in its longest place. Such a row is its first from now on."""
    found: dict[int, Entry] = {}
    for number, template in enumerate(templates):
        entries = (execute(number, row) for row in template.rows if not late())
        first = next((entry for entry in entries if entry is not None and entry.lines), None)
        if first is not None:
            found[number] = first
    pages = [text for text in texts if "\n" in text.strip("\n")][:_PAGES]
    for number, template in enumerate(templates):
        place = longest_text(template.rows[0])
        if place is None or "\n" in _shown(template.rows[0][place]):
            continue
        tried = [execute(number, with_value(template.rows[0], place, text)) for text in pages if not late()]
        further = [entry for entry in (found.get(number), *tried) if entry is not None and entry.lines]
        if further:
            found[number] = max(further, key=lambda entry: len(entry.lines))  # the first of the best
    for text, (number, template) in itertools.product(texts if not found else [], enumerate(templates)):
        place = longest_text(template.rows[0])
        if number in found or place is None or len(found) >= _ENOUGH or late():
            continue
        entry = execute(number, with_value(template.rows[0], place, text))
        if entry is not None and entry.lines:
            found[number] = entry
    for number, entry in found.items():
        rows = templates[number].rows
        templates[number].rows = [entry.values, *(row for row in rows if row != entry.values)]
    return list(found.values())


def _shown(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def has_lines(values: tuple[Any, ...]) -> bool:
    """Whether it holds a text of several lines."""
    return any("\n" in _shown(value).strip("\n") for value in values)


def longest_text(values: tuple[Any, ...]) -> int | None:
    """Its place."""
    places = [n for n, value in enumerate(values) if isinstance(value, (str, bytes))]
    return max(places, key=lambda n: len(values[n]), default=None)


def with_value(values: tuple[Any, ...], place: int, value: Any) -> tuple[Any, ...]:
    """The values with another one in this place."""
    if isinstance(values[place], bytes) and isinstance(value, str):
        value = value.encode("utf-8", "replace")
    return (*values[:place], value, *values[place + 1 :])


class Seen:
    """What one try ran in the watched file and in those `beside` it, and which values met there (of the latter on
    lines below 0)."""

    def __init__(self) -> None:
        self.arcs: set[tuple[int, int]] = set()
        self.beside: set[tuple[str, int, int]] = set()
        self.compared: dict[tuple[int, Any, Any], None] = {}

    def look(self, frame: Any, line: int, comparisons: Sequence[Comparison]) -> None:
        if len(self.compared) < _MAX_SEEN:
            for comparison in comparisons:
                for left, right in comparison.look(frame):
                    self.compared[line, left, right] = None


class Goals:
    """Open lines, and branches as (from, to), of the watched file; `first` gives the first line of the statement that a
    line stands in, where that is another one."""

    def __init__(self, given: Iterable[Any], first: dict[str, int]) -> None:
        self.keys = {goal_key(goal) for goal in given}
        self._first = {int(line): statement for line, statement in first.items()}

    def plain(self, lines: Iterable[int]) -> set[int]:
        return {self._first.get(line, line) for line in lines}

    def met(self, arcs: Iterable[tuple[int, int]]) -> set[Any]:
        """Those that these ways through the file reach."""
        first = self._first
        plain = {(first.get(a, a), -first.get(-b, -b) if b < 0 else first.get(b, b)) for a, b in arcs}
        return self.keys & ({b for _, b in plain} | plain)


def goal_key(goal: Any) -> Any:
    """A goal as it came in JSON, so that it can be kept in a set."""
    return tuple(goal) if isinstance(goal, list) else goal


class Watch:
    """Traces lines of one file and of those beside it, and, if it `compares`, what is compared in them."""

    def __init__(self, path: str, beside: Sequence[str] = (), *, compares: bool = True) -> None:
        self._path = path
        self._known: dict[Any, bool] = {}
        self._compared = {one: _by_line(one) if compares else {} for one in (path, *beside)}
        self.calls = 0
        self.seen = Seen()

    def begin(self) -> Seen:
        self.seen = Seen()
        return self.seen

    def trace(self, frame: Any, _event: str, _argument: Any) -> Any:
        self.calls += 1
        code = frame.f_code
        known = self._known.get(code)
        if known is None:
            known = self._known[code] = code.co_filename in self._compared and code.co_name != "<module>"
        if not known:
            return None
        return self._local(frame, code) if code.co_filename == self._path else self._beside(frame, code)

    def _local(self, frame: Any, code: Any) -> Any:
        seen, compared = self.seen, self._compared[self._path]
        resumed = bool(code.co_flags & _GENERATOR)
        last = frame.f_lineno if resumed and frame.f_lineno != code.co_firstlineno else -code.co_firstlineno

        def local(frame: Any, event: str, _argument: Any) -> Any:
            nonlocal last
            if event == "line":
                line = frame.f_lineno
                seen.arcs.add((last, line))
                last = line
                if line in compared:
                    seen.look(frame, line, compared[line])
            elif event == "return" and not resumed:
                seen.arcs.add((last, -code.co_firstlineno))
            return local

        return local

    def _beside(self, _frame: Any, code: Any) -> Any:
        path: str = code.co_filename
        seen, compared, last = self.seen, self._compared[path], 0

        def local(frame: Any, event: str, _argument: Any) -> Any:
            nonlocal last
            if event == "line":
                line = frame.f_lineno
                seen.beside.add((path, last, line))
                last = line
                if line in compared:
                    seen.look(frame, -line, compared[line])
            return local

        return local


def _by_line(path: str) -> dict[int, list[Comparison]]:
    found: dict[int, list[Comparison]] = collections.defaultdict(list)
    with open(path, encoding="utf-8-sig") as file:  # noqa: PTH123 - as the interpreter names it
        for comparison in comparisons_of(ast.parse(file.read())):
            found[comparison.line].append(comparison)
    return found


class Mutant:
    """A fault that can be put into the running program, and taken out again."""

    def __init__(self, number: int, line: int, swaps: list[tuple[Any, Any]]) -> None:
        self.number, self.line = number, line
        self._swaps = swaps
        self._before = [function.__code__ for function, _ in swaps]

    def __enter__(self) -> None:
        for function, code in self._swaps:
            function.__code__ = code

    def __exit__(self, *_: object) -> None:
        for (function, _), code in zip(self._swaps, self._before, strict=True):
            function.__code__ = code


def mutants_from(given: list[dict[str, Any]]) -> list[Mutant]:
    """Those whose function is alive; `open` are the numbers of those that no existing test notices."""
    for module in {mutant["module"] for mutant in given}:
        importlib.import_module(module)
    live = _live_functions({mutant["path"] for mutant in given})
    made = [(mutant, _swaps(mutant, live)) for mutant in given]
    return [Mutant(mutant["id"], mutant["line"], swaps) for mutant, swaps in made if swaps]


def _decoded(value: Any) -> Any:
    return value["bytes"].encode("latin-1") if isinstance(value, dict) else value


def encoded(value: Any) -> Any:
    """As JSON holds it."""
    return {"bytes": value.decode("latin-1")} if isinstance(value, bytes) else value
