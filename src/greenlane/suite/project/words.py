"""The words in which a project's own files say how it is tested: what was read of each of them.

All of it comes from files of a change, so it is text of strangers: names are held against patterns, requirements are
parsed and written anew, and nothing of it is ever run outside the sandbox.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

Read = Callable[[str], str | None]
"""The text of a file of the tree by its path; None if it is not there, too large or no text."""

TEST_NAMES = ("test", "tests", "testing")
DEV_NAMES = ("dev", "develop", "development")
MAX_NOTES = 12
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What a test environment asks for: requirements, and names of the project's own extras and dependency groups."""

    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    itself: bool = False
    """The project itself was asked for, and with it its own dependencies."""
    local: tuple[str, ...] = ()
    """Folders of the tree that are installed, besides the project's own."""
    notes: tuple[str, ...] = ()
    """What could not be understood, for people."""

    def __bool__(self) -> bool:
        return bool(self.requirements or self.extras or self.groups)


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """How a tool's file says that the tests are run: what they need, with which variables, by which commands."""

    source: str
    needs: Needs = Needs()
    variables: tuple[tuple[str, str], ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    folder: str = ""
    """Where the commands are run, below the project."""


def join_needs(*all_needs: Needs) -> Needs:
    """Everything that any of them asks for, each thing once."""

    def union(name: str) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(item for needs in all_needs for item in getattr(needs, name)))

    return Needs(
        requirements=union("requirements"),
        constraints=union("constraints"),
        extras=union("extras"),
        groups=union("groups"),
        itself=any(needs.itself for needs in all_needs),
        local=union("local"),
        notes=union("notes")[:MAX_NOTES],
    )


def inside(folder: str, path: str) -> str | None:
    """A path named in a file of `folder`, as a path of the tree; None if it leads out of it."""
    if path.startswith(("/", "~")) or "\\" in path or "\0" in path:
        return None
    found = posixpath.normpath(posixpath.join(folder or ".", path))
    return None if found == ".." or found.startswith("../") else found


def written(requirement: Requirement) -> str:
    """A requirement in the one form in which it is handed to the installer."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    target = f" @ {requirement.url}" if requirement.url else str(requirement.specifier)
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    return f"{canonicalize_name(requirement.name)}{extras}{target}{marker}"


def parse_requirement(text: str) -> Requirement | None:
    """A requirement by its text; None if it is none. One that names an address other than a plain `https` file of an
    index is none either: where it may lead is not for a change to say."""
    try:
        found = Requirement(text)
    except InvalidRequirement:
        return None
    return None if found.url and not found.url.startswith("https://") else found


def needs_of(words: Iterable[str], source: str) -> Needs:
    """Plain requirements, as a list of a project's metadata has them."""
    good: list[str] = []
    notes: list[str] = []
    for word in words:
        found = parse_requirement(word)
        if found is None:
            notes.append(f"{source}: {shown(word)} is not understood and left out")
        else:
            good.append(written(found))
    return Needs(requirements=tuple(good), notes=tuple(notes[:MAX_NOTES]))


def texts(value: object) -> list[str]:
    """The texts of a list that somebody wrote; anything else in it is left out."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def is_module(text: str) -> bool:
    """Whether a text is a dotted name and nothing else."""
    return _MODULE.fullmatch(text) is not None


def shown(text: str) -> str:
    """A stranger's words, short and in one line."""
    return repr(text if len(text) <= 80 else text[:77] + "...")


def chosen_names(offered: Iterable[str]) -> tuple[str, ...]:
    """Of the names of extras or groups, those that are made for tests; else those for developers."""
    names = list(offered)
    for wanted in (TEST_NAMES, DEV_NAMES):
        found = tuple(name for name in names if canonicalize_name(name) in wanted)
        if found:
            return found
    return ()
