"""Lock files of uv, Poetry and PDM: which packages, at which versions and with which hashes, some requirements need.

Only names, versions and hashes are taken. Addresses in a lock are not: everything comes from the index that whoever
runs Greenlane has set, and has to have the hash that the lock says.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from greenlane.suite.project.words import inside, parse_requirement, table, texts, written

Environment = Mapping[str, str]
"""The values of markers (`python_version`, `sys_platform`, ...) on the machine that installs."""
_VERSION = re.compile(r"[\w.+!-]{1,100}")
_HASH = re.compile(r"sha(?:256|384|512):[0-9a-f]{64,128}")
_MAX_PACKAGES = 5000
LOCKS = ("uv.lock", "poetry.lock", "pdm.lock")


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """That one package needs another, with these extras of it, where the marker holds."""

    name: str
    version: str = ""
    marker: str = ""
    extras: tuple[str, ...] = ()


class Package(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    version: str
    hashes: tuple[str, ...]
    edges: tuple[Edge, ...]
    extras: Mapping[str, tuple[Edge, ...]]
    local: str | None = None
    """Its folder in the tree, where it is part of the same repository."""
    markers: tuple[str, ...] = ()
    """It is meant for an environment in which one of them holds; empty: for any."""
    elsewhere: bool = False
    """It comes from a repository or an address and not from an index."""


Graph = Mapping[str, tuple[Package, ...]]


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """`pins` are lines with hashes, in order of names; `unlocked` are requirements that the lock has not."""

    pins: tuple[str, ...]
    unlocked: tuple[str, ...]
    local: tuple[str, ...]
    notes: tuple[str, ...]


def read_lock(name: str, text: str) -> Graph | None:
    """The packages of a lock file by their names; None if it can't be read."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    known = table(table(data.get("metadata")).get("files"))  # where Poetry before 1.5 keeps hashes
    graph: dict[str, tuple[Package, ...]] = {}
    entries = data.get("package")
    for entry in (entries if isinstance(entries, list) else [])[:_MAX_PACKAGES]:
        found = _package(name, table(entry), known)
        if found:
            graph[found.name] = (*graph.get(found.name, ()), found)
    return graph or None


def pick_packages(graph: Graph, wanted: Iterable[str], environment: Environment) -> Locked:
    """What of a lock these requirements need, directly and through others."""
    notes: dict[str, None] = {}
    unlocked: list[str] = []
    waiting: list[Edge] = []
    for text in wanted:
        requirement = parse_requirement(text)
        if requirement is None or (requirement.marker and not requirement.marker.evaluate(dict(environment))):
            continue
        if canonicalize_name(requirement.name) in graph:
            waiting.append(_edge_of(requirement, with_marker=False))
        else:
            unlocked.append(written(requirement))
    taken: dict[tuple[str, str], Package] = {}
    seen: set[tuple[str, str, tuple[str, ...]]] = set()
    while waiting:
        edge = waiting.pop()
        package = _choose(graph.get(edge.name, ()), edge, environment)
        if package is None:
            notes[f"the lock has no {edge.name} for this Python"] = None
            continue
        key = (package.name, package.version, edge.extras)
        if key in seen:
            continue
        seen.add(key)
        taken[package.name, package.version] = package
        more = [e for name in edge.extras for e in package.extras.get(name, ())]
        waiting += [e for e in (*package.edges, *more) if holds(e.marker, environment)]
    left_out = sorted(p.name for p in taken.values() if p.elsewhere)
    notes |= {
        f"{name} comes from a repository or an address, not from an index, and is left out": None for name in left_out
    }
    return Locked(
        pins=tuple(sorted(_line(p) for p in taken.values() if p.local is None and not p.elsewhere)),
        unlocked=tuple(unlocked),
        local=tuple(sorted(p.local for p in taken.values() if p.local is not None)),
        notes=tuple(notes),
    )


def holds(marker: str, environment: Environment) -> bool:
    """Whether a marker holds; one that can't be read holds, so that nothing is left out by a mistake of ours."""
    if not marker:
        return True
    try:
        return Marker(marker).evaluate({"extra": "", **environment})
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName):
        return True


def fits_python(specifier: str, environment: Environment) -> bool:
    try:
        return SpecifierSet(specifier).contains(environment["python_full_version"], prereleases=True)
    except (InvalidSpecifier, KeyError):
        return True


def _choose(packages: Iterable[Package], edge: Edge, environment: Environment) -> Package | None:
    found = [p for p in packages if not edge.version or p.version == edge.version]
    fitting = [p for p in found if not p.markers or any(holds(m, environment) for m in p.markers)]
    return next(iter(fitting), None)


def _line(package: Package) -> str:
    return f"{package.name}=={package.version}" + "".join(f" --hash={value}" for value in package.hashes)


def _edge_of(requirement: Requirement, *, with_marker: bool = True) -> Edge:
    return Edge(
        name=canonicalize_name(requirement.name),
        extras=tuple(sorted(canonicalize_name(extra) for extra in requirement.extras)),
        marker=str(requirement.marker or "") if with_marker else "",
    )


def _package(lock: str, entry: dict[str, Any], known: dict[str, Any]) -> Package | None:
    name, version = entry.get("name"), entry.get("version", "0")
    if not isinstance(name, str) or not isinstance(version, str) or not _VERSION.fullmatch(version):
        return None
    name = canonicalize_name(name)
    if not re.fullmatch(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", name):
        return None
    source = table(entry.get("source"))
    files = [*_tables(entry.get("wheels")), *_tables(entry.get("files")), *_tables(known.get(entry["name"]))]
    files += [table(entry["sdist"])] if "sdist" in entry else []
    hashes = sorted({h for file in files if isinstance(h := file.get("hash"), str) and _HASH.fullmatch(h)})
    read = _uv_edges if lock == "uv.lock" else _poetry_edges if lock == "poetry.lock" else _pdm_edges
    edges, extras = read(entry)
    local = _local_path(source)
    return Package(
        name=name,
        version=version,
        hashes=tuple(hashes),
        edges=tuple(edges),
        extras=extras,
        local=local,
        markers=tuple(_markers(entry)),
        elsewhere=local is None and not hashes,
    )


def _tables(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _local_path(source: dict[str, Any]) -> str | None:
    path = source.get("editable") or source.get("virtual")
    if path is None and source.get("type") == "directory":
        path = source.get("url")
    path = path or source.get("directory")
    return inside("", path) if isinstance(path, str) else None


def _markers(entry: dict[str, Any]) -> Iterator[str]:
    """For which environments a package is meant: uv and Poetry say it in their own ways."""
    yield from texts(entry.get("resolution-markers"))
    given = entry.get("markers", entry.get("marker"))
    yield from [given] if isinstance(given, str) else (m for m in table(given).values() if isinstance(m, str))


def _uv_edges(entry: dict[str, Any]) -> tuple[list[Edge], dict[str, tuple[Edge, ...]]]:
    def edges(value: object) -> list[Edge]:
        return [
            Edge(
                name=canonicalize_name(str(item.get("name", ""))),
                version=str(item.get("version", "")),
                marker=str(item.get("marker", "")),
                extras=tuple(canonicalize_name(extra) for extra in texts(item.get("extra"))),
            )
            for item in _tables(value)
        ]

    extras = table(entry.get("optional-dependencies"))
    return edges(entry.get("dependencies")), {canonicalize_name(n): tuple(edges(v)) for n, v in extras.items()}


def _poetry_edges(entry: dict[str, Any]) -> tuple[list[Edge], dict[str, tuple[Edge, ...]]]:
    plain: list[Edge] = []
    for name, given in table(entry.get("dependencies")).items():
        for item in given if isinstance(given, list) else [given]:
            settings = table(item)
            if settings.get("optional") is not True:
                marker = settings.get("markers")
                plain.append(
                    Edge(
                        name=canonicalize_name(name),
                        marker=marker if isinstance(marker, str) else "",
                        extras=tuple(canonicalize_name(extra) for extra in texts(settings.get("extras"))),
                    )
                )
    extras: dict[str, tuple[Edge, ...]] = {}
    for name, words in table(entry.get("extras")).items():
        needed = (parse_requirement(re.sub(r"\s*\(([^)]*)\)", r" \1", word)) for word in texts(words))
        extras[canonicalize_name(name)] = tuple(_edge_of(found) for found in needed if found)
    return plain, extras


def _pdm_edges(entry: dict[str, Any]) -> tuple[list[Edge], dict[str, tuple[Edge, ...]]]:
    needed = (parse_requirement(word) for word in texts(entry.get("dependencies")))
    return [_edge_of(found) for found in needed if found], {}
