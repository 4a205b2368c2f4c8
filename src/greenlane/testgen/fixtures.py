"""The fixtures that a test in a folder may use: name, scope, and what they return as far as their text says.

Reads files, runs nothing; that a fixture exists is proved by pytest itself, later.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from greenlane.ports.test_writer import FixtureOffer
from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.code import FunctionNode
from greenlane.testgen.reading import parse_inside

_MAX_BYTES = 1 << 20
_MAX_RETURNS = 160
_BUILT_IN = (
    FixtureOffer(name="tmp_path", returns="an empty folder of this test (pathlib.Path)"),
    FixtureOffer(name="monkeypatch", returns="pytest.MonkeyPatch"),
    FixtureOffer(name="capsys", returns="what is printed: capsys.readouterr().out"),
    FixtureOffer(name="caplog", returns="what is logged: caplog.records, caplog.text"),
)


class GivenData(msgspec.Struct, frozen=True):
    """A dict or a list that a fixture gives, as it is written; `anew`: each test is given its own."""

    value: ast.expr
    anew: bool


class DataOfTests:
    """Plain data that tests share: what fixtures give, by their names, and constants of modules of theirs."""

    def __init__(self, tree: Path, folder: str) -> None:
        self._tree, self._folder = tree, folder
        self._modules: dict[str, dict[str, ast.expr]] = {}
        self.fixtures: Mapping[str, GivenData] = data_given(tree, folder)

    def constant(self, module: str, name: str) -> ast.expr | None:
        """The dict or list that a module beside the tests, or on top of the tree, gives a name to."""
        if module not in self._modules:
            path = f"{module.replace('.', '/')}.py"
            files = (parse_inside(self._tree, self._tree / folder / path) for folder in (".", self._folder))
            parsed = next((one for one in files if one is not None), None)
            self._modules[module] = dict(_constants(parsed.body if parsed is not None else ()))
        return self._modules[module].get(name)


def _constants(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict | ast.List):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))


def offer_fixtures(tree: Path, folder: str) -> tuple[FixtureOffer, ...]:
    """Those of every `conftest.py` from the root down to `folder` (the nearer one wins), and a few of pytest's own."""
    found = {offer.name: offer for offer in _BUILT_IN}
    for conftest in _conftests(tree, folder):
        found |= {offer.name: offer for offer in _fixtures_in(conftest)}
    return tuple(found.values())


def data_given(tree: Path, folder: str) -> dict[str, GivenData]:
    """What fixtures of every `conftest.py` down to `folder` give that is plain data, by their names."""
    return {name: data for conftest in _conftests(tree, folder) for name, data in _data_in(conftest)}


def _data_in(path: Path) -> Iterator[tuple[str, GivenData]]:
    for node, decorator in _decorated(path):
        options = decorator.keywords if isinstance(decorator, ast.Call) else []
        value = _data_of(node)
        if value is not None and not {"params", "autouse"} & {one.arg for one in options}:
            told = _options(decorator)
            yield told.get("name", node.name), GivenData(value, told.get("scope", "function") == "function")


def _data_of(node: FunctionNode) -> ast.expr | None:
    """What it gives, where it does nothing else than to write that down."""
    body = [one for one in node.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    last = body[-1] if body else None
    value = last.value if isinstance(last, ast.Return | ast.Expr) else None
    value = value.value if isinstance(value, ast.Yield) else value
    if len(body) == 2 and isinstance(value, ast.Name) and isinstance(body[0], ast.Assign):
        named = [target.id for target in body[0].targets if isinstance(target, ast.Name)]
        value = body[0].value if named == [value.id] else None
    elif len(body) != 1:
        return None
    return value if isinstance(value, ast.Dict | ast.List) else None


def _conftests(tree: Path, folder: str) -> Iterator[Path]:
    parts = [part for part in PurePosixPath(folder).parts if part != "."]
    for depth in range(len(parts) + 1):
        path = tree.joinpath(*parts[:depth], "conftest.py")
        inside = path.resolve().is_relative_to(tree.resolve())
        if inside and not path.is_symlink() and path.is_file() and path.stat().st_size <= _MAX_BYTES:
            yield path


def _fixtures_in(path: Path) -> Iterator[FixtureOffer]:
    for node, decorator in _decorated(path):
        options = _options(decorator)
        yield FixtureOffer(
            name=options.get("name", node.name),
            scope=options.get("scope", "function"),
            returns=_returns(node),
        )


def _decorated(path: Path) -> Iterator[tuple[FunctionNode, ast.expr]]:
    """The fixtures of a file, each with what makes it one."""
    try:
        parsed = parse_source(path.read_text(encoding="utf-8-sig"))
    except (UnreadableSourceError, UnicodeDecodeError):
        return
    for node in parsed.body:
        for decorator in node.decorator_list if isinstance(node, FunctionNode) else ():
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(node, FunctionNode) and ast.unparse(called).split(".")[-1] == "fixture":
                yield node, decorator


def _options(decorator: ast.expr) -> dict[str, str]:
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    return {
        k.arg: k.value.value
        for k in keywords
        if k.arg and isinstance(k.value, ast.Constant) and isinstance(k.value.value, str)
    }


def _returns(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Its annotation, else what it returns or yields, as written."""
    if node.returns is not None:
        return ast.unparse(node.returns)[:_MAX_RETURNS]
    for part in ast.walk(node):
        if isinstance(part, ast.Return | ast.Yield) and part.value is not None:
            return ast.unparse(part.value)[:_MAX_RETURNS]
    return ""
