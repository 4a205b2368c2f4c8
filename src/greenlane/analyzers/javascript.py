"""JavaScript and TypeScript, parsed by tree-sitter: code from text, markup from values, commands, SQL, broken TLS.

Called by `scripts`. It follows no value further than a `const` of the same file; what is built from constants, or
passes through a sanitizer, is harmless. The walk is iterative: nesting can't exhaust the stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Language, Node, Parser

from greenlane.analyzers.script_hits import SQL, Hit
from greenlane.domain.findings import Category, Severity

_SANITIZERS = re.compile(
    r"(^|\.)(sanitize\w*|escape\w*|encodeURIComponent|encodeURI|encodeHTML\w*|htmlEncode|Number|parseInt|parseFloat"
    r"|toFixed|gettext|ngettext|pgettext|stringify|t|_)$"
)
_MARKUP_SINKS = frozenset({"innerHTML", "outerHTML", "srcdoc"})
_TIMERS = frozenset({"setTimeout", "setInterval", "execScript"})
_WRITERS = frozenset({"document.write", "document.writeln"})
_SHELLS = re.compile(
    r"^((child_process|cp|childProcess|require\(['\"](node:)?child_process['\"]\))\.)?(exec|execSync)$"
)
_CALLERS = re.compile(
    r"^(window\.)?(fetch|axios(\.(get|post|put|patch|delete|request))?|got|WebSocket|EventSource|import|importScripts"
    r"|\$\.(get|post|ajax|getJSON)|navigator\.sendBeacon)$"
)
_TEXT = frozenset({"string", "number", "true", "false", "null", "undefined", "regex"})
_MAX_CONSTANT_STEPS = 200


def scan(path: str, text: str) -> list[Hit]:
    """All dangerous places of a file, as far as its syntax is right: see `broken_lines`."""
    nodes = list(_walk(_parse(path, text)))
    constants = _constants(nodes)
    found: list[Hit] = []
    for node in nodes:
        for rule in _RULES.get(node.type, ()):
            found += rule(node, constants)
    return found


def broken_lines(path: str, text: str) -> tuple[tuple[int, int], ...]:
    """First and last line (1-based) of each part that could not be parsed."""
    root = _parse(path, text)
    if not root.has_error:
        return ()
    return tuple((n.start_point[0] + 1, n.end_point[0] + 1) for n in _walk(root) if n.is_error or n.is_missing)


def _parse(path: str, text: str) -> Node:
    return Parser(_language(path)).parse(text.encode()).root_node


def _language(path: str) -> Language:
    if path.lower().endswith(".tsx"):
        return Language(tree_sitter_typescript.language_tsx())
    if path.lower().endswith((".ts", ".mts", ".cts")):
        return Language(tree_sitter_typescript.language_typescript())
    return Language(tree_sitter_javascript.language())


def _walk(root: Node) -> Iterator[Node]:
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(node.children))


def _text(node: Node | None) -> str:
    return (node.text or b"").decode("utf-8", "replace") if node is not None else ""


def _hit(node: Node, rule: str, severity: Severity, message: str) -> Hit:
    return Hit(
        rule=f"javascript.{rule}", severity=severity, message=message, line=node.start_point[0] + 1, text=_text(node)
    )


# ------------------------------------------------------------ values


def _constants(nodes: list[Node]) -> frozenset[str]:
    """Names that are bound once, by `const`, to a constant; a name bound twice in the file is none."""
    bound: dict[str, int] = {}
    constant: set[str] = set()
    for node in nodes:
        if node.type in ("identifier", "shorthand_property_identifier_pattern") and _binds(node):
            bound[_text(node)] = bound.get(_text(node), 0) + 1
        if node.type == "lexical_declaration" and _text(node).startswith("const"):
            for child in node.named_children:
                value = child.child_by_field_name("value")
                if (
                    child.type == "variable_declarator"
                    and value is not None
                    and _is_constant(value, frozenset(constant))
                ):
                    constant.add(_text(child.child_by_field_name("name")))
    return frozenset(name for name in constant if bound.get(name) == 1)


def _binds(node: Node) -> bool:
    parent = node.parent
    if parent is None:
        return False
    if parent.type in ("variable_declarator", "required_parameter", "optional_parameter", "function_declaration"):
        return node in (parent.child_by_field_name("name"), parent.child_by_field_name("pattern"))
    return parent.type in (
        "formal_parameters", "object_pattern", "array_pattern", "assignment_pattern", "catch_clause", "rest_pattern",
        "pair_pattern",
    ) or (parent.type == "arrow_function" and parent.child_by_field_name("parameter") == node)  # fmt: skip


def _is_constant(node: Node | None, constants: frozenset[str]) -> bool:
    """Whether a value holds nothing that is not written in the file or made harmless."""
    pending = [node]
    for _ in range(_MAX_CONSTANT_STEPS):
        if not pending:
            return True
        part = pending.pop()
        if part is None or part.type in _TEXT or (part.type == "identifier" and _text(part) in constants):
            continue
        if part.type == "identifier" and _text(part) == "undefined":
            continue
        if part.type == "call_expression" and _SANITIZERS.search(_text(part.child_by_field_name("function"))):
            continue
        if part.type in (
            "template_string",
            "template_substitution",
            "parenthesized_expression",
            "array",
            "as_expression",
        ):
            pending += [c for c in part.named_children if c.type not in ("string_fragment", "escape_sequence")]
        elif part.type in ("binary_expression", "ternary_expression"):
            pending += [part.child_by_field_name(f) for f in ("left", "right", "consequence", "alternative")]
        elif part.type == "member_expression" and _text(part).endswith(".length"):
            continue
        else:
            return False
    return False


def _is_built(node: Node | None) -> bool:
    """Whether a text is put together here, by `+` or a template."""
    if node is None:
        return False
    if node.type == "parenthesized_expression":
        return any(_is_built(c) for c in node.named_children)
    return (node.type == "binary_expression" and "+" in [c.type for c in node.children]) or (
        node.type == "template_string" and any(c.type == "template_substitution" for c in node.named_children)
    )


def _arguments(call: Node) -> list[Node]:
    given = call.child_by_field_name("arguments")
    return [c for c in given.named_children if c.type != "comment"] if given and given.type == "arguments" else []


def _markup_severity(value: Node) -> Severity:
    """Text put together here is worst; a name says nothing; markup of another element was markup before."""
    if _text(value).endswith((".innerHTML", ".outerHTML")):
        return Severity.LOW
    return Severity.HIGH if _is_built(value) else Severity.MEDIUM


# ------------------------------------------------------------ rules


def _assignment(node: Node, constants: frozenset[str]) -> Iterator[Hit]:
    left, value = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or value is None:
        return
    name = _text(left.child_by_field_name("property")) if left.type == "member_expression" else ""
    if left.type == "subscript_expression":
        name = _text(left.child_by_field_name("index")).strip("'\"`")
    if name in _MARKUP_SINKS and not _is_constant(value, constants):
        yield _hit(node, "markup", _markup_severity(value), f"{name} is set to what is not constant")
    if name == "NODE_TLS_REJECT_UNAUTHORIZED" and _text(value).strip("'\"`") == "0":
        yield _hit(node, "tls", Severity.HIGH, "TLS certificates are no longer checked")


def _call(node: Node, constants: frozenset[str]) -> Iterator[Hit]:
    callee = node.child_by_field_name("function") or node.child_by_field_name("constructor")
    name, arguments = re.sub(r"\s|\?", "", _text(callee)), _arguments(node)
    short, first = name.rsplit(".", 1)[-1], arguments[0] if arguments else None
    if first is None:
        return
    fixed = _is_constant(first, constants)
    if name in ("eval", "window.eval", "globalThis.eval", "(0,eval)", "Function", "window.Function"):
        if not all(_is_constant(a, constants) for a in arguments):
            yield _hit(node, "eval", Severity.HIGH, "text is run as code")
    elif short in _TIMERS and not fixed and _is_built(first):
        yield _hit(node, "eval", Severity.HIGH, f"{short} runs a text as code")
    elif name in _WRITERS and not fixed:
        yield _hit(node, "markup", Severity.HIGH if _is_built(first) else Severity.MEDIUM, f"{name} of a value")
    elif short == "insertAdjacentHTML" and len(arguments) > 1 and not _is_constant(arguments[1], constants):
        yield _hit(node, "markup", _markup_severity(arguments[1]), "insertAdjacentHTML of what is not constant")
    elif _SHELLS.match(name) and not fixed:
        severity = Severity.HIGH if _is_built(first) or "child_process" in name else Severity.MEDIUM
        yield _hit(node, "command", severity, "a shell command is put together from values")
    elif short == "postMessage" and len(arguments) > 1 and _text(arguments[1]).strip("'\"`") == "*":
        yield _hit(node, "post-message", Severity.MEDIUM, "a message goes to a window of any origin")
    if (
        short in ("spawn", "spawnSync", "execFile")
        and re.search(r"\bshell\s*:\s*true", _text(arguments[-1]))
        and not fixed
    ):
        yield _hit(node, "command", Severity.HIGH, "a shell runs what is not constant")
    if _CALLERS.match(name):
        yield from _host(node, first)


def _host(node: Node, address: Node) -> Iterator[Hit]:
    match = re.match(r"""['"`]((?:https?|wss?):)?//[^'"`\s$]+""", _text(address))
    if not match:
        return
    try:
        host = urlsplit(re.sub(r"^['\"`]", "", match[0])).hostname or ""
    except ValueError:
        host = ""
    message = f"the code calls a new host: {host}"
    hit = _hit(node, "new-host", Severity.MEDIUM, message)
    yield Hit(rule=hit.rule, severity=hit.severity, message=message, line=hit.line, text=hit.text, host=host,
              category=Category.INTEGRATION)  # fmt: skip


def _pair(node: Node, constants: frozenset[str]) -> Iterator[Hit]:
    key = _text(node.child_by_field_name("key")).strip("'\"`")
    value = node.child_by_field_name("value")
    if key in ("rejectUnauthorized", "strictSSL") and _text(value) == "false":
        yield _hit(node, "tls", Severity.HIGH, "TLS certificates are no longer checked")
    if key == "__html" and value is not None and not _is_constant(value, constants):
        yield _hit(node, "markup", Severity.HIGH, "dangerouslySetInnerHTML of what is not constant")


def _built_text(node: Node, constants: frozenset[str]) -> Iterator[Hit]:
    if node.parent is not None and node.parent.type == "binary_expression":
        return  # its outermost expression is judged
    if not _is_built(node) or _is_constant(node, constants):
        return
    tagged = node.type == "template_string" and node.parent is not None and node.parent.type == "call_expression"
    if not tagged and SQL.match(_text(node).lstrip("(").lstrip("'\"`")):
        yield _hit(node, "sql", Severity.HIGH, "SQL is put together from values")


def _string(node: Node, _constants: frozenset[str]) -> Iterator[Hit]:
    value = _text(node).strip("'\"`").strip()
    if re.match(r"javascript:(?!\s*(void\b|;|//|$))", value, re.IGNORECASE):
        yield _hit(node, "script-address", Severity.MEDIUM, "an address that runs code")


_RULES = {
    "assignment_expression": (_assignment,),
    "augmented_assignment_expression": (_assignment,),
    "call_expression": (_call,),
    "new_expression": (_call,),
    "pair": (_pair,),
    "binary_expression": (_built_text,),
    "template_string": (_built_text,),
    "string": (_string,),
}
