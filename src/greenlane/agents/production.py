"""What staging, validation and deployment share: names, artifacts, instances, the words of a decision.

Also what the runtime calls around a run: `install_production` before the first change, `retire_previous` and
`retire_staging` after it.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from greenlane.agents.base import Yielded
from greenlane.domain import events as e
from greenlane.domain.change import Change, Recorded, apply
from greenlane.domain.delivery import Artifact, DeploymentSpec, Environment, Instance, Split
from greenlane.domain.errors import ChangeError, FinalError
from greenlane.domain.ids import deployment_id
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.policy.canary_plan import resolve_thresholds
from greenlane.ports.clock import Clock
from greenlane.ports.code_host import CodeHost, SourceControl
from greenlane.ports.load import LoadGenerator
from greenlane.ports.platform import Builder, Platform
from greenlane.ports.production import ProductionHistory
from greenlane.ports.releases import Releases
from greenlane.ports.traffic import Traffic

_TAIL_LINES = 5


class Notebook:
    """The change as it is once the yielded events are recorded: an agent reads its own events back from here.

    The ledger stamps the real entries; the ones made here live only as long as the act, and differ by milliseconds.
    """

    def __init__(self, change: Change, clock: Clock) -> None:
        self.change = change
        self.clock = clock

    def note(self, *events: e.Event) -> Yielded:
        """What to yield for these events: one, or several as one transaction."""
        for event in events:
            recorded = Recorded(
                seq=0,
                event_id="",
                agent="",
                timestamp=self.clock.now().isoformat(),
                event=cast(e.AnyEvent, event),
            )
            self.change = apply(self.change, recorded, self.change.run)
        return events[0] if len(events) == 1 else events


@dataclass(frozen=True, kw_only=True)
class Site:
    """The ports and settings with which a change is brought to production."""

    code_host: CodeHost
    source: SourceControl
    builder: Builder
    platform: Platform
    traffic: Traffic
    clock: Clock
    settings: Settings
    work_dir: Path
    releases: Releases | None = None
    history: ProductionHistory | None = None
    load: LoadGenerator | None = None
    """For requests that are added during a canary; None: none can be."""


def explain(
    change: Change,
    decision: str,
    rationale: str,
    *rules: str,
    artifact: Artifact | None = None,
    inputs: Iterable[e.Input] = (),
) -> e.Reasoning:
    """The reasoning of a decision about this change, with its risk score as it stands."""
    return e.Reasoning(
        decision=decision,
        rationale=rationale,
        rules_fired=rules,
        risk_score=change.risk_score,
        inputs=tuple(inputs),
        artifact_digest=artifact.digest if artifact else None,
    )


def service_named(settings: Settings, name: str) -> Service:
    """The service of this name; FinalError if the configuration has lost it since the review."""
    for service in settings.services:
        if service.name == name:
            return service
    raise FinalError(
        f"the service {name} is not in greenlane.yaml any more",
        hint="put it back, or push a new commit to review again",
    )


def position_of(change: Change, *kinds: type[e.Event]) -> int:
    """Index of the last event of one of these types in the history; -1 if there is none."""
    return max((i for i, r in enumerate(change.history) if isinstance(r.event, kinds)), default=-1)


def instance_id(run: str, environment: Environment, service: str, commit: str, attempt: int) -> str:
    """The deployment id of one service of a commit; other services of the same commit have their own."""
    return deployment_id(run, environment, f"{service}@{commit}", attempt)


def url_of(instance: Instance) -> str:
    return f"http://{instance.host}:{instance.port}"


async def build_commit(
    service: Service, commit: str, *, source: SourceControl, builder: Builder, work_dir: Path
) -> Artifact:
    """The artifact of a service at a commit. The exported tree is gone afterwards; the artifact does not need it."""
    work_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{service.name}-{commit[:10]}-", dir=work_dir))
    try:
        await source.export(commit, folder / "source")
        return await builder.build(service, folder / "source", commit)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def ensure_running(
    service: Service, instance: Instance, environment: Environment, *, platform: Platform, fence: int | None
) -> Instance:
    """The same deployment, running: as it is, or started again from its artifact under the same id."""
    found = await platform.find(instance.deployment_id)
    if found is not None:
        return found
    spec = DeploymentSpec(
        deployment_id=instance.deployment_id,
        service=service.name,
        artifact=instance.artifact,
        environment=environment,
    )
    return await platform.deploy(service, spec, fence=fence)


async def install_production(
    service: Service,
    commit: str,
    *,
    source: SourceControl,
    builder: Builder,
    platform: Platform,
    traffic: Traffic,
    settings: Settings,
    work_dir: Path,
    fence: int = 0,
    run: str = "",
) -> Instance:
    """Bring a service up in production at this commit with all traffic, if nothing is routed for it yet.

    Called by bootstrap before the first change, and by the deployment agent where nobody did. What runs after a
    restart of the host is started again from its artifact. Raises FinalError if the commit can't be brought up.
    """
    split = await traffic.observe(service.name)
    try:
        if split is not None:
            stable = await ensure_running(service, split.stable, "production", platform=platform, fence=None)
            if stable == split.stable:
                return stable
        else:
            artifact = await build_commit(service, commit, source=source, builder=builder, work_dir=work_dir)
            spec = DeploymentSpec(
                deployment_id=instance_id("base", "production", service.name, commit, 1),
                service=service.name,
                artifact=artifact,
                environment="production",
            )
            stable = await platform.deploy(service, spec, fence=None)
    except ChangeError as error:
        raise FinalError(
            f"the base version {commit[:10]} of {service.name} can't be brought up: {error.message}",
            hint=error.hint or "mend the base branch first: no change can be compared with a version that does not run",
        ) from error
    limit_ms = p99_limit_ms(settings, service)
    await traffic.route(service, Split(stable=stable), p99_limit_ms=limit_ms, fence=fence, run=run)
    return stable


def p99_limit_ms(settings: Settings, service: Service) -> float:
    """The bound of the router's latency histogram: the p99 limit of the service's tier, the same in every lane."""
    return resolve_thresholds(settings, service, e.Lane.GREEN).rules.p99_limit_ms


def previous_due(change: Change, now: datetime, settings: Settings) -> tuple[Instance, ...]:
    """Previous versions that were kept hot long enough after this change was deployed, or superseded in the role."""
    if change.deployed is None or change.rollback_requested is not None:
        return ()
    deployed_at = change.history[position_of(change, e.DeploymentComplete)].timestamp
    if now - datetime.fromisoformat(deployed_at) < timedelta(seconds=settings.canary.keep_previous_s):
        return ()
    return change.deployed.previous


async def retire_previous(
    change: Change, *, platform: Platform, traffic: Traffic, clock: Clock, settings: Settings
) -> tuple[str, ...]:
    """Stop the previous versions that are due, except where one has traffic; the ids that were stopped.

    The runtime calls it some time after `deployment.complete` (and at start for runs that ended meanwhile).
    """
    stopped = []
    for instance in previous_due(change, clock.now(), settings):
        split = await traffic.observe(instance.service)
        routed = {i.deployment_id for i in (split.stable, split.canary) if i} if split else set()
        if instance.deployment_id not in routed and await platform.find(instance.deployment_id):
            await platform.retire(instance.deployment_id, fence=None)
            stopped.append(instance.deployment_id)
    return tuple(stopped)


async def retire_staging(change: Change, *, platform: Platform, fence: int | None) -> None:
    """Stop everything that this run ever started in staging. The runtime calls it when a run ends or fails."""
    for begun in change.all_of(e.StagingStarting):
        current = instance_id(change.run, "staging", begun.service, begun.base_sha, begun.attempt)
        for name in (begun.deployment_id, current):
            await platform.retire(name, fence=fence)


def tail_of(log: str) -> str:
    """The last lines of a log, for a reason that a person reads."""
    lines = [line for line in log.splitlines() if line.strip()][-_TAIL_LINES:]
    return "\n".join(lines)
