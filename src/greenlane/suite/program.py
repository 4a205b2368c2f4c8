"""Runs tests of any language by a program of the adopter's, in the sandbox (`services[].tests.kind: command`).

The program comes from the settings of the base branch, but it runs beside the change's own code, which can forge what
it says: the same holds of it as of a suite of Python (`runner.py`). An answer that the contract does not have is
refused.
"""

from __future__ import annotations

import asyncio
import shlex
import shutil
from pathlib import Path
from typing import TypeVar

import msgspec

from greenlane.domain.errors import FinalError, InputError
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.ports.environments import PythonEnvironment
from greenlane.ports.sandbox import Sandbox, SandboxJob, SandboxResult
from greenlane.suite.contract import RunAnswer, RunCall, WriteAnswer, WriteCall, explain_contradiction
from greenlane.suite.files import put_files, read_bytes
from greenlane.suite.report import TestOutcome, list_disturbed
from greenlane.suite.runner import IGNORED, SuiteRequest, SuiteRun, SuiteRunner, copy_tree, work_folder

_SCRIPT = 'cd tree && exec "$@" <../out/asked.json >../out/answer.json'
_SHOWN = 1500
_HINT = "docs/test-agent.md has the contract"
Answer = TypeVar("Answer", RunAnswer, WriteAnswer)


class AnySuiteRunner:
    """Runs a service's suite by what its settings name: pytest and its like, or a program."""

    def __init__(self, sandbox: Sandbox, settings: Settings) -> None:
        self._sandbox = sandbox
        self._settings = settings
        self._python = SuiteRunner(sandbox, settings)

    async def run(
        self, service: Service, environment: PythonEnvironment, tree: Path, request: SuiteRequest
    ) -> SuiteRun:
        """As `SuiteRunner.run`. Raises FinalError if a program fails, or answers what the contract does not have."""
        if service.tests.kind == "command":
            return await run_by_program(self._sandbox, self._settings, service, environment, tree, request)
        return await self._python.run(service, environment, tree, request)


async def run_by_program(
    sandbox: Sandbox,
    settings: Settings,
    service: Service,
    environment: PythonEnvironment,
    tree: Path,
    request: SuiteRequest,
) -> SuiteRun:
    """Run the tests. Raises FinalError if the program fails, or answers what the contract does not have."""
    with work_folder() as folder:
        await asyncio.to_thread(_lay_out, folder, tree, request.extra)
        asked = RunCall(
            service=service.name,
            tree=str(folder / "tree"),
            environment=_shown(environment),
            sources=request.measure,
            select=request.select,
            order="reverse" if request.reverse else "usual",
        )
        variables = {"TZ": request.timezone, "PYTHONHASHSEED": str(request.hash_seed)}
        job = _job(settings, service, environment, folder, asked, variables, request.timeout_s)
        result = await sandbox.run(job)
        if result.stopped:
            return _run_of(RunAnswer(contract="greenlane.tests/1", passed=False, tests=()), result)
        answer = await asyncio.to_thread(_read, service, folder, result, RunAnswer)
        if contradiction := explain_contradiction(answer):
            raise FinalError(f"{_name(service)} contradicts itself: {contradiction}", hint=_HINT)
        run = _run_of(answer, result)
        if request.guard_tree:
            changed = await asyncio.to_thread(list_disturbed, tree, folder / "tree", IGNORED)
            run = msgspec.structs.replace(run, disturbed=changed)
        return run


async def ask_to_write(
    sandbox: Sandbox,
    settings: Settings,
    service: Service,
    environment: PythonEnvironment,
    tree: Path,
    asked: WriteCall,
) -> WriteAnswer:
    """The tests that the program proposes. Raises FinalError likewise, and if it takes too long."""
    with work_folder() as folder:
        await asyncio.to_thread(_lay_out, folder, tree, ())
        call = msgspec.structs.replace(asked, tree=str(folder / "tree"), environment=_shown(environment))
        result = await sandbox.run(_job(settings, service, environment, folder, call, {}, None))
        if result.stopped:
            raise FinalError(f"{_name(service)} was stopped while it wrote tests ({result.stopped})")
        return await asyncio.to_thread(_read, service, folder, result, WriteAnswer)


def _lay_out(folder: Path, tree: Path, extra: tuple[tuple[str, bytes], ...]) -> None:
    copy_tree(tree, folder / "tree")
    (folder / "out").mkdir()
    put_files(folder / "tree", extra)


def _job(
    settings: Settings,
    service: Service,
    environment: PythonEnvironment,
    folder: Path,
    asked: RunCall | WriteCall,
    variables: dict[str, str],
    timeout_s: float | None,
) -> SandboxJob:
    (folder / "out" / "asked.json").write_bytes(msgspec.json.encode(asked))
    limits = settings.sandbox
    words = _words(service)
    own = [Path(word) for word in words if word.startswith("/") and Path(word).is_file()]
    return SandboxJob(
        argv=("/bin/sh", "-c", _SCRIPT, "sh", *words),
        workdir=folder,
        read_only=(*environment.read_only, *own),
        env=tuple({"LC_ALL": "C.UTF-8", "GREENLANE_SERVICE": service.name, **variables}.items()),
        timeout_s=timeout_s or settings.validation.test_timeout_s,
        memory_mb=limits.memory_mb,
        max_processes=limits.max_processes,
        max_file_mb=limits.max_file_mb,
        max_output_bytes=limits.max_output_kb << 10,
    )


def _words(service: Service) -> list[str]:
    """The words of the command. Raises InputError where its program is not there."""
    try:
        words = shlex.split(service.tests.command or "")
    except ValueError as error:
        raise InputError(f"tests.command of {service.name} can't be read: {error}") from error
    if not words:
        raise InputError(f"tests.command of {service.name} is empty")
    first = words[0]
    if (first.startswith("/") and not Path(first).is_file()) or ("/" not in first and shutil.which(first) is None):
        raise InputError(f"tests.command of {service.name}: {first} is not on this machine")
    return words


def _shown(environment: PythonEnvironment) -> str | None:
    return str(environment.folder) if environment.folder else None


def _name(service: Service) -> str:
    return f"the tests' program of {service.name} ({(service.tests.command or '')[:80]})"


def _read(service: Service, folder: Path, result: SandboxResult, kind: type[Answer]) -> Answer:
    complained = result.stderr.strip()[-_SHOWN:]
    if result.exit_code != 0:
        raise FinalError(f"{_name(service)} ended with {result.exit_code}: {complained}", hint=_HINT)
    try:
        return msgspec.json.decode(read_bytes(folder / "out" / "answer.json"), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FinalError(f"{_name(service)} answered what the contract does not have: {error}", hint=_HINT) from error


def _run_of(answer: RunAnswer, result: SandboxResult) -> SuiteRun:
    outcomes = tuple(
        TestOutcome(test=f"{test.path}::{test.name}", when="call", outcome=test.outcome, detail=test.detail[-_SHOWN:])
        for test in answer.tests
    )
    return SuiteRun(
        passed=answer.passed and bool(answer.tests),
        outcomes=outcomes,
        no_tests=not answer.tests and not result.stopped,
        output=result.stderr.strip()[-_SHOWN:],
        result=result,
        contexts={file.path: dict.fromkeys(file.covered, frozenset({""})) for file in answer.files},
        executable={file.path: frozenset(file.executable) for file in answer.files},
    )
