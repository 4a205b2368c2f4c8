"""`ProgramTests`: tests of any language that a program of the adopter's writes, through the gates that can be held from
outside. For the test agent, where `services[].tests` names a program that writes.

What fails is sent back with its reason (`validation.max_retry_passes`), and dropped if it fails again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from greenlane.domain.events import DroppedTest, WrittenTest
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.policy.program_tests import FileFacts, FileVerdict, assess_file
from greenlane.ports.environments import PythonEnvironment
from greenlane.ports.sandbox import Sandbox
from greenlane.suite.contract import Gap, NewFile, Refused, WriteCall
from greenlane.suite.program import ask_to_write, run_by_program
from greenlane.suite.runner import SuiteRequest, SuiteRun
from greenlane.testgen.faults import faults_of
from greenlane.testgen.generator import Generation
from greenlane.testgen.whole import GeneratedFile

_MAX_FAULTS = 8
"""Faults that are tried for one file, each with a run of the whole suite; fewer if one is noticed."""
_SHOWN = 500
Lines = frozenset[tuple[str, int]]


class _Judged(msgspec.Struct, frozen=True, kw_only=True):
    file: NewFile
    facts: FileFacts
    verdict: FileVerdict
    covers: Lines = frozenset()


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where tests are written: the tree at the head of the change, and the files whose lines are measured."""

    service: Service
    environment: PythonEnvironment
    tree: Path
    measured: tuple[str, ...]


class ProgramTests:
    def __init__(self, sandbox: Sandbox, settings: Settings) -> None:
        self._sandbox = sandbox
        self._settings = settings

    async def generate(
        self,
        service: Service,
        environment: PythonEnvironment,
        tree: Path,
        gaps: Mapping[str, frozenset[int]],
        baseline: SuiteRun,
    ) -> Generation:
        """Test files for the open lines of `gaps`. Raises FinalError for an answer that the contract does not have."""
        place = _Place(service=service, environment=environment, tree=tree, measured=tuple(sorted(gaps)))
        left: Lines = frozenset((path, line) for path, lines in gaps.items() for line in lines)
        kept: list[_Judged] = []
        refused: list[_Judged] = []
        for attempt in range(1, self._settings.validation.max_retry_passes + 2):
            asked = WriteCall(
                service=service.name,
                tree="",
                gaps=_gaps_of(left),
                tests_dir=service.tests_dir,
                attempt=attempt,
                refused=tuple(_refusal(judged) for judged in refused),
            )
            answer = await ask_to_write(self._sandbox, self._settings, service, environment, tree, asked)
            judged = [await self._judge(place, file, left, {k.file.path for k in kept}) for file in answer.files]
            kept += [j for j in judged if j.verdict.keep]
            again = {j.file.path for j in judged}
            lost = [j for j in refused if j.file.path not in again]  # not proposed again: its reason still stands
            refused = [j for j in judged if not j.verdict.keep]
            left -= frozenset(line for j in kept for line in j.covers)
            if not refused or not left:
                break
            refused += lost
        return await self._with_suite(place, kept, [drop for j in refused for drop in _drops(j)], baseline)

    # -------------------------------------------------------------- one file

    async def _judge(self, place: _Place, file: NewFile, left: Lines, taken: set[str]) -> _Judged:
        facts = FileFacts(misplaced=await asyncio.to_thread(_misplaced, place, file.path, taken))
        covers: Lines = frozenset()
        if not facts.misplaced:
            first = await self._run(place, SuiteRequest(select=(file.path,), extra=(_extra(file),), guard_tree=True))
            covers = frozenset((path, line) for path, line in left if line in first.executed(path))
            facts = msgspec.structs.replace(
                facts,
                disturbed=first.disturbed,
                missing=_missing(first, file),
                failure=_failure(first, file),
                new_lines=len(covers),
                suite_failures=(),  # looked at for all files together, later
            )
            if not facts.failure and not facts.missing:
                again = SuiteRequest(
                    select=(file.path,), extra=(_extra(file),), reverse=True, hash_seed=977,
                    timezone="Pacific/Kiritimati",
                )  # fmt: skip
                facts = msgspec.structs.replace(facts, failure_again=_failure(await self._run(place, again), file))
                if not facts.failure_again:
                    facts = await self._try_faults(place, file, covers, facts)
        return _Judged(file=file, facts=facts, verdict=assess_file(facts), covers=covers)

    async def _try_faults(self, place: _Place, file: NewFile, covers: Lines, facts: FileFacts) -> FileFacts:
        """Put faults into the lines that it covers, until one makes it fail. A fault under which no other test passes
        may be one that the language refuses: it is not counted."""
        noticed = tried = 0
        for path, text in (await asyncio.to_thread(_faults, place.tree, covers))[:_MAX_FAULTS]:
            run = await self._run(place, SuiteRequest(extra=(_extra(file), (path, text))))
            own = f"{file.path}::"
            sane = any(o.outcome == "passed" and not o.test.startswith(own) for o in run.outcomes)
            if not sane or run.result.stopped:
                continue
            tried += 1
            if any(o.outcome == "failed" and o.test.startswith(own) for o in run.outcomes):
                noticed += 1
                break
        return msgspec.structs.replace(facts, noticed=noticed, tried=tried)

    async def _run(self, place: _Place, request: SuiteRequest) -> SuiteRun:
        measured = msgspec.structs.replace(request, measure=place.measured)
        return await run_by_program(
            self._sandbox, self._settings, place.service, place.environment, place.tree, measured
        )

    # -------------------------------------------------------------- the whole suite

    async def _with_suite(
        self, place: _Place, kept: list[_Judged], dropped: list[DroppedTest], baseline: SuiteRun
    ) -> Generation:
        """The last gate: the whole suite with the files that are kept; those that fail in it go, then all."""
        while kept:
            run = await self._run(place, SuiteRequest(extra=tuple(_extra(j.file) for j in kept)))
            broken = tuple(test for test in run.failing if test not in set(baseline.failing))
            if not broken and not run.result.stopped and (run.passed or not baseline.passed):
                files = tuple(GeneratedFile(path=j.file.path, content=j.file.content.encode()) for j in kept)
                written = tuple(test for j in kept for test in _written(j))
                return Generation(files=files, written=written, dropped=tuple(dropped), suite=run)
            guilty = [j for j in kept if any(test.startswith(f"{j.file.path}::") for test in broken)] or kept
            for judged in guilty:
                facts = msgspec.structs.replace(judged.facts, suite_failures=broken or ("it does not pass",))
                dropped += _drops(_Judged(file=judged.file, facts=facts, verdict=assess_file(facts)))
            kept = [j for j in kept if j not in guilty]
        return Generation(dropped=tuple(dropped))


def _gaps_of(left: Lines) -> tuple[Gap, ...]:
    paths = sorted({path for path, _ in left})
    return tuple(Gap(path, tuple(sorted(line for own, line in left if own == path))) for path in paths)


def _misplaced(place: _Place, path: str, taken: set[str]) -> str:
    """Why a new file may not lie at this path; empty if it may."""
    parts = PurePosixPath(path).parts
    plain = path == "/".join(parts) and not path.startswith("/") and ".." not in parts and path.isprintable()
    folder, target = (place.tree / place.service.tests_dir).resolve(), place.tree / path
    if not plain or "\\" in path or folder not in target.resolve().parents:
        return f"it is not in {place.service.tests_dir}"
    if not folder.is_relative_to(place.tree.resolve()):
        return f"{place.service.tests_dir} leads out of the source tree"
    if any(part.startswith(".") for part in parts):
        return "its name is that of a hidden file"
    if path in taken or target.exists() or target.is_symlink():
        return "there is such a file already"
    return ""


def _extra(file: NewFile) -> tuple[str, bytes]:
    return file.path, file.content.encode()


def _missing(run: SuiteRun, file: NewFile) -> tuple[str, ...]:
    ran = {outcome.test for outcome in run.outcomes}
    return tuple(test.name for test in file.tests if f"{file.path}::{test.name}" not in ran)


def _failure(run: SuiteRun, file: NewFile) -> str:
    """Why a test of this file did not plainly pass; empty if all did. A skipped one shows nothing."""
    if run.result.stopped:
        return f"it was stopped ({run.result.stopped})"
    own = [o for o in run.outcomes if o.test.startswith(f"{file.path}::")]
    wrong = [o for o in own if o.outcome != "passed"]
    if wrong:
        return f"{wrong[0].test.partition('::')[2]}: {wrong[0].detail.strip() or wrong[0].outcome}"[:_SHOWN]
    return "" if own and run.passed else "the program does not call it passed"


def _faults(tree: Path, covers: Lines) -> list[tuple[str, bytes]]:
    """(path, the file's content with one fault in a covered line); one of each line before the second of any."""
    by_line: list[tuple[str, Sequence[str]]] = []
    for path, line in sorted(covers):
        try:
            text = (tree / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        by_line.append((path, faults_of(text, line)))
    most = max((len(texts) for _, texts in by_line), default=0)
    return [(path, texts[n].encode()) for n in range(most) for path, texts in by_line if n < len(texts)]


def _refusal(judged: _Judged) -> Refused:
    verdict = judged.verdict
    return Refused(path=judged.file.path, content=judged.file.content, gate=verdict.gate, reason=verdict.reason)


def _drops(judged: _Judged) -> list[DroppedTest]:
    return [DroppedTest(name=test.name, reason=judged.verdict.reason) for test in judged.file.tests]


def _written(judged: _Judged) -> list[WrittenTest]:
    covers = tuple(f"{path}:{line}" for path, line in sorted(judged.covers))
    return [
        WrittenTest(path=judged.file.path, name=test.name, purpose=test.purpose, covers=covers)
        for test in judged.file.tests
    ]
