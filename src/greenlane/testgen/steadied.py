"""Calls whose outcome is another one each time, with what it hangs on held still: the clock, chance, a machine.
Pure; for `search.py`.

    stamped("a")         ->      monkeypatch.setattr("time.time", lambda: 1580472000.25)
                                 stamped("a")
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence

from greenlane.suite.lines import nodes_of
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import Case, Import
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Targets, line_of
from greenlane.testgen.turns import in_turn
from greenlane.testgen.under import Placed, under

_CALLS, _MOST, _PLACES = 4, 48, 3
_STILL: dict[str, tuple[str, frozenset[Import]]] = {
    "time.time": ("lambda: 1580472000.25", frozenset()),
    "uuid.uuid4": ("lambda: UUID(int=1)", frozenset({("uuid", "UUID")})),
    "uuid.uuid1": ("lambda: UUID(int=1)", frozenset({("uuid", "UUID")})),
    "random.random": ("lambda: 0.5", frozenset()),
    "random.randint": ("lambda low, high: low", frozenset()),
    "random.choice": ("lambda items: items[0]", frozenset()),
    "random.uniform": ("lambda low, high: low", frozenset()),
    "os.getpid": ("lambda: 42", frozenset()),
    "os.urandom": ("lambda size: bytes(size)", frozenset()),
    "secrets.token_hex": ("lambda size=4: 'ab' * size", frozenset()),
    "socket.gethostname": ("lambda: 'host'", frozenset()),
    "getpass.getuser": ("lambda: 'someone'", frozenset()),
    "platform.node": ("lambda: 'host'", frozenset()),
}
_NOW = frozenset({"now", "utcnow", "today"})
_DATED = frozenset({"datetime", "date"})
_NOON = {"datetime": "datetime(2020, 1, 31, 12{zone})", "date": "date(2020, 1, 31)"}


def steadied(observed: Sequence[Observed], source: Source, left: Targets, *, unittest: bool) -> list[Case]:
    """What ran an open line and one that asks for something that is never the same, with that held still; the plainest
    first."""
    places = _places(source)
    rows: dict[int, list[Case]] = {}
    for line in sorted({line_of(target) for target in left}) if places else ():
        near = [o for o in observed if line in o.lines.get(source.path, frozenset()) and o.outcome.kind != "raises"]
        near.sort(key=lambda o: o.case.plainness)
        made = (_held_still(one, source.path, places, unittest=unittest) for one in near)
        rows[line] = list(itertools.islice((case for case in made if case is not None), _CALLS))
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _held_still(observed: Observed, path: str, places: Sequence[tuple[int, Placed]], *, unittest: bool) -> Case | None:
    """The case with everything in place that its lines ask for; None where they ask for nothing, and where a script
    puts something there itself."""
    ran = observed.lines.get(path, frozenset())
    asked = list(dict.fromkeys(placed for line, placed in places if line in ran))[:_PLACES]
    case: Case | None = observed.case
    text = case.script.text if case is not None and case.script is not None else ""
    if not asked or any(placed.place in text for placed in asked):
        return None
    for placed in asked:
        case = under(case, placed, unittest=unittest) if case is not None else None
    return case


def _places(source: Source) -> list[tuple[int, Placed]]:
    """By line what has to be held still there."""
    names = dict(_imported(source.tree))
    calls = [node for node in nodes_of(source.tree) if isinstance(node, ast.Call)]
    found = [(call.lineno, placed) for call in calls if (placed := _asked_by(call, names, source.module)) is not None]
    return sorted(found, key=lambda pair: (pair[0], pair[1].place))


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """By name in the file what it is: `time` of `from time import time` is `time.time`."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from ((alias.asname or alias.name, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def _asked_by(call: ast.Call, names: dict[str, str], module: str) -> Placed | None:
    way = ast.unparse(call.func).split(".")
    known = names.get(way[0], "")
    whole = ".".join([known, *way[1:]])
    if whole in _STILL:
        value, imports = _STILL[whole]
        return Placed(place=f"{module}.{way[0]}" if len(way) == 1 else whole, value=value, imports=imports)
    parts = whole.split(".")
    if len(parts) != 3 or parts[0] != "datetime" or parts[1] not in _DATED or parts[2] not in _NOW:
        return None
    noon = _NOON[parts[1]].format(zone=", tzinfo=timezone.utc" if call.args or call.keywords else "")
    needed = {("unittest.mock", "MagicMock")}
    if known == "datetime":
        noon = noon.replace("timezone", "datetime.timezone")
        value = f"MagicMock(wraps=datetime, **{{'{parts[1]}.{parts[2]}.return_value': datetime.{noon}}})"
        needed |= {("datetime", "")}
    else:
        value = f"MagicMock(wraps={parts[1]}, **{{'{parts[2]}.return_value': {noon}}})"
        needed |= {("datetime", parts[1]), *([("datetime", "timezone")] if "timezone" in noon else [])}
    return Placed(place=f"{module}.{way[0]}", value=value, imports=frozenset(needed))
