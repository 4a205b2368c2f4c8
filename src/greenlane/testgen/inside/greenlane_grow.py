"""Runs inside the sandbox: lets existing tests go on with further calls until they lead to open lines.

A test leaves objects behind. Calls that were changed, and calls that other tests make on objects of the same class, are
put after its statements, on whatever is alive there; what such a sequence ran in the changed file says whether it is
kept to go on from. (Feedback-directed sequences of calls: Pacheco et al., "Feedback-directed random test generation",
2007; here they begin where the project's own tests leave off.) Then sequences are looked for that notice faults.

Reads `$GREENLANE_INPUT`: `{"grow": {"path", "goals": [line or [from, to], ...], "first", "near", "acts": [{"text",
"of": [[module, class], ...], "from": [program, statement, object] or null, "wanted"}, ...], "more": [[module, name],
...], "mutants", "open", "tries", "calls", "seconds"}, "groups": [[program, ...], ...]}`; a program is `{"id",
"imports", "setup"}`. Writes `$GREENLANE_OUTPUT`, a JSON line for each sequence: `{"program", "steps", "look", "line"}`
(`greenlane_sequences.py`).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

from greenlane_alive import alive_in, changed_parts, found_at, kin_of  # type: ignore[import-not-found]  # they lie beside this file
from greenlane_explore import CallTimeout, _describe_error, _limited, _observe  # type: ignore[import-not-found]
from greenlane_further import looked_at  # type: ignore[import-not-found]
from greenlane_given import take_back  # type: ignore[import-not-found]
from greenlane_grown import Sequence, in_ways  # type: ignore[import-not-found]
from greenlane_programs import Program, programs_of  # type: ignore[import-not-found]
from greenlane_sequences import composed, open_places, shown  # type: ignore[import-not-found]
from greenlane_templates import Goals, Mutant, Watch, mutants_from  # type: ignore[import-not-found]

_MAX_CORPUS, _MAX_STEPS, _MAX_SHOWN = 200, 24, 120
_MAX_TIMEOUTS = 3
_HITS, _LOOKS, _ASKED, _MORE = 3, 4, 2, 25
_SPREAD, _KEPT, _FOR_A_FAULT = 400, 600, 60
"""Changed calls that are tried on all that tests leave behind before faults are looked for; sequences that are
remembered for that, and how many of them are held against one fault."""
_BEFORE = (0, 0, 1, 1, 2, 3)
"""How many calls of other tests come before one that was changed."""
_PLACES, _MAX_ROWS = 3, 40

with open(os.environ["GREENLANE_INPUT"], encoding="utf-8") as _file:  # noqa: PTH123 - plain and early
    _GIVEN = json.load(_file)


def run(group: int, fixtures: dict[str, Any]) -> None:
    """Called by the probe: the programs of this group, grown."""
    growth = Growth(_GIVEN["grow"], _GIVEN["groups"][group], fixtures, len(_GIVEN["groups"]))
    found = growth.run()
    take_back()
    with open(os.environ["GREENLANE_OUTPUT"], "a", encoding="utf-8") as file:  # noqa: PTH123 - appends
        file.writelines(json.dumps(row) + "\n" for row in found)


class Growth:
    def __init__(self, given: dict[str, Any], programs: list[Any], fixtures: dict[str, Any], share: int) -> None:
        self._programs = list(programs_of(programs, given["more"], fixtures))
        self._watch = Watch(given["path"])
        self._acts = given["acts"]
        self._texts = [act["text"] for act in self._acts]
        self._places = [open_places(text) for text in self._texts]
        self._wanted = [number for number, act in enumerate(self._acts) if act["wanted"]]
        self._kinds: list[tuple[Any, ...]] = [kin_of(act["of"]) for act in self._acts]
        self._goals = Goals(given["goals"], given["first"])
        self._near = set(given["near"])
        self._mutants, self._open = mutants_from(given["mutants"]), set(given["open"])
        self._tries, self._calls = given["tries"] // share, given["calls"] // share
        self._seconds = given["seconds"] / share
        self._end = time.process_time() + self._seconds
        self._chance = random.Random(29)
        self._corpus: list[Sequence] = []
        self._features: set[Any] = set()
        self._tried: set[Any] = set()
        self._hits: dict[Any, list[Sequence]] = {}
        self._codes: dict[str, Any] = {}
        self._grown: list[Sequence] = []
        self._own: list[Sequence] = []

    def run(self) -> list[dict[str, Any]]:
        for program in self._programs:
            self._learn(program)
            self._try(program, tuple(range(len(program.statements))))
        self._own = list(self._corpus)
        for sequence in self._own:
            for step in self._calls_on(sequence, self._wanted, most=_PLACES):
                if not self._is_over():
                    self._try(sequence.program, (*sequence.steps, step))
        while self._corpus and not self._is_over():
            self._try(*self._next())
        self._end = max(self._end, time.process_time() + self._seconds / 2)
        rows = [*self._shown(first=True), *self._for_faults(), *self._shown(first=False)]
        unique = {json.dumps([row["program"], row["steps"], row["look"]]): row for row in reversed(rows)}
        return list(reversed(unique.values()))[:_MAX_SHOWN]

    def _is_over(self) -> bool:
        spent = self._tries <= 0 or self._watch.calls > self._calls or self._is_late()
        return spent or (bool(self._goals.keys) and self._goals.keys <= self._hits.keys())

    def _is_late(self) -> bool:
        return bool(time.process_time() > self._end)

    # ---------------------------------------------------------------- one try

    def _learn(self, program: Program) -> None:
        """Of which classes the objects are that tests make these calls on."""
        asked: dict[int, list[tuple[int, str]]] = {}
        for number, act in enumerate(self._acts):
            if act["from"] and act["from"][0] == program.number:
                asked.setdefault(act["from"][1], []).append((number, act["from"][2]))
        names = None
        with contextlib.suppress(Exception, CallTimeout):
            names = program.begun()
        for place, text in enumerate(program.statements if names is not None and asked else ()):
            try:
                with _limited():
                    for number, holder in asked.get(place, ()):
                        with contextlib.suppress(Exception):
                            self._kinds[number] = (type(eval(holder, names)),)
                    exec(self._code(text), names)
            except BaseException:  # an exit, or an outcome of pytest's, too
                return

    def _code(self, text: str) -> Any:
        if text not in self._codes:
            self._codes[text] = compile(text, "<step>", "exec")
        return self._codes[text]

    def _execute(self, program: Program, steps: tuple[Any, ...]) -> tuple[Sequence, dict[str, Any]] | None:
        """None if it comes to no end in time, or can't begin."""
        if program.timeouts >= _MAX_TIMEOUTS:
            return None
        try:
            names, codes = program.begun(), [self._code(text) for text in self._written(program, steps)]
        except (Exception, CallTimeout):  # a fixture that can't be copied, a step that makes no sense
            return None
        seen, failed, raised, done = self._watch.begin(), False, False, 0
        self._tries -= 1
        sys.settrace(self._watch.trace)
        try:
            with _limited():
                for code in codes:
                    done += 1
                    exec(code, names)
        except CallTimeout:
            program.timeouts += 1
            return None
        except Exception as error:
            sys.settrace(None)
            raised = bool(_describe_error(error)["deliberate"])
            failed = not raised
        except BaseException:  # an exit, or an outcome of pytest's
            failed = True
        finally:
            sys.settrace(None)
        return Sequence(program, steps[:done], seen, failed, raised), names

    def _written(self, program: Program, steps: tuple[Any, ...]) -> list[str]:
        return [composed(step, program.statements, self._texts) for step in steps]

    def _try(self, program: Program, steps: tuple[Any, ...]) -> Sequence | None:
        key = (program.number, json.dumps(steps))
        if key in self._tried or len(steps) > _MAX_STEPS:
            return None
        self._tried.add(key)
        executed = self._execute(program, steps)
        if executed is None:
            return None
        sequence, names = executed
        met = self._goals.met(sequence.arcs)
        for goal in met:
            hits = self._hits.setdefault(goal, [])
            hits.append(sequence)
            hits.sort(key=lambda one: one.order)
            del hits[_HITS:]
        new = sequence.arcs - self._features
        own = all(isinstance(step, int) for step in steps)
        if not own and not sequence.failed and len(self._grown) < _KEPT:
            self._grown.append(sequence)
        if (new or own) and not sequence.failed and len(self._corpus) < _MAX_CORPUS:
            with contextlib.suppress(Exception, CallTimeout), _limited():
                sequence.alive = alive_in(names, program.names, self._classes())
            self._features |= new
            self._corpus.append(sequence)
        return sequence

    def _classes(self) -> tuple[Any, ...]:
        return tuple({kind for number in self._wanted for kind in self._kinds[number]})

    # ---------------------------------------------------------------- what to try next

    def _calls_on(self, sequence: Sequence, acts: list[int], most: int) -> Iterator[Any]:
        """These calls on each object of their class that is alive at the end."""
        for number in acts:
            kinds = self._kinds[number]
            bound = "greenlane_it" in self._texts[number]
            fitting = [path for path, value in sequence.alive if isinstance(value, kinds)] if bound else [()]
            for path in fitting[:most]:
                for given in self._given(sequence, number, path)[:most]:
                    yield [number, list(path), list(given)]

    def _given(self, sequence: Sequence, number: int, path: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """What is put into the open places: an object of the same class first, then others, none of them a module."""
        if not self._places[number]:
            return [()]
        kinds = self._kinds[number]
        others = sorted(sequence.alive, key=lambda one: (not isinstance(one[1], kinds), one[0] == path, len(one[0])))
        rows = itertools.product([list(path) for path, _ in others[: 2 * _PLACES]], repeat=self._places[number])
        return sorted(itertools.islice(rows, _MAX_ROWS), key=lambda row: len(row) - len({str(one) for one in row}))

    def _next(self) -> tuple[Program, tuple[Any, ...]]:
        near = [sequence for sequence in self._corpus if sequence.lines & self._near]
        pool = near if near and self._chance.random() < 0.6 else self._corpus
        sequence = self._chance.choice(pool[-8:] if self._chance.random() < 0.3 else pool)
        steps = list(sequence.steps)
        if self._chance.random() < 0.2 and len(steps) > 1:
            del steps[self._chance.randrange(len(steps))]
        if self._chance.random() < 0.2 and steps:
            steps.append(self._chance.choice(steps))
        place = len(steps) if self._chance.random() < 0.7 else self._chance.randrange(len(steps) + 1)
        more = [self._some(sequence, range(len(self._acts))) for _ in range(self._chance.choice(_BEFORE))]
        more.append(self._some(sequence, self._wanted))
        steps[place:place] = [step for step in more if step is not None]
        return sequence.program, tuple(steps)

    def _some(self, sequence: Sequence, acts: Any) -> Any:
        """One call of these that fits something alive; None if there is none."""
        for _ in range(6):
            if not acts:
                return None
            fitting = list(self._calls_on(sequence, [self._chance.choice(acts)], most=4))
            if fitting:
                return self._chance.choice(fitting)
        return None

    # ---------------------------------------------------------------- what came of it

    def _shown(self, *, first: bool) -> Iterator[dict[str, Any]]:
        """The best sequence for each goal that those before do not meet, or the others."""
        covered: set[Any] = set()
        for goal, hits in self._hits.items():
            if first and goal in covered:
                continue
            for hit in hits[:1] if first else hits[1:]:
                short = self._shortest(hit, {goal})
                covered |= self._goals.met(short.arcs) if not short.failed else set()
                yield from self._rows(short, goal if isinstance(goal, int) else goal[0])

    def _shortest(self, sequence: Sequence, wanted: set[Any], line: int = 0) -> Sequence:
        """Without the steps that it reaches as much without."""
        for place in reversed(range(len(sequence.steps) - 1)):
            if self._is_late() or place >= len(sequence.steps) - 1:
                continue
            executed = self._execute(sequence.program, sequence.steps[:place] + sequence.steps[place + 1 :])
            if executed is None:
                continue
            shorter = executed[0]
            whole = len(shorter.steps) == len(sequence.steps) - 1
            same = (shorter.failed, shorter.raised) == (sequence.failed, sequence.raised)
            seen = wanted <= self._goals.met(shorter.arcs) and (not line or line in shorter.lines)
            if whole and same and seen:
                sequence = shorter
        return sequence

    def _rows(self, sequence: Sequence, line: int) -> list[dict[str, Any]]:
        """The sequence with each of the looks that may show something: at its last step, at the object of that, and at
        what the step changed of it."""
        steps = list(sequence.steps)
        row: dict[str, Any] = {"program": sequence.program.number, "line": line}
        rows = [row | {"steps": steps[:-1], "look": steps[-1]}]
        if sequence.raised or sequence.failed:
            return rows
        before, after = (self._execute(sequence.program, tuple(part)) for part in (steps[:-1], steps))
        if before is None or after is None:
            return rows
        paths = [steps[-1][1]] if not isinstance(steps[-1], int) and steps[-1][1] else []
        with contextlib.suppress(Exception, CallTimeout), _limited():
            alive = alive_in(after[1], sequence.program.names, self._classes())
            paths += [
                list(path) for path, value in alive if isinstance(value, self._classes()) and list(path) not in paths
            ]
        for path in paths[:2]:
            with contextlib.suppress(Exception, CallTimeout), _limited():
                parts = changed_parts(path, before[1], after[1])
                rows += [row | {"steps": steps, "look": [*path, *part]} for part in parts[: _LOOKS - 1]]
            rows += self._asked(path, steps, row, after[1])
        return rows

    def _asked(self, path: Any, steps: list[Any], row: dict[str, Any], names: dict[str, Any]) -> list[dict[str, Any]]:
        """Calls of tests that an object answers otherwise after the last step."""
        found: list[dict[str, Any]] = []
        with contextlib.suppress(Exception, CallTimeout), _limited():
            value = found_at(path, names)
            for number in (n for n, act in enumerate(self._acts) if not act["wanted"] and not self._places[n]):
                look = [number, list(path), []]
                if len(found) >= _ASKED or not isinstance(value, self._kinds[number]) or look == steps[-1]:
                    continue
                before, after = (self._outcome(row | {"steps": part, "look": look}) for part in (steps[:-1], steps))
                if after and before != after and '"raises"' not in after:
                    found.append(row | {"steps": steps, "look": look})
        return found

    # ---------------------------------------------------------------- faults

    def _for_faults(self) -> list[dict[str, Any]]:
        """For each open fault a sequence that notices it: one that was found, or a further one like it."""
        found: list[dict[str, Any]] = []
        self._spread()
        for mutant in self._mutants:
            if mutant.number not in self._open:
                continue
            there = self._running(mutant)
            if any(self._notices(row, mutant) for row in found[-40:]):
                continue
            rows = self._noticing(there[:_FOR_A_FAULT], mutant)
            for _ in range(_MORE if there and not rows else 0):
                if self._is_late() or rows:
                    break
                program, steps = self._next()
                sequence = self._try(program, steps)
                if sequence is not None and not sequence.failed and mutant.line in self._goals.plain(sequence.lines):
                    rows = self._noticing([sequence], mutant)
            found += rows
        return found

    def _spread(self) -> None:
        """The calls that were changed, on all that tests leave behind: the goals are met by the plainest of it, which
        mostly shows little."""
        plain = [number for number in self._wanted if not self._places[number]]
        pairs = [(one, act) for one in range(len(self._own)) for act in range(len(plain))]
        pairs.sort(key=lambda pair: (sum(pair), pair))  # neither takes all the room
        last, most = time.process_time() * 0.4 + self._end * 0.6, len(self._tried) + _SPREAD
        for one, act in pairs:
            for step in self._calls_on(self._own[one], [plain[act]], most=1):
                if time.process_time() < last and len(self._tried) < most:
                    self._try(self._own[one].program, (*self._own[one].steps, step))

    def _running(self, mutant: Mutant) -> list[Sequence]:
        """The sequences that run the line of a fault, those of each way through the file in turn, short ones first."""
        known = [*(s for hits in self._hits.values() for s in hits), *self._corpus, *self._grown]
        there = (s for s in known if mutant.line in self._goals.plain(s.lines) and not s.failed)
        found: list[Sequence] = in_ways(there)
        return found

    def _noticing(self, sequences: list[Sequence], mutant: Mutant) -> list[dict[str, Any]]:
        for sequence in sequences:
            if self._is_late():
                break
            if all(isinstance(step, int) for step in sequence.steps):
                continue  # an existing test, which does not notice it
            told = self._told(sequence)
            with mutant:
                noticed = [row for row, before in told if before != self._outcome(row)]
            if noticed:
                shorter = self._rows(self._shortest(sequence, set(), mutant.line), mutant.line)
                found = next((row for row in shorter if self._notices(row, mutant)), None)
                return [found or self._trimmed(noticed[0] | {"line": mutant.line}, mutant)]
        return []

    def _trimmed(self, row: dict[str, Any], mutant: Mutant) -> dict[str, Any]:
        """The row without the steps that it notices the fault without: what was there before the line may matter."""
        for place in reversed(range(len(row["steps"]))):
            other = row | {"steps": [*row["steps"][:place], *row["steps"][place + 1 :]]}
            outcome = "" if self._is_late() else self._outcome(other)
            if outcome and '"raises"' not in outcome and self._notices(other, mutant):
                row = other
        return row

    def _told(self, sequence: Sequence) -> list[tuple[dict[str, Any], str]]:
        """The looks at a sequence, with what each shows without a fault."""
        told: list[tuple[dict[str, Any], str]] | None = sequence.told
        if told is None:
            told = sequence.told = [(row, self._outcome(row)) for row in self._rows(sequence, 0)]
        return told

    def _notices(self, row: dict[str, Any], mutant: Mutant) -> bool:
        before = self._outcome(row)
        with mutant:
            return before != self._outcome(row)

    def _outcome(self, row: dict[str, Any]) -> str:
        """What the assertions of a test would look at."""
        program = next(one for one in self._programs if one.number == row["program"])
        try:
            setup = self._written(program, tuple(row["steps"]))
            look = shown(row["look"], program.statements, self._texts)
            names = {name: value for name, value in program.begun().items() if name != "__name__"}
            return str(looked_at(_observe({"script": [[], setup, look]}, names)))
        except BaseException:  # an exit, or an outcome of pytest's, too
            return ""
