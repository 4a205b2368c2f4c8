"""The file of fitted weights: what may stand in it, read and written. Pure.

It holds the points of size and history and nothing else: caps, floors, and what findings and missing tests are worth
are not fitted, so no file can lower them. It is read from the base branch alone; one that is wrong in any way is an
error, never a silent return to other weights.
"""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Annotated

import msgspec

from greenlane.domain.errors import ConfigError
from greenlane.domain.weights import FittedWeights, Ladder, Weights

FORMAT = "greenlane-risk/1"
MAX_BYTES = 64 * 1024
"""A fitted file takes some 2 KiB."""
MAX_STEPS = 20
MAX_POINTS = 3.0
"""Of one rule: as much as all of the size may give."""
_HINT = "`greenlane calibrate` writes it; without `risk.weights_file` the built-in weights hold"

Point = Annotated[float, msgspec.Meta(ge=0, le=MAX_POINTS)]
Step = tuple[Annotated[int, msgspec.Meta(ge=1, le=1_000_000)], Point]
Steps = Annotated[tuple[Step, ...], msgspec.Meta(max_length=MAX_STEPS)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
Area = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Points(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is fitted; each name is one of `Weights`."""

    lines: Steps
    files: Steps
    folders: Steps
    newcomer: Point
    new_to_files: Point
    reverted: Point
    often_fixed: Point
    spread: Point
    busy: Steps
    mended_lately: Steps


class Evidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the fit was tested: on `changes` newer ones, `outcomes` of them with a bad end. Areas under the ROC curve."""

    changes: Count
    outcomes: Count
    auc: Area
    auc_before: Area
    gain_at_least: Annotated[float, msgspec.Meta(ge=-1, le=1)]


class RiskFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str
    fitted_on: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    commit: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
    changes: Count
    outcomes: Count
    tested: Evidence
    points: Points


def parse_weights(data: bytes, name: str, sha256: str) -> FittedWeights:
    """The weights of a file's bytes, whose SHA-256 is given; `name` is what errors call it. Raises ConfigError."""
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{name} is larger than {MAX_BYTES // 1024} KiB, so it holds no weights", hint=_HINT)
    try:
        found = msgspec.json.decode(data, type=RiskFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{name} holds no weights of the risk score: {_plain(str(error))}", hint=_HINT) from error
    if found.format != FORMAT:
        raise ConfigError(f"{name}: format is {_plain(repr(found.format))}, and not {FORMAT!r}", hint=_HINT)
    points = found.points
    for rule in ("lines", "files", "folders", "busy", "mended_lately"):
        _check_ladder(getattr(points, rule), f"{name}: points.{rule}")
    if not any(points.lines):
        raise ConfigError(f"{name}: points.lines is empty: weights by which no size counts are no fit", hint=_HINT)
    return FittedWeights(
        weights=Weights(**msgspec.structs.asdict(points)),
        source=name,
        sha256=sha256,
        fitted_on=found.fitted_on,
        commit=found.commit,
    )


def render_weights(content: RiskFile) -> bytes:
    """The file's bytes: one rule a line, so that a difference shows which points moved."""
    fields = {name: msgspec.to_builtins(value) for name, value in msgspec.structs.asdict(content).items()}
    points = ",\n".join(f"    {json.dumps(rule)}: {json.dumps(value)}" for rule, value in fields.pop("points").items())
    rest = "".join(f"  {json.dumps(name)}: {json.dumps(value)},\n" for name, value in fields.items())
    return f'{{\n{rest}  "points": {{\n{points}\n  }}\n}}\n'.encode()


def points_of(weights: Weights) -> Points:
    """The part of these weights that is fitted."""
    return Points(**{name: getattr(weights, name) for name in Points.__struct_fields__})


def _check_ladder(steps: Ladder, where: str) -> None:
    for (start, points), (above, more) in pairwise(steps):
        if above <= start:
            raise ConfigError(f"{where}: {above} stands after {start}: the steps must ascend", hint=_HINT)
        if more < points:
            raise ConfigError(
                f"{where}: {above} gives {more:g} and {start} gives {points:g}: more is never less risk", hint=_HINT
            )
    if any(not math.isfinite(points) or points <= 0 for _, points in steps):
        raise ConfigError(f"{where}: a step without points is none: leave it out", hint=_HINT)


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:200]
