"""Classes and modules of a library: ancestors, abstract methods, fields, properties and `__all__`.

What callers do with a class besides calling its methods: catch it, test for it, derive from it, implement it, construct
it from its fields, read a property without parentheses. Called by `library.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import griffe

from greenlane.analyzers.api_functions import Broken
from greenlane.analyzers.api_package import Node, Pair, members_of, mro_of, outer_bases, standard_class, target_of
from greenlane.domain.findings import Severity

_FORMAL_BASES = frozenset({"object", "Generic", "Protocol", "ABC", "ABCMeta", "type", "with_metaclass"})
"""Bases that say how a class is built; nobody tests for them."""
_FORMAL_MODULES = ("typing.", "typing_extensions.", "collections.abc.", "abc.")
_RECORD_DECORATOR = re.compile(r"(^|\.)(s|attrs|define|frozen|mutable|attributes|dataclass)(\(|$)")
_RECORD_BASES = frozenset({"NamedTuple", "BaseModel", "Struct", "SQLModel", "RootModel"})
_ENUMS = frozenset({"Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"})
_FIELD_CALL = re.compile(r"^([\w.]*\b)?(ib|attrib|field|Field)\(")
_DEFAULT = re.compile(r"\b(default|factory|default_factory)\s*=")


def class_breaks(pair: Pair) -> Iterator[Broken]:
    old, new = pair.old, pair.new
    if isinstance(old, griffe.Class) and isinstance(new, griffe.Class):
        yield from _ancestors(pair.path, old, new)
        yield from _abstract(pair.path, old, new)
        yield from _protocol(pair.path, old, new)
        yield from _fields(pair.path, old, new)
        yield from _enum_values(pair.path, old, new)
    yield from _property(pair)


def module_breaks(pair: Pair) -> Iterator[Broken]:
    """Names taken out of `__all__` that are there still: a star import no longer has them."""
    old, new = pair.old, pair.new
    if not isinstance(old, griffe.Module) or not isinstance(new, griffe.Module):
        return
    if "__all__" not in old.members or "__all__" not in new.members or not new.exports:
        return
    left = {str(name) for name in new.exports}
    for name in dict.fromkeys(str(name) for name in old.exports or ()):
        if name not in left and name in new.members and not name.startswith("_"):
            message = f"{pair.path}: {name} was taken out of __all__"
            yield Broken("export-removed", Severity.HIGH, message, new.members["__all__"])


# ------------------------------------------------------------------ ancestors


def _ancestors(path: str, old: griffe.Class, new: griffe.Class) -> Iterator[Broken]:
    was, now = _ancestor_names(old), _ancestor_names(new)
    for name, dotted in was.items():
        if name in now or name.startswith("_") or name in _FORMAL_BASES or dotted.startswith(_FORMAL_MODULES):
            continue
        if _lost_above(name, old, new):
            continue
        # A new base from elsewhere may itself derive from the one that is gone.
        unknown = {b for b in outer_bases(new) - outer_bases(old) if standard_class(b) is None}
        severity = Severity.MEDIUM if unknown else Severity.HIGH
        caught = "except clauses for it no longer catch this" if _is_exception(was) else "tests for it fail now"
        message = f"{path}: it is no longer a subclass of {name}; {caught}"
        yield Broken("base-removed", severity, message, new)


def _ancestor_names(cls: griffe.Class) -> dict[str, str]:
    """Names of all ancestors that can be known, with their dotted names."""
    found = {ancestor.name: ancestor.path for ancestor in mro_of(cls)[1:]}
    for dotted in outer_bases(cls):
        found.setdefault(dotted.rpartition(".")[2], dotted)
        known = standard_class(dotted)
        for ancestor in known.__mro__ if known else ():
            found.setdefault(ancestor.__name__, f"{ancestor.__module__}.{ancestor.__name__}")
    found.pop(cls.name, None)
    return found


def _lost_above(name: str, old: griffe.Class, new: griffe.Class) -> bool:
    """Whether a public ancestor lost this base, so that it is told there."""
    above = {c.path: c for c in mro_of(new)[1:]}
    return any(
        c.is_public and c.path in above and name in _ancestor_names(c) and name not in _ancestor_names(above[c.path])
        for c in mro_of(old)[1:]
    )


def _is_exception(ancestors: dict[str, str]) -> bool:
    return "BaseException" in ancestors or any(n.endswith(("Error", "Exception", "Warning")) for n in ancestors)


# ------------------------------------------------------------------ what implementations must have


def _abstract(path: str, old: griffe.Class, new: griffe.Class) -> Iterator[Broken]:
    before = _abstract_members(old)
    for name, member in _abstract_members(new).items():
        if name not in before:
            words = "is abstract now" if name in old.all_members else "is new and abstract"
            message = f"{path}: {name} {words}; subclasses without it can't be instantiated"
            severity = Severity.MEDIUM if name.startswith("_") and not name.endswith("__") else Severity.HIGH
            yield Broken("abstract-added", severity, message, member)


def _abstract_members(cls: griffe.Class) -> dict[str, griffe.Object]:
    found = {}
    for name, member in members_of(cls).items():
        target = target_of(member)
        if target is not None and "abstractmethod" in target.labels:
            found[name] = target
    return found


def _protocol(path: str, old: griffe.Class, new: griffe.Class) -> Iterator[Broken]:
    if not any(name.rpartition(".")[2].partition("[")[0] == "Protocol" for name in map(str, new.bases)):
        return
    known = members_of(old)
    for name, member in new.members.items():
        if name not in known and not name.startswith("_") and "abstractmethod" not in getattr(member, "labels", ()):
            message = f"{path}: {name} is a new member of the protocol; implementations without it no longer fit"
            yield Broken("protocol-member-added", Severity.HIGH, message, member)


# ------------------------------------------------------------------ fields


def _fields(path: str, old: griffe.Class, new: griffe.Class) -> Iterator[Broken]:
    """Records other than dataclasses, whose constructor griffe derives itself."""
    if not _is_record(old) or not _is_record(new) or "__init__" in new.members:
        return
    known = members_of(old)
    for name, member in new.members.items():
        if name.startswith("_") or not _is_required_field(member):
            continue
        if name not in known or not _is_required_field(known[name]):
            words = "is new and has no default" if name not in known else "has no default any more"
            yield Broken("field-required", Severity.HIGH, f"{path}: the field {name} {words}", member)


def _is_record(cls: griffe.Class) -> bool:
    if "dataclass" in cls.labels:
        return False
    if any(_RECORD_DECORATOR.search(str(d.value)) for d in cls.decorators):
        return True
    return bool(_RECORD_BASES & {name.rpartition(".")[2] for name in outer_bases(cls)})


def _is_required_field(member: Node) -> bool:
    if not isinstance(member, griffe.Attribute) or "property" in member.labels:
        return False
    if "class-attribute" in member.labels and "instance-attribute" not in member.labels:
        return False  # ClassVar
    value = "" if member.value is None else str(member.value)
    if not value:
        return member.annotation is not None
    call = _FIELD_CALL.match(value)
    if not call or _DEFAULT.search(value):
        return False
    rest = value[call.end() :].lstrip()
    return call[2] != "Field" or rest.startswith(("...", ")")) or bool(re.match(r"\w+\s*=", rest))


def _enum_values(path: str, old: griffe.Class, new: griffe.Class) -> Iterator[Broken]:
    if not _ENUMS & {name.rpartition(".")[2] for name in outer_bases(new)}:
        return
    for name, member in old.members.items():
        now = new.members.get(name)
        if name.startswith("_") or not isinstance(member, griffe.Attribute) or not isinstance(now, griffe.Attribute):
            continue
        if member.value is not None and now.value is not None and str(member.value) != str(now.value):
            message = f"{path}.{name}: its value is another one; what was stored by value means something else"
            yield Broken("enum-value-changed", Severity.MEDIUM, message, now)


# ------------------------------------------------------------------ properties


def _property(pair: Pair) -> Iterator[Broken]:
    old, new = pair.old, pair.new
    was, now = _is_property(old), _is_property(new)
    if was and isinstance(new, griffe.Function):
        message = f"{pair.path}: it was a property and has to be called now"
        yield Broken("property-became-method", Severity.HIGH, message, new)
    elif now and isinstance(old, griffe.Function):
        message = f"{pair.path}: it was a method and is a property now: calling it fails"
        yield Broken("method-became-property", Severity.HIGH, message, new)
    elif was and now and "writable" in old.labels and "writable" not in new.labels:
        yield Broken("setter-removed", Severity.HIGH, f"{pair.path}: it can't be assigned to any more", new)


def _is_property(node: griffe.Object) -> bool:
    return isinstance(node, griffe.Attribute) and "property" in node.labels
