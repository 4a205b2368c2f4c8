"""Globs over the paths of a repository, read as `.gitignore` and CODEOWNERS read them.

`**` crosses folders; a pattern without a slash matches at any depth; one with a slash is anchored at the root;
a folder stands for all that is in it; `!` takes something out again. The last pattern that matches wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pathspec import GitIgnoreSpec

from greenlane.domain.service_settings import Service


def match_paths(globs: Sequence[str], paths: Iterable[str]) -> tuple[str, ...]:
    """Those of `paths` (relative, with `/`) that the globs name, in their order."""
    if not globs:
        return ()
    spec = GitIgnoreSpec.from_lines(globs)
    return tuple(path for path in paths if spec.match_file(path))


def assign_services(services: Sequence[Service], paths: Sequence[str]) -> tuple[tuple[Service, ...], tuple[str, ...]]:
    """The services that a change to these paths touches, and the paths that belong to none of them.

    A repository with exactly one service belongs to it wholly: its globs say nothing then.
    """
    if len(services) == 1:
        return (services[0],) if paths else (), ()
    touched: list[Service] = []
    unclaimed = set(paths)
    for service in services:
        own = match_paths(service.paths, paths)
        if own:
            touched.append(service)
            unclaimed.difference_update(own)
    return tuple(touched), tuple(p for p in paths if p in unclaimed)


def folder_of(path: str) -> str:
    """The folder of a path; `.` at the root."""
    return path.rpartition("/")[0] or "."
