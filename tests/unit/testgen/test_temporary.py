"""A folder of its own for a call, where tests ask for no fixtures."""

from __future__ import annotations

import ast

import msgspec

from greenlane.testgen.code import list_functions
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.temporary import fitted, with_own_folder

(ENTRY,) = list_functions(ast.parse("def load(path):\n    return open(path).read()\n"), "shop.py", "shop")
CASE = Case(
    entry=ENTRY,
    receiver=None,
    arguments=((None, "tmp_path / 'a.txt'"),),
    imports=frozenset(),
    fixtures=frozenset({"tmp_path"}),
    carved=True,
)


def test_a_call_with_a_path_makes_its_own_folder() -> None:
    made = with_own_folder(CASE)
    assert made is not None
    assert made.script == Script(
        imports=frozenset({("shop", "load"), ("tempfile", "TemporaryDirectory"), ("pathlib", "Path")}),
        setup=(
            "with TemporaryDirectory() as folder:\n    tmp_path = Path(folder)\n    result = load(tmp_path / 'a.txt')",
        ),
        look="result",
    )
    assert not made.fixtures


def test_what_needs_more_than_a_folder_or_names_its_parts_itself_does_not_fit() -> None:
    script = Script(imports=frozenset(), setup=("folder = 1",), look="load(tmp_path / str(folder))")
    others = [
        msgspec.structs.replace(CASE, fixtures=frozenset({"tmp_path", "shop"})),
        CASE.with_script(script, frozenset({"tmp_path"})),
    ]
    assert list(fitted(others, unittest=True)) == []
    assert list(fitted(others, unittest=False)) == others
