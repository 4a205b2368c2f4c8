"""Fitted weights: from the base branch only, refused when anything is wrong with them, and named in the decision."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from greenlane.analyzers.base import ReviewInput
from greenlane.analyzers.infrastructure import analyze
from greenlane.bootstrap import load_base_settings, load_base_weights
from greenlane.domain.diff import Diff, FileDiff
from greenlane.domain.errors import ConfigError
from greenlane.domain.findings import Category, Finding, Severity
from greenlane.domain.history import HistoryFacts
from greenlane.domain.settings import Risk, Settings
from greenlane.domain.weights import FittedWeights, Weights
from greenlane.policy.fitted import Evidence, RiskFile, parse_weights, points_of, render_weights
from greenlane.policy.review import assess_review
from greenlane.policy.risk import RiskFacts, assess_risk

from .test_backtest import Repo

STEEP = Weights(lines=((5, 1.0), (50, 3.0)), files=(), folders=(), mended_lately=((2, 1.0),))
CONTENT = RiskFile(
    format="greenlane-risk/1",
    fitted_on="2026-03-01",
    commit="a" * 40,
    changes=900,
    outcomes=120,
    tested=Evidence(changes=270, outcomes=40, auc=0.75, auc_before=0.65, gain_at_least=0.04),
    points=points_of(STEEP),
)
GOOD = render_weights(CONTENT)


def parse(data: bytes) -> FittedWeights:
    return parse_weights(data, ".greenlane-risk.json", hashlib.sha256(data).hexdigest())


def spoiled(**more: Any) -> bytes:
    content = json.loads(GOOD)
    for path, value in more.items():
        *above, last = path.split("__")
        at = content
        for name in above:
            at = at[name]
        at[last] = value
    return json.dumps(content).encode()


def test_a_file_says_what_was_fitted_and_nothing_else_moves() -> None:
    fitted = parse(GOOD)
    assert fitted.weights == STEEP
    assert fitted.words.startswith("fitted on 2026-03-01, .greenlane-risk.json sha256 ")
    plain = Weights()
    for name in ("size_cap", "history_cap", "together_cap", "sensitive", "untested", "suite_failed", "medium", "low"):
        assert getattr(fitted.weights, name) == getattr(plain, name)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"\xff\xfe", b"[" * 100_000, b" " * 70_000 + GOOD,
        spoiled(format="greenlane-risk/9"),
        spoiled(more=1),
        spoiled(points__floors=[]),
        spoiled(points__size_cap=0),
        spoiled(points__newcomer=-0.1),
        spoiled(points__newcomer=99),
        spoiled(points__newcomer="0.5"),
        spoiled(points__lines=[]),
        spoiled(points__lines=[[50, 1.0], [5, 2.0]]),
        spoiled(points__lines=[[5, 2.0], [50, 1.0]]),
        spoiled(points__lines=[[5, 0.0]]),
        spoiled(points__lines=[[i + 1, 1.0] for i in range(50)]),
        spoiled(fitted_on="\x1b[2Jtomorrow"),
        GOOD.replace(b'"newcomer": 0.5', b'"newcomer": NaN'),
        GOOD.replace(b'"newcomer": 0.5', b'"newcomer": 1e999'),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_in_any_way_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigError) as told:
        parse(data)
    assert told.value.message.isprintable()


def test_no_weights_lower_a_floor_and_size_with_history_stays_under_every_limit() -> None:
    most = Weights(
        lines=((1, 3.0),), files=((1, 3.0),), folders=((1, 3.0),), busy=((1, 3.0),), mended_lately=((1, 3.0),)
    )
    none = Weights(lines=((10**6, 0.01),), files=(), folders=(), newcomer=0, new_to_files=0, reverted=0)
    hard = Finding(rule="r", category=Category.SECURITY, severity=Severity.HIGH, message="m", path="a.py")
    assert assess_risk(RiskFacts(findings=(hard,)), none).score == 8
    history = HistoryFacts(commits=90, recent_commits=80, recent_fixes=60, reverts=3, fixes=80)
    largest = RiskFacts(lines=10**5, files=10**4, folders=10**3, history=history)
    for weights in (most, Weights()):
        assert assess_risk(largest, weights).score < 5


def test_the_decision_says_by_which_weights_and_the_settings_cap_them() -> None:
    fitted = parse(GOOD)
    facts = RiskFacts(lines=60, files=1, folders=1, history=HistoryFacts(recent_fixes=9, author_commits=3))

    def judged(settings: Settings) -> dict[str, float]:
        verdict = assess_review(facts, paths=(), labels=(), services=(), settings=settings, weights=fitted)
        assert fitted.sha256[:12] in verdict.risk.points[0].reason
        assert "2026-03-01" in verdict.risk.points[0].reason
        return {p.rule: p.points for p in verdict.risk.points}

    assert judged(Settings()) == {"base": 1, "size.lines": 3, "history.mended-lately": 0.75}
    assert judged(Settings(risk=Risk(history_points_max=0))) == {"base": 1, "size.lines": 3}


async def test_it_is_read_from_the_base_branch_and_a_branch_that_edits_it_goes_to_a_person(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "shop")
    (repo.path / "greenlane.yaml").write_text("risk: {weights_file: .greenlane-risk.json}\n")
    repo.commit("begin", app="a = 1\n")

    async def weights() -> FittedWeights | None:
        loaded, git = await load_base_settings(repo.path)
        return await load_base_weights(repo.path, git, loaded.settings)

    (repo.path / ".greenlane-risk.json").write_bytes(GOOD)  # only in the working tree: it does not count
    with pytest.raises(ConfigError, match="not on main"):
        await weights()
    repo.commit("weights")
    found = await weights()
    assert found is not None
    assert (found.weights, found.sha256) == (STEEP, hashlib.sha256(GOOD).hexdigest())
    repo.git("checkout", "-q", "-b", "lax")
    (repo.path / ".greenlane-risk.json").write_bytes(spoiled(points__lines=[[900, 0.1]]))
    repo.commit("lower")
    assert await weights() == found
    edit = Diff(base_sha="", head_sha="", sha256="", files=(FileDiff(path=".greenlane-risk.json", status="modified"),))
    findings = analyze(ReviewInput(diff=edit, base_tree="", head_tree="", roots=())).findings
    assert [f.severity for f in findings] == [Severity.HIGH]
