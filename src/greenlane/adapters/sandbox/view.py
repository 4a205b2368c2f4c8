"""What a job sees of the file system: a short list of what programs need to run, and nothing else of the machine.

An allow-list, because secrets can lie anywhere: no home folder, no `/etc/shadow`, no other run, no ledger is in it.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Literal

import msgspec

from greenlane.domain.errors import FinalError
from greenlane.ports.sandbox import SandboxJob

Kind = Literal["ro", "bind", "symlink", "tmpfs", "proc", "dev"]

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = (
    "alternatives", "ca-certificates", "ca-certificates.conf", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime",
    "mime.types", "nsswitch.conf", "os-release", "pki/ca-trust", "pki/tls/certs", "pki/tls/cert.pem", "protocols",
    "services", "ssl/certs", "ssl/cert.pem", "ssl/openssl.cnf", "timezone",
)  # fmt: skip
"""What of /etc is read by libraries and holds no secret (`ssl/private` and `shadow` are not here)."""
_OWN_ETC = Path(__file__).with_name("etc")
_NETWORK_ETC = ("resolv.conf", "hosts")
_SHM_MB = 256


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the view, to be made in order. `ro` and `bind` show `source` (a real path) at `target`."""

    kind: Kind
    target: str
    source: str = ""
    size_mb: int = 0


def plan_view(job: SandboxJob) -> tuple[Mount, ...]:
    """The entries of a job's view. Raises FinalError if a folder that it names is not there."""
    workdir = job.workdir.resolve()
    if not workdir.is_dir():
        raise FinalError(f"the sandbox's folder {job.workdir} does not exist")
    return (
        *_system(),
        *_etc(network=job.network),
        Mount(kind="proc", target="/proc"),
        Mount(kind="dev", target="/dev", size_mb=min(_SHM_MB, job.max_file_mb)),
        Mount(kind="tmpfs", target="/tmp", size_mb=job.max_file_mb),
        Mount(kind="symlink", target="/var/tmp", source="/tmp"),
        *_folders(job.read_only, workdir),
        *(Mount(kind="bind", target=target, source=str(workdir)) for target in _names(job.workdir, workdir)),
    )


def is_open(view: tuple[Mount, ...]) -> bool:
    """Whether everybody may reach all that the view shows: each folder above it can be passed through. (The job's own
    folder is given away, so only what lies above it counts.)"""
    sources = (Path(entry.source) for entry in view if entry.kind in {"ro", "bind"})
    return all(folder.stat().st_mode & stat.S_IXOTH for source in sources for folder in source.parents)


def _system() -> list[Mount]:
    found: list[Mount] = []
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            found.append(Mount(kind="symlink", target=name, source=str(path.readlink())))
        elif path.is_dir():
            found.append(Mount(kind="ro", target=name, source=name))
    return found


def _etc(*, network: bool) -> list[Mount]:
    own = [*_OWN_ETC.iterdir()]
    shown = {f"/etc/{path.name}": path for path in sorted(own)}
    wanted = [*_ETC, *(_NETWORK_ETC if network else ())]
    for name in wanted:
        path = Path("/etc", name)
        if path.exists():
            shown[str(path)] = path
    return [Mount(kind="ro", target=target, source=str(path.resolve())) for target, path in shown.items()]


def _folders(folders: tuple[Path, ...], workdir: Path) -> list[Mount]:
    found: dict[str, Path] = {}
    for folder in folders:
        real = folder.resolve()
        if not real.exists():
            raise FinalError(f"the sandbox is to show {folder}, which does not exist")
        if workdir == real or workdir in real.parents:
            continue  # it is seen through the workdir already
        for target in _names(folder, real):
            if not any(target == shown or target.startswith(f"{shown}/") for shown in _SYSTEM):
                found[target] = real
    return [Mount(kind="ro", target=target, source=str(found[target])) for target in sorted(found)]


def _names(path: Path, real: Path) -> list[str]:
    """A folder is seen under the name that was given for it, and under its real one."""
    return sorted({str(path.absolute()), str(real)})
