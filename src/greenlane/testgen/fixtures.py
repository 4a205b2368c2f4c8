"""The fixtures that a test in a folder may use: name, scope, and what they return as far as their text says.

Reads files, runs nothing; that a fixture exists is proved by pytest itself, later.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from greenlane.ports.test_writer import FixtureOffer
from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.code import FunctionNode

_MAX_BYTES = 1 << 20
_MAX_RETURNS = 160
_BUILT_IN = (
    FixtureOffer(name="tmp_path", returns="an empty folder of this test (pathlib.Path)"),
    FixtureOffer(name="monkeypatch", returns="pytest.MonkeyPatch"),
    FixtureOffer(name="capsys", returns="what is printed: capsys.readouterr().out"),
    FixtureOffer(name="caplog", returns="what is logged: caplog.records, caplog.text"),
)


def offer_fixtures(tree: Path, folder: str) -> tuple[FixtureOffer, ...]:
    """Those of every `conftest.py` from the root down to `folder` (the nearer one wins), and a few of pytest's own."""
    found = {offer.name: offer for offer in _BUILT_IN}
    for conftest in _conftests(tree, folder):
        found |= {offer.name: offer for offer in _fixtures_in(conftest)}
    return tuple(found.values())


def _conftests(tree: Path, folder: str) -> Iterator[Path]:
    parts = [part for part in PurePosixPath(folder).parts if part != "."]
    for depth in range(len(parts) + 1):
        path = tree.joinpath(*parts[:depth], "conftest.py")
        inside = path.resolve().is_relative_to(tree.resolve())
        if inside and not path.is_symlink() and path.is_file() and path.stat().st_size <= _MAX_BYTES:
            yield path


def _fixtures_in(path: Path) -> Iterator[FixtureOffer]:
    try:
        parsed = parse_source(path.read_text(encoding="utf-8-sig"))
    except (UnreadableSourceError, UnicodeDecodeError):
        return
    for node in parsed.body:
        if not isinstance(node, FunctionNode):
            continue
        for decorator in node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if ast.unparse(called).split(".")[-1] == "fixture":
                options = _options(decorator)
                yield FixtureOffer(
                    name=options.get("name", node.name),
                    scope=options.get("scope", "function"),
                    returns=_returns(node),
                )


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
