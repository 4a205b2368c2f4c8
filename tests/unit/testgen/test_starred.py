"""`from ... import *` in a test file: where each name comes from that the file uses."""

from __future__ import annotations

from pathlib import Path

from greenlane.testgen.scripts import read_scripts
from tests.support.projects import write_tree

NEXT = ("shop.events", "next_of")
TESTS = """
from shop.events import *
from ..states import *

def test_sent():
    event = Request("a")
    assert event.state is DONE
    assert next_of(event, DONE) == len("a")
    assert unknown(event) == 1
"""


def test_names_of_a_starred_import_are_imported_one_by_one(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "shop/__init__.py": "",
            "shop/tests/__init__.py": "",
            "shop/events.py": "__all__ = ['Request', 'next_of']\nclass Request: ...\ndef next_of(event): ...\n",
            "shop/states.py": "for name in 'IDLE DONE'.split():\n    globals()[name] = object()\n",
            "shop/tests/test_events.py": TESTS,
        },
    )
    found = read_scripts(tmp_path, ["shop/tests/test_events.py::test_sent"])
    imports = {one.script.look: one.script.imports for one in found}
    assert imports["Request('a')"] == {("shop.events", "Request")}
    assert imports["next_of(event, DONE)"] == {("shop.events", "Request"), ("shop.states", "DONE"), NEXT}
    assert not any("unknown" in look for look in imports), "no module mentions it"


def test_a_module_that_gathers_others_by_a_star_offers_what_they_offer(tmp_path: Path) -> None:
    write_tree(tmp_path, {
        "shop/__init__.py": "from .kinds import *\n",
        "shop/kinds/__init__.py": "from .base import *\nfrom .base import *\n",
        "shop/kinds/base.py": "class Text: ...\nclass _Own: ...\n",
        "test_kinds.py": (
            "from shop import *\n\ndef test_text():\n    assert Text('a').size == 1\n    assert _Own(1) == 2\n"
        ),
    })  # fmt: skip
    found = read_scripts(tmp_path, ["test_kinds.py::test_text"])
    assert [(one.script.look, one.script.imports) for one in found] == [("Text('a').size", {("shop", "Text")})]
