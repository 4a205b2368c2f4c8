"""What a stand-in has to give, told by what the code does with it. Pure; for `answered.py`.

def schema(handler, core):                      "resolve.return_value": {}
    found = handler.resolve(core)
    found["title"] = "A"
    return found

def rows(client):                               "get.return_value.json.return_value": {'items': 'a'}
    answer = client.get("/rows")
    return answer.json()["items"]

for key, value in store.read(): ...             "read.return_value": [('a', 'b')]
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from greenlane.testgen.belongings import compared
from greenlane.testgen.code import FunctionNode
from greenlane.testgen.exchanged import Exchanging
from greenlane.testgen.parsed import texts_read
from greenlane.testgen.shapes import kinds_by_shape, samples, text_for
from greenlane.testgen.unpacked import unpacked

Reply = tuple[str, str]
"""The name of an answer, as a stand-in is made with it, and an expression for what it is."""
_MOST_REPLIES, _MOST_OF_ONE = 4, 2
_HELD = "what_was_answered"
_OF_KIND: tuple[tuple[str, str, type], ...] = (
    ("str", "'abc'", str), ("dict", "{'a': 1}", dict), ("list", "['a', 'b']", list), ("bytes", "b'abc'", bytes),
    ("set", "{1, 2}", set),
)  # fmt: skip
_PLAIN = frozenset(name for kind in (str, bytes, dict, list, set) for name in dir(kind))
_BY_SHAPE = {"dict": "{}", "list": "['a', 'b']", "str": "'abc'"}
_RETURNED = "'abc'"


def names_of_answers(node: FunctionNode) -> dict[str, str]:
    """What stands for a parameter (an empty name), or for what one gave, by the local name that it goes by."""
    known = {one.arg: "" for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
    known = {name: path for name, path in known.items() if name not in {"self", "cls"}}
    bound = [n for n in ast.walk(node) if isinstance(n, ast.Assign | ast.With)]
    for part in sorted(bound, key=lambda n: n.lineno):
        if isinstance(part, ast.Assign) and len(part.targets) == 1 and isinstance(part.targets[0], ast.Name):
            path = name_of_answer(part.value, known)
            known |= {part.targets[0].id: path} if path else {}
        for item in part.items if isinstance(part, ast.With) else ():
            path = name_of_answer(item.context_expr, known)
            if path and isinstance(item.optional_vars, ast.Name):
                known[item.optional_vars.id] = f"{path}.__enter__.return_value"
    return known


def name_of_answer(node: ast.expr, known: Mapping[str, str]) -> str:
    """`get.return_value.status` for `client.get("a").status`, `return_value` for `handler(core)`; empty for what no
    stand-in gives."""
    parts: list[str] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute) and not node.attr.startswith("_"):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call):
            parts.append("return_value")
            node = node.func
        elif isinstance(node, ast.Await):
            node = node.value
        else:
            return ""
    if node.id not in known:
        return ""
    return ".".join([*filter(None, [known[node.id]]), *reversed(parts)])


def replies(node: FunctionNode) -> list[list[Reply]]:
    """What the answers are that something known is asked of: all as they are told first, then one told otherwise."""
    known = names_of_answers(node)
    told = {name: values for name, values in _told(node, known) if values}
    names = [name for name in told if not any(other.startswith(f"{name}.") for other in told)][:_MOST_REPLIES]
    first = [(name, told[name][0]) for name in names]
    others = [[(n, v) if n == name else (n, told[n][0]) for n in names] for name in names for v in told[name][1:]]
    return [first, *others] if first else []


def answers_to(node: FunctionNode, call: ast.Call) -> list[str]:
    """Expressions for what this call gives, as the function goes on with it; most telling first."""
    named = (n for n in ast.walk(node) if isinstance(n, ast.Assign) and call in (n.value, getattr(n.value, "value", 0)))
    target = next((t for n in named for t in n.targets if isinstance(t, ast.Name)), None)
    told = _values(target.id, node) if target is not None else _values(_HELD, _with_name_for(call, node))
    return list(dict.fromkeys(told)) or [_RETURNED]


def _told(node: FunctionNode, known: Mapping[str, str]) -> Iterator[tuple[str, Sequence[str]]]:
    local = {path: name for name, path in known.items() if path}
    returned = {name_of_answer(n.value, known) for n in ast.walk(node) if isinstance(n, ast.Return) and n.value}
    seen = {""}
    for call in (n for n in ast.walk(node) if isinstance(n, ast.Call)):
        path = name_of_answer(call, known)
        if path not in seen and not _is_of_plain(call, known):
            seen.add(path)
            name = local.get(path, _HELD)
            holder = node if path in local else _with_name_for(call, node)
            values = list(dict.fromkeys(_values(name, holder)))
            yield path, (values or [_RETURNED] * (path in returned))[:_MOST_OF_ONE]


def _with_name_for(call: ast.Call, node: FunctionNode) -> ast.AST:
    """The function with a name in the place of this call."""
    made: ast.AST = Exchanging(call, ast.Name(id=_HELD, ctx=ast.Load())).visit(node)
    return made


def _is_of_plain(call: ast.Call, known: Mapping[str, str]) -> bool:
    """`client.read().split()`: asked of what is a plain value, not of a stand-in."""
    func = call.func
    return isinstance(func, ast.Attribute) and func.attr in _PLAIN and bool(name_of_answer(func.value, known))


def _values(name: str, holder: ast.AST) -> Iterator[str]:
    """What does all that is asked of this name."""
    names = {name}
    read = {n.attr for n in ast.walk(holder) if isinstance(n, ast.Attribute) and ast.unparse(n.value) == name}
    fitting = [(kind, text) for kind, text, known in _OF_KIND if all(hasattr(known, one) for one in read)]
    if not fitting:
        return
    kinds = list(kinds_by_shape(names, holder))
    shaped = [*texts_read(names, holder), *unpacked(names, holder), *samples(names, holder)]
    cut = text_for(names, holder)
    shaped += [repr(cut)] if read and cut != "a" else []
    yield from (text for text in shaped if not read or _kind(text) in dict(fitting))
    yield from (_BY_SHAPE[kind] for kind in kinds if kind in dict(fitting))
    yield from (text for _, text in fitting if read)
    yield from compared(names, holder)


def _kind(text: str) -> str:
    try:
        return type(ast.literal_eval(text)).__name__
    except (ValueError, SyntaxError):
        return ""
