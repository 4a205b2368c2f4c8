"""The escape corpus: attempts to get out of the sandbox, each a real process that truly tries.

Inside, each has to end in an OSError of the kind that isolation gives; a time-out or a call that does not exist would
show nothing. Those that need no power are tried outside as well, where they have to succeed: that is what shows that
the attempt is one.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from greenlane.adapters.sandbox import BubblewrapSandbox, LandlockSandbox, NamespaceSandbox, probe_sandbox
from greenlane.ports.sandbox import Sandbox, SandboxJob
from greenlane.suite.files import read_bytes

_INTERPRETER = tuple(dict.fromkeys(Path(path) for path in (sys.prefix, sys.base_prefix)))
_SOCKET = "import socket; s=socket.socket(socket.AF_{family}, socket.SOCK_{kind}); s.settimeout(2); "
_CALL = (
    "import ctypes, os; libc=ctypes.CDLL(None, use_errno=True)\n"
    "    def call(result):\n        if result < 0: raise OSError(ctypes.get_errno(), 'refused')\n    "
)
_X86 = os.uname().machine == "x86_64"
HIDDEN = frozenset({errno.ENOENT, errno.ENOTDIR})
NO_ROUTE = frozenset({errno.ENETUNREACH, errno.ECONNREFUSED})
READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
REFUSED = frozenset({errno.EPERM, errno.EACCES})


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """`script` runs with the arguments of `Outside`; `errors` are those that isolation gives; `outside`: it has to
    succeed without the sandbox."""

    script: str
    errors: frozenset[int]
    outside: bool = False


def tcp(address: str) -> str:
    return _SOCKET.format(family="INET", kind="STREAM") + f"s.connect(({address}))"


def udp(address: str) -> str:
    return (
        _SOCKET.format(family="INET", kind="DGRAM")
        + f"s.connect(({address})); s.send(b'ask'); assert s.recv(9) == b'told'"
    )


def syscall(number: int, *arguments: int) -> str:
    return _CALL + f"call(libc.syscall({number}, {', '.join(map(str, arguments))}))"


ATTEMPTS = {
    "network of the host": Attempt(script=tcp("arg[5], int(arg[3])"), errors=NO_ROUTE, outside=True),
    "loopback of the host": Attempt(script=tcp("'127.0.0.1', int(arg[3])"), errors=NO_ROUTE, outside=True),
    "datagram, as for DNS": Attempt(script=udp("'127.0.0.1', int(arg[3])"), errors=NO_ROUTE, outside=True),
    "name server": Attempt(
        script="import socket; socket.getaddrinfo('example.com', 80)",
        errors=frozenset({socket.EAI_AGAIN, socket.EAI_NONAME, socket.EAI_FAIL}),
    ),
    "abstract socket of the host": Attempt(
        script="import socket; socket.socket(socket.AF_UNIX).connect('\\0' + arg[4])", errors=NO_ROUTE, outside=True
    ),
    "socket file of the host": Attempt(
        script="import socket; socket.socket(socket.AF_UNIX).connect(arg[0] + '/socket')", errors=HIDDEN, outside=True
    ),
    "vsock": Attempt(
        script="import socket; socket.socket(40, socket.SOCK_STREAM)", errors=frozenset({errno.EAFNOSUPPORT})
    ),
    "packet socket": Attempt(
        script="import socket; socket.socket(17, socket.SOCK_RAW)", errors=frozenset({errno.EAFNOSUPPORT})
    ),
    "write outside": Attempt(script="open(arg[0] + '/escaped', 'r+').write('x')", errors=HIDDEN, outside=True),
    "write to the system": Attempt(script="open('/usr/bin/escaped', 'w')", errors=READ_ONLY),
    "write to the root": Attempt(script="open('/escaped', 'w')", errors=READ_ONLY),
    "write to /etc": Attempt(script="open('/etc/passwd', 'a')", errors=READ_ONLY),
    "write to the read-only interpreter": Attempt(
        script="import sys; open(sys.prefix + '/escaped', 'w')", errors=READ_ONLY
    ),
    "read a secret": Attempt(script="open(arg[1]).read()", errors=HIDDEN, outside=True),
    "read a secret by a link": Attempt(
        script="import os; os.symlink(arg[1], 'link'); open('link').read()", errors=HIDDEN, outside=True
    ),
    "read a secret by the root of another process": Attempt(
        script="open('/proc/1/root' + arg[1]).read()", errors=HIDDEN | REFUSED
    ),
    "read shadow": Attempt(script="open('/etc/shadow').read()", errors=HIDDEN),
    "look into the home folder": Attempt(
        script="import os; os.listdir(arg[6]) if os.path.isdir(arg[6]) else open(arg[6])",
        errors=HIDDEN,
        outside=True,
    ),
    "hard link out": Attempt(script="import os; os.link(arg[1], 'hard')", errors=HIDDEN, outside=True),
    "environment of the parent": Attempt(script="open(f'/proc/{arg[2]}/environ').read()", errors=HIDDEN, outside=True),
    "memory of the parent": Attempt(script="open(f'/proc/{arg[2]}/mem', 'rb')", errors=HIDDEN),
    "signal to the parent": Attempt(
        script="import os; os.kill(int(arg[2]), 0)", errors=frozenset({errno.ESRCH}), outside=True
    ),
    "sysctl of the host": Attempt(
        script="open('/proc/sys/kernel/core_pattern', 'w').write('|/tmp/x')", errors=READ_ONLY
    ),
    "caches of the host": Attempt(script="open('/proc/sys/vm/drop_caches', 'w').write('0')", errors=READ_ONLY),
    "user namespace": Attempt(script=_CALL + "call(libc.unshare(0x10000000))", errors=REFUSED),
    "mount": Attempt(script=_CALL + "call(libc.mount(b't', b'/tmp', b'tmpfs', 0, None))", errors=REFUSED),
    "chroot": Attempt(script="import os; os.chroot('/tmp')", errors=REFUSED),
    "keyring": Attempt(script=syscall(250 if _X86 else 219, 0, -3, 1), errors=REFUSED),
    "ptrace": Attempt(script=_CALL + "call(libc.ptrace(16, 1, 0, 0))", errors=REFUSED),
    "bpf": Attempt(script=syscall(321 if _X86 else 280, 5, 0, 0), errors=REFUSED),
    "io_uring": Attempt(script=syscall(425, 1, 0), errors=REFUSED),
    "kernel module": Attempt(script=syscall(313 if _X86 else 273, 0, 0, 0), errors=REFUSED),
    "become root": Attempt(
        script="import os, socket; os.setuid(0); socket.sethostname('escaped')",
        errors=frozenset({errno.EPERM, errno.EINVAL}),
    ),
    "setuid program": Attempt(
        script=_CALL + "if libc.prctl(39, 0, 0, 0, 0) == 1: raise OSError(1, 'no new privileges')",
        errors=REFUSED,
    ),
    "device node": Attempt(
        script="import os; os.mknod('disk', 0o60600, os.makedev(8, 0)); open('disk')", errors=REFUSED
    ),
    "device": Attempt(script="open(arg[7], 'rb')", errors=HIDDEN),
}


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to be reached: its folder, a secret, our process, a port, an abstract name, an address, something
    of the home folder and a device."""

    arguments: tuple[str, ...]
    folder: Path


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    secret = tmp_path / ".ssh"
    secret.write_text("secret")
    (tmp_path / "escaped").write_text("untouched")
    abstract = f"greenlane-{os.getpid()}"
    addresses = (a.address for found in psutil.net_if_addrs().values() for a in found if a.family == socket.AF_INET)
    own = next((address for address in addresses if not address.startswith("127.")), "127.0.0.1")
    devices = (p for p in ("/dev/kmsg", "/dev/fuse", "/dev/net/tun", "/dev/vda", "/dev/sda") if Path(p).exists())
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("0.0.0.0", 0)))
        port = listener.getsockname()[1]
        answering = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        answering.bind(("127.0.0.1", port))
        for address in (f"\0{abstract}", str(tmp_path / "socket")):
            unix = stack.enter_context(socket.socket(socket.AF_UNIX))
            unix.bind(address)
            unix.listen()
        thread = threading.Thread(target=_answer, args=(answering,), daemon=True)
        thread.start()
        arguments = (
            str(tmp_path), str(secret), str(os.getpid()), str(port), abstract, own, _of_the_home(secret),
            next(devices, "/dev/null-of-the-host"),
        )  # fmt: skip
        yield Outside(arguments=arguments, folder=tmp_path)
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"end", ("127.0.0.1", port))
        thread.join(5)


def _of_the_home(otherwise: Path) -> str:
    """An entry of the home folder that the interpreter, which is shown, does not lie in."""
    shown = {parent for path in _INTERPRETER for parent in (path, *path.resolve().parents)}
    with contextlib.suppress(OSError):
        return str(next((p for p in Path.home().iterdir() if p not in shown), otherwise))
    return str(otherwise)


def _answer(channel: socket.socket) -> None:
    while True:
        asked, sender = channel.recvfrom(16)
        if asked == b"end":
            return
        channel.sendto(b"told", sender)


@pytest.fixture(params=["bubblewrap", "namespaces", "landlock"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    if request.param == "namespaces":
        return NamespaceSandbox()
    if request.param == "landlock":
        return landlock_sandbox()
    executable = shutil.which("bwrap")
    if executable is None:
        pytest.skip("bubblewrap is not installed")
    return BubblewrapSandbox(Path(executable))


def landlock_sandbox() -> Sandbox:
    reason = probe_sandbox(LandlockSandbox())
    if "Landlock" in reason:
        pytest.skip(reason)
    return LandlockSandbox()


def script_of(attempt: Attempt) -> str:
    return (
        f"import sys; arg = sys.argv[1:]\ntry:\n    {attempt.script}\n"
        "except OSError as e:\n    print('held', e.errno, e)\nelse:\n    print('ESCAPED')"
    )


@pytest.mark.parametrize("name", ATTEMPTS)
async def test_no_way_out(
    sandbox: Sandbox, outside: Outside, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    attempt = ATTEMPTS[name]
    argv = (sys.executable, "-I", "-c", script_of(attempt), *outside.arguments)
    workdir = tmp_path_factory.mktemp("inside")
    result = await sandbox.run(SandboxJob(argv=argv, workdir=workdir, read_only=_INTERPRETER))
    said = result.stdout.split()
    assert said[:1] == ["held"], (result.stdout, result.stderr)
    # Landlock hides by refusing
    errors = attempt.errors | (REFUSED | {errno.EXDEV} if sandbox.kind == "landlock" else frozenset())
    assert int(said[1]) in errors, result.stdout
    assert (outside.folder / "escaped").read_text() == "untouched"


async def test_the_attempts_are_real(outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without the sandbox, what needs no power succeeds: so it is the sandbox that held it."""
    folder = tmp_path_factory.mktemp("bare")
    tried = {name: attempt for name, attempt in ATTEMPTS.items() if attempt.outside}
    assert len(tried) >= 12
    for name, attempt in tried.items():
        argv = (sys.executable, "-I", "-c", script_of(attempt), *outside.arguments)
        process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE, cwd=folder)
        said, _ = await process.communicate()
        assert said.startswith(b"ESCAPED"), (name, said)
    assert len(ATTEMPTS) >= 25


def test_what_a_job_leaves_is_read_without_following_it_anywhere(tmp_path: Path) -> None:
    """The other way out: a link, a pipe or a folder where the host expects a report."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "folder").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "folder/secret", "pipe", "folder", "absent"):
        assert read_bytes(tmp_path / name) == b"", name
    assert read_bytes(tmp_path / "secret") == b"secret"
