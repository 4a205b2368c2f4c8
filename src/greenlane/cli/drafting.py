"""Writes the `greenlane.yaml` that a survey justifies: commented, valid as it stands, with the gaps marked."""

from __future__ import annotations

import json

from greenlane.cli.survey import Survey

FILL_IN = "FILL IN"


def draft_config(survey: Survey, *, schema_file: str | None = None) -> str:
    """The text of the file. What could not be found out stands there as a comment that says what to write."""
    lines = [f"# yaml-language-server: $schema={schema_file}"] if schema_file else []
    lines += [
        "# Greenlane's configuration. Every key, its limits and its default: docs/configuration.md, or",
        "# `greenlane config schema`. Check it with `greenlane config check`, and the machine with `greenlane doctor`.",
        "",
        "repository:",
        *_base(survey),
        "",
        "services:",
        f"  - name: {survey.name}",
        '    paths: ["**"]            # the files that belong to this service',
        "    tier: standard           # critical, standard or internal: each has thresholds of its own",
        f"    source_roots: [{', '.join(map(_quoted, _roots(survey)))}]",
        *_tests(survey),
        "    commands:",
        *_setup(survey),
        *_start(survey),
        '      # migrate: "..."         # brings the database to the new schema; must be backward compatible',
        '      # integration: "..."     # integration tests; the service\'s address is in $GREENLANE_URL',
        *_health(survey),
        "    smoke:                   # requests that must succeed in staging",
        f"      - {{path: {_quoted(survey.health.value if survey.health else '/')}, status: 200}}",
        "    load:                    # requests with which current and candidate are compared; weight is their share",
        f"      - {{path: {_quoted('/')}, weight: 1}}",
        "    port: 8080               # where production traffic arrives; 0 takes a free one",
        "",
        *_thresholds(),
    ]
    return "\n".join(lines) + "\n"


def gaps_of(survey: Survey) -> list[str]:
    """What a person has to fill in, in the order in which it matters."""
    gaps = []
    if not any(f.sure for f in survey.start):
        gaps.append("commands.start: how the service starts; until then changes are reviewed and tested, not deployed")
    if survey.health is None:
        gaps.append("health.path: no health route was found; /healthz is assumed")
    if survey.suite is None or not survey.suite.installs:
        gaps.append("commands.setup: the project's files name no dependencies; none are installed")
    gaps += [f"commands.setup: {note}" for note in (survey.suite.notes if survey.suite else ())]
    if survey.tests_dir is None:
        gaps.append("tests_dir: no folder of tests was found; generated tests go to tests/")
    if survey.base_branch is None:
        gaps.append("repository.base_branch: the base branch could not be told; main is assumed")
    return gaps


def _quoted(text: str) -> str:
    """As a YAML double-quoted scalar, which JSON's strings are."""
    return json.dumps(text, ensure_ascii=False)


def _base(survey: Survey) -> list[str]:
    if survey.base_branch is None:
        return [f"  base_branch: main        # {FILL_IN}: it could not be found out"]
    return [f"  base_branch: {_quoted(survey.base_branch.value)}   # {survey.base_branch.source}"]


def _tests(survey: Survey) -> list[str]:
    if survey.tests_dir is None:
        return [f"    tests_dir: tests         # {FILL_IN}: none was found"]
    return [f"    tests_dir: {survey.tests_dir.value}"]


def _roots(survey: Survey) -> list[str]:
    found = survey.suite.source_roots if survey.suite else ()
    return list(dict.fromkeys((*survey.source_roots, *found)))


def _setup(survey: Survey) -> list[str]:
    """What the tests need is found anew for each change, so it stands here as a remark; how they are run is written
    down, so that no change can say it otherwise."""
    plan = survey.suite
    test = plan.test if plan and plan.test else "{python} -m pytest -q"
    if plan is None or not plan.installs:
        example = (
            f'      # setup: "{{python}} -m pip install -r requirements.txt"   # {FILL_IN}: no dependencies were found'
        )
        return [example, f"      test: {_quoted(test)}"]
    return [
        "      # setup: not needed. What the tests need is installed without it, found in",
        *(f"      #   {_comment(reason)}" for reason in plan.reasons),
        f"      test: {_quoted(test)}",
    ]


def _start(survey: Survey) -> list[str]:
    sure = [f for f in survey.start if f.sure]
    if sure:
        best, others = sure[0], [f for f in survey.start if f is not sure[0]]
        lines = [f"      start: {_quoted(best.value)}   # from {_comment(best.source)}: check it"]
    else:
        others = list(survey.start)
        used = f" ({', '.join(survey.frameworks)} is used)" if survey.frameworks else ""
        lines = [
            f"      # {FILL_IN}: how the service starts{used}. It listens on {{host}}:{{port}}, in the foreground.",
            "      # Without it, changes are reviewed and tested but not deployed.",
        ]
        lines += [] if others else ['      # start: "{python} -m your_package --host {host} --port {port}"']
    return lines + [f"      # start: {_quoted(f.value)}   # a guess from {_comment(f.source)}" for f in others[:3]]


def _health(survey: Survey) -> list[str]:
    if survey.health is None:
        return [
            "    health:",
            f"      path: /healthz         # {FILL_IN}: a route that answers 200 when the service can take traffic",
        ]
    return ["    health:", f"      path: {_quoted(survey.health.value)}   # from {_comment(survey.health.source)}"]


def _comment(text: str) -> str:
    """A file's name as it can stand in a comment."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _thresholds() -> list[str]:
    return [
        "thresholds:                # for every tier; `tiers:` sets others for one of them",
        "  risk_score_max: 7.0                   # this risk score or more goes to a human",
        "  canary_traffic_initial_pct: 5         # the canary's first share of traffic",
        "  canary_monitoring_duration_min: 10    # how long it is watched there",
        "  error_rate_threshold: 0.005           # highest share of failed requests",
        "  p99_latency_threshold_ms: 800         # highest 99th percentile of latency",
        "",
        "escalation:",
        "  auto_route_to_human:",
        '    - "risk_score >= 7.0"',
        "    - schema_changes_detected",
        "    - new_service_integration",
        "    - breaking_api_contract",
        "",
        "# lanes:",
        '#   performance_critical_paths: ["src/pricing/**"]   # a longer and stricter canary',
        '#   compliance_paths: ["src/billing/**"]             # human sign-off always',
    ]
