"""Protections told by their names, and regular expressions that can explode."""

from __future__ import annotations

import pytest

from greenlane.analyzers.files import PythonFile
from greenlane.analyzers.protections import Kind, lost
from greenlane.analyzers.regexes import can_explode

LOGIN = """
def go(request, url):
    if request.method != "POST":
        return None
    target = urlparse(url)
    if target.netloc:
        raise BadRequest(url)
    response.set_cookie("id", samesite="Lax")
    return redirect(url.lstrip("/"))
"""


def kinds(base: str, head: str) -> list[str]:
    losses = lost([(PythonFile("a.py", base), PythonFile("a.py", head))])
    return sorted({loss.kind.name for found in losses.values() for loss in found} - {"SKIP"})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('    if request.method != "POST":\n        return None\n', "", ["METHOD"]),
        ("        raise BadRequest(url)\n", "        pass\n", ["REFUSAL"]),
        (', samesite="Lax"', "", ["HEADER"]),
        ('url.lstrip("/")', "url", ["HOST"]),
        ("BadRequest(url)", "BadRequest(str(url))", []),
        ("target", "parsed", []),
    ],
)
def test_a_protection_is_lost_only_where_nothing_of_its_kind_takes_its_place(
    old: str, new: str, expected: list[str]
) -> None:
    assert kinds(LOGIN, LOGIN.replace(old, new)) == expected


def test_what_goes_with_its_whole_function_guards_nothing_any_more() -> None:
    assert kinds(LOGIN + "\ndef stays(): ...\n", "def stays(): ...\n") == []


def test_a_helper_that_goes_with_its_call_takes_its_protection_out_of_the_caller() -> None:
    helper = "def _prepare(x):\n    if ' ' in x:\n        raise BadRequest(x)\n    return x\n"
    assert kinds(helper + "def go(x):\n    use(_prepare(x))\n", "def go(x):\n    use(x)\n") == ["REFUSAL"]


def test_a_check_that_moved_into_a_new_helper_is_not_lost() -> None:
    inline = "def go(x):\n    if ' ' in x:\n        raise BadRequest(x)\n    use(x)\n"
    helper = (
        "def _prepare(x):\n    if ' ' in x:\n        raise BadRequest(x)\ndef go(x):\n    _prepare(x)\n    use(x)\n"
    )
    assert kinds(inline, helper) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("raise ValueError(x)", "raise TypeError(x)", []),
        ("raise BadRequest(x)", "raise TypeError(x)", ["REFUSAL"]),
        ("raise ValueError(x)", "pass", ["REFUSAL"]),
        ("raise TypeError(x)", "pass", []),
        ("handle, name = tempfile.mkstemp()", "tempfile.NamedTemporaryFile(delete=False)", []),
        ("handle, name = tempfile.mkstemp()", "name = tempfile.mktemp()", ["CRYPTO"]),
    ],
)
def test_what_refuses_or_is_made_as_safely_replaces_a_protection(old: str, new: str, expected: list[str]) -> None:
    shape = "def go(x):\n    if x:\n        {}\n    return x\n"
    assert kinds(shape.format(old), shape.format(new)) == expected


def test_what_a_class_inherits_from_a_new_file_is_not_lost() -> None:
    method = "    def go(self, x):\n        if x:\n            raise BadRequest(x)\n"
    base = f"class A(B):\n{method}"
    head = "from new import C as N\nclass A({}):\n    def go(self, x):\n        super().go(x)\n"
    new = [PythonFile("new.py", f"class C(B):\n{method}")]
    for ancestor, refusals in (("N", 0), ("B", 1)):
        pair = (PythonFile("a.py", base), PythonFile("a.py", head.format(ancestor)))
        assert [loss.kind for loss in lost([pair], new)["a.py"]].count(Kind.REFUSAL) == refusals


@pytest.mark.parametrize(
    ("pattern", "explodes"),
    [
        (r"(a+)+$", True),
        (r"((\r\n|\r|\n)+) *$", True),
        (r"'(''|\\\\|\\'|[^'])*'", True),
        (r"(\w+\s?)*:", True),
        (r"'(''|\\'|[^'])*'", False),
        (r"(\.[a-z]+)*", False),
        (r"(?:[^,\"]|\"(?:[^\"\\]|\\.)*\")*", False),
        (r"(unclosed", False),
    ],
)
def test_a_pattern_explodes_if_its_repetition_can_be_cut_in_several_ways(pattern: str, explodes: bool) -> None:
    assert can_explode(pattern) is explodes
