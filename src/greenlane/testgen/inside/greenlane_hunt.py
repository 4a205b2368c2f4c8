"""Runs inside the sandbox: looks for texts and numbers that lead a call to open lines, by trying very many.

A greybox search: what a try ran in the changed file, and which values were compared there, says whether it is kept to
try further from it; a value that is compared with another one and stands in an input is exchanged for the other. The
calls are those that the generator saw, with their literals as slots. Found inputs go back to it, which tries them anew.

Reads `$GREENLANE_INPUT`: `{"hunt": {"path", "ranges": [[first, last], ...], "lines", "arcs", "first", "near", "words",
"texts", "numbers", "tries", "calls", "seconds"}, "groups": [[template, ...], ...]}`; a template is a case of
`greenlane_explore` with the names `greenlane_slot_0`, ... in it, and `"rows"` of values for them. Writes
`$GREENLANE_OUTPUT`, a JSON line for each found input: `{"template", "values"}`.
"""

from __future__ import annotations

import ast
import collections
import importlib
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

import greenlane_texts as texts  # type: ignore[import-not-found]  # they lie beside this file inside
from greenlane_compared import Comparison, comparisons_of  # type: ignore[import-not-found]
from greenlane_explore import CallTimeout, _call, _describe_error, _limited, _prepare  # type: ignore[import-not-found]

_MAX_SEEN = 200
_MAX_PENDING = 4_000
_MAX_CORPUS = 400
_MAX_TIMEOUTS = 3
_MAX_SHOWN = 240
_HITS = 3
_SHORTENING = 250
_SHARE_OF_TEXTS = 0.3
_GENERATOR = 0x20 | 0x80 | 0x200

with open(os.environ["GREENLANE_INPUT"], encoding="utf-8") as _file:  # noqa: PTH123 - plain and early
    _GIVEN = json.load(_file)


def run(group: int, fixtures: dict[str, Any]) -> None:
    """Called by the probe: one hunt with the templates of this group."""
    templates = [Template(given, fixtures) for given in _GIVEN["groups"][group]]
    hunt = Hunt(_GIVEN["hunt"], [t for t in templates if t.usable], len(_GIVEN["groups"]))
    found = hunt.run()
    with open(os.environ["GREENLANE_OUTPUT"], "a", encoding="utf-8") as file:  # noqa: PTH123 - appends
        file.writelines(json.dumps(row) + "\n" for row in found)


class Template:
    """A call with slots for some of its literals."""

    def __init__(self, given: dict[str, Any], fixtures: dict[str, Any]) -> None:
        self.number: int = given["id"]
        self.rows: list[tuple[Any, ...]] = [tuple(_decoded(value) for value in row) for row in given["rows"]]
        self.timeouts = 0
        self._names = dict(fixtures)
        self._case = given
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

    def call(self, values: tuple[Any, ...]) -> None:
        """Raises what the call raises, or CallTimeout."""
        names = self._names | {f"greenlane_slot_{n}": value for n, value in enumerate(values)}
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


class Entry:
    """An input that showed something new: what it ran, and what was compared on the way."""

    def __init__(self, template: int, values: tuple[Any, ...], seen: Seen, failed: bool) -> None:
        self.template, self.values, self.failed = template, values, failed
        self.arcs = frozenset(seen.arcs)
        self.lines = frozenset(line for _, line in seen.arcs)
        self.compared = tuple(seen.compared)

    @property
    def length(self) -> int:
        return sum(len(v) if isinstance(v, (str, bytes)) else len(str(v)) for v in self.values)


class Seen:
    """What one try ran in the watched file, and which values met there."""

    def __init__(self) -> None:
        self.arcs: set[tuple[int, int]] = set()
        self.compared: dict[tuple[int, Any, Any], None] = {}


class Watch:
    """Traces lines of one file, and what is compared in them."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._known: dict[Any, bool] = {}
        self._compared: dict[int, list[Comparison]] = collections.defaultdict(list)
        with open(path, encoding="utf-8-sig") as file:  # noqa: PTH123 - as the interpreter names it
            for comparison in comparisons_of(ast.parse(file.read())):
                self._compared[comparison.line].append(comparison)
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
            known = self._known[code] = code.co_filename == self._path and code.co_name != "<module>"
        return self._local(frame, code) if known else None

    def _local(self, frame: Any, code: Any) -> Any:
        seen, compared = self.seen, self._compared
        resumed = bool(code.co_flags & _GENERATOR)
        last = frame.f_lineno if resumed and frame.f_lineno != code.co_firstlineno else -code.co_firstlineno

        def local(frame: Any, event: str, _argument: Any) -> Any:
            nonlocal last
            if event == "line":
                line = frame.f_lineno
                seen.arcs.add((last, line))
                last = line
                if line in compared and len(seen.compared) < _MAX_SEEN:
                    for comparison in compared[line]:
                        for left, right in comparison.look(frame):
                            seen.compared[line, left, right] = None
            elif event == "return" and not resumed:
                seen.arcs.add((last, -code.co_firstlineno))
            return local

        return local


class Hunt:
    def __init__(self, given: dict[str, Any], templates: list[Template], share: int) -> None:
        self._templates = templates
        self._watch = Watch(given["path"])
        self._lines = set(given["lines"])
        self._arcs = {(a, b) for a, b in given["arcs"]}
        self._first = {int(line): first for line, first in given["first"].items()}
        self._near = set(given["near"])
        self._words = [word for word in given["words"] if word]
        self._texts = given["texts"]
        self._numbers = given["numbers"]
        self._tries, self._calls = given["tries"] // share, given["calls"] // share
        self._end = time.monotonic() + given["seconds"] / share
        self._chance = random.Random(17)
        self._corpus: list[Entry] = []
        self._features: set[Any] = set()
        self._hits: dict[Any, list[Entry]] = {}
        self._pending: collections.deque[tuple[int, tuple[Any, ...]]] = collections.deque()
        self._tried: set[Any] = set()

    def run(self) -> list[dict[str, Any]]:
        for number, template in enumerate(self._templates):
            for row in template.rows:
                self._try(number, row)
        for text in self._texts:
            for number, template in enumerate(self._templates):
                place = _longest_text(template.rows[0])
                if place is not None and len(self._pending) < self._tries * _SHARE_OF_TEXTS:
                    self._pending.append((number, _with(template.rows[0], place, text)))
        while self._corpus and not self._is_over():
            number, values = self._pending.popleft() if self._pending else self._next()
            self._try(number, values)
        return self._found()

    def _is_over(self) -> bool:
        wanted = len(self._lines) + len(self._arcs)
        done = len(self._hits) >= wanted and not self._pending
        return done or self._tries <= 0 or self._watch.calls > self._calls or time.monotonic() > self._end

    # ---------------------------------------------------------------- one try

    def _try(self, number: int, values: tuple[Any, ...]) -> None:
        key = (number, values)
        template = self._templates[number]
        if key in self._tried or template.timeouts >= _MAX_TIMEOUTS:
            return
        self._tried.add(key)
        entry = self._execute(number, values)
        if entry is None:
            return
        goals = self._goals(entry)
        new = entry.arcs - self._features
        values_met = {(line, word) for line, *pair in entry.compared for word in pair if word in self._words}
        new_values = values_met - self._features
        for goal in goals:
            self._keep(goal, entry)
        if (new or new_values) and len(self._corpus) < _MAX_CORPUS:
            self._features |= new | new_values
            self._corpus.append(entry)
            if len(self._pending) < _MAX_PENDING:
                self._pending.extendleft(reversed(list(self._corresponding(entry))))

    def _execute(self, number: int, values: tuple[Any, ...]) -> Entry | None:
        """None if it came to no end in time."""
        seen, failed = self._watch.begin(), False
        template = self._templates[number]
        self._tries -= 1
        sys.settrace(self._watch.trace)
        try:
            template.call(values)
        except CallTimeout:
            template.timeouts += 1
            return None
        except Exception as error:
            sys.settrace(None)
            failed = not _describe_error(error)["deliberate"]
        finally:
            sys.settrace(None)
        return Entry(number, values, seen, failed)

    def _goals(self, entry: Entry) -> set[Any]:
        first = self._first
        arcs = {(first.get(a, a), -first.get(-b, -b) if b < 0 else first.get(b, b)) for a, b in entry.arcs}
        return (self._lines & {b for _, b in arcs}) | (self._arcs & arcs)

    def _keep(self, goal: Any, entry: Entry) -> None:
        """The shortest inputs that reach it; one that ends in a crash only where there is no other."""
        hits = self._hits.setdefault(goal, [])
        hits.append(entry)
        hits.sort(key=lambda one: (one.failed, one.length))
        del hits[_HITS:]

    # ---------------------------------------------------------------- what to try next

    def _next(self) -> tuple[int, tuple[Any, ...]]:
        open_near = [entry for entry in self._corpus if entry.lines & self._near]
        pool = open_near if open_near and self._chance.random() < 0.7 else self._corpus
        if self._chance.random() < 0.4:
            pool = pool[-8:]
        entry = self._chance.choice(pool)
        values = entry.values
        for _ in range(self._chance.choice((1, 1, 1, 2))):
            place = self._chance.randrange(len(values))
            values = _with(values, place, self._other(values[place]))
        return entry.template, values

    def _other(self, value: Any) -> Any:
        if isinstance(value, (str, bytes)):
            own = [v for e in self._corpus[-20:] for v in e.values if isinstance(v, str)]
            text = value if isinstance(value, str) else value.decode("latin-1")
            return texts.altered(text, self._words, [*self._texts, *own], self._chance)
        return texts.other_number(value, self._numbers, self._chance)

    def _corresponding(self, entry: Entry) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """The input with a value that was compared made the value that it was compared with; the conditions right
        before what is open come first."""
        rows = sorted(entry.compared, key=lambda row: (row[0] not in self._near, row[0]))
        for _, left, right in rows:
            for found, wanted in ((left, right), (right, left)):
                for place, value in enumerate(entry.values):
                    for other in _exchanged(value, found, wanted):
                        yield entry.template, _with(entry.values, place, other)

    # ---------------------------------------------------------------- what came of it

    def _found(self) -> list[dict[str, Any]]:
        """The hits, shortened and as they were met, then what else showed something new; shortest first."""
        hits = list({id(e): e for entries in self._hits.values() for e in entries}.values())
        covered: set[Any] = set()
        short: list[Entry] = []
        for entry in sorted(hits, key=lambda one: (one.failed, -len(self._goals(one)), one.length)):
            goals = self._goals(entry)
            if goals - covered:
                covered |= goals
                short.append(self._shortest(entry, goals))
        rest = sorted((e for e in self._corpus if not e.failed), key=lambda one: one.length)
        elsewhere = [other for entry in (*short, *hits) for other in self._elsewhere(entry)]
        unique: dict[Any, Entry] = {(e.template, e.values): e for e in (*short, *hits, *elsewhere, *rest)}
        rows = list(unique.values())[:_MAX_SHOWN]
        return [
            {"template": self._templates[e.template].number, "values": [_encoded(v) for v in e.values]} for e in rows
        ]

    def _elsewhere(self, entry: Entry) -> Iterator[Entry]:
        """The same text in the other calls: what one of them hides another may show."""
        place = _longest_text(entry.values)
        for number, template in enumerate(self._templates):
            there = _longest_text(template.rows[0])
            if number == entry.template or place is None or there is None or template.timeouts >= _MAX_TIMEOUTS:
                continue
            other = self._execute(number, _with(template.rows[0], there, entry.values[place]))
            if other is not None and not other.failed and self._goals(other) >= self._goals(entry):
                yield other

    def _shortest(self, entry: Entry, goals: set[Any]) -> Entry:
        left = _SHORTENING
        for place, value in enumerate(entry.values):
            if not isinstance(value, str):
                continue
            again = True
            while again and left > 0:
                again = False
                for text in texts.shortened(entry.values[place]):
                    left -= 1
                    other = self._execute(entry.template, _with(entry.values, place, text))
                    if other is not None and other.failed <= entry.failed and goals <= self._goals(other):
                        entry, again = other, True
                        break
                    if left <= 0 or time.monotonic() > self._end + 2:
                        break
        return entry


def _exchanged(value: Any, found: Any, wanted: Any) -> Iterator[Any]:
    if isinstance(value, str) and isinstance(found, str) and isinstance(wanted, str):
        yield from (text for text in texts.with_wanted(value, found, wanted) if len(text) <= texts.MAX_TEXT)
    elif all(isinstance(one, (int, float)) for one in (value, found, wanted)) and value == found != wanted:
        yield from (wanted, wanted + 1, wanted - 1)


def _longest_text(values: tuple[Any, ...]) -> int | None:
    places = [n for n, value in enumerate(values) if isinstance(value, (str, bytes))]
    return max(places, key=lambda n: len(values[n]), default=None)


def _with(values: tuple[Any, ...], place: int, value: Any) -> tuple[Any, ...]:
    if isinstance(values[place], bytes) and isinstance(value, str):
        value = value.encode("utf-8", "replace")
    return (*values[:place], value, *values[place + 1 :])


def _decoded(value: Any) -> Any:
    return value["bytes"].encode("latin-1") if isinstance(value, dict) else value


def _encoded(value: Any) -> Any:
    return {"bytes": value.decode("latin-1")} if isinstance(value, bytes) else value
