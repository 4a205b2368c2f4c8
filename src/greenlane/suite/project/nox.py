"""nox's sessions (`noxfile.py`), read from the text and never run: what the session for tests installs and calls.

Values that are plain in the text are taken, and so are the module's constants; a helper that gets the session is
followed. What is computed stays unknown, and is said (https://nox.thea.codes/en/stable/config.html).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.suite.project.command import is_test_command
from greenlane.suite.project.requirements import read_words
from greenlane.suite.project.words import TEST_NAMES, Needs, Read, Suite, join_needs

_NAMES = (*TEST_NAMES, "unit", "units", "unittest", "unittests", "pytest", "unit_tests", "run_tests", "py")
_DEPTH = 3
Function = ast.FunctionDef
Constants = Mapping[str, tuple[str, ...]]


def read_nox(home: str, read: Read) -> Suite | None:
    """How nox tests; None without a noxfile, or where none of its sessions plainly runs tests."""
    text = read(f"{home}/noxfile.py" if home else "noxfile.py")
    if text is None:
        return None
    try:
        tree = parse_source(text)
    except UnreadableSourceError:
        return None
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    sessions = [(name, node) for node in functions.values() if (name := _session_name(node))]
    sessions.sort(key=lambda item: _NAMES.index(item[0]) if item[0] in _NAMES else len(_NAMES))
    for name, node in sessions:
        found = _Session(functions, _constants(tree), home, read).suite(name, node)
        if any(is_test_command(command) for command in found.commands):
            return found
    return None


def _session_name(node: Function) -> str:
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        function = call.func if call else decorator
        if (
            isinstance(function, ast.Attribute | ast.Name)
            and getattr(function, "attr", getattr(function, "id", "")) == "session"
        ):
            given = {k.arg: k.value for k in call.keywords} if call else {}
            name = given.get("name")
            text = name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else node.name
            return re.sub(r"[-_.]?[\d.]+$", "", text)
    return ""


def _constants(tree: ast.Module) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            value = _words_of(node.value, found)
            if value is not None:
                found[node.targets[0].id] = value
    return found


def _words_of(node: ast.expr, constants: Constants) -> tuple[str, ...] | None:
    """The words that an expression stands for; None if they are not plain in the text."""
    match node:
        case ast.Constant(value=str(text)):
            return (text,)
        case ast.Name(id=name):
            return constants.get(name)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            parts = [_words_of(item.value if isinstance(item, ast.Starred) else item, constants) for item in items]
            return None if any(p is None for p in parts) else tuple(w for part in parts if part for w in part)
    return None


class _Session:
    """Collects what one session does, in the order of the text; both ways of a condition count."""

    def __init__(self, functions: Mapping[str, Function], constants: Constants, home: str, read: Read) -> None:
        self._functions = functions
        self._constants = constants
        self._home = home
        self._read = read
        self._needs: list[Needs] = []
        self._commands: list[tuple[str, ...]] = []
        self._variables: dict[str, str] = {}

    def suite(self, name: str, node: Function) -> Suite:
        self._follow(node, 0)
        return Suite(
            source=f"noxfile.py (session {name})",
            needs=join_needs(*self._needs),
            variables=tuple(self._variables.items()),
            commands=tuple(self._commands),
        )

    def _follow(self, node: Function, depth: int) -> None:
        session = node.args.args[0].arg if node.args.args else ""
        for statement in node.body:
            for call in (c for c in ast.walk(statement) if isinstance(c, ast.Call)):
                function = call.func
                if (
                    isinstance(function, ast.Attribute)
                    and isinstance(function.value, ast.Name)
                    and function.value.id == session
                ):
                    self._did(function.attr, call)
                helper = self._functions.get(function.id) if isinstance(function, ast.Name) else None
                if helper and depth < _DEPTH and any(isinstance(a, ast.Name) and a.id == session for a in call.args):
                    self._follow(helper, depth + 1)

    def _did(self, what: str, call: ast.Call) -> None:
        if what == "install":
            self._install(call.args)
        elif what in {"run", "run_always", "run_install"}:
            words = [word for words, _ in self._arguments(call.args) for word in words]
            if words[:2] in (["uv", "sync"], ["poetry", "install"], ["pdm", "install"]):
                self._synced(words)
            elif words[:3] == ["uv", "pip", "install"]:
                self._needs.append(read_words(words[3:], self._home, self._read, "noxfile.py"))
            else:
                self._commands.append(tuple(words))
                self._remember(call)

    def _install(self, arguments: list[ast.expr]) -> None:
        words: list[str] = []
        for found, node in self._arguments(arguments):
            words += found
            if found:
                continue
            groups = _groups_in(node)
            self._needs.append(Needs(groups=groups))
            if not groups and not _is_posargs(node):
                note = f"noxfile.py:{node.lineno}: what is installed there is computed, and not known"
                self._needs.append(Needs(notes=(note,)))
        self._needs.append(read_words(words, self._home, self._read, "noxfile.py"))

    def _synced(self, words: list[str]) -> None:
        text = " ".join(words)
        groups = tuple(re.findall(r"--(?:group|only-group|with)[ =]([\w.-]+)", text))
        extras = tuple(re.findall(r"--extra[ =]([\w.-]+)", text))
        self._needs.append(Needs(groups=groups, extras=extras, itself=True))

    def _arguments(self, arguments: list[ast.expr]) -> Iterator[tuple[list[str], ast.expr]]:
        for node in arguments:
            bare = node.value if isinstance(node, ast.Starred) else node
            yield list(_words_of(bare, self._constants) or ()), bare

    def _remember(self, call: ast.Call) -> None:
        """Variables that are given to a command in plain text."""
        for keyword in call.keywords:
            if keyword.arg == "env" and isinstance(keyword.value, ast.Dict):
                for name, value in zip(keyword.value.keys, keyword.value.values, strict=True):
                    if isinstance(name, ast.Constant) and isinstance(value, ast.Constant):
                        self._variables[str(name.value)] = str(value.value)


def _groups_in(node: ast.expr) -> tuple[str, ...]:
    """The names in `nox.project.dependency_groups(PYPROJECT, "test")`."""
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "dependency_groups":
        return tuple(a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))
    return ()


def _is_posargs(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr == "posargs" for part in ast.walk(node))
