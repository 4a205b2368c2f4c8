"""How much each rule of ruff's S family and of bandit is worth: curated severities, and what refines them.

Both tools share their numbers (S608 is B608). Their own severities are of little use for a decision: half of what they
report is style. HIGH here means: a person must look before anything runs. MEDIUM adds risk, LOW is noted.
`refine` looks at the code: a constant command is no injection, a random number is harmless unless it is a secret.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from greenlane.analyzers import sql
from greenlane.analyzers.dataflow import Flow
from greenlane.domain.findings import Severity

INFO, LOW, MEDIUM, HIGH = Severity.INFO, Severity.LOW, Severity.MEDIUM, Severity.HIGH

Refine: TypeAlias = Callable[[ast.AST, ast.stmt, Flow], Severity | None]
"""(the innermost node at the finding, its statement, the file's flow) -> the severity instead, or None to keep it."""

_SECRET_WORD = re.compile(
    r"passw|secret|token|nonce|salt|otp\b|otp_|api_?key|session_?(id|key)|csrf|signature|credential|reset_?code|invite",
    re.IGNORECASE,
)
_REMOTE_WORD = re.compile(
    r"request|payload|body|cookie|message|redis|socket|recv|header|session|response|\.get\(", re.I
)


_BENIGN_KEYWORDS = frozenset({
    "shell", "cwd", "env", "check", "timeout", "text", "stdin", "stdout", "stderr", "capture_output",
    "universal_newlines", "encoding", "errors", "bufsize", "start_new_session", "close_fds",
})  # fmt: skip
"""Arguments of a subprocess that are no part of its command."""


class Rule(msgspec.Struct, frozen=True):
    severity: Severity
    refine: Refine | None = None


def constant_arguments(severity: Severity) -> Refine:
    """This severity when every argument is put together from constants."""

    def refine(node: ast.AST, _: ast.stmt, flow: Flow) -> Severity | None:
        call = call_at(node, flow)
        if call is None:
            return None
        given = [*call.args, *(k.value for k in call.keywords if k.arg not in _BENIGN_KEYWORDS)]
        return severity if given and all(flow.is_constant(a) for a in given) else None

    return refine


def secret_context(severity: Severity) -> Refine:
    """This severity when the statement, or the function around it, is about a secret."""

    def refine(node: ast.AST, statement: ast.stmt, flow: Flow) -> Severity | None:
        around = [n.name for n in flow.enclosing(node) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        text = ast.unparse(statement) if not hasattr(statement, "body") else ast.unparse(node)
        return severity if _SECRET_WORD.search(text) or any(_SECRET_WORD.search(n) for n in around) else None

    return refine


def _pickle(node: ast.AST, statement: ast.stmt, flow: Flow) -> Severity | None:
    """Loading from a local file is a risk; loading what came over a wire is an open door."""
    text = ast.unparse(statement) if not hasattr(statement, "body") else ast.unparse(node)
    call = call_at(node, flow)
    loads = call is not None and isinstance(call.func, ast.Attribute) and call.func.attr == "loads"
    return HIGH if loads or _REMOTE_WORD.search(text) else None


def _sql(node: ast.AST, _: ast.stmt, flow: Flow) -> Severity | None:
    """Text that looks like SQL but was not seen at a driver: what is spliced in decides, and it must be a statement."""
    expression = _largest_text(node, flow)
    if expression is None:
        return None
    if not sql.looks_like_statement(expression, flow):
        return LOW
    severity = sql.judge(expression, flow)
    if severity is None:
        return INFO
    return HIGH if severity is HIGH and _splices_value(expression, flow) else MEDIUM


_VALUE_POSITION = re.compile(r"('|(=|<|>|\blike|\bin\s*\(|\bvalues\s*\()\s*[\"%]*)\s*$", re.IGNORECASE)


def _splices_value(expression: ast.expr, flow: Flow) -> bool:
    """Whether something is spliced in where a value belongs (`= '{x}'`), not where a name does (`FROM {x}`)."""
    before = ""
    for part in sql.text_parts(expression, flow):
        if part.spliced is None:
            before += part.text
        elif not flow.is_constant(part.spliced) and _VALUE_POSITION.search(before):
            return True
        else:
            before += "x"
    return False


def call_at(node: ast.AST, flow: Flow) -> ast.Call | None:
    """The innermost call that holds this node."""
    if isinstance(node, ast.Call):
        return node
    return next((n for n in flow.enclosing(node) if isinstance(n, ast.Call)), None)


def _largest_text(node: ast.AST, flow: Flow) -> ast.expr | None:
    """The whole string expression around a node of it."""
    found = node if isinstance(node, ast.JoinedStr | ast.BinOp | ast.Call) else None
    for around in flow.enclosing(node):
        if isinstance(around, ast.JoinedStr | ast.BinOp) or (
            isinstance(around, ast.Attribute) and around.attr == "format"
        ):
            found = around if not isinstance(around, ast.Attribute) else found
        elif isinstance(around, ast.Call) and getattr(around.func, "attr", "") == "format":
            found = around
        else:
            break
    return found


RULES: dict[int, Rule] = {
    101: Rule(INFO),  # assert
    102: Rule(HIGH, constant_arguments(LOW)),  # exec
    103: Rule(MEDIUM),  # permissive chmod
    104: Rule(LOW),  # bind to all interfaces: every container does
    105: Rule(LOW),  # a name like 'password' with a text: the analyzer of secrets judges the text
    106: Rule(LOW),
    107: Rule(LOW),
    108: Rule(INFO),  # /tmp
    110: Rule(INFO),  # try/except/pass
    112: Rule(INFO),
    113: Rule(LOW),  # request without time-out
    201: Rule(HIGH),  # Flask's debugger, which runs code for anybody
    202: Rule(HIGH),  # tarfile.extractall without a filter
    301: Rule(MEDIUM, _pickle),
    302: Rule(MEDIUM, _pickle),
    303: Rule(LOW, secret_context(HIGH)),  # MD5, SHA-1
    304: Rule(HIGH),  # broken ciphers
    305: Rule(HIGH),
    306: Rule(MEDIUM),  # mktemp
    307: Rule(HIGH, constant_arguments(LOW)),  # eval
    308: Rule(HIGH, constant_arguments(INFO)),  # mark_safe
    310: Rule(INFO),  # urlopen
    311: Rule(INFO, secret_context(HIGH)),  # random
    312: Rule(MEDIUM),  # telnet
    321: Rule(MEDIUM),  # ftp
    323: Rule(HIGH),  # TLS without verification
    324: Rule(LOW, secret_context(HIGH)),
    501: Rule(HIGH),  # TLS without verification
    502: Rule(HIGH),
    503: Rule(MEDIUM),
    504: Rule(INFO),
    505: Rule(MEDIUM),  # short keys
    506: Rule(HIGH),  # yaml.load
    507: Rule(HIGH),  # ssh without host keys
    508: Rule(MEDIUM),
    509: Rule(MEDIUM),
    601: Rule(LOW),  # paramiko exec_command
    602: Rule(HIGH, constant_arguments(LOW)),  # shell=True
    603: Rule(INFO),  # subprocess without a shell
    604: Rule(MEDIUM, constant_arguments(LOW)),
    605: Rule(HIGH, constant_arguments(LOW)),  # os.system
    606: Rule(INFO),
    607: Rule(INFO),
    608: Rule(MEDIUM, _sql),
    609: Rule(MEDIUM),
    610: Rule(HIGH, constant_arguments(INFO)),  # Django extra()
    611: Rule(MEDIUM, constant_arguments(INFO)),  # Django RawSQL
    612: Rule(MEDIUM),
    613: Rule(HIGH),  # characters that make code read as something else
    614: Rule(MEDIUM),  # torch.load
    615: Rule(LOW),
    701: Rule(MEDIUM),  # Jinja2 without escaping
    702: Rule(MEDIUM),
    703: Rule(HIGH, constant_arguments(INFO)),  # mark_safe, bandit's number
    704: Rule(HIGH, constant_arguments(INFO)),  # Markup
}
_FAMILIES = {3: Rule(LOW), 4: Rule(INFO)}
"""Rules that are not listed: XML parsers and the like (3xx) are noted, imports (4xx) are information."""
_UNKNOWN = Rule(MEDIUM)
"""A rule that a newer version of a tool brings counts, until it is judged here."""


def rule_of(number: int) -> Rule:
    return RULES.get(number) or _FAMILIES.get(number // 100, _UNKNOWN)
