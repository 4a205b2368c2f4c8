"""The release manager of the demo: approves the changes that a person has to approve, and waits for all to settle."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

from greenlane.demo.pulls import RELEASE_MANAGER, Pull
from greenlane.domain import events as e
from greenlane.domain.errors import RefusedError
from greenlane.policy.lifecycle import ENDED, State
from greenlane.ports.application import Application

LOOK_S = 0.5
"""How often the release manager looks; a person would not be quicker."""

MAX_APPROVALS = 4
"""Questions that are answered for one change; one that asks again and again is left waiting, and the demo says so."""

_REASONS = {
    "schema": "read the migration: one column with a default, the running version does not notice it",
    "integration": "the contract with the provider is signed, and the client is off until a key is set",
}
_ENDED = frozenset(state.value for state in ENDED)


async def settle(application: Application, runs: Mapping[str, Pull]) -> None:
    """Return when each run has ended, or waits for a person who is not the release manager."""
    approvals: Counter[str] = Counter()
    left = dict(runs)
    while left:
        settled = [run for run, pull in left.items() if await _is_settled(application, run, pull, approvals)]
        for run in settled:
            del left[run]
        await asyncio.sleep(LOOK_S if left else 0)


async def _is_settled(application: Application, run: str, pull: Pull, approvals: Counter[str]) -> bool:
    view = await application.view(run)
    if view.state in _ENDED:
        return True
    if view.state != State.AWAITING_HUMAN.value:
        return False
    asked = await _questions(application, run) if pull.approved else ()
    if not asked or approvals[run] >= MAX_APPROVALS:
        return True
    approvals[run] += 1
    reason = _REASONS.get(view.lane or "", "read the change and what was found about it")
    for gate in asked:
        try:
            await application.approve(run, by=RELEASE_MANAGER, reason=reason, gate=gate)
        except RefusedError:
            return False  # it went on meanwhile: look again
    return False


async def _questions(application: Application, run: str) -> tuple[str, ...]:
    """The open gates that ask for a judgement. One that asks because something failed is not waved through."""
    change = await application.change(run)
    judgement = {requested.gate.gate_id for requested in change.all_of(e.HumanRequested)}
    gates = tuple(gate.gate_id for gate in change.open_gates)
    return gates if judgement.issuperset(gates) else ()
