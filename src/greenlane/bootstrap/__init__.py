"""The one place where ports meet adapters.

`open_application` is what the faces call. Adapters that only agents need are put together when work begins, so that
`greenlane list` pays for none of them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from greenlane import __version__
from greenlane.adapters.clock import SystemClock
from greenlane.adapters.git import LocalGit
from greenlane.adapters.git.worktrees import main_folder
from greenlane.config import CONFIG_NAME, LoadedSettings, load_settings, parse_settings
from greenlane.domain.errors import ConfigError
from greenlane.domain.events import Reasoning, SandboxOff
from greenlane.domain.settings import Settings
from greenlane.domain.weights import FittedWeights
from greenlane.ledger.sqlite import SqliteLedger
from greenlane.policy.fitted import parse_weights
from greenlane.runtime.application import Application
from greenlane.runtime.desk import Desk
from greenlane.runtime.doorbell import Doorbell
from greenlane.runtime.journal import Journal
from greenlane.runtime.recording import Writer

if TYPE_CHECKING:
    from greenlane.bootstrap.crew import LocalCrew

STATE_DIR = ".greenlane"
LEDGER = "ledger.db"


async def open_application(root: Path, *, read_only: bool = False, unsafe: bool = False) -> Application:
    """Greenlane for the repository at `root`, with its ledger in `.greenlane` there (see `state_dir_of`).
    `unsafe`: code of changes runs without a sandbox; the ledger says so before anything is run.

    Raises ConfigError (with file and line), InputError (no repository), LedgerUnavailableError, LedgerCorruptError.
    """
    root = root.resolve()
    loaded, git = await load_base_settings(root)
    settings = loaded.settings
    weights = None if read_only else await load_base_weights(root, git, settings)
    state_dir = state_dir_of(root)
    if not read_only:
        _make_state_dir(state_dir)
    ledger_path = state_dir / LEDGER
    store = SqliteLedger.open(ledger_path, read_only=read_only)
    clock = SystemClock()
    journal = Journal(
        store,
        clock,
        required_fields=settings.audit.required_fields,
        lease_ttl_s=settings.orchestration.lease_s,
    )
    writer = Writer(
        agent="greenlane",
        agent_version=__version__,
        policy_digest=_policy_digest(),
        config_digest=f"sha256:{loaded.sha256}",
    )
    desk = Desk(store, journal, git, git, clock, writer=writer, repo=git.name)

    def make_crew() -> LocalCrew:
        from greenlane.bootstrap.crew import LocalCrew

        return LocalCrew(
            settings=settings,
            state_dir=state_dir,
            git=git,
            store=store,
            journal=journal,
            clock=clock,
            writer=writer,
            weights=weights,
            unsafe=unsafe,
        )

    return Application(
        settings=settings,
        state_dir=state_dir,
        ledger_path=ledger_path,
        store=store,
        journal=journal,
        desk=desk,
        doorbell=Doorbell(state_dir),
        clock=clock,
        make_crew=make_crew,
        rules=_digest_rules(loaded, weights),
        before_work=(sandbox_off(),) if unsafe else (),
    )


def sandbox_off() -> SandboxOff:
    """The decision to run code of changes without isolation."""
    return SandboxOff(
        why=Reasoning(
            decision="run-without-sandbox",
            rationale="Greenlane was started with --unsafe-no-sandbox: until this process ends, code of changes runs "
            "without any isolation, as the user who started it, with that user's files and network.",
            rules_fired=("sandbox-off",),
        )
    )


async def stop_leftovers(root: Path) -> int:
    """Stop every service and router that runs for this repository, by process id; how many there were."""
    from greenlane.adapters.local_platform import shutdown

    return await shutdown(state_dir_of(root))


def state_dir_of(root: Path) -> Path:
    """Where everything is kept for the repository at `root`: one place, from whichever of its working trees one looks,
    so that it has one ledger and one production."""
    return main_folder(root) / STATE_DIR


async def load_base_settings(root: Path) -> tuple[LoadedSettings, LocalGit]:
    """The rules as the base branch has them: a pull request that edits them is judged by the old ones.

    The file in the working tree only names the base branch, and stands in for it while the base branch has none.
    """
    here = load_settings(root / CONFIG_NAME)
    base = here.settings.repository.base_branch
    git = LocalGit(root, name=here.settings.repository.name, base_branch=base)
    inside = (
        root.relative_to(git.root).joinpath(CONFIG_NAME).as_posix() if root.is_relative_to(git.root) else CONFIG_NAME
    )
    data = await git.read_file(base, inside)
    if data is None:
        return here, git
    loaded = parse_settings(data, root / CONFIG_NAME, f"{CONFIG_NAME} on {base}")
    if loaded.settings.repository != here.settings.repository:
        raise ConfigError(
            f"{CONFIG_NAME} here and on {base} name different repositories or base branches",
            hint=f"the base branch decides: bring the section `repository` in line with it (git show {base}:{inside})",
        )
    return loaded, git


async def read_rules(root: Path) -> str:
    """A digest of the rules as the base branch has them now: another one, other rules. Raises ConfigError."""
    root = root.resolve()
    loaded, git = await load_base_settings(root)
    weights = await load_base_weights(root, git, loaded.settings)
    return _digest_rules(loaded, weights)


def _digest_rules(loaded: LoadedSettings, weights: FittedWeights | None) -> str:
    return f"{loaded.sha256} {weights.sha256 if weights else ''}"


async def load_base_weights(root: Path, git: LocalGit, settings: Settings) -> FittedWeights | None:
    """The fitted weights that `risk.weights_file` names, as the base branch has them; None if it names none.

    Raises ConfigError: the file is not there, or is wrong in any way. Other weights never take its place.
    """
    name, base = settings.risk.weights_file, settings.repository.base_branch
    if name is None:
        return None
    inside = root.relative_to(git.root).joinpath(name).as_posix() if root.is_relative_to(git.root) else name
    data = await git.read_file(base, inside)
    if data is None:
        raise ConfigError(
            f"risk.weights_file names {name}, which is not on {base}",
            hint=f"commit it there (`greenlane calibrate` writes it), or take the line out of {CONFIG_NAME}",
        )
    return parse_weights(data, f"{name} on {base}", hashlib.sha256(data).hexdigest())


def _make_state_dir(state_dir: Path) -> None:
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    ignore = state_dir / ".gitignore"
    if not ignore.exists():
        ignore.write_text("# Greenlane's own: the ledger, artifacts, reports\n*\n", encoding="utf-8")


def _policy_digest() -> str:
    """The digest of the policies that decide: their source, file by file."""
    folder = Path(__file__).parent.parent / "policy"
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"sha256:{digest.hexdigest()}"
