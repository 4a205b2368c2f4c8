"""Very many tries in one process: a program inside the sandbox that runs as a test of the project, with its fixtures.

What `hunt.py`, `growing.py` and `crossing.py` have in common. Their programs (`inside/greenlane_*.py`) read what is
asked and write what they found; limits are theirs, in tries, calls and seconds of processor time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from greenlane.suite.runner import SuiteRequest, SuiteRunner
from greenlane.testgen.explore import HERE, Given, decode_lines
from greenlane.testgen.scene import Scene

_INSIDE = Path(__file__).with_name("inside")
_MAX_GROUPS = 3
_CLOCK, _START_S = 8, 30.0
"""By the clock a search may take so many times its seconds of processor time, and this on top for its start."""

Found = TypeVar("Found", bound=msgspec.Struct)


async def search_inside(
    runner: SuiteRunner,
    scene: Scene,
    name: str,
    asked: dict[str, Any],
    fixtures: Sequence[frozenset[str]],
    encode: Callable[[int], dict[str, Any]],
    kind: type[Found],
) -> list[Found]:
    """What the program `greenlane_<name>` found, one test of it for all that need the same fixtures, three at most.
    `fixtures` are those of each thing to begin with, `encode` gives it by its number; `asked` holds `seconds`."""
    groups: dict[frozenset[str], list[int]] = {}
    for number, needed in enumerate(fixtures):
        groups.setdefault(needed, []).append(number)
    chosen = list(groups.items())[:_MAX_GROUPS]
    path = f"{scene.folder}/test_greenlane_{name}.py" if scene.folder else f"test_greenlane_{name}.py"
    given = {name: asked, "groups": [[encode(number) for number in numbers] for _, numbers in chosen]}
    request = SuiteRequest(
        select=(path,),
        extra=((path, _probe_text(name, [needed for needed, _ in chosen]).encode()),),
        plugin_folders=(_INSIDE,),
        without=scene.idle_plugins,
        plugin_input=Given(scene).encode(**given),
        timeout_s=asked["seconds"] * _CLOCK + _START_S,
    )
    run = await runner.run(scene.service, scene.environment, scene.tree, request)
    return decode_lines(run.plugin_output, kind)


def _probe_text(name: str, groups: Sequence[frozenset[str]]) -> str:
    lines = [*HERE, f"import greenlane_{name}", ""]
    for number, fixtures in enumerate(groups):
        names = sorted(fixtures)
        values = ", ".join(f"{fixture!r}: {fixture}" for fixture in names)
        lines += [
            "",
            f"def test_{name}_{number}({', '.join(names)}):",
            f"    greenlane_{name}.run({number}, {{{values}}})",
            "",
        ]
    return "\n".join(lines)
