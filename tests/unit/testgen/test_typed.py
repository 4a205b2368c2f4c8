"""Values from annotations: typed as asked, readable, and the same each time."""

from __future__ import annotations

import ast
import datetime
import subprocess
import sys
from decimal import Decimal

import pytest

from greenlane.testgen.code import list_functions
from greenlane.testgen.guesses import guess_options
from greenlane.testgen.typed import Plain, typed_values

PLAIN: Plain = (("int", (7, 0, 1)), ("str", ("gold", "a")), ("Any", (1,)))
NAMES = {"Decimal": Decimal, "date": datetime.date, "datetime": datetime.datetime, "timezone": datetime.timezone}


def values(annotation: str) -> list[object]:
    return [eval(text, dict(NAMES)) for text in typed_values(annotation, PLAIN)]  # our own expressions


def test_a_nested_annotation_gives_values_of_that_shape_with_the_codes_own_constants_in_them() -> None:
    found = values("Mapping[str, list[int]]")
    assert all(isinstance(held, list) for value in found for held in value.values())  # type: ignore[attr-defined]  # dicts
    assert {} in found
    assert any("gold" in value for value in found)  # type: ignore[operator]  # dicts
    assert any(7 in held for value in found for held in value.values())  # type: ignore[attr-defined]  # dicts


@pytest.mark.parametrize(
    ("annotation", "kinds"),
    [
        ("datetime.date", {datetime.date}),
        ("'Optional[Decimal]'", {Decimal, type(None)}),
        ("set[tuple[int, str]]", {set}),
        ("Literal['r', 'w'] | None", {str, type(None)}),
        ("Annotated[tuple[str, ...], 'names']", {tuple}),
        ("frozenset[str]", {frozenset}),
    ],
)
def test_every_value_is_of_a_type_that_is_named(annotation: str, kinds: set[type]) -> None:
    assert {type(value) for value in values(annotation)} == kinds


@pytest.mark.parametrize(
    "annotation", ["", "int", "str | None", "Basket", "list[Basket]", "set[list[int]]", "a[", "x" * 9999]
)
def test_plain_unknown_and_broken_annotations_give_nothing(annotation: str) -> None:
    assert typed_values(annotation, PLAIN) == ()


def test_a_deeply_nested_annotation_is_given_up() -> None:
    assert typed_values("list[" * 80 + "int" + "]" * 80, PLAIN) == ()


def test_values_are_the_same_in_another_process_with_another_hash_seed() -> None:
    code = f"from greenlane.testgen.typed import typed_values; print(typed_values('dict[str, set[str]]', {PLAIN!r}))"
    runs = [
        subprocess.run(  # this interpreter
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert runs[0] == runs[1] != "()\n"


def test_what_is_no_member_of_an_enumeration_is_given_as_well() -> None:
    tree = ast.parse(
        "class Mark(Enum):\n    NONE = 1\n\n"
        "def show(loud: Union[bool, Literal[Mark.NONE]] = Mark.NONE, kind: Mark = Mark.NONE):\n    return loud\n"
    )
    (entry,) = list_functions(tree, "shop.py", "shop")
    loud, kind = entry.params
    assert guess_options(loud, entry) == ["True", "False"]
    assert guess_options(kind, entry) == []
