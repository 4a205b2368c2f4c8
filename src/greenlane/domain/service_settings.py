"""The settings of one service: what belongs to it, how it is built, run, routed, measured, tested and checked.

Part of `greenlane.domain.settings`, under `services`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from greenlane.domain.freeze import FreezeWindow
from greenlane.domain.section import Section

Tier = Literal["critical", "standard", "internal"]


class HttpCheck(Section):
    path: str = Field("/", pattern="^/")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = "GET"
    body: str | None = None
    status: int = Field(200, ge=100, le=599)
    contains: str | None = None
    """Text that the answer's body must contain."""


class LoadRequest(Section):
    path: str = Field("/", pattern="^/")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = "GET"
    body: str | None = None
    weight: float = Field(1.0, gt=0)


class Health(Section):
    path: str = Field("/healthz", pattern="^/")


_LOOPBACK_OR_HTTPS = r"^(https://|http://(127\.0\.0\.1|localhost|\[::1\])(:|/|$))"
_CONTRACT_TIMEOUT = Field(30, gt=0, le=3600)


class RouterSettings(Section):
    """What shares the production traffic of a service between its versions."""

    kind: Literal["envoy", "haproxy", "command"] = "envoy"
    """An Envoy that Greenlane runs itself, an HAProxy that you run, or a program of yours (docs/adapters.md)."""
    socket: str | None = Field(None, pattern="^/")
    """HAProxy: path of its runtime socket (`stats socket PATH level admin`)."""
    backend: str | None = Field(None, pattern=r"^[A-Za-z0-9_.:-]{1,64}$")
    """HAProxy: its backend for this service; the service's name if absent."""
    command: str | None = None
    """Program: how it is called; it gets one JSON document and answers with one."""
    address: str | None = Field(None, pattern=r"^https?://")
    """HAProxy and program: where users reach the service."""
    timeout_s: float = _CONTRACT_TIMEOUT
    """Program: time for one call, in seconds."""
    header: str | None = Field(None, pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")
    """Envoy: a request that carries this header with the value `canary` goes to the canary while there is one, with
    `stable` to stable. For people who want to try a version; name it so that no stranger guesses it."""
    mirror_pct: float = Field(0, ge=0, le=100)
    """Envoy: this share of the GET and HEAD requests is sent to the canary a second time while it is watched; the
    answers are counted and thrown away. More evidence where traffic is low, if reading has no side effects."""


class PrometheusQueries(Section):
    """PromQL for the cumulative counters of one version, each giving one number. `{service}`, `{version}` (`stable` or
    `canary`), `{deployment}` and `{limit_ms}`, `{limit_s}` are filled in."""

    requests: str = 'sum(http_requests_total{service="{service}",version="{version}"})'
    errors: str = 'sum(http_requests_total{service="{service}",version="{version}",status=~"5.."}) or vector(0)'
    over_limit: str = (
        'sum(http_request_duration_seconds_count{service="{service}",version="{version}"})'
        ' - sum(http_request_duration_seconds_bucket{service="{service}",version="{version}",le="{limit_s}"})'
    )
    """Requests that took longer than the p99 limit: the histogram needs a bound exactly there."""
    observed_at: str = 'max(timestamp(http_requests_total{service="{service}",version="{version}"}))'
    """When the newest of these figures was scraped (seconds, epoch); figures that are too old count as none."""


class MetricsSettings(Section):
    source: Literal["proxy", "prometheus", "command"] = "proxy"
    """Where the canary's figures come from: the proxy's own counters, read directly; Prometheus; or a program."""
    url: str | None = Field(None, pattern=_LOOPBACK_OR_HTTPS)
    """Prometheus: its address, by https, or on this machine."""
    token_env: str | None = Field(None, pattern="^[A-Z][A-Z0-9_]{0,63}$")
    """Prometheus: name of the environment variable that holds a bearer token."""
    queries: PrometheusQueries = PrometheusQueries()
    max_age_s: float = Field(60, gt=0)
    """Prometheus: figures that were scraped longer ago are none, in seconds."""
    command: str | None = None
    """Program: how it is called (docs/adapters.md)."""
    timeout_s: float = _CONTRACT_TIMEOUT
    """Time for one reading, in seconds."""


class PlatformSettings(Section):
    """What builds and runs a service."""

    kind: Literal["local", "command"] = "local"
    """Processes on this machine, or whatever a program of yours starts (docs/adapters.md)."""
    command: str | None = None
    """Program: how it is called; it gets one JSON document and answers with one."""
    timeout_s: float = Field(600, gt=0, le=7200)
    """Program: time for one call, in seconds."""


class Commands(Section):
    """Shell commands of a service; `{python}`, `{port}`, `{host}`, `{data_dir}` are filled in."""

    setup: str | None = None
    """Makes the Python environment of the project (dependencies); run once per lock file, with the package index in
    reach. Absent: what the project's own files name is installed (docs/test-agent.md); empty: nothing is."""
    test: str = "{python} -m pytest -q"
    """Runs the test suite (in the sandbox). Absent: as the project's own files say, else this."""
    build: str | None = None
    """Builds the merge result in its own folder."""
    migrate: str | None = None
    """Brings the database to the candidate's schema; must be backward compatible."""
    start: str | None = None
    """Starts the service on `{host}:{port}`, in the foreground. Absent: it is reviewed and tested, not deployed."""
    smoke: str | None = None
    """A further smoke test; the service's address is in `$GREENLANE_URL`."""
    integration: str | None = None
    """Integration tests against the staged service; its address is in `$GREENLANE_URL`."""


class SuiteSettings(Section):
    """What runs the tests of a service and says which lines they ran."""

    kind: Literal["pytest", "command"] = "pytest"
    """`pytest`: `commands.test`, for Python. `command`: a program of yours, for any language (docs/test-agent.md)."""
    command: str | None = None
    """Program: how it is called, in the sandbox, in a copy of the sources; it gets one JSON document and answers with
    one."""
    sources: tuple[str, ...] = ()
    """Program: globs of the source files whose lines have to be tested, such as `src/**/*.js`."""
    writes: bool = False
    """Program: it can write tests, too (the call `write`)."""


class Service(Section):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    paths: tuple[str, ...] = ("**",)
    """Globs of the files that belong to this service."""
    tier: Tier = "standard"
    source_roots: tuple[str, ...] = (".",)
    """Folders that go on the import path (`src` in a src layout)."""
    tests_dir: str = "tests"
    tests: SuiteSettings = SuiteSettings()
    commands: Commands = Commands()
    health: Health = Health()
    smoke: tuple[HttpCheck, ...] = ()
    load: tuple[LoadRequest, ...] = ()
    platform: PlatformSettings = PlatformSettings()
    router: RouterSettings = RouterSettings()
    metrics: MetricsSettings = MetricsSettings()
    port: int = Field(8080, ge=0, le=65535)
    """The port on which production traffic arrives (the proxy's listener). 0 takes a free one."""
    max_processes: int = Field(512, ge=16, le=100_000)
    """Most processes and threads that one running version, its build or a command of it may have at once."""
    freeze: bool = False
    """No deployment while set; the change waits for a human."""
    freeze_windows: tuple[FreezeWindow, ...] = ()
    """Times in which changes of this service wait, besides those of `freeze.windows`."""

    @property
    def is_deployed(self) -> bool:
        """Whether it goes to production at all: something is said about how it starts."""
        return self.commands.start is not None or self.platform.kind == "command"

    @property
    def listens(self) -> bool:
        """Whether Greenlane's own router opens `port` for it."""
        return self.is_deployed and self.router.kind == "envoy"
