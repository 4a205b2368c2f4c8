"""Requirements files, as pip has them (https://pip.pypa.io/en/stable/reference/requirements-file-format/), read and
not run: nested files and constraints are followed inside the tree, and every option that says where packages come from
is left out, since that is for the settings of whoever runs Greenlane to say."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from greenlane.suite.project.words import Needs, Read, inside, join_needs, parse_requirement, shown, written

_MAX_FILES = 30
_HASH = re.compile(r"--hash[= ](sha(?:256|384|512):[0-9a-f]{64,128})")
_QUIET = (
    "--no-cache-dir",
    "--prefer-binary",
    "--require-hashes",
    "--use-pep517",
    "--only-binary",
    "--no-binary",
    "--pre",
)
_OPTIONS = re.compile(r"\s--(?:hash|config-settings?|global-option)[= ]\S+")
_LOCAL = re.compile(r"(\.{1,2}[^\[\]\s;]*|[^\[\]\s;@=<>~!]+/[^\[\]\s;@]*?)(?:\[([\w.,\s-]*)\])?")
_VALUED = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--trusted-host")
_WITH_VALUE = frozenset((
    "-r", "--requirement", "-c", "--constraint", "-e", "--editable", "--only-binary", "--no-binary", *_VALUED,
))  # fmt: skip


def read_requirements(path: str, home: str, read: Read) -> Needs | None:
    """What a requirements file of the tree asks for, with those that it includes; None if it is not there. `home` is
    the folder from which it is installed."""
    return _Reader(home, read).file(path)


def read_words(words: list[str], home: str, read: Read, source: str) -> Needs:
    """What the arguments of `pip install` (or of an installer called like it) ask for, given in the folder `home`."""
    return join_needs(*_Reader(home, read).lines(_paired(words), home, source))


def _logical_lines(text: str) -> Iterator[str]:
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        bare = re.sub(r"(^|\s)#.*$", "", line).strip()
        if bare:
            yield bare


def _paired(words: list[str]) -> Iterator[str]:
    """Arguments as the lines of a file would have them: an option that takes a value together with it."""
    waiting = iter(words)
    for word in waiting:
        if word in _WITH_VALUE:
            yield f"{word} {next(waiting, '')}"
        elif not word.startswith("-") or word.startswith(("-r", "-c", "-e", *_VALUED)):
            yield word


class _Reader:
    """Reads lines of requirements; each file at most once."""

    def __init__(self, home: str, read: Read) -> None:
        self._home = home
        self._read = read
        self._seen: set[str] = set()

    def file(self, path: str) -> Needs | None:
        text = self._read(path)
        if text is None or path in self._seen or len(self._seen) >= _MAX_FILES:
            return None if text is None else Needs()
        self._seen.add(path)
        return join_needs(*self.lines(_logical_lines(text), path.rpartition("/")[0], path))

    def lines(self, lines: Iterator[str], folder: str, source: str) -> Iterator[Needs]:
        for line in lines:
            option = re.match(r"(-r|--requirement|-c|--constraint)[\s=]*(.+)", line)
            if option:
                yield self._included(option[1], option[2].strip(), folder, source)
            elif line.startswith(_VALUED):
                name = re.split(r"[\s=]", line)[0]
                yield Needs(notes=(f"{source}: {name} is not taken from there; an index is set in pip's own settings",))
            elif not line.startswith(_QUIET):
                yield self._required(line, source)

    def _included(self, option: str, path: str, folder: str, source: str) -> Needs:
        target = inside(folder, path)
        found = self.file(target) if target else None
        if found is None:
            return Needs(notes=(f"{source}: {shown(path)}, which it includes, is not in the tree",))
        if option in {"-c", "--constraint"}:
            return Needs(constraints=found.requirements, notes=found.notes)
        return found

    def _required(self, line: str, source: str) -> Needs:
        editable = re.match(r"(?:-e|--editable)[\s=]*(.+)", line)
        text = editable[1].strip() if editable else line
        hashes = _HASH.findall(text)
        bare = _unquoted(_OPTIONS.sub("", f" {text}").strip())
        local = None if "://" in bare else _LOCAL.fullmatch(bare)
        target = inside(self._home, local[1]) if local else None
        if local and target is not None:
            extras = tuple(name.strip() for name in (local[2] or "").split(",") if name.strip())
            if target == (self._home or "."):
                return Needs(itself=True, extras=extras)
            if target.endswith((".whl", ".gz", ".zip", ".bz2")):
                return Needs(notes=(f"{source}: {shown(line)} is a file of the tree and left out",))
            return Needs(local=(target,))
        found = None if editable else parse_requirement(bare)
        if found is None:
            return Needs(notes=(f"{source}: {shown(line)} is not understood and left out",))
        return Needs(requirements=(written(found) + "".join(f" --hash={value}" for value in hashes),))


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def split_words(text: str) -> list[str]:
    """The words of a command line; none if it can't be split."""
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return []
