"""The seven pull requests of the demo, and what is expected of each."""

from __future__ import annotations

from typing import Literal

import msgspec

Outcome = Literal["deployed", "awaiting_human", "blocked", "rolled_back"]


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """One pull request: its branch (and patch file), what it shows, and how it has to end.

    `approved` means that the demo's release manager approves it where it waits for a human.
    """

    branch: str
    shows: str
    lane: str
    outcome: Outcome
    approved: bool = False
    tests_written: bool = False
    """Whether Greenlane has to add tests to it."""


PULLS = (
    Pull(
        branch="pr-1-free-shipping-limit",
        shows="a clean fix with a coverage gap: tests are written, it ships",
        lane="green",
        outcome="deployed",
        tests_written=True,
    ),
    Pull(
        branch="pr-2-sort-search-results",
        shows="an SQL injection: a human is asked",
        lane="red",
        outcome="awaiting_human",
    ),
    Pull(
        branch="pr-3-gift-message",
        shows="a migration: a human approves it, it ships",
        lane="schema",
        outcome="deployed",
        approved=True,
    ),
    Pull(
        branch="pr-4-prices-in-other-currencies",
        shows="a new third-party service: a human approves it, staged rollout",
        lane="integration",
        outcome="deployed",
        approved=True,
    ),
    Pull(
        branch="pr-5-name-the-currency",
        shows="a broken API contract: a human is asked",
        lane="red",
        outcome="awaiting_human",
    ),
    Pull(
        branch="pr-6-stock-in-the-list",
        shows="a slowdown: validation stops it",
        lane="green",
        outcome="blocked",
    ),
    Pull(
        branch="pr-7-say-what-is-saved",
        shows="an error that only production traffic shows: the canary rolls back",
        lane="green",
        outcome="rolled_back",
    ),
)

RELEASE_MANAGER = "Robin Vale <robin.vale@teashop.example>"
"""Who approves in the demo: the author of none of the changes."""
