"""A call or script under something that is put in place for it and taken back after it: by `monkeypatch`, or in a
`with` block where tests ask for no fixtures. Pure.

    parse("((a))")     ->     monkeypatch.setattr("shop.parser.MAX_DEPTH", 1)
                              parse("((a))")
"""

from __future__ import annotations

import textwrap

import msgspec

from greenlane.suite.lines import parse_expression
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Import
from greenlane.testgen.shown import INSIDE
from greenlane.testgen.staged import as_script

ENVIRONMENT = "os.environ"


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A value (an expression) in a dotted place; `created`: it may not be there otherwise. Where the place is a dict,
    under this `key`; where it is an object that a test has, this `attribute` of it. `fails`: the value is an error,
    raised by what is called there."""

    place: str
    value: str
    imports: frozenset[Import] = frozenset()
    created: bool = False
    key: str | None = None
    attribute: str | None = None
    fails: bool = False

    @property
    def by_fixture(self) -> str:
        if self.place == ENVIRONMENT:
            return f"monkeypatch.setenv({self.key!r}, {self.value})"
        if self.key is not None:
            return f"monkeypatch.setitem({self.place}, {self.key!r}, {self.value})"
        value = f"MagicMock(side_effect={self.value})" if self.fails else self.value
        return f"monkeypatch.setattr({self._where}, {value}{', raising=False' if self.created else ''})"

    @property
    def by_block(self) -> str:
        if self.key is not None:
            return f"patch.dict({self.place!r}, {{{self.key!r}: {self.value}}})"
        value = f"side_effect={self.value}" if self.fails else self.value
        called = "patch" if self.attribute is None else "patch.object"
        return f"{called}({self._where}, {value}{', create=True' if self.created else ''})"

    @property
    def _where(self) -> str:
        return repr(self.place) if self.attribute is None else f"{self.place}, {self.attribute!r}"


def under(case: Case, placed: Placed, *, unittest: bool, after: int = 0) -> Case | None:
    """The same with something put in place after so many of its statements. None for what would be too long, or can't
    be looked at inside of a block (`unittest`: without fixtures)."""
    script = as_script(case)
    before, inside = list(script.setup[:after]), list(script.setup[after:])
    look, imports, fixtures = script.look, script.imports | placed.imports, case.fixtures
    if unittest:
        if not _is_expression(look):
            return None
        body = textwrap.indent("\n".join([*inside, f"{INSIDE} = {look}"]), "    ")
        setup, look = [*before, f"with {placed.by_block}:\n{body}"], INSIDE
        imports |= {("unittest.mock", "patch")}
    else:
        setup, fixtures = [*before, placed.by_fixture, *inside], fixtures | {"monkeypatch"}
        named = placed.key is not None and placed.place != ENVIRONMENT
        imports |= {(placed.place.partition(".")[0], "")} if named else set()
        imports |= {("unittest.mock", "MagicMock")} if placed.fails else set()
    if any(len(text) > MAX_STATEMENT for text in setup):
        return None
    return case.with_script(msgspec.structs.replace(script, imports=imports, setup=tuple(setup), look=look), fixtures)


def _is_expression(text: str) -> bool:
    try:
        parse_expression(text)
    except SyntaxError:
        return False
    return True
