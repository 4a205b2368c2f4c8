"""Rules that hold between values: each value alone is fine, together they make no sense."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from greenlane.config.document import Document, KeyPath, Problem
from greenlane.domain.freeze import FreezeWindow, explain_window
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings, Thresholds

TIERS = ("critical", "standard", "internal")


def detect_contradictions(settings: Settings, document: Document) -> list[Problem]:
    """A problem for each contradiction, at the place of the value that should move."""
    found = [
        *_services(settings),
        *_steps(settings),
        *_tiers(settings),
        *_canary(settings),
        *_webhooks(settings),
        *_freeze_windows(settings),
    ]
    return [Problem(place=document.place_of(_written(path, document)), path=path, text=text) for path, text in found]


def _written(path: KeyPath, document: Document) -> KeyPath:
    """Where a reader has to look: a tier's limit that is not in the file contradicts the one under `thresholds`."""
    if path[0] == "tiers" and path not in document.values:
        return ("thresholds", path[-1])
    return path


def _services(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    names: dict[str, int] = {}
    ports: dict[int, int] = {}
    for i, service in enumerate(settings.services):
        if service.name in names:
            yield ("services", i, "name"), f"{service.name!r} is the name of services[{names[service.name]}] already"
        names.setdefault(service.name, i)
        if service.port and service.listens and service.port in ports:
            owner = settings.services[ports[service.port]].name
            yield (
                ("services", i, "port"),
                f"{service.port} is the port of service {owner!r} already: give another one, or 0 for any free one",
            )
        if service.listens:
            ports.setdefault(service.port, i)
        yield from _adapters(("services", i), service)


def _adapters(path: KeyPath, service: Service) -> Iterator[tuple[KeyPath, str]]:
    """What each kind of router, source of figures and platform can't do without."""
    router, metrics, platform, tests = service.router, service.metrics, service.platform, service.tests
    needed = (
        (router.kind == "haproxy" and router.socket is None, "router", "socket", "the path of HAProxy's stats socket"),
        (router.kind != "envoy" and router.address is None, "router", "address", "where users reach the service"),
        (router.kind == "command" and router.command is None, "router", "command", "the program that routes"),
        (metrics.source == "prometheus" and metrics.url is None, "metrics", "url", "the address of Prometheus"),
        (metrics.source == "command" and metrics.command is None, "metrics", "command", "the program that reads them"),
        (platform.kind == "command" and platform.command is None, "platform", "command", "the program that deploys"),
        (tests.kind == "command" and tests.command is None, "tests", "command", "the program that runs the tests"),
        (tests.kind == "command" and not tests.sources, "tests", "sources", "globs such as ['src/**/*.js']"),
    )
    for missing, section, key, what in needed:
        if missing:
            yield (*path, section, key), f"is needed: {what}"
    for key, given in (("header", router.header is not None), ("mirror_pct", router.mirror_pct > 0)):
        if given and router.kind != "envoy":
            yield (*path, "router", key), f"only Envoy can do that, and the router is {router.kind}"


def _steps(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    lists: tuple[tuple[KeyPath, tuple[float, ...]], ...] = (
        (("canary", "steps_pct"), settings.canary.steps_pct),
        (("lanes", "integration_steps_pct"), settings.lanes.integration_steps_pct),
    )
    for path, steps in lists:
        words = ", ".join(f"{s:g}" for s in steps)
        if not steps or steps[-1] != 100:
            yield path, f"the last step must be 100 (given: {words or 'none'})"
        elif any(a >= b for a, b in pairwise(steps)):
            yield path, f"the steps must ascend (given: {words})"


def _tiers(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    """The critical tier may not be laxer than the standard one: somebody forgot one of the two."""
    limits = {tier: effective_thresholds(settings, tier) for tier in TIERS}
    for field, word in (
        ("risk_score_max", "higher"),
        ("error_rate_threshold", "higher"),
        ("p99_latency_threshold_ms", "higher"),
        ("canary_traffic_initial_pct", "higher"),
    ):
        critical, standard = getattr(limits["critical"], field), getattr(limits["standard"], field)
        if critical > standard:
            yield (
                ("tiers", "critical", field),
                f"{critical:g} is {word} than {standard:g}, which holds for the standard tier: "
                f"give {standard:g} or less",
            )


def _canary(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    for tier in TIERS:
        limits = effective_thresholds(settings, tier)
        first = settings.canary.steps_pct[0] if settings.canary.steps_pct else 100
        if limits.canary_traffic_initial_pct > first:
            yield (
                _threshold_path(settings, tier, "canary_traffic_initial_pct"),
                f"{limits.canary_traffic_initial_pct:g} is over the first of canary.steps_pct ({first:g}) "
                f"for the {tier} tier: give {first:g} or less",
            )
        if limits.error_rate_threshold > settings.canary.catastrophic_error_rate:
            yield (
                ("canary", "catastrophic_error_rate"),
                f"{settings.canary.catastrophic_error_rate:g} is under the error_rate_threshold of the {tier} tier "
                f"({limits.error_rate_threshold:g}): give {limits.error_rate_threshold:g} or more",
            )
        watch_s = limits.canary_monitoring_duration_min * 60
        if settings.canary.warmup_s >= watch_s:
            yield (
                ("canary", "warmup_s"),
                f"{settings.canary.warmup_s:g} s leaves nothing of the {tier} tier's watch of {watch_s:g} s: "
                f"give less than {watch_s:g}",
            )


def _webhooks(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    for i, webhook in enumerate(settings.notifications.webhooks):
        if (webhook.url is None) == (webhook.url_env is None):
            given = "both" if webhook.url else "neither"
            yield (
                ("notifications", "webhooks", i),
                f"give either url or url_env (given: {given}): url_env names the variable of an address that is secret",
            )


def _freeze_windows(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    listed: list[tuple[KeyPath, FreezeWindow]] = [
        (("freeze", "windows", i), window) for i, window in enumerate(settings.freeze.windows)
    ]
    unattended = enumerate(settings.deployment.unattended_windows)
    listed += [(("deployment", "unattended_windows", i), window) for i, window in unattended]
    for i, service in enumerate(settings.services):
        listed += [(("services", i, "freeze_windows", j), window) for j, window in enumerate(service.freeze_windows)]
    for path, window in listed:
        if wrong := explain_window(window):
            yield (*path, wrong[0]), wrong[1]


def effective_thresholds(settings: Settings, tier: str) -> Thresholds:
    """`thresholds` with what `tiers.<tier>` puts in its place."""
    own = getattr(settings.tiers, tier).model_dump(exclude_none=True)
    return settings.thresholds.model_copy(update=own)


def _threshold_path(settings: Settings, tier: str, field: str) -> KeyPath:
    own = getattr(getattr(settings.tiers, tier), field)
    return ("tiers", tier, field) if own is not None else ("thresholds", field)
