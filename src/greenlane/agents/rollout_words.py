"""Decisions of the deployment agent, put into words and figures. Each function makes one event and does nothing."""

from __future__ import annotations

from greenlane.agents.production import explain, instance_id
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.delivery import Artifact, CanaryJudgement, Instance, Spread, Verdict
from greenlane.domain.service_settings import Service
from greenlane.policy.canary_plan import JUDGE_VERSION, Plan, Sizing


def attempt_of(change: Change) -> int:
    """The number of this attempt to bring the change to production, from 1."""
    return 1 + len(change.all_of(e.CanaryInconclusive)) + len(change.all_of(e.BaseMoved))


def trigger_of(judgement: CanaryJudgement) -> str:
    """The name of what ended the watch: the metric that failed, or the verdict itself."""
    if judgement.verdict is Verdict.INCONCLUSIVE:
        return "inconclusive"
    failed = [m.metric for m in judgement.metrics if m.verdict is Verdict.FAIL]
    return failed[0] if failed else "process_gone"


def base_moved(change: Change, old: str, new: str) -> e.BaseMoved:
    return e.BaseMoved(
        old_base_sha=old,
        new_base_sha=new,
        why=explain(
            change,
            "check-again",
            f"{change.opened.base_branch} moved from {old[:10]} to {new[:10]} since the merge was checked: what "
            "was tested is what lands, so the merge is made and checked again.",
            "base.moved",
        ),
    )


def ask(change: Change, asks: tuple[e.Trigger, ...], attempt: int) -> e.HumanRequested:
    rules = ", ".join(t.rule for t in asks)
    return e.HumanRequested(
        gate=e.Gate(
            gate_id=f"{change.run}-deployment-{attempt}-{len(change.gates) + 1}",
            before=e.Stage.DEPLOYMENT,
            triggers=asks,
        ),
        why=explain(change, "ask-human", "; ".join(t.summary for t in asks), *rules.split(", ")),
    )


def installing(change: Change, service: Service, commit: str, text: str) -> e.ServiceInstalling:
    return e.ServiceInstalling(service=service.name, commit=commit, why=explain(change, "install", text))


def promoted(
    change: Change, starting: e.CanaryStarting, stable: Instance, candidate: Instance, judgement: CanaryJudgement
) -> e.CanaryPromoted:
    return e.CanaryPromoted(
        deployment_id=starting.deployment_id,
        service=starting.service,
        stable=candidate,
        previous=stable,
        why=explain(
            change,
            "promote",
            f"{starting.service}: every phase of the canary passed ({judgement.reason}); the candidate gets all "
            f"traffic, {stable.artifact.commit[:10]} stays hot.",
            "canary.passed",
            artifact=starting.candidate,
        ),
    )


def advancing(change: Change, staging: e.StagingComplete) -> e.BaseAdvancing:
    return e.BaseAdvancing(
        base_branch=change.opened.base_branch,
        expected_base_sha=staging.base_sha,
        merge_sha=staging.merge_sha,
        why=explain(
            change,
            "advance-base",
            f"{change.opened.base_branch} goes from {staging.base_sha[:10]} to {staging.merge_sha[:10]}, the merge "
            "that was tested and that production runs.",
            inputs=(e.Input("base", staging.base_sha), e.Input("merge", staging.merge_sha)),
        ),
    )


def starting_canary(
    change: Change,
    service: Service,
    artifact: Artifact,
    stable: Instance,
    plan: Plan,
    sizing: Sizing,
    known: tuple[Spread, Spread] | None,
    tick_s: float,
) -> e.CanaryStarting:
    """The decision to start a canary, with every figure that it will be judged by. `known`: how failed and slow
    requests of earlier canaries were spread."""
    lane = change.review.lane if change.review else e.Lane.RED
    rules, attempt, weight = plan.rules, attempt_of(change), sizing.weight_percent
    steps = tuple(step for step in plan.steps_percent if step > weight)
    return e.CanaryStarting(
        deployment_id=instance_id(change.run, "production", service.name, artifact.commit, attempt),
        service=service.name,
        candidate=artifact,
        stable=stable,
        weight_percent=weight,
        steps_percent=steps,
        watch_s=rules.watch_s,
        warmup_s=rules.warmup_s,
        step_s=rules.step_s,
        error_rate_limit=rules.error_rate_limit,
        p99_limit_ms=rules.p99_limit_ms,
        catastrophic_error_rate=rules.catastrophic_error_rate,
        min_requests=rules.min_requests,
        extend_max_factor=rules.extend_max_factor,
        alpha=rules.alpha,
        judge=JUDGE_VERSION,
        worse_than_stable=rules.worse_than_stable,
        over_not_proven=rules.over_not_proven,
        environment=rules.environment,
        tick_s=tick_s,
        spread_errors=known[0] if known else None,
        spread_slow=known[1] if known else None,
        traffic_rps=sizing.rate_rps,
        synthetic_rps=sizing.synthetic_rps,
        aligned=plan.aligned,
        attempt=attempt,
        why=explain(
            change,
            "start-canary",
            f"{service.name}: {artifact.digest[:19]} (merge {artifact.commit[:10]}) gets {weight:g} % of "
            f"production traffic beside {stable.artifact.commit[:10]}, {rules.warmup_s:g} s of warm-up and "
            f"{rules.watch_s:g} s of watch, then {', '.join(f'{s:g} %' for s in steps) or 'all'}. Limits "
            f"({service.tier} tier, {lane} lane): {rules.error_rate_limit:.2%} failed requests, p99 "
            f"{rules.p99_limit_ms:g} ms; at least {rules.min_requests} requests; each test may be wrong with a "
            f"chance of {rules.alpha:.1e}. {_aligned(plan)}Traffic: {sizing.words}.",
            artifact=artifact,
        ),
    )


def _aligned(plan: Plan) -> str:
    return f"The limits are {plan.alignment}. " if plan.alignment else ""
