"""Parameters without annotation: what their use tells of them."""

from __future__ import annotations

import ast

from greenlane.suite.lines import parse_source
from greenlane.testgen.classes import list_constructors
from greenlane.testgen.code import list_functions
from greenlane.testgen.guesses import guess_values
from greenlane.testgen.uses import members_of, told_by_uses, with_uses


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
