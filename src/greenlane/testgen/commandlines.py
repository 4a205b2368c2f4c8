"""What can be typed to a program: the words and options that its module offers, as its parser is told of them, and the
command lines made of these. Pure; for `circumstances.py`, `source.py` and `vary.py`.

    parser.add_argument("url")
    parser.add_argument("-f", "--filter", action="store_true")      ->      ["main", "--filter", "http://a.example/b"]
    args = parser.parse_args()
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

import msgspec

from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.consoles import reached_from
from greenlane.testgen.mentioned import mentioned_by

_OFFERING = frozenset({"add_argument", "add_option", "option"})
_SWITCHES = frozenset({"store_true", "store_false", "store_const", "count", "append_const", "BooleanOptionalAction"})
_PARSING = frozenset({"parse_args", "parse_known_args", "parse_intermixed_args"})
_TAKING = frozenset({*_PARSING, "getopt", "gnu_getopt", "main"})
_GROUPS = frozenset({"add_argument_group", "add_mutually_exclusive_group"})
_MAX_FLAGS, _MAX_LINES = 12, 24
_LONGEST_WORD, _MAX_VALUES = 24, 4
_PROGRAM = "main"
FILE = "str(tmp_path / 'a.txt')"
"""A word that names a file; `staged.py` writes it before the call."""
_BY_NAME = (
    (r"(.*_)?(url|uri|link|href|address)s?", "http://example.com/a?b=1"),
    (r"(.*_)?(file|filename|path|input|src|source)s?", FILE),
    (r"(.*_)?(n|count|number|size|limit|width|port|year|month|day|days)", "2"),
    (r"(.*_)?date", "2020-01-31"),
)


class _Offer(msgspec.Struct, frozen=True):
    """One thing that may stand in a command line. `name`: of an option the longest; of a word what it is called.
    `values`: expressions for what follows an option, or for the word itself; none for a switch."""

    name: str
    values: tuple[str, ...]
    first: int
    last: int
    needed: bool
    ends: bool = False
    """Nothing else is done where it is given: it prints a version."""

    @property
    def is_option(self) -> bool:
        return self.name.startswith("-")

    def is_of(self, lines: Set[int]) -> bool:
        return not lines.isdisjoint(range(self.first, self.last + 1))

    @property
    def words(self) -> tuple[str, ...]:
        """As expressions."""
        return (repr(self.name), *self.values) if self.is_option else self.values


def with_flags(functions: Iterable[Function], tree: ast.Module, changed: Iterable[int]) -> tuple[Function, ...]:
    """The functions that take a command line, with what can be given there; flags of changed lines come first."""
    offers = _offers(tree, frozenset(changed))
    flags = [tuple(map(_plain, offer.words)) for row in offers.values() for offer in row if offer.is_option]
    if not flags:
        return tuple(functions)
    needed = tuple(_plain(word) for offer in offers[""] if offer.needed for word in offer.words)
    nodes = {n.lineno: n for n in ast.walk(tree) if isinstance(n, FunctionNode)}
    told = tuple(dict.fromkeys(flags))[:_MAX_FLAGS]

    def takes(function: Function) -> bool:
        node = nodes.get(function.first)
        reached = reached_from(tree, node) if node is not None else []
        called = {ast.unparse(c.func).split(".")[-1] for n in reached for c in ast.walk(n) if isinstance(c, ast.Call)}
        return bool(called & _TAKING)

    return tuple(msgspec.structs.replace(f, flags=told, needed=needed) if takes(f) else f for f in functions)


def options_of(tree: ast.Module, changed: frozenset[int]) -> list[tuple[int, int, tuple[str, ...]]]:
    """The options that changed lines offer: from where to where, and what is typed for them."""
    rows = [offer for row in _offers(tree, changed).values() for offer in row]
    mine = [offer for offer in rows if offer.is_option and offer.is_of(changed)]
    return [(offer.first, offer.last, tuple(map(_plain, offer.words))) for offer in mine][:_MAX_FLAGS]


def command_lines(items: Sequence[ast.expr], entry: Function) -> Iterator[list[ast.expr]]:
    """Each flag alone and before what is given; none for a list that holds something else than texts."""
    if any(isinstance(item, ast.Constant) and not isinstance(item.value, str) for item in items):
        return
    for flag in entry.flags:
        words: list[ast.expr] = [ast.Constant(value=word) for word in flag]
        yield words
        yield [*words, *items]


def typed_lines(tree: ast.Module, node: FunctionNode, entry: Function) -> tuple[str, ...]:
    """Lists for `sys.argv`, where the function or one of its module that it calls reads it: what is needed, with each
    option, with all switches, for each command of the program, and nothing at all."""
    reached = reached_from(tree, node)
    parts = [part for one in reached for part in ast.walk(one)]
    parses = any(isinstance(part, ast.Call) and _parses_what_was_typed(part) for part in parts)
    if not parses and not any(isinstance(part, ast.Attribute) and ast.unparse(part) == "sys.argv" for part in parts):
        return ()
    order = {flag[0]: number for number, flag in enumerate(entry.flags)}
    rows = _rows(_offers(tree, frozenset()), order) if parses else _read_by_hand(entry)
    lines = [f"[{', '.join([repr(_PROGRAM), *row])}]" for row in rows]
    return tuple(dict.fromkeys(lines))[:_MAX_LINES]


def _parses_what_was_typed(call: ast.Call) -> bool:
    """`parser.parse_args()`: without a list of its own."""
    named = isinstance(call.func, ast.Attribute) and call.func.attr in _PARSING
    given = [*call.args, *(k.value for k in call.keywords if k.arg == "args")]
    return named and all(ast.unparse(one) in {"None", "sys.argv[1:]"} for one in given)


def _rows(offers: Mapping[str, Sequence[_Offer]], order: Mapping[str, int]) -> Iterator[list[str]]:
    """The words of each command line: options that are known by their place in `order` come first."""

    def needed(command: str) -> list[str]:
        return [word for offer in offers[command] if offer.needed for word in offer.words]

    def options(command: str) -> list[_Offer]:
        found = [offer for offer in offers[command] if offer.is_option and not offer.needed]
        return sorted(found, key=lambda offer: order.get(offer.name, len(order)))

    begin = needed("")
    commands = [[repr(name), *needed(name)] for name in offers if name] or [[]]
    yield from ([*begin, *command] for command in commands)
    yield from ([*offer.words, *begin, *commands[0]] for offer in options(""))
    for name in filter(None, offers):
        yield from ([*begin, repr(name), *offer.words, *needed(name)] for offer in options(name))
    switches = [repr(offer.name) for offer in options("") if not offer.values and not offer.ends]
    if len(switches) > 1:
        yield [*switches, *begin, *commands[0]]
    yield []


def _read_by_hand(entry: Function) -> Iterator[list[str]]:
    """For code that looks at the words itself: those that it names."""
    known = [c for c in entry.constants if isinstance(c, str) and re.fullmatch(r"[\w.=-]+", c)]
    words = [repr(word) for word in dict.fromkeys(known) if len(word) <= _LONGEST_WORD][:_MAX_FLAGS]
    yield from ([], ["'abc'"], [FILE])
    yield from ([word] for word in words)
    yield from ([word, "'abc'"] for word in words)
    yield from (["'abc'", "'b'"], ["'abc'", "'b'", "'c'"])


def _offers(tree: ast.Module, changed: frozenset[int]) -> dict[str, list[_Offer]]:
    """By command (empty: of the program itself) what is offered, that of changed lines first, else as it stands."""
    makers = _makers(tree)
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func).split(".")[-1] in _OFFERING]
    calls.sort(key=lambda call: call.lineno)
    found: dict[str, list[_Offer]] = {name: [] for name in ("", *makers.values())}
    for call in calls:
        holder = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        command = next((name for at, name in _made(makers, holder) if at <= call.lineno), "")
        offer = _offer_of(call)
        if offer is not None:
            found[command].append(offer)
    for row in found.values():
        row.sort(key=lambda offer: offer.is_option and not offer.is_of(changed))
    return found


def _makers(tree: ast.Module) -> dict[tuple[str, int], str]:
    """By variable and line the command whose parser it holds from there on."""
    found: dict[tuple[str, int], str] = {}
    made = [n for n in ast.walk(tree) if isinstance(n, ast.Assign) and isinstance(n.value, ast.Call)]
    for node in sorted(made, key=lambda node: node.lineno):
        call, names = node.value, [ast.unparse(target) for target in node.targets]
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        first = call.args[0] if call.args else None
        if call.func.attr == "add_parser" and isinstance(first, ast.Constant) and isinstance(first.value, str):
            found |= {(name, node.lineno): first.value for name in names}
        elif call.func.attr in _GROUPS:
            holder = ast.unparse(call.func.value)
            command = next((one for at, one in _made(found, holder) if at <= node.lineno), "")
            found |= {(name, node.lineno): command for name in names}
    return found


def _made(makers: dict[tuple[str, int], str], holder: str) -> list[tuple[int, str]]:
    """Where this variable got a parser, the last place first."""
    return sorted(((line, command) for (name, line), command in makers.items() if name == holder), reverse=True)


def _offer_of(call: ast.Call) -> _Offer | None:
    names = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if not names:
        return None
    flags = [name.split("/")[0].strip() for name in names if name.startswith("-")]
    given = {k.arg: k.value for k in call.keywords}
    if flags:
        bare = _is_switch(call) or "/" in names[-1]
        required = given.get("required")
        return _Offer(
            name=max(flags, key=len),
            values=() if bare else (_value_of(call, ""),),
            first=call.lineno,
            last=call.end_lineno or call.lineno,
            needed=isinstance(required, ast.Constant) and required.value is True,
            ends=_action(call) in {"version", "help"},
        )
    count = given.get("nargs")
    optional = isinstance(count, ast.Constant) and count.value in {"?", "*"}
    several = count.value if isinstance(count, ast.Constant) and isinstance(count.value, int) else 1
    value = _value_of(call, names[0])
    needed = not optional or value == FILE
    values = (value,) * min(several, _MAX_VALUES)
    return _Offer(name=names[0], values=values, first=call.lineno, last=call.end_lineno or call.lineno, needed=needed)


def _plain(expression: str) -> str:
    """The word itself; of a file its name."""
    return "a.txt" if expression == FILE else str(ast.literal_eval(expression))


def _action(call: ast.Call) -> str:
    action = next((k.value for k in call.keywords if k.arg == "action"), None)
    if isinstance(action, ast.Constant):
        return str(action.value)
    return ast.unparse(action).split(".")[-1] if action is not None else ""


def _is_switch(call: ast.Call) -> bool:
    flag = next((k.value for k in call.keywords if k.arg == "is_flag"), None)
    told = isinstance(flag, ast.Constant) and flag.value is True
    return told or _action(call) in {*_SWITCHES, "version", "help"}


def _value_of(call: ast.Call, name: str) -> str:
    """An expression for something that is taken there: a choice, a number, what its help gives as an example, what its
    name speaks of."""
    given = {k.arg: k.value for k in call.keywords}
    choices = given.get("choices")
    options: Sequence[ast.expr] = choices.elts if isinstance(choices, ast.List | ast.Tuple | ast.Set) else ()
    for option in options:
        if isinstance(option, ast.Constant):
            return repr(str(option.value))
    kind = ast.unparse(given["type"]) if "type" in given else ""
    if kind in {"int", "float"}:
        return "'2'"
    if "help" in given and (example := next(mentioned_by(given["help"]), "")):
        return repr(example)
    if name and (kind.split(".")[-1] == "Path" or "FileType" in kind):
        return FILE
    known = next((value for words, value in _BY_NAME if re.fullmatch(words, name, re.IGNORECASE)), "abc")
    return known if known == FILE else repr(known)
