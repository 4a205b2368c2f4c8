"""Parameters without annotation: what their use tells of them."""

from __future__ import annotations

import ast

from greenlane.suite.lines import parse_source
from greenlane.testgen.classes import list_constructors
from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Attribute, Observed, Outcome
from greenlane.testgen.guesses import guess_values
from greenlane.testgen.importers import offered_by
from greenlane.testgen.inputs import Description, Script
from greenlane.testgen.naming import called_instead, describe_outcome, describe_test, name_test
from greenlane.testgen.scripts import FoundScript, script_case
from greenlane.testgen.uses import members_of, told_by_uses, with_company, with_uses
from greenlane.testgen.vary import vary


def test_what_is_asked_of_a_parameter_tells_its_kind() -> None:
    source = """
class Shelf:
    def put(self, book): ...
    def take(self): ...

class Room:
    def __init__(self, shelf, door=None):
        self.shelf = shelf
        self.lock = door or None
    def tidy(self):
        self.shelf.put(1)
        self.lock.acquire()

def label(text, when, items, plain):
    text = text or ""
    return text.upper() + when.isoformat() + str(items.copy()) + plain
"""
    tree = parse_source(source)
    (label,) = (f for f in told_by_uses(list_functions(tree, "a.py", "a"), tree) if f.name == "label")
    assert [param.told for param in label.params] == ["", "datetime", "dict | list | set", ""]
    assert guess_values(label.params[1], label)[0].startswith("datetime(")
    room = [node for node in tree.body if isinstance(node, ast.ClassDef)][1]
    shelf, door = with_uses(list_constructors(tree)["Room"], room, members_of(tree))
    assert (shelf.told, door.told) == ("Shelf", "MagicMock")


def test_what_is_asked_of_a_record_of_the_log_asks_for_one() -> None:
    tree = parse_source("def show(record):\n    return record.levelname + record.getMessage()\n")
    (show,) = told_by_uses(list_functions(tree, "a.py", "a"), tree)
    assert show.params[0].told == "LogRecord"
    assert guess_values(show.params[0], show)[0] == "LogRecord('a', 20, 'a.py', 1, 'abc', None, None)"


def test_calls_searches_and_questions_tell_kinds_and_a_script_tries_them_by_the_name_of_the_option() -> None:
    source = """
class Reader:
    def __init__(self, strict=False):
        self.strict = strict
    def _is_strict(self, key):
        if isinstance(self.strict, bool):
            return self.strict
        try:
            return key in self.strict
        except TypeError:
            return self.strict(key)

def read(text, **options):
    return Reader(**options)
"""
    tree = parse_source(source)
    functions = told_by_uses(list_functions(tree, "a.py", "a"), tree)
    offered = offered_by(functions, tree)
    assert offered["Reader"][0].told == "bool | list | Callable"
    script = Script(frozenset({("a", "read")}), (), "read('x', strict=True)")
    entry = next(f for f in functions if f.name == "_is_strict")
    looks = [case.script.look for case in vary(script_case(entry, FoundScript(test="t", script=script)), 40, offered)
             if case.script is not None]  # fmt: skip
    assert {"read('x', strict=[1, 2, 3])", "read('x', strict=lambda value: value)"} <= set(looks)


def test_a_private_method_that_shows_in_another_function_is_named_after_that() -> None:
    tree = parse_source("class Reader:\n    def _read(self, key): ...\n")
    (entry,) = list_functions(tree, "a.py", "a")

    def called(look: str) -> str:
        script = Script(frozenset({("a", "parse")}), (), look)
        case = script_case(entry, FoundScript(test="t", script=script))
        return called_instead(Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={}))

    assert [called(look) for look in ("parse('x')", "book.get(1)", "Reader()._read('x')", "len([])")] == [
        "parse",
        "book.get",
        "",
        "",
    ]
    assert [called(look) for look in ("Reader('x').fetch(1)", "reader('x').fetch(1)")] == ["Reader.fetch", "fetch"]
    assert name_test(entry, "", "", set(), "parse") == "test_parse"
    assert describe_test(entry, "returns 1", "", 1, "parse") == "`parse` returns 1."


def test_an_object_is_named_after_an_attribute_that_says_something() -> None:
    (entry,) = list_functions(parse_source("def read(key): ..."), "a.py", "a")
    script = Script(frozenset({("a", "read")}), (), "read('x')")
    seen = tuple(Attribute(name, Description(value)) for name, value in (("host", "None"), ("query", "'a=1'")))
    outcome = Outcome(case=0, kind="opaque", attributes=seen)
    told = describe_outcome(
        Observed(case=script_case(entry, FoundScript(test="t", script=script)), outcome=outcome, lines={})
    )
    assert told == ("has query", "gives an object with this `query`")


def test_a_list_holds_a_text_that_the_code_names() -> None:
    source = (
        'def keys(names: list[str], rows):\n    kept = list(rows)\n    return "rsa" in kept and kept.append("dsa")\n'
    )
    (keys,) = told_by_uses(list_functions(ast.parse(source), "a.py", "a"), ast.parse(source))
    named, told = (guess_values(param, keys) for param in keys.params)
    assert named[:4] == ["['a', 'b', 'c']", "['rsa']", "['a']", "[]"]
    assert "['rsa']" in told[:3]


def test_options_of_one_list_of_values_are_given_together() -> None:
    tree = ast.parse(
        "def find(left=None, top=None, name=None):\n"
        "    box = (left, top)\n"
        "    if any(one is None for one in box):\n"
        "        return name\n"
    )
    (found,) = with_company(list_functions(tree, "shop.py", "shop"), tree)
    assert found.together == (("left", "top"),)


def test_a_date_is_told_by_its_name_also_under_a_key_and_in_dicts_of_a_list() -> None:
    source = """
def store(rows, start_date):
    for row in rows:
        if isinstance(row, dict):
            send(row["date"], row["msg"])
        else:
            send(None, row)
"""
    (store,) = told_by_uses(list_functions(ast.parse(source), "a.py", "a"), ast.parse(source))
    rows, start = (guess_values(param, store) for param in store.params)
    assert rows[:3] == ["[{}]", "[{'date': 1, 'msg': 1}]", "[{'date': datetime(2020, 1, 31), 'msg': 'abc'}]"]
    assert start[:2] == ["datetime(2020, 1, 31)", "date(2020, 1, 31)"]


def test_a_parameter_is_of_the_kind_that_the_function_asks_for_that_it_is_handed_on_to() -> None:
    source = """
class Rule:
    def check(self, value): ...

class Shelf(namedtuple("Shelf", ("name", "test", "schema"))):
    def check(self, value):
        self.test(value)
        return validate(value, schema=self.schema)

def validate(value, schema):
    schema.check(value)
    return value

def load(path, schema, value):
    return validate(value, schema)
"""
    tree = parse_source(source)
    functions = told_by_uses(list_functions(tree, "a.py", "a"), tree)
    (load,) = (f for f in functions if f.name == "load")
    assert [param.told for param in load.params] == ["", "Rule | Shelf", ""]
    assert [param.told for param in offered_by(functions, tree)["Shelf"]] == ["", "Callable", "Rule | Shelf"]
