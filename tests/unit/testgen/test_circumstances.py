"""Environment variables, flags and programs that are started: found in the code, set in a script, and put in rows."""

from __future__ import annotations

import ast

import msgspec

from greenlane.testgen.choose import choose_tests
from greenlane.testgen.circumstances import world_of
from greenlane.testgen.code import Function, list_functions
from greenlane.testgen.conditions import describe_condition
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Description
from greenlane.testgen.neighbours import Style
from greenlane.testgen.render import WrittenCase, render_file
from greenlane.testgen.staged import as_script, staged_cases

SOURCE = """
import contextlib
import os
import subprocess
import sys
from importlib.util import find_spec
from shop.platform import WIN
try:
    from web import VERSION
except ImportError:
    VERSION = None

LIMIT = 3
try:
    import colours
    HAS_COLOURS = True
except ImportError:
    HAS_COLOURS = False


def colour(mode):
    if os.environ.get("SHOP_COLOUR", "") == "never" or not WIN:
        return LIMIT
    return sys.platform.startswith("win")


def plain(mode):
    return mode == 1 and LIMIT


def driver():
    if VERSION is None or VERSION < (3, 2) or not find_spec("fast"):
        return "old"
    return "new"


def painted(mode):
    return mode if HAS_COLOURS else None


@contextlib.contextmanager
def paged(command):
    env = dict(os.environ)
    quiet = WIN
    if "PAGER" in os.environ:
        env["SHOP_FLAGS"] = "-R"
    process = subprocess.Popen([command, "-x"], cwd=quiet, env=env, stdin=subprocess.PIPE)
    yield process.stdin, quiet
"""
TREE = ast.parse(SOURCE)
FUNCTIONS = list_functions(TREE, "shop/pages.py", "shop.pages")


def function(name: str) -> Function:
    return next(f for f in FUNCTIONS if f.name == name)


def texts(name: str, *arguments: str, unittest: bool = False) -> list[str]:
    staged = staged_cases([call(name, *arguments)], world_of(TREE, function(name)), unittest=unittest)
    return [case.script.text for case in staged if case.script]


def call(name: str, *arguments: str) -> Case:
    return Case(
        entry=function(name), receiver=None, arguments=tuple((None, text) for text in arguments), imports=frozenset(),
        fixtures=frozenset(), carved=True,
    )  # fmt: skip


def test_what_a_function_reads_beside_its_arguments_is_found() -> None:
    world = world_of(TREE, function("colour"))
    assert [name for name, _ in world.variables] == ["SHOP_COLOUR"]
    assert dict(world.variables)["SHOP_COLOUR"][0] == "never", "what the code compares it with comes first"
    assert dict(world.places) == {"shop.pages.WIN": ("True", "False"), "sys.platform": ("'win'", "'linux'")}
    assert world_of(TREE, function("plain")).is_empty, "a constant that is no flag is none"
    assert dict(world_of(TREE, function("painted")).places) == {"shop.pages.HAS_COLOURS": ("True", "False")}


def test_one_circumstance_is_set_at_a_time() -> None:
    found = texts("colour", "1")
    assert found[0] == "monkeypatch.delenv('SHOP_COLOUR', raising=False)\ncolour(1)"
    assert "monkeypatch.setenv('SHOP_COLOUR', 'never')\ncolour(1)" in found
    assert (
        "monkeypatch.delenv('SHOP_COLOUR', raising=False)\nmonkeypatch.setattr('shop.pages.WIN', True)\ncolour(1)"
        in found
    )


def test_a_program_is_not_started_and_what_it_was_given_is_looked_at() -> None:
    (first, *_) = texts("paged", "'less'")
    assert first.splitlines() == [
        "popen = MagicMock()",
        "monkeypatch.setattr('subprocess.Popen', popen)",
        "monkeypatch.delenv('PAGER', raising=False)",
        "with paged('less') as (part_1, quiet):",
        "    pass",
        "(quiet, popen.call_args.args, popen.call_args.kwargs['cwd'], popen.call_args.kwargs['env'].get('PAGER'), "
        "popen.call_args.kwargs['env'].get('SHOP_FLAGS'))",
    ]


def test_a_path_of_the_run_is_not_given_where_a_plain_one_will_do() -> None:
    of_the_run = msgspec.structs.replace(call("paged", "str(tmp_path)"), fixtures=frozenset({"tmp_path"}))
    world = world_of(TREE, function("paged"))
    assert all(
        "tmp_path" not in c.fixtures for c in staged_cases([of_the_run, call("paged", "'a'")], world, unittest=False)
    )
    assert staged_cases([of_the_run], world, unittest=False)


def test_where_there_are_no_fixtures_it_is_patched() -> None:
    found = texts("colour", "1", unittest=True)
    assert "with patch.dict('os.environ', {'SHOP_COLOUR': 'never'}):\n    result = colour(1)\nresult" in found


def test_a_test_is_named_after_the_circumstance_that_it_sets() -> None:
    staged = staged_cases([call("colour", "1")], world_of(TREE, function("colour")), unittest=False)
    found = {}
    for case in staged:
        one = Observed(case=case, outcome=Outcome(case=0, kind="value", value=Description("3")), lines={})
        found[case.script.setup[-1] if case.script else ""] = describe_condition((), one)
    assert found["monkeypatch.setenv('SHOP_COLOUR', 'never')"] == ("shop colour is never", "`SHOP_COLOUR` is `'never'`")
    assert found["monkeypatch.setattr('shop.pages.WIN', True)"] == ("win is true", "`WIN` is `True`")
    unset = ("shop colour is not set", "`SHOP_COLOUR` is not set")
    assert found["monkeypatch.delenv('SHOP_COLOUR', raising=False)"] == unset


def test_scripts_that_differ_in_plain_values_are_rows_of_one_test() -> None:
    staged = staged_cases([call("colour", "1")], world_of(TREE, function("colour")), unittest=False)
    rows = [case for case in staged if case.script and "setenv" in case.script.text][:2]
    observed = [
        Observed(
            case=case,
            outcome=Outcome(case=0, kind="value", value=Description(str(number))),
            lines={"shop/pages.py": frozenset({10 + number})},
            reached=frozenset({("shop/pages.py", 10 + number)}),
        )
        for number, case in enumerate(rows)
    ]
    (chosen,) = choose_tests(observed, frozenset(t for o in observed for t in o.reached))
    text = render_file([WrittenCase(name="test_it", purpose="It.", chosen=chosen)], Style(folder="tests"))
    assert '("shop_colour", "expected"), [' in text
    assert '("never", 0)' in text
    assert 'monkeypatch.setenv("SHOP_COLOUR", shop_colour)' in text
    assert "assert colour(1) == expected" in text


MEMORY = """
from abc import get_cache_token

_seen = {}
_token = get_cache_token()
_MOST = 1000
_FEW = 3
NAMES = {"a": 1}

def _is_new(kind):
    global _token
    if get_cache_token() != _token or len(_seen) >= _MOST:
        _seen.clear()
        _token = get_cache_token()
    _seen[kind] = len(_seen) < _FEW
    return _seen[kind]

def ask(value):
    return _seen.get(type(value)) or _is_new(type(value)) or NAMES.get(value)

def plain(value):
    return NAMES.get(value)

def recall(value):
    return _seen.get(value)

KNOWN = set(NAMES) | {"b"}
KINDS = {"a", "b"}

def register(value, *, kept=True):
    if not kept:
        KINDS.add(value)
"""


def test_what_a_module_remembers_is_set_anew_and_its_limits_are_met() -> None:
    tree = ast.parse(MEMORY)
    functions = {f.name: f for f in list_functions(tree, "shop/cache.py", "shop.cache")}
    world = world_of(tree, functions["ask"])
    assert world.held == (("shop.cache._seen", ("{}", "{'a': 1}")),)
    assert dict(world.places) == {"shop.cache._token": ("None",), "shop.cache._MOST": ("0", "1")}, "through `_is_new`"
    assert world_of(tree, functions["plain"]).is_empty, "a table that stays as it is is no memory"
    case = msgspec.structs.replace(call("plain", "1"), entry=functions["ask"])
    found = [one.script for one in staged_cases([case], world, unittest=False) if one.script]
    assert found[0].setup == ("seen = {}", "monkeypatch.setattr('shop.cache._seen', seen)", "result = ask(1)")
    assert found[0].look == "(result, seen)"
    full = ["seen = {'a': 1}", "monkeypatch.setattr('shop.cache._MOST', 0)"]
    assert any(all(line in one.setup for line in full) for one in found)


def test_what_a_function_puts_into_a_table_of_its_module_is_looked_at() -> None:
    tree = ast.parse(MEMORY)
    entry = next(f for f in list_functions(tree, "shop/cache.py", "shop.cache") if f.name == "register")
    world = world_of(tree, entry)
    assert world.held == (("shop.cache.KINDS", ("set()", "{'a'}")),)
    case = msgspec.structs.replace(call("plain", "'c'"), entry=entry)
    reading = next(f for f in list_functions(tree, "shop/cache.py", "shop.cache") if f.name == "recall")
    assert world_of(tree, reading).places == (("shop.cache._seen", ("{}",)),), "it only reads: there is nothing to see"
    first = next(one.script for one in staged_cases([case], world, unittest=False) if one.script)
    assert first.setup == ("kinds = set()", "monkeypatch.setattr('shop.cache.KINDS', kinds)", "register('c')")
    assert first.look == "kinds"


def test_each_side_of_a_version_is_tried_with_a_package_there_and_not_there() -> None:
    world = world_of(TREE, function("driver"))
    assert dict(world.places)["shop.pages.VERSION"] == ("None", "(3, 2)", "(3, 1)", "(3, 3)")
    scripts = texts("driver")
    there = "find_spec = MagicMock(return_value=object())\nmonkeypatch.setattr('shop.pages.find_spec', find_spec)\n"
    assert any(one.startswith(f"{there}monkeypatch.setattr('shop.pages.VERSION', (3, 1))\n") for one in scripts)
    assert any("MagicMock(return_value=None)" in one for one in scripts)


def test_its_own_name_is_set_where_a_function_asks_for_it() -> None:
    tree = ast.parse("def run():\n    if __name__ == '__main__':\n        main()\n\ndef main():\n    return __name__\n")
    run, main = list_functions(tree, "shop/__main__.py", "shop.__main__")
    assert world_of(tree, run).places == (("shop.__main__.__name__", ("'__main__'",)),)
    assert world_of(tree, main).is_empty


def test_an_object_that_is_called_is_called_as_such() -> None:
    tree = ast.parse("class Shown:\n    def __call__(self, name):\n        return name\n")
    (entry,) = list_functions(tree, "shop/shown.py", "shop.shown")
    case = msgspec.structs.replace(call("plain", "'c'"), entry=entry, receiver="Shown()")
    assert as_script(case).look == "Shown()('c')"
