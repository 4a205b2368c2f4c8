"""The launcher of `NamespaceSandbox`: makes the namespaces, the private file system and the limits, then runs the job.

A program of its own, never imported by Greenlane: it uses nothing but the standard library (and little of that: each
import is paid at each job), and is single-threaded, as unshare(2) demands. Three processes come of it: the *outer*
one makes the namespaces and waits; *init* is process 1 of the new PID namespace, prepares the file system and reaps;
the *job* is its child. When init ends, for whatever reason, the kernel kills everything else in the namespace.

Needs Linux 5.12 or later (mount_setattr) with unprivileged user namespaces, or root.
"""

from __future__ import annotations

import ctypes
import fcntl
import marshal
import os
import resource
import select
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH = 2
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV, ATTR_NOEXEC = 1, 2, 4, 8
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 1, 22, 24, 38, 47
PR_CAP_AMBIENT_CLEAR_ALL, SECCOMP_MODE_FILTER = 4, 2
SYS_MOUNT_SETATTR = 442  # the same number on every architecture
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
SYS_KEYCTL = {"x86_64": 250, "aarch64": 219}
KEYCTL_JOIN_SESSION_KEYRING = 1
SIOCSIFFLAGS, IFF_UP, AF_INET, SOCK_DGRAM = 0x8914, 0x1, 2, 2
SIGINT, SIGKILL, SIGPIPE, SIGXFSZ, SIG_DFL = 2, 9, 13, 25, 0
LAST_CAPABILITY = 63
DEVICES = ("null", "zero", "full", "random", "urandom")
MACHINE = os.uname().machine

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(numbers: dict[str, int] | int, what: str, *args: Any) -> int:
    number = numbers if isinstance(numbers, int) else numbers.get(MACHINE)
    if number is None:
        raise OSError(f"{what}: not known on {MACHINE}")
    return check(libc.syscall(ctypes.c_long(number), *args), what)


def prctl(option: int, first: Any = 0, second: Any = 0) -> int:
    zero = ctypes.c_ulong(0)
    return libc.prctl(ctypes.c_int(option), ctypes.c_ulong(first), ctypes.c_ulong(second), zero, zero)  # type: ignore[no-any-return]  # ctypes


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    arguments = (source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), data.encode() or None)
    check(libc.mount(*arguments), f"mount {kind or 'bind'} on {target}")


def restrict(target: str, attributes: int, *, recursive: bool) -> None:
    """Set mount attributes on top of those that are there (mount_setattr(2)); none is ever cleared."""
    block = ctypes.create_string_buffer(struct.pack("=QQQQ", attributes, 0, 0, 0), 32)
    flags = AT_RECURSIVE if recursive else 0
    syscall(
        SYS_MOUNT_SETATTR, f"mount_setattr {target}", ctypes.c_int(AT_FDCWD), ctypes.c_char_p(target.encode()),
        ctypes.c_uint(flags), block, ctypes.c_size_t(32),
    )  # fmt: skip


def write_text(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:  # noqa: PTH123 - files of /proc, one write each
        file.write(text)


def touch(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def read_spec() -> dict[str, Any]:
    """What this program is told. The same interpreter wrote it; a JSON decoder would cost half the start."""
    spec: dict[str, Any] = marshal.loads(bytes.fromhex(sys.argv[1]))
    return spec


def report_number(report: int, name: str, number: int) -> None:
    os.write(report, f'{{"{name}": {number}}}\n'.encode())


def report_error(report: int, error: Exception) -> None:
    text = "".join(c if " " <= c <= "~" and c not in '"\\' else "?" for c in str(error))
    os.write(report, f'{{"error": "{text}"}}\n'.encode())


def enter_namespaces(spec: dict[str, Any]) -> None:
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        os.setgroups([])
    flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP
    if not spec["network"]:
        flags |= CLONE_NEWNET
    if uid == 0:
        unshare_as_root(spec, flags)
        return
    check(libc.unshare(ctypes.c_int(flags)), "unshare")
    write_text("/proc/self/setgroups", "deny")
    write_text("/proc/self/uid_map", f"{spec['uid']} {uid} 1\n")
    write_text("/proc/self/gid_map", f"{spec['gid']} {gid} 1\n")


def unshare_as_root(spec: dict[str, Any], flags: int) -> None:
    """Root prepares the namespace as its root and then becomes a user who is nobody outside. Two ids can be mapped
    only from outside the namespace, so a helper that stays there does it."""
    ready, begun = os.pipe()
    target = os.getpid()
    helper = os.fork()
    if helper == 0:
        os.close(begun)
        os.read(ready, 1)
        try:
            for name, inside in (("uid_map", spec["uid"]), ("gid_map", spec["gid"])):
                write_text(f"/proc/{target}/{name}", f"0 0 1\n{inside} {spec['stranger']} 1\n")
        except OSError:
            os._exit(1)
        os._exit(0)
    check(libc.unshare(ctypes.c_int(flags)), "unshare")
    write_text("/proc/self/setgroups", "deny")
    os.close(begun)
    os.close(ready)
    if os.waitpid(helper, 0)[1] != 0:
        raise OSError("the user ids could not be mapped")


def place(root: str, entry: dict[str, Any]) -> None:
    """Put one entry of the view under `root`; sources are looked up in the old root."""
    kind, target = entry["kind"], root + entry["target"]
    if kind == "symlink":
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120 - plain strings suit mount(2)
        os.symlink(entry["source"], target)  # noqa: PTH211 - likewise
        return
    source = "/old" + entry["source"]
    if kind in {"tmpfs", "proc", "dev"} or os.path.isdir(source):  # noqa: PTH112 - likewise
        os.makedirs(target, exist_ok=True)  # noqa: PTH103 - likewise
    elif not os.path.exists(target):  # noqa: PTH110 - likewise; it may lie in a folder that is shown already
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120 - likewise
        touch(target)
    if kind == "tmpfs":
        mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, f"size={entry['size_mb']}m,mode=1777")
    elif kind == "proc":
        mount("proc", target, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    elif kind == "dev":
        make_devices(target, entry["size_mb"])
    else:
        mount(source, target, "", MS_BIND | MS_REC)
        restrict(target, ATTR_NOSUID | ATTR_NODEV | (0 if kind == "bind" else ATTR_RDONLY), recursive=True)


def make_devices(target: str, size_mb: int) -> None:
    mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NOEXEC, "size=1m,mode=755")
    for name in DEVICES:
        touch(f"{target}/{name}")
        mount(f"/old/dev/{name}", f"{target}/{name}", "", MS_BIND)
        restrict(f"{target}/{name}", ATTR_NOSUID | ATTR_NOEXEC, recursive=False)
    links = (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2"))
    for name, end in links:
        os.symlink(f"/proc/self/fd{end}", f"{target}/{name}")  # noqa: PTH211 - likewise
    for name in ("shm", "pts"):
        os.mkdir(f"{target}/{name}")  # noqa: PTH102 - likewise
    mount("tmpfs", f"{target}/shm", "tmpfs", MS_NOSUID | MS_NODEV, f"size={size_mb}m,mode=1777")
    mount("devpts", f"{target}/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    os.symlink("pts/ptmx", f"{target}/ptmx")  # noqa: PTH211 - likewise
    restrict(target, ATTR_RDONLY, recursive=False)


def build_root(view: list[dict[str, Any]]) -> None:
    """A root of our own that holds the view and nothing else; the old one is gone afterwards (pivot_root(2))."""
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,mode=755")
    os.mkdir("/tmp/new", 0o755)  # noqa: PTH102 - before any path helper could look outside
    os.mkdir("/tmp/old", 0o755)  # noqa: PTH102 - likewise
    syscall(SYS_PIVOT_ROOT, "pivot_root", ctypes.c_char_p(b"/tmp"), ctypes.c_char_p(b"/tmp/old"))
    os.chdir("/")
    mount("tmpfs", "/new", "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,mode=755")
    for entry in view:
        place("/new", entry)
    os.chdir("/new")
    syscall(SYS_PIVOT_ROOT, "pivot_root", ctypes.c_char_p(b"."), ctypes.c_char_p(b"."))
    check(libc.umount2(b".", ctypes.c_int(MNT_DETACH)), "umount of the old root")
    os.chdir("/")


def raise_loopback() -> None:
    probe = check(libc.socket(ctypes.c_int(AF_INET), ctypes.c_int(SOCK_DGRAM), ctypes.c_int(0)), "socket")
    fcntl.ioctl(probe, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    os.close(probe)


def forbid_more_namespaces() -> None:
    write_text("/proc/sys/user/max_user_namespaces", "0")
    restrict("/proc", ATTR_RDONLY, recursive=True)  # /proc/sys too: as root it would be the host's own
    restrict("/", ATTR_RDONLY, recursive=False)


def drop_privileges(seccomp: bytes, uid: int, gid: int) -> None:
    for capability in range(LAST_CAPABILITY + 1):
        if prctl(PR_CAPBSET_DROP, capability) < 0:
            break  # the first number that the kernel does not know
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    if MACHINE in SYS_KEYCTL:  # leave the keyring of whoever started us
        libc.syscall(ctypes.c_long(SYS_KEYCTL[MACHINE]), ctypes.c_int(KEYCTL_JOIN_SESSION_KEYRING), None)
    if os.getuid() == 0:
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        prctl(PR_SET_PDEATHSIG, SIGKILL)  # a new user id takes it away
    header = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0), 8)
    nothing = ctypes.create_string_buffer(24)
    syscall(SYS_CAPSET, "capset", header, nothing)
    check(prctl(PR_SET_NO_NEW_PRIVS, 1), "no_new_privs")
    filter_calls(seccomp)


def filter_calls(seccomp: bytes) -> None:
    """Refuse what the filter refuses, from now on and in all children; without instructions, nothing."""
    if seccomp:
        instructions = ctypes.create_string_buffer(seccomp, len(seccomp))
        program = struct.pack("HxxxxxxQ", len(seccomp) // 8, ctypes.addressof(instructions))
        holder = ctypes.create_string_buffer(program, len(program))
        check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(holder)), "seccomp")


def run_job(spec: dict[str, Any]) -> NoReturn:
    os.setsid()
    for number in (SIGPIPE, SIGXFSZ, SIGINT):  # Python changed these; the job starts with defaults
        libc.signal(ctypes.c_int(number), ctypes.c_void_p(SIG_DFL))
    for name, limit in spec["limits"]:
        resource.setrlimit(getattr(resource, name), (limit, limit))
    os.umask(0o022)
    os.chdir(spec["cwd"])
    environment = dict(spec["env"])
    try:
        os.execvpe(spec["argv"][0], spec["argv"], environment)
    except OSError as error:
        os.write(2, f"{spec['argv'][0]}: {error.strerror}\n".encode())
        os._exit(127)


def exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def run_init(spec: dict[str, Any], outer_alive: int) -> NoReturn:
    prctl(PR_SET_PDEATHSIG, SIGKILL)
    report = spec["status_fd"]
    try:
        os.setsid()
        build_root(spec["view"])
        check(libc.sethostname(b"sandbox", ctypes.c_size_t(7)), "sethostname")
        if not spec["network"]:
            raise_loopback()
        forbid_more_namespaces()
        drop_privileges(bytes.fromhex(spec["seccomp"]), spec["uid"], spec["gid"])
    except Exception as error:  # whatever it is: the job must not run, and the reason is reported
        report_error(report, error)
        os._exit(1)
    if select.select([outer_alive], [], [], 0)[0]:
        os._exit(1)  # the outer process ended before the parent-death signal could bind us to it
    job = os.fork()
    if job == 0:
        run_job(spec)
    for descriptor in (0, 1, 2):  # output ends when the job's own descriptors are closed
        os.close(descriptor)
    while True:
        ended, status = os.wait()
        if ended == job:
            report_number(report, "exit-code", exit_code(status))
            os._exit(0)


def main() -> int:
    spec = read_spec()
    prctl(PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != spec["parent"]:
        return 1
    report = spec["status_fd"]
    os.set_inheritable(report, False)
    outer_alive, holder = os.pipe()
    try:
        if spec["group"]:
            write_text(spec["group"] + "/cgroup.procs", "0")
        enter_namespaces(spec)
    except OSError as error:
        report_error(report, error)
        return 1
    init = os.fork()
    if init == 0:
        os.close(holder)
        run_init(spec, outer_alive)
    report_number(report, "child-pid", init)
    os.waitpid(init, 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
