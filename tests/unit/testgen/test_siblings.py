"""A class that no test uses yet: the scripts of its siblings, with the class and its name in tables swapped."""

from __future__ import annotations

from pathlib import Path

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import list_functions
from greenlane.testgen.scripts import read_scripts
from greenlane.testgen.siblings import counterparts, family_of, made_likewise, siblings_of, swap_classes

SOURCE = """
class Writer:
    pass

class Json(Writer):
    def write(self, row):
        return str(row)

class Yaml(Writer):
    def write(self, row):
        return f"- {row}"

class Other:
    pass

WRITERS = {"json": Json, "yaml": Yaml}
"""
TESTS = """
import pytest
from shop.writers import Json
from shop import run

def test_row():
    writer = Json()
    assert writer.write([1]) == "[1]"

@pytest.mark.parametrize(("kind", "settings"), [("json", {"rows": 1})])
def test_run(kind, settings):
    settings["kind"] = f"{kind}_rows"
    assert run(settings) == "[1]"

def test_other():
    assert run({}) == ""
"""


def test_a_new_class_is_used_as_the_tests_use_its_sibling(tmp_path: Path) -> None:
    (tmp_path / "test_writers.py").write_text(TESTS)
    tree = parse_source(SOURCE)
    entry = next(f for f in list_functions(tree, "shop/writers.py", "shop.writers") if f.owner == "Yaml")
    assert siblings_of(tree, "Yaml") == {"Json", "Writer"}
    found = {
        name: [swapped for one in read_scripts(tmp_path, [f"test_writers.py::{name}"])
               for swapped in swap_classes(one, entry, tree)]
        for name in ("test_row", "test_run", "test_other")
    }  # fmt: skip
    row, run = found["test_row"][-1].script, found["test_run"][-1].script
    assert row.text == "writer = Yaml()\nwriter.write([1])"
    assert row.imports == {("shop.writers", "Yaml")}
    assert run.text == "settings = {'rows': 1}\nsettings['kind'] = 'yaml_rows'\nrun(settings)"
    assert found["test_other"] == []


def test_objects_of_a_class_are_also_those_of_what_inherits_from_it() -> None:
    tree = parse_source("class A: ...\nclass B(A, Generic[T]): ...\nclass C(B[int]): ...\nclass D: ...\n")
    assert family_of(tree, "A") == ("A", "B", "C")
    assert family_of(tree, None) == ()


MAKERS = """
class Term:
    def both(self, value):
        return And(self, self.wrap(value))

    def either(self, value):
        return Or(self, self.wrap(value))

    def other(self, value):
        return Or(self, value)

class Criterion: ...
class And(Criterion): ...
class Or(Criterion):
    def get_sql(self): ...
"""
USED = """
from shop.terms import Term

def test_both():
    assert Term("a").both(1).get_sql() == "a & 1"
"""


def test_a_new_class_is_met_through_the_method_that_makes_it_as_its_sibling_is_made(tmp_path: Path) -> None:
    (tmp_path / "test_terms.py").write_text(USED)
    tree = parse_source(MAKERS)
    assert made_likewise(tree, "Or", siblings_of(tree, "Or")) == {"both": "either"}
    entry = next(f for f in list_functions(tree, "shop/terms.py", "shop.terms") if f.owner == "Or")
    (found,) = read_scripts(tmp_path, ["test_terms.py::test_both"])
    (swapped,) = swap_classes(found, entry, tree)
    assert swapped.script.look == "Term('a').either(1).get_sql()"


def test_what_belongs_to_a_sibling_by_its_name_becomes_what_belongs_to_the_class() -> None:
    text = """
class Action: ...
class LazyAfter(Action[int]): ...
class LazyBefore(Action[int]): ...
class After(LazyAfter): ...
class Before(LazyBefore): ...
class AfterAll(Exception): ...
class Other(Action[str]): ...
"""
    tree = parse_source(text)
    assert counterparts(tree, "LazyBefore") == {"LazyAfter": "LazyBefore", "After": "Before"}
    assert counterparts(tree, "Before").items() >= {"LazyAfter": "LazyBefore", "After": "Before"}.items()
    assert counterparts(tree, None) == {}


def test_a_class_that_is_named_as_a_part_of_its_module_is_swapped_there(tmp_path: Path) -> None:
    tests = "from shop import writers\n\ndef test_row():\n    assert writers.Json(1).row('a') == 'a'\n"
    (tmp_path / "test_it.py").write_text(tests)
    tree = parse_source(SOURCE)
    entry = next(f for f in list_functions(tree, "shop/writers.py", "shop.writers") if f.owner == "Yaml")
    (found,) = read_scripts(tmp_path, ["test_it.py::test_row"])
    (swapped,) = swap_classes(found, entry, tree)
    assert swapped.script.look == "writers.Yaml(1).row('a')"
    assert swapped.script.imports == {("shop", "writers")}


PATTERNS = """
class Pattern: pass

class Sequence(Pattern):
    def __init__(self, *patterns): self.patterns = patterns

class ZeroOrMore(Pattern):
    def __init__(self, pattern): self.pattern = pattern

class AnyUntil(Pattern):
    def __init__(self, pattern): self.pattern = pattern
    def match(self, tokens): return tokens
"""


def test_of_several_siblings_each_is_exchanged_alone_first_the_one_made_of_the_same(tmp_path: Path) -> None:
    (tmp_path / "test_patterns.py").write_text(
        "from patterns import Sequence, ZeroOrMore\n\ndef test_parse():\n"
        "    assert Sequence(ZeroOrMore('A'), 'B').match('AB') == 'AB'\n"
    )
    tree = parse_source(PATTERNS)
    entry = next(f for f in list_functions(tree, "patterns.py", "patterns") if f.qualified == "AnyUntil.match")
    (found,) = read_scripts(tmp_path, ["test_patterns.py::test_parse"])
    assert [one.script.look for one in swap_classes(found, entry, tree)] == [
        "Sequence(AnyUntil('A'), 'B').match('AB')",
        "AnyUntil(ZeroOrMore('A'), 'B').match('AB')",
        "AnyUntil(AnyUntil('A'), 'B').match('AB')",
    ]


def test_a_class_named_alike_with_a_method_in_common_is_a_sibling() -> None:
    tree = parse_source(
        "class FileField(Base):\n    def read(self): ...\n"
        "class FilesField(Rows):\n    def read(self): ...\n"
        "class TextField(Text):\n    def show(self): ...\n"
        "class Reader:\n    def read(self): ...\n"
    )
    assert siblings_of(tree, "FilesField") == {"FileField"}
