"""What a property takes is assigned to it: its setter is called by no test, and neither is its deleter. Pure; for
`search.py`.

    class Client:                                client = Client("ua")
        @trust.setter                    ->      client.trust = False
        def trust(self, value): ...              (a look at `client.trust`)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from greenlane.testgen.code import Function
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Script
from greenlane.testgen.staged import before_and_call_of


def is_assigned(entry: Function) -> bool:
    """Whether it runs where something is assigned to an attribute, or that is deleted."""
    return bool(entry.runs_at) and entry.owner is not None


def as_assignments(cases: Iterable[Case]) -> Iterator[Case]:
    """Calls of a setter or a deleter as the statement that makes them, and a look at the property after it."""
    for case in cases:
        if case.script is not None or not case.receiver:
            continue
        holder = case.entry.holder
        place = f"{holder}.{case.entry.name}"
        before, _ = before_and_call_of(holder, case)
        sets = case.entry.runs_at == "set"
        done = [f"{place} = {text}" for _, text in case.arguments[:1]] if sets else [f"del {place}"]
        setup = (*before, *done)
        if done and all(len(text) <= MAX_STATEMENT for text in setup):
            yield case.with_script(Script(imports=case.imports, setup=setup, look=place))
