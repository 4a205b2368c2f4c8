"""Calls of one small method as they were seen, for tests of what is made of them."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Description

SOURCE = """
class Version:
    def __init__(self, text, strict=False):
        self.text = text
    def is_final(self):
        return not self.text.endswith("rc")
"""
IS_FINAL = list_functions(ast.parse(SOURCE), "shop/version.py", "shop.version")[1]


def seen(receiver: str, value: str, *lines: int, fixtures: frozenset[str] = frozenset()) -> Observed:
    imports = frozenset({("shop.version", "Version")})
    case = Case(entry=IS_FINAL, receiver=receiver, arguments=(), imports=imports, fixtures=fixtures, carved=True)
    reached = frozenset(("shop/version.py", line) for line in lines)
    outcome = Outcome(case=0, kind="value", value=Description(value))
    return Observed(case=case, outcome=outcome, lines={"shop/version.py": frozenset(lines)}, reached=reached)
