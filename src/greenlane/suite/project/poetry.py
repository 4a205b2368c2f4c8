"""Poetry's constraints in the words of PEP 440 (https://python-poetry.org/docs/dependency-specification/)."""

from __future__ import annotations

import re

_NUMBERS = re.compile(r"\d+(\.\d+)*")


def constraint_of(text: str) -> str:
    """`^1.2` as `>=1.2,<2`, `~1.2` as `>=1.2,<1.3`, `*` as nothing; an alternative (`||`) as nothing, too: a resolver
    then takes the newest."""
    if "||" in text or "|" in text:
        return ""
    return ",".join(
        part for piece in re.split(r"\s*,\s*|\s+(?=[<>=!^~])", text.strip()) if (part := _one(piece.strip()))
    )


def _one(piece: str) -> str:
    if piece in {"", "*"}:
        return ""
    if piece.startswith(("^", "~")) and not piece.startswith("~="):
        version = piece[1:].strip()
        numbers = _NUMBERS.match(version)
        return f">={version},<{_next(piece[0], numbers[0])}" if numbers else ""
    if re.match(r"\d", piece):
        return f"=={piece}"
    return re.sub(r"^=(?!=)", "==", re.sub(r"\s+", "", piece))


def _next(sign: str, version: str) -> str:
    parts = [int(part) for part in version.split(".")]
    if sign == "~":
        place = min(1, len(parts) - 1)
    else:
        place = next((i for i, part in enumerate(parts) if part), len(parts) - 1)
    return ".".join(map(str, [*parts[:place], parts[place] + 1]))
