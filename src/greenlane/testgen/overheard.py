"""What tests look at of a stand-in that a fixture gives, looked at after a call that a fixture was given to: what the
code asked it for. Pure; for `gathering.py`.

def test_get(client, request_mock):               BoundServer(client, {"id": 1}).actions()
    client.get(1)                             ->  request_mock.call_args.kwargs
    request_mock.assert_called_with(url="/1")
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import MAX_STATEMENT, Case
from greenlane.testgen.scripts import FoundScript
from greenlane.testgen.staged import as_script
from greenlane.testgen.turns import in_turn

_LOOKS, _MOST = 4, 96
_ASKED = re.compile(r"(\w+)(?:\.\w+)*\.(?:call_args|await_args)(?:\.args|\.kwargs)?")


def overheard(observed: Iterable[Observed], known: Sequence[FoundScript]) -> list[Case]:
    """These calls, as far as they use a fixture, each with a look at what a fixture's stand-in was given in them, those
    first that most of these `known` scripts look at."""
    asked = [(one.script.look, match[1]) for one in known if (match := _asked(one))]
    looks = Counter([*asked, *((_other_part(look), fixture) for look, fixture in asked)])
    most = [pair for pair, _ in looks.most_common(_LOOKS)]
    rows = [list(_with_looks(one.case, most)) for one in observed]
    found = {case.key: case for case in in_turn(rows)}
    return list(found.values())[:_MOST]


def _asked(one: FoundScript) -> re.Match[str] | None:
    match = _ASKED.fullmatch(one.script.look)
    return match if match and match[1] in one.fixtures else None


def _other_part(look: str) -> str:
    """What was given by name, where a test looks at what was given by place, and the other way round."""
    whole, _, part = look.rpartition(".")
    return {"args": f"{whole}.kwargs", "kwargs": f"{whole}.args"}.get(part, look)


def _with_looks(case: Case, looks: Sequence[tuple[str, str]]) -> Iterator[Case]:
    script = as_script(case)
    if not case.fixtures or case.entry.asynchronous or script.marks is not None:
        return
    for look, fixture in looks:
        if len(script.look) <= MAX_STATEMENT and look not in script.text:
            made = msgspec.structs.replace(script, setup=(*script.setup, script.look), look=look)
            yield case.with_script(made, case.fixtures | {fixture})
