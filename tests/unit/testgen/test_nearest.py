"""What is varied next, and which tests came nearest to what is open."""

from __future__ import annotations

import msgspec

from greenlane.ports.sandbox import SandboxResult
from greenlane.suite.lines import parse_source
from greenlane.suite.runner import SuiteRun
from greenlane.testgen.code import list_functions
from greenlane.testgen.inputs import Script
from greenlane.testgen.nearest import nearest, with_silent
from greenlane.testgen.ran import nearest_tests
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap
from tests.unit.testgen.versions import seen


def test_what_is_varied_next_are_calls_and_tests_of_the_project_both() -> None:
    text = "class Version:\n    def is_final(self):\n        if self.strict:\n            return 1\n        return 2\n"
    source = Source(
        path="shop/version.py", module="shop.version", tree=parse_source(text), entries=(), functions=(),
        gap=Gap(path="shop/version.py", lines=frozenset({4})), constructors={},
    )  # fmt: skip
    near = [seen(f"Version({n}, strict=True)", "1", 3) for n in range(5)]
    script = Script(frozenset(), (), "is_final(Version('a long one'))")
    told = msgspec.structs.replace(near[0], case=msgspec.structs.replace(near[0].case, receiver=None, script=script))
    varied: set[str] = set()
    chosen = nearest([*near, told], source, frozenset({("shop/version.py", 4)}), varied)
    assert [o.case.receiver for o in chosen] == [near[0].case.receiver, near[1].case.receiver, None]
    assert {o.case.key for o in chosen} == varied


def test_a_line_that_only_silent_calls_run_is_searched_on_from_them() -> None:
    noticing, silent, other = seen("Version(1)", "1", 3), seen("Version(2)", "2", 4), seen("Version(3)", "3", 3)
    observed = [noticing, silent, other]
    assert with_silent([noticing], observed, "shop/version.py", {3, 4}) == [noticing, silent]
    assert with_silent([noticing, silent], observed, "shop/version.py", {3, 4}) == [noticing, silent]


def parsed(path: str, text: str) -> Source:
    tree, module = parse_source(text), path.removesuffix(".py")
    functions = list_functions(tree, path, module)
    gap = Gap(path=path, lines=frozenset({5}))
    return Source(path=path, module=module, tree=tree, gap=gap, entries=(), functions=functions, constructors={})


def suite(contexts: dict[str, dict[int, frozenset[str]]]) -> SuiteRun:
    result = SandboxResult(exit_code=0, stdout="", stderr="", seconds=1.0)
    return SuiteRun(passed=True, outcomes=(), no_tests=False, output="", result=result, contexts=contexts)


def test_a_function_that_ran_only_as_a_file_was_imported_is_looked_for_in_the_tests_of_its_kin() -> None:
    text = "def _plain(f):\n    return f\ndef _pick(f, lock=None):\n    if lock:\n        return lock(f)\n"
    source = parsed("a.py", text + "    return _plain(f)\n")
    ran = {2: frozenset({"tests/test_a.py::test_it", ""}), 4: frozenset({""}), 6: frozenset({""})}
    assert nearest_tests(5, source.functions[1], source, suite({"a.py": ran})) == ["tests/test_a.py::test_it"]


def test_a_function_that_nothing_ran_is_looked_for_in_the_tests_of_what_calls_it() -> None:
    helper = parsed("a.py", "def _other():\n    pass\ndef _pick(f):\n    if f:\n        return f\n")
    text = (
        "from a import _pick\nclass Shop:\n    def choose(self, f):\n        if f is None:\n            return None\n"
    )
    shop = parsed("b.py", text + "        return _pick(f)\n    def close(self):\n        pass\n")
    ran = {4: frozenset({"t.py::test_choose"}), 8: frozenset({"t.py::test_close"})}
    run = suite({"a.py": {2: frozenset({"t.py::test_other"})}, "b.py": ran})
    found = nearest_tests(5, helper.functions[1], helper, run, beside=[shop])
    assert found == ["t.py::test_choose", "t.py::test_other"]
