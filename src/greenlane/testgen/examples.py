"""What a project's documentation shows of an open function, as scripts: examples in docstrings, READMEs and pages.

People who add something often show it there before any test does. Reads files, runs nothing.
"""

from __future__ import annotations

import ast
import builtins
import doctest
import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.code import Function
from greenlane.testgen.inputs import Case
from greenlane.testgen.pretended import flat
from greenlane.testgen.reading import parse_inside, read_inside
from greenlane.testgen.scripts import FoundScript, script_case, scripts_of
from greenlane.testgen.source import Source

_PAGES = ("*.md", "*.rst", "*.txt")
_FOLDERS = ("doc", "docs", "documentation")
_MAX_PAGES, _MAX_ASKED, _MAX_BYTES, _MAX_STATEMENTS = 150, 12, 200_000, 100
_MAX_SCRIPTS = 60
_FENCE = re.compile(r"(```|~~~)[ \t]*\{?(?:python3?|py|pycon)\b")
_LED_IN = re.compile(r"\.\. (?:code-block|code|sourcecode):: *python|(?!\.\. ).*::$")

Body = list[ast.stmt]


def example_cases(tree: Path, source: Source, functions: Sequence[Function]) -> list[Case]:
    """Scripts of the examples that name one of these functions, or its class: docstrings of the file, then pages."""
    words = {f: {word for word in (f.called, f.owner or "") if word and not word.startswith("_")} for f in functions}
    asked = {f: re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(own)))})\b") for f, own in words.items() if own}
    found: dict[str, Case] = {}
    bodies = [*_of_docstrings(source), *_of_pages(tree, source, asked.values())] if asked else []
    for body, names in (*bodies, *((_done(body), names) for body, names in bodies)):
        text = "\n".join(ast.unparse(node) for node in body)
        for one in _scripts(body, names) if any(pattern.search(text) for pattern in asked.values()) else ():
            named = next((f for f, pattern in asked.items() if pattern.search(one.script.text)), None)
            if named is not None:
                found.setdefault(one.script.text, script_case(named, one))
        if len(found) >= _MAX_SCRIPTS:
            break
    return list(found.values())[:_MAX_SCRIPTS]


def _scripts(body: Body, names: Mapping[str, ast.stmt]) -> Iterator[FoundScript]:
    """What a body looks at, as if it were a test of a file that has these `names`."""
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    bound = {alias.asname or alias.name.split(".")[0] for node in imports for alias in node.names}
    bound |= {n.id for node in body for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    loaded = {n.id for node in body for n in ast.walk(node) if isinstance(n, ast.Name)} - bound
    given = [names[name] for name in sorted(loaded) if name in names and not hasattr(builtins, name)]
    rest: Body = [node for node in body if not isinstance(node, ast.Import | ast.ImportFrom)]
    arguments = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    test = ast.FunctionDef(name="test_example", args=arguments, body=rest or [ast.Pass()], decorator_list=[])
    module = ast.Module(body=[*given, *imports, test], type_ignores=[])
    yield from scripts_of(ast.fix_missing_locations(module), "test_example")


# ------------------------------------------------------------------ docstrings


def _of_docstrings(source: Source) -> Iterator[tuple[Body, Mapping[str, ast.stmt]]]:
    names = _of_package(source) | _names_of(source.tree, source.module)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text and (body := _of_page(text)):
                yield body, names


def _names_of(tree: ast.Module, module: str) -> dict[str, ast.stmt]:
    """What the names of a module stand for: how one would import each."""
    found: dict[str, ast.stmt] = {}
    for node in flat(tree.body, handled=False):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.split(".")[0]] = ast.Import(names=[alias])
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                found[alias.asname or alias.name] = ast.ImportFrom(module=node.module, names=[alias], level=0)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = _from(module, alias.asname or alias.name)
        for name in _defined(node):
            found[name] = _from(module, name)
    return found


def _of_package(source: Source) -> dict[str, ast.stmt]:
    package = source.module.split(".")[0]
    return {package: ast.Import(names=[ast.alias(name=package)])}


def _from(module: str, name: str) -> ast.ImportFrom:
    return ast.ImportFrom(module=module, names=[ast.alias(name=name)], level=0)


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


# ------------------------------------------------------------------ pages


def _of_pages(
    tree: Path, source: Source, asked: Iterable[re.Pattern[str]]
) -> Iterator[tuple[Body, Mapping[str, ast.stmt]]]:
    package = source.module.split(".")[0]
    names: dict[str, ast.stmt] = _names_of(source.tree, source.module)
    names |= {name: _from(package, name) for name in _offered(tree, source)}
    names |= _of_package(source)
    texts = (read_inside(tree, page, _MAX_BYTES) or "" for page in _pages(tree))
    for text in itertools.islice((t for t in texts if any(p.search(t) for p in asked)), _MAX_ASKED):
        yield _of_page(text)[:_MAX_STATEMENTS], names


def _offered(tree: Path, source: Source) -> list[str]:
    """The names that the package itself offers."""
    depth = source.module.count(".")
    file = (tree / source.path).parents[max(depth - 1, 0)] / "__init__.py"
    parsed = parse_inside(tree, file) if depth else None
    offered = []
    for node in parsed.body if parsed is not None else ():
        if isinstance(node, ast.ImportFrom):
            offered += [alias.asname or alias.name for alias in node.names if alias.name != "*"]
        offered += _defined(node)
    return offered


def _pages(tree: Path) -> list[Path]:
    """The pages of the project: those on top, then those in its folders of documentation."""
    found = [file for pattern in _PAGES for file in sorted(tree.glob(pattern))]
    for folder in _FOLDERS:
        found += [file for pattern in _PAGES for file in sorted((tree / folder).rglob(pattern))]
    return [file for file in found if not file.is_symlink()][:_MAX_PAGES]


def _of_page(text: str) -> Body:
    """All that the page shows, in its order: a later example may use what an earlier one made."""
    body = _of_prompts(text)
    for code in _blocks(text):
        body += _of_code(textwrap.dedent(code)) if ">>>" not in code else []
    return body


def _blocks(text: str) -> Iterator[str]:
    """Blocks of code: between fences, or indented after a line that leads in."""
    fence, edge, lines = "", -1, list[str]()
    for line in [*text.splitlines(), "end"]:
        plain = line.strip()
        indent = len(line) - len(line.lstrip())
        if fence and not plain.startswith(fence):
            lines.append(line)
        elif not fence and edge >= 0 and (not plain or indent > edge):
            lines += [line] if lines or not plain.startswith(":") else []  # options of the directive come first
        else:
            yield "\n".join(lines)
            opened = None if fence else _FENCE.match(plain)
            fence, lines = opened[1] if opened else "", []
            edge = indent if not opened and _LED_IN.match(plain) else -1


def _of_code(code: str) -> Body:
    try:
        parsed = parse_source(code)
    except UnreadableSourceError:
        return []
    return [_shown(node) for node in parsed.body]


def _of_prompts(text: str) -> Body:
    """The statements after prompts; an expression with its value below is one that is looked at."""
    try:
        examples = doctest.DocTestParser().get_examples(text)
    except ValueError:
        return []
    body: Body = []
    for example in examples:
        try:
            parsed = parse_source(example.source)
        except UnreadableSourceError:
            continue
        body += [_shown(node) if example.want else node for node in parsed.body]
    return body


def _done(body: Body) -> Body:
    """With the calls that are shown as calls that are made: what comes after them may be what it is because of them."""
    calls = (isinstance(node, ast.Assert) and isinstance(node.test, ast.Call) for node in body)
    pairs = zip(body, calls, strict=True)
    return [ast.copy_location(ast.Expr(value=node.test), node) if is_call else node for node, is_call in pairs]  # type: ignore[attr-defined]  # an assertion


def _shown(node: ast.stmt) -> ast.stmt:
    """`shown(x)` and `print(x)` as an assertion about `x`."""
    if not isinstance(node, ast.Expr) or isinstance(node.value, ast.Constant):
        return node
    value: ast.expr = node.value
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "print" and len(value.args) == 1:
        value = value.args[0]
    return ast.copy_location(ast.Assert(test=value), node)
