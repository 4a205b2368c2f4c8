"""Decorators of tests that answer requests, or hold the clock, for as long as the test runs, as blocks around it. Pure;
for `scenery.py`.

    @responses.activate                         with responses.mock:
    def test_fetch():                   ->          responses.add(GET, URL, body="{}")
        responses.add(GET, URL, body="{}")          inside = fetch(URL)
        assert fetch(URL) == {}
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

from greenlane.suite.lines import parse_expression

_BARE = {"responses.activate": "responses.mock", "httpretty.activate": "httpretty.enabled",
         "httpretty.httprettified": "httpretty.enabled", "respx.mock": "respx.mock"}  # fmt: skip
"""What a decorator that is named alone is as a block: the same library's own."""
_BLOCKS = frozenset({"freeze_time", "travel", "use_cassette", "mock_aws", "override_settings", "modify_settings"})
"""Decorators that are blocks as they are called."""
_GIVING = frozenset({"requests_mock.Mocker", "requests_mock.mock"})
"""Those that give the test what answers, as its last parameter, or by the name that they are told."""
_ANSWERING = frozenset(
    {"responses.RequestsMock", "respx.mock", "aioresponses", "aioresponses.aioresponses", "HTTMock"}
) | _GIVING  # fmt: skip
_TOLD_NAME = frozenset({"kw", "as_kwarg"})


def as_block(decorator: ast.expr) -> ast.expr | None:
    """What is entered around the test in place of such a decorator; None for any other."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = ast.unparse(called)
    if name in _BARE:
        block = parse_expression(_BARE[name]).body
        if name.startswith("httpretty."):
            keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
            block = ast.Call(func=block, args=[], keywords=copy.deepcopy(keywords))
        return ast.fix_missing_locations(ast.copy_location(block, decorator))
    is_one = isinstance(decorator, ast.Call) and (name in _GIVING or name.rpartition(".")[2] in _BLOCKS)
    return decorator if is_one else None


def given_as(decorator: ast.expr, params: list[str]) -> str | None:
    """The parameter by which such a decorator gives the test what answers, of those that nothing else gives; None where
    it gives nothing."""
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    told = next((k.value for k in keywords if k.arg in _TOLD_NAME), None)
    if isinstance(told, ast.Constant) and isinstance(told.value, str):
        return told.value
    gives = isinstance(decorator, ast.Call) and ast.unparse(decorator.func) in _GIVING
    return params[-1] if gives and params else None


def answering(node: ast.stmt) -> Iterator[str]:
    """The names by which what answers inside of a block is told its answers: all that is called on them sets the
    scene."""
    for item in node.items if isinstance(node, ast.With | ast.AsyncWith) else ():
        held = item.context_expr
        name = ast.unparse(held.func if isinstance(held, ast.Call) else held)
        if name in _BARE.values():
            yield name.partition(".")[0]
        if name in _ANSWERING and isinstance(item.optional_vars, ast.Name):
            yield item.optional_vars.id
