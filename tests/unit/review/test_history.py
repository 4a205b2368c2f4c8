"""What git knows of the places that a change touches, from real repositories, and the points that it gives."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from greenlane.adapters.git import LocalGit
from greenlane.adapters.history import GitHistory, entropy_of
from greenlane.domain.errors import FinalError
from greenlane.domain.history import HistoryFacts
from greenlane.policy.risk import RiskFacts, Weights, assess_risk

DAY_S = 86_400
START = 1_700_000_000


class Repo:
    """A repository whose commits are made on given days by given people."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *args: str, day: int = 0, who: str = "Ada <ada@example.org>") -> str:
        name, _, mail = who.rstrip(">").partition(" <")
        when = f"{START + day * DAY_S} +0000"
        env = {
            "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder), "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": mail, "GIT_COMMITTER_NAME": name, "GIT_COMMITTER_EMAIL": mail,
            "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when,
        }  # fmt: skip
        return subprocess.run(
            ["git", "-C", str(self.folder), *args], check=True, capture_output=True, text=True, env=env
        ).stdout.strip()

    def commit(self, files: dict[str, str], message: str, *, day: int, who: str) -> str:
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", message, day=day, who=who)
        return self.git("rev-parse", "HEAD")

    def part(self, folder: Path, *, depth: int) -> Repo:
        """A clone of the newest commits only."""
        self.git("clone", "-q", "--depth", str(depth), f"file://{self.folder}", str(folder))
        clone = Repo.__new__(Repo)
        clone.folder = folder
        return clone


async def facts_of(repo: Repo, base: str, head: str, author: str) -> HistoryFacts:
    diff = await LocalGit(repo.folder).diff(base, head)
    return await GitHistory(repo.folder).facts(merge_base_sha=base, head_sha=head, author=author, diff=diff)


async def test_the_measures_are_of_the_touched_files_before_the_change(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "shop")
    ada, grace = "Ada <ada@example.org>", "Grace (the\x1f <1st> admiral) <grace@example.org>".replace("\x1f", "")
    repo.commit({"a.py": "1\n", "b.py": "1\n"}, "begin", day=0, who=ada)
    repo.commit({"a.py": "2\n"}, "Fix the total", day=10, who=grace)
    repo.commit({"b.py": "2\n"}, "Fix elsewhere", day=20, who=grace)
    base = repo.commit({"a.py": "1\n"}, 'Revert "Fix the total"\n\nThis reverts commit 123.', day=30, who=grace)
    head = repo.commit({"a.py": "1\n2\n3\n", "new.py": "x\n"}, "Add", day=40, who=ada)
    facts = await facts_of(repo, base, head, ada)
    assert (facts.commits, facts.authors, facts.reverts, facts.fixes) == (3, 2, 1, 2)
    assert (facts.author_commits, facts.author_file_commits) == (1, 1)
    assert facts.author_recent_commits == pytest.approx(1 / (1 + 30 / 365), abs=1e-3)
    assert (facts.files, facts.folders, facts.lines_added) == (2, 1, 3)
    assert (facts.age_days, facts.is_fix, facts.shallow) == (0.0, False, False)
    stranger = await facts_of(repo, base, head, "Eve .* <.*@example.org>")
    assert stranger.author_commits == 0  # an address is text, and no pattern


async def test_a_part_of_a_history_is_told_apart_and_none_is_an_error(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "shop")
    for day in range(3):
        repo.commit({"a.py": f"{day}\n"}, "work", day=day, who="Ada <ada@example.org>")
    part = repo.part(tmp_path / "part", depth=2)
    base, head = part.git("rev-parse", "HEAD~1"), part.git("rev-parse", "HEAD")
    assert (await facts_of(part, base, head, "Eve <eve@example.org>")).shallow
    with pytest.raises(FinalError):
        await facts_of(part, "0" * 40, head, "Eve <eve@example.org>")


def test_entropy_says_how_evenly_a_change_is_spread() -> None:
    assert entropy_of([10]) == 0
    assert entropy_of([5, 5, 5, 5]) == 1
    assert 0 < entropy_of([97, 1, 1, 1]) < 0.3


RISKY = HistoryFacts(
    files=12, entropy=0.95, commits=50, authors=7, author_commits=0, reverts=2, fixes=30, author_file_commits=0
)


@pytest.mark.parametrize(
    ("history", "rules"),
    [
        (None, []),
        (HistoryFacts(commits=50, author_commits=9, author_file_commits=3), []),
        (HistoryFacts(commits=50, author_commits=9, author_file_commits=0), ["new-to-files"]),
        (HistoryFacts(commits=2, author_commits=9, author_file_commits=0), []),
        (HistoryFacts(author_commits=0), ["newcomer"]),
        (HistoryFacts(author_commits=0, shallow=True), []),
        (HistoryFacts(author_commits=9, commits=20, author_file_commits=1, fixes=8), ["often-fixed"]),
        (HistoryFacts(author_commits=9, reverts=1), ["reverted"]),
        (RISKY, ["newcomer", "reverted", "often-fixed"]),
    ],
)
def test_each_point_of_the_history_is_explained(history: HistoryFacts | None, rules: list[str]) -> None:
    score = assess_risk(RiskFacts(history=history))
    given = [p for p in score.points if p.rule.startswith("history.")]
    assert [p.rule.removeprefix("history.") for p in given] == rules
    assert sum(p.points for p in given) <= Weights().history_cap
    assert all(p.reason for p in given)


def test_size_and_history_alone_never_reach_a_limit() -> None:
    largest = RiskFacts(lines=10**6, files=10**4, folders=10**3, history=RISKY)
    assert assess_risk(largest).score < 7
    assert (
        assess_risk(largest, Weights(history_cap=0)).score
        == assess_risk(RiskFacts(lines=10**6, files=10**4, folders=10**3)).score
    )
