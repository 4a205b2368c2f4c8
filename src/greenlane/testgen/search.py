"""`Search`: calls that reach what is open in one file, seen in the sandbox. Called by the generator.

Rounds of exploring, from the calls that existing tests make and then from those that came nearest to what is open;
then mutants are tried against the calls that a test could be made of, so that those can be chosen that notice most.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from greenlane.suite.runner import SuiteRun, SuiteRunner
from greenlane.testgen.assigned import as_assignments, is_assigned
from greenlane.testgen.beginnings import list_beginnings
from greenlane.testgen.candidates import candidates_of, faulty_lines, run_in_vain
from greenlane.testgen.choose import is_tellable, steady, taste
from greenlane.testgen.circumstances import world_of
from greenlane.testgen.code import Function, enclosing
from greenlane.testgen.contained import contained
from greenlane.testgen.crossing import Crosser
from greenlane.testgen.directed import directed
from greenlane.testgen.examples import example_cases
from greenlane.testgen.explore import Explorer, Observed
from greenlane.testgen.fixtures import DataOfTests
from greenlane.testgen.folders import with_files
from greenlane.testgen.gathering import Gatherer
from greenlane.testgen.growing import Grower
from greenlane.testgen.hints import Hint, find_hints
from greenlane.testgen.holes import constructed, without_holes
from greenlane.testgen.hunt import Hunter
from greenlane.testgen.inputs import CarvedCall, Case, Description, Pool, Receiver, calls_of, pool_of, seed_cases
from greenlane.testgen.keyed import keyed
from greenlane.testgen.lastnames import by_last_names
from greenlane.testgen.lending import Lender
from greenlane.testgen.likewise import with_other_methods
from greenlane.testgen.lowered import lowered
from greenlane.testgen.madeup import made_receivers, made_up_calls
from greenlane.testgen.makers import given_objects
from greenlane.testgen.namesakes import namesake_calls, namesake_cases
from greenlane.testgen.nearby import asked_near, gone_on
from greenlane.testgen.nearest import BASES_A_LINE, BASES_A_ROUND, nearest, with_silent
from greenlane.testgen.neighbours import Style
from greenlane.testgen.pace import at_this_pace
from greenlane.testgen.quarry import functions_around
from greenlane.testgen.ran import files_of, nearest_tests, noticing_tests, running_tests, without_row
from greenlane.testgen.scene import Scene
from greenlane.testgen.scripts import read_programs
from greenlane.testgen.settled import settled_cases
from greenlane.testgen.siblings import family_of
from greenlane.testgen.source import Source, entries_at
from greenlane.testgen.staged import staged_cases
from greenlane.testgen.stateful import stateful_cases
from greenlane.testgen.stayed import list_stayed
from greenlane.testgen.steadied import steadied
from greenlane.testgen.subclassed import as_if_on, overridden, subclassed_cases
from greenlane.testgen.targets import Gap, Targets, line_of
from greenlane.testgen.temporary import fitted
from greenlane.testgen.together import together
from greenlane.testgen.trial import Trials
from greenlane.testgen.turns import in_turn
from greenlane.testgen.uncut import uncut
from greenlane.testgen.vary import vary

_ROUNDS = 5
_ROUND_OF_HUNT = 1
"""After it inputs are hunted for, and tests grown and crossed."""
_CASES_A_ROUND = 480
_ASKED_A_ROUND = 320
"""Calls that are made for what the code asks right where something is open, beside the variations of a round."""
_ASKED_AT_LAST = 60
"""Calls after the last round, for what it reached and nothing shows."""
_SEEDS = 8
_FEWEST_VARIATIONS, _MOST_VARIATIONS = 12, 120
_BUDGET_S = 420.0
"""After this long no further round is begun; on a machine that is not busy with other things the rounds end it."""
_TRIAL_S = 20.0
_MAX_SCRIPTS, _FEWEST_SCRIPTS = 160, 6
"""Scripts of existing tests: so many in the first round, so many at least for a line."""
_SCRIPTS_A_ROUND = 240
_TESTS_TO_HUNT = 60
_FEW_CALLS = 3
"""Where tests call a function more seldom, it is also given what they give to others of its name."""
_FROM_EARLIER = 4


class Search:
    """The search for one file. `gap` is what is open, without the mutants that existing tests notice; `seen` is what
    was seen on the way. `beside` are the other files of the change, `earlier` what was seen in their searches."""

    def __init__(
        self,
        runner: SuiteRunner,
        scene: Scene,
        source: Source,
        style: Style,
        started: float,
        beside: Sequence[Source] = (),
        earlier: Sequence[Observed] = (),
    ) -> None:
        self._explorer, self._trials, self._hunter = Explorer(runner), Trials(runner), Hunter(runner)
        self._crosser, self._grower, self._lender = Crosser(runner), Grower(runner), Lender(runner)
        self._scene, self._source, self._style, self._started = scene, source, style, started
        self._beside, self._earlier = beside, earlier
        self._pool: Pool = {}
        self._calls: list[CarvedCall] = []
        self._data = DataOfTests(scene.tree, scene.folder)
        self._gatherer: Gatherer
        self.hints: tuple[Hint, ...] = ()
        self.seen: list[Observed] = []
        self.gap: Gap = source.gap

    async def run(self, baseline: SuiteRun) -> list[Observed]:
        """The calls that a test can be made of: steady, tellable, with what of the gap each reaches and notices."""
        self._gatherer = Gatherer(self._scene, self._source, self._style, baseline, self._beside)
        self.gap = await self._still_open(baseline)
        if not self.gap.covering and not self.gap.mutants:
            return []
        observed = await self._explore(baseline)
        self.seen += observed
        self.hints = find_hints(observed, self.gap)
        candidates = await self._noticing(await self._steady(candidates_of(observed, self.gap)))
        tried = {o.case.key for o in observed}
        for hunting in (False, True):
            if not self._unnoticed(candidates) or self._is_late():
                break
            if hunting:
                cases = await self._hunted(baseline, candidates)
            else:
                cases = [*await self._for_faults(candidates), *self._around(candidates)]
            cases = self._untried(cases, tried, at_this_pace(_CASES_A_ROUND, self.seen))
            tried |= {case.key for case in cases}
            more = await self._explorer.explore(self._scene, cases, self.gap)
            self.seen += more
            fresh = candidates_of(more, self.gap, {o.case.made for o in candidates})
            candidates += await self._noticing(await self._steady(fresh))
        return candidates

    @property
    def _is_unittest(self) -> bool:
        return self._style.form == "unittest"

    def _is_late(self) -> bool:
        return time.monotonic() - self._started > _BUDGET_S

    # -------------------------------------------------------------- mutants

    async def _still_open(self, baseline: SuiteRun) -> Gap:
        """The gap without mutants that existing tests notice; on lines that no test runs, none does."""
        gap = self._source.gap
        tests = [noticing_tests(mutant.line, gap.path, baseline) for mutant in gap.mutants]
        trial = await self._trials.run(self._scene, gap.mutants, tests, seconds=_TRIAL_S)
        left = tuple(mutant for number, mutant in enumerate(gap.mutants) if number not in trial.killed)
        return msgspec.structs.replace(gap, mutants=left)

    async def _noticing(self, observed: list[Observed]) -> list[Observed]:
        """With what each notices; without those that run faults and notice none, which the gates would drop."""
        if not observed:
            return []
        noticing = await self._explorer.notice(self._scene, observed, self.gap, _TRIAL_S)
        useful = [o for o in noticing if o.reached & self.gap.faults or not faulty_lines(o, self.gap)]
        return useful or noticing

    def _unnoticed(self, candidates: Sequence[Observed]) -> Targets:
        return self.gap.faults - frozenset(target for o in candidates for target in o.reached)

    async def _hunted(self, baseline: SuiteRun, candidates: Sequence[Observed]) -> list[Case]:
        """Inputs from a hunt for the mutants nobody noticed, on lines that are reached by now."""
        unnoticed = self._unnoticed(candidates)
        lines = frozenset((self.gap.path, line_of(target)) for target in unnoticed)
        left = tuple(m for number, m in enumerate(self.gap.mutants) if self.gap.fault(number) in unnoticed)
        gap = msgspec.structs.replace(self.gap, mutants=left)
        rows = await asyncio.gather(  # beside each other
            contained(self._hunt(baseline, candidates, lines, gap), [], f"hunting for faults in {gap.path}"),
            contained(self._grow(baseline, lines, gap), [], f"growing tests for faults in {gap.path}"),
        )
        return list(in_turn(rows))

    async def _for_faults(self, candidates: Sequence[Observed]) -> list[Case]:
        """Calls of functions that have no open line, but mutants that nobody noticed; and what tests do around them."""
        unnoticed = {line_of(target) for target in self._unnoticed(candidates)}
        known = {function for _, function in self._source.entries}
        entries = [(r, f) for r, f in entries_at(self._source.functions, unnoticed) if f not in known]
        scripts = await self._gatherer.scripts(self.gap, sorted(unnoticed), _FEWEST_SCRIPTS)
        return [*scripts[: _CASES_A_ROUND // 4], *self._first_round(entries, _CASES_A_ROUND // 2)]

    def _around(self, candidates: Sequence[Observed]) -> list[Case]:
        """Variations of the calls that run the lines of mutants nobody noticed."""
        lines = {
            line_of(target) for target in self._unnoticed(candidates) | run_in_vain(self.seen, candidates, self.gap)
        }
        bases: dict[str, Observed] = {}
        known = with_silent(candidates, self.seen, self.gap.path, lines)
        for line in sorted(lines):
            near = [o for o in known if line in o.lines.get(self.gap.path, frozenset())]
            bases |= {o.case.key: o for o in sorted(near, key=taste, reverse=True)[:BASES_A_LINE]}
        chosen = list(bases.values())[:BASES_A_ROUND]
        share = min(_CASES_A_ROUND // max(len(chosen), 1), _MOST_VARIATIONS)
        places = frozenset((self.gap.path, line) for line in lines)
        asked = self._asked(self.seen, places, [directed(self.seen, self._source, places)])
        tried = {o.case.key for o in self.seen}
        cases = self._untried(asked, tried, _ASKED_A_ROUND // 2)
        habits = self._gatherer.habits()
        likewise = [other for o in chosen for other in with_other_methods(o.case, habits)]
        varied = (v for o in chosen for v in vary(o.case, share, self._source.constructors, self._pool))
        return [*cases, *self._gatherer.overheard(chosen), *likewise, *varied]

    # -------------------------------------------------------------- calls

    async def _explore(self, baseline: SuiteRun) -> list[Observed]:
        source = self._source
        faulty = entries_at(source.functions, [mutant.line for mutant in self.gap.mutants])
        functions = list(dict.fromkeys(function for _, function in (*source.entries, *faulty)))
        owners = {name for function in functions for name in family_of(source.tree, function.owner)}
        functions += [f for f in source.functions if f.owner in owners and f not in functions]  # for their receivers
        above = [base for f in functions for base in overridden(f, source.functions, source.tree)]
        functions += [base for base in dict.fromkeys(above) if base not in functions]
        self._calls = await self._explorer.carve(self._scene, functions, running_tests(functions, baseline))
        self._pool, self._gatherer.rows = pool_of(functions, self._calls), self._explorer.rows
        namesakes = await asyncio.to_thread(self._read_namesakes, functions, files_of(baseline, source))
        self._gatherer.namesakes = namesakes
        self._gatherer.examples = await asyncio.to_thread(example_cases, self._scene.tree, source, functions)
        lines = sorted({line_of(target) for target in self.gap.covering})
        scripts = await self._gatherer.scripts(
            self.gap, lines, max(_MAX_SCRIPTS // max(len(lines), 1), _FEWEST_SCRIPTS)
        )
        scripts = [*self._from_earlier(), *scripts][:_SCRIPTS_A_ROUND]
        cases = [*self._first_round(source.entries, _CASES_A_ROUND)[: _CASES_A_ROUND - len(scripts)], *scripts]
        observed: list[Observed] = []
        tried: set[str] = set()
        varied = {case.key for case in cases if case.carved and case.script is None}
        most = _CASES_A_ROUND
        for number in range(_ROUNDS):
            fresh = self._untried(cases, tried, most)
            tried |= {case.key for case in fresh}
            observed += await (self._explored_first(fresh) if number == 0 else self._seen(fresh))
            left = self._left(observed)
            if not left or self._is_late():
                break
            if number == _ROUND_OF_HUNT:
                rows = await asyncio.gather(
                    contained(self._hunt(baseline, observed, left, self.gap), [], f"hunting in {source.path}"),
                    contained(self._grow(baseline, left, self.gap), [], f"growing tests of {source.path}"),
                    contained(self._cross(observed, left), [], f"crossing tests of {source.path}"),
                )
                cases, most = list(in_turn(rows)), _CASES_A_ROUND
                varied |= {case.key for case in cases}  # more of their kind was tried there
                if cases:
                    continue
            bases = nearest(observed, source, left, varied)
            share = at_this_pace(_CASES_A_ROUND, observed) // max(len(bases), 1)
            varying = min(share, _MOST_VARIATIONS)
            near = await self._gatherer.near(left) if number == 0 else []
            asked = [directed(observed, source, left, near), together(near, (f for _, f in source.entries))]
            if number == 0:
                asked.append(lowered(observed, source, left, unittest=self._is_unittest))
                asked.append(await self._gatherer.with_other_files(left))
            cases = self._untried(self._asked(observed, left, asked), tried, at_this_pace(_ASKED_A_ROUND, observed))
            most = len(cases) + at_this_pace(_CASES_A_ROUND, observed)
            cases += [v for o in bases for v in vary(o.case, varying, source.constructors, self._pool)]
        left = self._left(observed)
        shown = self._untried(in_turn(self._gone_on(observed, left)), tried, _ASKED_AT_LAST)
        return [*observed, *(await self._explorer.explore(self._scene, shown, self.gap) if shown else ())]

    async def _seen(self, cases: Sequence[Case]) -> list[Observed]:
        return await self._explorer.explore(self._scene, cases, self.gap)

    async def _explored_first(self, cases: list[Case]) -> list[Observed]:
        """What is seen of the first calls, and of those that become what the code asks of them, made meanwhile."""
        lending = self._lender.lend(self._scene, self._source, cases, self.gap.covering)
        seen, lent = await asyncio.gather(self._seen(cases), contained(lending, [], f"lending to {self._source.path}"))
        fresh = self._untried(lent, {case.key for case in cases}, _CASES_A_ROUND)
        return [*seen, *(await self._seen(fresh) if fresh else ())]

    def _left(self, observed: Sequence[Observed]) -> Targets:
        return self.gap.covering - frozenset(t for o in observed if is_tellable(o) for t in o.reached)

    def _gone_on(self, seen: Sequence[Observed], places: Targets) -> tuple[list[Case], ...]:
        return gone_on(seen, self._source, places, self._gatherer.known_scripts())

    def _asked(self, seen: Sequence[Observed], places: Targets, rows: list[list[Case]]) -> Iterator[Case]:
        """What was seen near what is open, with what the code asks for there, one kind in turn with the other."""
        found = asked_near(seen, self._source, places, self._beside, unittest=self._is_unittest)
        dicts = keyed(seen, self._source, places, self._data, self._beside)
        return in_turn([*rows, *found, dicts, *self._gone_on(seen, places)])

    def _untried(self, cases: Iterable[Case], tried: set[str], most: int) -> list[Case]:
        known = fitted(map(uncut, cases), unittest=self._is_unittest)
        untried = {case.key: case for case in known if case.key not in tried}
        return list(untried.values())[:most]

    def _from_earlier(self) -> list[Case]:
        """What was seen to reach this file while another file of the change was looked at, for each open line the
        plainest few."""
        found: dict[str, Case] = {}
        told = sorted((o for o in self._earlier if o.case.script and is_tellable(o)), key=taste, reverse=True)
        for line in sorted(self.gap.lines):
            function = enclosing(self._source.functions, line)
            there = [o.case for o in told if line in o.lines.get(self.gap.path, frozenset())]
            for case in there[:_FROM_EARLIER] if function is not None else ():
                found.setdefault(case.key, msgspec.structs.replace(case, entry=function))
        return list(found.values())

    async def _hunt(self, baseline: SuiteRun, observed: Sequence[Observed], left: Targets, gap: Gap) -> list[Case]:
        """Inputs for what the rounds did not reach, from all kinds of calls that existing tests make near it."""
        scripts, files = await self._gatherer.near(left), files_of(baseline, self._source)
        return await self._hunter.hunt(self._scene, self._source, gap, observed, scripts, left, files, self._beside)

    async def _cross(self, observed: Sequence[Observed], left: Targets) -> list[Case]:
        """Existing tests crossed with one another, for what no input of theirs reached."""
        scripts = await self._gatherer.near(left)
        return await self._crosser.cross(self._scene, self._source, self.gap, observed, scripts, left)

    async def _grow(self, baseline: SuiteRun, left: Targets, gap: Gap) -> list[Case]:
        """Existing tests that go on with further calls, for what shows only after a history."""
        functions = functions_around(self._source, left)
        tests: dict[str, str] = {}
        for line in sorted({line_of(target) for target in left}):
            function = enclosing(self._source.functions, line)
            near = nearest_tests(line, function, self._source, baseline, _TESTS_TO_HUNT) if function else []
            for test in near:  # of one with parameters the row that came nearest
                tests.setdefault(without_row(test), test)
        programs = await asyncio.to_thread(read_programs, self._scene.tree, tests.values(), self._scene.folder)
        programs = [one for one in programs if not (self._is_unittest and one.fixtures)]
        calls = [case for f in functions for case in self._given_to(f)]
        return await self._grower.grow(self._scene, self._source, gap, programs, calls, left)

    def _read_namesakes(self, functions: Iterable[Function], files: Sequence[str]) -> dict[Function, list[CarvedCall]]:
        """What tests give to others of that name, for functions that hardly one calls."""
        counts = {f: len({*calls_of([f], self._calls)}) or len(self._of_bases(f)) for f in functions}
        seldom = [function for function, count in counts.items() if count < _FEW_CALLS]
        return {function: namesake_calls(self._scene.tree, files, function) for function in seldom}

    def _given_to(self, function: Function) -> list[Case]:
        """What tests give to a method, or to others of its name, whatever its object is."""
        if not function.owner or is_assigned(function):
            return []
        calls, objects = calls_of([function], self._calls), [Receiver(Description(function.owner))]
        own = seed_cases(function, without_holes(calls, function), 0, _SEEDS, objects)
        return [*own, *namesake_cases(self._gatherer.namesakes.get(function, ()), function, 0, objects)]

    def _first_round(self, entries: Sequence[tuple[int, Function]], most: int) -> list[Case]:
        """The calls that tests make of these functions, or made-up ones, each with its variations."""
        source, calls, rows = self._source, self._calls, list[list[Case]]()
        share = most // max(len(entries), 1)
        for rank, entry in entries:
            own = calls_of([entry], calls) or self._of_bases(entry)
            family = family_of(source.tree, entry.owner)
            siblings = [f for f in source.functions if f.owner in family and f.kind == "method"]
            made = self._constructed(entry, calls)
            given = given_objects(entry, source.functions, source.tree, source.constructors)
            receivers = made_receivers(entry, calls_of(siblings, calls), source.constructors, made, given)
            seeds = seed_cases(entry, without_holes(own, entry), rank, _SEEDS if own else share // 4, receivers)
            alike = namesake_cases(self._gatherer.namesakes.get(entry, ()), entry, rank, receivers)
            if not seeds:
                made_up = made_up_calls(entry, rank, max(share // 8, 6), receivers, source.constructors)
                seeds, alike = list(in_turn([alike, made_up])), []
            limit = max(share // max(len(seeds), 1), _FEWEST_VARIATIONS)
            variations = [
                variation for seed in seeds for variation in vary(seed, limit, source.constructors, self._pool)
            ]
            world, unittest = world_of(source.tree, entry), self._is_unittest
            plain = [*seeds, *variations]
            if is_assigned(entry):
                rows.append([*as_assignments([*seeds, *alike, *variations])][:share])
                continue
            others = [*alike, *staged_cases(plain, world, unittest=unittest)]
            others += stateful_cases(plain, source.tree, entry, unittest=unittest)
            others += [*with_files(plain), *subclassed_cases(plain, source.tree)]
            rows.append([*seeds, *others, *variations][: max(share, len(seeds) + len(others))])
        return list(in_turn(rows))

    def _of_bases(self, entry: Function) -> list[CarvedCall]:
        """Calls of what a method overrides, as calls of it."""
        known = overridden(entry, self._source.functions, self._source.tree)
        return as_if_on(entry.owner or "", entry.module, calls_of(known, self._calls))

    def _constructed(self, entry: Function, calls: Sequence[CarvedCall]) -> list[Receiver]:
        """Objects of a method's class from what tests gave to its `__init__`."""
        family = family_of(self._source.tree, entry.owner)
        inits = [f for name in family for f in self._source.functions if f.kind == "init" and f.owner == name]
        return [receiver for init in inits for receiver in constructed(calls_of([init], calls), init, entry)]

    async def _steady(self, candidates: list[Observed]) -> list[Observed]:
        """Those that show the same under another hash seed, time zone and order."""
        again = await self._explorer.explore(self._scene, [o.case for o in candidates], again=True)
        found = steady(candidates, again)
        kept = {o.case.key for o in found}
        unsteady = [o for o in candidates if o.case.key not in kept]
        held = steadied(unsteady, self._source, self.gap.everything, unittest=self._is_unittest)
        others = [*held, *by_last_names(unsteady, again), *list_beginnings(unsteady, again)]
        others += [*settled_cases(unsteady, again), *list_stayed(unsteady, again)]
        if others:
            seen = await self._explorer.explore(self._scene, others, self.gap)
            found += steady(seen, await self._explorer.explore(self._scene, others, again=True))
        return found
