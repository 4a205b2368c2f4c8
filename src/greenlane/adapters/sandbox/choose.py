"""Which sandbox this machine can run: found out by running a hostile little job in it, never by looking at versions."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path

from greenlane.adapters.pids import pids_group
from greenlane.adapters.sandbox.bubblewrap import BubblewrapSandbox
from greenlane.adapters.sandbox.landlock import BareSandbox, LandlockSandbox
from greenlane.adapters.sandbox.namespaces import NamespaceSandbox
from greenlane.adapters.sandbox.process import ProcessSandbox
from greenlane.domain.errors import FinalError
from greenlane.domain.settings import Settings
from greenlane.ports.sandbox import Sandbox, SandboxJob

_PROBE = """
import os, socket, sys
outside, secret, parent = sys.argv[1:]
def succeeds(act):
    try:
        act()
    except OSError:
        return False
    return True
def connect():
    with socket.socket() as s:
        s.settimeout(2)
        s.connect(("192.0.2.1", 9))
found = []
succeeds(lambda: open(outside, "w"))  # lands in the private /tmp at most: the caller looks whether it got out
if succeeds(lambda: open("/usr/greenlane-probe", "w")): found.append("it can write to the system")
if succeeds(lambda: open(secret)): found.append("it can read outside its folder")
def interfaces():
    if not [n for _, n in socket.if_nameindex() if n != "lo"]: raise OSError
if succeeds(interfaces) or succeeds(connect): found.append("it has a network")
def others():
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) > 20 and open(f"/proc/{entry}/stat").read(): return
    raise OSError
if succeeds(others): found.append("it sees other processes")
if succeeds(lambda: os.kill(int(parent), 0)): found.append("it can signal other processes")
if "GREENLANE_PROBE_SECRET" in os.environ: found.append("it sees the environment")
open("inside", "w").write("x")
print("; ".join(found) or "isolated")
"""
_PROBE_TIMEOUT_S = 20.0
_HINT = (
    "install bubblewrap (apt-get install bubblewrap), or allow unprivileged user namespaces "
    "(sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
    ", or use Linux 6.12 with Landlock; `greenlane --unsafe-no-sandbox` runs without any, for your own code alone"
)


def choose_sandbox(settings: Settings | None = None, *, unsafe: bool = False) -> Sandbox:
    """The first sandbox that holds on this machine: bubblewrap, else our own namespaces (for root the other way round),
    else Landlock.

    May be called with or without a running event loop; takes some 50 ms. Raises FinalError, with every reason, where
    none works: Greenlane never runs a change's code bare, unless a person asked for exactly that (`unsafe`).
    """
    del settings  # every limit comes with the job; which sandbox to use is no preference but what holds
    if unsafe:
        return BareSandbox()
    candidates: list[ProcessSandbox] = []
    if (executable := shutil.which("bwrap")) and _can_bound_processes():
        candidates.append(BubblewrapSandbox(Path(executable)))
    # For root our own comes first: with bubblewrap a job would still be root to the kernel, if without capabilities.
    candidates.insert(0 if os.geteuid() == 0 else len(candidates), NamespaceSandbox())
    candidates.append(LandlockSandbox())
    reasons = []
    for sandbox in candidates:
        reason = probe_sandbox(sandbox)
        if not reason:
            return sandbox
        reasons.append(f"{sandbox.kind}: {reason}")
    raise FinalError("no sandbox works on this machine: " + "; ".join(reasons), hint=_HINT)


def _can_bound_processes() -> bool:
    """Whether bubblewrap's jobs can't multiply without end: root needs a control group for that."""
    with pids_group(8) as group:
        return os.geteuid() != 0 or group is not None


def probe_sandbox(sandbox: Sandbox) -> str:
    """Why this sandbox does not hold here; empty if it does. Runs a job that tries to get out."""
    reasons: list[str] = []

    def probe() -> None:
        try:
            reasons.append(asyncio.run(_probe(sandbox)))
        except (FinalError, OSError) as error:
            reasons.append(str(error))

    thread = threading.Thread(target=probe, name="sandbox-probe")
    thread.start()
    thread.join()
    return reasons[0] if reasons else "the probe ended without an answer"


async def _probe(sandbox: Sandbox) -> str:
    with tempfile.TemporaryDirectory(prefix="greenlane-probe-") as folder:
        workdir = Path(folder, "inside")
        workdir.mkdir()
        secret = Path(folder, "secret")
        secret.write_text("secret", encoding="ascii")
        interpreter = tuple(dict.fromkeys(Path(path) for path in (sys.prefix, sys.base_prefix)))
        os.environ.setdefault("GREENLANE_PROBE_SECRET", "1")
        job = SandboxJob(
            argv=(sys.executable, "-I", "-S", "-c", _PROBE, f"{folder}/outside", str(secret), str(os.getpid())),
            workdir=workdir,
            read_only=interpreter,
            timeout_s=_PROBE_TIMEOUT_S,
        )
        try:
            result = await sandbox.run(job)
        finally:
            os.environ.pop("GREENLANE_PROBE_SECRET", None)
        if result.exit_code != 0:
            return (result.stderr or result.stdout or f"the probe ended with {result.exit_code}").strip()[-300:]
        answer = result.stdout.strip()
        if Path(folder, "outside").exists():
            return "it can write outside its folder"
        if answer == "isolated" and not (workdir / "inside").is_file():
            return "it can't write in its own folder"
        return "" if answer == "isolated" else answer or "the probe gave no answer"
