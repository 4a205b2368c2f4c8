"""Calls that are given a path, with something there: a folder with files in it, a file that holds something. Pure; for
`search.py`.

    load(str(tmp_path))                          (tmp_path / 'a.conf').write_text('[a]\\nb = 1\\n')
                                         ->      load(str(tmp_path))
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

import msgspec

from greenlane.suite.lines import parse_expression
from greenlane.testgen.code import Function
from greenlane.testgen.guesses import paths_for
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Script
from greenlane.testgen.patterns import is_pattern, samples
from greenlane.testgen.staged import as_script, before_and_call_of
from greenlane.testgen.turns import in_turn
from greenlane.testgen.views import OPERATORS, as_written

_NAMES, _CONTENTS, _MOST = 3, 4, 60
_LONGEST = 60
_PLACE = re.compile(r"tmp_path / '([\w.-]+)'")
_FOLDER = re.compile(r"\btmp_path\b(?! /)")
_FILE_NAME = re.compile(r"\.?[A-Za-z][\w-]{0,30}(\.[A-Za-z]\w{0,7})?")
_ENDING = re.compile(r"\.[A-Za-z]\w{0,5}")
_BY_WORD = (
    ({"load", "loads", "JSONDecodeError"}, "{\"a\": 1}"),
    ({"csv", "reader", "DictReader"}, "a,b\n1,2\n"),
    ({"ConfigParser", "RawConfigParser", "configparser", "read_file", "tomllib", "toml", "tomli"}, "[a]\nb = 1\n"),
    ({"yaml", "safe_load"}, "a: 1\n"),
    ({"ElementTree", "etree", "parseString", "minidom"}, "<a b=\"1\">c</a>"),
    ({"splitlines", "readlines", "readline"}, "a = 1\nb\n"),
)  # fmt: skip
"""What a file holds for code that uses these names."""
_READS_ARCHIVES, _ARCHIVED = frozenset({"ZipFile", "is_zipfile"}), 6
_INNER_NAME = re.compile(r"[A-Za-z_][\w./-]{0,60}\.[A-Za-z]\w{0,7}")
_HERE = "greenlane_here"
_CONTENT = ("abc", "", "a = 1\n")


def with_files(cases: Sequence[Case]) -> list[Case]:
    """Those of these calls that are given a path, as scripts that first write a file there; the plainest first."""
    plain = [case for case in cases if case.script is None and not case.entry.asynchronous]
    given = [other for case in plain for other in (*([case] if "tmp_path" in case.fixtures else []), *_placed(case))]
    given.sort(key=lambda case: (case.steps, case.length))
    rows = [list(_with_file(case)) for case in given]
    found = {case.key: case for case in in_turn(rows)}
    return list(found.values())[:_MOST]


def _placed(case: Case) -> Iterator[Case]:
    """The same call with a path below `tmp_path` for a folder or file that it was given."""
    named = {param.name: param for param in case.entry.params}
    for number, (name, text) in enumerate(case.arguments):
        places = case.entry.places
        param = named.get(name) if name is not None else places[number] if number < len(places) else None
        for path in paths_for(param)[:1] if param is not None and "tmp_path" not in text else ():
            other = case.with_argument(number, path)
            yield msgspec.structs.replace(other, fixtures=case.fixtures | {"tmp_path"})


def _with_file(case: Case) -> Iterator[Case]:
    text = " ".join([case.receiver or "", *(text for _, text in case.arguments)])
    named = [f"tmp_path / {name!r}" for name in _names(case)] if _FOLDER.search(text) else []
    places = named or [f"tmp_path / {name!r}" for name in dict.fromkeys(_PLACE.findall(text))][:1]
    written = [*_archives(case.entry), *(f".write_text({content!r})" for content in _contents(case.entry))]
    pairs = [(place, held) for place in range(len(places)) for held in range(len(written))]
    script = _as_script(case)
    for place, held in sorted(pairs, key=lambda pair: (sum(pair), pair)):  # neither takes all the room
        statement = f"({places[place]}){written[held]}"
        imports = script.imports
        if not written[held].startswith("."):
            statement, imports = written[held].replace(_HERE, places[place]), imports | {("zipfile", "ZipFile")}
        other = msgspec.structs.replace(script, imports=imports, setup=(statement, *script.setup))
        if all(len(row) <= MAX_STATEMENT for row in (*other.setup, other.look)):
            yield case.with_script(other, case.fixtures)


def _as_script(case: Case) -> Script:
    """The call as a script; where it gives nothing, its object is looked at after it."""
    script = as_script(case)
    gives = case.entry.returns_value or case.entry.kind == "init"
    if gives or not case.receiver or not case.receiver.endswith(")"):
        return msgspec.structs.replace(script, look=_plain_look(case) or script.look)
    holder = (case.entry.owner or "receiver").strip("_").lower()
    before, called = before_and_call_of(holder, case)
    return msgspec.structs.replace(script, setup=(*before, called), look=holder)


def _plain_look(case: Case) -> str:
    """A special method by its sign: `"a" in Box(tmp_path)`; empty for any other, and for what compares."""
    given = [f"{name}={text}" if name else text for name, text in case.arguments]
    compares = case.history or case.entry.name in OPERATORS
    look = "" if compares else as_written(case.entry, case.receiver, given)
    return ast.unparse(parse_expression(look)) if look else ""


def _names(case: Case) -> list[str]:
    """Names for a file in a folder: what the call itself names, what the code names or asks for the ending of."""
    trees = [parse_expression(text) for _, text in case.arguments]
    said = [n.value for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    constants = [value for value in case.entry.constants if isinstance(value, str)]
    endings = [f"a{value}" for value in constants if _ENDING.fullmatch(value)]
    named = [
        value for value in constants if _FILE_NAME.fullmatch(value) and "." in value and f"a{value}" not in endings
    ]
    own = [value for value in said if isinstance(value, str) and _FILE_NAME.fullmatch(value)]
    return list(dict.fromkeys([*own, *named, *endings, "a.txt"]))[:_NAMES]


def _archives(entry: Function) -> Iterator[str]:
    """Statements that write a file with others inside, for code that reads one: of the names that it asks for."""
    names = [c for c in entry.constants if isinstance(c, str) and _INNER_NAME.fullmatch(c)]
    for name in dict.fromkeys([*names[:_ARCHIVED], "a.txt"]) if _READS_ARCHIVES & (entry.calls | entry.asks) else ():
        yield f"with ZipFile({_HERE}, 'w') as archive:\n    archive.writestr({name!r}, 'abc')"


def _contents(entry: Function) -> list[str]:
    """What a file may hold: what the code reads it as, and what it looks for in it."""
    told = [content for words, content in _BY_WORD if words & (entry.asks | entry.calls)]
    texts = [c for c in entry.constants if isinstance(c, str) and 1 < len(c) <= _LONGEST and not _ENDING.fullmatch(c)]
    matching = [text for c in texts if is_pattern(c) for text in samples(c)[-1:]]
    plain = [c for c in texts if not is_pattern(c)]
    return list(dict.fromkeys([*told, *matching[:1], _CONTENT[0], *plain[:1], *_CONTENT[1:]]))[:_CONTENTS]
