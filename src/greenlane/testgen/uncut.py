"""Scripts that ended with an error in one of their statements, gone on from: what raises no more there shows what that
statement binds. Pure; for `search.py`.

    with answering:                                       with answering:
        inside = fetch(1)     (raised, so looked at)  ->      inside = fetch(2)
                                                          inside
"""

from __future__ import annotations

import ast
import re

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.inputs import Case
from greenlane.testgen.slicing import bound_in

_STATEMENT = re.compile(r"(async |with |for |try:|if )|[\w, ().]+ = ")


def uncut(case: Case) -> Case:
    """The case with a look at what its last statement binds, where it looked at that statement for its error; any other
    as it is."""
    script = case.script
    if script is None or _STATEMENT.match(script.look) is None:
        return case
    try:
        (node,) = parse_source(script.look).body
    except (UnreadableSourceError, ValueError):
        return case
    names = [] if isinstance(node, ast.Expr) else list(dict.fromkeys(bound_in(node)))
    if not names:
        return case
    whole = msgspec.structs.replace(script, setup=(*script.setup, script.look), look=names[-1])
    return msgspec.structs.replace(case, script=whole)
