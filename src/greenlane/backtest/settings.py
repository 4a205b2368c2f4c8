"""The rules of a backtest: those of `greenlane.yaml`, or for a repository without one, the defaults and its layout."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import msgspec

from greenlane.adapters.git.process import Git
from greenlane.config import CONFIG_NAME, find_config, override_settings
from greenlane.config.document import read_bytes
from greenlane.domain.errors import ConfigError
from greenlane.domain.settings import Settings
from greenlane.domain.weights import FittedWeights
from greenlane.policy.fitted import MAX_BYTES, parse_weights


class BacktestSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`branch` None means HEAD."""

    settings: Settings
    name: str
    branch: str | None
    from_file: bool


def settings_for(root: Path, changes: list[str], branch: str | None) -> BacktestSettings:
    """Raises ConfigError, and InputError if there is no repository.

    The file is the one in the working tree: a backtest is how one tries rules before they are merged.
    """
    git = Git(root)
    path = find_config(root)
    if path is not None:
        loaded = override_settings(read_bytes(path), path, changes)
        own = loaded.settings.repository
        return BacktestSettings(
            settings=loaded.settings, name=own.name or git.root.name, branch=branch or own.base_branch, from_file=True
        )
    name = _repo_name(git)
    tip = f"refs/heads/{branch}" if branch else "HEAD"
    data = json.dumps({"services": [{"name": _service_name(name), "source_roots": _source_roots(git, tip)}]}).encode()
    loaded = override_settings(data, root / CONFIG_NAME, changes, "the default configuration")
    return BacktestSettings(settings=loaded.settings, name=name, branch=branch, from_file=False)


def weights_for(root: Path, settings: Settings) -> FittedWeights | None:
    """The fitted weights that the settings name, from the working tree as the settings are; None if they name none.
    Raises ConfigError."""
    name = settings.risk.weights_file
    config = find_config(root)
    return read_weights((config.parent if config else root) / name) if name else None


def read_weights(path: Path) -> FittedWeights:
    """The weights of a file. Raises ConfigError if there is none, or anything is wrong with it."""
    if not path.is_file():
        raise ConfigError(f"{path} does not exist", hint="`greenlane calibrate` writes it")
    with path.open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    return parse_weights(data, path.name, hashlib.sha256(data).hexdigest())


def _repo_name(git: Git) -> str:
    """The folder's name; of a bare repository in a folder that only says so, that of the folder above."""
    name = git.root.name.removesuffix(".git")
    return git.root.parent.name if name in ("", "repo", "git") else name


def _service_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "repository"


def _source_roots(git: Git, tip: str) -> list[str]:
    """`src` where the newest commit has a folder of that name with a package in it; the root else."""
    out = git.run("ls-tree", "-r", "--name-only", "-z", "--full-tree", tip, "--", "src", ok=(0, 128))
    packages = [path for path in out.split(b"\0") if re.fullmatch(rb"src/[^/]+/__init__\.py", path)]
    return ["src"] if packages else ["."]
