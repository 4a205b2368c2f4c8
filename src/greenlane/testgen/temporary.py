"""Calls that need a folder, where tests ask for no fixtures: each makes its own. Pure; for `search.py`.

load(tmp_path / "a.txt")             ->      with TemporaryDirectory() as folder:
                                                 tmp_path = Path(folder)
                                                 result = load(tmp_path / "a.txt")
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Script
from greenlane.testgen.staged import as_script

_FIXTURE = "tmp_path"
_NEEDS = frozenset({("tempfile", "TemporaryDirectory"), ("pathlib", "Path")})


def fitted(cases: Iterable[Case], *, unittest: bool) -> Iterator[Case]:
    """The cases that a form of tests can hold."""
    for case in cases:
        one = case if not unittest or not case.fixtures else with_own_folder(case)
        if one is not None:
            yield one


def with_own_folder(case: Case) -> Case | None:
    """The case with a folder of its own; None where it needs other fixtures, or awaits."""
    if case.fixtures != {_FIXTURE} or case.entry.asynchronous or (case.script and case.script.marks is not None):
        return None
    script = as_script(case)
    try:
        nodes = [n for text in (*script.setup, script.look) for n in ast.walk(parse_source(text))]
        names = {n.id for n in nodes if isinstance(n, ast.Name)}
        is_value = isinstance(parse_source(script.look).body[-1], ast.Expr)
    except UnreadableSourceError:
        return None
    if {"folder", "result"} & names or not is_value:
        return None
    inside = [f"{_FIXTURE} = Path(folder)", *script.setup, f"result = {script.look}"]
    lines = "\n".join(f"    {line}" for text in inside for line in ast.unparse(parse_source(text)).splitlines())
    statement = f"with TemporaryDirectory() as folder:\n{lines}"
    if len(statement) > MAX_STATEMENT:
        return None
    own = Script(imports=script.imports | _NEEDS, setup=(statement,), look="result")
    return msgspec.structs.replace(case.with_script(own, frozenset()), carved=False)
