"""A file that no test runs yet is met by the tests of the modules beside it, their names made its own."""

from __future__ import annotations

from pathlib import Path

from greenlane.suite.lines import parse_source
from greenlane.suite.report import TestOutcome
from greenlane.testgen.code import list_functions
from greenlane.testgen.inputs import Script
from greenlane.testgen.scripts import FoundScript
from greenlane.testgen.source import Source
from greenlane.testgen.strangers import list_strangers, named_alike, swap_modules
from greenlane.testgen.targets import Gap
from tests.support.projects import write_tree

NEW = "def tokenize(state):\n    return False\n\ndef sub_plugin(md):\n    md.use(tokenize)\n"


def source_of(text: str, module: str) -> Source:
    tree, path = parse_source(text), f"{module.replace('.', '/')}.py"
    functions = list_functions(tree, path, module)
    gap = Gap(path=path, lines=frozenset({2}))
    return Source(path=path, module=module, tree=tree, gap=gap, entries=(), functions=functions, constructors={})


def script(module: str, name: str, look: str) -> FoundScript:
    return FoundScript(test="t.py::test_it", script=Script(frozenset({(module, name), ("md", "Md")}), (), look))


def outcome(test: str, kind: str = "passed") -> TestOutcome:
    return TestOutcome(test=test, outcome=kind, when="call")


def test_tests_of_the_nearest_modules_come_first_and_files_take_turns(tmp_path: Path) -> None:
    tree = write_tree(
        tmp_path,
        {
            "tests/test_far.py": "from shop.core import run\n",
            "tests/test_math.py": "from shop.plugins.texmath import texmath_plugin\n",
            "tests/test_foot.py": "import shop.plugins.footnote\n",
            "tests/test_other.py": "import json\n",
        },
    )
    names = ["far.py::test_a", "math.py::test_b[1]", "math.py::test_b[2]", "math.py::test_c", "foot.py::test_d"]
    outcomes = [outcome(f"tests/test_{name}") for name in [*names, "other.py::test_e"]]
    outcomes.append(outcome("tests/test_foot.py::test_red", "failed"))
    found = list_strangers(tree, source_of(NEW, "shop.plugins.sub"), outcomes)
    assert found == [
        "tests/test_foot.py::test_d",
        "tests/test_math.py::test_b",
        "tests/test_far.py::test_a",
        "tests/test_math.py::test_c",
    ]


def test_a_name_of_a_module_beside_becomes_the_one_that_ends_in_the_same_word() -> None:
    new = source_of(NEW, "shop.plugins.sub")
    one = script("shop.plugins.texmath", "texmath_plugin", "Md().use(texmath_plugin).render('a')")
    (swapped,) = swap_modules(one, new)
    assert swapped.script.look == "Md().use(sub_plugin).render('a')"
    assert swapped.script.imports == {("shop.plugins.sub", "sub_plugin"), ("md", "Md")}


def test_a_name_that_both_modules_offer_is_that_of_this_file_also_where_it_is_patched() -> None:
    new = source_of("class Export:\n    pass\n\nclass File:\n    pass\n", "shop.export.units")
    look = "(Export().render([]), patch('shop.export.plain.File'), patch('shop.export.plain.Other'), 'b.c')"
    (swapped,) = swap_modules(script("shop.export.plain", "Export", look), new)
    assert ("shop.export.units", "Export") in swapped.script.imports
    assert swapped.script.look == look.replace("plain", "units")


def test_names_that_are_not_alike_or_from_elsewhere_stay() -> None:
    new = source_of(NEW, "shop.plugins.sub")
    assert not list(swap_modules(script("shop.plugins.texmath", "render", "render('a')"), new))
    assert not list(swap_modules(script("other.texmath", "texmath_plugin", "texmath_plugin('a')"), new))
    classes = source_of("class PygmentsRenderer:\n    pass\n", "mist.contrib.pygments")
    (swapped,) = swap_modules(script("mist.contrib.mathjax", "MathJaxRenderer", "MathJaxRenderer().x"), classes)
    assert swapped.script.look == "PygmentsRenderer().x"


def test_tests_that_are_named_like_the_function_come_first() -> None:
    tests = ["test_a.py::TestA::test_render_text", "test_b.py::test_render_code", "test_b.py::test_renderBlockCode"]
    assert named_alike(tests, "render_block_code") == tests[::-1]
    assert named_alike(tests, "__init__") == tests


def test_the_only_class_here_is_used_as_one_beside_it_whose_method_has_the_same_name() -> None:
    text = "class Sends(Resource):\n    def send(self, domain, body, over=None):\n        return self.http\n"
    new = source_of(text, "shop.resources.sends")
    one = script("shop.resources.messages", "Messages", "Messages(http).send(identifier='abc', body={'a': 1})")
    (swapped,) = swap_modules(one, new)
    assert swapped.script.look == "Sends(http).send(domain='abc', body={'a': 1})"
    assert ("shop.resources.sends", "Sends") in swapped.script.imports
    assert not list(swap_modules(script("shop.resources.messages", "Messages", "Messages(http).find('abc')"), new))
    several = source_of(f"{text}class Other:\n    pass\n", "shop.resources.sends")
    assert not list(swap_modules(one, several))
