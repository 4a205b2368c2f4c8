"""What is varied next, and which tests came nearest to what is open."""

from __future__ import annotations

import msgspec

from greenlane.ports.sandbox import SandboxResult
from greenlane.suite.lines import parse_source
from greenlane.suite.runner import SuiteRun
from greenlane.testgen.code import list_functions
from greenlane.testgen.inputs import Script
from greenlane.testgen.nearest import nearest
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


def test_a_function_that_ran_only_as_a_file_was_imported_is_looked_for_in_the_tests_of_its_kin() -> None:
    text = "def _plain(f):\n    return f\ndef _pick(f, lock=None):\n    if lock:\n        return lock(f)\n"
    text += "    return _plain(f)\n"
    tree = parse_source(text)
    functions = list_functions(tree, "a.py", "a")
    gap = Gap(path="a.py", lines=frozenset({5}))
    source = Source(path="a.py", module="a", tree=tree, gap=gap, entries=(), functions=functions, constructors={})
    ran = {2: frozenset({"tests/test_a.py::test_it", ""}), 4: frozenset({""}), 6: frozenset({""})}
    result = SandboxResult(exit_code=0, stdout="", stderr="", seconds=1.0)
    baseline = SuiteRun(passed=True, outcomes=(), no_tests=False, output="", result=result, contexts={"a.py": ran})
    assert nearest_tests(5, functions[1], source, baseline) == ["tests/test_a.py::test_it"]
