"""The entry: what one line of the ledger holds, and the bytes that are hashed."""

from __future__ import annotations

import msgspec

from greenlane.domain.events import Input

SCHEMA_VERSION = 1


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An entry before the store has given it its place (`seq`, `version`)."""

    event_id: str
    trace_id: str
    causation_id: str
    type: str
    event_version: int
    repo: str
    pr_number: int
    author: str
    head_sha: str
    base_sha: str
    diff_sha256: str
    artifact_digest: str | None
    agent: str
    agent_version: str
    model_id: str | None
    prompt_digest: str | None
    policy_digest: str
    config_digest: str
    inputs: tuple[Input, ...]
    rules_fired: tuple[str, ...]
    risk_score: float | None
    rationale: str
    decision: str
    approver: str | None
    timestamp: str
    body: msgspec.Raw
    """The event itself, as its own JSON bytes."""


class Entry(Draft, frozen=True, kw_only=True):
    """One entry. Its stored bytes are its JSON; they are hashed as stored and never written anew."""

    schema_version: int
    seq: int
    """Place in the ledger, from 1 without gaps; leaf index + 1."""
    stream: str
    """The run, or `control`."""
    version: int
    """Place in its stream, from 1 without gaps."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Entry)


def encode_entry(entry: Entry) -> bytes:
    return _encoder.encode(entry)


def decode_entry(data: bytes) -> Entry:
    """Raises `msgspec.ValidationError` or `msgspec.DecodeError` for bytes that are no entry."""
    return _decoder.decode(data)
