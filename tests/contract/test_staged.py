"""Calls under other circumstances, made in the sandbox: what is set there is set back, and no program is started."""

from __future__ import annotations

from pathlib import Path

from greenlane.adapters.sandbox import choose_sandbox
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.suite.lines import parse_source
from greenlane.suite.runner import SuiteRunner
from greenlane.testgen.circumstances import world_of
from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Explorer
from greenlane.testgen.inputs import Case
from greenlane.testgen.staged import staged_cases
from tests.support.projects import write_tree
from tests.support.scenes import scene_at

SOURCE = """
    import os
    import subprocess

    FAST = False


    def build(target):
        flags = os.environ.get("SHOP_FLAGS", "")
        if FAST:
            flags = "-j" + flags
        return subprocess.call(["no-such-program", flags, target])
"""


async def test_calls_are_seen_under_each_circumstance(tmp_path: Path) -> None:
    files = {"shop/__init__.py": "", "shop/make.py": SOURCE, "tests/test_it.py": "def test_it():\n    pass\n"}
    tree = write_tree(tmp_path / "tree", files)
    service = Service(name="shop")
    scene = scene_at(tree)
    parsed = parse_source((tree / "shop/make.py").read_text(encoding="utf-8"))
    (build,) = list_functions(parsed, "shop/make.py", "shop.make")
    call = Case(
        entry=build, receiver=None, arguments=((None, "'all'"),), imports=frozenset(), fixtures=frozenset(), carved=True
    )
    explorer = Explorer(SuiteRunner(choose_sandbox(), Settings(services=(service,))))
    seen: dict[bool, dict[str, str]] = {}
    for unittest in (False, True):
        cases = staged_cases([call], world_of(parsed, build), unittest=unittest)
        observed = await explorer.explore(scene, cases)
        told = {o.case.script.text: o.outcome.value.text for o in observed if o.case.script and o.outcome.value}
        seen[unittest] = {text: value for text, value in told.items() if "call_args" in text}
    for found in seen.values():
        assert "(0, (['no-such-program', '', 'all'],))" in found.values()
        assert "(0, (['no-such-program', '1', 'all'],))" in found.values(), "with a variable"
        assert "(0, (['no-such-program', '-j', 'all'],))" in found.values(), "with a flag"
        assert "(1, (['no-such-program', '', 'all'],))" in found.values(), "where the program fails"
    assert len(seen[False]) == len(seen[True]), "in both ways to write it"
