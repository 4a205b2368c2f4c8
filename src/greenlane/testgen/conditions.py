"""Under which condition a call shows what it does: words for a test's name and a sentence's part. Pure."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence

from greenlane.suite.lines import parse_expression
from greenlane.testgen.code import Function
from greenlane.testgen.explore import Observed
from greenlane.testgen.guards import Guard
from greenlane.testgen.inputs import Script
from greenlane.testgen.inside.greenlane_edits import name_of
from greenlane.testgen.likeness import differing_names
from greenlane.testgen.words import EMPTY, is_constant, spoken, words_of

_MAX_CONDITION_WORDS, _MAX_VALUE_WORDS = 9, 3
_MANY = 3
"""Arguments that differ: more of them are no name any more."""
_MESSAGE_WORDS = 5
_QUOTING = re.compile(r"['\"`<>()\[\]{}=\\\d]")
"""Where a message begins to quote what was given."""
_LINKS = frozenset(
    {"a", "an", "and", "at", "be", "by", "for", "from", "got", "in", "is", "must", "not", "of", "on", "or", "than",
     "the", "to", "was", "with"}
)  # fmt: skip
"""Words that no name ends in."""
_SETTING = re.compile(r"monkeypatch\.set(?:env|attr)\('([\w.]+)', ('[^'\n]{0,24}'|True|False)\)")
_UNSETTING = re.compile(r"monkeypatch\.delenv\('(\w+)', raising=False\)")
_MODULES = frozenset({"math", "os", "re", "sys", "inspect", "datetime", "cmath", "types", "typing"})
_BUILT_IN_TESTS = frozenset(
    {"alnum", "alpha", "ascii", "decimal", "digit", "finite", "identifier", "inf", "infinite", "leap", "lower", "nan",
     "numeric", "space", "title", "upper"}
)  # fmt: skip
_VERBS = {
    "startswith": ("starts with", "does not start with"),
    "endswith": ("ends with", "does not end with"),
    "hasattr": ("has", "has no"),
    "callable": ("is callable", "is not callable"),
}
_COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Gt: ("is over", "is at most"),
    ast.GtE: ("is at least", "is under"),
    ast.Lt: ("is under", "is at least"),
    ast.LtE: ("is at most", "is over"),
    ast.Eq: ("is", "is not"),
    ast.NotEq: ("is not", "is"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("is in", "is not in"),
    ast.NotIn: ("is not in", "is in"),
}


def describe_condition(guards: Sequence[Guard], observed: Observed, *others: Observed) -> tuple[str, str]:
    """The best of `list_conditions`."""
    return list_conditions(guards, observed, *others)[0]


def list_conditions(guards: Sequence[Guard], observed: Observed, *others: Observed) -> list[tuple[str, str]]:
    """The conditions under which the line runs, as code words for a name and as a sentence with code in it, best first
    (a further one is for a name that another test has): of the innermost guard that speaks of what one can see from
    outside, then what the function is called with, as far as it is the same in the `others` that stand in the same
    test."""
    found = [*_guards_words(guards, observed), _argument_words(observed, others)]
    if not others:
        found += [_look_words(observed), (_message_words(observed), "")]
    told = [(words, re.sub(r"\b(?:self|cls)\.(?=\w)", "", sentence)) for words, sentence in found if words]
    return told or [("", "")]


def _guards_words(guards: Sequence[Guard], observed: Observed) -> Iterator[tuple[str, str]]:
    for guard in reversed(guards):
        described = _guard_words(guard, observed) if _is_seen_outside(guard, observed.case.entry) else None
        if described is not None and len(described[0].split()) <= _MAX_CONDITION_WORDS:
            yield described


def _is_seen_outside(guard: Guard, entry: Function) -> bool:
    """Whether a condition names parameters, attributes and constants alone: a local variable says nothing to a reader
    of the test."""
    if guard.test.startswith("except "):
        return True
    try:
        names = {n.id for n in ast.walk(parse_expression(guard.test)) if isinstance(n, ast.Name)}
    except SyntaxError:
        return False
    known = {param.name for param in entry.params} | {"self", "cls"}
    return all(name in known or name.isupper() or hasattr(builtins, name) or name in _MODULES for name in names)


def _guard_words(guard: Guard, observed: Observed) -> tuple[str, str] | None:
    if guard.test.startswith("except "):
        kind = guard.test.removeprefix("except ")
        names = re.findall(r"[A-Za-z]+", kind)
        shown = " or ".join(names)
        article = "an" if shown[:1] in "AEIOU" else "a"
        return (f"after {words_of(shown)}", f"after {article} {shown}") if names else None
    try:
        tree = parse_expression(guard.test).body
    except SyntaxError:
        return None
    return _test_words(tree, guard.met, observed)


def _test_words(tree: ast.expr, met: bool, observed: Observed) -> tuple[str, str] | None:
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not):
        return _test_words(tree.operand, not met, observed)
    if isinstance(tree, ast.BoolOp):
        decisive = isinstance(tree.op, ast.And) == met  # every part is known: `a and b` met, `a or b` not met
        parts = [_test_words(value, met, observed) for value in tree.values]
        if decisive and all(part is not None for part in parts) and len(parts) == 2:
            shown = [part for part in parts if part is not None]
            return " and ".join(p[0] for p in shown), " and ".join(p[1] for p in shown)
        return None
    if isinstance(tree, ast.Compare) and len(tree.ops) == 1:
        return _comparison_words(tree, met)
    subject = ast.unparse(tree)
    if isinstance(tree, ast.Name | ast.Attribute | ast.Subscript):
        return _truth_words(subject, met, observed)
    if isinstance(tree, ast.Call) and _looked_up(tree) is not None:
        return _presence_words(tree, met)
    if isinstance(tree, ast.Call):
        return _call_words(tree, met) or (words_of(f"{subject} is {'true' if met else 'false'}"), _said(subject, met))
    return None


def _said(subject: str, met: bool) -> str:
    return f"`{subject}` is {'true' if met else 'false'}"


def _call_words(tree: ast.Call, met: bool) -> tuple[str, str] | None:
    """`math.isfinite(float(value))` as "value is finite", `isinstance(value, str)` as "value is a str"."""
    called = name_of(tree)
    if called == "isinstance" and len(tree.args) == 2:
        subject, kind = ast.unparse(tree.args[0]), ast.unparse(tree.args[1])
        names = " or ".join(part.strip().split(".")[-1] for part in re.split(r"[,|]", kind.strip("()")) if part.strip())
        article = "an" if names[:1].lower() in set("aeiou") else "a"
        verb = f"is {article}" if met else "is no"
        return (
            f"{words_of(subject)} {verb} {words_of(names)}",
            f"`{subject}` {verb} `{names.replace(' or ', '` or `')}`",
        )
    own = isinstance(tree.func, ast.Attribute) and not _is_module(tree.func.value)
    if not own and not tree.args:
        return None
    subject_node = tree.func.value if own and isinstance(tree.func, ast.Attribute) else tree.args[0]
    rest = tree.args if own else tree.args[1:]
    if len(rest) > 1 or tree.keywords:
        return None
    while isinstance(subject_node, ast.Call) and len(subject_node.args) == 1 and not subject_node.keywords:
        subject_node = subject_node.args[0]  # float(value) is still the value to a reader
    subject, other = ast.unparse(subject_node), ast.unparse(rest[0]) if rest else ""
    verbs = _VERBS.get(called) or _is_words(called)
    if verbs is None or (verbs[0].startswith("is ") and rest):
        return None
    verb = verbs[0] if met else verbs[1]
    name = f"{words_of(subject)} {verb} {words_of(other) or ('text' if other else '')}".strip()
    return name, f"`{subject}` {verb}{f' `{other}`' if other else ''}"


def _is_words(called: str) -> tuple[str, str] | None:
    """`is_leap`, `isfinite`, `has_key` as the verb of a sentence."""
    found = re.fullmatch(r"_*(is|has)(_?)([a-z_0-9]+)", called)
    if found is None or (not found[2] and found[3] not in _BUILT_IN_TESTS):
        return None
    words = words_of(found[3])
    return (f"is {words}", f"is not {words}") if found[1] == "is" else (f"has {words}", f"has no {words}")


def _is_module(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in _MODULES


def _looked_up(tree: ast.Call) -> str | None:
    """The key in `x.get("key")`."""
    key = tree.args[0] if tree.args else None
    plain = isinstance(tree.func, ast.Attribute) and tree.func.attr == "get" and isinstance(key, ast.Constant)
    return key.value if plain and isinstance(key, ast.Constant) and isinstance(key.value, str) else None


def _presence_words(tree: ast.Call, met: bool) -> tuple[str, str]:
    key = _looked_up(tree)
    holder = ast.unparse(tree.func).rpartition(".")[0]
    verb = "has" if met else "has no"
    return f"{words_of(holder)} {verb} {words_of(key or '')}", f"`{holder}` {verb} `{key}`"


def _comparison_words(tree: ast.Compare, met: bool) -> tuple[str, str] | None:
    verbs = _COMPARISONS.get(type(tree.ops[0]))
    if verbs is None:
        return None
    verb = verbs[0] if met else verbs[1]
    left, right = ast.unparse(tree.left), ast.unparse(tree.comparators[0])
    right_words = "zero" if right == "0" else spoken(right)
    left_words = words_of(left).removeprefix("len ")
    if left.startswith("len(") and right == "0" and verb in {"is", "is not"}:
        right_words = "empty"
    if isinstance(tree.ops[0], ast.Lt) and met and right == "0":
        return f"{left_words} is negative", f"`{left}` is negative"
    if not left_words or not right_words:
        return None
    return f"{left_words} {verb} {right_words}", f"`{left}` {verb} `{right}`"


def _truth_words(subject: str, met: bool, observed: Observed) -> tuple[str, str]:
    given = dict(named_arguments(observed))
    value = given.get(subject)
    words = words_of(subject)
    if met:
        return f"{words} is set" if value not in {"True"} else words, f"`{subject}` is set"
    if value in EMPTY:
        return f"{words} is empty", f"`{subject}` is empty"
    if value == "0":
        return f"{words} is zero", f"`{subject}` is 0"
    if value == "None":
        return f"{words} is none", f"`{subject}` is None"
    if value == "False":
        return f"not {words}", f"`{subject}` is false"
    return f"no {words}", f"there is no `{subject}`"


def named_arguments(observed: Observed) -> list[tuple[str, str]]:
    """The arguments of a call, each with the name of its parameter."""
    entry = observed.case.entry
    further = entry.rest if len({param.name for param in entry.rest}) == len(entry.rest) else ()
    params = (*entry.places, *further)
    named = []
    for number, (name, text) in enumerate(observed.case.arguments):
        shown = name or (params[number].name if number < len(params) else f"argument {number + 1}")
        named.append((shown, text))
    return named


def _differing(calls: Sequence[Observed]) -> list[str]:
    """The arguments, or the values in a script, in which these calls differ."""
    scripts = [one.case.script for one in calls if one.case.script is not None]
    if scripts:
        return differing_names(scripts, calls[0].case.entry)
    rows = [named_arguments(one) for one in calls]
    return [column[0][0] for column in zip(*rows, strict=False) if len({text for _, text in column}) > 1]


def _message_words(observed: Observed) -> str:
    """`saying` and the first words of an error's text, up to what it quotes."""
    message = observed.outcome.message
    for text in (_QUOTING.split(message)[0], message):
        said = words_of(text).split()[:_MESSAGE_WORDS]
        while said and said[-1] in _LINKS:
            said.pop()
        if len(said) > 1:
            return " ".join(["saying", *said])
    return ""


def _look_words(observed: Observed) -> tuple[str, str]:
    """The last plain value that the look of a script gives to what it calls, if that value has a name."""
    script, entry = observed.case.script, observed.case.entry
    try:
        tree = parse_expression(script.look) if script is not None else None
    except SyntaxError:
        return "", ""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)) if tree is not None else ():
        params = [param.name for param in entry.places] if name_of(call) == entry.called else []
        named = [(name, ast.unparse(node)) for name, node in zip(params, call.args, strict=False)]
        named += [(keyword.arg, ast.unparse(keyword.value)) for keyword in call.keywords if keyword.arg]
        told = [(n, t) for n, t in named if t in EMPTY or is_constant(t)]
        for name, text in reversed(told):
            if 0 < len(spoken(text).split()) <= _MAX_VALUE_WORDS:
                return f"{words_of(name)} is {spoken(text)}", f"`{name}` is `{text}`"
    return "", ""


def _argument_words(observed: Observed, others: Sequence[Observed]) -> tuple[str, str]:
    """No condition to name: say with what it was called, or by which arguments several calls differ."""
    if others:
        differing = _differing((observed, *others))
        return (f"by {words_of(' and '.join(differing))}" if 0 < len(differing) < _MANY else ""), ""
    if observed.case.script is not None:
        script, entry = observed.case.script, observed.case.entry
        found = _circumstance_words(script)
        own = re.search(rf"\b{re.escape(entry.called)}\(", script.look)
        return _look_words(observed) if own and not found[0] else found
    named = [(n, t) for n, t in named_arguments(observed) if t not in observed.case.fixtures]
    short = [(n, t) for n, t in named if len(words_of(t).split()) <= _MAX_VALUE_WORDS]
    if not short:
        return "", ""
    name, text = next((pair for pair in reversed(short) if is_constant(pair[1])), short[-1])
    made = re.match(r"([A-Z]\w*)\(", text)
    if made:
        article = "an" if made[1][:1] in "AEIOU" else "a"
        return f"{words_of(name)} is {article} {words_of(made[1])}", f"`{name}` is `{text}`"
    if not is_constant(text) and text not in EMPTY:
        return f"given {words_of(name)}", f"`{name}` is `{text}`"
    value, shown = spoken(text), f"`{name}` is `{text}`"
    if not value:  # its words would say little of such a text
        return (_message_words(observed) or f"given {words_of(name)}", shown)
    return f"{words_of(name)} is {value}", shown


def _circumstance_words(script: Script) -> tuple[str, str]:
    """What a script sets before the call: an environment variable, a flag, the platform."""
    for statement in reversed(script.setup):
        found = _SETTING.fullmatch(statement)
        if found is not None:
            name, value = found[1].split(".")[-1], found[2]
            return f"{words_of(name)} is {spoken(value) or 'given'}", f"`{name}` is `{value}`"
    for statement in reversed(script.setup):
        if (found := _UNSETTING.fullmatch(statement)) is not None:
            return f"{words_of(found[1])} is not set", f"`{found[1]}` is not set"
    return "", ""
