"""Scripts for a class that no test uses yet: those of its siblings, with the one class swapped for the other. Pure.

`FishComplete(cli).format_completion(item)` in a test, and a new class `PowerShellComplete` with the same base:
`PowerShellComplete(cli).format_completion(item)`. Where a table of the module names both (`{"fish": FishComplete,
"powershell": PowerShellComplete}`), its keys are swapped, too: `invoke(cli, env={"SHELL": "powershell"})`; and where
objects of both are given by methods that make them of the same, these methods.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.code import Function
from greenlane.testgen.inputs import Import
from greenlane.testgen.scripts import FoundScript


def siblings_of(tree: ast.Module, owner: str | None) -> frozenset[str]:
    """Classes of the module with a base in common with this one, that base itself, and those that end on the same word
    and have a method of their own in common: `MultipleFileField` and `FileField`."""
    nodes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    bases = {
        name: {ast.unparse(base) for base in node.bases} - {"object", "Exception", "ABC"}
        for name, node in nodes.items()
    }
    own = bases.get(owner or "", set())
    alike = _named_alike(nodes, owner) if owner in nodes else set()
    return frozenset(
        name for name, held in bases.items() if name != owner and (held & own or name in own or name in alike)
    )


def _named_alike(nodes: Mapping[str, ast.ClassDef], owner: str) -> set[str]:
    word, methods = _words(owner)[-1:], _methods(nodes[owner])
    return {name for name, node in nodes.items() if _words(name)[-1:] == word and methods & _methods(node)}


def _methods(node: ast.ClassDef) -> set[str]:
    return {n.name for n in node.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("__")}


def _words(name: str) -> list[str]:
    return re.findall(r"_?[A-Z]?[^A-Z_]+|[A-Z_]", name)


def family_of(tree: ast.Module, owner: str | None) -> tuple[str, ...]:
    """A class and those of its module that inherit from it: objects of each have its methods."""
    bases = {
        node.name: {ast.unparse(base).partition("[")[0] for base in node.bases}
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }
    found = [owner] if owner else []
    for known in found:  # it grows as it is read
        found += [name for name, held in bases.items() if known in held and name not in found]
    return tuple(found)


def bases_of(tree: ast.Module, owner: str) -> list[str]:
    """The classes of its module that a class inherits from."""
    nodes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    found = [owner]
    for name in found:  # it grows as it is read
        held = [ast.unparse(base).partition("[")[0] for base in nodes[name].bases] if name in nodes else []
        found += [base for base in held if base in nodes and base not in found]
    return found[1:]


def counterparts(tree: ast.Module, owner: str | None) -> dict[str, str]:
    """By the name of a class, the one that takes its place where this class takes that of a sibling: this one, and what
    belongs to either by its name: where `LazyAfter` becomes `LazyBefore`, `After` becomes `Before`."""
    if owner is None:
        return {}
    names = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    own = {owner, *bases_of(tree, owner), *family_of(tree, owner)}
    found = dict.fromkeys(sorted(siblings_of(tree, owner)), owner)
    for base in (owner, *bases_of(tree, owner)):
        for sibling in sorted(siblings_of(tree, base) & names - own):
            mine, its = _unlike(base, sibling)
            for name in sorted(names - own) if mine and its else ():
                other = name.replace(its, mine)
                found |= {name: other} if its in name and other in own else {}
    return found


def _unlike(one: str, other: str) -> tuple[str, str]:
    """The words of two names that are left without those that they begin and end with in common."""
    mine, its = _words(one), _words(other)
    while mine and its and mine[0] == its[0]:
        mine, its = mine[1:], its[1:]
    while mine and its and mine[-1] == its[-1]:
        mine, its = mine[:-1], its[:-1]
    return "".join(mine), "".join(its)


def named_in_tables(tree: ast.Module, owner: str | None, siblings: frozenset[str]) -> Mapping[str, str]:
    """By the key of a sibling in a table of the module, the key of this class."""
    found: dict[str, str] = {}
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if not isinstance(value, ast.Dict):
            continue
        named = {
            held.id: key.value
            for key, held in zip(value.keys, value.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(key.value, str) and isinstance(held, ast.Name)
        }
        if owner in named:
            found |= {named[name]: named[owner] for name in siblings & named.keys()}
    return found


def made_likewise(tree: ast.Module, owner: str | None, siblings: frozenset[str]) -> Mapping[str, str]:
    """By the name of a method that gives an object of a sibling, that of one which makes one of this class of the same
    things: after `field.bitwiseand(2)` tests of the one class, `field.bitwiseor(2)` the other."""
    given: dict[tuple[str, str], dict[str, str]] = {}
    for holder in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for method in (node for node in holder.body if isinstance(node, ast.FunctionDef)):
            last = method.body[-1]
            made = last.value if isinstance(last, ast.Return) else None
            if isinstance(made, ast.Call) and isinstance(made.func, ast.Name) and made.func.id in siblings | {owner}:
                parts = ast.dump(ast.Tuple(elts=[*made.args, *(k.value for k in made.keywords)], ctx=ast.Load()))
                given.setdefault((holder.name, parts), {}).setdefault(made.func.id, method.name)
    rows = [row for row in given.values() if owner in row]
    return {row[name]: row[owner] for row in rows for name in sorted(row) if owner and name != owner}


def swap_classes(found: FoundScript, entry: Function, tree: ast.Module) -> Iterator[FoundScript]:
    """The script with a sibling of the entry's class that it names made this class, and what belongs to either made its
    counterpart; nothing if it names none. Where it names several, each by itself, what is made of the same first, and
    all at once: of `Sequence(ZeroOrMore("a"), "b")` comes `Sequence(AnyUntil("a"), "b")`."""
    classes = counterparts(tree, entry.owner)
    whole = _swapped(found, entry, tree, classes)
    if whole is None:
        return
    script, swapped = whole
    several = sorted(name for name in swapped if classes.get(name) == entry.owner)
    several.sort(key=lambda name: _made_of(tree, name) != _made_of(tree, entry.owner))
    for name in several if len(several) > 1 else ():
        rest = {one: other for one, other in classes.items() if one == name or other != entry.owner}
        alone = _swapped(found, entry, tree, rest)
        if alone is not None:
            yield alone[0]
    yield script


def _swapped(
    found: FoundScript, entry: Function, tree: ast.Module, classes: Mapping[str, str]
) -> tuple[FoundScript, set[str]] | None:
    """The script with these classes exchanged, and the names that were; None if there are none."""
    siblings = siblings_of(tree, entry.owner)
    keys = named_in_tables(tree, entry.owner, siblings)
    methods = made_likewise(tree, entry.owner, siblings)
    texts = (*found.script.setup, found.script.look)
    swapping = _Swapping(classes, keys, methods)
    try:
        changed = [ast.unparse(swapping.visit(parse_source(text))) for text in texts]
    except UnreadableSourceError:
        return None
    if not swapping.swapped:
        return None
    imports: frozenset[Import] = frozenset(pair for pair in found.script.imports if pair[1] not in swapping.swapped)
    imports |= {(entry.module, classes[name]) for name in swapping.named}
    script = msgspec.structs.replace(found.script, imports=imports, setup=tuple(changed[:-1]), look=changed[-1])
    return msgspec.structs.replace(found, script=script), swapping.swapped


def _made_of(tree: ast.Module, owner: str | None) -> str:
    """What a class of the module is made of: the parameters that it, or the next class that it inherits from, takes."""
    nodes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for name in (owner, *bases_of(tree, owner)) if owner else ():
        for method in nodes[name].body if name in nodes else ():
            if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                return ast.unparse(method.args)
    return ""


class _Swapping(ast.NodeTransformer):
    def __init__(self, classes: Mapping[str, str], keys: Mapping[str, str], methods: Mapping[str, str]) -> None:
        self._classes, self._keys, self._methods = classes, keys, methods
        self.swapped: set[str] = set()
        self.named: set[str] = set()
        """Classes that a script names by themselves, not as a part of a module: they are to be imported."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self._classes or not isinstance(node.ctx, ast.Load):
            return node
        self.swapped.add(node.id)
        self.named.add(node.id)
        return ast.copy_location(ast.Name(id=self._classes[node.id], ctx=ast.Load()), node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        other = self._methods.get(node.attr) or self._classes.get(node.attr)
        if other is None or not isinstance(node.ctx, ast.Load):
            return node
        self.swapped.add(node.attr)
        return ast.copy_location(ast.Attribute(value=node.value, attr=other, ctx=node.ctx), node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """A key of the table, also as a part of a text: `fish_complete`."""
        if not isinstance(node.value, str):
            return node
        text = node.value
        for key, other in self._keys.items():
            text = re.sub(rf"(?<![^\W_]){re.escape(key)}(?![^\W_])", other.replace("\\", r"\\"), text)
        if text == node.value:
            return node
        self.swapped.add(node.value)
        return ast.copy_location(ast.Constant(value=text), node)
