"""Objects of a class as other functions of its module give them, and as a constructor of another module takes them."""

from __future__ import annotations

from greenlane.suite.lines import parse_source
from greenlane.testgen.classes import list_constructors
from greenlane.testgen.code import Function, Param, list_functions
from greenlane.testgen.importers import offered_by
from greenlane.testgen.madeup import made_receivers
from greenlane.testgen.makers import given_objects

SOURCE = """
class Empty(Base):
    def as_text(self):
        return "empty"

class Field(Base):
    def is_empty(self) -> "Empty":
        return self._empty()

    def _empty(self):
        return Empty(self)

class Table:
    def __init__(self):
        pass

    def field(self, name):
        return Field(name, table=self)

    @classmethod
    def empty(cls):
        return cls()

def open_table(path=None):
    return Table()
"""
BASE = {"Base": (Param(name="term"), Param(name="table", default="None"))}


def functions() -> dict[str, Function]:
    return {f.qualified: f for f in list_functions(parse_source(SOURCE), "a.py", "a")}


def receivers_of(name: str, base: dict[str, tuple[Param, ...]]) -> list[str]:
    tree, known = parse_source(SOURCE), functions()
    constructors = offered_by(known.values(), tree, base)
    given = given_objects(known[name], list(known.values()), tree, constructors)
    found = made_receivers(known[name], (), constructors, (), given)
    for receiver in found:
        names = {what for _, what in receiver.made.imports}
        assert receiver.made.text.partition("(")[0].partition(".")[0] in names
    return [receiver.made.text for receiver in found]


def test_an_object_is_made_by_what_gives_one_first_where_its_class_demands_something() -> None:
    texts = receivers_of("Empty.as_text", BASE)
    assert texts[0].endswith(".is_empty()")
    assert "Table().field('abc').is_empty()" in texts
    assert receivers_of("Field.is_empty", BASE)[0] == "Table().field('abc')"


def test_an_object_of_a_class_that_demands_nothing_is_made_by_it_first() -> None:
    assert receivers_of("Table.field", BASE) == ["Table()", "Table.empty()", "open_table()"]


def test_what_a_base_of_another_module_takes_its_subclass_takes() -> None:
    assert list_constructors(parse_source(SOURCE), BASE)["Field"] == BASE["Base"]
    assert list_constructors(parse_source(SOURCE))["Field"] == ()


def test_functions_and_what_is_made_by_itself_alone_give_nothing() -> None:
    source = "class Loop:\n    def again(self):\n        return Loop()\n\ndef run():\n    return 1\n"
    tree = parse_source(source)
    known = list_functions(tree, "a.py", "a")
    assert [given_objects(function, known, tree, {}) for function in known] == [[], []]
