"""Makes the demo's git repository: the shop on `main`, and a branch for each patch in `patches/`."""

from __future__ import annotations

import email
import email.policy
import os
import shutil
import subprocess
from pathlib import Path

import msgspec

from greenlane.domain.errors import FinalError, InputError

HERE = Path(__file__).parent
SERVICE = HERE / "service"
PATCHES = HERE / "patches"

_OWNER = ("Priya Raman", "priya.raman@teashop.example")
_BEGUN = "2025-03-01T08:00:00+0100"


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """A mailed patch (`git format-patch`), read."""

    branch: str
    author: str
    address: str
    date: str
    message: str
    diff: bytes


def read_patch(path: Path) -> Patch:
    head, mark, diff = path.read_bytes().partition(b"\ndiff --git ")
    mail = email.message_from_bytes(head.partition(b"\n")[2], policy=email.policy.default)
    sender = mail["From"].addresses[0]
    subject = str(mail["Subject"]).removeprefix("[PATCH] ")
    return Patch(
        branch=path.stem,
        author=sender.display_name,
        address=sender.addr_spec,
        date=str(mail["Date"]),
        message=f"{subject}\n\n{mail.get_content().strip()}\n",
        diff=mark[1:] + diff,
    )


def make_repository(folder: Path) -> tuple[str, ...]:
    """Make the repository in an empty or absent folder, with `main` checked out; its branches, in order.

    The same files give the same commits, whoever makes it and whenever. Raises InputError if the folder is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not an empty folder", hint="give the demo a folder of its own")
    shutil.copytree(
        SERVICE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache", "*.pyc")
    )
    git = _Repository(folder)
    git.run("init", "--quiet", "--initial-branch=main")
    git.commit("The shop as it runs today", *_OWNER, _BEGUN)
    patches = [read_patch(path) for path in sorted(PATCHES.glob("*.patch"))]
    for patch in patches:
        git.run("switch", "--quiet", "--create", patch.branch, "main")
        git.run("apply", "--index", "-", stdin=patch.diff)
        git.commit(patch.message, patch.author, patch.address, patch.date)
        git.run("switch", "--quiet", "main")
    return tuple(patch.branch for patch in patches)


def write_commit(folder: Path, commit: str, path: Path) -> None:
    """Write a commit, message and diff, into a file."""
    shown = _Repository(folder).run("show", "--no-color", "--no-ext-diff", "--no-textconv", "--end-of-options", commit)
    path.write_bytes(shown)


class _Repository:
    """Git in the folder that is being made; nobody's settings have a part in it."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("git")
        if program is None:
            raise InputError("the program `git` was not found", hint="install git and put it on the PATH")
        self._program = program
        self._folder = folder

    def commit(self, message: str, name: str, address: str, date: str) -> None:
        self.run("add", "--all")
        people = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", name), ("EMAIL", address), ("DATE", date))
        }
        self.run("commit", "--quiet", "--no-verify", "--file=-", stdin=message.encode(), people=people)

    def run(self, *args: str, stdin: bytes = b"", people: dict[str, str] | None = None) -> bytes:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
        }
        done = subprocess.run(
            [self._program, "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", *args],
            cwd=self._folder,
            env=environment | (people or {}),
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        if done.returncode != 0:
            words = done.stderr.decode("utf-8", "replace").strip()
            raise FinalError(f"git {args[0]} failed in {self._folder}: {words}", hint="is the disk full?")
        return done.stdout
