"""Scripts as rows: which differ in plain values alone, and how the one that stands for all is written."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.inputs import Script
from greenlane.testgen.likeness import are_rows, differing_names, parametrised

(PAGE,) = list_functions(ast.parse("def page(path, *, color=None):\n    return path, color\n"), "shop.py", "shop")


def script(*setup: str, look: str) -> Script:
    return Script(imports=frozenset({("shop", "page")}), setup=setup, look=look)


FIRST = script("limit = 3", "note(f'{limit} of 5')", look="page(Path('a'), color=[1, -2])")


def test_scripts_with_other_values_in_few_places_are_rows() -> None:
    other = script("limit = 4", "note(f'{limit} of 5')", look="page(Path('b'), color=[1, -2])")
    assert are_rows(FIRST, other, PAGE)
    assert differing_names([FIRST, other], PAGE) == ["limit", "path"]
    one, columns = parametrised([FIRST, other], PAGE, ["expected"])
    assert one.setup == ("note(f'{limit} of 5')",), "a name that stands for the value is the parameter"
    assert one.look == "page(Path(path), color=[1, -2])"
    assert columns == [("limit", ["3", "4"]), ("path", ["'a'", "'b'"])]


def test_a_parameter_takes_no_name_that_the_script_uses() -> None:
    rows = [script("path = here()", look=f"page('{text}', color=path)") for text in "ab"]
    one, columns = parametrised(rows, PAGE, ["expected"])
    assert (one.setup, one.look) == (("path = here()",), "page(path_2, color=path)")
    assert columns == [("path_2", ["'a'", "'b'"])]
    by_keyword = [script("shown = []", look=f"page('a', color={color}, path=shown)") for color in "12"]
    assert parametrised(by_keyword, PAGE, ["expected"])[1] == [("color", ["1", "2"])], "a keyword is no name"
    twice = [script("path = 'x'", "use(path)", f"path = '{text}'", look="page(path)") for text in "ab"]
    one, _ = parametrised(twice, PAGE, ["expected"])
    assert one.setup == ("path = 'x'", "use(path)", "path = path_2"), "it stands for something else before"


def test_other_scripts_are_not() -> None:
    assert not are_rows(FIRST, FIRST, PAGE)
    assert not are_rows(FIRST, script("limit = 3", "note(f'{limit} of 6')", look=FIRST.look), PAGE)
    assert not are_rows(FIRST, script(*FIRST.setup, look="page(limit, color=[1, -2])"), PAGE)
    assert not are_rows(FIRST, script("limit = 4", "note(f'{limit} of 5')", look="page(Path('b'), color=[])"), PAGE), (
        "more than two"
    )
    places = [script(f"monkeypatch.setattr('shop.{name}', 0)", look="page()") for name in ("_MOST", "_LEAST")]
    assert not are_rows(*places, PAGE), "another thing that is set is another test"
