"""Which test files a service's own command names: it runs those, and none that is added beside them. Reads folders."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from greenlane.domain.service_settings import Service

_PLAIN = re.compile(r"[^|&;<>()`$\n]*\bpytest\b[^|&;<>()`$\n]*")


def files_named(command: str, tree: Path) -> tuple[str, ...]:
    """`tests.py` of `python -m pytest -q tests.py`; none of what names folders, or is more than a call of pytest."""
    if _PLAIN.fullmatch(command) is None:
        return ()
    try:
        words = [word.partition("::")[0] for word in shlex.split(command)]
    except ValueError:
        return ()
    files = tuple(word for word in words if word.endswith(".py") and (tree / word).is_file())
    return () if any((tree / word).is_dir() for word in words) else files


def naming(service: Service, tree: Path, paths: Iterable[str]) -> Service:
    """The service with these files named by its command as well, where that names its files."""
    if not files_named(service.commands.test, tree):
        return service
    command = shlex.join(paths)
    commands = service.commands.model_copy(update={"test": f"{service.commands.test} {command}"})
    return service.model_copy(update={"commands": commands})
