"""What stays the same of a value that is another one each time it is made: a part of its items, an attribute. Pure;
for `search.py`.

    pattern.blocks()  gives  [([1], Thread("#4d09e1"))], then [([1], Thread("#0ef168"))]:
    [item[0] for item in pattern.blocks()]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from greenlane.suite.lines import parse_expression
from greenlane.testgen.explore import Effect, Observed
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Import, Script
from greenlane.testgen.staged import as_script
from greenlane.testgen.views import operand, viewed

_EACH, _MOST = 2, 48


def list_stayed(first: Sequence[Observed], again: Sequence[Observed]) -> list[Case]:
    """Looks at what calls showed alike when they were made again, though not in what one looks at first; a few of each
    call, those with the most to tell first."""
    second = {o.case.key: o for o in again}
    found: dict[str, Case] = {}
    for one in first:
        other = second.get(one.case.key)
        if other is None or one.outcome.kind not in {"value", "opaque"} or one.outcome.kind != other.outcome.kind:
            continue
        for look in _alike(one, other)[:_EACH]:
            for case in _looking(one, look):
                found.setdefault(case.key, case)
    return list(found.values())[:_MOST]


def _alike(one: Observed, other: Observed) -> list[Effect]:
    """The looks at the result that show the same both times."""
    same = [look for look in one.outcome.more if look.where == "result" and look in other.outcome.more]
    return sorted(same, key=lambda look: (-len(look.value.text), look.key))


def _looking(one: Observed, look: Effect) -> Iterator[Case]:
    """The call with this look in place of its own."""
    outcome, script = one.outcome, as_script(one.case)
    if outcome.called >= 0 or outcome.decorated or outcome.entered:
        return
    try:
        parse_expression(script.look)
    except SyntaxError:
        return
    needed: set[Import] = set()
    held = f"{operand(script.look)}.{look.attribute}" if look.attribute else script.look
    text = viewed(look, held, needed)
    if len(text) <= MAX_STATEMENT and text != script.look:
        changed = Script(imports=script.imports | needed, setup=script.setup, look=text, marks=script.marks)
        yield one.case.with_script(changed)
