"""Requests that a test answers to nobody, since what is called now asks for another address: the answer is moved to
that one. Pure; for `nearby.py`.

    responses.get(f"{BASE}/pets", json=[])        ->      responses.delete("https://api.example.com/pets/1", json=[])
    api.remove(1)                                         api.remove(1)
    ConnectionError: ... - DELETE https://api.example.com/pets/1 ...
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.testgen.crashed import after_crashes
from greenlane.testgen.exchanged import Exchanging
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import Case
from greenlane.testgen.replied import body_of_answer
from greenlane.testgen.slicing import without_unused
from greenlane.testgen.source import Source, open_functions
from greenlane.testgen.targets import Targets

_ALIKE, _MOST, _MOST_BODIES, _SHORTEST = 3, 60, 3, 3
_METHODS = "GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS"
_REQUEST = re.compile(rf"\b({_METHODS})'?,?\s+'?(https?://[^\s'\"<>)]+)")
_REFUSED = re.compile(
    r"(HTTPS?)ConnectionPool\(host='([\w.-]+)', port=(\d+)\): Max retries exceeded with url: (/[^\s'\"<>)]*)"
)
_USUAL_PORTS = {"HTTP": "80", "HTTPS": "443"}
_TELLING = frozenset({"add", "request", "register_uri", "route", "upsert"})
"""How a library is told an answer, beside calls that are named by the method of the request."""
_MAY_TELL = re.compile(rf"\.({'|'.join(sorted(_TELLING))}|{_METHODS.lower()})\(|['\"]/\w")
_ADDRESS = re.compile(r"https?://|/")
_AS_VALUE = frozenset({"json", "payload"})
_BODIES = _AS_VALUE | {"body", "text", "content"}
"""The arguments that are the body of an answer; the first ones as a value, the others as a text of it."""
_ADDRESSES = frozenset({"url", "uri"})


class Request(NamedTuple):
    method: str
    """Empty where the error does not say it."""
    url: str


def reanswered(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """Scripts whose calls asked for what nothing answered, on the way to something open, with an answer of theirs moved
    to the address that the error names, or told for it as well; and those that crashed over what they were answered,
    with another body (`replied.py`): what came furthest first."""
    nodes = {function: node for _, function, node in open_functions(source, left)}
    crashed = [one for one in observed if _crashed(one) and _may_tell(one.case)]
    bodies = _bodies([body_of_answer(node) for node in nodes.values()]) if crashed else []
    return after_crashes(crashed, source, nodes, lambda one: _moved(one, bodies), alike=_ALIKE, most=_MOST)


def _may_tell(case: Case) -> bool:
    return case.script is not None and _MAY_TELL.search(case.script.text) is not None


def _bodies(told: Sequence[Any]) -> list[Any]:
    """These, and of one another that is a list of it, or what stands in it."""
    known = [one for one in told if one is not None]
    others = [one[0] if isinstance(one, list) else [one] for one in known]
    return [*known, *others][:_MOST_BODIES]


def _crashed(observed: Observed) -> bool:
    """It raised what nobody meant, or the code's own error for a request that nothing answered."""
    is_error = observed.outcome.kind == "raises"
    return is_error and (not observed.outcome.deliberate or request_of(observed) is not None)


def request_of(observed: Observed) -> Request | None:
    """The request of which an error says that nothing answered it; None for any other outcome."""
    outcome = observed.outcome
    if outcome.kind != "raises":
        return None
    named = _REQUEST.search(outcome.message)
    if named is not None:
        return Request(named[1], _plain(named[2]))
    refused = _REFUSED.search(outcome.message)
    if refused is None:
        return None
    port = "" if refused[3] == _USUAL_PORTS[refused[1]] else f":{refused[3]}"
    return Request("", _plain(f"{refused[1].lower()}://{refused[2]}{port}{refused[4]}"))


def _plain(url: str) -> str:
    """An address without its query, which need not be said, and without a mark that ends a sentence."""
    return url.partition("?")[0].rstrip(".,;:")


def _moved(observed: Observed, bodies: Sequence[Any]) -> Iterator[Case]:
    request, case, texts = request_of(observed), observed.case, observed.case.texts
    for place in reversed(range(len(texts))):
        for other in _told_in(texts[place], request, bodies):
            rows = [*texts[:place], *other, *texts[place + 1 :]]
            one = case.with_texts([*without_unused(rows[:-1], rows[-1]), rows[-1]])
            if one is not None and one.key != case.key:
                yield one


def _told_in(text: str, request: Request | None, bodies: Sequence[Any]) -> Iterator[Sequence[str]]:
    """The statements in place of one that tells an answer, or has others in its block that do: with the answer moved to
    this request, and with it told for both, each with its own body and with others; without a request only with
    others."""
    try:
        places = range(len(_statements(parse_source(text))))
    except UnreadableSourceError:
        return
    own: list[tuple[bool, Any]] = [(False, None), (True, None)] if request is not None else []
    for place in reversed(places):
        for both, body in [*own, *((False, body) for body in bodies)]:
            tree = parse_source(text)
            node = _statements(tree)[place]
            other = _told(node, request, body)
            if other is not None:
                changed = _Putting(node, [node, other] if both else [other]).visit(tree)
                yield [ast.unparse(one) for one in changed.body]


def _statements(tree: ast.Module) -> list[ast.stmt]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Expr | ast.Assign)]


class _Putting(ast.NodeTransformer):
    """Other statements in the place of one."""

    def __init__(self, old: ast.stmt, new: Sequence[ast.stmt]) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> Any:
        return list(self._new) if node is self._old else self.generic_visit(node)


def _told(node: ast.stmt, request: Request | None, body: Any) -> ast.stmt | None:
    """A statement that tells an answer, with this request, and with this body if it is not None, in place of its own;
    None for any other statement, and for one that has no body where another is wanted."""
    call = node.value if isinstance(node, ast.Expr | ast.Assign) else None
    if isinstance(call, ast.Call) and request is not None and body is None:
        for path in call.args:  # of a helper of the project's own
            if isinstance(path, ast.Constant) and (moved := _further(path.value, request.url)):
                helped = Exchanging(path, ast.Constant(value=moved)).visit(call)
                helped.args = [_as_method(argument, request.method) for argument in helped.args]
                put: ast.stmt = ast.fix_missing_locations(Exchanging(call, helped).visit(node))
                return put
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    by_name = call.func.attr.upper() in _METHODS.split("|")
    address = _address_in(call)
    bodied = [k for k in call.keywords if k.arg in _BODIES]
    if address is None or not (by_name or call.func.attr in _TELLING) or (body is not None and not bodied):
        return None
    told = call if request is None else Exchanging(address, ast.Constant(value=request.url)).visit(call)
    method = request.method if request is not None else ""
    if by_name and method:
        told.func = ast.Attribute(value=call.func.value, attr=method.lower(), ctx=ast.Load())
    elif method:
        told.args = [_as_method(argument, method) for argument in told.args]
        told.keywords = [ast.keyword(arg=k.arg, value=_as_method(k.value, method)) for k in told.keywords]
    if body is not None:
        told.keywords = [_with_body(k, body) if k.arg == bodied[0].arg else k for k in told.keywords]
    other: ast.stmt = ast.fix_missing_locations(Exchanging(call, told).visit(node))
    return other


def _further(path: object, url: str) -> str:
    """What comes of a path that a helper is told where this address was asked: `/pets/1` of `/pets`. Empty for what is
    no part of the address, or leads there as it is."""
    if not isinstance(path, str) or not path.startswith("/") or len(path) < _SHORTEST:
        return ""
    asked = re.sub(r"^https?://[^/]*", "", url)
    at = asked.find(path)
    return asked[at:] if at >= 0 and asked[at:] != path else ""


def _with_body(given: ast.keyword, body: Any) -> ast.keyword:
    value = body if given.arg in _AS_VALUE else json.dumps(body)
    return ast.keyword(arg=given.arg, value=parse_expression(repr(value)).body)


def _address_in(call: ast.Call) -> ast.expr | None:
    """The argument of a call that is an address: by its name, or as a text that begins like one."""
    named = [k.value for k in call.keywords if k.arg in _ADDRESSES]
    return next((one for one in (*named, *call.args[:2]) if one in named or _is_address(one)), None)


def _is_address(node: ast.expr) -> bool:
    if isinstance(node, ast.JoinedStr):
        return True
    if isinstance(node, ast.BinOp):
        return _is_address(node.left) or _is_address(node.right)
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and _ADDRESS.match(node.value) is not None


def _as_method(node: ast.expr, method: str) -> ast.expr:
    if not method:
        return node
    if isinstance(node, ast.Attribute) and node.attr in _METHODS.split("|"):
        return ast.Attribute(value=node.value, attr=method, ctx=ast.Load())
    is_one = (node.value if isinstance(node, ast.Constant) else getattr(node, "id", "")) in _METHODS.split("|")
    return ast.Constant(value=method) if is_one and getattr(node, "id", "") != method else node
