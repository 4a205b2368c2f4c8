"""The configuration file: what is accepted, and that every mistake is told with its place and its remedy."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from greenlane.config import effective_thresholds, find_config, json_schema, load_settings
from greenlane.config.document import MAX_BYTES
from greenlane.config.reference import render_reference
from greenlane.domain.errors import ConfigError

TEMPLATE = """\
orchestration:
  model: claude-sonnet-4-5
  routing: event-driven
  max_concurrent_agents: 5
thresholds:
  risk_score_max: 7.0
  canary_traffic_initial_pct: 5
  canary_monitoring_duration_min: 10
  error_rate_threshold: 0.005
  p99_latency_threshold_ms: 800
audit:
  storage: append-only-log
  required_fields: [pr_number, author, risk_score, rationale, timestamp, agent_version]
  compliance_framework: SOC2
validation: {test_execution_required: true, max_retry_passes: 1, fixture_validation: true}
escalation:
  auto_route_to_human: ["risk_score >= 7.0", schema_changes_detected, new_service_integration, breaking_api_contract]
  context_package: {include_diff_summary: true, include_baseline_metrics: true, include_agent_reasoning: true}
"""


def errors_of(tmp_path: Path, text: str | bytes) -> list[str]:
    """The lines of the error, with the path of the file cut off."""
    path = tmp_path / "greenlane.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert caught.value.hint
    return [line.removeprefix(f"{path}:") for line in caught.value.message.splitlines()]


def test_the_reference_template_is_accepted_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "greenlane.yaml"
    path.write_text(TEMPLATE)
    loaded = load_settings(path)
    assert loaded.settings.thresholds.risk_score_max == 7.0
    assert loaded.settings.orchestration.model == "claude-sonnet-4-5"
    assert loaded.settings.audit.compliance_framework == "SOC2"
    assert effective_thresholds(loaded.settings, "critical").risk_score_max == 5.0
    assert effective_thresholds(loaded.settings, "critical").p99_latency_threshold_ms == 800
    assert len(loaded.sha256) == 64
    jsonschema.validate(yaml.safe_load(TEMPLATE), json_schema())


def test_an_empty_file_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "greenlane.yaml"
    path.write_text("# nothing yet\n")
    assert load_settings(path).settings.services == ()


ONE_MISTAKE = [
    ("thresholds:\n  risk_score_maks: 7\n", "2:3: thresholds.risk_score_maks:", "did you mean risk_score_max?"),
    ("risk_score_max: 7\n", "1:1: risk_score_max:", "it stands in thresholds.risk_score_max"),
    ("thresholds:\n  error_rate_threshold: 1.5\n", "2:25: thresholds.error_rate_threshold: 1.5", "from 0 to 1"),
    ("thresholds:\n  p99_latency_threshold_ms: '800'\n", "2:29:", "(without quotes)"),
    ("thresholds:\n  p99_latency_threshold_ms: .nan\n", "2:29:", "not a finite number"),
    ("orchestration:\n  max_concurrent_agents: yes\n", "2:26:", "true is not allowed: give a whole number"),
    ("orchestration:\n  max_concurrent_agents: 5.5\n", "2:26:", "5.5 is not allowed"),
    ("orchestration: {routing: event_driven}\n", "1:26:", "did you mean event-driven?"),
    ("audit: {compliance_framework: 27001}\n", "1:31:", "in quotes"),
    ("audit:\n  required_fields: [pr_number, autor]\n", "2:32: audit.required_fields[1]:", "did you mean author?"),
    ("escalation: {auto_route_to_human: [risk > 7]}\n", "1:36:", "`risk_score >= NUMBER`"),
    ("services:\n  - tier: standard\n", "2:5: services[0].name:", "is missing"),
    ("services: [{name: Shop}]\n", "1:19:", "lower-case letters"),
    ("services: [{name: a}, {name: a}]\n", "1:30: services[1].name:", "services[0] already"),
    (
        "services:\n  - {name: a, commands: {start: x}}\n  - {name: b, commands: {start: x}}\n",
        "3:5: services[1].port: 8080", "port of service 'a'",
    ),
    ("canary: {steps_pct: [25, 50]}\n", "1:21: canary.steps_pct:", "last step must be 100"),
    ("canary: {steps_pct: [50, 25, 100]}\n", "1:21:", "must ascend"),
    ("thresholds: {canary_traffic_initial_pct: 30}\n", "1:42:", "over the first of canary.steps_pct"),
    ("thresholds: {canary_monitoring_duration_min: 0.5}\n", "1:1: canary.warmup_s:", "leaves nothing"),
    ("thresholds: {risk_score_max: 4}\n", "1:30: tiers.critical.risk_score_max:", "give 4 or less"),
    ("lanes: 3\n", "1:8: lanes: 3", "a section with the keys"),
    ("lanes:\nstaging:\n  collect_s: 1\nlanes: {}\n", "4:1: lanes:", "stands twice (first in line 1)"),
    ("a: &x [1]\nb: *x\n", "1:4:", "anchors and aliases"),
    ("thresholds:\n\trisk_score_max: 7\n", "2:1:", "a tab is used"),
    ("a: [1, 2\nb: 3\n", "2:2:", "while parsing a flow sequence"),
    ("a: 1\n---\nb: 2\n", "2:1:", "a second document"),
    ("lanes: !!python/object:os.system x\n", "1:8:", "is not taken"),
    ("- 1\n", "1:1:", "not a list"),
    ("a: \x07\n", "1:4:", "control character"),
    (b"a: b\nc: \xff\n", "2:4:", "not UTF-8"),
    ("[" * 500, "1:21:", "nested deeper"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place", "words"), ONE_MISTAKE, ids=[w for _, _, w in ONE_MISTAKE])
def test_a_mistake_is_told_with_its_place_and_its_remedy(
    tmp_path: Path, text: str | bytes, place: str, words: str
) -> None:
    lines = errors_of(tmp_path, text)
    assert any(line.startswith(place) and words in line for line in lines), lines


def test_all_mistakes_come_at_once_and_in_order(tmp_path: Path) -> None:
    lines = errors_of(
        tmp_path,
        "services:\n  - {name: Bad Name, port: 8080, commands: {start: x}}\n  - {name: b, commands: {start: y}}\n"
        "canary: {steps_pct: [10]}\nnope: 1\n",
    )
    assert [line.split(":")[0] for line in lines] == ["2", "3", "4", "5"]


def test_what_is_quoted_can_not_move_the_cursor(tmp_path: Path) -> None:
    (line,) = errors_of(tmp_path, 'orchestration: {routing: "\\e[2J\\u202e' + "x" * 500 + '"}\n')
    assert "\x1b" not in line
    assert "\u202e" not in line
    assert len(line) < 200


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    assert "larger than" in errors_of(tmp_path, "#" * (MAX_BYTES + 1))[0]


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_settings(tmp_path / "greenlane.yaml")
    with pytest.raises(ConfigError, match="no regular file"):
        load_settings(tmp_path)


def test_the_nearest_file_up_to_the_git_root_is_found(tmp_path: Path) -> None:
    outside = tmp_path / "greenlane.yaml"
    outside.write_text("")
    inner = tmp_path / "repo" / "a" / "b"
    inner.mkdir(parents=True)
    assert find_config(inner) == outside
    (tmp_path / "repo" / ".git").mkdir()
    assert find_config(inner) is None
    (tmp_path / "repo" / "greenlane.yaml").write_text("")
    assert find_config(inner) == tmp_path / "repo" / "greenlane.yaml"


def test_the_schema_is_one_that_editors_understand() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert "highest" in json.dumps(schema).lower()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"thresholds": {"risk_score_max": 11}}, schema)


def test_the_reference_page_is_current() -> None:
    page = Path(__file__).parents[3] / "docs" / "configuration.md"
    assert page.read_text() == render_reference() + "\n", (
        "write it anew: python -m greenlane.config.reference > docs/configuration.md"
    )
