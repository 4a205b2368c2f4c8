"""Templates and HTML (Django, Jinja, Mako, plain), by text: escaping that is switched off, values in scripts, foreign
scripts. Called by `scripts`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from greenlane.analyzers.script_hits import Hit
from greenlane.domain.findings import Category, Severity

_COMMENT = re.compile(r"<!--(?!\[)[\s\S]*?-->|\{#[\s\S]*?#\}|\{%-?\s*comment\b[\s\S]*?endcomment\s*-?%\}")
_REQUEST = r"\brequest\.(GET|POST|args|form|values|cookies|COOKIES|headers|META|query_params|path|get_full_path)"
_LINE_RULES = (
    ("unescaped-request", Severity.HIGH, "what a visitor sends is shown unescaped",
     rf"\{{\{{[^{{}}]*{_REQUEST}[^{{}}]*\|\s*(safe|safeseq)\b"),
    ("autoescape-off", Severity.HIGH, "escaping is switched off", r"\{%-?\+?\s*autoescape\s+(off|false)\b"),
    ("unescaped", Severity.MEDIUM, "a value is shown unescaped",
     r"\{\{[^{}]*\|\s*(safe|safeseq)\b|\{\{[^{}]*\b(mark_safe|Markup)\(|\$\{[^{}]*\|\s*n\b"),
    ("unquoted-attribute", Severity.MEDIUM, "a value stands in an attribute without quotes",
     r"<[a-zA-Z][^<>{}]*\s(href|src|value|action|title|alt|id|name|content|style|on\w+)=\{\{"),
    ("script-address", Severity.HIGH, "an address that runs code holds a value", r"=\s*[\"']\s*javascript:[^\"']*\{\{"),
)  # fmt: skip
_COMPILED = tuple((r, s, m, re.compile(p)) for r, s, m, p in _LINE_RULES)
_IN_SCRIPT = "a value stands in a script, where escaping for HTML does not help"
_SCRIPT = re.compile(r"<script\b([^>]*)>([\s\S]*?)(</script\s*>|\Z)", re.IGNORECASE)
_VALUE = re.compile(r"\{\{(?P<value>[^{}]*)\}\}")
_ESCAPED = re.compile(
    r"\|\s*(tojson|escapejs|json_script|json|urlencode|yesno|length|int|floatformat|date|unlocalize)\b|^\s*(url_for|static|url)\b"
    r"|csrf_token|^\s*_\(|gettext|^\s*\"|^\s*'"
)
_SOURCE = re.compile(r"\bsrc\s*=\s*[\"']?((?:https?:)?//[^\"'\s>{]+)", re.IGNORECASE)
_HANDLER = re.compile(r"<svg[^>]*\son\w+\s*=|<(foreignObject|iframe|embed)\b", re.IGNORECASE)


def scan(path: str, text: str) -> list[Hit]:
    plain = _COMMENT.sub(lambda m: "\n" * m[0].count("\n"), text)
    found: list[Hit] = []
    for number, line in enumerate(plain.split("\n"), 1):
        for rule, severity, message, pattern in _COMPILED:
            if pattern.search(line):
                found.append(Hit(rule=f"markup.{rule}", severity=severity, message=message, line=number, text=line))
                break
    found += _scripts(path, plain)
    return found


def _scripts(path: str, plain: str) -> Iterator[Hit]:
    drawing = path.lower().endswith(".svg")
    for match in _SCRIPT.finditer(plain):
        number = plain.count("\n", 0, match.start()) + 1
        source = _SOURCE.search(match[1])
        if drawing:
            yield _hit("drawing-script", Severity.HIGH, "a drawing holds a script", number, match[0][:300])
        elif source:
            yield from _foreign(source[1], match[1], number)
        for value in _VALUE.finditer(match[2]):
            if not _ESCAPED.search(value["value"]):
                line = number + plain.count("\n", match.start(), match.start(2) + value.start())
                shown = f"script {value[0]}"
                yield _hit("value-in-script", Severity.MEDIUM, _IN_SCRIPT, line, shown)
    if drawing:
        for match in _HANDLER.finditer(plain):
            number = plain.count("\n", 0, match.start()) + 1
            yield _hit("drawing-script", Severity.HIGH, "a drawing runs code or holds a page", number, match[0])


def _foreign(address: str, attributes: str, number: int) -> Iterator[Hit]:
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return
    checked = "" if "integrity" in attributes.lower() else ", without an integrity digest"
    message = f"a script is taken from a new host: {host}{checked}"
    yield Hit(
        rule="markup.new-script-host", severity=Severity.MEDIUM, message=message, line=number, text=address, host=host,
        category=Category.INTEGRATION,
    )  # fmt: skip


def _hit(rule: str, severity: Severity, message: str, line: int, text: str) -> Hit:
    return Hit(rule=f"markup.{rule}", severity=severity, message=message, line=line, text=text)
