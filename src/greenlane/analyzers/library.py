"""The API of a Python library: public names that callers relied on and that are gone, ask for more or give less.

What griffe finds, without what is no promise (the name of `self`, of `*args`, of a positional-only parameter), and
beside it the rules of `api_functions.py` and `api_classes.py`. Called by `api.py` for services that are not deployed;
kept apart because griffe takes a while to import.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import griffe

from greenlane.analyzers import files
from greenlane.analyzers.api_classes import class_breaks, module_breaks
from greenlane.analyzers.api_functions import Broken, function_breaks
from greenlane.analyzers.api_package import (
    Node,
    dangling_names,
    is_shipped,
    load_package,
    outer_bases,
    public_pairs,
    standard_class,
    target_of,
)
from greenlane.analyzers.base import AnalysisResult, ReviewInput, SourceRoot
from greenlane.domain.events import SkippedFile
from greenlane.domain.findings import Category, Finding, Severity

_Kind = griffe.BreakageKind
_SEVERITY = {
    _Kind.PARAMETER_MOVED: Severity.HIGH,
    _Kind.PARAMETER_REMOVED: Severity.HIGH,
    _Kind.PARAMETER_CHANGED_KIND: Severity.HIGH,
    _Kind.PARAMETER_CHANGED_DEFAULT: Severity.LOW,
    _Kind.PARAMETER_CHANGED_REQUIRED: Severity.HIGH,
    _Kind.PARAMETER_ADDED_REQUIRED: Severity.HIGH,
    _Kind.RETURN_CHANGED_TYPE: Severity.LOW,
    _Kind.OBJECT_REMOVED: Severity.HIGH,
    _Kind.OBJECT_CHANGED_KIND: Severity.MEDIUM,
    _Kind.ATTRIBUTE_CHANGED_TYPE: Severity.LOW,
}
"""ATTRIBUTE_CHANGED_VALUE is left out: a version number or a constant is no contract. CLASS_REMOVED_BASE counts bases;
`api_classes.py` looks at all ancestors."""
_ABOUT_PARAMETERS = frozenset({
    _Kind.PARAMETER_MOVED, _Kind.PARAMETER_REMOVED, _Kind.PARAMETER_CHANGED_KIND, _Kind.PARAMETER_CHANGED_DEFAULT,
    _Kind.PARAMETER_CHANGED_REQUIRED, _Kind.PARAMETER_ADDED_REQUIRED,
})  # fmt: skip
_VARIADIC = (griffe.ParameterKind.var_positional, griffe.ParameterKind.var_keyword)
_NO_PROMISE = ("TypeVar(", "ParamSpec(", "getLogger(", "TypeVarTuple(")
"""Values of module attributes that are there for the module itself."""


def compare_packages(review: ReviewInput, packages: Iterable[tuple[SourceRoot, str]]) -> AnalysisResult:
    """Breaks of the API of these packages: (source root, top-level name)."""
    logging.getLogger("griffe").setLevel(logging.CRITICAL)
    findings: list[Finding] = []
    skipped: list[SkippedFile] = []
    for root, package in packages:
        path = str(PurePosixPath(root.path) / package)
        large = [name for tree in (review.base, review.head) for name in _oversized(tree, root, package, review)]
        if large:
            reason = f"{large[0]} is larger than {review.max_file_bytes} bytes"
            skipped.append(SkippedFile(path=path, analyzer="api", reason=reason))
            continue
        try:
            limit = review.max_file_bytes
            before, after = (load_package(tree, root, package, limit) for tree in (review.base, review.head))
            if before is not None and after is not None:
                findings += _breaks(review, before, after)
            elif before is not None:
                findings += [_removed_package(review, root, package)]
        except Exception as error:  # griffe reads code that nobody checked; whatever it raises is 'not analysed'
            reason = f"griffe could not read the package {package} ({type(error).__name__})"
            skipped.append(SkippedFile(path=path, analyzer="api", reason=reason))
    return AnalysisResult(findings=tuple(findings), skipped=tuple(skipped))


def _oversized(tree: Path, root: SourceRoot, package: str, review: ReviewInput) -> list[str]:
    """Files of a package that are too large to be parsed: a syntax tree takes some fifty times its source."""
    folder = tree / root.path
    sources = [folder / f"{package}.py", *(folder / package).rglob("*.py")]
    return [
        file.relative_to(folder).as_posix()
        for file in sources
        if file.is_file() and file.stat().st_size > review.max_file_bytes
    ]


def _breaks(review: ReviewInput, before: Node, after: Node) -> Iterator[Finding]:
    seen: set[tuple[str, str, str, int]] = set()
    changed = {p for d in review.diff.files for p in (d.path, d.old_path or d.path)}
    for broken in (*_by_griffe(before, after), *_by_rules(before, after)):
        path, line = _position(review, broken, changed)
        key = (broken.rule, broken.message.partition(":")[0], path, line)
        if key in seen or files.is_support(path) or not is_shipped(broken.node.path):
            continue
        seen.add(key)
        tree = review.base if broken.at_base else review.head
        where = " (as it stood at the base)" if broken.at_base else ""
        yield Finding(
            rule=broken.rule,
            category=Category.API,
            severity=broken.severity,
            message=broken.message + where,
            path=path,
            line=line,
            quotation=_quote(tree, path, line, review.max_file_bytes),
        )


def _by_rules(before: Node, after: Node) -> Iterator[Broken]:
    for path, member in dangling_names(before, after):
        yield Broken("griffe.object-removed", Severity.HIGH, f"{path}: what it is imported from is gone", member, True)
    for pair in public_pairs(before, after):
        for broken in (*function_breaks(pair), *class_breaks(pair), *module_breaks(pair)):
            yield Broken(f"greenlane.{broken.rule}", broken.severity, broken.message, broken.node, broken.at_base)


# ------------------------------------------------------------------ griffe's findings


def _by_griffe(before: Node, after: Node) -> Iterator[Broken]:
    for breakage in griffe.find_breaking_changes(before, after):
        severity = _SEVERITY.get(breakage.kind)
        if severity is None or (breakage.kind in _ABOUT_PARAMETERS and _is_no_promise(breakage, before)):
            continue
        node: Node = breakage.obj
        words = breakage.kind.value.lower()
        if breakage.kind is _Kind.OBJECT_REMOVED:
            severity = _severity_of_removal(node, after)
        elif breakage.kind is _Kind.OBJECT_CHANGED_KIND and _is_about_property(breakage):
            continue  # `api_classes.py` says it better
        elif breakage.kind is _Kind.PARAMETER_CHANGED_DEFAULT and _is_flipped(breakage):
            severity = Severity.MEDIUM
        if breakage.kind in _ABOUT_PARAMETERS:
            words += f" ({(breakage.old_value or breakage.new_value).name})"
        rule = "griffe." + breakage.kind.name.lower().replace("_", "-")
        at_base = breakage.kind is _Kind.OBJECT_REMOVED
        yield Broken(rule, severity, f"{node.path}: {words}", node, at_base)


def _is_no_promise(breakage: griffe.Breakage, before: Node) -> bool:
    """Parameters whose name callers never write: `self`, `*args`, what is positional-only, what is private."""
    old, new, function = breakage.old_value, breakage.new_value, breakage.obj
    kind = breakage.kind
    was, now = _parameters(_same_object(before, function)), _parameters(function)
    if kind is _Kind.PARAMETER_REMOVED:
        if old.kind in _VARIADIC:
            return any(p.kind is old.kind for p in now)
        at = next((i for i, p in enumerate(was) if p.name == old.name), -1)
        return _is_bound(old, at, function) or _is_unnamed(now, at) or (old.name.startswith("_") and not old.required)
    at = next((i for i, p in enumerate(now) if p.name == new.name), -1)
    return _is_bound(new, at, function) or (kind is _Kind.PARAMETER_ADDED_REQUIRED and _is_unnamed(was, at))


def _is_bound(parameter: griffe.Parameter, at: int, function: Node) -> bool:
    """Whether it is what a method is bound to: its first one, unless it is static."""
    named = parameter.name in ("self", "cls", "mcs", "metacls")
    in_class = function.parent is not None and function.parent.is_class
    return in_class and (named or (at == 0 and "staticmethod" not in function.labels))


def _is_unnamed(parameters: list[griffe.Parameter], at: int) -> bool:
    """Whether a positional-only parameter stands in this place: one that is told of only has another name."""
    return 0 <= at < len(parameters) and parameters[at].kind is griffe.ParameterKind.positional_only


def _same_object(tree: Node, node: Node) -> Node | None:
    try:
        found: Node = tree[node.path.removeprefix(f"{tree.path}.")]
    except (KeyError, griffe.AliasResolutionError, griffe.CyclicAliasError):
        return None
    return found


def _parameters(node: Node | None) -> list[griffe.Parameter]:
    target = None if node is None else target_of(node)
    return list(target.parameters) if isinstance(target, griffe.Function) else []


def _severity_of_removal(removed: Node, after: Node) -> Severity:
    """HIGH, unless what is gone may be inherited from elsewhere, or was there for its own module alone."""
    name, owner = removed.name, removed.parent
    special = name.startswith("__") and name.endswith("__")
    if owner is None or not owner.is_class:
        value = str(getattr(target_of(removed), "value", "") or "")
        own = special or any(call in value for call in _NO_PROMISE)
        return Severity.LOW if own else Severity.HIGH
    if special and name != "__init__" and (hasattr(object, name) or name in ("__slots__", "__tablename__")):
        return Severity.LOW
    if name == "__init__" and isinstance(removed, griffe.Function) and not list(removed.parameters)[1:]:
        return Severity.LOW
    same = _same_object(after, owner)
    now = target_of(same) if same is not None else None
    if not isinstance(now, griffe.Class):
        return Severity.HIGH
    known = {base: standard_class(base) for base in outer_bases(now)}
    inherited = any(cls is None or hasattr(cls, name) for cls in known.values())
    return Severity.LOW if inherited else Severity.HIGH


def _is_about_property(breakage: griffe.Breakage) -> bool:
    kinds = {breakage.old_value, breakage.new_value}
    return kinds == {griffe.Kind.ATTRIBUTE, griffe.Kind.FUNCTION} and breakage.obj.has_labels("property")


def _is_flipped(breakage: griffe.Breakage) -> bool:
    values = {str(p.default) for p in (breakage.old_value, breakage.new_value)}
    return values == {"True", "False"}


# ------------------------------------------------------------------ places


def _position(review: ReviewInput, broken: Broken, changed: set[str]) -> tuple[str, int]:
    """(path in the repository, line) of what broke: where it is defined if that is in the change, else where its
    public name is."""
    places = [_place(review, broken, target_of(broken.node)), _place(review, broken, broken.node)]
    inside = [p for p in places if p[0] in changed]
    return (inside or [p for p in reversed(places) if p[0]] or [("", 0)])[0]


def _place(review: ReviewInput, broken: Broken, node: Node | None) -> tuple[str, int]:
    if node is None:
        return "", 0
    if isinstance(node, griffe.Alias):
        line = node.alias_lineno or 0
        file = node.parent.filepath if node.parent is not None else None
    else:
        line, file = node.lineno or 0, node.filepath
        if not line and node.parent is not None and not node.is_module:
            line = getattr(node.parent, "lineno", 0) or 0  # a constructor that is derived from fields
    path = file if isinstance(file, Path) else Path()
    tree = review.base if broken.at_base else review.head
    return (path.relative_to(tree).as_posix(), line) if path.is_relative_to(tree) else ("", 0)


def _removed_package(review: ReviewInput, root: SourceRoot, package: str) -> Finding:
    folder = PurePosixPath(root.path) / package
    path = f"{folder}/__init__.py" if (review.base / folder / "__init__.py").is_file() else f"{folder}.py"
    return Finding(
        rule="griffe.package-removed",
        category=Category.API,
        severity=Severity.HIGH,
        message=f"{package}: the whole package was removed",
        path=path,
    )


def _quote(tree: Path, path: str, line: int, limit: int) -> str:
    try:
        lines = files.read_text(tree, path, limit).splitlines()
    except files.UnreadableError:
        return ""
    return lines[line - 1].strip()[:300] if 0 < line <= len(lines) else ""
