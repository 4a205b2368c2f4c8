"""Names and sentences for tests: what a call shows, and under which condition (`conditions.py`). Pure."""

from __future__ import annotations

import ast
import builtins
import keyword
import re

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.testgen.code import Function
from greenlane.testgen.conditions import named_arguments
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import Script
from greenlane.testgen.shown import INSIDE
from greenlane.testgen.views import EACH
from greenlane.testgen.words import EMPTY, is_constant, shown_kind, slug, spoken, words_of

_MAX_NAME = 90
_STAND_IN = re.compile(r"(?:^|\breturn )(\w+(?:\.\w+)*)\.(called|(?:call|await)_args\.(?:kw)?args(?:\[0\])?)$")
"""A look at what it was given."""
_MAX_NAMED, _MAX_VALUE = 24, 40
"""Characters of a value that a name holds, and a sentence."""

_PRINTED = frozenset({"capsys.readouterr().out", "capsys.readouterr().err", "printed.getvalue()"})


def describe_outcome(observed: Observed) -> tuple[str, str]:
    """What the call does, as words for a name and as a sentence part: `is zero`, `returns \\`0\\``."""
    outcome = observed.outcome
    if outcome.kind == "raises" and outcome.error is not None:
        kind = outcome.error[1].split(".")[-1]
        return f"raises {words_of(kind)}", f"raises `{kind}`"
    if outcome.changes:
        where, attribute = outcome.changes[0].where, outcome.changes[0].attribute
        changed = attribute or _argument_name(observed, where)
        return f"changes {words_of(changed)}", f"changes `{changed}`"
    if observed.case.script is not None and observed.case.script.look.startswith("("):
        return "", "does this"  # several things are looked at
    if told := _look_words(observed):
        return told
    if outcome.view.startswith(EACH):
        part = outcome.view.removeprefix(EACH).strip("[]")
        return "", "gives items that hold these" if part.isdigit() else f"gives items with these `{part}`"
    if outcome.view:
        return "", _VIEWED.get(outcome.view, "gives an object that holds this")
    if outcome.kind == "opaque":
        hollow = EMPTY | {"None"}
        shown = next((a for a in outcome.attributes if a.value.text not in hollow), outcome.attributes[0]).name
        return f"has {words_of(shown)}", f"gives an object with this `{shown}`"
    return _value_words(outcome.value.text if outcome.value else "None", listed=outcome.listed)


_VIEWED = {
    "repr": "gives an object that is shown like this", "str": "gives an object with this text",
    "masked": "gives this text", "type": "gives an object of this class", "len": "gives something of this length",
}  # fmt: skip


_WRAPPING = {"len": "so many", "bool": "such"} | dict.fromkeys(
    ("list", "sorted", "set", "tuple", "dict", "str"), "this"
)
"""Builtins that are asked about a part of something, and what is said of that part."""


def look_told(script: Script) -> str:
    """What a script looks at; where a block before gives that its name, what it is there: `inside = load(1)`."""
    if script.look != INSIDE or not script.setup:
        return script.look
    try:
        nodes = [node for node in ast.walk(parse_source(script.setup[-1])) if isinstance(node, ast.Assign)]
    except UnreadableSourceError:
        return script.look
    given = [node.value for node in nodes if [getattr(one, "id", "") for one in node.targets] == [INSIDE]]
    last = given[-1] if given else None
    return ast.unparse(last.value if isinstance(last, ast.Await) else last) if last is not None else INSIDE


def _look_words(observed: Observed) -> tuple[str, str] | None:
    """Of a script that looks at what a call has left behind, or at a part of what it gave."""
    case = observed.case
    try:
        look = parse_expression(look_told(case.script)).body if case.script is not None else None
    except SyntaxError:
        return None
    if told := _handed_on(case.script, observed.outcome.value.text if observed.outcome.value else ""):
        return told
    if isinstance(look, ast.Name) and look.id != "result":
        inside = look.id == INSIDE
        return ("", "gives this inside") if inside else (f"leaves {words_of(look.id)}", f"leaves this in `{look.id}`")
    if isinstance(look, ast.Attribute) and look.attr != case.entry.name:
        return "", f"gives this `{look.attr}`"
    held = look.args[0] if isinstance(look, ast.Call) and ast.unparse(look.func) in _WRAPPING and look.args else None
    if isinstance(look, ast.Call) and isinstance(held, ast.Attribute) and held.attr != case.entry.name:
        return "", f"gives {_WRAPPING[ast.unparse(look.func)]} `{held.attr}`"
    return None


def _handed_on(script: Script | None, shown: str = "") -> tuple[str, str] | None:
    """Of a script that looks at what a stand-in was given, or whether it was called, which is `shown`."""
    last = [*script.setup, script.look] if script is not None else []
    last = last[:-1] if last[1:] and last[-1].startswith("asyncio.run(") else last
    if last and last[-1] == "caplog.messages":
        return "", "logs this"
    if last and last[-1] in _PRINTED:
        return "", "prints this"
    seen = _STAND_IN.search(last[-1]) if last else None
    if seen is None:
        return None
    called = "does not call" if shown == "False" else "calls"
    return "", f"{called if seen[2] == 'called' else 'gives this to'} `{seen[1]}`"


def _argument_name(observed: Observed, where: str) -> str:
    if where == "receiver":
        return observed.case.entry.holder
    number = int(where[1:]) if where[1:].isdecimal() else 0
    named = named_arguments(observed)
    return named[number][0] if number < len(named) else "argument"


def _value_words(text: str, *, listed: bool) -> tuple[str, str]:
    verb = "yields" if listed else "returns"
    if text in EMPTY:
        return ("yields nothing", "yields nothing") if listed else ("is empty", f"returns `{text}`")
    if text == "0":
        return "is zero", "returns 0"
    if text in {"True", "False", "None"}:
        return f"is {text.lower()}", f"returns {text}"
    words = spoken(text)
    short = words and is_constant(text) and len(words.split()) <= 3 and len(text) <= _MAX_NAMED
    shown = f"`{text}`" if len(text) <= _MAX_VALUE else "these items" if listed else shown_kind(text)
    return (f"is {words}" if short and not listed else ""), f"{verb} {shown}"


def called_instead(observed: Observed) -> str:
    """What a script looks at where that is another function's answer: a private function shows in its callers'."""
    case = observed.case
    if case.script is None or case.script.look in _PRINTED:
        return ""
    words = set(re.findall(r"\w+", case.script.text))
    try:
        look = parse_expression(look_told(case.script)).body
    except SyntaxError:
        return ""
    called = _shown_callee(look.func) if isinstance(look, ast.Call) else ""
    plain = re.fullmatch(r"\w+(\.\w+)?", called) and not hasattr(builtins, called) and called != "asyncio.run"
    return called if plain and case.entry.called not in words else ""


def _shown_callee(func: ast.expr) -> str:
    """What is called; of a method of an object that is made there, the class and the method."""
    held = func.value if isinstance(func, ast.Attribute) else None
    if isinstance(func, ast.Attribute) and isinstance(held, ast.Call):
        maker = ast.unparse(held.func).split(".")[-1]
        return f"{maker}.{func.attr}" if maker[:1].isupper() else func.attr
    return ast.unparse(func)


def seen_after(observed: Observed) -> tuple[str, str, bool] | None:
    """What a script looks at where the call that it is about comes before: (that, the call, whether it is no call)."""
    case = observed.case
    name = case.entry.called
    if case.script is None or re.search(rf"\b{name}\b", look_told(case.script)) or _handed_on(case.script):
        return None
    if not any(re.search(rf"\.{name}\b", statement) for statement in case.script.setup):
        return None
    try:
        look = parse_expression(look_told(case.script)).body
    except SyntaxError:
        return None
    seen = look.func if isinstance(look, ast.Call) else look
    if ast.unparse(seen) == "asyncio.run":
        return None
    shown = seen.attr if isinstance(seen, ast.Attribute) else getattr(seen, "id", "")
    return (shown, name, seen is look) if shown and not hasattr(builtins, shown) else None


def name_test(entry: Function, outcome: str, condition: str, taken: set[str], called: str = "") -> str:
    """A name that says the behaviour; shortened, and numbered if it is taken. Adds it to `taken`."""
    name, number = plain_name(entry, outcome, condition, called), 2
    base = name
    while name in taken or keyword.iskeyword(name):
        name, number = f"{base}_{number}", number + 1
    taken.add(name)
    return name


def plain_name(entry: Function, outcome: str, condition: str, called: str = "") -> str:
    """The same, whatever other tests are called."""
    own_name = entry.name.strip("_")
    subject = slug(words_of(called or own_name) if called or not own_name.islower() else own_name) or "call"
    if entry.kind == "init" and not called:
        subject = slug(words_of(entry.called))
    elif entry.owner and not called:
        subject = f"{slug(words_of(entry.owner))}_{subject}"
    own = not condition or condition.startswith(("after ", "given ", "by ", "saying "))
    joint = condition if own else f"when {condition}"
    parts = [subject, slug(outcome), slug(joint)]
    name = "_".join(part for part in parts if part)
    if len(name) > _MAX_NAME:
        name = "_".join(part for part in (subject, slug(joint)) if part)[:_MAX_NAME].rstrip("_")
    return f"test_{name}"


def describe_test(entry: Function, outcome: str, condition: str, parameters: int, called: str = "") -> str:
    """The docstring: one sentence."""
    one = parameters == 1 or outcome.startswith("raises ")
    does = outcome if one else "gives these results"
    joint = "" if not condition else condition if condition.startswith("after") else f"when {condition}"
    subject = called or (entry.called if entry.kind == "init" else entry.qualified)
    return f"`{subject}` {does}{' ' + joint if joint else ''}."
