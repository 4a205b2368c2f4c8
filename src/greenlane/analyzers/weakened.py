"""Tests that a change makes easier to pass, by what it does to them and to the settings of the suite.

An assertion is removed or loosened; a test is skipped, or deleted while what it tests lives, or run on fewer inputs. It
asks nobody by itself: a finding is low, or medium where it is hardly ever meant otherwise and the same change touches
code that production runs. A value that is expected otherwise than before is an ordinary change of behaviour and no
finding; nor is a test that goes with what it tested, or that others replace.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

from greenlane.analyzers import files, suite_settings
from greenlane.analyzers.assertions import EMPTY, EXACT, LOOSE, Assertion, TestNode, list_assertions, tests_of
from greenlane.analyzers.base import AnalysisResult, ReviewInput
from greenlane.analyzers.summary import is_production
from greenlane.domain.findings import Category, Finding, Severity

NAME = "weakened"
_SKIPS = ("skip", "skipIf", "skipUnless", "skipif", "xfail", "expectedFailure")
_ALIKE = 0.7
"""Share of its statements that a test has in common with one of another name: it was renamed."""


class _Side(msgspec.Struct, frozen=True):
    """A test file on one side of the change."""

    file: files.PythonFile
    tests: dict[str, TestNode]


class _Weak(msgspec.Struct, frozen=True):
    """What was made weaker. `strong`: hardly ever meant otherwise."""

    rule: str
    message: str
    line: int
    strong: bool = False
    in_base: bool = False


def analyze(review: ReviewInput) -> AnalysisResult:
    pairs = list(_pairs(review))
    head_tests = {name: test for _, _, head in pairs if head for name, test in head.tests.items()}
    base_names = {name for _, base, _ in pairs if base for name in base.tests}
    fresh = {name: test for name, test in head_tests.items() if name not in base_names}
    serious = any(
        f.added and f.status != "deleted" and files.kind_of(f.path) is files.Kind.PYTHON and is_production(f.path)
        for f in review.diff.files
    )
    findings = []
    for path, base, head in pairs:
        if base is None:
            continue
        found = list(_gone(base, head, head_tests, fresh, review))
        for name, before in base.tests.items():
            after = head.tests.get(name) if head else None
            if after is not None and ast.dump(before) != ast.dump(after):
                found += _changed(name, before, after)
        findings += [_finding(weak, path, base, head, serious=serious) for weak in found]
    findings += suite_settings.relaxed(review)
    return AnalysisResult(findings=tuple(findings))


def _pairs(review: ReviewInput) -> Iterator[tuple[str, _Side | None, _Side | None]]:
    """Both sides of each test file of the change; a side that is absent or can't be read is None."""
    limit = review.max_file_bytes
    for file in review.diff.files:
        if not files.is_test(file.path) or files.kind_of(file.path) is not files.Kind.PYTHON or file.skipped:
            continue
        base = _side(review, "base", file.old_path or file.path, limit) if file.status != "added" else None
        head = _side(review, "head", file.path, limit) if file.status != "deleted" else None
        if file.status != "deleted" and head is None:
            continue  # unreadable: `reading.py` says so
        yield file.path if head else file.old_path or file.path, base, head


def _side(review: ReviewInput, side: str, path: str, limit: int) -> _Side | None:
    try:
        parsed = files.read_python(review.base if side == "base" else review.head, path, limit)
    except files.UnreadableError:
        return None
    return _Side(parsed, tests_of(parsed.tree))


# ------------------------------------------------------------------ a test that is still there


def _changed(name: str, before: TestNode, after: TestNode) -> Iterator[_Weak]:
    if (skip := _skip_of(after)) is not None and _skip_of(before) is None:
        yield _Weak("skipped", f"{name} is skipped, or expected to fail, from now on", skip, strong=True)
    yield from _fewer_rows(name, before, after)
    had, has = list_assertions(before), list_assertions(after)
    if had and not has:
        yield _Weak(
            "no-assertion", f"{name} asserts nothing any more; it had `{had[0].text[:120]}`", after.lineno, True
        )
        return
    yield from _compared(name, [a for a in had if a.strength != EMPTY and "Deprecat" not in a.text], has, after.lineno)


def _compared(name: str, had: list[Assertion], has: list[Assertion], line: int) -> Iterator[_Weak]:
    """What was asserted and is no more, each beside what took its place. One that grew stricter makes up for one that
    is gone, as `match=` of an expected error does for a comparison of its text."""
    removed: list[Assertion] = []
    new, gained = _difference(has, had), 0
    for assertion in _difference(had, has):
        match = _counterpart(assertion, new)
        if match is None:
            removed.append(assertion)
            continue
        new.remove(match)
        gained += match.strength > assertion.strength
        yield from _looser(name, assertion, match)
    for assertion in removed[: max(len(removed) - gained - len(new), 0)]:
        yield _Weak("assertion-removed", f"{name} no longer asserts `{assertion.text[:160]}`", line)


def _looser(name: str, before: Assertion, after: Assertion) -> Iterator[_Weak]:
    if after.strength == EMPTY:
        text = f"{name} asserts what is always true instead of `{before.text[:120]}`"
        yield _Weak("assertion-empty", text, after.line, strong=True)
    elif after.strength < before.strength and (before.strength == EXACT or after.strength == LOOSE):
        yield _Weak("assertion-loosened", f"{name} demanded `{before.text[:160]}`", after.line)
    elif after.tolerance > before.tolerance:
        text = f"{name} allows a larger difference than `{before.text[:120]}`"
        yield _Weak("tolerance-raised", text, after.line)


def _difference(these: list[Assertion], those: list[Assertion]) -> list[Assertion]:
    known = Counter(a.text for a in those)
    found = []
    for assertion in these:
        if known[assertion.text]:
            known[assertion.text] -= 1
        else:
            found.append(assertion)
    return found


def _counterpart(assertion: Assertion, candidates: list[Assertion]) -> Assertion | None:
    """The new assertion that takes its place: about the same thing, else an empty one."""
    same = [c for c in candidates if c.subject == assertion.subject or _mentions(c, assertion)]
    empty = [c for c in candidates if c.strength == EMPTY]
    return max(same, key=lambda c: c.strength, default=empty[0] if empty else None)


def _mentions(candidate: Assertion, assertion: Assertion) -> bool:
    """A constant has no subject of its own; `f(x)` inside `len(f(x))` is about the same thing."""
    return len(assertion.subject) > 3 and assertion.subject in candidate.text


def _skip_of(test: TestNode) -> int | None:
    """The line that skips a test as a whole, without a condition; None if nothing does."""
    for decorator in test.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
        arguments = decorator.args if isinstance(decorator, ast.Call) else []
        conditional = name.lower() in {"skipif", "skipunless"} and not all(
            isinstance(a, ast.Constant) for a in arguments
        )
        if name in _SKIPS and not conditional and not (name == "xfail" and arguments):
            return decorator.lineno
    for statement in test.body:
        value = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(statement, ast.Return):
            return statement.lineno
        if isinstance(value, ast.Call) and ast.unparse(value.func) in {"pytest.skip", "pytest.xfail", "self.skipTest"}:
            return statement.lineno
    return None


def _fewer_rows(name: str, before: TestNode, after: TestNode) -> Iterator[_Weak]:
    had, has = _rows(before), _rows(after)
    for names, (rows, _) in had.items():
        kept, line = has.get(names, ([], 0))
        gone = len(rows) - len(kept)
        if line and gone > 0:
            first = next((row for row in rows if row not in kept), rows[-1])
            yield _Weak("inputs-dropped", f"{name} runs on {gone} inputs fewer; one was `{first[:120]}`", line)


def _rows(test: TestNode) -> dict[str, tuple[list[str], int]]:
    """Literal rows of each parametrisation, by the names that it gives, and its line."""
    found = {}
    for decorator in test.decorator_list:
        if not isinstance(decorator, ast.Call) or len(decorator.args) < 2:
            continue
        names, rows = decorator.args[:2]
        if ast.unparse(decorator.func).endswith("parametrize") and isinstance(rows, ast.List | ast.Tuple):
            found[ast.unparse(names)] = ([ast.unparse(row) for row in rows.elts], decorator.lineno)
    return found


# ------------------------------------------------------------------ a test that is gone


def _gone(
    base: _Side,
    head: _Side | None,
    head_tests: Mapping[str, TestNode],
    fresh: Mapping[str, TestNode],
    review: ReviewInput,
) -> Iterator[_Weak]:
    """Tests that are deleted while all that they take from the project is still there, and that nothing replaces."""
    left = set(head_tests)
    gone = {n: t for n, t in base.tests.items() if n not in left and (head is None or n not in head.tests)}
    news = [_statements(test) for test in fresh.values()]
    lost = {n: t for n, t in gone.items() if not _is_renamed(_statements(t), news)}
    if len(fresh) >= len(lost):
        return  # rewritten: as many are new
    imported = _imported(base.file.tree)
    for name, test in lost.items():
        used = _used(test, imported)
        alive = [_lives(review, module, thing) for module, thing in used]
        if alive and all(alive):
            things = ", ".join(sorted(thing or module for module, thing in used)[:3])
            yield _Weak("test-deleted", f"{name} is gone while {things} is still there", test.lineno, in_base=True)


def _statements(test: TestNode) -> frozenset[str]:
    return frozenset(ast.dump(node) for node in test.body)


def _is_renamed(statements: frozenset[str], news: list[frozenset[str]]) -> bool:
    return any(len(statements & new) >= _ALIKE * max(len(statements), 1) for new in news)


def _imported(tree: ast.Module) -> dict[str, tuple[str, str]]:
    """Local name to (module, name in it) of what a test file imports from somewhere: who it is, `_lives` finds out."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {
                a.asname or a.name.split(".")[0]: (a.name, "") for a in node.names if "." not in a.name or a.asname
            }
    return {name: pair for name, pair in found.items() if pair[0].split(".")[0] not in {"pytest", "unittest", "typing"}}


def _used(test: TestNode, imported: Mapping[str, tuple[str, str]]) -> set[tuple[str, str]]:
    """(module, name) of what a test takes from imports; of a whole module, the attributes that it names."""
    used = {imported[n.id] for n in ast.walk(test) if isinstance(n, ast.Name) and n.id in imported}
    found = {pair for pair in used if pair[1]}
    for node in ast.walk(test):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module, name = imported.get(node.value.id, ("", "?"))
            found |= {(module, node.attr)} if module and not name else set()
    return found


def _lives(review: ReviewInput, module: str, name: str) -> bool:
    """Whether the head still has this module of the project, and the name in it. Anything that is not found is not
    the project's, or is gone: both mean no."""
    roots = {"", "src", *(root.path for root in review.roots if root.path != ".")}
    for root in sorted(roots):
        path = "/".join(filter(None, (root, *module.split("."))))
        for candidate in (f"{path}.py", f"{path}/__init__.py", *([f"{path}/{name}.py"] if name else [])):
            try:
                text = files.read_text(review.head, candidate, review.max_file_bytes)
            except files.UnreadableError:
                continue
            if not name or candidate.endswith(f"/{name}.py") or name in text:
                return True
    return False


def _finding(weak: _Weak, path: str, base: _Side, head: _Side | None, *, serious: bool) -> Finding:
    source = base if weak.in_base or head is None else head
    return Finding(
        rule=f"weakened.{weak.rule}",
        category=Category.COVERAGE,
        severity=Severity.MEDIUM if weak.strong and serious else Severity.LOW,
        message=weak.message + (" (line of the base)" if source is base else ""),
        path=path,
        line=weak.line,
        quotation=source.file.quote(weak.line),
    )
