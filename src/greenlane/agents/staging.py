"""The staging agent: builds the merge of base and head, starts it beside the current version, and looks at both."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from greenlane.agents.base import Yielded
from greenlane.agents.openapi_smoke import documented_requests
from greenlane.agents.production import (
    build_commit,
    explain,
    instance_id,
    retire_staging,
    service_named,
    tail_of,
    url_of,
)
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.contract import DocumentedGet
from greenlane.domain.delivery import Check, DeploymentSpec, Instance, Usage
from greenlane.domain.errors import ChangeError, FinalError, GreenlaneError, MergeConflictError
from greenlane.domain.service_settings import HttpCheck, Service
from greenlane.domain.settings import Settings
from greenlane.policy.staging import Observation, StagingVerdict, assess_staging, compute_deltas, compute_quantile
from greenlane.ports.clock import Clock
from greenlane.ports.code_host import CodeHost, SourceControl
from greenlane.ports.platform import Builder, Platform
from greenlane.ports.probe import Probe
from greenlane.ports.traffic import Traffic
from greenlane.prompts.redaction import redact_log

_LOOKS = 20
"""How often both versions are looked at while they are collected: enough for a trend, too few to be load."""
_PROBE_TIMEOUT_S = 5.0
"""A smoke request that takes longer has failed."""


class StagingAgent:
    """`tests.complete` -> `staging.complete`. The deployment agent sends a change back here when the base moved."""

    stage = e.Stage.STAGING
    version = "1"
    listens_to: tuple[type[e.Event], ...] = (e.TestsComplete, e.HumanApproved, e.BaseMoved)

    def __init__(
        self,
        *,
        source: SourceControl,
        code_host: CodeHost,
        builder: Builder,
        platform: Platform,
        traffic: Traffic,
        probe: Probe,
        clock: Clock,
        settings: Settings,
        work_dir: Path,
    ) -> None:
        self._source = source
        self._code_host = code_host
        self._builder = builder
        self._platform = platform
        self._traffic = traffic
        self._probe = probe
        self._clock = clock
        self._settings = settings
        self._work_dir = work_dir

    async def act(self, change: Change) -> AsyncIterator[Yielded]:
        attempt = 1 + len(change.all_of(e.BaseMoved)) + len(change.all_of(e.RunFailed))
        begun = {s.service: s for s in change.all_of(e.StagingStarting) if s.attempt == attempt}
        if begun:
            first = next(iter(begun.values()))
            base, merge = first.base_sha, first.merge_sha
        else:
            await retire_staging(change, platform=self._platform, fence=change.fence)
            base = await self._code_host.head_of(change.opened.base_branch)
            try:
                merge = await self._source.merge(base, change.head_sha, message=merge_message(change))
            except MergeConflictError as error:
                yield _blocked(change, base, "", error, ())
                return
        names = change.review.services if change.review else ()
        services = tuple(service_named(self._settings, name) for name in names)
        deployable = tuple(s for s in services if s.is_deployed)
        if not deployable:
            yield _nothing_to_stage(change, base, merge, services)
            return
        for service in deployable:
            if service.name not in begun:
                yield self._starting(change, service, base, merge, attempt)
        try:
            staged = await self._stage(change, deployable, base, merge, attempt)
        except ChangeError as error:
            log = await self._log_of(change, deployable, merge, attempt)
            await self._retire(change, deployable, base, merge, attempt)
            yield _blocked(change, base, merge, error, log)
            return
        except FinalError:
            await self._retire(change, deployable, base, merge, attempt)
            raise
        complete = _complete(change, base, merge, staged, self._settings.staging.collect_s)
        if not complete.proceed:
            await self._retire(change, deployable, base, merge, attempt)
        yield complete

    def _starting(self, change: Change, service: Service, base: str, merge: str, attempt: int) -> e.StagingStarting:
        return e.StagingStarting(
            service=service.name,
            deployment_id=instance_id(change.run, "staging", service.name, merge, attempt),
            base_sha=base,
            merge_sha=merge,
            attempt=attempt,
            why=explain(
                change,
                "stage",
                f"The merge {merge[:10]} of base {base[:10]} and head {change.head_sha[:10]} is built and started in "
                f"staging beside the current version of {service.name} (attempt {attempt}).",
                inputs=(e.Input("base", base), e.Input("head", change.head_sha)),
            ),
        )

    async def _stage(
        self, change: Change, services: tuple[Service, ...], base: str, merge: str, attempt: int
    ) -> _Staged:
        """Every service started, smoke-tested and collected. Raises ChangeError if the merge is at fault."""
        pairs: list[tuple[Service, Instance, Instance | None]] = []
        for service in services:
            current = await self._start_current(change, service, base, attempt)
            candidate = await self._start(change, service, merge, attempt)
            pairs.append((service, candidate, current))
        documented = {s.name: await self._documented(s, merge) for s in services}
        watches = [_Watch(s, i) for s, candidate, current in pairs for i in (candidate, current) if i is not None]
        for watch in watches:
            watch.checks = await self._smoke(watch.service, watch.instance)
            watch.checks += [
                await self._probe.documented(url_of(watch.instance), request, timeout_s=_PROBE_TIMEOUT_S)
                for request in documented[watch.service.name]
            ]
        await self._collect(watches)
        seen = {w.instance.deployment_id: w.observation() for w in watches}
        staged, verdicts = [], []
        deltas: list[e.PerformanceDelta] = []
        for service, candidate, current in pairs:
            mine, other = seen[candidate.deployment_id], seen[current.deployment_id] if current else None
            verdicts.append(assess_staging(service.name, mine, other))
            deltas += compute_deltas(service.name, mine, other)
            staged.append(_staged(service, candidate, current, mine))
        return _Staged(services=tuple(staged), verdicts=tuple(verdicts), deltas=tuple(deltas))

    async def _documented(self, service: Service, merge: str) -> tuple[DocumentedGet, ...]:
        """What the service's OpenAPI document says can be asked, as the merge has it."""
        if not self._settings.staging.openapi_smoke:
            return ()
        self._work_dir.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{service.name}-contract-", dir=self._work_dir))
        try:
            await self._source.export(merge, folder / "source")
            return await asyncio.to_thread(documented_requests, folder / "source", service)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _start(self, change: Change, service: Service, commit: str, attempt: int) -> Instance:
        artifact = await build_commit(
            service, commit, source=self._source, builder=self._builder, work_dir=self._work_dir
        )
        spec = DeploymentSpec(
            deployment_id=instance_id(change.run, "staging", service.name, commit, attempt),
            service=service.name,
            artifact=artifact,
            environment="staging",
        )
        return await self._platform.deploy(service, spec, fence=change.fence)

    async def _start_current(self, change: Change, service: Service, base: str, attempt: int) -> Instance | None:
        """The base version, or None where the base has none: nothing serves, and the change adds the service."""
        try:
            return await self._start(change, service, base, attempt)
        except ChangeError as error:
            if await self._is_added(change, service):
                return None
            raise FinalError(
                f"the current version {base[:10]} of {service.name} does not run in staging: {error.message}",
                hint=error.hint or "mend the base branch first; then approve to try again",
            ) from error

    async def _is_added(self, change: Change, service: Service) -> bool:
        """Whether production has nothing of this service and every file of it in the change is new."""
        if await self._traffic.observe(service.name) is not None:
            return False
        diff = await self._source.diff(change.opened.merge_base_sha, change.head_sha)
        return bool(diff.files) and all(f.status == "added" for f in diff.files)

    async def _smoke(self, service: Service, instance: Instance) -> list[Check]:
        checks = [
            await self._probe.check(url_of(instance), check, timeout_s=_PROBE_TIMEOUT_S) for check in _checks(service)
        ]
        if service.commands.smoke:
            checks.append(
                await self._builder.exercise(
                    service,
                    instance.artifact,
                    service.commands.smoke,
                    name="smoke command",
                    url=url_of(instance),
                    timeout_s=self._settings.validation.test_timeout_s,
                )
            )
        return checks

    async def _collect(self, watches: list[_Watch]) -> None:
        """Look at every version for the configured time: is it alive, what does it use, how fast is it?"""
        collect_s, clock = self._settings.staging.collect_s, self._clock
        begun_s = clock.monotonic_s()
        while True:
            await asyncio.gather(*(self._look(watch) for watch in watches))
            if clock.monotonic_s() - begun_s >= collect_s:
                return
            await clock.sleep(collect_s / _LOOKS)

    async def _look(self, watch: _Watch) -> None:
        if not watch.alive:
            return
        if await self._platform.find(watch.instance.deployment_id) is None:
            watch.alive = False
            return
        usage, watch.log = await self._platform.inspect(watch.instance.deployment_id)
        watch.usage.append(usage)
        for check in _checks(watch.service):
            if check.method in ("GET", "HEAD"):
                answer = await self._probe.check(url_of(watch.instance), check, timeout_s=_PROBE_TIMEOUT_S)
                watch.latencies_ms.append(answer.seconds * 1000)
                if not answer.passed and answer.name not in {c.name for c in watch.checks if not c.passed}:
                    watch.checks.append(answer)

    async def _retire(self, change: Change, services: tuple[Service, ...], base: str, merge: str, attempt: int) -> None:
        for service in services:
            for commit in (merge, base):
                name = instance_id(change.run, "staging", service.name, commit, attempt)
                await self._platform.retire(name, fence=change.fence)

    async def _log_of(self, change: Change, services: tuple[Service, ...], merge: str, attempt: int) -> tuple[str, ...]:
        """The last lines of each candidate's log, where there is one."""
        tails = []
        for service in services:
            name = instance_id(change.run, "staging", service.name, merge, attempt)
            try:
                tails.append(redact_log(tail_of((await self._platform.inspect(name))[1])))
            except GreenlaneError:  # it never started, so it has no log: the error itself says why
                continue
        return tuple(t for t in tails if t)


class _Staged(msgspec.Struct, frozen=True, kw_only=True):
    """What came of all services."""

    services: tuple[e.StagedService, ...]
    verdicts: tuple[StagingVerdict, ...]
    deltas: tuple[e.PerformanceDelta, ...]


class _Watch:
    """One version of a service while it is looked at."""

    def __init__(self, service: Service, instance: Instance) -> None:
        self.service = service
        self.instance = instance
        self.alive = True
        self.usage: list[Usage] = []
        self.checks: list[Check] = []
        self.latencies_ms: list[float] = []
        self.log = ""

    def observation(self) -> Observation:
        return Observation(
            alive=self.alive,
            usage=tuple(self.usage),
            checks=tuple(self.checks),
            latencies_ms=tuple(self.latencies_ms),
            log=redact_log(self.log),
        )


def merge_message(change: Change) -> str:
    """The message of the merge commit: the same each time, so that the commit is the same."""
    opened = change.opened
    return (
        f"Merge pull request #{opened.pr_number} from {opened.branch}\n\n{opened.title}\n\nGreenlane-Run: {change.run}"
    )


def _checks(service: Service) -> tuple[HttpCheck, ...]:
    return (HttpCheck(path=service.health.path), *service.smoke)


def _staged(service: Service, candidate: Instance, current: Instance | None, seen: Observation) -> e.StagedService:
    last = seen.usage[-1] if seen.usage else Usage(cpu_s=0.0, rss_mb=0.0, processes=0)
    return e.StagedService(
        service=service.name,
        candidate=candidate,
        current=current,
        checks=seen.checks,
        cpu_s=last.cpu_s,
        rss_mb=last.rss_mb,
        p50_ms=compute_quantile(seen.latencies_ms, 0.50),
        p99_ms=compute_quantile(seen.latencies_ms, 0.99),
    )


def _complete(
    change: Change,
    base: str,
    merge: str,
    seen: _Staged,
    collect_s: float,
) -> e.StagingComplete:
    staged, verdicts = seen.services, seen.verdicts
    failures = [text for v in verdicts for text in v.failures]
    regressions = tuple(text for v in verdicts for text in v.regressions)
    anomalies = tuple(text for v in verdicts for text in v.anomalies)
    parts = [
        f"{s.service}: {s.candidate.artifact.digest[:19]} passed {sum(c.passed for c in s.checks)} of {len(s.checks)} "
        f"checks, {s.rss_mb:.0f} MB, p50 {s.p50_ms:.1f} ms, p99 {s.p99_ms:.1f} ms over {collect_s:g} s"
        for s in staged
    ]
    heading = "Staging failed: " + "; ".join(failures) if failures else "The merge runs well in staging"
    remarks = f" Remarks: {'; '.join(anomalies)}." if anomalies else ""
    rules = ["staging.check_failed"] * bool(failures) + ["staging.regression"] * bool(regressions)
    return e.StagingComplete(
        proceed=not failures,
        staging_healthy=not failures,
        base_sha=base,
        merge_sha=merge,
        services=staged,
        regressions_detected=regressions,
        anomalies=anomalies,
        performance_delta=seen.deltas,
        why=explain(
            change,
            "block" if failures else "proceed",
            f"{heading}. {'; '.join(parts)}.{remarks}",
            *rules,
            *(["staging.anomaly"] if anomalies else []),
            artifact=staged[0].candidate.artifact,
            inputs=[e.Input(f"artifact:{s.service}", s.candidate.artifact.digest) for s in staged],
        ),
    )


def _nothing_to_stage(change: Change, base: str, merge: str, services: tuple[Service, ...]) -> e.StagingComplete:
    touched = ", ".join(s.name for s in services)
    reason = f"of the services it touches ({touched}) none has a start command" if touched else "it touches no service"
    return e.StagingComplete(
        proceed=True,
        staging_healthy=True,
        base_sha=base,
        merge_sha=merge,
        why=explain(
            change,
            "proceed",
            f"Nothing of this change is deployed: {reason}. It merges with base {base[:10]} as {merge[:10]}.",
            "staging.nothing_deployable",
        ),
    )


def _blocked(change: Change, base: str, merge: str, error: ChangeError, log: tuple[str, ...]) -> e.StagingComplete:
    told = [text for text in log if text.splitlines()[-1] not in error.message]
    parts = [error.message, error.hint, *(f"Last lines of its log:\n{text}" for text in told)]
    rule = "staging.merge_conflict" if isinstance(error, MergeConflictError) else f"staging.{type(error).__name__}"
    return e.StagingComplete(
        proceed=False,
        staging_healthy=False,
        base_sha=base,
        merge_sha=merge,
        why=explain(change, "block", ". ".join(p.rstrip(".") for p in parts if p) + ".", rule),
    )
