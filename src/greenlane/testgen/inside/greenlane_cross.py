"""Runs inside the sandbox: crosses the statements of existing tests until they lead to open lines, by trying very many.

A greybox search over programs: one expression of a test is exchanged for one of another test, wrapped in one, cut, or
given an option; what a program then ran in the changed file says whether it is kept to go on from. Programs that ran
more of the conditions before an open line come first. What is found goes back as the numbers of its edits
(`greenlane_edits.py`), from which the generator makes it anew.

Reads `$GREENLANE_INPUT`: `{"cross": {"path", "goals": [{"goal": line or [from, to], "chain": lines before it}, ...],
"first", "near", "fragments": [expression, ...], "options": [[called, keyword, expression], ...], "values",
"entries": [[key, expression, keys beside it], ...], "tries", "calls", "seconds"}, "groups": [[program, ...], ...]}`; a
program is a script of `greenlane_explore`, with `"more"`, the [module, name] pairs that fragments need. Writes
`$GREENLANE_OUTPUT`, a JSON line for each found program: `{"program", "edits": [[statement, place, kind, number, more],
...]}`.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import itertools
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

from greenlane_edits import Edit, Place, Stock, changed, edits, parsed, places  # type: ignore[import-not-found]
from greenlane_explore import (  # type: ignore[import-not-found]  # they lie beside this file inside
    CallTimeout,
    _call,
    _describe_error,
    _limited,
)
from greenlane_given import Fixtures, take_back  # type: ignore[import-not-found]
from greenlane_templates import Goals, Seen, Watch, goal_key  # type: ignore[import-not-found]

_MAX_PROGRAMS = 24
_MAX_CORPUS = 300
_MAX_EDITS = 4
_MAX_SHOWN = 120
_MAX_TIMEOUTS = 3
_HITS = 4
_FURTHER = 400
"""Tries after the last thing that was open was reached: there may be a shorter way."""
_FOCUS = 0.5
"""The share of tries that goes to the programs that came nearest to something open."""

with open(os.environ["GREENLANE_INPUT"], encoding="utf-8") as _file:  # noqa: PTH123 - plain and early
    _GIVEN = json.load(_file)


def run(group: int, fixtures: dict[str, Any]) -> None:
    """Called by the probe: the programs of this group, crossed."""
    kept = Fixtures(fixtures)
    programs = [program for given in _GIVEN["groups"][group] if (program := _program(given, kept)) is not None]
    found = Crossing(_GIVEN["cross"], programs, len(_GIVEN["groups"])).run()
    take_back()
    with open(os.environ["GREENLANE_OUTPUT"], "a", encoding="utf-8") as file:  # noqa: PTH123 - appends
        file.writelines(json.dumps(row) + "\n" for row in found)


class Program:
    """Statements that can be run, one of them with another expression in it; `made` are the edits that led here."""

    def __init__(
        self,
        number: int,
        statements: list[ast.stmt],
        names: dict[str, Any],
        fixtures: Fixtures,
        made: tuple[Edit, ...] = (),
    ) -> None:
        self.number, self.statements, self.names, self.made = number, statements, names, made
        self.fixtures = fixtures
        self.places = [places(statement) for statement in statements]
        self.codes = [self._compiled(place) for place in range(len(statements))]
        self.timeouts = 0
        self.seen = Seen()
        self.failed = False
        self.streams: list[Iterator[Edit]] = []

    def _compiled(self, number: int) -> Any:
        statement = self.statements[number]
        if number == len(self.statements) - 1 and isinstance(statement, ast.Expr):
            return compile(ast.fix_missing_locations(ast.Expression(statement.value)), "<look>", "eval")
        module = ast.Module(body=[statement], type_ignores=[])
        return compile(ast.fix_missing_locations(module), "<setup>", "exec")

    def with_edit(self, edit: Edit, stock: Stock) -> list[Any] | None:
        """The code with the edit made; None if it does not fit or makes no sense."""
        place: Place = self.places[edit.statement][edit.place]
        node = changed(place.node, edit, stock)
        if node is None:
            return None
        place.put(node)
        try:
            code = self._compiled(edit.statement)
        except (SyntaxError, ValueError, TypeError, RecursionError):
            return None
        finally:
            place.put(place.node)
        return [*self.codes[: edit.statement], code, *self.codes[edit.statement + 1 :]]

    def child(self, edit: Edit, stock: Stock) -> Program:
        """A program with the edit in it. Raises ValueError, IndexError or what compiling raises if it does not fit."""
        statements = list(self.statements)
        statements[edit.statement] = copy.deepcopy(statements[edit.statement])
        place = places(statements[edit.statement])[edit.place]
        node = changed(place.node, edit, stock)
        if node is None:
            raise ValueError("the edit does not fit")
        place.put(node)
        return Program(self.number, statements, self.names, self.fixtures, (*self.made, edit))

    def call(self, codes: list[Any]) -> None:
        """Raises what the statements raise, or CallTimeout."""
        names = self.names | self.fixtures.fresh()
        with _limited():
            for code in codes[:-1]:
                exec(code, names)
        look = codes[-1]
        _call(lambda: eval(look, names), [], {}, False, {})

    def take(self, stock: Stock) -> Edit | None:
        """The next edit, of each kind in turn."""
        if not self.streams:
            self.streams = [self._untaken(edits(self.statements, stock))]
        return next(self.streams[0], None)

    def _untaken(self, streams: Iterator[Iterator[Edit]]) -> Iterator[Edit]:
        for row in itertools.zip_longest(*streams):
            yield from (edit for edit in row if edit is not None)


def _program(given: dict[str, Any], fixtures: Fixtures) -> Program | None:
    """None for one that can't be made here."""
    imports, setup, look = given["script"]
    names: dict[str, Any] = {}
    for module, name in given["more"]:
        with contextlib.suppress(Exception):  # then what needs it comes to nothing
            exec(_import(module, name), names)
    try:
        for module, name in imports:
            exec(_import(module, name), names)
        names["__name__"] = "greenlane_script"
        return Program(given["id"], [parsed(text) for text in [*setup, look]], names, fixtures)
    except Exception:  # whatever its modules raise
        return None


def _import(module: str, name: str) -> str:
    return f"from {module} import {name}" if name else f"import {module}"


class Crossing:
    def __init__(self, given: dict[str, Any], programs: list[Program], share: int) -> None:
        self._programs = programs
        self._watch = Watch(given["path"])
        self._goals = Goals([goal["goal"] for goal in given["goals"]], given["first"])
        self._chains = {goal_key(goal["goal"]): set(goal["chain"]) for goal in given["goals"]}
        self._near = set(given["near"])
        self._stock = Stock(given["fragments"], given["options"], given["values"], given["entries"])
        self._tries, self._calls = given["tries"] // share, given["calls"] // share
        self._end = time.process_time() + given["seconds"] / share
        self._chance = random.Random(23)
        self._corpus: list[Program] = []
        self._features: dict[Any, int] = {}
        """With how few edits each way through the file was taken."""
        self._hits: dict[Any, list[Program]] = {}
        self._enough = 0

    def run(self) -> list[dict[str, Any]]:
        self._begin()
        while self._corpus and not self._is_over():
            program = self._next()
            edit = program.take(self._stock)
            if edit is None:
                self._corpus.remove(program)
                continue
            self._try(program, edit)
        hits = {id(p): p for found in self._hits.values() for p in found if p.made}
        short = [self._shortened(program) for program in hits.values()]
        rows = {(p.number, p.made): [list(edit) for edit in p.made] for p in [*short, *hits.values()]}
        return [{"program": number, "edits": made} for (number, _), made in rows.items()][:_MAX_SHOWN]

    def _shortened(self, program: Program) -> Program:
        """Without the edits that it reaches as much without."""
        base = next(one for one in self._programs if one.number == program.number)
        wanted = self._goals.met(program.seen.arcs)
        for edit in program.made:
            other = base
            try:
                for one in program.made:
                    other = other if one is edit else other.child(one, self._stock)
            except (IndexError, SyntaxError, ValueError, TypeError, AttributeError):
                continue  # the edit after it was one of what it put in
            seen, failed = self._execute(other, other.codes)
            if seen is not None and failed <= program.failed and wanted <= self._goals.met(seen.arcs):
                other.seen, other.failed, program = seen, failed, other
        return program

    def _begin(self) -> None:
        """The programs as they stand, those that ran most of what is near first."""
        ran = []
        for program in self._programs:
            seen, failed = self._execute(program, program.codes)
            if seen is not None and seen.arcs:
                program.seen, program.failed = seen, failed
                ran.append(program)
        ran.sort(key=lambda p: (-len(_lines_of(p) & self._near), p.failed, sum(map(len, map(ast.dump, p.statements)))))
        kinds: dict[frozenset[Any], list[Program]] = {}
        for program in ran:
            kinds.setdefault(frozenset(program.seen.arcs), []).append(program)
            self._features |= dict.fromkeys(program.seen.arcs, 0)
        self._corpus = [row[0] for row in kinds.values()][:_MAX_PROGRAMS]

    def _is_over(self) -> bool:
        spent = self._tries <= 0 or self._watch.calls > self._calls or time.process_time() > self._end
        return spent or (len(self._hits) >= len(self._chains) and self._tries < self._enough)

    def _next(self) -> Program:
        left = [goal for goal in self._chains if goal not in self._hits]
        if left and self._chance.random() < _FOCUS:
            chain = self._chains[self._chance.choice(left)]
            depths = [len(_lines_of(program) & chain) for program in self._corpus]
            best = max(depths)
            return self._chance.choice([p for p, depth in zip(self._corpus, depths, strict=True) if depth == best])
        if self._chance.random() < _FOCUS:
            return self._chance.choice(self._corpus[-8:])
        return self._chance.choice(self._corpus)

    def _try(self, program: Program, edit: Edit) -> None:
        codes = program.with_edit(edit, self._stock)
        if codes is None:
            return
        seen, failed = self._execute(program, codes)
        if seen is None:
            return
        met = self._goals.met(seen.arcs)
        count = len(program.made) + 1
        new = {arc for arc in seen.arcs if self._features.get(arc, _MAX_EDITS + 1) > count}
        if not new and not any(self._is_better(goal, program, failed) for goal in met):
            return
        child = program.child(edit, self._stock)
        child.seen, child.failed = seen, failed
        for goal in met:
            if goal not in self._hits:
                self._enough = self._tries - _FURTHER
            hits = self._hits.setdefault(goal, [])
            hits.append(child)
            hits.sort(key=lambda one: (one.failed, len(one.made)))
            del hits[_HITS:]
        self._features |= dict.fromkeys(new, count)
        if new and len(child.made) < _MAX_EDITS and len(self._corpus) < _MAX_CORPUS:
            self._corpus.append(child)

    def _is_better(self, goal: Any, program: Program, failed: bool) -> bool:
        hits = self._hits.get(goal, [])
        return len(hits) < _HITS or (failed, len(program.made) + 1) < (hits[-1].failed, len(hits[-1].made))

    def _execute(self, program: Program, codes: list[Any]) -> tuple[Seen | None, bool]:
        """What it ran, and whether it crashed; None if it came to no end in time."""
        if program.timeouts >= _MAX_TIMEOUTS:
            return None, True
        seen, failed = self._watch.begin(), False
        self._tries -= 1
        sys.settrace(self._watch.trace)
        try:
            program.call(codes)
        except CallTimeout:
            program.timeouts += 1
            return None, True
        except Exception as error:
            sys.settrace(None)
            failed = not _describe_error(error)["deliberate"]
        except BaseException:  # an exit, or an outcome of pytest's: `pytest.raises` that was met by nothing
            failed = True
        finally:
            sys.settrace(None)
        return seen, failed


def _lines_of(program: Program) -> set[int]:
    return {line for _, line in program.seen.arcs}
