"""Chosen calls as the text of a test file. Pure, apart from the formatter at the end, which reads that text alone."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from greenlane.suite.lines import parse_expression
from greenlane.testgen.arranged import arranged, bound_otherwise, with_imports
from greenlane.testgen.body import Body, is_rough, pattern_of
from greenlane.testgen.choose import Chosen
from greenlane.testgen.code import Function
from greenlane.testgen.explore import Effect, Observed, Outcome
from greenlane.testgen.formatting import docstring, format_source, import_lines, wrapped
from greenlane.testgen.given import GivenLike, GivenText, fixtures_of, given_source
from greenlane.testgen.inputs import Case, Description, Script
from greenlane.testgen.likeness import parametrised
from greenlane.testgen.neighbours import MARKER, Style
from greenlane.testgen.receivers import with_columns
from greenlane.testgen.views import (
    Import,
    as_raised,
    as_statement,
    as_written,
    kept_items,
    looked_at,
    module_attribute,
    operand,
    parts_of,
    unwrapped,
    viewed,
    without_doubles,
)
from greenlane.testgen.words import slug, words_of

_MAX_INLINE = 70


class WrittenCase(msgspec.Struct, frozen=True, kw_only=True):
    """A test with its name and its sentence; rendered as often as the file is. `given`: somebody else wrote its text,
    and it was chosen from no calls; all tests of a file are of one kind."""

    name: str
    purpose: str
    chosen: Chosen = Chosen(calls=(), covers=frozenset())
    given: GivenText | None = None
    makers: Mapping[str, tuple[str, ...]] = {}
    """What the parameters of classes are called, for names of what differs in the making of objects."""

    @property
    def fixtures(self) -> frozenset[str]:
        if self.given is not None:
            return fixtures_of(self.given)
        return frozenset(name for call in self.chosen.calls for name in call.case.fixtures)

    @property
    def entry(self) -> Function:
        return self.chosen.calls[0].case.entry


def render_file(tests: Sequence[WrittenCase], style: Style) -> str:
    """The whole file: a docstring that says what it is, imports, and the tests. Formatted."""
    given = [GivenLike(name=t.name, purpose=t.purpose, text=t.given) for t in tests if t.given is not None]
    if given:
        return format_source(given_source(given, style), style.layout)
    imports: set[Import] = set()
    blocks: dict[str, list[str]] = {}
    bound: dict[str, Import] = {}
    for test in tests:
        prefixes, needed = _prefixes(test, style)
        body = Body(style, prefixes)
        head, lines = _render_test(test, style, body)
        own = without_doubles(needed | body.imports)
        apart = bound_otherwise(own, bound, head)
        imports |= own - apart
        source = "\n".join([*head, *with_imports(lines, apart)]) + "\n"
        title = "".join(word[:1].upper() + word[1:] for word in re.split(r"\W|_", test.entry.qualified) if word)
        blocks.setdefault(title, []).append(source)
    if style.form == "unittest":
        imports.add(("unittest", ""))
    project = {test.entry.module.split(".")[0] for test in tests}
    paths = ", ".join(sorted({test.entry.path for test in tests}))
    said = f"They run changed lines of {paths} that no test ran or held to anything, and pin what the code does today: "
    said += "where that is wrong, the code is to be mended and the test with it."
    said = f'"""{MARKER}.\n\n{wrapped(said, style.layout.line_length)}\n'
    text = said + '"""\n\n' + import_lines(without_doubles(imports), project) + "\n\n" + arranged(blocks, style.form)
    return format_source(text, style.layout)


def _prefixes(test: WrittenCase, style: Style) -> tuple[dict[str, str], set[Import]]:
    """How names of the tested module are spelled, and what has to be imported for that."""
    entry = test.entry
    used = {pair for observed in test.chosen.calls for pair in _needed(observed)}
    own = {name for module, name in used if module == entry.module}
    others = {pair for pair in used if pair[0] != entry.module}
    others |= {pair for o in test.chosen.calls if o.case.script for pair in o.case.script.imports}
    package, _, last = entry.module.rpartition(".")
    if not own:
        return {}, others
    if style.imports == "package" and package:
        return dict.fromkeys(own, f"{last}."), others | {(package, last)}
    if style.imports == "module" or (style.imports == "package" and not package):
        return dict.fromkeys(own, f"{entry.module}."), others | {(entry.module, "")}
    return {}, others | {(entry.module, name) for name in own}


def _needed(observed: Observed) -> Iterable[Import]:
    case, outcome = observed.case, observed.outcome
    yield from case.imports
    if case.receiver is None and case.script is None and not module_attribute(case):
        yield case.entry.module, case.entry.called
    described: list[Description] = [effect.value for effect in (*outcome.changes[:1], *outcome.more)]
    described += [attribute.value for attribute in outcome.attributes] if outcome.kind == "opaque" else []
    described += [outcome.value] if outcome.value is not None else []
    for description in described:
        yield from description.imports
    for kind in (outcome.error, outcome.warned):
        if kind is not None and kind[0] != "builtins":
            yield kind[0], kind[1].split(".")[0]


def _render_test(test: WrittenCase, style: Style, body: Body) -> tuple[list[str], list[str]]:
    """Its decorators with the line of its `def`, and what stands below, a docstring first."""
    calls = test.chosen.calls
    script = calls[0].case.script
    if script is not None and len(calls) > 1:
        _in_rows(calls, body)
    elif script is not None:
        _scripted(calls[0], script, body)
    elif len(calls) == 1:
        _single(calls[0], body)
    else:
        _parametrised(calls, body, test.makers)
    fixtures = sorted(calls[0].case.fixtures)
    first = ["self"] if style.form != "function" else []
    names = [] if body.unittest else [name for name, _ in body.parameters]
    signature = ", ".join([*first, *fixtures, *names])
    marks = script.marks if script is not None else body.loop if body.awaits else None
    head = [f"@{mark}" for mark in marks or ()]
    body.imports |= {("pytest", "")} if head else set()
    head.append(f"{'def' if marks is None else 'async def'} {test.name}({signature}):")
    indent = 4 if style.form == "function" else 8
    rows = body.subtests() if body.parameters and body.unittest else body.lines
    if body.parameters and not body.unittest:
        body.imports.add(("pytest", ""))
        head.insert(0, body.parametrize())
    return head, [*docstring(test.purpose, style.layout.line_length - indent), *rows]


def _raw_call(observed: Observed, body: Body, receiver: str | None, arguments: Sequence[str]) -> str:
    case, entry, outcome = observed.case, observed.case.entry, observed.outcome
    target = (
        f"{operand(receiver)}.{entry.called}" if receiver else f"{body.prefixes.get(entry.called, '')}{entry.called}"
    )
    if entry.kind == "property":
        return target
    if attribute := module_attribute(case):
        body.imports.add((entry.module, ""))
        return attribute
    given = [f"{name}={text}" if name else text for (name, _), text in zip(case.arguments, arguments, strict=True)]
    as_is = outcome.value is not None and outcome.value.text == "NotImplemented"  # an operator would ask the other side
    call = ("" if as_is else as_written(entry, receiver, given)) or f"{target}({', '.join(given)})"
    if entry.asynchronous and body.loop is not None:
        body.awaits = True
        return f"await {call}"
    if entry.asynchronous:
        body.imports.add(("asyncio", ""))
        call = f"asyncio.run({call})"
    return call


def _call(observed: Observed, body: Body, receiver: str | None, arguments: Sequence[str]) -> str:
    """The call with what one does to see something of what it gives; as it is where something else is looked at."""
    outcome, call = observed.outcome, _raw_call(observed, body, receiver, arguments)
    if _is_result_seen(outcome):
        return kept_items(outcome, call)
    seen = msgspec.structs.replace(outcome, view="") if outcome.changes or outcome.entered else outcome
    return looked_at(seen, call, body.imports)


def _single(observed: Observed, body: Body) -> None:
    case, outcome = observed.case, observed.outcome
    looks = [*(outcome.changes[:1] if outcome.kind != "raises" else ()), *outcome.more]
    receiver = body.write(case.receiver) if case.receiver else None
    receiver = _bind_receiver(observed, receiver, body, needed=any(look.where == "receiver" for look in looks))
    arguments = [body.write(text) for _, text in case.arguments]
    holders = {"receiver": receiver or "", "result": "result", "error": body.caught}
    for where in dict.fromkeys(look.where for look in looks if look.where.startswith("#")):
        if where[1:].isdecimal():
            holders[where] = _bind_argument(observed, arguments, int(where[1:]), body)
    if outcome.kind == "raises" and outcome.error is not None:
        _raising(outcome, [as_statement(unwrapped(_call(observed, body, receiver, arguments)))], body)
    elif outcome.changes:
        call = body.warned(outcome, _call(observed, body, receiver, arguments))
        if outcome.entered:
            body.lines += [f"with {call}:", "    pass"]
        elif outcome.warned is None:
            body.lines.append(f"result = {unwrapped(call)}" if _is_result_seen(outcome) else as_statement(call))
        body.lines.append(_seen(outcome.changes[0], holders, body))
    elif outcome.entered:
        call = _call(observed, body, receiver, arguments)
        body.lines += [f"with {call} as inside:", *(f"    {line}" for line in _inside(outcome, body))]
    else:
        _giving(outcome, _raw_call(observed, body, receiver, arguments), body)
    body.lines += [_seen(look, holders, body) for look in outcome.more]


def _raising(outcome: Outcome, call: Sequence[str], body: Body) -> None:
    """The lines that raise the error, below what expects it; a context manager's are entered."""
    assert outcome.error is not None
    head = body.raises(body.write(outcome.error[1]), pattern_of(outcome.message), caught=bool(outcome.more))
    if outcome.entered:
        body.lines += [f"{head[:-1]}, {call[0]}:", "    pass"]
    else:
        body.lines += [head, *(f"    {line}" for line in call)]


def _giving(outcome: Outcome, call: str, body: Body) -> None:
    """A call, or the look of a script, with what it gives pinned."""
    if _is_result_seen(outcome):
        bound = body.warned(outcome, kept_items(outcome, call))
        body.lines += [f"result = {bound}"] if bound != "result" else []
        look = viewed(outcome, "result", body.imports)
    else:
        look = body.warned(outcome, looked_at(outcome, call, body.imports))
    if outcome.kind == "opaque":
        body.lines += [*([f"result = {look}"] if look != "result" else []), *_attributes("result", outcome, body)]
    elif outcome.value is not None:
        for part, value in parts_of(look, outcome.value.text):
            _assert_value(part, body.write(value), body)


def _is_result_seen(outcome: Outcome) -> bool:
    """Whether what was given is looked at once more, and so needs a name."""
    return any(look.where == "result" for look in outcome.more)


def _seen(look: Effect, holders: Mapping[str, str], body: Body) -> str:
    holder = holders.get(look.where, look.where)
    shown = viewed(look, f"{holder}.{look.attribute}" if look.attribute else holder, body.imports)
    return body.equal(shown, body.write(look.value.text))


def _inside(outcome: Outcome, body: Body) -> list[str]:
    """What a context manager gives."""
    if outcome.kind == "opaque" or outcome.value is None:
        return _attributes("inside", outcome, body)
    return [body.equal(viewed(outcome, "inside", body.imports), body.write(outcome.value.text))]


def _attributes(holder: str, outcome: Outcome, body: Body) -> list[str]:
    return [body.equal(f"{holder}.{a.name}", body.write(a.value.text)) for a in outcome.attributes]


def _scripted(observed: Observed, script: Script, body: Body) -> None:
    """What a test of the project does, with the look that it ends in pinned."""
    outcome = observed.outcome
    body.lines += [line for statement in script.setup for line in statement.splitlines()]
    if outcome.kind == "raises" and outcome.error is not None:
        _raising(outcome, as_raised(outcome, script.look).splitlines(), body)
    else:
        _giving(outcome, script.look, body)
    holders = {"result": "result", "error": body.caught}
    body.lines += [_seen(look, holders, body) for look in outcome.more]


def _in_rows(calls: Sequence[Observed], body: Body) -> None:
    """Scripts that differ in plain values, as one with names for these."""
    first = calls[0]
    scripts = [o.case.script for o in calls if o.case.script is not None]
    taken = [*first.case.fixtures, "expected", "result"]
    script, body.parameters = parametrised(scripts, first.case.entry, taken)
    values = [body.write(o.outcome.value.text) for o in calls if o.outcome.value is not None]
    body.lines += [line for statement in script.setup for line in statement.splitlines()]
    look = looked_at(first.outcome, script.look, body.imports)
    parts = [parts_of(look, value) for value in values]
    if all(len(part) == 1 for part in parts):  # one look alone, perhaps in brackets
        look, values = parts[0][0][0], [value for ((_, value),) in parts]
    if len(set(values)) == 1:
        _assert_value(look, values[0], body)
        return
    body.parameters.append(("expected", values))
    body.lines.append(_equal_to_expected(look, values, body))


def _equal_to_expected(look: str, values: Sequence[str], body: Body) -> str:
    right = "expected"
    if any(is_rough(value) for value in values) and not body.unittest:
        body.imports.add(("pytest", ""))
        right = "pytest.approx(expected)"
    return f"self.assertEqual({look}, {right})" if body.unittest else f"assert {look} == {right}"


def _bind_receiver(observed: Observed, receiver: str | None, body: Body, *, needed: bool) -> str | None:
    """Give the receiver a name where it is looked at later, used before, or long; and make the calls before."""
    case = observed.case
    bound = receiver is not None and case.entry.kind in {"method", "property"} and not receiver.isidentifier()
    if receiver is not None and bound and (needed or case.history or len(receiver) > _MAX_INLINE // 2):
        name = _variable(case.entry.owner or "receiver", _names_in(case) | body.modules)
        body.lines.append(f"{name} = {receiver}")
        receiver = name
    for step in case.history:
        given = [f"{name}={body.write(text)}" if name else body.write(text) for name, text in step.arguments]
        if step.name == "__setitem__" and len(given) == 2:
            body.lines.append(f"{receiver}[{given[0]}] = {given[1]}")
        elif step.name == "__delitem__" and len(given) == 1:
            body.lines.append(f"del {receiver}[{given[0]}]")
        else:
            body.lines.append(f"{receiver}.{step.name}({', '.join(given)})")
    return receiver


def _assert_value(call: str, value: str, body: Body) -> None:
    if len(call) + len(value) <= _MAX_INLINE or len(call) <= _MAX_INLINE:
        body.lines.append(body.equal(call, value))
    else:
        body.lines += [f"result = {unwrapped(call)}", body.equal("result", value)]


def _bind_argument(observed: Observed, arguments: list[str], number: int, body: Body) -> str:
    """Give a changed argument a name, so that it can be looked at afterwards."""
    if arguments[number].isidentifier():
        return arguments[number]
    params = observed.case.entry.places
    given = observed.case.arguments[number][0]
    wanted = given or (params[number].name if number < len(params) else "value")
    name = _variable(wanted, _names_in(observed.case) | body.modules)
    body.lines.append(f"{name} = {arguments[number]}")
    arguments[number] = name
    return name


def _names_in(case: Case) -> set[str]:
    """Names that the call uses and no variable may hide: a class may be written like a variable."""
    texts = [case.receiver or case.entry.called, *(text for _, text in case.arguments)]
    named = {n.id for text in texts for n in ast.walk(parse_expression(text)) if isinstance(n, ast.Name)}
    return named | case.fixtures


def _variable(wanted: str, taken: Iterable[str]) -> str:
    name = slug(words_of(wanted)) or "value"
    return f"{name}_value" if name in taken or name in sys.builtin_module_names else name


def _parametrised(calls: Sequence[Observed], body: Body, makers: Mapping[str, tuple[str, ...]]) -> None:
    first = calls[0].case
    columns = [[body.write(o.case.arguments[n][1]) for o in calls] for n in range(len(first.arguments))]
    arguments = []
    taken = {*first.fixtures, *body.modules, first.entry.name, "expected", "message"}
    for number, column in enumerate(columns):
        if len(set(column)) == 1:
            arguments.append(column[0])
            continue
        given, params = first.arguments[number][0], first.entry.places
        name = given or (params[number].name if number < len(params) else f"value_{number + 1}")
        name = f"{name}_value" if name in taken else name
        taken.add(name)
        body.parameters.append((name, column))
        arguments.append(name)
    made, parts = with_columns([o.case.receiver for o in calls if o.case.receiver], taken, makers)
    body.parameters += [(name, [body.write(text) for text in column]) for name, column in parts]
    receiver = body.write(made) if made else None
    if calls[0].outcome.error is not None:
        _raising_rows(calls, receiver, arguments, body)
        return
    values = [body.write(o.outcome.value.text) for o in calls if o.outcome.value is not None]
    body.parameters.append(("expected", values))
    receiver = _bind_receiver(calls[0], receiver, body, needed=False)
    call = _call(calls[0], body, receiver, arguments)
    body.lines.append(_equal_to_expected(call, values, body))


def _raising_rows(calls: Sequence[Observed], receiver: str | None, arguments: Sequence[str], body: Body) -> None:
    """Rows that raise the same error, each with its message."""
    error = calls[0].outcome.error
    assert error is not None
    patterns = [pattern_of(o.outcome.message) or "''" for o in calls]
    if len(set(patterns)) > 1:
        body.parameters.append(("message", patterns))
    pattern = "message" if len(set(patterns)) > 1 else patterns[0].strip("'") and patterns[0]
    receiver = _bind_receiver(calls[0], receiver, body, needed=False)
    call = as_statement(unwrapped(_call(calls[0], body, receiver, arguments)))
    body.lines += [body.raises(body.write(error[1]), pattern), f"    {call}"]
