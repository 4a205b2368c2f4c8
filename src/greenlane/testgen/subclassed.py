"""Calls on the smallest subclass of a class that is meant to be filled in: with a value where the class has None or
raises NotImplementedError, the rest as it is. Pure, and the same each time. Called by `search.py`.

    class Interval:                              class SimpleInterval(Interval):
        step = None                                  step = 1
        def after(self, value):             ->
            return value + self.step             SimpleInterval().after(3)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from greenlane.suite.lines import parse_expression, parse_source
from greenlane.testgen.code import Function, FunctionNode, Param
from greenlane.testgen.exchanged import renamed
from greenlane.testgen.guesses import guess_values, needs_of
from greenlane.testgen.inputs import CarvedCall, Case, Script
from greenlane.testgen.staged import before_and_call
from greenlane.testgen.turns import in_turn

_MAX_CASES, _MAX_WAYS, _MAX_BASES = 60, 3, 6
_ABSTRACT = frozenset({"abstractmethod", "abstractproperty", "abstractclassmethod", "abstractstaticmethod"})
_CALCULATED = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod)


class _Hole(msgspec.Struct, frozen=True):
    """What a subclass has to say: an attribute of the class, or a method (its header without the colon)."""

    name: str
    header: str
    ways: tuple[str, ...]
    """Values, or what the method gives back."""


def subclassed_cases(cases: Sequence[Case], tree: ast.Module) -> list[Case]:
    """These calls on a subclass of their function's class; none where the class is whole."""
    owner = cases[0].entry.owner if cases else None
    holes = _holes(cases[0].entry, _line_of_bases(owner, tree)) if owner else []
    if not holes or owner is None:
        return []
    own = [case for case in cases if case.script is None and _is_on(case, owner)]
    rows = [[_on_subclass(case, owner, text) for case in own] for text in _subclasses(owner, holes)]
    return [case for case in in_turn(rows) if case is not None][:_MAX_CASES]


def overridden(entry: Function, functions: Sequence[Function], tree: ast.Module) -> list[Function]:
    """The methods of this name in the bases of a method's class: what tests give to them, it may be given, too."""
    bases = [node.name for node in _line_of_bases(entry.owner, tree)[1:]]
    same = [f for f in functions if f.owner in bases and f.name == entry.name and f.kind == entry.kind]
    return same if entry.kind in {"method", "class", "static", "property"} else []


def as_if_on(owner: str, module: str, calls: Iterable[CarvedCall]) -> list[CarvedCall]:
    """Calls of a base's method as calls of this class's; those on the class itself, and on objects made by it alone."""
    found = []
    for call in calls:
        made = call.receiver
        name = re.match(r"(\w+)(\(|$)", made.text) if made is not None else None
        if made is None or name is None or call.history:
            continue
        imports = tuple((m, n) for m, n in made.imports if n != name[1])
        text = owner + made.text[name.end(1) :]
        receiver = msgspec.structs.replace(made, text=text, imports=(*imports, (module, owner)))
        found.append(msgspec.structs.replace(call, receiver=receiver))
    return found


def _line_of_bases(owner: str | None, tree: ast.Module) -> list[ast.ClassDef]:
    """The class and its bases in the module, nearest first."""
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    names = [owner] if owner in classes else []
    for name in names:  # it grows as it is read
        bases = [ast.unparse(base).partition("[")[0] for base in classes[name or ""].bases]
        names += [base for base in bases if base in classes and base not in names]
    return [classes[name] for name in names[:_MAX_BASES] if name]


def _holes(entry: Function, line: Sequence[ast.ClassDef]) -> list[_Hole]:
    filled = {name for node in line for name in _stored_attributes(node)}
    seen: set[str] = set()
    found = []
    for node in line:
        for member in node.body:
            for name in _names_of(member):
                if name in seen:
                    continue
                seen.add(name)
                hook = not name.startswith("_") and name in entry.asks and name not in filled
                wanted = hook if not isinstance(member, FunctionNode) else name != entry.name
                hole = _hole(name, member, entry, line) if wanted else None
                found += [hole] if hole is not None and hole.ways else []
    return found


def _names_of(member: ast.stmt) -> Iterator[str]:
    if isinstance(member, FunctionNode):
        yield member.name
    targets = member.targets if isinstance(member, ast.Assign) else [getattr(member, "target", None)]
    yield from (target.id for target in targets if isinstance(target, ast.Name))


def _hole(name: str, member: ast.stmt, entry: Function, line: Sequence[ast.ClassDef]) -> _Hole | None:
    if isinstance(member, FunctionNode):
        return _method(member, entry) if _is_abstract(member) else None
    value = member.value if isinstance(member, ast.Assign | ast.AnnAssign) else None
    left_open = isinstance(value, ast.Constant) and value.value in (None, Ellipsis)
    if not left_open and ast.unparse(value) != "NotImplemented" if value is not None else True:
        return None
    annotation = ast.unparse(member.annotation) if isinstance(member, ast.AnnAssign) else ""
    values = [v for v in guess_values(Param(name=name, annotation=annotation), entry) if v != "None" and _is_plain(v)]
    if _is_calculated(name, line):
        values = ["1", *values]
    return _Hole(name, "", tuple(dict.fromkeys(values))[:_MAX_WAYS])


def _is_plain(text: str) -> bool:
    """Whether a value needs nothing but itself."""
    return not any(isinstance(n, ast.Name | ast.Lambda) for n in ast.walk(parse_expression(text)))


def _is_calculated(name: str, line: Sequence[ast.ClassDef]) -> bool:
    """Whether something is added to it and the like: it, or a variable that it is given to."""
    for method in (m for node in line for m in node.body if isinstance(m, FunctionNode)):
        given = [n for n in ast.walk(method) if isinstance(n, ast.Assign) and _is_own_attribute(n.value, name)]
        names = {target.id for n in given for target in n.targets if isinstance(target, ast.Name)}
        for node in ast.walk(method):
            if isinstance(node, ast.BinOp) and isinstance(node.op, _CALCULATED):
                sides = (node.left, node.right)
                if any(_is_own_attribute(s, name) or (isinstance(s, ast.Name) and s.id in names) for s in sides):
                    return True
    return False


def _is_own_attribute(node: ast.AST, name: str = "") -> bool:
    own = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
    return own and (not name or getattr(node, "attr", "") == name)


def _stored_attributes(node: ast.ClassDef) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store) and _is_own_attribute(part):
            yield part.attr


def _is_abstract(node: FunctionNode) -> bool:
    if any(ast.unparse(d).split(".")[-1] in _ABSTRACT for d in node.decorator_list):
        return True
    body = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    raised = body[0].exc if len(body) == 1 and isinstance(body[0], ast.Raise) else None
    return raised is not None and "NotImplementedError" in ast.unparse(raised)


def _method(node: FunctionNode, entry: Function) -> _Hole | None:
    """What it gives: by its annotation, else what it was given, else nothing."""
    if node.name.startswith("__") and node.name.endswith("__") and node.name != "__call__":
        return None
    kinds = [d for d in map(ast.unparse, node.decorator_list) if d in {"classmethod", "staticmethod", "property"}]
    names = [a.arg for a in node.args.args[0 if "staticmethod" in kinds else 1 :]]
    arguments = ast.unparse(_without_annotations(node.args))
    said = ast.unparse(node.returns) if node.returns is not None else ""
    guessed = guess_values(Param(name=node.name, annotation=said), entry) if said and said != "None" else []
    ways = [value for value in guessed if _is_plain(value)][:_MAX_WAYS] or [*names[:1], "1", "None"]
    head = "".join(f"@{kind}\n" for kind in kinds)
    keyword = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    return _Hole(node.name, f"{head}{keyword} {node.name}({arguments})", tuple(dict.fromkeys(ways))[:_MAX_WAYS])


def _without_annotations(arguments: ast.arguments) -> ast.arguments:
    def bare(given: Iterable[ast.arg]) -> list[ast.arg]:
        return [ast.arg(arg=a.arg) for a in given]

    return ast.arguments(
        posonlyargs=bare(arguments.posonlyargs),
        args=bare(arguments.args),
        vararg=ast.arg(arg=arguments.vararg.arg) if arguments.vararg else None,
        kwonlyargs=bare(arguments.kwonlyargs),
        kw_defaults=arguments.kw_defaults,
        kwarg=ast.arg(arg=arguments.kwarg.arg) if arguments.kwarg else None,
        defaults=arguments.defaults,
    )


def _name_for(owner: str) -> str:
    return f"Simple{re.sub(r'^_*(Abstract|Base)(?=[A-Z])|(Base|ABC)$', '', owner).lstrip('_')}"


def _subclasses(owner: str, holes: Sequence[_Hole]) -> Iterator[str]:
    """The class statement with the first way for each hole, then with the second, and the third."""
    for number in range(max(len(hole.ways) for hole in holes)):
        rows = []
        for hole in sorted(holes, key=lambda one: bool(one.header)):
            way = hole.ways[min(number, len(hole.ways) - 1)]
            own = f"{hole.header}:\n    return {way}" if hole.header else f"{hole.name} = {way}"
            rows += own.splitlines()
        body = "\n".join(f"    {row}" for row in rows)
        yield ast.unparse(parse_source(f"class {_name_for(owner)}({owner}):\n{body}"))


def _is_on(case: Case, owner: str) -> bool:
    named = [case.receiver or "", *(text for _, text in case.arguments)]
    return case.entry.kind == "init" or any(re.search(rf"\b{owner}\b", text) for text in named)


def _on_subclass(case: Case, owner: str, statement: str) -> Case | None:
    before, called = before_and_call(case)
    names: Mapping[str, str] = {owner: _name_for(owner)}
    texts = [renamed(text, names) for text in (*before, called)]
    needed, fixtures = needs_of(called, case.entry)
    script = Script(
        imports=frozenset({*case.imports, *needed, (case.entry.module, owner)}),
        setup=(statement, *texts[:-1]),
        look=texts[-1],
    )
    return case.with_script(script, case.fixtures | fixtures)
