"""Removed guards: a permission check, validation, escape, time-out or limit that a function had and has no more.

A deletion is easy to overlook and is often the whole vulnerability. To stay quiet on refactorings this counts guards by
kind and function: a check that was rewritten, moved into a helper that is called, or put on the class still counts, and
a function that is gone guards nothing.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TypeAlias

import msgspec

from greenlane.analyzers import files, protections, regexes
from greenlane.analyzers.base import AnalysisResult, ReviewInput
from greenlane.domain.diff import FileDiff
from greenlane.domain.findings import Category, Finding, Severity

NAME = "guards"
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class Kind(StrEnum):
    ACCESS = "access check"
    ESCAPE = "escape"
    VALIDATION = "validation"
    TIMEOUT = "time-out"
    LIMIT = "limit"


class Guard(msgspec.Struct, frozen=True):
    kind: Kind
    line: int
    text: str


_SEVERITY = {
    Kind.ACCESS: Severity.HIGH,
    Kind.ESCAPE: Severity.HIGH,
    Kind.VALIDATION: Severity.MEDIUM,
    Kind.TIMEOUT: Severity.LOW,
    Kind.LIMIT: Severity.MEDIUM,
}
_DROPPED = {protections.Kind.SKIP: Severity.LOW}
"""Of what was dropped, that which well-kept projects drop all the time; all else is HIGH."""
_PACKAGING = re.compile(r"(^|/)(setup|noxfile|tasks|fabfile)\.py$")
_ACCESS = re.compile(
    r"login_?required|permission|authenti|authori[sz]|require_?(auth|user|login|admin|role|token|api)|is_?(admin|staff|super_?user"
    r"|owner|allowed|authenticated|authorized)|has_?(perm|role|scope|access)|access_?control|csrf_protect|jwt_required"
    r"|roles?_(required|accepted)|user_passes_test|compare_digest|verify_(signature|token|password|jwt)|check_(password|auth|access|token"
    r"|signature)|\bowner\b|owner_id|forbidden|unauthori[sz]ed|\b40[13]\b|LoginRequiredMixin|PermissionRequiredMixin|\bcan_\w+",
    re.IGNORECASE,
)
_EXEMPTION = re.compile(
    r"csrf_exempt|login_not_required|AllowAny\b|allow_anonymous|permission_classes\s*=\s*[\[(]\s*[\])]", re.I
)
_ESCAPE = re.compile(
    r"^(escape|html_escape|xml_escape|conditional_escape|sanitize\w*|bleach|secure_filename|quote|quote_plus|escape_\w+)$"
)
_ESCAPE_CALL = re.compile(
    r"(^|\.)(escape|conditional_escape|clean_html|secure_filename|shlex\.quote|bleach\.clean|sanitize\w*)$", re.I
)
_VALIDATION_CALL = re.compile(
    r"(^|\.)(full_clean|is_valid|validate\w*|check_\w*valid\w*|is_relative_to|safe_join|commonpath)$"
)
_DEMAND = re.compile(r"(require|check|verify|ensure|assert|enforce)_")
_LIMITS = frozenset(
    {"max_length", "max_size", "max_content_length", "max_redirects", "max_bytes", "limit", "page_size"}
)
_TIMEOUTS = frozenset({"timeout", "timeout_s", "connect_timeout", "read_timeout"})
_REFUSING_CALLS = frozenset(
    {"abort", "HttpResponseForbidden", "HttpResponseBadRequest", "PermissionDenied", "redirect_to_login"}
)
_MIDDLEWARE = re.compile(
    r"(csrf|security|authentication|session|xframe|clickjacking|ratelimit|throttl)\w*(middleware)?$", re.IGNORECASE
)


def analyze(review: ReviewInput) -> AnalysisResult:
    pairs = list(_changed_files(review))
    moved = Counter(text for pair in pairs for text in _guard_texts(pair.head))
    moved.subtract(text for pair in pairs for text in _guard_texts(pair.base))
    findings: list[Finding] = []
    lost: dict[tuple[str, str], Finding] = {}
    for pair in pairs:
        if pair.base is None or pair.head is None:
            continue
        gone = {line.number for line in pair.diff.removed}
        lost.update(((pair.head.path, name), f) for name, f in _lost_guards(pair.base, pair.head, gone, moved))
        findings += _lost_middleware(pair.base, pair.head)
        findings += _new_exemptions(pair.head, pair.base, {line.number for line in pair.diff.added})
    findings += _merged(lost, _lost_protections(pairs))
    for pair in pairs:
        if pair.head is not None:
            findings += _explosive_patterns(pair.head, pair.base, {line.number for line in pair.diff.added})
    return AnalysisResult(findings=tuple(findings))


class Pair(msgspec.Struct, frozen=True):
    """One changed file on both sides; None where it does not exist."""

    diff: FileDiff
    base: files.PythonFile | None
    head: files.PythonFile | None


def _changed_files(review: ReviewInput) -> Iterator[Pair]:
    for diff in review.readable:
        if (
            files.is_support(diff.path)
            or _PACKAGING.search(diff.path)
            or files.kind_of(diff.path) is not files.Kind.PYTHON
        ):
            continue
        try:
            head = files.read_python(review.head, diff.path, review.max_file_bytes)
            base = None
            if diff.status != "added":
                base = files.read_python(review.base, diff.old_path or diff.path, review.max_file_bytes)
        except files.UnreadableError:
            continue
        yield Pair(diff, base, head)


def _merged(lost: dict[tuple[str, str], Finding], dropped: Iterable[tuple[str, Finding]]) -> list[Finding]:
    """One finding for a function and kind of evidence: a guard whose protection has gone by name too weighs as much."""
    order = list(Severity)
    found = dict(lost)
    alone: list[Finding] = []
    for place, finding in dropped:
        same = found.get((finding.path, place))
        if same is None:
            alone.append(finding)
        elif order.index(finding.severity) > order.index(same.severity):
            found[finding.path, place] = msgspec.structs.replace(same, severity=finding.severity)
    return [*found.values(), *alone]


def _lost_protections(pairs: list[Pair]) -> Iterator[tuple[str, Finding]]:
    """Protections by name, on lines that the change took away."""
    both = {p.head.path: p for p in pairs if p.base is not None and p.head is not None}
    compared = [(p.base, p.head) for p in both.values() if p.base is not None and p.head is not None]
    new = [p.head for p in pairs if p.base is None and p.head is not None]
    for path, losses in protections.lost(compared, new).items():
        base = both[path].base
        removed = {line.number for line in both[path].diff.removed}
        for loss in losses:
            if base is None or not removed:
                continue
            yield (
                loss.place,
                Finding(
                    rule=f"guards.{loss.kind.name.lower()}-dropped",
                    category=Category.SECURITY,
                    severity=_DROPPED.get(loss.kind, Severity.HIGH),
                    message=f"{loss.place or 'the module'} loses a protection ({loss.kind}: {loss.name}; base)",
                    path=path,
                    line=loss.line,
                    quotation=base.quote(loss.line),
                ),
            )


def _explosive_patterns(head: files.PythonFile, base: files.PythonFile | None, added: set[int]) -> Iterator[Finding]:
    """Regular expressions that take exponential time, and that the base had not."""
    if not added:
        return
    before = {text for _, text in regexes.explosive(base.tree)} if base else set()
    for node, text in regexes.explosive(head.tree):
        if text in before or not added & set(range(node.lineno, (node.end_lineno or node.lineno) + 1)):
            continue
        yield Finding(
            rule="guards.explosive-pattern",
            category=Category.SECURITY,
            severity=Severity.HIGH,
            message="a regular expression that can take exponential time on hostile text",
            path=head.path,
            line=node.lineno,
            quotation=head.quote(node.lineno),
        )


def _guard_texts(file: files.PythonFile | None) -> Iterator[str]:
    if file is not None:
        for _, function in _functions(file.tree):
            yield from (guard.text for guard in _guards(function))


def _lost_guards(
    base: files.PythonFile, head: files.PythonFile, removed: set[int], moved: Counter[str]
) -> Iterator[tuple[str, Finding]]:
    """Guards that a function has fewer of. One whose text stands once more elsewhere now has moved there."""
    after = dict(_functions(head.tree))
    for name, function in _functions(base.tree):
        now = after.get(name)
        if now is None:
            continue
        had, has = list(_guards(function)), list(_guards(now))
        kept = Counter(g.kind for g in has)
        texts = Counter(g.text for g in has)
        for kind, count in Counter(g.kind for g in had).items():
            lost = [g for g in had if g.kind is kind and g.line in removed and not texts[g.text] and moved[g.text] < 0]
            if count > kept[kind] and lost:
                yield name, _finding(kind, lost[0], name, head.path)


def _finding(kind: Kind, guard: Guard, name: str, path: str) -> Finding:
    return Finding(
        rule=f"guards.{kind.name.lower()}-removed",
        category=Category.SECURITY,
        severity=_SEVERITY[kind],
        message=f"{name} loses a guard ({kind}; line of the base)",
        path=path,
        line=guard.line,
        quotation=guard.text[:300],
    )


def _functions(tree: ast.Module) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Functions and classes with their qualified names."""
    pending: list[tuple[str, ast.AST]] = [("", tree)]
    while pending:
        prefix, node = pending.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function | ast.ClassDef):
                yield prefix + child.name, child
                pending.append((f"{prefix}{child.name}.", child))
            else:
                pending.append((prefix, child))


def _guards(node: Function | ast.ClassDef) -> Iterator[Guard]:
    for decorator in node.decorator_list:
        text = ast.unparse(decorator)
        if _ACCESS.search(text) and not _EXEMPTION.search(text):
            yield Guard(Kind.ACCESS, decorator.lineno, "@" + text)
    if isinstance(node, ast.ClassDef):
        for base in node.bases:
            if _ACCESS.search(ast.unparse(base)):
                yield Guard(Kind.ACCESS, node.lineno, ast.unparse(base))
        return
    for inner in _own_nodes(node):
        if isinstance(inner, ast.If) and _refuses(inner.body):
            text = ast.unparse(inner.test)
            refusal = text + " " + " ".join(ast.unparse(s) for s in inner.body)
            yield Guard(Kind.ACCESS if _ACCESS.search(refusal) else Kind.VALIDATION, inner.lineno, f"if {text}:")
        elif isinstance(inner, ast.Call):
            yield from _call_guards(inner)


def _own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions inside it."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, Function | ast.ClassDef):
            pending.extend(ast.iter_child_nodes(node))


def _refuses(body: list[ast.stmt]) -> bool:
    """Whether a branch only turns the caller away."""
    last = body[-1]
    if isinstance(last, ast.Raise):
        return True
    value = last.value if isinstance(last, ast.Return | ast.Expr) else None
    if isinstance(value, ast.Call):
        name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        if name in _REFUSING_CALLS:
            return True
    return (
        isinstance(last, ast.Return)
        and value is not None
        and bool(re.search(r"\b4(0[0-9]|1[0-9]|2[0-9])\b", ast.unparse(value)))
    )


def _call_guards(call: ast.Call) -> Iterator[Guard]:
    name = ast.unparse(call.func) if isinstance(call.func, ast.Name | ast.Attribute) else ""
    last = name.rsplit(".", 1)[-1]
    if _ESCAPE_CALL.search(name) or (_ESCAPE.match(last) and last != "quote"):
        yield Guard(Kind.ESCAPE, call.lineno, ast.unparse(call))
    elif _VALIDATION_CALL.search(name):
        yield Guard(Kind.VALIDATION, call.lineno, ast.unparse(call))
    elif last == "compare_digest" or (_DEMAND.match(last) and _ACCESS.search(last)):
        yield Guard(Kind.ACCESS, call.lineno, ast.unparse(call))
    for keyword in call.keywords:
        if isinstance(keyword.value, ast.Constant) and keyword.value.value is None:
            continue
        if keyword.arg in _TIMEOUTS:
            yield Guard(Kind.TIMEOUT, call.lineno, f"{name}({ast.unparse(keyword)})")
        elif keyword.arg in _LIMITS:
            yield Guard(Kind.LIMIT, call.lineno, f"{name}({ast.unparse(keyword)})")


def _lost_middleware(base: files.PythonFile, head: files.PythonFile) -> Iterator[Finding]:
    """Entries like `django.middleware.csrf.CsrfViewMiddleware` that a list of the base had."""
    left = {n.value for n in ast.walk(head.tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    for node in ast.walk(base.tree):
        if not isinstance(node, ast.List | ast.Tuple):
            continue
        for element in node.elts:
            text = element.value if isinstance(element, ast.Constant) else None
            if (
                isinstance(text, str)
                and "." in text
                and "iddleware" in text
                and _MIDDLEWARE.search(text)
                and text not in left
            ):
                yield _finding(
                    Kind.ACCESS,
                    Guard(Kind.ACCESS, element.lineno, base.quote(element.lineno)),
                    "the list of middleware",
                    head.path,
                )


def _new_exemptions(head: files.PythonFile, base: files.PythonFile, added: set[int]) -> Iterator[Finding]:
    """Exemptions that the change puts in: `@csrf_exempt`, `AllowAny`, an empty list of permissions."""
    before = Counter(line.strip() for line in base.lines)
    for number in sorted(added):
        text = head.quote(number)
        if not _EXEMPTION.search(text) or text.startswith(("#", "from ", "import ")) or before[text]:
            continue
        yield Finding(
            rule="guards.exemption-added",
            category=Category.SECURITY,
            severity=Severity.HIGH,
            message="an exemption from a guard is added",
            path=head.path,
            line=number,
            quotation=text,
        )
