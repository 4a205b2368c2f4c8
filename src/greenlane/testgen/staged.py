"""Calls of a function under other circumstances, as scripts: what its `World` holds is set, the call is made, and what
came of it is looked at, with what the stand-ins were given. Pure, and the same each time. Called by `search.py`.

    popen = MagicMock()
    monkeypatch.setattr("subprocess.Popen", popen)
    monkeypatch.setenv("LESS", "-R")
    result = page(["text"])                      ->  (result, popen.call_args.args)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from greenlane.testgen.circumstances import StandIn, World, imports_of
from greenlane.testgen.commandlines import FILE
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Import, Script
from greenlane.testgen.turns import in_turn
from greenlane.testgen.views import operand

_MAX_STAGED = 80
_MAX_CASES = 16
_WRITTEN = "(tmp_path / 'a.txt').write_text('a b\\nc\\n')"
"""Before a command line that names a file."""


class _Setting(msgspec.Struct, frozen=True):
    """One way that the world can be: by environment variable its text (None: it is not there), by place its value
    (not there: left as it is), by stand-in what it gives (None: something of its own kind)."""

    variables: tuple[tuple[str, str | None], ...]
    places: tuple[tuple[str, str], ...] = ()
    outside: tuple[tuple[StandIn, str | None], ...] = ()
    held: tuple[tuple[str, str], ...] = ()
    """What the module remembers: by place, what it holds before the call."""


def staged_cases(cases: Sequence[Case], world: World, *, unittest: bool) -> list[Case]:
    """These calls under the circumstances of a world, one of them changed at a time; `unittest`: without fixtures."""
    if world.is_empty or not cases:
        return []
    settings = [one for one in _settings(world) if not (unittest and any(FILE in value for _, value in one.places))]
    plain = _plainest([case for case in cases if case.script is None and not (unittest and case.fixtures)])
    pairs = [(case, one) for case in range(len(plain)) for one in range(len(settings))]
    pairs.sort(key=lambda pair: (sum(pair), pair))  # neither takes all the room
    found: dict[str, Case] = {}
    for wholly in (True, False) if world.outside else (True,):
        for case, setting in pairs[: _MAX_STAGED - len(found)]:
            one = _staged(plain[case], settings[setting], world, unittest=unittest, wholly=wholly)
            found.setdefault(one.key, one)
    return [case for case in found.values() if case.script and all(len(t) <= MAX_STATEMENT for t in case.script.setup)]


def _plainest(cases: Sequence[Case]) -> list[Case]:
    """Those that are nearest to real calls, short ones first, and in turn with them those that are further from one,
    with one option given before a second value for another."""
    cases = [case for case in cases if not case.fixtures] or cases  # a path of this very run is told to the stand-ins
    nearest = min((case.steps for case in cases), default=0)
    near = sorted([c for c in cases if c.steps == nearest], key=lambda c: (len(c.fixtures), c.length))
    further = sorted([c for c in cases if c.steps > nearest], key=lambda c: len(c.fixtures))
    kinds: dict[tuple[str | None, ...], list[Case]] = {}
    for case in further:
        kinds.setdefault(tuple(name for name, _ in case.arguments), []).append(case)
    return list(in_turn([near, in_turn(kinds.values())]))[:_MAX_CASES]


def _settings(world: World) -> Iterator[_Setting]:
    """The plain world first, then others that differ from it in one thing."""
    plain = _Setting(
        variables=tuple((name, None) for name, _ in world.variables),
        outside=tuple((one, one.gives[0] if one.gives else None) for one in world.outside),
    )
    if world.held:
        plain = msgspec.structs.replace(plain, held=tuple((place, values[0]) for place, values in world.held))
    yield plain
    rows = [_with_memory(plain, number, place, values) for number, (place, values) in enumerate(world.held)]
    rows += [_with_variable(plain, number, name, texts) for number, (name, texts) in enumerate(world.variables)]
    filled = msgspec.structs.replace(plain, held=tuple((place, values[-1]) for place, values in world.held))
    for one in (plain, filled) if world.held else (plain,):
        rows += [_with_place(one, place, values) for place, values in world.places]
    rows += [_with_outcome(plain, number, one) for number, (one, _) in enumerate(plain.outside)]
    yield from in_turn(rows)


def _with_variable(plain: _Setting, number: int, name: str, texts: Iterable[str]) -> Iterator[_Setting]:
    for text in texts:
        variables = (*plain.variables[:number], (name, text), *plain.variables[number + 1 :])
        yield msgspec.structs.replace(plain, variables=variables)


def _with_place(plain: _Setting, place: str, values: Iterable[str]) -> Iterator[_Setting]:
    yield from (msgspec.structs.replace(plain, places=((place, value),)) for value in values)


def _with_memory(plain: _Setting, number: int, place: str, values: Sequence[str]) -> Iterator[_Setting]:
    for value in values[1:]:
        held = (*plain.held[:number], (place, value), *plain.held[number + 1 :])
        yield msgspec.structs.replace(plain, held=held)


def _with_outcome(plain: _Setting, number: int, one: StandIn) -> Iterator[_Setting]:
    for value in one.gives[1:]:
        outside = (*plain.outside[:number], (one, value), *plain.outside[number + 1 :])
        yield msgspec.structs.replace(plain, outside=outside)


def _staged(case: Case, setting: _Setting, world: World, *, unittest: bool, wholly: bool) -> Case:
    """`wholly`: also what the stand-ins were given, not only whether they were called."""
    before, called = before_and_call(case)
    done, result = _done(case, called, world)
    looks = [
        *result,
        *(_called_here(place) for place, _ in setting.held),
        *(look for one, _ in setting.outside for look in _looks(one, wholly=wholly)),
        *(f"capsys.readouterr().{stream}" for stream in world.streams[:1] if not unittest),
    ]
    given = [*(value or "" for _, value in setting.outside), *(value for _, value in setting.places)]
    imports = case.imports | {pair for value in given for pair in imports_of(value)}
    if case.receiver is None:
        imports |= {(case.entry.module, case.entry.called)}
    if unittest:
        setup, more = _under_patches(setting, [*before, *done])
    else:
        setup, more = [*_monkeypatched(setting), *before, *done], _needed(setting)
    look = looks[0] if len(looks) == 1 else f"({', '.join(looks)})" if looks else called
    if look == called or (not unittest and look == "result" and not world.manages):
        setup, look = setup[:-1], called  # the look is the call
    script = Script(imports=frozenset(imports | more), setup=tuple(setup), look=look)
    return case.with_script(script, case.fixtures | (frozenset() if unittest else _fixtures(setup, look)))


def _fixtures(setup: Sequence[str], look: str) -> frozenset[str]:
    text = "\n".join((*setup, look))
    return frozenset(name for name in ("monkeypatch", "capsys", "tmp_path") if re.search(rf"\b{name}\b", text))


def as_script(case: Case) -> Script:
    """A call as the statements that make it; a script as it is."""
    if case.script is not None:
        return case.script
    before, look = before_and_call(case)
    called = {(case.entry.module, case.entry.called)} if case.receiver is None else set()
    return Script(imports=case.imports | called, setup=tuple(before), look=look)


def before_and_call(case: Case) -> tuple[list[str], str]:
    before, holder = [], case.receiver
    if case.receiver and case.history:
        holder = case.entry.holder
        before = [f"{holder} = {case.receiver}"]
        before += [f"{holder}.{step.name}({_given(step.arguments)})" for step in case.history]
    target = f"{holder}.{case.entry.called}" if holder else case.entry.called
    if holder and case.entry.called == "__call__":
        target = operand(holder)
    return before, target if case.entry.kind == "property" else f"{target}({_given(case.arguments)})"


def before_and_call_of(holder: str, case: Case) -> tuple[tuple[str, ...], str]:
    """The same of a method whose object is given this name first, also where nothing was done with it before."""
    before, called = before_and_call(msgspec.structs.replace(case, receiver=holder))
    steps = [text for text in before if text != f"{holder} = {holder}"]
    return (f"{holder} = {case.receiver}", *steps), called


def _given(arguments: Iterable[tuple[str | None, str]]) -> str:
    return ", ".join(f"{name}={text}" if name else text for name, text in arguments)


def _done(case: Case, called: str, world: World) -> tuple[list[str], list[str]]:
    """The statement that makes the call, and what is looked at of its result. Of several parts that a context manager
    gives the first is mostly a handle of something that is open."""
    if world.manages:
        names = world.gives
        inside = f"({', '.join(names)})" if names else "inside"
        return [f"with {called} as {inside}:\n    pass"], list(names[1:]) if names else ["inside"]
    if not case.entry.returns_value and case.entry.kind != "init":
        return [called], []
    return [f"result = {called}"], ["result"]


def _looks(one: StandIn, *, wholly: bool) -> Iterator[str]:
    if not one.called:
        return
    if not wholly:
        yield f"{one.name}.called"
        return
    yield f"{one.name}.call_args.args"
    yield from (f"{one.name}.call_args.kwargs[{keyword!r}]" for keyword in one.keywords)
    yield from (f"{one.name}.call_args.kwargs['env'].get({name!r})" for name in one.variables)


def _monkeypatched(setting: _Setting) -> Iterator[str]:
    for one, value in setting.outside:
        yield f"{one.name} = {f'MagicMock({_giving(value)})' if one.called else value}"
        yield f"monkeypatch.setattr({one.target!r}, {one.name}{', raising=False' if one.absent else ''})"
    for name, text in setting.variables:
        given = f"delenv({name!r}, raising=False)" if text is None else f"setenv({name!r}, {text!r})"
        yield f"monkeypatch.{given}"
    for place, value in setting.held:
        yield f"{_called_here(place)} = {value}"
        yield f"monkeypatch.setattr({place!r}, {_called_here(place)})"
    for place, value in setting.places:
        yield from [_WRITTEN] if FILE in value else []
        yield f"monkeypatch.setattr({place!r}, {value})"


def _needed(setting: _Setting) -> set[Import]:
    return {("unittest.mock", "MagicMock")} if setting.outside else set()


def _under_patches(setting: _Setting, done: Sequence[str]) -> tuple[list[str], set[Import]]:
    """The statements inside `with patch(...)`."""
    given = {name: text for name, text in setting.variables if text is not None}
    missing = [name for name, text in setting.variables if text is None]
    heads = [f"patch.dict('os.environ', {given!r})"] if setting.variables else []
    heads += [f"patch({place!r}, {_called_here(place)})" for place, _ in setting.held]
    heads += [f"patch({place!r}, {value})" for place, value in setting.places]
    heads += [_patch(one, value) for one, value in setting.outside]
    body = [*(f"os.environ.pop({name!r}, None)" for name in missing), *done]
    lines = "\n".join(f"    {line}" for text in body for line in text.splitlines())
    imports: set[Import] = {("unittest.mock", "patch")} | ({("os", "")} if missing else set())
    held = [f"{_called_here(place)} = {value}" for place, value in setting.held]
    return [*held, f"with {', '.join(heads)}:\n{lines}"], imports


def _patch(one: StandIn, value: str | None) -> str:
    parts = [repr(one.target), _giving(value) if one.called else str(value), "create=True" if one.absent else ""]
    return f"patch({', '.join(filter(None, parts))}){f' as {one.name}' if one.called else ''}"


def _giving(value: str | None) -> str:
    """What a stand-in gives, or raises."""
    if value is None:
        return ""
    return f"side_effect={value[1:]}" if value.startswith("!") else f"return_value={value}"


def _called_here(place: str) -> str:
    """The name that a test gives to what a module remembers."""
    return place.split(".")[-1].strip("_").lower() or "held"
