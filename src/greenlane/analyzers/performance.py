"""Performance: work that grows with the data where nobody sees it, in the Python code that production runs.

Queries per item of a loop, relations that are loaded one by one (N+1), blocking calls in asynchronous code, filters on
a column without an index, and work that grows with the square of its input. Findings are of medium or low severity:
they add to the risk, and seldom ask for a person by themselves. What stood at the base is taken away.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import msgspec

from greenlane.analyzers import files
from greenlane.analyzers.base import AnalysisResult, ReviewInput
from greenlane.analyzers.schema import is_migration
from greenlane.analyzers.subtract import locate, subtract
from greenlane.domain.findings import Category, Finding, Severity

NAME = "performance"
_BLOCKING = frozenset({
    "time.sleep", "os.system", "os.popen", "subprocess.run", "subprocess.call", "subprocess.check_call",
    "subprocess.check_output", "urllib.request.urlopen", "socket.create_connection", "socket.getaddrinfo",
    "socket.gethostbyname", "sqlite3.connect", "psycopg2.connect", "psycopg.connect", "pymysql.connect",
    "MySQLdb.connect", "shutil.copytree", "shutil.rmtree",
    *(f"{module}.{verb}" for module in ("requests", "httpx")
      for verb in ("get", "post", "put", "patch", "delete", "head", "request", "options")),
})  # fmt: skip
"""Calls that hold the event loop, by their full name."""
_SESSION = re.compile(r"(^|_)(session|cursor|cur|conn|connection|engine|db)$", re.IGNORECASE)
_SESSION_QUERIES = frozenset({"execute", "query", "scalar", "scalars", "fetchone", "fetchval", "fetchrow"})
_MANAGER_QUERIES = frozenset({
    "get", "filter", "exclude", "all", "first", "last", "count", "exists", "create", "get_or_create",
    "update_or_create", "aggregate", "values", "values_list", "in_bulk", "raw", "latest", "earliest",
})  # fmt: skip
_LOADED_AHEAD = frozenset({"select_related", "prefetch_related", "values", "values_list", "only", "iterator"})
_RELATED_QUERIES = frozenset({"all", "filter", "count", "first", "exists", "get", "exclude", "last"})
_INDEXED_TYPES = frozenset({"ForeignKey", "OneToOneField", "AutoField", "BigAutoField", "SlugField"})
_LOOPS = (ast.For, ast.AsyncFor, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def analyze(review: ReviewInput) -> AnalysisResult:
    head, base = [], []
    added = {f.path: frozenset(line.number for line in f.added) for f in review.readable}
    unindexed = _unindexed_fields(review)
    for diff in review.readable:
        if not added[diff.path] or files.is_support(diff.path) or is_migration(diff.path):
            continue
        after = _read(review, diff.path, at_head=True)
        if after is None:
            continue
        head += [locate(f, after) for f in find(after, unindexed)]
        before = None if diff.status == "added" else _read(review, diff.old_path or diff.path, at_head=False)
        if before is not None:
            old = files.PythonFile(diff.path, before.text)
            base += [locate(f, old) for f in find(old, unindexed)]
    brought = subtract(head, base, added)
    return AnalysisResult(findings=tuple(f for f in brought if f.severity is not Severity.INFO))


def _read(review: ReviewInput, path: str, *, at_head: bool) -> files.PythonFile | None:
    """A Python file that can be parsed; those that can't are reported by `reading`."""
    tree = review.head if at_head else review.base
    if files.kind_of(path) is not files.Kind.PYTHON:
        return None
    try:
        return files.read_python(tree, path, review.max_file_bytes)
    except files.UnreadableError:
        return None


class _Seen(msgspec.Struct, frozen=True):
    """A finding before it knows its file."""

    rule: str
    severity: Severity
    line: int
    message: str


def find(file: files.PythonFile, unindexed: dict[str, frozenset[str]] | None = None) -> list[Finding]:
    """What slows this file down. `unindexed` gives the columns without an index of each model that is known."""
    names = _imported(file.tree)
    seen: dict[tuple[str, int], _Seen] = {}
    for found in (
        *_queries_in_loops(file.tree),
        *_relations(file.tree),
        *_blocking(file.tree, names),
        *_growing(file.tree),
        *_filters(file.tree, unindexed or {}),
    ):
        seen.setdefault((found.rule, found.line), found)
    return [
        Finding(
            rule=f"performance.{s.rule}",
            category=Category.PERFORMANCE,
            severity=s.severity,
            message=s.message,
            path=file.path,
            line=s.line,
            quotation=file.quote(s.line),
        )
        for s in seen.values()
    ]


# ------------------------------------------------------------------ queries


def _queries_in_loops(tree: ast.Module) -> Iterator[_Seen]:
    """A query for each item; a loop over a few constants or over attempts is none."""
    for loop in ast.walk(tree):
        if not isinstance(loop, _LOOPS) or _is_short(loop):
            continue
        for node in _repeated(loop):
            query = _query(node)
            if query:
                message = f"`{query}` runs once for each item of a loop"
                yield _Seen("query-in-loop", Severity.MEDIUM, node.lineno, message)


def _repeated(loop: ast.AST) -> Iterator[ast.expr]:
    """Every expression that is evaluated once an item: not the iterable, and not what is only defined in there."""
    if isinstance(loop, ast.For | ast.AsyncFor):
        pending: list[ast.AST] = list(loop.body)
    elif isinstance(loop, ast.DictComp):
        pending = [loop.key, *([loop.value] if loop.value else []), *(i for g in loop.generators for i in g.ifs)]
    elif isinstance(loop, ast.ListComp | ast.SetComp | ast.GeneratorExp):
        pending = [loop.elt, *(i for g in loop.generators for i in g.ifs)]
    else:
        return
    while pending:
        node = pending.pop()
        if isinstance(node, ast.expr):
            yield node
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            pending.extend(ast.iter_child_nodes(node))


def _is_short(loop: ast.AST) -> bool:
    """A loop over a literal, over `range(...)`, or one that ends at its first item."""
    iterables = [loop.iter] if isinstance(loop, ast.For | ast.AsyncFor) else [
        g.iter for g in getattr(loop, "generators", [])[:1]
    ]  # fmt: skip
    for iterable in iterables:
        if isinstance(iterable, ast.Tuple | ast.List | ast.Set | ast.Constant):
            return True
        if isinstance(iterable, ast.Call) and _dotted(iterable.func) in ("range", "itertools.count", "count"):
            return True
    body = getattr(loop, "body", None)
    return isinstance(body, list) and bool(body) and isinstance(body[-1], ast.Return | ast.Break)


def _query(node: ast.expr) -> str:
    """The call in words, if it sends a query: through a Django manager, or a session or cursor."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return ""
    owner, method = _dotted(node.func.value), node.func.attr
    if method in _MANAGER_QUERIES and owner.endswith(".objects"):
        return f"{owner}.{method}()"
    last = owner.rsplit(".", 1)[-1]
    return f"{owner}.{method}()" if method in _SESSION_QUERIES and _SESSION.search(last) else ""


def _relations(tree: ast.Module) -> Iterator[_Seen]:
    """`for order in Order.objects...: order.customer.name`: one more query for each order."""
    for loop in ast.walk(tree):
        if not isinstance(loop, ast.For) or not isinstance(loop.target, ast.Name) or not _is_plain_queryset(loop.iter):
            continue
        called = {id(n.func) for n in _repeated(loop) if isinstance(n, ast.Call)}
        for node in _repeated(loop):
            relation = _relation_of(node, loop.target.id, called)
            if relation:
                yield _Seen(
                    "n-plus-one", Severity.MEDIUM, node.lineno,
                    f"`{relation}` is loaded with a query of its own for each item; select_related or prefetch_related"
                    " loads them together",
                )  # fmt: skip


def _is_plain_queryset(node: ast.expr) -> bool:
    chain = []
    while isinstance(node, ast.Call | ast.Attribute):
        if isinstance(node, ast.Attribute):
            chain.append(node.attr)
            node = node.value
        else:
            node = node.func
    return "objects" in chain and not _LOADED_AHEAD & set(chain)


def _relation_of(node: ast.expr, item: str, called: set[int]) -> str:
    """`item.relation.attribute` that is read, or `item.things.all()`; a method of a plain value is neither."""
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Attribute):
        return ""
    inner = node.value
    if not (isinstance(inner.value, ast.Name) and inner.value.id == item):
        return ""
    if id(node) in called and not (node.attr in _RELATED_QUERIES and inner.attr.endswith(("_set", "s"))):
        return ""
    if inner.attr.startswith("_") or node.attr in ("pk", "id"):
        return ""
    return f"{item}.{inner.attr}"


# ------------------------------------------------------------------ filters


def _unindexed_fields(review: ReviewInput) -> dict[str, frozenset[str]]:
    """Columns without an index of each Django model in the files of the change, as they stand at the head."""
    found: dict[str, frozenset[str]] = {}
    for diff in review.readable:
        file = _read(review, diff.path, at_head=True)
        if file is not None and "models." in file.text:
            found.update(_models(file.tree))
    return found


def _models(tree: ast.Module) -> Iterator[tuple[str, frozenset[str]]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef) or not any(_dotted(b).endswith("Model") for b in node.bases):
            continue
        plain: set[str] = set()
        mentioned: set[str] = set()
        for statement in node.body:
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
                if _dotted(statement.value.func).startswith("models.") and not _is_indexed(statement.value):
                    plain |= {t.id for t in statement.targets if isinstance(t, ast.Name)}
            elif isinstance(statement, ast.ClassDef) and statement.name == "Meta":
                # Every name in Meta counts as indexed: indexes, constraints and unique_together are written many ways.
                mentioned = {
                    n.value.lstrip("-")
                    for n in ast.walk(statement)
                    if isinstance(n, ast.Constant) and isinstance(n.value, str)
                }
        yield node.name, frozenset(plain - mentioned)


def _is_indexed(field: ast.Call) -> bool:
    if _dotted(field.func).rsplit(".", 1)[-1] in _INDEXED_TYPES:
        return True
    return any(
        k.arg in ("db_index", "unique", "primary_key") and isinstance(k.value, ast.Constant) and k.value.value is True
        for k in field.keywords
    )


def _filters(tree: ast.Module, unindexed: dict[str, frozenset[str]]) -> Iterator[_Seen]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = _dotted(node.func.value)
        model = owner.removesuffix(".objects").rsplit(".", 1)[-1]
        if not owner.endswith(".objects") or node.func.attr not in ("filter", "exclude", "get"):
            continue
        columns = {k.arg.split("__", 1)[0] for k in node.keywords if k.arg}
        without = columns & unindexed.get(model, frozenset())
        if columns and without == columns:  # one indexed column narrows the rest
            listed = ", ".join(sorted(without))
            yield _Seen(
                "unindexed-filter", Severity.LOW, node.lineno, f"{model} has no index on {listed}: all rows are read"
            )


# ------------------------------------------------------------------ the event loop


def _blocking(tree: ast.Module, names: dict[str, str]) -> Iterator[_Seen]:
    for function in ast.walk(tree):
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        for node in _own(function):
            if isinstance(node, ast.Call):
                called = _resolve(_dotted(node.func), names)
                if called in _BLOCKING:
                    message = f"`{called}` holds the event loop: nothing else is answered meanwhile"
                    yield _Seen("blocking-in-async", Severity.MEDIUM, node.lineno, message)


def _own(function: ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """The nodes of this function that run on the event loop: functions inside it may run elsewhere."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, _FUNCTIONS):
            pending.extend(ast.iter_child_nodes(node))


def _imported(tree: ast.Module) -> dict[str, str]:
    """Local name to full name, for all imports of the file."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for a in node.names:
                first = a.name.split(".")[0]
                names[a.asname or first] = a.name if a.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update({(a.asname or a.name): f"{node.module}.{a.name}" for a in node.names})
    return names


def _resolve(dotted: str, names: dict[str, str]) -> str:
    first, _, rest = dotted.partition(".")
    full = names.get(first)
    if full is None:
        return ""
    return f"{full}.{rest}" if rest else full


# ------------------------------------------------------------------ growth


def _growing(tree: ast.Module) -> Iterator[_Seen]:
    """Work that grows with the square of its input: texts and lists that are rebuilt, or searched, item by item."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        texts, lists = _initialised(function)
        for loop in ast.walk(function):
            if isinstance(loop, ast.For) and not _is_short(loop):
                yield from _rebuilt(loop, texts, lists)
                yield from _nested(loop)


def _initialised(function: ast.AST) -> tuple[set[str], set[str]]:
    """Names that begin as an empty text, and names that are lists for certain and nothing else."""
    texts: set[str] = set()
    lists: set[str] = set()
    other: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
            if isinstance(value, ast.Constant) and value.value == "":
                texts.add(name)
            elif isinstance(value, ast.List) and not value.elts:
                lists.add(name)
            else:
                other.add(name)
    return texts - other, lists - other


def _rebuilt(loop: ast.For, texts: set[str], lists: set[str]) -> Iterator[_Seen]:
    appended = {
        n.func.value.id
        for n in ast.walk(loop)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr == "append"
        and isinstance(n.func.value, ast.Name)
    }  # fmt: skip
    for node in ast.walk(loop):
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add) and isinstance(node.target, ast.Name):
            if node.target.id in texts:
                yield _Seen(
                    "text-in-loop", Severity.LOW, node.lineno,
                    f"`{node.target.id}` is copied whole for each item; collect the parts and join them once",
                )  # fmt: skip
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            first = node.args[0] if node.args else None
            at_front = isinstance(first, ast.Constant) and first.value == 0
            if at_front and node.func.attr in ("pop", "insert") and _dotted(node.func.value) in lists:
                yield _Seen(
                    "front-of-list", Severity.LOW, node.lineno,
                    f"`{node.func.attr}(0` moves every item of the list each time; a deque does not",
                )  # fmt: skip
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            name = _dotted(node.comparators[0])
            if name in lists and name in appended:
                yield _Seen(
                    "search-in-list", Severity.LOW, node.lineno,
                    f"`{name}` grows in this loop and is searched from its front for each item; a set is not",
                )  # fmt: skip


def _nested(loop: ast.For) -> Iterator[_Seen]:
    over = _dotted(loop.iter)
    for inner in ast.walk(loop):
        if inner is not loop and isinstance(inner, ast.For) and over and _dotted(inner.iter) == over:
            yield _Seen(
                "nested-scan", Severity.LOW, inner.lineno, f"`{over}` is gone through once for each of its own items"
            )


def _dotted(node: ast.expr) -> str:
    """`a.b.c` as text; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join((node.id, *reversed(parts)))
