"""New third-party services and dependencies: what the change begins to rely on outside of this repository.

Not 'the manifest was touched': a distribution, an imported package, a host, or the name of a credential that the base
does not know. What is used at the base already is not new, wherever it stands.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from greenlane.analyzers import files
from greenlane.analyzers.base import AnalysisResult, ReviewInput
from greenlane.analyzers.dependencies import Declared, declared_in, index_addresses, is_manifest
from greenlane.analyzers.knowledge import BaseKnowledge
from greenlane.domain.diff import FileDiff
from greenlane.domain.events import SkippedFile
from greenlane.domain.findings import Category, Finding, Severity

NAME = "integrations"
_CREDENTIAL = re.compile(r"^[A-Z][A-Z0-9_]*_(API_?KEY|TOKEN|SECRET|ACCESS_KEY|CREDENTIALS|DSN|WEBHOOK_URL)$")
_HARMLESS_HOST = re.compile(
    r"(^|\.)(localhost|local|test|invalid|example|internal|example\.(com|org|net)|w3\.org|xmlsoap\.org|json-schema\.org"
    r"|schema\.org|openxmlformats\.org|purl\.org|python\.org|readthedocs\.io|readthedocs\.org|rfc-editor\.org|ietf\.org"
    r"|wikipedia\.org|stackoverflow\.com|creativecommons\.org|opensource\.org|spdx\.org|mozilla\.org|whatwg\.org"
    r"|testserver)$|^(github\.com|gitlab\.com|www\.apache\.org|pypi\.org)$"
    r"|^(docs?|schemas?|ns|developers?|help|support|errors)\.",
    re.IGNORECASE,
)
_PRIVATE_ADDRESS = re.compile(r"^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|0\.0\.0\.0|169\.254\.|\[?::)")
_URL = re.compile(
    r"(?:https?|wss?|ftps?|amqps?|rediss?|postgres(?:ql)?|mysql|mongodb(?:\+srv)?|kafka|grpcs?)://[^\s'\"<>{}]*", re.I
)
_CONNECTIONS = frozenset(
    {"HTTPSConnection", "HTTPConnection", "create_connection", "connect", "SMTP", "SMTP_SSL", "Redis"}
)
_BARE_HOST = re.compile(r"^([a-z0-9-]+\.)+[a-z]{2,}$", re.IGNORECASE)
_CONFIGURATION = (".env", ".ini", ".conf", ".properties")
_ALIASES = {
    "yaml": "pyyaml", "pil": "pillow", "bs4": "beautifulsoup4", "cv2": "opencv-python", "sklearn": "scikit-learn",
    "dateutil": "python-dateutil", "jwt": "pyjwt", "dotenv": "python-dotenv", "jose": "python-jose",
    "attr": "attrs", "psycopg2": "psycopg2-binary", "mysqldb": "mysqlclient", "git": "gitpython", "redis": "redis",
    "crypto": "pycryptodome", "openssl": "pyopenssl", "serial": "pyserial", "magic": "python-magic",
    "google": "google-api-core", "pkg-resources": "setuptools", "slugify": "python-slugify",
    "rest-framework": "djangorestframework",
}  # fmt: skip
"""Import names whose distribution is called otherwise, for those that are met most."""


def analyze(review: ReviewInput) -> AnalysisResult:
    known = BaseKnowledge(review.base, review.max_file_bytes)
    findings: list[Finding] = []
    skipped: list[SkippedFile] = []
    for diff in review.readable:
        if is_manifest(diff.path):
            try:
                findings += _new_distributions(review, diff, known)
            except (ValueError, files.UnreadableError) as error:
                skipped.append(
                    SkippedFile(path=diff.path, analyzer=NAME, reason=f"the manifest can't be read ({error})")
                )
        if not diff.added or files.is_support(diff.path):
            continue
        if files.kind_of(diff.path) is files.Kind.PYTHON and not diff.path.endswith("setup.py"):
            try:
                file = files.read_python(review.head, diff.path, review.max_file_bytes)
            except files.UnreadableError:
                continue
            findings += _in_code(review, diff, file, known)
        elif diff.path.rsplit("/", 1)[-1].startswith(".env") or diff.path.endswith(_CONFIGURATION):
            findings += _in_configuration(diff, known)
    return AnalysisResult(findings=tuple(_first_of_each(findings)), skipped=tuple(skipped))


def _first_of_each(findings: list[Finding]) -> Iterator[Finding]:
    seen: set[tuple[str, str]] = set()
    for finding in findings:
        if (finding.rule, finding.message) not in seen:
            seen.add((finding.rule, finding.message))
            yield finding


def _finding(rule: str, severity: Severity, message: str, path: str, line: int, quotation: str) -> Finding:
    return Finding(
        rule=f"integrations.{rule}", category=Category.INTEGRATION, severity=severity, message=message, path=path,
        line=line, quotation=quotation[:300],
    )  # fmt: skip


def _new_distributions(review: ReviewInput, diff: FileDiff, known: BaseKnowledge) -> Iterator[Finding]:
    """Distributions of a manifest that no manifest of the base names. Raises ValueError, UnreadableError."""
    text = files.read_text(review.head, diff.path, review.max_file_bytes)
    for declared in declared_in(diff.path, text):
        known_source = known.distributions.get(declared.name)
        if known_source is None:
            yield _distribution(diff.path, declared, known)
        elif declared.source and declared.source.split("@")[0] not in known_source:
            message = f"the dependency {declared.name} is taken from another address than before"
            yield _finding("source-changed", Severity.MEDIUM, message, diff.path, declared.line, declared.quotation)
    for address, line in index_addresses(text).items():
        if not known.mentions(address):
            message = f"packages are taken from another index: {_host_of(address) or address}"
            yield _finding("new-index", Severity.MEDIUM, message, diff.path, line, "")


def _distribution(path: str, declared: Declared, known: BaseKnowledge) -> Finding:
    severity = Severity.MEDIUM
    kind = "dependency"
    if declared.development or (files.is_support(path) and not declared.source):
        severity, kind = Severity.LOW, "dependency for development"
    elif declared.locked and known.has_plain_manifest:
        severity, kind = Severity.LOW, "locked dependency, which another one needs"
    return _finding(
        "new-distribution", severity, f"a new {kind}: {declared.name}", path, declared.line, declared.quotation
    )


def _in_code(review: ReviewInput, diff: FileDiff, file: files.PythonFile, known: BaseKnowledge) -> Iterator[Finding]:
    added = {line.number for line in diff.added}
    prose = _docstrings(file.tree)
    for node in ast.walk(file.tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import | ast.ImportFrom) and line in added:
            for module in _modules(node):
                if known.is_new_module(module, review.head, diff.path, [r.path for r in review.roots]):
                    yield _import(module, diff.path, line, file, known)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            if not added & set(range(line, (node.end_lineno or line) + 1)):
                continue
            yield from _text_in_code(node.value, diff.path, line, file.quote(line), known)
        elif isinstance(node, ast.Call) and line in added:
            yield from _connection(node, diff.path, file.quote(line), known)


def _connection(call: ast.Call, path: str, quotation: str, known: BaseKnowledge) -> Iterator[Finding]:
    """`HTTPSConnection("api.x.io")` and its kind: a host without a scheme."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Tuple) and first.elts:
        first = first.elts[0]
    if name in _CONNECTIONS and isinstance(first, ast.Constant) and isinstance(first.value, str):
        host = first.value.split(":")[0]
        if _BARE_HOST.match(host) and _is_service(host) and not known.mentions(host):
            yield _finding(
                "new-host", Severity.MEDIUM, f"the code calls a new host: {host}", path, call.lineno, quotation
            )


def _text_in_code(text: str, path: str, line: int, quotation: str, known: BaseKnowledge) -> Iterator[Finding]:
    """A host or the name of a credential in a string. A sentence that mentions an address calls nobody."""
    if _URL.match(text) and not re.search(r"\s", text.strip()):
        host = _host_of(text)
        if host and _is_service(host) and not known.mentions(host):
            yield _finding("new-host", Severity.MEDIUM, f"the code calls a new host: {host}", path, line, quotation)
    elif _CREDENTIAL.match(text) and not known.mentions(text):
        message = f"the code reads a new credential: {text}"
        yield _finding("new-credential", Severity.MEDIUM, message, path, line, quotation)


def _in_configuration(diff: FileDiff, known: BaseKnowledge) -> Iterator[Finding]:
    for line in diff.added:
        if line.text.lstrip().startswith(("#", ";", "//")):
            continue
        for match in _URL.finditer(line.text):
            host = _host_of(match[0])
            if host and _is_service(host) and not known.mentions(host):
                shown = re.sub(r"//[^/@\s]+@", "//***@", match[0])
                yield _finding(
                    "new-host",
                    Severity.MEDIUM,
                    f"the configuration names a new host: {host}",
                    diff.path,
                    line.number,
                    shown,
                )


def _host_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_service(host: str) -> bool:
    return "." in host and not _HARMLESS_HOST.search(host) and not _PRIVATE_ADDRESS.match(host)


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    return [] if node.level or not node.module else [node.module.split(".")[0]]


def _import(module: str, path: str, line: int, file: files.PythonFile, known: BaseKnowledge) -> Finding:
    name = canonicalize_name(module)
    declared = known.distributions.keys() & {name, _ALIASES.get(name, name), f"python-{name}"}
    severity = Severity.LOW if declared else Severity.MEDIUM
    suffix = ", which was declared already" if declared else ""
    return _finding("new-import", severity, f"the first import of {module}{suffix}", path, line, file.quote(line))


def _docstrings(tree: ast.Module) -> set[int]:
    """String constants that stand alone as a statement: documentation."""
    return {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)}
