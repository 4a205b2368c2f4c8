"""Carving and exploring: the two questions that the generator asks the sandbox.

*Carve*: with which values do the existing tests call these functions? *Explore*: what comes of these proposed calls,
and which lines do they run? Both run inside the project's own pytest, so that its fixtures are there. Answers are
decoded into typed, bounded structs; nothing in them is run or written anywhere before it was checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from greenlane.suite.runner import SuiteRequest, SuiteRun, SuiteRunner
from greenlane.testgen.code import Function
from greenlane.testgen.endless import Endless, ended_by
from greenlane.testgen.inputs import CarvedCall, CarvedRow, Case, Description, is_harmless
from greenlane.testgen.rest import is_name
from greenlane.testgen.scene import Scene
from greenlane.testgen.targets import Gap, Target, Targets, ran_by
from greenlane.testgen.trial import AT_ONCE, Trials

_INSIDE = Path(__file__).with_name("inside")
_MAX_RECORDS = 20_000
_MAX_SELECTED = 300
_FEW = 120
"""More calls than a few take longer than a process needs to start, and are made by two beside each other."""
_MOST_ENDED = 4
"""Runs of the same calls, each without those that ended the ones before."""
PROBE = "test_greenlane_probe.py"
HERE = ("import builtins", "builtins.__file__ = __file__")
"""What a script names so is a file of the folder that the tests to come stand in."""
_CASE = "greenlane_case"
"""A name that no fixture of a project has."""
_STANDARD = frozenset({"datetime", "decimal", "fractions", "pathlib", "uuid", "collections", "enum"})
"""Modules of the standard library from which a generated test may import values."""


_KEY = r"\[[A-Za-z_][\w .:/-]{0,39}\]"
_VIEWS = rf"^(|list|dict|repr|str|masked|type|len|tolist|call|each ([A-Za-z]\w*|\d|{_KEY})|part {_KEY})$"
View = Annotated[str, msgspec.Meta(pattern=_VIEWS)]
"""How something is looked at that can't be written down as it is (`views.py` writes it); `call`: the attribute is a
method that is called; `each name`: an attribute of each of its items, `each [key]`: what stands there under a key, and
`part [key]`: here."""


class Attribute(msgspec.Struct, frozen=True, array_like=True):
    name: str
    value: Description


class Effect(msgspec.Struct, frozen=True, array_like=True):
    """A visible change: of the `receiver` or the argument `#n`, in an attribute (or as a whole: ''). As a further look
    also at the `result` or the `error`."""

    where: str
    attribute: str
    value: Description
    view: View = ""

    @property
    def key(self) -> str:
        """As the sandbox names a look at it."""
        return f"{self.where}.{self.attribute}.{self.view}"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one call, as the sandbox tells it. `case` is its number in the list that was asked."""

    case: int
    kind: Literal["value", "opaque", "raises", "timeout", "unusable"]
    value: Description | None = None
    listed: bool = False
    called: int = -1
    """It was a function, called with so many arguments (1, 2, ...); -1: it was none."""
    decorated: bool = False
    """It was a decorator, given `lambda value: value`; `called` is then how what it gave was called."""
    entered: bool = False
    """It was a context manager: `value` is what it gives inside."""
    view: View = ""
    """What `value` shows of it."""
    dated: bool = False
    attributes: tuple[Attribute, ...] = ()
    changes: tuple[Effect, ...] = ()
    more: tuple[Effect, ...] = ()
    """What else could be looked at; a test does so where that notices a fault (`looks.py`)."""
    error: tuple[str, str] | None = None
    importable: bool = False
    deliberate: bool = False
    message: str = ""
    warned: tuple[str, str, str] | None = None
    """Module and name of the class of a warning that the project gave, and its text."""
    at: tuple[str, int] | None = None
    """The last line of the project on the way to the error."""
    given: tuple[Attribute, ...] = ()
    """What fixtures and names stood for, if it was asked again: `settled.py` writes that in their place."""
    took: int = 0
    """Tenths of a second of processor time."""
    stopped: int = -1
    """A script's statement that raised the error; -1: none of the setup."""


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """A case with its outcome, the lines of the measured files that ran, by file, and what it reaches of the gap."""

    case: Case
    outcome: Outcome
    lines: Mapping[str, frozenset[int]]
    reached: Targets = frozenset()
    by_look: tuple[Targets, ...] = ()
    """Of the mutants in `reached`, those that are noticed by the first look, then by each of `outcome.more`."""


class Explorer:
    def __init__(self, runner: SuiteRunner) -> None:
        self._runner = runner
        self._trials = Trials(runner)
        self._endless = Endless()
        self.rows: tuple[CarvedRow, ...] = ()
        """What the tests that were carved are given by their parameters."""

    async def carve(self, scene: Scene, functions: Sequence[Function], tests: Iterable[str]) -> list[CarvedCall]:
        """Calls of these functions by these tests (node ids; none: the whole suite), with the target as `path:line`."""
        tests = list(tests)
        selected = tuple(sorted({test.split("[")[0] for test in tests}))[:_MAX_SELECTED]
        asked = sorted(test for test in tests if "[" in test)[:_MAX_SELECTED]
        given = Given(scene)
        targets = [[f"{given.root}/{f.path}", f.name, f.line] for f in functions]
        request = SuiteRequest(
            select=selected or (scene.service.tests_dir,),
            plugins=("greenlane_carve",),
            plugin_folders=(_INSIDE,),
            without=scene.idle_plugins,
            plugin_input=given.encode(targets=targets, rows=asked),
        )
        run = await self._runner.run(scene.service, scene.environment, scene.tree, request)
        rows = decode_lines(run.plugin_output, CarvedRow)
        self.rows = tuple(
            row for row in rows if all(name.isidentifier() and _is_sound_value(v, scene) for name, v in row.values)
        )
        return [call for call in decode_lines(run.plugin_output, CarvedCall) if _is_allowed(call, scene)]

    async def explore(
        self, scene: Scene, cases: Sequence[Case], gap: Gap | None = None, *, again: bool = False
    ) -> list[Observed]:
        """What comes of these calls, and what of the gap they reach. `again` asks under another hash seed, time zone,
        order and command line, and measures nothing. Many are asked by processes beside each other. A call that ends
        its process is made no more, and the others once more."""
        beside = AT_ONCE if len(cases) > _FEW else 1
        parts = (range(n, len(cases), beside) for n in range(beside))
        asked = (self._ask(scene, {n: cases[n] for n in part}, gap, again=again) for part in parts)
        found = {number: one for part in await asyncio.gather(*asked) for number, one in part.items()}
        return [found[number] for number in sorted(found)]

    async def _ask(
        self, scene: Scene, cases: Mapping[int, Case], gap: Gap | None, *, again: bool
    ) -> dict[int, Observed]:
        """One process; what came of the cases, by the numbers that they were given by."""
        found: dict[int, Observed] = {}
        for _ in range(_MOST_ENDED):
            cases = {number: case for number, case in cases.items() if self._endless.allows(case)}
            if not cases:
                return {}
            numbers, asked = list(cases), list(cases.values())
            probe, run = await self._run(scene, asked, gap, again=again)
            found = {numbers[n]: one for n, one in _join(asked, run, probe, scene, gap).items()}
            ended = ended_by(run, asked)
            if ended is None:
                break
            self._endless.add(ended)
            if run.result.timed_out:  # once more would take as long
                break
        return found

    async def _run(
        self, scene: Scene, cases: Sequence[Case], gap: Gap | None, *, again: bool
    ) -> tuple[_Probe, SuiteRun]:
        probe = _Probe(scene, cases)
        request = SuiteRequest(
            measure=() if again else scene.measured,
            branches=gap is not None and bool(gap.branches),
            select=(probe.path,),
            extra=((probe.path, probe.text.encode()),),
            plugin_folders=(_INSIDE,),
            without=scene.idle_plugins,
            plugin_input=Given(scene).encode(groups=probe.groups, again=again),
            hash_seed=4711 if again else 0,
            timezone="Asia/Kathmandu" if again else "UTC",
            reverse=again,
        )
        return probe, await self._runner.run(scene.service, scene.environment, scene.tree, request)

    async def notice(self, scene: Scene, observed: Sequence[Observed], gap: Gap, seconds: float) -> list[Observed]:
        """The same calls, with the mutants of the gap that each would notice added to what it reaches."""
        probe = _Probe(scene, [o.case for o in observed])
        ids = {probe.test_id(number): number for number in range(len(observed))}
        tests = [
            [
                name
                for name, number in ids.items()
                if mutant.line in observed[number].lines.get(mutant.path, frozenset())
            ]
            for mutant in gap.mutants
        ]
        trial = await self._trials.run(
            scene,
            gap.mutants,
            tests,
            extra=((probe.path, probe.text.encode()),),
            more=Given(scene).more(groups=probe.groups),
            every=True,
            seconds=seconds,
        )
        noticed: dict[int, dict[str, set[Target]]] = {}
        for mutant, tried in trial.tried.items():
            for name in tried.tests:
                for look in tried.looks.get(name) or ("",):
                    noticed.setdefault(ids[name], {}).setdefault(look, set()).add(gap.fault(mutant))
        return [with_noticed(o, noticed.get(number, {})) for number, o in enumerate(observed)]


def with_noticed(observed: Observed, noticed: Mapping[str, Set[Target]]) -> Observed:
    """With the mutants that a call notices, by the look that sees them (the first look by an empty text)."""
    keys = ["", *(look.key for look in observed.outcome.more)]
    by_look = tuple(frozenset(noticed.get(key, ())) for key in keys)
    return msgspec.structs.replace(observed, reached=observed.reached.union(*by_look), by_look=by_look)


_Group: TypeAlias = tuple[frozenset[str], tuple[str, ...] | None]
"""Fixtures, and the marks of a test that awaits."""


class _Probe:
    """The file that makes proposed calls, one pytest item a call, those with the same fixtures in one function."""

    def __init__(self, scene: Scene, cases: Sequence[Case]) -> None:
        numbers: dict[_Group, list[int]] = {}
        for number, case in enumerate(cases):
            numbers.setdefault(_group_of(case), []).append(number)
        self._place = {group: number for number, group in enumerate(numbers)}
        self._cases = cases
        self.path = f"{scene.folder}/{PROBE}" if scene.folder else PROBE
        self.text = _probe_text(list(numbers))
        self.groups = [[encode_case(number, cases[number]) for number in group] for group in numbers.values()]

    def test_id(self, number: int) -> str:
        return f"{self.path}::test_probe_{self._place[_group_of(self._cases[number])]}[{number}]"


class Given:
    """What the programs inside are told; paths are those of the copy, which they learn as they run."""

    root = "{tree}"

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def more(self, **more: object) -> dict[str, object]:
        return {
            "project": self.root,
            "tests": f"{self.root}/{self._scene.service.tests_dir.strip('/')}",
            "near": self._scene.folder,
            "modules": sorted(self._scene.modules | _STANDARD),
        } | more

    def encode(self, **more: object) -> bytes:
        """As JSON in plain ASCII: a text of the code under test may hold what UTF-8 can't, half of a surrogate pair."""
        return json.dumps(msgspec.to_builtins(self.more(**more))).encode("ascii")


def encode_case(number: int, case: Case) -> dict[str, Any]:
    return {
        "id": number,
        "module": case.entry.module,
        "function": case.entry.called,
        "receiver": case.receiver,
        "attribute": case.entry.kind == "property",
        "void": not case.entry.returns_value and case.entry.kind != "init",
        "observers": case.entry.observers,
        "arguments": case.arguments,
        "imports": sorted(case.imports),
        "asynchronous": case.entry.asynchronous,
        "history": [[step.name, step.arguments] for step in case.history],
        "script": None if case.script is None else [sorted(case.script.imports), case.script.setup, case.script.look],
    }


def _group_of(case: Case) -> _Group:
    return case.fixtures, case.script.marks if case.script is not None else None


def _probe_text(groups: Sequence[_Group]) -> str:
    lines = [*HERE, "import greenlane_explore", "import pytest", ""]
    for number, (fixtures, marks) in enumerate(groups):
        names = sorted(fixtures)
        values = ", ".join(f"{name!r}: {name}" for name in names)
        awaits = marks is not None
        lines += [
            "",
            *(f"@{mark}" for mark in marks or ()),
            f"@pytest.mark.parametrize('{_CASE}', greenlane_explore.cases({number}), ids=lambda case: str(case['id']))",
            f"{'async ' * awaits}def test_probe_{number}({', '.join([_CASE, *names])}):",
            f"    {'await ' * awaits}greenlane_explore.{'run_in_loop' if awaits else 'run'}({_CASE}, {{{values}}})",
            "",
        ]
    return "\n".join(lines)


def decode_lines(data: bytes, kind: type[Any]) -> list[Any]:
    decoder = msgspec.json.Decoder(kind)
    found = []
    for line in data.splitlines()[:_MAX_RECORDS]:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            found.append(decoder.decode(line))
    return found


def _may_import(description: Description, scene: Scene) -> bool:
    return all(m.split(".")[0] in scene.modules or m in _STANDARD for m, _ in description.imports)


def _is_allowed(call: CarvedCall, scene: Scene) -> bool:
    parts = [call.receiver, *call.positional, *(value for _, value in call.keywords)]
    parts += [part for step in call.history for part in step.parts]
    names = [name for name, _ in call.keywords]
    return all(map(is_name, names)) and all(part is None or _may_import(part, scene) for part in parts)


def _join(cases: Sequence[Case], run: SuiteRun, probe: _Probe, scene: Scene, gap: Gap | None) -> dict[int, Observed]:
    ran: dict[str, dict[str, set[int]]] = {}
    for path, lines in run.contexts.items():
        for line, tests in lines.items():
            for test in tests:
                ran.setdefault(test, {}).setdefault(path, set()).add(line)
    reached = ran_by(run, gap) if gap is not None else {}
    found: dict[int, Observed] = {}
    for outcome in decode_lines(run.plugin_output, Outcome):
        if not 0 <= outcome.case < len(cases) or not _is_sound(outcome, scene):
            continue
        name = probe.test_id(outcome.case)
        found[outcome.case] = Observed(
            case=_up_to(cases[outcome.case], outcome.stopped),
            outcome=msgspec.structs.replace(
                outcome,
                more=tuple(m for m in outcome.more if _is_sound_look(m, scene)),
                given=tuple(g for g in outcome.given if g.name.isidentifier() and _is_sound_value(g.value, scene)),
            ),
            lines={path: frozenset(numbers) for path, numbers in ran.get(name, {}).items()},
            reached=reached.get(name, frozenset()),
        )
    return found


def _up_to(case: Case, stopped: int) -> Case:
    """A script that ended early is one that looks at the statement that ended it."""
    script = case.script
    if script is None or not 0 <= stopped < len(script.setup):
        return case
    cut = msgspec.structs.replace(script, setup=script.setup[:stopped], look=script.setup[stopped])
    return msgspec.structs.replace(case, script=cut)


def _is_sound_look(look: Effect, scene: Scene) -> bool:
    named = not look.attribute or all(part.isidentifier() for part in look.attribute.split("."))
    return named and _is_sound_value(look.value, scene)


def _is_sound_value(value: Description, scene: Scene) -> bool:
    """Whether it is a plain expression over allowed names."""
    return is_harmless(value) and _may_import(value, scene)


def _is_sound(outcome: Outcome, scene: Scene) -> bool:
    """Whether everything that a test would quote of it is a plain expression over allowed names."""
    values = [a.value for a in outcome.attributes] + [c.value for c in outcome.changes]
    values += [outcome.value] if outcome.value else []
    if outcome.stopped >= 0 and outcome.kind != "raises":
        return False
    names = [a.name for a in outcome.attributes] + [c.attribute for c in outcome.changes if c.attribute]
    if outcome.error is not None:
        module, kind = outcome.error
        names += [*module.split("."), *kind.split(".")]
    return all(n.isidentifier() for n in names) and all(_is_sound_value(v, scene) for v in values)
