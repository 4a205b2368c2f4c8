"""A step whose failure costs what it would have found, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")
_FAULTS = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    SyntaxError,
    RecursionError,
)
"""Faults of the generator itself, met by code that it had not seen the like of. What the sandbox or the machine
can't do (`OSError`, the errors of the ports) is none of them: it is for whoever asked."""
log = logging.getLogger(__name__)


async def contained(step: Awaitable[T], otherwise: T, what: str) -> T:
    """What a step gives; `otherwise` where it ends by a fault of ours, which is logged with its place: a change that
    one search stumbles over still gets the tests that the others find."""
    try:
        return await step
    except _FAULTS:
        log.exception("%s ended by a fault of the generator; the others go on", what)
        return otherwise
