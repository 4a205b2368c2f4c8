"""Values for a parameter that nobody gave: from its annotation, its default, and the constants that the code compares.
Pure, and the same each time.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Sequence

import msgspec

from greenlane.suite.lines import parse_expression
from greenlane.testgen.callables import NEEDS as CALLABLES_NEED
from greenlane.testgen.callables import callables_for
from greenlane.testgen.code import Function, Param
from greenlane.testgen.constants import Constant
from greenlane.testgen.inputs import Description
from greenlane.testgen.pathkinds import FILE, FOLDER
from greenlane.testgen.shapes import NAMESPACE
from greenlane.testgen.turns import in_turn
from greenlane.testgen.typed import Plain, typed_values
from greenlane.testgen.uses import AWAITED, STAND_IN

TEXTS = ("other", "", " ", "a", "abc", "Hello World", "1", "0", "-1", "1.5", "a,b", "a=b", "2020-01-31", "x" * 40)
"""Strings of different kinds, as inputs where nothing better is known."""
_NUMBERS = (0, 1, -1, 2, 10, 100, 10**17)
_FLOATS = (0.0, 0.5, -1.5)
_CALLED = frozenset(
    {"func", "function", "fn", "f", "callback", "callable", "predicate", "decorated", "handler", "factory", "wrapped"}
)
_KINDS = {
    "Sequence": "list", "Iterable": "list", "Iterator": "list", "Collection": "list", "List": "list",
    "Mapping": "dict", "MutableMapping": "dict", "Dict": "dict", "Set": "set", "frozenset": "set", "Tuple": "tuple",
    "Number": "float", "SupportsFloat": "float", "AnyStr": "str",
    "PathLike": "Path", "PurePath": "Path", "IO": "TextIO", "StringIO": "TextIO", "BytesIO": "BinaryIO",
    "Type": "type", "Any": "object", "bytearray": "bytes",
}  # fmt: skip


_STREAMS = ("StringIO('a,b\\n1,2\\n')", "StringIO('')", "BytesIO(b'abc')")
_SIGNATURES = (
    "signature(lambda value, /, other=1, *others, named, **rest: value)", "signature(lambda value: value)",
    "signature(lambda value=1, /: value)", "signature(lambda *, named=1: named)",
)  # fmt: skip
_RECORDS = (
    "LogRecord('a', 20, 'a.py', 1, 'abc', None, None)", "LogRecord('a', 40, 'a.py', 1, 'a %s', ('b',), None)",
)  # fmt: skip
_PATHS = ("tmp_path / 'a.txt'", "tmp_path", "str(tmp_path / 'a.txt')")
_AT_PATHS = {
    FOLDER: ("str(tmp_path)", "tmp_path"), FILE: ("str(tmp_path / 'a.txt')", "tmp_path / 'a.txt'"),
}  # fmt: skip
_ERRORS = ("ValueError('abc')", "ExceptionGroup('abc', [ValueError('abc')])")
_LEAVING = (KeyboardInterrupt, SystemExit, GeneratorExit, BaseExceptionGroup, UnicodeError)
"""Errors that end the program, or that can't be made of a text."""
_OF_KIND = {
    "str": ("'abc'",), "int": ("1",), "float": ("0.5",), "bool": ("True",), "bytes": ("b'abc'",), "list": ("[1, 2]",),
    "tuple": ("(1, 2)",), "dict": ("{'a': 1}",), "set": ("{1, 2}",), "frozenset": ("frozenset({1})",),
    "Mapping": ("{'a': 1}",), "Sequence": ("[1, 2]",), "Iterable": ("[1, 2]",), "type": ("int",),
    "Path": ("Path('a')",), "datetime": ("datetime(2020, 1, 31)",), "date": ("date(2020, 1, 31)",),
    "Decimal": ("Decimal('1.5')",), "Ellipsis": ("...",), "NotImplemented": ("NotImplemented",),
    "timedelta": ("timedelta(hours=1)",), "UUID": (f"UUID('{'1' * 32}')",), "Fraction": ("Fraction(1, 2)",),
    "OrderedDict": ("OrderedDict(a=1)",), "deque": ("deque([1, 2])",), "complex": ("1j",), "range": ("range(2)",),
    "bytearray": ("bytearray(b'abc')",), "memoryview": ("memoryview(b'abc')",), "slice": ("slice(1, 2)",),
    "Number": ("0.5",), "Integral": ("1",), "Real": ("0.5",), "Iterator": ("iter([1, 2])",),
    "Pattern": ("re.compile('a')",), "PurePath": ("Path('a')",), "PathLike": ("Path('a')",),
    **dict.fromkeys(("IOBase", "RawIOBase", "BufferedIOBase", "BytesIO", "BinaryIO"), ("BytesIO(b'abc')",)),
    **dict.fromkeys(("TextIOBase", "StringIO", "TextIO", "IO"), ("StringIO('abc')",)),
}  # fmt: skip
_OF_A_KIND = 4
_UNKNOWN = ("1", "'abc'", "[1, 2, 3]", "{'a': 1}", "None", "0", "''", "[]", "-1")
"""One of each kind, where nothing is known."""
_BY_NAME = (
    (r"exc_type|exc_val(ue)?|exc_tb|exc|traceback|tb", ("None",)),
    (r"sig|signature", _SIGNATURES),
    (r"file|fp|fh|fd|stream|file_?obj|buffer|in_?file|out_?file", (*_STREAMS, *_PATHS[:1])),
    (r"(file_?|dir_?)?path|file_?name|fname|directory|folder", _PATHS),
    (r"n|count|size|num|index|idx|i|limit|width|length|depth|start|stop|end|step|times|position|price|amount|cost|weight|total|rate|ratio|seconds|minutes|hours|days|timeout|age|year|month|day|[xyabkm]|(max|min|num)_\w+",
     ("2", "0", "1", "-1", "3")),
    (r"items|iterable|seq|sequence|values|lst|it|xs|elements|rows|iterator", ("[1, 2, 3]", "[]", "['a', 'b']", "[1]")),
    (r"mapping|dct|d|dictionary|options|config|kwargs|params", ("{'a': 1}", "{}", "{'a': {'b': 1}}")),
    (r"\w*name|text|string|s|msg|message|word|prefix|suffix|sep|delimiter|line",
     ("'abc'", "''", "'Hello World'", "'a'")),
    (r"data|raw|payload|content", ("{'a': 1}", "b'abc'", "'abc'", "[1, 2, 3]")),
    (r"dt|when|now|today|(\w+_)?(date|datetime)",
     ("datetime(2020, 1, 31)", "date(2020, 1, 31)", "datetime(2020, 1, 31, tzinfo=timezone.utc)", "'2020-01-31'")),
)  # fmt: skip
"""What a parameter without annotation is mostly given, by its name."""


_KNOWN: dict[str, tuple[str, str]] = {
    "StringIO": ("io", "StringIO"), "BytesIO": ("io", "BytesIO"), "Path": ("pathlib", "Path"), "re": ("re", ""),
    "Decimal": ("decimal", "Decimal"), "Fraction": ("fractions", "Fraction"), "datetime": ("datetime", "datetime"),
    "date": ("datetime", "date"), "time": ("datetime", "time"), "timedelta": ("datetime", "timedelta"),
    "timezone": ("datetime", "timezone"), "UUID": ("uuid", "UUID"), "OrderedDict": ("collections", "OrderedDict"),
    STAND_IN: ("unittest.mock", STAND_IN), AWAITED: ("unittest.mock", AWAITED), NAMESPACE: ("types", NAMESPACE),
    "signature": ("inspect", "signature"), "LogRecord": ("logging", "LogRecord"),
    "ast": ("ast", ""), "deque": ("collections", "deque"),
    "namedtuple": ("collections", "namedtuple"), "make_dataclass": ("dataclasses", "make_dataclass"),
    **CALLABLES_NEED,
}  # fmt: skip
GUESSED = frozenset({_KNOWN[STAND_IN], _KNOWN[AWAITED], _KNOWN[NAMESPACE]})
"""Imports that nothing but a guessed value brings."""
_FIXTURES = frozenset({"tmp_path"})
_WORDS = re.compile(r"\w+")
_NEEDY = re.compile(rf"\b({'|'.join([*_KNOWN, *_FIXTURES])}|[A-Z]\w*)\b")


def needs_of(text: str, entry: Function) -> tuple[frozenset[tuple[str, str]], frozenset[str]]:
    """What a guessed expression imports (of the standard library, or a class that its module knows), and the
    fixtures that it names."""
    if not _NEEDY.search(text):
        return frozenset(), frozenset()
    names = {n.id for n in ast.walk(parse_expression(text)) if isinstance(n, ast.Name)}
    own = {(module, name) for name, module in entry.classes if name in names}
    imports = {_KNOWN[name] for name in (names & _KNOWN.keys()) - {name for _, name in own}} | own
    return frozenset(imports), frozenset(names & _FIXTURES)


def imports_for(text: str, before: str) -> frozenset[tuple[str, str]]:
    """What a statement imports for names that were not in a script `before`."""
    fresh = set(_NEEDY.findall(text)) - set(_WORDS.findall(before))
    return frozenset(_KNOWN[name] for name in fresh & _KNOWN.keys())


def described(text: str, entry: Function) -> Description:
    """A guessed expression with what it needs."""
    imports, fixtures = needs_of(text, entry)
    return Description(text, tuple(sorted(imports)), tuple(sorted(fixtures)))


def guess_values(param: Param, entry: Function) -> list[str]:
    """Expressions for a parameter, most telling first."""
    numbers = [repr(n) for n in near_numbers(entry.constants)]
    texts = [repr(c) for c in entry.constants if isinstance(c, str)]
    pools = {
        "int": [*numbers, *map(repr, _NUMBERS)],
        "float": [*map(repr, _FLOATS), *numbers, *map(repr, _NUMBERS), 'float("inf")', 'float("nan")'],
        "str": [*texts, *map(repr, TEXTS)],
        "bool": ["True", "False"],
        "bytes": ["b''", "b'abc'"],
        "list": _lists(param.annotation or param.told, texts, _records(entry)[:2] if entry.keys else []),
        "tuple": ["()", "(1, 2)"],
        "dict": ["{}", *(_records(entry) if entry.keys else []), "{'a': 1}", "{'a': {'b': 1}}", "{'a': {'c': 2}}"],
        "set": ["set()", "{1, 2}"],
        "None": ["None"],
        "Path": [*_PATHS[:2], *_named_paths(entry)],
        "TextIO": list(_STREAMS[:2]),
        "BinaryIO": ["BytesIO(b'abc')", "BytesIO()"],
        "type": ["int", "str", "dict"],
        "object": ["1", "'abc'", "None", "[1, 2, 3]"],
        "Pattern": ["re.compile('a')"],
        "LogRecord": list(_RECORDS),
        "Callable": callables_for(entry.asks),
        STAND_IN: [f"{STAND_IN}()"],
        AWAITED: [f"{AWAITED}()"],
    }
    kinds = [*entry.kinds, *kinds_of(param.annotation), *kinds_of(param.told)]
    pools |= {kind: errors_of(kind) for kind in kinds if errors_of(kind)}
    if param.choices:
        others = in_turn(
            pools[kind] for kind in kinds_of(param.annotation) if kind in pools
        )  # `str | Literal[Mark.NONE]`
        return list(dict.fromkeys([*param.choices, *others]))
    if paths := paths_for(param):
        plain = msgspec.structs.replace(param, told=" | ".join(k for k in kinds_of(param.told) if k not in _AT_PATHS))
        return list(dict.fromkeys([*paths, *guess_values(plain, entry)]))
    if entry.flags and re.fullmatch(r"_?(sys_?)?(args?|argv|arguments)", param.name):
        lines = [list(entry.needed), *([*flag, *entry.needed] for flag in entry.flags)]
        return list(dict.fromkeys([*(repr(line) for line in lines if line), "[]", "['abc']"]))
    if is_called(param):
        return callables_for(entry.asks)
    typed = typed_values(param.annotation, plain_values(entry)) if param.annotation else ()
    named = [kind for kind in kinds_of(param.annotation) if kind in pools]
    if named or typed:
        found = list(in_turn([param.samples, typed, *(pools[kind] for kind in named)]))
    else:
        told = [typed_values(kind, plain_values(entry)) or pools.get(kind, ()) for kind in kinds_of(param.told)]
        used = in_turn(values[:_OF_A_KIND] for values in told)
        asked = [value for kind in entry.kinds for value in pools.get(kind, ())[:2]]
        mixed = in_turn([numbers[:4], texts[:6]])
        by_name = _by_name(param.name) if any(text.startswith(NAMESPACE) for text in param.samples) else ()
        found = [
            *in_turn([by_name, param.samples]),  # the thing itself, where its name tells, before what looks like it
            *used,
            *_by_name(param.name),
            *asked,
            *mixed,
            *_UNKNOWN,
            *pools["dict"][:2],
            *map(repr, TEXTS[:5]),
        ]
    return list(dict.fromkeys(found))


def paths_for(param: Param) -> tuple[str, ...]:
    """Paths for a parameter that is said to be a folder or a file, of the kind that its annotation asks for."""
    values = next((_AT_PATHS[kind] for kind in kinds_of(param.told) if kind in _AT_PATHS), ())
    if not param.annotation:
        return values
    return values[:1] if re.search(r"\bstr\b", param.annotation) else values[1:]


def errors_of(kind: str) -> list[str]:
    """Errors of a kind, if it is one of the language's: of the widest kinds a plain one, and a group."""
    found = getattr(builtins, kind, None)
    if not isinstance(found, type) or not issubclass(found, BaseException) or issubclass(found, _LEAVING):
        return []
    return list(_ERRORS) if found in {Exception, BaseException} else [f"{kind}('abc')"]


def values_of(kind: str) -> Sequence[str]:
    """A few values of a kind that code asks for with `isinstance`; none of one that is not the language's."""
    return _OF_KIND.get(kind) or errors_of(kind)


def is_called(param: Param) -> bool:
    """Whether its name or its annotation says that it is called."""
    return param.name in _CALLED or re.search(r"\bCallable\b", param.annotation) is not None


def plain_values(entry: Function) -> Plain:
    """What stands inside a container: the code's own constants first."""
    texts = [c for c in entry.constants if isinstance(c, str)]
    numbers = [n for n in near_numbers(entry.constants) if isinstance(n, int)]
    return (
        ("str", (*texts[:2], "a", "b", "")),
        ("int", (*numbers[:2], 1, 2, 0, -1)),
        ("float", (0.5, 0.0, -1.5)),
        ("bool", (True, False)),
        ("bytes", (b"abc", b"")),
        ("Any", (1, "a", None)),
        ("object", (1, "a", None)),
        ("Hashable", ("a", 1)),
    )


def _named_paths(entry: Function) -> list[str]:
    """Paths that have a name which the code asks for, in one case of letters or another."""
    names = [c for c in entry.constants if isinstance(c, str) and re.fullmatch(r"[A-Za-z][\w.]{1,20}", c)][:2]
    return [f"Path({text!r})" for name in names for text in dict.fromkeys((name, name.upper()))]


def _by_name(name: str) -> tuple[str, ...]:
    return next((values for words, values in _BY_NAME if re.fullmatch(words, name)), ())


def kinds_of(annotation: str) -> list[str]:
    """The outermost types of an annotation: `Sequence[str] | None` gives list and None."""
    text = annotation.strip("'\"")
    kinds: list[str] = []
    optional = re.fullmatch(r"(?:typing\.|t\.)?(Optional|Union)\[(.*)\]", text)
    if optional:
        text = optional[2].replace(",", "|") + ("|None" if optional[1] == "Optional" else "")
    flat = re.sub(r"\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]", "", text)  # what stands in brackets is of the elements
    for part in flat.split("|"):
        name = part.strip().split(".")[-1]
        kinds.append(_KINDS.get(name, name))
    return kinds


def _lists(annotation: str, texts: Sequence[str], records: Sequence[str] = ()) -> list[str]:
    """Lists of the kind that an annotation asks for, or of any; the second holds a text that the code names. Of dicts
    some are `records` with the keys that the code looks up."""
    items = re.search(r"\[(.*)\]", annotation)
    parts = [part.strip() for part in items[1].split("|")] if items else []
    held = [f"[{_ITEMS[part]}]" for part in parts if part in _ITEMS]
    held += [f"[{record}]" for record in records if "dict" in parts]
    if held:
        return [*held, "[1]", "[]"]
    if re.search(r"\[.*str", annotation):
        plain = ["['a', 'b', 'c']", "['a', 'b']", "['a']", "[]"]
    else:
        plain = ["[1, 2, 3]", "[1, 2]", "[1]", "[]", "['a', 'b']"]
    first, second, *others = plain
    named = [f"[{text}]" for text in texts[:2]]
    return [first, named[0], *others, *named[1:], second] if named else plain


_ITEMS = {"dict": "{}", "tuple": "()", "type": "int", "list": "[]", "set": "set()", "bytes": "b'a'"}
"""An item of each kind, the plainest that there is."""


def _records(entry: Function) -> list[str]:
    """Dicts with the keys that the function looks up, all with the same, or each with what its name tells; and with
    what it asks for under one of them."""
    whole = ["{" + ", ".join(f"{key!r}: {value}" for key in entry.keys) + "}" for value in ("1", "'a'")]
    named = "{" + ", ".join(f"{key!r}: {_named_value(key)}" for key in entry.keys) + "}"
    telling = in_turn([f"{{{key!r}: {value}}}" for value in values] for key, values in entry.held)
    return list(dict.fromkeys([whole[0], *([named] if named != whole[1] else []), *telling, whole[1]]))


def _named_value(key: str) -> str:
    """What something of this name is mostly, without a folder to be in."""
    return next((value for value in _by_name(key) if "tmp_path" not in value), "'a'")


def near_numbers(constants: Iterable[Constant]) -> list[int | float]:
    """Numbers of the code and their neighbours: faults live at boundaries."""
    found: list[int | float] = []
    for constant in constants:
        if isinstance(constant, bool) or not isinstance(constant, int | float):
            continue
        step = 1 if isinstance(constant, int) else 0.01
        found += [constant, constant + step, constant - step]
    return list(dict.fromkeys(found))


def guess_options(param: Param, entry: Function) -> list[str]:
    """Expressions for an optional parameter, other than its default."""
    default = param.default or ""
    if default in {"True", "False"}:
        other = ["False" if default == "True" else "True"]
        told = [value for value in guess_values(param, entry) if value not in {"True", "False"}] if param.told else []
        return [*other, *told[: 2 * _OF_A_KIND]]
    kind = _literal_kind(default)
    typed = param if param.annotation or not kind else msgspec.structs.replace(param, annotation=kind)
    values = [value for value in guess_values(typed, entry) if value != default][:8]
    unknown = default == "None" and not (param.annotation or param.told or param.choices or _by_name(param.name))
    return [*values[:_OF_A_KIND], f"{STAND_IN}()", *values[_OF_A_KIND:]] if unknown else values


def _literal_kind(text: str) -> str:
    try:
        kind = type(ast.literal_eval(parse_expression(text))).__name__
    except (ValueError, SyntaxError, TypeError):
        return ""
    return "" if kind == "NoneType" else kind
