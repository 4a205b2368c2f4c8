"""Runs inside the sandbox: looks for texts and numbers that lead a call to open lines, by trying very many.

A greybox search: what a try ran in the changed file, and which values were compared there, says whether it is kept to
try further from it; a value that is compared with another one and stands in an input is exchanged for the other. The
calls are those that the project's tests make, with their literals as slots. Then inputs are looked for that notice
faults. What is found goes back to the generator, which tries it anew.

Reads `$GREENLANE_INPUT`: `{"hunt": {"path", "beside": {other changed file: its changed lines}, "goals": [{"goal": line
or [from, to], "chain": lines before it, "words", "kin": words like them}, ...], "first", "near", "words", "texts",
"numbers", "mutants", "ways", "open", "tries", "calls", "seconds"},
"groups": [[template, ...], ...]}`; a template is a case of `greenlane_explore` with the names `greenlane_slot_0`, ...
in it, and `"rows"` of values for them. Writes `$GREENLANE_OUTPUT`, a JSON line for each found input: `{"template",
"values"}`.
"""

from __future__ import annotations

import collections
import itertools
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

import greenlane_proposals as proposals  # type: ignore[import-not-found]  # they lie beside this file inside
import greenlane_texts as texts  # type: ignore[import-not-found]
from greenlane_explore import CallTimeout, _describe_error  # type: ignore[import-not-found]
from greenlane_given import Fixtures, take_back  # type: ignore[import-not-found]
from greenlane_templates import (  # type: ignore[import-not-found]
    MAX_TIMEOUTS,
    Entry,
    Goals,
    Mutant,
    Template,
    Watch,
    begun,
    encoded,
    goal_key,
    has_lines,
    longest_text,
    mutants_from,
    with_value,
)
from greenlane_waits import short_waits  # type: ignore[import-not-found]

_MAX_TEMPLATES, _HUNTING = 8, 2
"""So many calls are shown an input that was found; so many are hunted with, and those that come near something else."""
_MAX_PENDING, _MAX_CORPUS, _MAX_SHOWN = 4_000, 400, 240
_HITS, _SHORTENING = 3, 200
_SHARE_OF_TEXTS = 0.1
_EXCHANGES = 30
_MARKED, _MOST_MET = 4, 300
_SENSING, _CHOOSING = 8, 0.4
"""Faults that say how much a call's outcome tells, and the share of the time that may be spent on that."""
_POLISHING = 2.0
"""Seconds for making shorter what was found, and for looking at it in other calls."""
_PROBES = 3
_LOOKS, _MORE = 5, 40
"""For each fault: inputs that are looked at, and further ones that are tried where none of them notices it."""

with open(os.environ["GREENLANE_INPUT"], encoding="utf-8") as _file:  # noqa: PTH123 - plain and early
    _GIVEN = json.load(_file)


def run(group: int, fixtures: dict[str, Any]) -> None:
    """Called by the probe: one hunt with the templates of this group."""
    kept = Fixtures(fixtures)
    templates = [Template(given, kept) for given in _GIVEN["groups"][group]]
    hunt = Hunt(_GIVEN["hunt"], [t for t in templates if t.usable], len(_GIVEN["groups"]))
    found = hunt.run()
    take_back()
    with open(os.environ["GREENLANE_OUTPUT"], "a", encoding="utf-8") as file:  # noqa: PTH123 - appends
        file.writelines(json.dumps(row) + "\n" for row in found)


class Hunt:
    def __init__(self, given: dict[str, Any], templates: list[Template], share: int) -> None:
        self._templates = templates
        self._watch = Watch(given["path"], list(given["beside"]))
        self._goals_given = [goal | {"key": goal_key(goal["goal"])} for goal in given["goals"]]
        self._goals = Goals([goal["goal"] for goal in given["goals"]], given["first"])
        self._near = set(given["near"])
        self._met_near = self._near | {-line for lines in given["beside"].values() for line in lines}
        self._ways = [{n for first, last in way for n in range(first + 1, last + 1)} for way in given["ways"]]
        self._words = [word for word in given["words"] if word]
        self._texts = given["texts"]
        self._numbers = given["numbers"]
        self._mutants = mutants_from(given["mutants"])
        self._open = set(given["open"])
        self._tries, self._calls = given["tries"] // share, given["calls"] // share
        self._seconds = given["seconds"] / share
        self._end = time.process_time() + self._seconds
        self._chance = random.Random(17)
        self._corpus: list[Entry] = []
        self._features: set[Any] = set()
        self._hits: dict[Any, list[Entry]] = {}
        self._noticed: dict[int, list[Entry]] = {}
        self._outcomes: dict[Any, str] = {}
        self._pending: collections.deque[tuple[int, tuple[Any, ...]]] = collections.deque()
        self._planned: collections.deque[tuple[int, tuple[Any, ...]]] = collections.deque()
        self._crossed: collections.deque[tuple[int, tuple[Any, ...]]] = collections.deque()
        queues = (self._pending, self._planned, self._crossed, self._pending, self._planned, None)
        self._turns = itertools.cycle(queues)
        self._tried: set[Any] = set()
        self._met_last: set[Any] = set()
        self._hunting = 0

    def run(self) -> list[dict[str, Any]]:
        known = list(dict.fromkeys(text for template in self._templates for text in template.texts()))
        self._choose_templates()
        first = list(enumerate(self._templates))[: self._hunting]
        for number, template in first:
            for row in template.rows:
                self._try(number, row)
        turns = itertools.zip_longest(known, self._texts)  # which are many, and neither is to wait for the other
        for text in dict.fromkeys(text for pair in turns for text in pair if text is not None):
            for number, template in first:
                place = longest_text(template.rows[0])
                if place is not None and len(self._planned) < self._tries * _SHARE_OF_TEXTS:
                    self._planned.append((number, with_value(template.rows[0], place, text)))
        nearest = self._nearest()
        self._planned.extend([*proposals.repeated(nearest), *proposals.marked(nearest)])
        while self._corpus and not self._is_over():
            self._try(*self._turn())
        shown = self._found()
        self._end = max(self._end, time.process_time() + self._seconds / 2)
        self._notice_faults(shown)
        return self._rows(shown)

    def _is_over(self) -> bool:
        done = len(self._hits) >= len(self._goals.keys) and not self._pending and not self._planned
        return done or self._tries <= 0 or self._watch.calls > self._calls or self._is_late()

    def _choose_templates(self) -> None:
        """The calls whose outcome tells most about faults near what is open, all asked with the same texts."""
        there = begun(self._templates, self._execute, self._texts, lambda: self._is_late(_CHOOSING))
        there.sort(key=lambda e: (-len(e.lines & self._near), -len(e.lines), e.length))
        probes = [e.values[place] for e in there if (place := longest_text(e.values)) is not None][:_PROBES]
        told: list[tuple[float, int]] = []
        for entry in there:
            own = longest_text(entry.values)
            asked = [with_value(entry.values, own, text) for text in probes] if own is not None else []
            more = [] if self._is_late(_CHOOSING) else [self._execute(entry.template, values) for values in asked]
            sense = sum(self._sense(one) for one in [*more, entry] if one and not self._is_late(_CHOOSING))
            told.append((-sense / self._templates[entry.template].cost, entry.template))
        near = {entry.template: entry.lines & self._near for entry in there}
        order = [number for _, number in sorted(told)]
        hunting, reached = order[:_HUNTING], set[int]()
        for number in order:
            if number not in hunting and near[number] - reached and len(hunting) < _MAX_TEMPLATES:
                hunting.append(number)  # another function, or another way
            reached |= near[number] if number in hunting else set()
        lines = {entry.template: entry.lines for entry in there}
        for way in self._ways:
            if not any(lines[number] & way for number in hunting) and len(hunting) < _MAX_TEMPLATES:
                hunting += [number for number in order if lines[number] & way][:1]
        pages = [number for number in order if has_lines(self._templates[number].rows[0])]
        if not set(pages) & {*hunting} and len(hunting) < _MAX_TEMPLATES:
            hunting += pages[:1]  # of all that reads such a text, what is given it
        self._hunting = len(hunting)
        rest = [number for number in order if number not in hunting]
        self._templates = [self._templates[number] for number in [*hunting, *rest][:_MAX_TEMPLATES]]
        self._outcomes.clear()

    def _sense(self, entry: Entry) -> int:
        lines = self._goals.plain(entry.lines)
        there = [mutant for mutant in self._mutants if mutant.line in lines]
        some = there[:: max(len(there) // _SENSING, 1)]
        return sum(self._notices(entry, mutant) for mutant in some)

    # ---------------------------------------------------------------- one try

    def _try(self, number: int, values: tuple[Any, ...]) -> Entry | None:
        key = (number, values)
        template = self._templates[number]
        if key in self._tried or template.timeouts >= MAX_TIMEOUTS:
            return None
        self._tried.add(key)
        entry = self._execute(number, values)
        if entry is None:
            return None
        for goal in self._goals.met(entry.arcs):
            self._keep(goal, entry)
        met: set[Any] = {(line, word) for line, *pair in entry.compared for word in pair if word in self._words}
        met |= {(line, word, "same") for line, word, other in entry.compared if word == other and word in self._words}
        self._crossed.extendleft(self._with_what_met(entry))
        new = (entry.arcs | entry.beside | met) - self._features
        if new and len(self._corpus) < _MAX_CORPUS:
            self._features |= new
            self._corpus.append(entry)
            self._pending.extendleft(self._in_other_calls(entry))
            if len(self._pending) < _MAX_PENDING:
                exchanged = proposals.corresponding(entry, self._near, self._met_near)
                self._pending.extendleft(reversed(list(itertools.islice(exchanged, _EXCHANGES))))
            left = self._left()
            asked = (proposals.akin, proposals.paired, proposals.lined, proposals.beside)
            self._pending.extendleft(reversed([one for proposed in asked for one in proposed(entry, left)]))
            if len(self._crossed) < _MAX_PENDING:
                self._crossed.extendleft(reversed(list(proposals.crossed(entry, self._nearest()))))
            self._crossed.extendleft(reversed(proposals.joined(left, self._corpus, [entry, *self._nearest()])))
        return entry

    def _with_what_met(self, entry: Entry) -> list[tuple[int, tuple[Any, ...]]]:
        """Where two values met for the first time in the last condition before something open: one made the other."""
        last = {goal["chain"][-1] for goal in self._left() if goal["chain"]}
        met = {one for one in entry.compared if one[0] in last and one[1] != one[2]} - self._met_last
        exchanged = proposals.corresponding(entry, self._near, last) if met and len(self._met_last) < _MOST_MET else ()
        self._met_last |= met
        return list(itertools.islice(exchanged, _EXCHANGES // 4))

    def _execute(self, number: int, values: tuple[Any, ...]) -> Entry | None:
        """None if it came to no end in time."""
        seen, failed = self._watch.begin(), False
        template = self._templates[number]
        self._tries -= 1
        sys.settrace(self._watch.trace)
        try:
            with short_waits():
                template.call(values)
        except CallTimeout:
            template.timeouts += 1
            return None
        except (Exception, SystemExit) as error:
            sys.settrace(None)
            failed = not _describe_error(error)["deliberate"]
        except BaseException:  # an exit, or an outcome of pytest's: `pytest.raises` that was met by nothing
            failed = True
        finally:
            sys.settrace(None)
        return Entry(number, values, seen, failed)

    def _keep(self, goal: Any, entry: Entry) -> None:
        """The shortest inputs that reach it; one that ends in a crash only where there is no other."""
        hits = self._hits.setdefault(goal, [])
        hits.append(entry)
        hits.sort(key=lambda one: (one.failed, one.length))
        del hits[_HITS:]

    # ---------------------------------------------------------------- what to try next

    def _turn(self) -> tuple[int, tuple[Any, ...]]:
        """By turns what inputs that showed something new lead to, what was planned for all, what comes of crossing
        inputs, and what chance gives: where a call is slow, none of them takes all the time."""
        if not self._left() and (self._pending or self._planned):
            return (self._pending or self._planned).popleft()
        turn = next(self._turns)
        queue = turn if turn or turn is None else self._pending
        return queue.popleft() if queue else self._next()

    def _left(self) -> list[dict[str, Any]]:
        return [goal for goal in self._goals_given if goal["key"] not in self._hits]

    def _next(self) -> tuple[int, tuple[Any, ...]]:
        """Half of the tries are made for one thing that is open: from the input that came nearest to it, with the
        words that its conditions ask for."""
        left = self._left()
        if left and self._chance.random() < 0.5:
            goal = self._chance.choice(left)
            chain = set(goal["chain"])
            best = max(len(entry.lines & chain) for entry in self._corpus)
            entry = self._chance.choice([e for e in self._corpus if len(e.lines & chain) == best])
            places = [n for n, value in enumerate(entry.values) if isinstance(value, str)]
            if goal["words"] and places:
                place = self._chance.choice(places)
                text = texts.with_words(entry.values[place], goal["words"], self._chance)
                return entry.template, with_value(entry.values, place, text)
            return self._altered(entry)
        near = [entry for entry in self._corpus if entry.lines & self._near]
        pool = near if near and self._chance.random() < 0.7 else self._corpus
        if self._chance.random() < 0.4:
            pool = pool[-8:]
        return self._altered(self._chance.choice(pool))

    def _nearest(self) -> list[Entry]:
        chains = [line for goal in self._goals_given for line in goal["chain"]]
        return sorted(self._corpus, key=lambda e: (-sum(line in e.lines for line in chains), e.length))[:_MARKED]

    def _altered(self, entry: Entry) -> tuple[int, tuple[Any, ...]]:
        values = entry.values
        for _ in range(self._chance.choice((1, 1, 1, 2))):
            place = self._chance.randrange(len(values))
            values = with_value(values, place, self._other(values[place]))
        return entry.template, values

    def _other(self, value: Any) -> Any:
        if isinstance(value, (str, bytes)):
            own = [v for e in self._corpus[-20:] for v in e.values if isinstance(v, str)]
            text = value if isinstance(value, str) else value.decode("latin-1")
            return texts.altered(text, self._words, [*self._texts, *own], self._chance)
        return texts.other_number(value, self._numbers, self._chance)

    def _in_other_calls(self, entry: Entry) -> list[tuple[int, tuple[Any, ...]]]:
        """The same text in the other calls that are hunted with: each leads elsewhere from there."""
        place = longest_text(entry.values)
        if place is None or len(self._pending) >= _MAX_PENDING:
            return []
        others = [number for number in range(self._hunting) if number != entry.template]
        there = [(number, longest_text(self._templates[number].rows[0])) for number in others]
        found = [(number, own) for number, own in there if own is not None]
        return [(n, with_value(self._templates[n].rows[0], own, entry.values[place])) for n, own in found]

    # ---------------------------------------------------------------- faults

    def _notices(self, entry: Entry, mutant: Mutant) -> bool:
        template = self._templates[entry.template]
        key = (template.number, entry.values)
        if key not in self._outcomes:
            self._outcomes[key] = template.outcome(entry.values)
        with mutant:
            return bool(template.outcome(entry.values) != self._outcomes[key])

    def _notice_faults(self, shown: list[Entry]) -> None:
        """For each open fault an input that notices it: one that was found, or a further one like it."""
        alive: list[tuple[Mutant, list[Entry]]] = []
        for mutant in self._mutants:
            there = [e for e in (*shown, *self._corpus) if mutant.line in self._goals.plain(e.lines) and not e.failed]
            if mutant.number not in self._open or not there:
                continue
            some = there[:: max(len(there) // _LOOKS, 1)][:_LOOKS]
            found = next((e for e in some if not self._is_late() and self._notices(e, mutant)), None)
            if found is None:
                alive.append((mutant, there))
            else:
                shown.insert(0, found)
        for _ in range(_MORE):
            alive = [(mutant, there) for mutant, there in alive if not self._further(there, mutant, shown)]

    def _further(self, there: list[Entry], mutant: Mutant, shown: list[Entry]) -> bool:
        if self._is_late():
            return False
        number, values = self._altered(self._chance.choice(there))
        template = self._templates[number]
        with mutant:
            changed = template.outcome(values)
        if changed == template.outcome(values):
            return False
        entry = self._try(number, values)
        if entry is None or entry.failed:
            return False
        shown.insert(0, entry)
        return True

    def _is_late(self, share: float = 1.0) -> bool:
        """Whether this share of the time is over."""
        return bool(time.process_time() > self._end - self._seconds * (1 - share))

    # ---------------------------------------------------------------- what came of it

    def _found(self) -> list[Entry]:
        """The hits, shortened and as they were met, then what else showed something new; shortest first."""
        hits = list({id(e): e for entries in self._hits.values() for e in entries}.values())
        covered: set[Any] = set()
        short: list[Entry] = []
        for entry in sorted(hits, key=lambda one: (one.failed, -len(self._goals.met(one.arcs)), one.length)):
            goals = self._goals.met(entry.arcs)
            if goals - covered:
                covered |= goals
                short.append(self._shortest(entry, goals))
        rest = sorted((e for e in self._corpus if not e.failed), key=lambda one: one.length)
        elsewhere = [other for entry in short for other in self._elsewhere(entry)]
        return [*short, *hits, *elsewhere, *rest]

    def _rows(self, shown: list[Entry]) -> list[dict[str, Any]]:
        unique: dict[Any, Entry] = {(e.template, e.values): e for e in shown}
        return [
            {"template": self._templates[e.template].number, "values": [encoded(v) for v in e.values]}
            for e in list(unique.values())[:_MAX_SHOWN]
        ]

    def _elsewhere(self, entry: Entry) -> Iterator[Entry]:
        """The same text in the other calls: what one of them hides another may show."""
        place = longest_text(entry.values)
        for number, template in enumerate(self._templates):
            there = longest_text(template.rows[0])
            late = time.process_time() > self._end + _POLISHING
            if late or number == entry.template or place is None or there is None or template.timeouts >= MAX_TIMEOUTS:
                continue
            other = self._execute(number, with_value(template.rows[0], there, entry.values[place]))
            if other is not None and not other.failed and self._goals.met(other.arcs) >= self._goals.met(entry.arcs):
                yield other

    def _shortest(self, entry: Entry, goals: set[Any]) -> Entry:
        left = _SHORTENING
        for place, value in enumerate(entry.values):
            again = isinstance(value, str)
            while again and left > 0 and time.process_time() < self._end + _POLISHING:
                again = False
                for text in texts.shortened(entry.values[place]):
                    left -= 1
                    other = self._execute(entry.template, with_value(entry.values, place, text))
                    if other is not None and other.failed <= entry.failed and goals <= self._goals.met(other.arcs):
                        entry, again = other, True
                        break
                    if left <= 0:
                        break
        return entry
