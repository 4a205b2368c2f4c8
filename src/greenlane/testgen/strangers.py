"""What is there for a file that no test runs yet: the tests of the modules beside it, and their names made its own.

A new plugin, renderer or handler mostly stands beside others of its kind, and is used as they are: `from
plugins.texmath import texmath_plugin` becomes `from plugins.subscript import sub_plugin`. Reads files, runs nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.suite.report import TestOutcome
from greenlane.testgen.code import Function
from greenlane.testgen.reading import parse_inside
from greenlane.testgen.scripts import FoundScript
from greenlane.testgen.source import Source
from greenlane.testgen.turns import in_turn
from greenlane.testgen.words import words_of

_MAX_FILES, _NEAREST = 200, 12


def list_strangers(tree: Path, source: Source, outcomes: Iterable[TestOutcome]) -> list[str]:
    """Tests (without parameters) that passed, of files that import modules of the same package: those of the nearest
    modules first, one of each file in turn."""
    files: dict[str, dict[str, None]] = {}
    for outcome in outcomes:
        path, _, name = outcome.test.partition("::")
        if outcome.outcome == "passed" and name and path.endswith(".py"):
            files.setdefault(path, {}).setdefault(outcome.test.split("[")[0])
    ranked = []
    for path in list(files)[:_MAX_FILES]:
        parsed = parse_inside(tree, tree / path)
        near = max((_common(name, source.module) for name in _imported(parsed)), default=0) if parsed else 0
        if near:
            ranked.append((-near, path))
    return list(in_turn(list(files[path]) for _, path in sorted(ranked)[:_NEAREST]))


def named_alike(tests: Iterable[str], name: str) -> list[str]:
    """The tests in their order, those first whose names share most words with the name of a function."""
    asked = set(words_of(name).split())
    return sorted(tests, key=lambda test: -len(asked & set(words_of(test.rpartition("::")[2]).split())))


def _imported(parsed: ast.Module) -> Iterator[str]:
    for node in ast.walk(parsed):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _common(name: str, module: str) -> int:
    """How many parts two dotted names begin with alike."""
    count = 0
    for one, other in zip(name.split("."), module.split("."), strict=False):
        if one != other:
            break
        count += 1
    return count


def swap_modules(found: FoundScript, source: Source) -> Iterator[FoundScript]:
    """The script with each name of a module beside this file made the one of this file that is called the same, or ends
    in the same word, or is the only class here, with a method that the script calls; what is patched there by a text is
    patched here."""
    own = [node.name for node in source.tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    own = [name for name in own if not name.startswith("_")]
    methods = _methods_of_only_class(source)
    called = _called_in(found) & methods.keys()
    beside = source.module.rpartition(".")[0]
    swaps: dict[str, str] = {}
    kept = set()
    moved: dict[str, str] = {}
    for module, name in found.script.imports:
        alike = [name] if name in own else [other for other in own if _last_word(other) == _last_word(name)]
        if not alike and called and name[:1].isupper():
            alike = [next(iter(methods.values())).owner or ""]
        near = beside and module != source.module and (module == beside or module.rpartition(".")[0] == beside)
        if near and name.isidentifier() and len(alike) == 1:
            moved[module] = source.module
            swaps[name] = alike[0]
            kept.add((source.module, alike[0]))
        else:
            kept.add((module, name))
    if not swaps:
        return
    try:
        texts = [
            _renamed(text, swaps, moved, methods if called else {}) for text in (*found.script.setup, found.script.look)
        ]
    except UnreadableSourceError:
        return
    script = msgspec.structs.replace(found.script, imports=frozenset(kept), setup=tuple(texts[:-1]), look=texts[-1])
    yield msgspec.structs.replace(found, script=script)


def _last_word(name: str) -> str:
    words = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)
    return f"{name[:1].isupper()}{words[-1].lower()}" if words else name


def _methods_of_only_class(source: Source) -> dict[str, Function]:
    """By name the public methods of the file's class; none where it has several."""
    classes = [node.name for node in source.tree.body if isinstance(node, ast.ClassDef)]
    own = [f for f in source.functions if len(classes) == 1 and f.owner == classes[0] and f.kind == "method"]
    return {f.name: f for f in own if not f.name.startswith("_")}


def _called_in(found: FoundScript) -> set[str]:
    trees = [parse_source(text) for text in (*found.script.setup, found.script.look)]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {call.func.attr for call in calls if isinstance(call.func, ast.Attribute)}


def _fit(call: ast.Call, function: Function) -> None:
    """What is given by names that the function has not is given by those of what it needs besides."""
    known = {param.name for param in function.params}
    given = {keyword.arg for keyword in call.keywords} | {param.name for param in function.places[: len(call.args)]}
    needed = [p.name for p in function.params if p.default is None and p.name not in given]
    strange = [keyword for keyword in call.keywords if keyword.arg is not None and keyword.arg not in known]
    for keyword, name in zip(strange, needed, strict=False):
        keyword.arg = name


def _renamed(text: str, swaps: dict[str, str], moved: dict[str, str], methods: Mapping[str, Function]) -> str:
    tree = parse_source(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in methods:
            _fit(node, methods[node.func.attr])
        if isinstance(node, ast.Name) and node.id in swaps:
            node.id = swaps[node.id]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            home, _, name = node.value.rpartition(".")
            node.value = f"{moved[home]}.{swaps.get(name, name)}" if home in moved else node.value
    return ast.unparse(tree)
