"""What a check of the doctor answers."""

from __future__ import annotations

import msgspec


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found. `fix` says what to do, and is empty if all is well."""

    name: str
    ok: bool
    detail: str
    fix: str = ""
