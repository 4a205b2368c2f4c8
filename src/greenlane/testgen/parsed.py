"""Texts for a parameter that is read as something known: what reads it says how it looks. Pure; for `uses.py`.

def read(text, stream):
    told = json.loads(text)                      '{"a": 1, "b": [1, "c"]}'
    tree = ET.fromstring(stream.read())          StringIO('<a b="1"><c>d</c></a>')
    tree = ET.parse(stream)                      StringIO('<a b="1"><c>d</c></a>')
"""

from __future__ import annotations

import ast
import datetime
import re
from collections.abc import Callable, Iterator, Mapping, Set

from greenlane.testgen.shapes import is_one

_JSON = ('{"a": 1, "b": [1, "c"]}', "[1, 2]", "{")
_YAML = ("a: 1\nb: [1, c]\n", "- a\n- b: 1\n", "a: [")
_TOML = ('a = 1\n\n[b]\nc = "d"\n', "a =")
_XML = ('<a b="1"><c>d</c></a>', "<a/>", "<a")
_URL = ("https://user@example.com:80/a?b=1#c", "/a")
_BY_MODULE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "loads": {"json": _JSON, "simplejson": _JSON, "ujson": _JSON, "orjson": _JSON, "rapidjson": _JSON, "toml": _TOML,
              "tomli": _TOML, "tomllib": _TOML, "rtoml": _TOML, "tomlkit": _TOML, "pytoml": _TOML},
    "load": {"yaml": _YAML},
    "parse": {"ast": ("a = 1\n", "def f(a, b=1):\n    return a\n", "a ="), "tomlkit": _TOML},
    "split": {"shlex": ("a --b 'c d'", "a 'b")},
    "compile": {"re": ("a+(b)?", "(")},
}  # fmt: skip
"""By the name of what is called, and the module that it is of."""
_JSON_MODULES, _XML_MODULES = ("json", "simplejson", "ujson"), ("ET", "etree", "ElementTree", "cElementTree", "minidom")
_CSV = ("a,b\n1,2\n",)
_OF_STREAMS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "parse": dict.fromkeys(_XML_MODULES, _XML), "iterparse": dict.fromkeys(_XML_MODULES, _XML),
    "load": dict.fromkeys(_JSON_MODULES, _JSON), "reader": {"csv": _CSV}, "DictReader": {"csv": _CSV},
}  # fmt: skip
"""The same of what is given the stream itself."""
_BY_NAME: Mapping[str, tuple[str, ...]] = {
    "loads": _JSON, "safe_load": _YAML,
    "full_load": _YAML, "fromstring": _XML, "parseString": _XML, "urlparse": _URL, "urlsplit": _URL,
    "parse_qs": ("a=1&b=2&a=3",), "parse_qsl": ("a=1&b=2&a=3",), "literal_eval": ("[1, 'a']", "{'a': 1}", "a"),
    "b64decode": ("YWJj",), "urlsafe_b64decode": ("YWJj",), "unhexlify": ("616263",), "fromhex": ("616263",),
    "fromisoformat": ("2020-01-31", "2020-01-31T12:30:00"), "ip_address": ("192.0.2.1", "2001:db8::1"),
    "ip_network": ("192.0.2.0/24",), "UUID": ("12345678-1234-5678-1234-567812345678",),
    "parsedate_to_datetime": ("Fri, 31 Jan 2020 12:30:00 +0000",), "parseaddr": ("A B <a@example.com>",),
    "message_from_string": ("Subject: a\n\nb\n",), "read_string": ("[a]\nb = 1\n",), "import_module": ("json",),
}  # fmt: skip
_SAME = frozenset({"strip", "lstrip", "rstrip", "lower", "upper", "decode", "encode", "getvalue", "str"})
_NO_STREAM = re.compile(r"\b(str|bytes|Path|PathLike)\b")
_WHEN = datetime.datetime(2020, 1, 31, 12, 30, tzinfo=datetime.UTC)


def texts_read(names: Set[str], holder: ast.AST, annotation: str = "") -> tuple[str, ...]:
    """Expressions for what goes by one of these names and is read as something known; most telling first."""
    streams = _bound(names, holder, _is_read) if names else set()
    texts = names | _bound(names, holder, _is_same)
    found: dict[str, None] = {}
    for call in (n for n in ast.walk(holder) if isinstance(n, ast.Call) and n.args) if names else ():
        given = call.args[0]
        if is_one(given, names) and ("IO" in annotation or not _NO_STREAM.search(annotation)):
            found |= {_stream(text, annotation): None for text in _texts_of_stream(call)}
        for text in _texts_for(call):
            plain = repr(text.encode()) if "bytes" in annotation and "str" not in annotation else repr(text)
            if _is_read(given, names) or (isinstance(given, ast.Name) and given.id in streams - names):
                found |= {f"StringIO({text!r})": None}
            elif _is_same(given, texts):
                found |= {plain: None}
    return tuple(found)


def _stream(text: str, annotation: str) -> str:
    """A stream of bytes where that is said."""
    binary = "BinaryIO" in annotation or "bytes" in annotation
    return f"BytesIO({text.encode()!r})" if binary else f"StringIO({text!r})"


def _texts_of_stream(call: ast.Call) -> tuple[str, ...]:
    name, module = _name_and_module(call)
    return _OF_STREAMS.get(name, {}).get(module, ())


def _bound(names: Set[str], holder: ast.AST, is_from: Callable[[ast.expr, Set[str]], bool]) -> set[str]:
    """Local names for what comes from these."""
    found = set()
    for node in ast.walk(holder):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            found |= {node.targets[0].id} if is_from(node.value, names) else set()
    return found


def _texts_for(call: ast.Call) -> Iterator[str]:
    name, module = _name_and_module(call)
    if name == "strptime" and len(call.args) == 2 and isinstance(call.args[1], ast.Constant):
        form = call.args[1].value
        yield from [_WHEN.strftime(form)] if isinstance(form, str) else []
    yield from _BY_MODULE[name].get(module, ()) if module and name in _BY_MODULE else _BY_NAME.get(name, ())


def _name_and_module(call: ast.Call) -> tuple[str, str]:
    parts = ast.unparse(call.func).split(".") if isinstance(call.func, ast.Attribute | ast.Name) else [""]
    return parts[-1], parts[-2] if len(parts) > 1 else ""


def _is_read(value: ast.expr, names: Set[str]) -> bool:
    """`stream.read()`, also without what stands around it."""
    func = value.func if isinstance(value, ast.Call) else None
    if not isinstance(func, ast.Attribute):
        return False
    return is_one(func.value, names) if func.attr == "read" else func.attr in _SAME and _is_read(func.value, names)


def _is_same(value: ast.expr, names: Set[str]) -> bool:
    """One of the names, as it is or nearly so."""
    if isinstance(value, ast.Call):
        func = value.func
        if isinstance(func, ast.Attribute):
            return func.attr in _SAME and _is_same(func.value, names)
        return (
            isinstance(func, ast.Name) and func.id in _SAME and len(value.args) == 1 and _is_same(value.args[0], names)
        )
    return isinstance(value, ast.Name | ast.Attribute) and is_one(value, names)
