"""What existing tests do around open lines, as scripts: as they are, swapped for what no test calls yet, shorter.
Called by `search.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import PurePosixPath

import msgspec

from greenlane.suite.runner import SuiteRun
from greenlane.testgen.attached import attach, kept_as
from greenlane.testgen.code import Function, enclosing
from greenlane.testgen.copied import Copier, is_given_text
from greenlane.testgen.dispatched import swap_words
from greenlane.testgen.explore import Observed
from greenlane.testgen.idle import without_idle
from greenlane.testgen.inputs import CarvedCall, CarvedRow, Case, Script
from greenlane.testgen.likewise import Habits, habits_of
from greenlane.testgen.neighbours import Style
from greenlane.testgen.operations import swap_operators
from greenlane.testgen.otherfiles import Swapper, words_asked
from greenlane.testgen.overheard import overheard
from greenlane.testgen.ran import TESTS_A_LINE, nearest_tests, was_run
from greenlane.testgen.scene import Scene
from greenlane.testgen.scripts import FoundScript, read_scripts, script_case
from greenlane.testgen.siblings import counterparts, family_of, swap_classes
from greenlane.testgen.source import Source
from greenlane.testgen.strangers import list_strangers, named_alike, swap_modules
from greenlane.testgen.swap import chain_calls, swap_calls
from greenlane.testgen.targets import Gap, Targets, line_of
from greenlane.testgen.turns import in_turn

_MAX_SWAPPED = 120
_MAX_FLUENT, _MAX_COPIED, _MAX_OTHER_FILES = 2, 24, 40
_TESTS_TO_HUNT = 60


class Gatherer:
    """Scripts for one file. `examples` are of its documentation; `namesakes`, by function, calls of others of its
    name, where no test calls it."""

    def __init__(
        self, scene: Scene, source: Source, style: Style, baseline: SuiteRun, beside: Sequence[Source] = ()
    ) -> None:
        self._scene, self._source, self._style, self._baseline = scene, source, style, baseline
        self._beside = beside
        self._copier = Copier(scene.tree)
        self._swapper = Swapper(scene.tree, self._copier)
        self._copies: dict[tuple[str, ...], list[FoundScript]] = {}
        """By tests near a line, what was made of those that read a file."""
        self._read_scripts: dict[str, list[FoundScript]] = {}
        self._strangers: list[str] | None = None
        """Tests of modules beside this one, where none runs it."""
        self.examples: list[Case] = []
        self.namesakes: Mapping[Function, Sequence[CarvedCall]] = {}
        self.rows: Sequence[CarvedRow] = ()
        """What tests are given by their parameters, as it was seen."""

    async def scripts(self, gap: Gap, lines: Sequence[int], share: int) -> list[Case]:
        """What existing tests do around these lines, a script for each look, so many for each line."""
        found: dict[str, Case] = {}
        ran = self._baseline.contexts.get(gap.path, {})
        open_in = {enclosing(self._source.functions, line) for line in gap.lines}
        fluent = [f for f in self._source.functions if f.fluent and f in open_in and not was_run(f, ran)]
        fluent = [f for f in fluent if not f.name.startswith("__")][:_MAX_FLUENT]
        rows: dict[tuple[Function, tuple[str, ...]], list[Case]] = {}
        for line in lines:
            function = enclosing(self._source.functions, line)
            tests = self._tests_near(line, function) if function is not None else ()
            if function is None or (function, tests) in rows:
                continue
            scripts = await asyncio.to_thread(self._read, tests)
            most = share
            if not was_run(function, ran) or _is_named_by_none(function, scripts):
                kept = await asyncio.to_thread(self._kept, function)
                longer = await asyncio.to_thread(self._written_out, tests, function, scripts)
                scripts = list(in_turn([longer, scripts]))
                swapped = [self._swapped(one, function, kept) for one in scripts[:_MAX_SWAPPED]]
                scripts = list(islice(in_turn([in_turn(swapped), scripts]), _MAX_SWAPPED))
                most = _MAX_SWAPPED
            chained = [chain_calls(one, f, self._source.functions) for f in fluent for one in scripts]
            more = islice(in_turn(chained), most)
            both = [one for one in in_turn([scripts[:most], more]) if not self._is_unfit(one)]
            cases = [script_case(function, one) for one in both]
            rows[function, tests] = [other for case in cases for other in (case, *_shortened(case))]
        for case in in_turn([*rows.values(), self.examples]):
            found.setdefault(case.key, case)
        return list(found.values())

    def _read(self, tests: Sequence[str]) -> list[FoundScript]:
        """The scripts of these tests, each test read once."""
        unread = [test for test in tests if test not in self._read_scripts]
        self._read_scripts |= {test: [] for test in unread}
        for one in read_scripts(self._scene.tree, unread, self._scene.folder, rows=self.rows):
            self._read_scripts[one.test].append(one)
        return list({one.script: one for test in tests for one in self._read_scripts[test]}.values())

    def _written_out(self, tests: Sequence[str], function: Function, known: Sequence[FoundScript]) -> list[FoundScript]:
        """Scripts with the methods of long helper classes in which a counterpart of the function's class stands."""
        siblings = counterparts(self._source.tree, function.owner).keys()
        files = {PurePosixPath(test.partition("::")[0]).stem for test in tests}
        if not siblings or not any(m.rpartition(".")[2] in files for one in known for m, _ in one.script.imports):
            return []
        old = {one.script for one in known}
        read = read_scripts(self._scene.tree, tests, self._scene.folder, siblings)
        return [one for one in read if one.script not in old]

    def _copied(self, scripts: Sequence[FoundScript]) -> list[FoundScript]:
        """Those that read a data file, with files of their own, where none is given a text to vary."""
        if any(map(is_given_text, scripts)):
            return []
        return list(islice((copy for one in scripts for copy in self._copier.copies(one)), _MAX_COPIED))

    def _kept(self, function: Function) -> dict[str, str]:
        """Where objects of the function's class are kept."""
        owner = function.owner if function.kind == "method" and not function.name.startswith("__") else None
        if not owner:
            return {}
        own = dict.fromkeys(family_of(self._source.tree, owner), "")
        return own | kept_as(self._scene.tree, self._source.path, owner)

    def _swapped(self, script: FoundScript, function: Function, kept: dict[str, str]) -> Iterator[FoundScript]:
        """A script of the function's kin, made one of its own."""
        functions = self._source.functions
        kin = swap_classes(script, function, self._source.tree)
        return chain(
            swap_modules(script, self._source) if self._strangers else (),
            swap_words(script, function, functions),
            (other for one in kin for other in (one, *attach(one, function, kept))),
            swap_calls(script, function, functions, self.namesakes.get(function, ())),
            attach(script, function, kept),
            swap_operators(script, function),
        )

    def _is_unfit(self, script: FoundScript) -> bool:
        return self._style.form == "unittest" and bool(script.fixtures)

    def _tests_near(self, line: int, function: Function, most: int = TESTS_A_LINE) -> tuple[str, ...]:
        near = nearest_tests(line, function, self._source, self._baseline, most, self._beside)
        if near or any(tests - {""} for tests in self._baseline.contexts.get(self._source.path, {}).values()):
            return tuple(near)
        if self._strangers is None:
            self._strangers = list_strangers(self._scene.tree, self._source, self._baseline.outcomes)
        return tuple(named_alike(self._strangers, function.name)[:most])

    def habits(self) -> Habits:
        """What the scripts that were read call on what has a name."""
        return habits_of(self.known_scripts())

    def known_scripts(self) -> list[Script]:
        """Those that were read so far."""
        return [found.script for found in self._found()]

    def overheard(self, observed: Iterable[Observed]) -> list[Case]:
        """These calls with looks at what the stand-ins of fixtures were given in them."""
        return overheard(observed, self._found())

    def _found(self) -> list[FoundScript]:
        return [found for scripts in self._read_scripts.values() for found in scripts]

    async def near(self, left: Targets) -> list[Case]:
        """The scripts of tests that came near what is left."""
        source, scripts = self._source, dict[str, Case]()
        for line in sorted({line_of(target) for target in left}):
            function = enclosing(source.functions, line)
            if function is None:
                continue
            tests = self._tests_near(line, function, _TESTS_TO_HUNT)
            read = await asyncio.to_thread(self._read, tests)
            if tests not in self._copies:
                self._copies[tests] = await asyncio.to_thread(self._copied, read)
            own = self._copies[tests]
            for one in (*own, *read):
                if one.script.text not in scripts and not self._is_unfit(one):
                    scripts[one.script.text] = script_case(function, one)
        examples = {case.script.text: case for case in self.examples if case.script is not None}
        return list((examples | scripts).values())

    async def with_other_files(self, left: Targets) -> list[Case]:
        """The scripts that came near what is left and read a data file, with others of its folder."""
        return await asyncio.to_thread(self._with_other_files, left)

    def _with_other_files(self, left: Targets) -> list[Case]:
        source, rows = self._source, list[list[Case]]()
        functions = {enclosing(source.functions, line_of(target)) for target in left}
        for function in sorted((one for one in functions if one is not None), key=lambda one: one.first):
            asked = words_asked([function], source.whole)
            lines = sorted(line for line in map(line_of, left) if function.first <= line <= function.last)
            near = dict.fromkeys(test for line in lines for test in self._tests_near(line, function, _TESTS_TO_HUNT))
            scripts = [one for one in self._read([*near]) if not self._is_unfit(one)]
            scripts.sort(key=lambda one: function.name not in one.script.text)
            made = islice((new for one in scripts for new in self._swapper.swapped(one, asked)), _MAX_OTHER_FILES)
            rows.append([script_case(function, one) for one in made])
        return list(islice(in_turn(rows), _MAX_OTHER_FILES))


def _is_named_by_none(function: Function, scripts: Sequence[FoundScript]) -> bool:
    """Whether tests reach what one can call from outside, but only through something else."""
    return not function.name.startswith("_") and not any(function.name in one.script.text for one in scripts)


def _shortened(case: Case) -> list[Case]:
    """The script without calls whose values nobody uses: if it shows the same, it is the better one to read."""
    script = without_idle(case.script, calls=True) if case.script is not None else None
    return [msgspec.structs.replace(case, script=script)] if script != case.script else []
