"""A seccomp filter (classic BPF) that takes away the kernel's entrances which no test suite needs.

The namespaces are what isolates; this makes the kernel's surface smaller (linux/seccomp.h, linux/filter.h). Refused
calls fail with an error and kill nothing, so that programs which merely probe go on.
"""

from __future__ import annotations

import errno
import os
import struct

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16
_NEW_NAMESPACES = 0x7E020080  # CLONE_NEW{CGROUP,UTS,IPC,USER,PID,NET,NS,TIME}
_SOCKET_DOMAINS = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK; the rest (AF_VSOCK) know no namespace
_X32_BIT = 0x40000000

_ARCHES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE = {"x86_64": 56, "aarch64": 220}
_UNSHARE = {"x86_64": 272, "aarch64": 97}
_SOCKET = {"x86_64": 41, "aarch64": 198}
_CLONE3 = 435
_REFUSED: dict[str, tuple[int, ...]] = {
    # ptrace, process_vm_*, keyrings, bpf, perf, userfaultfd, modules, kexec, mounts, setns, handles, accounting
    "x86_64": (101, 310, 311, 248, 249, 250, 321, 298, 323, 175, 313, 176, 246, 320, 165, 166, 155, 308, 304, 163),
    "aarch64": (117, 270, 271, 217, 218, 219, 280, 241, 282, 105, 273, 106, 104, 294, 40, 39, 41, 268, 265, 89),
}
_SHARED = {"x86_64": (29, 64, 68, 240), "aarch64": (194, 190, 186, 180)}  # shmget, semget, msgget, mq_open
_REFUSED_EVERYWHERE = (425, 426, 427, 428, 429, 430, 431, 432, 433, 442)  # io_uring, open_tree .. mount_setattr


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)


def _refuse(error: int) -> bytes:
    return _instruction(_RETURN, _ERRNO | error)


def compute_filter(machine: str | None = None, *, sockets: bool = True) -> bytes:
    """The filter's instructions for this machine (`os.uname().machine`); empty where its call numbers are not known.

    `sockets` false: none can be made at all (but pairs of them), and no memory or messages shared with other processes
    by name, for a job that has no namespaces of its own.
    """
    machine = machine or os.uname().machine
    if machine not in _ARCHES:
        return b""
    allow = _instruction(_RETURN, _ALLOW)
    reload = _instruction(_LOAD, _NUMBER)
    parts = [
        _instruction(_LOAD, _ARCH),
        _instruction(_JUMP_EQUAL, _ARCHES[machine], 1, 0),
        _refuse(errno.ENOSYS),  # calls of another architecture have other numbers
        reload,
    ]
    if machine == "x86_64":
        parts += [_instruction(_JUMP_AT_LEAST, _X32_BIT, 0, 1), _refuse(errno.ENOSYS)]
    parts += [_instruction(_JUMP_EQUAL, _CLONE3, 0, 1), _refuse(errno.ENOSYS)]  # its flags can't be read from here
    refused = (*_REFUSED[machine], *_REFUSED_EVERYWHERE)
    for number in refused if sockets else (*refused, _SOCKET[machine], *_SHARED[machine]):
        parts += [_instruction(_JUMP_EQUAL, number, 0, 1), _refuse(errno.EPERM)]
    for number in (_CLONE[machine], _UNSHARE[machine]):
        parts += [
            _instruction(_JUMP_EQUAL, number, 0, 4),
            _instruction(_LOAD, _FIRST_ARGUMENT),
            _instruction(_JUMP_ANY_BIT, _NEW_NAMESPACES, 0, 1),
            _refuse(errno.EPERM),
            allow,
        ]
    parts += [_instruction(_JUMP_EQUAL, _SOCKET[machine], 0, len(_SOCKET_DOMAINS) * 2 + 2)]
    parts += [_instruction(_LOAD, _FIRST_ARGUMENT)]
    for domain in _SOCKET_DOMAINS:
        parts += [_instruction(_JUMP_EQUAL, domain, 0, 1), allow]
    parts += [_refuse(errno.EAFNOSUPPORT), allow]
    return b"".join(parts)
