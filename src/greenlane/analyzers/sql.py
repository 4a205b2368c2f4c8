"""SQL that is put together from strings: where it is executed, and what is spliced in where a value belongs.

The tools report any text that looks like SQL and miss text that reaches a driver by a name or a helper. This follows
the argument of `.execute()` and its kind back to where it was built. Bound parameters and text made of constants are
harmless; a table name from an attribute of the object is weak evidence; anything else is an injection until shown
otherwise.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import msgspec

from greenlane.analyzers.dataflow import Flow
from greenlane.analyzers.files import PythonFile
from greenlane.domain.findings import Category, Finding, Severity

RULE = "greenlane.sql-injection"
_DRIVER_METHODS = frozenset({"execute", "executemany", "executescript", "mogrify", "fetch", "fetchrow", "fetchval"})
_QUERY_CALLS = frozenset({"text", "RawSQL", "raw", "read_sql", "read_sql_query", "literal_column", "execute_sql"})
_SQL_WORD = re.compile(
    r"\b(select|insert\s+into|update|delete\s+from|create|alter|drop|where|from|values|order\s+by|pragma|replace\s+into"
    r"|with|call|exec|set|and|or|join|union|limit|truncate|like)\b",
    re.IGNORECASE,
)
_STATEMENT = re.compile(r"^\s*\(?(select|insert|update|delete|replace|with|create|alter|drop|pragma)\b", re.IGNORECASE)
_NAME_POSITION = re.compile(
    r"\b(from|into|update|table|join|pragma|index|view|column|exists|database|schema|on|select|distinct|,)\s*[\"`\[]?$|\bpragma\s+\w+\s*\(\s*[\"`\[]?$",
    re.IGNORECASE,
)
_MAX_HELPERS = 20


class Part(msgspec.Struct, frozen=True):
    """A piece of built text: constant text, or an expression that is spliced in."""

    text: str = ""
    spliced: ast.expr | None = None


def find_injections(file: PythonFile, flow: Flow) -> Iterator[Finding]:
    """SQL injections at the calls that execute it."""
    for node in ast.walk(file.tree):
        if not isinstance(node, ast.Call):
            continue
        query = _query_of(node)
        if query is None:
            continue
        severity = judge(query, flow)
        if severity is None:
            continue
        yield Finding(
            rule=RULE,
            category=Category.SECURITY,
            severity=severity,
            message="SQL is put together from values instead of bound parameters and executed here",
            path=file.path,
            line=node.lineno,
            quotation=file.quote(node.lineno),
        )


def _query_of(call: ast.Call) -> ast.expr | None:
    """The SQL argument of a call that executes or wraps SQL."""
    name = _called(call)
    if name not in _QUERY_CALLS and not (name in _DRIVER_METHODS and isinstance(call.func, ast.Attribute)):
        return None
    for keyword in call.keywords:
        if keyword.arg in ("sql", "query", "statement", "operation"):
            return keyword.value
    return call.args[0] if call.args and not isinstance(call.args[0], ast.Starred) else None


def judge(query: ast.expr, flow: Flow) -> Severity | None:
    """How dangerous the building of this SQL is; None if it is harmless, or no SQL at all."""
    worst: Severity | None = None
    for built in _builds(query, flow):
        parts = text_parts(built, flow)
        constant = " ".join(p.text for p in parts if p.spliced is None)
        if not _SQL_WORD.search(constant):
            continue
        for severity in _judge_parts(parts, flow):
            if severity is Severity.HIGH:
                return severity
            worst = severity
    return worst


def text_parts(expression: ast.expr, flow: Flow) -> list[Part]:
    """Built text in its pieces, left to right."""
    return list(_parts(expression, flow, set()))


def looks_like_statement(query: ast.expr, flow: Flow) -> bool:
    """Whether the constant beginning of the text is that of an SQL statement."""
    return any(_STATEMENT.match("".join(p.text for p in text_parts(b, flow))) for b in _builds(query, flow))


def _judge_parts(parts: list[Part], flow: Flow) -> Iterator[Severity]:
    before = ""
    for part in parts:
        if part.spliced is None:
            before += part.text
            continue
        if not flow.is_constant(part.spliced) and not _is_composed(part.spliced):
            named = _NAME_POSITION.search(before) is not None
            weak = named and (isinstance(part.spliced, ast.Attribute) or _is_quoted(part.spliced))
            yield Severity.MEDIUM if weak else Severity.HIGH
        before += "x"


def _is_composed(node: ast.expr) -> bool:
    """A driver's own composition: `connection.ops.quote_name(x)`, `sql.Identifier(x)`."""
    return isinstance(node, ast.Call) and _called(node) in ("quote_name", "qn", "Identifier", "quote_identifier")


def _is_quoted(node: ast.expr) -> bool:
    """A helper that says it quotes. It may not, so it only helps where a name stands, and only to MEDIUM."""
    return isinstance(node, ast.Call) and bool(re.search(r"quote|escape|ident", _called(node), re.IGNORECASE))


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _builds(query: ast.expr, flow: Flow) -> Iterator[ast.expr]:
    """The expressions that may build this query: itself, what its name was assigned, what its helper returns."""
    pending, seen = [query], set[int]()
    while pending and len(seen) < _MAX_HELPERS:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, ast.Name):
            values = [v for v in flow.assigned(node) or () if v is not None]
            if len(values) > 1 and all(_is_text(v) for v in values):
                yield _concatenated(values)  # `q = '...'; q += x`: one text in several steps
            pending.extend(values)
        elif isinstance(node, ast.Attribute):
            pending.extend(v for v in flow.attribute_values(node) if v is not None)
        elif isinstance(node, ast.IfExp):
            pending.extend((node.body, node.orelse))
        elif isinstance(node, ast.Call) and (helper := _local_helper(node)) and helper in flow.functions:
            for function in flow.functions[helper]:
                pending.extend(r.value for r in ast.walk(function) if isinstance(r, ast.Return) and r.value)
        elif isinstance(node, ast.Call) and _wrapped(node) is not None:
            pending.append(_wrapped(node) or node)
        else:
            yield node


def _is_text(node: ast.expr) -> bool:
    return not isinstance(node, ast.Constant) or isinstance(node.value, str)


def _concatenated(values: list[ast.expr]) -> ast.expr:
    whole = values[0]
    for value in values[1:]:
        whole = ast.BinOp(left=whole, op=ast.Add(), right=value)
    return whole


def _local_helper(call: ast.Call) -> str:
    """The name of a helper of the same file: `build(...)` or `self.build(...)`."""
    if isinstance(call.func, ast.Name):
        return call.func.id
    if isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") in ("self", "cls"):
        return call.func.attr
    return ""


def _wrapped(call: ast.Call) -> ast.expr | None:
    """The text inside `text(...)`, `str(...)`, `dedent(...)`."""
    return call.args[0] if _called(call) in ("text", "str", "dedent", "SQL") and call.args else None


def _parts(node: ast.expr, flow: Flow, seen: set[int]) -> Iterator[Part]:
    """The text in its pieces, left to right. A spliced name that is itself built text is taken apart too."""
    if id(node) in seen or len(seen) > 200:
        return
    seen.add(id(node))
    match node:
        case ast.Constant(value=value):
            yield Part(text=str(value))
        case ast.JoinedStr(values=values):
            for piece in values:
                yield from _parts(piece, flow, seen)
        case ast.FormattedValue():
            yield from _spliced(node.value, flow, seen, whole=node)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            yield from _parts(left, flow, seen)
            yield from _spliced(right, flow, seen)
        case ast.BinOp(op=ast.Mod(), left=left, right=right):
            yield from _template(
                left, [right] if not isinstance(right, ast.Tuple) else list(right.elts), r"%[^%\s]?", flow
            )
        case ast.Call(func=ast.Attribute(attr="format", value=template), args=args, keywords=keywords):
            if not isinstance(template, ast.Call):  # sql.SQL('...').format(...) composes safely
                yield from _template(template, [*args, *(k.value for k in keywords)], r"\{[^{}]*\}", flow)
        case ast.Call(func=ast.Attribute(attr="join", value=separator), args=[items]):
            yield from _parts(separator, flow, seen)
            yield from _spliced(items, flow, seen)
        case ast.Name():
            yield from _spliced(node, flow, seen)
        case _:
            return


def _spliced(node: ast.expr, flow: Flow, seen: set[int], whole: ast.expr | None = None) -> Iterator[Part]:
    if isinstance(node, ast.JoinedStr | ast.BinOp | ast.Constant):
        yield from _parts(node, flow, seen)
        return
    yield Part(spliced=whole if whole is not None and flow.is_constant(whole) else node)


def _template(template: ast.expr, values: list[ast.expr], field: str, flow: Flow) -> Iterator[Part]:
    """A template and its values, as pieces; values beyond the fields come last."""
    if isinstance(template, ast.Name):
        assigned = [v for v in flow.assigned(template) or () if v is not None]
        template = assigned[0] if len(assigned) == 1 else template
    if not isinstance(template, ast.Constant):
        yield from _parts(template, flow, set())
        yield from (Part(spliced=v) for v in values)
        return
    pieces = re.split(field, str(template.value))
    for index, piece in enumerate(pieces):
        yield Part(text=piece)
        if index < len(values) and index < len(pieces) - 1:
            yield Part(spliced=values[index])
