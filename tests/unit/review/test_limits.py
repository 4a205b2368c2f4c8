"""The risk limit moves by kind of change, author and place: within a bound, each move told, and never past a floor."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenlane.analyzers.change_type import detect_change_type
from greenlane.domain.diff import ChangeType, Diff, FileDiff, Line
from greenlane.domain.events import SkippedFile
from greenlane.domain.findings import Category, Finding, Severity
from greenlane.domain.history import AuthorRecord, HistoryFacts
from greenlane.domain.opinion import ModelOpinion, ModelReview
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Escalation, Risk, Settings
from greenlane.policy.review import ReviewVerdict, assess_review
from greenlane.policy.risk import RiskFacts

SETTINGS = Settings()
CRITICAL = Service(name="pay", tier="critical")


def finding(category: Category, severity: Severity) -> Finding:
    return Finding(rule="r", category=category, severity=severity, message="m", path="a.py")


def judge(facts: RiskFacts, settings: Settings = SETTINGS, *services: Service, model=None) -> ReviewVerdict:
    return assess_review(facts, paths=("a.py",), labels=(), services=services, settings=settings, model=model)


def moves(verdict: ReviewVerdict) -> dict[str, float]:
    return {m.rule: m.amount for m in verdict.limit.moves}


@pytest.mark.parametrize(
    ("facts", "services", "expected", "limit"),
    [
        (RiskFacts(), (), {}, 7.0),
        (RiskFacts(change_type=ChangeType.DOCUMENTS), (), {"type.documents": 0.5}, 7.5),
        (RiskFacts(change_type=ChangeType.TESTS), (CRITICAL,), {"type.tests": 0.5}, 5.5),
        (RiskFacts(change_type=ChangeType.MOVED), (), {"type.moved": 0.25}, 7.25),
        (RiskFacts(change_type=ChangeType.DEPENDENCIES), (), {"type.dependencies": -0.25}, 6.75),
        (RiskFacts(change_type=ChangeType.FEATURE), (), {"type.feature": -0.25}, 6.75),
        (RiskFacts(history=HistoryFacts(author_commits=0)), (), {"author.newcomer": -0.5}, 6.5),
        (RiskFacts(history=HistoryFacts(author_commits=9_000)), (), {}, 7.0),
        (RiskFacts(author_record=AuthorRecord(ended=20, taken_back=1)), (), {"author.taken-back": -0.25}, 6.75),
        (RiskFacts(author_record=AuthorRecord(ended=20, taken_back=9)), (), {"author.taken-back": -0.5}, 6.5),
        (RiskFacts(author_record=AuthorRecord(ended=20)), (), {}, 7.0),
        (RiskFacts(sensitive_paths=("auth.py",)), (CRITICAL,), {"service.critical-place": -0.5}, 4.5),
        (RiskFacts(), tuple(Service(name=n) for n in "abc"), {"service.several": -0.25}, 6.75),
    ],
)
def test_each_rule_moves_the_limit_by_its_amount(facts, services, expected, limit) -> None:
    verdict = judge(facts, SETTINGS, *services)
    assert (moves(verdict), verdict.limit.value) == (expected, limit)
    assert all(m.reason for m in verdict.limit.moves)
    assert all(rule in verdict.limit.source for rule in expected)


def test_a_change_that_is_cut_into_parts_is_held_to_its_whole_size() -> None:
    whole = judge(RiskFacts(lines=2000, files=1, folders=1))
    part = RiskFacts(lines=40, files=1, folders=1, history=HistoryFacts(author_commits=9, author_recent_lines=1960))
    assert moves(judge(part)) == {"author.parts": -0.5}
    alone = RiskFacts(lines=40, files=1, folders=1, history=HistoryFacts(author_commits=9, author_recent_lines=2))
    assert moves(judge(alone)) == {}
    assert moves(whole) == {}


def test_all_moves_together_stay_within_the_bound_and_none_of_it_turns_them_off() -> None:
    bad = RiskFacts(
        change_type=ChangeType.FEATURE, sensitive_paths=("auth.py",), history=HistoryFacts(author_commits=0),
        author_record=AuthorRecord(ended=9, taken_back=9),
    )  # fmt: skip
    verdict = judge(bad, SETTINGS, CRITICAL)
    assert verdict.limit.value == 4.0
    assert moves(verdict)["bound"] == pytest.approx(0.75)
    assert sum(moves(verdict).values()) == pytest.approx(-1.0)
    off = judge(bad, Settings(risk=Risk(limit_move_max=0)), CRITICAL)
    assert (off.limit.value, off.limit.moves) == (5.0, ())


LAX = st.sampled_from([ChangeType.DOCUMENTS, ChangeType.TESTS, ChangeType.MOVED])
FLOORED = st.one_of(
    st.tuples(st.sampled_from(Category), st.sampled_from([Severity.HIGH, Severity.CRITICAL])).map(
        lambda x: RiskFacts(findings=(finding(*x),))
    ),
    st.just(RiskFacts(skipped=(SkippedFile(path="*", analyzer="security", reason="late"),))),
    st.sampled_from([Category.SCHEMA, Category.INTEGRATION]).map(
        lambda c: RiskFacts(findings=(finding(c, Severity.MEDIUM),))
    ),
)


@hypothesis.settings(deadline=None, max_examples=60)
@given(facts=FLOORED, lax=LAX, conditions=st.sets(st.sampled_from(["breaking_api_contract", "security_finding"])))
def test_no_kind_of_change_lets_through_what_a_floor_stops(facts, lax, conditions) -> None:
    """Also where the only thing that stops it is the score that the floor gives."""
    settings = Settings(escalation=Escalation(auto_route_to_human=tuple(conditions)))
    still = settings.model_copy(update={"risk": Risk(limit_move_max=0)})
    disguised = judge(RiskFacts(findings=facts.findings, skipped=facts.skipped, change_type=lax), settings)
    assert bool(disguised.gates) == bool(judge(facts, still).gates)
    assert all(m.amount <= 0 for m in disguised.limit.moves)


def test_what_a_model_raised_stays_raised() -> None:
    opinion = ModelOpinion(risk_score=7.2, review_rationale="odd")
    model = ModelReview(outcome="answered", opinion=opinion)
    verdict = judge(RiskFacts(change_type=ChangeType.DOCUMENTS), model=model)
    assert verdict.limit.value == 7.0
    assert verdict.gates
    assert moves(verdict) == {"type.documents": 0.0}  # told, with the reason why it does not count


def file(path: str, removed: str = "", added: str = "", *, old: str | None = None, status="modified") -> FileDiff:
    def lines(text: str) -> tuple[Line, ...]:
        return tuple(Line(i + 1, t) for i, t in enumerate(text.splitlines()))

    return FileDiff(path=path, old_path=old, status=status, added=lines(added), removed=lines(removed))


CODE = "def a():\n    return check()\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([file("README.md"), file("docs/a.rst"), file("docs/img/x.png")], "documents"),
        ([file("docs/a.rst"), file("docs/conf.py")], "other"),  # code that the build of the documents runs
        ([file("shop/prompts/system.md")], "other"),  # prose that a program reads
        ([file("runtime.txt")], "other"),  # so is this one
        ([file("AGENTS.md")], "other"),
        ([file("docs/CMakeLists.txt")], "other"),
        ([file("CHANGES.txt"), file("LICENSE.txt")], "documents"),
        ([file("docs/a.md", old="shop/a.py", status="renamed")], "other"),
        ([file("shop/a.py", old="tests/a.py", status="renamed")], "other"),
        ([file("tests/test_a.py"), file("docs/a.rst")], "tests"),
        ([file("tests/test_a.py"), file("shop/a.py")], "other"),
        ([file("requirements.txt"), file("uv.lock"), file("CHANGES.md")], "dependencies"),
        ([file("requirements.txt"), file("shop/a.py")], "other"),
        ([file("shop/b.py", old="shop/a.py", status="renamed")], "moved"),
        ([file("shop/a.py", CODE), file("shop/b.py", "", "import os\n" + CODE)], "moved"),
        ([file("shop/a.py", CODE), file("shop/b.py", "", CODE.replace("check", "skip"))], "other"),
        ([file("shop/a.py", CODE), file("shop/b.py", "", CODE.replace("    ", ""))], "other"),
        ([file("shop/a.py", CODE, CODE)], "other"),  # the same lines in another order may do another thing
        ([file("shop/new.py", "", "x = 1\n" * 60, status="added")], "feature"),
        ([file("shop/a.py", "", "x = 1\n" * 60)], "other"),
        ([file("shop/a.py", "y = 1\n" * 90, "x = 1\n" * 120)], "other"),
        ([file("shop/a.py", "y = 1\n", "x = 1\n" * 120)], "feature"),
        ([], "other"),
    ],
)  # fmt: skip
def test_the_kind_of_a_change_is_decided_by_its_files(files, expected) -> None:
    assert detect_change_type(Diff(base_sha="", head_sha="", sha256="", files=tuple(files))) == expected
