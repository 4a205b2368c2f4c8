"""Calling the `git` program: argv only, a clean environment, bounded time and output. Used by this room alone.

The repository may hold whatever a pull request's author put there, so nothing of it is executed: no hooks, no file
system monitor, no external diff or text conversion, no protocol to fetch missing objects by. Reading commands see the
repository as a bare one without an index, so that attributes of a checked-out branch can't change what a diff or a
merge says.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from greenlane.domain.errors import FinalError, InputError, RetryableError

OLDEST_GIT = (2, 38)
"""`git merge-tree --write-tree` came with this version."""

OUTPUT_LIMIT = 64 << 20
"""Bytes of output that are held in memory at most; a list of all files of a very large repository fits."""

TIMEOUT_S = 120.0
"""One call on a repository of some gigabytes stays far under this; a hung file system does not."""

_NO_INDEX = {"GIT_INDEX_FILE": "/nonexistent/index"}
"""Git reads attributes from the index when there is no working tree; what is checked out must not decide."""

_OBJECT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

_CONFIG = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.quotePath=true",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "protocol.allow=never",
    "safe.directory=*",
    "gc.auto=0",
    "maintenance.auto=false",
    "i18n.commitEncoding=UTF-8",
    "i18n.logOutputEncoding=UTF-8",
    "log.showSignature=false",
    "merge.renames=true",
    "merge.directoryRenames=conflict",
    "diff.renameLimit=1000",
    "merge.renameLimit=1000",
    "diff.suppressBlankEmpty=false",
    "submodule.recurse=false",
)


def _git_program() -> str:
    found = shutil.which("git")
    if found is None:
        raise InputError("the program `git` was not found", hint="install git (2.38 or later) and put it on the PATH")
    return found


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    clean = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "TZ": "UTC",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_EDITOR": "false",
        "GIT_PAGER": "cat",
    }
    return clean | dict(extra)


def require_object(name: str) -> str:
    """The full object name itself; raises InputError for anything else, so that it is never taken for an option."""
    if not _OBJECT.fullmatch(name):
        raise InputError(f"{name[:80]!r} is not a full commit name", hint="give the 40 hexadecimal digits of a commit")
    return name


class GitFailedError(FinalError):
    """A call of git ended with an exit code that its caller did not expect."""

    def __init__(self, command: str, code: int, stderr: str) -> None:
        last = stderr.strip().splitlines()[-1] if stderr.strip() else "no message"
        super().__init__(f"git {command} failed with exit code {code}: {last}")
        self.code = code
        self.stderr = stderr


class Git:
    """The git program on one repository. Calls block: run them in a thread."""

    def __init__(self, path: Path) -> None:
        self._program = _git_program()
        self._require_version()
        if not path.is_dir():
            raise InputError(f"{path} is not a folder", hint="give the path of a git repository")
        self.git_dir, self.root = self._discover(path)

    def _require_version(self) -> None:
        text = subprocess.run([self._program, "version"], capture_output=True, timeout=30, check=False).stdout.decode()
        found = re.search(r"(\d+)\.(\d+)", text)
        if found is None or (int(found[1]), int(found[2])) < OLDEST_GIT:
            raise InputError(
                f"git is too old: {text.strip() or 'unknown version'}",
                hint=f"install git {'.'.join(map(str, OLDEST_GIT))} or later",
            )

    def _discover(self, path: Path) -> tuple[Path, Path]:
        ask = ("rev-parse", "--path-format=absolute", "--git-common-dir", "--is-bare-repository")
        try:
            out = self._call(("-C", str(path.absolute())), ask, ok=(0,)).decode("utf-8", "surrogateescape")
        except GitFailedError as error:
            raise InputError(
                f"{path} is not in a git repository", hint="run `git init` there, or give the path of a repository"
            ) from error
        git_dir, bare = out.splitlines()[:2]
        if bare == "true":
            return Path(git_dir), Path(git_dir)
        top = self._call(("-C", str(path.absolute())), ("rev-parse", "--show-cdup"), ok=(0, 128))
        return Path(git_dir), (path / os.fsdecode(top.strip())).resolve()

    def run(
        self,
        *args: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        ok: tuple[int, ...] = (0,),
        limit: int = OUTPUT_LIMIT,
    ) -> bytes:
        """What git printed. Raises GitFailedError for an exit code not in `ok`."""
        return self._call(self._bare, args, stdin=stdin, env=_NO_INDEX | dict(env or {}), ok=ok, limit=limit)

    def run_in(
        self, worktree: Path, *args: str, ok: tuple[int, ...] = (0,), env: Mapping[str, str] | None = None
    ) -> bytes:
        """Like `run`, in a checked-out working tree."""
        return self._call(("-C", str(worktree)), args, ok=ok, env=env or {})

    def succeeds(self, *args: str) -> bool:
        """Whether git answers with exit code 0 rather than 1."""
        with self.start(*args, stdin=subprocess.DEVNULL) as process:
            code = process.wait(TIMEOUT_S)
        if code not in (0, 1):
            raise GitFailedError(args[0], code, "")
        return code == 0

    def text(self, *args: str, ok: tuple[int, ...] = (0,)) -> str:
        return self.run(*args, ok=ok).decode("utf-8", "replace").strip()

    @property
    def _bare(self) -> tuple[str, ...]:
        return ("--bare", f"--git-dir={self.git_dir}")

    def _argv(self, place: tuple[str, ...], args: tuple[str, ...]) -> list[str]:
        config = [part for setting in _CONFIG for part in ("-c", setting)]
        return [self._program, *place, *config, *args]

    @contextlib.contextmanager
    def start(self, *args: str, stdin: int = subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
        """A git process to talk to; it is gone when the block ends, and killed when it takes too long."""
        with subprocess.Popen(
            self._argv(self._bare, args),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(_NO_INDEX),
            cwd=self.git_dir,
            start_new_session=True,
        ) as process:
            timer = threading.Timer(TIMEOUT_S, process.kill)
            timer.daemon = True
            timer.start()
            try:
                yield process
            except BaseException:
                process.kill()
                raise
            finally:
                timer.cancel()

    def _call(
        self,
        place: tuple[str, ...],
        args: tuple[str, ...],
        *,
        ok: tuple[int, ...],
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        limit: int = OUTPUT_LIMIT,
    ) -> bytes:
        if any("\0" in arg for arg in args):
            raise InputError("a name holds a zero byte", hint="names of branches and files can't contain one")
        with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as given:
            given.write(stdin)
            given.seek(0)
            with subprocess.Popen(
                self._argv(place, args),
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_environment(env or {}),
                cwd="/",
                start_new_session=True,
            ) as process:
                out, late = _read_bounded(process, limit)
            errors.seek(0)
            stderr = errors.read(1 << 16).decode("utf-8", "replace")
        if late:
            raise RetryableError(
                f"git {args[0]} took longer than {TIMEOUT_S:.0f} s", hint="look at the repository's disk"
            )
        if len(out) > limit:
            raise FinalError(f"git {args[0]} printed more than {limit >> 20} MB", hint="the repository is too large")
        if process.returncode not in ok:
            if "Unable to create" in stderr and ".lock" in stderr:
                raise RetryableError(f"git {args[0]}: the repository is locked by another process", hint=stderr.strip())
            raise GitFailedError(args[0], process.returncode, stderr)
        return out


def _read_bounded(process: subprocess.Popen[bytes], limit: int) -> tuple[bytes, bool]:
    """What the process prints, up to one byte over the limit, and whether it had to be stopped for its time."""
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(TIMEOUT_S, stop)
    timer.daemon = True
    timer.start()
    try:
        out = _stdout(process).read(limit + 1)
        if len(out) > limit:
            process.kill()
        process.wait()
    finally:
        timer.cancel()
    return out, late.is_set()


def _stdout(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout
