"""Runs inside the sandbox: calls functions with values that become what is asked of them, one way after the other.

What a call ran of the changed file with its lent values (`greenlane_lent.py`), and which answers were given there, says
whether other answers are tried from it. The plain values that it ended with are tried as they are; those that lead to
something open are made smaller.

Reads `$GREENLANE_INPUT`: `{"lend": {"path", "goals": [line or [from, to], ...], "first", "near": lines of conditions,
"words", "tries", "calls", "seconds"}, "groups": [[template, ...], ...]}`; a template is a case of `greenlane_explore`
with the names `greenlane_slot_0`, ... in it, and `"slots"`, for each what a test gives there, or null. Writes
`$GREENLANE_OUTPUT`, a JSON line for each found call: `{"template", "texts": expressions for the slots}`.
"""

from __future__ import annotations

import copy
import heapq
import json
import os
import re
import sys
import time
import types
from collections.abc import Iterator, Mapping
from typing import Any

from greenlane_answers import (  # type: ignore[import-not-found]
    Answers,
    Giving,
    TooManyQuestionsError,
    real,
    untouched,
    written,
)
from greenlane_explore import CallTimeout, _describe_error  # type: ignore[import-not-found]  # they lie beside this file
from greenlane_given import Fixtures, take_back  # type: ignore[import-not-found]
from greenlane_lent import begin  # type: ignore[import-not-found]
from greenlane_templates import MAX_TIMEOUTS, Goals, Template, Watch, goal_key  # type: ignore[import-not-found]
from greenlane_waits import short_waits  # type: ignore[import-not-found]

_HITS, _MAX_SHOWN, _SMALLER = 3, 80, 60
_FURTHER = 150
"""Tries after the last thing that was open was reached: other ways may notice other faults."""
_IN_VAIN = 400
"""Tries after the last thing that was new."""
_LAST_BORN = 3
_NAMED, _KEYS = re.compile(r"'([A-Za-z_]\w{0,39})'"), 8
_PLAIN: tuple[Any, ...] = ("a", 1, "1")

with open(os.environ["GREENLANE_INPUT"], encoding="utf-8") as _file:  # noqa: PTH123 - plain and early
    _GIVEN = json.load(_file)


def run(group: int, fixtures: dict[str, Any]) -> None:
    """Called by the probe: the calls of this group."""
    kept = Fixtures(fixtures)
    templates = [(given["slots"], Template(given | {"rows": [[]]}, kept)) for given in _GIVEN["groups"][group]]
    lending = Lending(_GIVEN["lend"], len(_GIVEN["groups"]))
    usable = [(slots, template) for slots, template in templates if template.usable]
    found = lending.run(usable) if usable else []
    take_back()
    with open(os.environ["GREENLANE_OUTPUT"], "a", encoding="utf-8") as file:  # noqa: PTH123 - appends
        file.writelines(json.dumps(row) + "\n" for row in found)


class Entry:
    """Plain values for a call that showed something new, with what it then ran."""

    def __init__(self, template: Template, values: tuple[Any, ...], arcs: set[tuple[int, int]], failed: bool) -> None:
        self.template, self.values, self.arcs, self.failed = template, values, arcs, failed
        self.texts = [written(value) for value in values]

    @property
    def length(self) -> int:
        return sum(map(len, self.texts))


class Way:
    """One way to try: the answers that are chosen, what is plain from the beginning, keys that dicts hold, and whether
    it begins with what a test gives."""

    def __init__(self, chosen: tuple[int, ...], born: dict[int, Any], keys: tuple[str, ...], given: bool) -> None:
        self.chosen, self.born, self.keys, self.given = chosen, born, keys, given

    def but(
        self, chosen: tuple[int, ...], born: dict[int, Any] | None = None, keys: tuple[str, ...] | None = None
    ) -> Way:
        return Way(chosen, born or self.born, self.keys if keys is None else keys, self.given)


class Queue:
    """The ways to try with one call: what led to something new first, then what came near, then the plainest."""

    def __init__(self, template: Template, slots: list[Any]) -> None:
        self.template, self.slots = template, slots
        self._rows: list[tuple[Any, int, Way]] = []
        self._count = 0
        for given in (False, True) if any(slots) else (False,):
            self.put((), Way((), {}, (), given))

    def take(self) -> Way | None:
        if not self._rows or self.template.timeouts >= MAX_TIMEOUTS:
            return None
        return heapq.heappop(self._rows)[2]

    def put(self, rank: tuple[int, ...], way: Way) -> None:
        self._count += 1
        heapq.heappush(self._rows, ((*rank, sum(answer > 0 for answer in way.chosen)), self._count, way))


class Lending:
    def __init__(self, given: Mapping[str, Any], share: int) -> None:
        self._watch = Watch(given["path"], compares=False)
        self._path = given["path"]
        self._goals = Goals(given["goals"], given["first"])
        self._left = {goal_key(goal) for goal in given["goals"]}
        self._near = set(given["near"])
        self._words = given["words"]
        self._tries, self._calls = given["tries"] // share, given["calls"] // share
        self._end = time.process_time() + given["seconds"] / share
        self._features: set[Any] = set()
        self._hits: dict[Any, list[Entry]] = {}
        self._others: list[Entry] = []
        self._since = self._in_vain = 0

    def run(self, templates: list[tuple[list[Any], Template]]) -> list[dict[str, Any]]:
        queues = [Queue(template, slots) for slots, template in templates]
        while queues and not self._is_over():
            for queue in queues:
                taken = queue.take()
                if taken is None:
                    queues = [one for one in queues if one is not queue]
                elif not self._is_over():
                    self._try(queue, taken)
        return self._rows()

    def _is_over(self) -> bool:
        done = self._in_vain > _IN_VAIN or (not self._left and self._since > _FURTHER)
        late = self._watch.calls > self._calls or time.process_time() > self._end
        return done or late or self._tries <= 0

    def _try(self, queue: Queue, way: Way) -> None:
        self._tries -= 1
        self._since += 1
        self._in_vain += 1
        answers = Answers(way.chosen, self._words, way.born, way.keys)
        lent = tuple(answers.lend() for _ in queue.slots)
        for one, given in zip(lent, queue.slots, strict=True):
            if way.given and given:
                begin(one, given)
        try:
            arcs, error = self._ran(queue.template, lent)
            values = tuple({} if untouched(one) else real(one) for one in lent)
        except RecursionError:
            return
        told = {(line, number, answer) for path, line, number, answer in answers.at if path == self._path}
        new = {(one, error is None, way.given) for one in arcs | told} - self._features  # what ends well is worth more
        self._features |= new
        self._in_vain = 0 if new else self._in_vain
        rank = (0 if new else 1, int(error is not None), -len({line for _, line in arcs} & self._near))
        self._go_on(queue, way, answers, rank)
        if new and answers.wanted:
            queue.put(rank, way.but(way.chosen, keys=tuple(dict.fromkeys([*way.keys, *answers.wanted]))[:_KEYS]))
        if new and isinstance(error, TypeError | AttributeError | ValueError | KeyError):
            self._mend(queue, way, answers, error, rank)
        if new:
            self._keep(queue.template, values)

    def _go_on(self, queue: Queue, way: Way, answers: Answers, rank: tuple[int, ...]) -> None:
        """Each of the other answers to each further question."""
        given = [answer for answer, _ in answers.given]
        for place in range(len(way.chosen), len(given)):
            for other in range(answers.given[place][1]):
                if other != given[place]:
                    queue.put(rank, way.but((*given[:place], other)))

    def _mend(self, queue: Queue, way: Way, answers: Answers, error: BaseException, rank: tuple[int, ...]) -> None:
        """What was made last may have to be a plain value, or a dict may have to hold what the error names."""
        given = tuple(answer for answer, _ in answers.given)
        named = tuple(dict.fromkeys([*way.keys, *_NAMED.findall(str(error))]))[:_KEYS]
        if len(named) > len(way.keys):
            queue.put(rank, way.but(way.chosen, keys=named))
        for number in range(max(answers.made - _LAST_BORN, 0), answers.made):
            for value in _PLAIN if number not in way.born else ():
                queue.put(rank, way.but(given, way.born | {number: value}))

    def _ran(self, template: Template, values: tuple[Any, ...]) -> tuple[set[tuple[int, int]], BaseException | None]:
        """The ways through the file, and the error that ended them."""
        seen = self._watch.begin()
        sys.settrace(self._watch.trace)
        try:
            with short_waits():
                template.call(values)
        except CallTimeout as error:
            template.timeouts += 1
            return seen.arcs, error
        except (Exception, SystemExit, TooManyQuestionsError) as error:
            return seen.arcs, error
        except BaseException as error:  # an exit, or an outcome of pytest's
            return seen.arcs, error
        finally:
            sys.settrace(None)
        return seen.arcs, None

    # ---------------------------------------------------------------- what came of it

    def _made(self, template: Template, values: tuple[Any, ...]) -> Entry | None:
        """The call with plain values; None where it came to no end, or they can't be written down."""
        try:
            arcs, error = self._ran(template, copy.deepcopy(values))
            failed = error is not None and not (isinstance(error, Exception) and _describe_error(error)["deliberate"])
            return None if isinstance(error, CallTimeout) else Entry(template, values, arcs, failed)
        except (ValueError, RecursionError):
            return None

    def _keep(self, template: Template, values: tuple[Any, ...]) -> None:
        entry = self._made(template, values)
        if entry is None:
            return
        met = self._goals.met(entry.arcs)
        if not entry.failed:  # as it is, too: what a line doesn't need may be what shows a fault of it
            self._others.append(entry)
        if met & self._left:
            entry = self._smallest(entry, met & self._left)
        for goal in met:
            hits = self._hits.setdefault(goal, [])
            hits.append(entry)
            hits.sort(key=lambda one: (one.failed, one.length))
            del hits[_HITS:]
        if met & self._left and not entry.failed:
            self._left -= met
            self._since = 0

    def _smallest(self, entry: Entry, goals: set[Any]) -> Entry:
        """Without what is not needed for it."""
        left, again = _SMALLER, True
        while again and left > 0:
            again = False
            for place, value in enumerate(entry.values):
                for other in smaller(value):
                    left -= 1
                    values = (*entry.values[:place], other, *entry.values[place + 1 :])
                    made = self._made(entry.template, values)
                    if made is not None and made.failed <= entry.failed and goals <= self._goals.met(made.arcs):
                        entry, again = made, True
                        break
                    if left <= 0:
                        break
                if again or left <= 0:
                    break
        return entry

    def _rows(self) -> list[dict[str, Any]]:
        """What reached something open, then what else showed something new."""
        hits = [entry for row in self._hits.values() for entry in row]
        rows = {(e.template.number, *e.texts): e for e in (*hits, *sorted(self._others, key=lambda one: one.length))}
        return [{"template": e.template.number, "texts": e.texts} for e in list(rows.values())[:_MAX_SHOWN]]


def smaller(value: Any) -> Iterator[Any]:
    """The value with one part less, or with a smaller part."""
    if isinstance(value, list):
        for place, one in enumerate(value):
            yield [*value[:place], *value[place + 1 :]]
            yield from ([*value[:place], other, *value[place + 1 :]] for other in smaller(one))
    elif isinstance(value, dict):
        for key, one in value.items():
            yield {name: other for name, other in value.items() if name != key}
            yield from (value | {key: other} for other in smaller(one))
    elif isinstance(value, types.SimpleNamespace):
        yield from (types.SimpleNamespace(**other) for other in smaller(vars(value)))
    elif isinstance(value, Giving):
        yield from (Giving(other) for other in smaller(value.value))
    elif isinstance(value, types.BuiltinMethodType) and isinstance(value.__self__, dict):
        yield from (getattr(other, value.__name__) for other in smaller(value.__self__))
