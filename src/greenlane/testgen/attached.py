"""Scripts for a method that no test calls, of an object that tests make, or that is a part of one: the call is put
between, or at the end. Pure, but for `kept_as`.

`self.inline = ParserInline()` in `class Markdown` says that `md.inline.add_sign("w")` can stand after
`md = Markdown()`. What a test calls like a parameter is given to it: `checker.check(tree)` after `tree = parse("a")`,
`checker = Checker(tree)`.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence, Set
from pathlib import Path

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.exchanged import Exchanging
from greenlane.testgen.guesses import guess_values, imports_for
from greenlane.testgen.inputs import Script
from greenlane.testgen.reading import parse_text, read_inside
from greenlane.testgen.scripts import FoundScript
from greenlane.testgen.slicing import bound_in

_MAX_AROUND, _MAX_BYTES = 60, 400_000
_GUESSES, _ROWS = 3, 4


def kept_as(tree: Path, path: str, owner: str) -> dict[str, str]:
    """By the class that keeps an object of this one, the attribute under which it does: of files beside this one and in
    the folder above. Reads files."""
    file = tree / path
    asked = re.compile(rf"\bself\.\w+\b[^=\n]*=\s*(?:\w+\.)?{re.escape(owner)}\(")
    found: dict[str, str] = {}
    for other in sorted([*file.parent.glob("*.py"), *file.parent.parent.glob("*.py")])[:_MAX_AROUND]:
        text = read_inside(tree, other, _MAX_BYTES)
        parsed = parse_text(text) if text is not None and asked.search(text) else None
        for node in ast.walk(parsed) if parsed is not None else ():
            if isinstance(node, ast.ClassDef):
                for name in _kept(node, owner):
                    found.setdefault(node.name, name)
    return found


def _kept(node: ast.ClassDef, owner: str) -> Iterator[str]:
    for part in ast.walk(node):
        value = part.value if isinstance(part, ast.Assign | ast.AnnAssign) else None
        targets = part.targets if isinstance(part, ast.Assign) else [getattr(part, "target", None)]
        made = isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] == owner
        for target in targets if made else ():
            if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                yield target.attr


def attach(found: FoundScript, entry: Function, kept: dict[str, str]) -> Iterator[FoundScript]:
    """The script with a call of this method on the part of each object that has one, or is one itself (an empty name in
    `kept`), before it is used further; where it gives something, with a look at that."""
    script = found.script
    for place, text in enumerate((*script.setup, script.look)):
        if not any(f"{name}(" in text for name in kept):
            continue
        try:
            tree = parse_source(text)
        except UnreadableSourceError:
            continue
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
            attribute = kept.get(ast.unparse(call.func).split(".")[-1])
            if attribute is not None:
                yield from (_found(found, one) for one in _with_call(script, place, tree, call, attribute, entry))
                return


def _found(found: FoundScript, script: Script) -> FoundScript:
    return FoundScript(test=found.test, script=script, fixtures=found.fixtures)


def _with_call(
    script: Script, place: int, tree: ast.Module, call: ast.Call, attribute: str, entry: Function
) -> Iterator[Script]:
    statement = tree.body[0]
    named = statement.targets[0] if isinstance(statement, ast.Assign) and statement.value is call else None
    if any(isinstance(node, FunctionNode | ast.ClassDef) for node in ast.walk(tree)):
        return
    texts = [*script.setup, script.look]
    if isinstance(named, ast.Name):
        name, before, rest = named.id, texts[: place + 1], texts[place + 1 :]
    else:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", ast.unparse(call.func).split(".")[-1]).lower()
        if re.search(rf"\b{name}\b", script.text):
            return
        made = f"{name} = {ast.unparse(call)}"
        changed = ast.unparse(Exchanging(call, parse_expression(name).body).visit(tree))
        before, rest = [*texts[:place], made], [changed, *texts[place + 1 :]]
    if not attribute and isinstance(named, ast.Name) and entry.returns_value:
        before = texts[:-1]  # all that the script does with it is done
    bound = {one for text in before for node in parse_source(text).body for one in bound_in(node)}
    for given in _rows(entry, bound):
        done = f"{'.'.join(filter(None, (name, attribute, entry.name)))}({', '.join(given)})"
        imports = script.imports | imports_for(done, script.text)
        if entry.returns_value:
            yield Script(imports=imports, setup=tuple(before), look=done, marks=script.marks)
        elif rest:
            yield Script(imports=imports, setup=(*before, done, *rest[:-1]), look=rest[-1], marks=script.marks)


def _rows(entry: Function, bound: Set[str]) -> Iterator[Sequence[str]]:
    required = [param for param in entry.params if param.default is None]
    pools = [[p.name] if p.name in bound else guess_values(p, entry)[:_GUESSES] for p in required]
    for row in itertools.islice(itertools.product(*pools), _ROWS):
        yield [f"{p.name}={v}" if p.keyword_only else v for p, v in zip(required, row, strict=True)]
