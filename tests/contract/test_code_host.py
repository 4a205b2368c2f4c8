"""The rules of the ports in `ports/code_host.py`, held against every code host, with real git."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from greenlane.adapters.git import LocalGit, commits, worktrees
from greenlane.adapters.git.process import Git
from greenlane.domain.errors import (
    BaseMovedError,
    ConfigError,
    FencedError,
    FinalError,
    GreenlaneError,
    InputError,
    MergeConflictError,
)


class Author:
    """A developer with a clone of their own, who pushes to the repository under test."""

    def __init__(self, origin: Path, folder: Path) -> None:
        self.folder = folder
        self.run("init", "-q", "-b", "main", str(folder), cwd=folder.parent)
        self.run("remote", "add", "origin", str(origin))

    def run(self, *args: str, cwd: Path | None = None, who: str = "Ada Byron <ada@example.com>") -> str:
        name, _, address = who.rstrip(">").partition(" <")
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": address,
            "GIT_COMMITTER_NAME": name,
            "GIT_COMMITTER_EMAIL": address,
        }
        done = subprocess.run(
            ["git", "-c", "core.compression=0", *args],
            cwd=cwd or self.folder,
            env=env,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode("utf-8", "replace").strip()

    def write(self, path: str | bytes, content: str | bytes) -> None:
        target = self.folder / os.fsdecode(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)

    def push(self, branch: str, message: str = "Change it", *, who: str = "Ada Byron <ada@example.com>") -> str:
        """Commit what lies in the folder on `branch` and push it; the commit's name."""
        self.run("add", "-A")
        self.run("commit", "-q", "--allow-empty", "-m", message, who=who)
        self.run("push", "-q", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return self.run("rev-parse", "HEAD")

    def branch_from(self, start: str) -> None:
        self.run("checkout", "-q", "--detach", start)


class House:
    """A repository with one commit on main, and the code host over it."""

    def __init__(self, folder: Path, *, bare: bool) -> None:
        self.path = folder / ("shop.git" if bare else "shop")
        options = ["--bare"] if bare else []
        subprocess.run(["git", "init", "-q", "-b", "trunk", *options, str(self.path)], check=True)
        self.dev = Author(self.path, folder / "dev")
        self.dev.write("app.py", "def price():\n    return 1\n")
        self.dev.write("tests/test_app.py", "def test_it():\n    assert True\n")
        self.base = self.dev.push("main", "First version")
        self.host = LocalGit(self.path, base_branch="main")

    def change(
        self, branch: str = "feature", path: str = "app.py", content: str = "def price():\n    return 2\n"
    ) -> str:
        self.dev.branch_from(self.base)
        self.dev.write(path, content)
        return self.dev.push(branch, f"Change {path}")


@pytest.fixture(params=["bare", "non-bare"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    return House(tmp_path, bare=request.param == "bare")


@pytest.fixture
def one_house(tmp_path: Path) -> House:
    """For rules of reading, which can't differ between bare and non-bare."""
    return House(tmp_path, bare=False)


# ------------------------------------------------------------------ the pull request


async def test_a_branch_is_a_pull_request_with_a_stable_number(house: House) -> None:
    first, second = house.change("feature"), house.change("other", "b.py", "x = 1\n")
    one = await house.host.pull_request("feature")
    two = await house.host.pull_request("other")
    again = await LocalGit(house.path).pull_request("feature")
    assert (one.number, two.number, again.number) == (1, 2, 1)
    assert (one.head_sha, two.head_sha) == (first, second)
    assert one.base_sha == one.merge_base_sha == house.base
    assert (one.title, one.repo, one.author) == (
        "Change app.py",
        house.path.name.removesuffix(".git"),
        "Ada Byron <ada@example.com>",
    )
    assert (await house.host.pull_request("#2")).branch == "other"
    assert await house.host.head_of("feature") == first


async def test_branches_that_are_taken_up_at_once_get_numbers_of_their_own(one_house: House) -> None:
    branches = [f"feature-{n}" for n in range(6)]
    for branch in branches:
        one_house.change(branch, content=f"def price():\n    return '{branch}'\n")
    hosts = [LocalGit(one_house.path) for _ in range(12)]
    seen = await asyncio.gather(*(host.pull_request(branch) for host, branch in zip(hosts, branches * 2, strict=True)))
    assert sorted({pull.number for pull in seen}) == [1, 2, 3, 4, 5, 6]
    assert len({(pull.branch, pull.number) for pull in seen}) == 6


async def test_everybody_who_had_a_hand_in_it_is_an_author(one_house: House) -> None:
    dev = one_house.dev
    dev.branch_from(one_house.base)
    dev.write("a.py", "a = 1\n")
    dev.push("feature", "Begin\n\nCo-authored-by: Cy Park <cy@example.com>\nLabels: sox, urgent")
    dev.write("b.py", "b = 1\n")
    dev.push("feature", "Go on\n\nWhy: it was needed.", who="Bo Lind <bo@example.com>")
    forged = "Greenlane <greenlane@localhost>"
    dev.write("c.py", "c = 1\n")
    dev.push("feature", "Add tests\n\nGreenlane-Key: made-up", who=forged)
    seen = await one_house.host.pull_request("feature")
    assert seen.author == "Ada Byron <ada@example.com>"
    assert set(seen.coauthors) == {"Bo Lind <bo@example.com>", "Cy Park <cy@example.com>", forged}
    assert seen.labels == ("sox", "urgent")


async def test_a_commit_of_greenlane_changes_neither_author_nor_title(one_house: House) -> None:
    head = one_house.change()
    before = await one_house.host.pull_request("feature")
    await one_house.host.commit_files(
        "feature",
        expected_head=head,
        files={"tests/test_new.py": b"def test_x():\n    pass\n"},
        message="Add tests",
        key="k1",
    )
    after = await one_house.host.pull_request("feature")
    assert after.head_sha != before.head_sha
    assert (after.author, after.coauthors, after.title) == (before.author, before.coauthors, before.title)


@pytest.mark.parametrize(
    ("ref", "says", "hint"),
    [
        ("featur", "no branch 'featur'", "did you mean feature?"),
        ("main", "is the base branch itself", "git switch -c"),
        ("--upload-pack=x", "no branch", ""),
        ("-d", "no branch", ""),
        ("a..b", "not a name that a branch can have", ""),
        ("feature^", "not a name that a branch can have", ""),
        ("x\0y", "not a name that a branch can have", ""),
        ("", "not a name that a branch can have", ""),
        ("77", "no pull request has the number 77", "name of its branch"),
        ("same", "contained in 'main' already", ""),
        ("nothing", "changes no file", ""),
        ("alien", "no common history", ""),
    ],
)
async def test_what_is_no_pull_request_is_refused_with_a_hint(one_house: House, ref: str, says: str, hint: str) -> None:
    one_house.change()
    one_house.dev.run("push", "-q", "origin", f"{one_house.base}:refs/heads/same")
    one_house.dev.branch_from(one_house.base)
    one_house.dev.push("nothing", "Nothing at all")
    one_house.dev.run("checkout", "-q", "--orphan", "alien")
    one_house.dev.push("alien", "From elsewhere")
    with pytest.raises(InputError) as refused:
        await one_house.host.pull_request(ref)
    assert says in refused.value.message
    assert hint in refused.value.hint


async def test_a_missing_base_branch_an_empty_and_an_absent_repository_are_told_apart(tmp_path: Path) -> None:
    house = House(tmp_path, bare=False)
    house.change()
    with pytest.raises(InputError, match="no base branch 'master'"):
        await LocalGit(house.path, base_branch="master").pull_request("feature")
    house.dev.run("init", "-q", str(tmp_path / "empty"))
    with pytest.raises(InputError, match="no base branch") as unborn:
        await LocalGit(tmp_path / "empty").pull_request("feature")
    assert "no branches yet" in unborn.value.hint
    (tmp_path / "plain").mkdir()
    with pytest.raises(InputError, match="not in a git repository"):
        LocalGit(tmp_path / "plain")


# ------------------------------------------------------------------ reading


async def test_a_diff_gives_each_line_with_its_number(one_house: House) -> None:
    one_house.dev.write("old name.py", "one\ntwo\nthree\nfour\nfive\nsix\n")
    one_house.dev.write("gone.py", "x = 1\n")
    base = one_house.dev.push("main", "More files")
    one_house.dev.run("mv", "old name.py", "new\tname.py")
    one_house.dev.write("new\tname.py", "one\ntwo\n3\nfour\nfive\nsix")
    one_house.dev.run("mv", "new\tname.py", "new name.py")
    one_house.dev.run("rm", "-q", "gone.py")
    one_house.dev.write("empty.py", "")
    one_house.dev.write("windows.py", "--- a\r\n+++ b\r\n@@ -1 +1 @@\r\n")
    head = one_house.dev.push("feature")
    diff = await one_house.host.diff(base, head)
    files = {f.path: f for f in diff.files}
    assert set(files) == {"new name.py", "gone.py", "empty.py", "windows.py"}
    moved = files["new name.py"]
    assert (moved.status, moved.old_path) == ("renamed", "old name.py")
    assert [(line.number, line.text) for line in moved.added] == [(3, "3"), (6, "six")]
    assert [(line.number, line.text) for line in moved.removed] == [(3, "three"), (6, "six")]
    assert files["gone.py"].status == "deleted"
    assert files["gone.py"].removed[0].text == "x = 1"
    assert (files["empty.py"].status, files["empty.py"].added) == ("added", ())
    assert [line.text for line in files["windows.py"].added] == ["--- a", "+++ b", "@@ -1 +1 @@"]
    assert not any(f.skipped for f in diff.files)
    assert diff.sha256.startswith("sha256:")
    assert diff == await one_house.host.diff(base, head)


async def test_what_can_not_be_read_as_text_is_skipped_with_its_reason(one_house: House) -> None:
    dev = one_house.dev
    dev.branch_from(one_house.base)
    dev.write("photo.bin", b"\x89PNG\0\0\0")
    dev.write("latin.py", "name = 'Zoë'\n".encode("latin-1"))
    dev.write(b"caf\xe9.py", "x = 1\n")
    dev.write("a\ndiff --git a/b b/b\n.py", "x = 1\n")
    dev.write("large.py", "x = 1\n" * 400_000)
    dev.write("plain.py", "x = 1\n")
    (dev.folder / "link").symlink_to("/etc/passwd")
    (dev.folder / "app.py").unlink()
    (dev.folder / "app.py").symlink_to("plain.py")
    dev.run("update-index", "--add", "--cacheinfo", f"160000,{one_house.base},vendored")
    dev.run("config", "advice.addEmbeddedRepo", "false")
    (dev.folder / "vendored").mkdir()
    head = dev.push("feature")
    diff = await one_house.host.diff(one_house.base, head)
    reasons = {f.path: f.skipped for f in diff.files}
    assert reasons.pop("plain.py") is None
    assert reasons == {
        "photo.bin": "binary",
        "latin.py": "not UTF-8 text",
        "caf\\xe9.py": "its name is not UTF-8",
        "a\\x0adiff --git a/b b/b\\x0a.py": "its name holds control characters",
        "large.py": "larger than 1 MB (2.3 MB)",
        "link": "a symbolic link",
        "app.py": "a symbolic link",
        "vendored": "a submodule: its content is in another repository",
    }


async def test_attributes_and_settings_of_the_repository_hide_nothing_from_a_diff(one_house: House) -> None:
    dev = one_house.dev
    dev.branch_from(one_house.base)
    dev.write(".gitattributes", "*.py -diff binary export-ignore\n*.txt export-subst ident filter=x\n")
    dev.write("app.py", "def price():\n    return 3\n")
    dev.write("v.txt", "$Format:%H$ $Id$\n")
    head = dev.push("feature")
    marker = one_house.path.parent / "executed"
    for key in ("diff.external", "core.fsmonitor", "diff.x.command", "filter.x.smudge"):
        dev.run("config", key, f"touch {marker}", cwd=one_house.path)
    dev.run("checkout", "-q", "feature", cwd=one_house.path)
    marker.unlink(missing_ok=True)
    diff = await one_house.host.diff(one_house.base, head)
    into = one_house.path.parent / "out"
    await one_house.host.export(head, into)
    changed = next(f for f in diff.files if f.path == "app.py")
    assert [line.text for line in changed.added] == ["    return 3"]
    assert (into / "app.py").read_text() == "def price():\n    return 3\n"
    assert (into / "v.txt").read_text() == "$Format:%H$ $Id$\n"
    assert not marker.exists()


async def test_a_diff_of_fifty_megabytes_is_read_in_bounded_memory(one_house: House) -> None:
    dev = one_house.dev
    dev.branch_from(one_house.base)
    dev.write("huge.csv", os.urandom(25 << 20).hex() + "\n")
    for i in range(40):
        dev.write(f"data/{i}.sql", f"INSERT INTO t VALUES ({i});\n" * 33_000)
    dev.write("zz.py", "x = 1\n")
    head = dev.push("feature")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    diff = await one_house.host.diff(one_house.base, head)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    reasons = {f.path: f.skipped or "" for f in diff.files}
    assert len(reasons) == 42
    assert reasons["huge.csv"].startswith("larger than 1 MB (50.0 MB)")
    assert reasons["data/0.sql"] == ""
    assert reasons["zz.py"].startswith("the change is larger than 20 MB")
    assert grown_mb < 250


async def test_an_export_holds_the_files_and_no_way_out_of_them(one_house: House) -> None:
    dev = one_house.dev
    dev.branch_from(one_house.base)
    dev.write("bin/run", "#!/bin/sh\n")
    (dev.folder / "bin/run").chmod(0o755)
    dev.write(b"caf\xe9.txt", b"\xff\n")
    dev.write("a/b/deep.txt", "x\n")
    for name, target in {
        "good": "app.py",
        "absolute": "/etc/passwd",
        "up": "../secret",
        "a/b/d": "../../s",
        "sneaky": "a/b/d/../..",
        "loop": "loop",
    }.items():
        (dev.folder / name).symlink_to(target)
    dev.write("s/x.txt", "x\n")
    head = dev.push("feature")
    into = one_house.path.parent / "out"
    await one_house.host.export(head, into)
    assert (into / "app.py").read_text() == "def price():\n    return 1\n"
    assert os.access(into / "bin/run", os.X_OK)
    assert (into / os.fsdecode(b"caf\xe9.txt")).read_bytes() == b"\xff\n"
    assert (into / "good").resolve() == (into / "app.py").resolve()
    assert (into / "a/b/d").resolve() == (into / "s").resolve()
    assert not any(os.path.lexists(into / name) for name in ("absolute", "up", "sneaky"))
    assert not (into / ".git").exists()
    with pytest.raises(InputError, match="not an empty folder"):
        await one_house.host.export(head, into)
    with pytest.raises(GreenlaneError):
        await one_house.host.export("0" * 40, into.with_name("other"))
    assert not into.with_name("other").exists()


async def test_an_export_that_would_be_too_large_writes_nothing(
    one_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenlane.adapters.git.export.MAX_EXPORT_BYTES", 10)
    into = one_house.path.parent / "out"
    with pytest.raises(InputError, match="files of"):
        await one_house.host.export(one_house.base, into)
    assert not into.exists()


async def test_a_file_is_read_as_it_stands_on_a_branch(one_house: House) -> None:
    one_house.change()
    assert await one_house.host.read_file("feature", "app.py") == b"def price():\n    return 2\n"
    assert await one_house.host.read_file("main", "app.py") == b"def price():\n    return 1\n"
    assert await one_house.host.read_file("main", "absent.py") is None
    assert await one_house.host.read_file("absent", "app.py") is None
    assert await one_house.host.read_file("main", "tests") is None


# ------------------------------------------------------------------ merging


async def test_the_merge_of_two_commits_is_always_the_same_commit(house: House) -> None:
    head = house.change()
    house.dev.branch_from(house.base)
    house.dev.write("other.py", "y = 1\n")
    base = house.dev.push("main", "Meanwhile")
    merged = await house.host.merge(base, head, message="Merge #1")
    assert merged == await house.host.merge(base, head, message="Merge #1")
    text = house.dev.run(
        "--git-dir", str(house.path if house.path.suffix else house.path / ".git"), "cat-file", "-p", merged
    )
    assert text.splitlines()[1:3] == [f"parent {base}", f"parent {head}"]
    assert "author Greenlane <greenlane@localhost>" in text
    assert "committer Greenlane <greenlane@localhost>" in text
    into = house.path.parent / "out"
    await house.host.export(merged, into)
    assert (into / "app.py").read_text() == "def price():\n    return 2\n"
    assert (into / "other.py").exists()
    ahead = await house.host.merge(house.base, head, message="Merge #1")
    assert ahead != head


async def test_a_conflict_names_its_files(house: House) -> None:
    head = house.change()
    house.dev.branch_from(house.base)
    house.dev.write("app.py", "def price():\n    return 3\n")
    base = house.dev.push("main", "Meanwhile")
    with pytest.raises(MergeConflictError) as conflict:
        await house.host.merge(base, head, message="Merge #1")
    assert conflict.value.paths == ("app.py",)


async def test_reverting_gives_the_old_tree_on_top_of_the_new_base(house: House) -> None:
    head = house.change()
    merged = await house.host.merge(house.base, head, message="Merge #1")
    await house.host.advance_base("main", expected=house.base, commit=merged, run="run-1", fence=1)
    back = await house.host.revert_to(house.base, merged, message="Roll back #1")
    assert back == await house.host.revert_to(house.base, merged, message="Roll back #1")
    await house.host.advance_base("main", expected=merged, commit=back, run="run-1", fence=1)
    assert await house.host.head_of("main") == back
    assert (await house.host.diff(house.base, back)).files == ()


# ------------------------------------------------------------------ changing branches


async def test_committing_files_twice_with_one_key_makes_one_commit(house: House) -> None:
    head = house.change()
    files = {"tests/test_new.py": b"def test_x():\n    assert True\n"}
    made = await house.host.commit_files("feature", expected_head=head, files=files, message="Add tests", key="run/1")
    again = await house.host.commit_files("feature", expected_head=head, files=files, message="Add tests", key="run/1")
    assert made == again == await house.host.head_of("feature")
    diff = await house.host.diff(head, made)
    assert diff.paths == ("tests/test_new.py",)
    with pytest.raises(FinalError, match="is at"):
        await house.host.commit_files("feature", expected_head=head, files={"b.py": b""}, message="More", key="run/2")


async def test_a_commit_goes_on_top_of_what_was_expected_or_nowhere(house: House) -> None:
    head = house.change()
    house.dev.write("late.py", "x = 1\n")
    late = house.dev.push("feature", "One more thing")
    with pytest.raises(FinalError, match="is at"):
        await house.host.commit_files("feature", expected_head=head, files={"t.py": b""}, message="Add", key="k")
    assert await house.host.head_of("feature") == late


@pytest.mark.parametrize(
    "path",
    ["/etc/x", "../x", "a/../../x", ".git/hooks/x", "a/.GIT/x", ".git ./x", "", "a//b", "./a", "link/x", "link",
     "app.py/x", "tests", "a\nb", "a\\b", "git~1/x"],
)  # fmt: skip
async def test_no_file_is_committed_outside_the_tree_or_through_a_link(one_house: House, path: str) -> None:
    (one_house.dev.folder / "link").symlink_to("/tmp")
    head = one_house.change()
    with pytest.raises(InputError):
        await one_house.host.commit_files("feature", expected_head=head, files={path: b"x"}, message="Add", key="k")
    assert await one_house.host.head_of("feature") == head


async def test_the_base_branch_moves_once_and_only_from_where_it_was_expected(house: House) -> None:
    head = house.change()
    merged = await house.host.merge(house.base, head, message="Merge #1")
    await house.host.advance_base("main", expected=house.base, commit=merged, run="run-1", fence=1)
    await house.host.advance_base("main", expected=house.base, commit=merged, run="run-1", fence=1)
    assert await house.host.head_of("main") == merged
    other = await house.host.merge(house.base, house.change("b", "b.py", "b = 1\n"), message="Merge #2")
    with pytest.raises(BaseMovedError) as moved:
        await house.host.advance_base("main", expected=house.base, commit=other, run="run-1", fence=1)
    assert moved.value.actual == merged
    with pytest.raises(FinalError, match="would lose commits"):
        await house.host.advance_base("main", expected=merged, commit=house.base, run="run-1", fence=1)


async def test_an_older_worker_of_a_run_moves_no_base_branch_once_a_newer_one_closed_it(house: House) -> None:
    head = house.change()
    merged = await house.host.merge(house.base, head, message="Merge #1")
    await house.host.fence_base("run-1", 2)
    with pytest.raises(FencedError, match="newer worker"):
        await house.host.advance_base("main", expected=house.base, commit=merged, run="run-1", fence=1)
    with pytest.raises(FencedError, match="newer worker"):
        await house.host.fence_base("run-1", 1)
    assert await house.host.head_of("main") == house.base
    await house.host.fence_base("run-1", 3)
    await house.host.advance_base("main", expected=house.base, commit=merged, run="run-1", fence=3)
    assert await house.host.head_of("main") == merged


async def test_a_worker_that_looked_before_it_was_fenced_moves_nothing_either(
    one_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker is stopped after it read the fence and before git moves the branch."""
    merged = await one_house.host.merge(one_house.base, one_house.change(), message="Merge #1")
    look = worktrees.require_movable

    def frozen(git: Git, ref: str, old: str, new: str) -> None:
        look(git, ref, old, new)
        commits.fence_base(git, "run-1", 2)

    monkeypatch.setattr(worktrees, "require_movable", frozen)
    with pytest.raises(FencedError, match="newer worker"):
        await one_house.host.advance_base("main", expected=one_house.base, commit=merged, run="run-1", fence=1)
    assert await one_house.host.head_of("main") == one_house.base


# ------------------------------------------------------------------ checked-out branches


def _checkout(house: House, branch: str) -> Callable[..., str]:
    house.dev.run("checkout", "-q", branch, cwd=house.path)
    return lambda *args: house.dev.run(*args, cwd=house.path)


async def test_a_clean_checkout_follows_its_branch(one_house: House) -> None:
    head = one_house.change()
    git = _checkout(one_house, "main")
    merged = await one_house.host.merge(one_house.base, head, message="Merge #1")
    await one_house.host.advance_base("main", expected=one_house.base, commit=merged, run="run-1", fence=1)
    assert git("status", "--porcelain") == ""
    assert (one_house.path / "app.py").read_text() == "def price():\n    return 2\n"
    git("checkout", "-q", "feature")
    await one_house.host.commit_files(
        "feature", expected_head=head, files={"t/test_n.py": b"x\n"}, message="Add", key="k"
    )
    assert git("status", "--porcelain") == ""
    assert (one_house.path / "t/test_n.py").exists()


async def test_a_move_that_was_interrupted_before_the_checkout_followed_is_finished(one_house: House) -> None:
    head = one_house.change()
    git = _checkout(one_house, "main")
    merged = await one_house.host.merge(one_house.base, head, message="Merge #1")
    git("update-ref", "refs/heads/main", merged)
    assert git("status", "--porcelain") != ""
    await one_house.host.advance_base("main", expected=one_house.base, commit=merged, run="run-1", fence=1)
    assert git("status", "--porcelain") == ""


async def test_a_checkout_with_uncommitted_work_stops_the_move(one_house: House) -> None:
    head = one_house.change(path="new.py", content="x = 1\n")
    git = _checkout(one_house, "main")
    merged = await one_house.host.merge(one_house.base, head, message="Merge #1")
    work = one_house.path / "app.py"
    work.write_text("unsaved work\n")
    with pytest.raises(FinalError, match="uncommitted changes") as refused:
        await one_house.host.advance_base("main", expected=one_house.base, commit=merged, run="run-1", fence=1)
    assert "commit or stash" in refused.value.hint
    assert work.read_text() == "unsaved work\n"
    git("checkout", "-q", "app.py")
    (one_house.path / "new.py").write_text("untracked, and in the way\n")
    with pytest.raises(FinalError, match="in the way"):
        await one_house.host.advance_base("main", expected=one_house.base, commit=merged, run="run-1", fence=1)
    assert await one_house.host.head_of("main") == one_house.base


async def test_a_folder_of_a_branch_is_read_as_text_and_nothing_outside_of_it(tmp_path: Path) -> None:
    repo = tmp_path / "shop"
    repo.mkdir()

    def git(*args: str) -> None:
        subprocess.run(["git", "-C", str(repo), "-c", "user.name=a", "-c", "user.email=a@b.c", *args], check=True)

    git("init", "-q", "-b", "main")
    (repo / "examples" / "deeper").mkdir(parents=True)
    (repo / "examples" / "one.md").write_text("a case")
    (repo / "examples" / "deeper" / "two.md").write_text("not directly in it")
    (repo / "examples" / "three.md").symlink_to("/etc/hostname")
    git("add", "-A")
    git("commit", "-qm", "examples")
    (repo / "examples" / "late.md").write_text("not on the branch")
    host = LocalGit(repo)
    assert host.read_folder("main", "examples", ".md") == {"one.md": "a case"}
    assert host.read_folder("main", "absent", ".md") == {}
    assert host.read_folder("main", None, ".md") == {}
    with pytest.raises(ConfigError):
        host.read_folder("main", "../examples", ".md")


def test_every_working_tree_of_a_repository_leads_to_one_state_folder_and_one_name(tmp_path: Path) -> None:
    from greenlane.bootstrap import state_dir_of

    def git(*args: str) -> None:
        options = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "safe.directory=*")
        subprocess.run(["git", *options, *args], check=True, capture_output=True)

    main, linked, bare, of_bare = tmp_path / "shop", tmp_path / "elsewhere", tmp_path / "shop.git", tmp_path / "tree"
    git("init", "--quiet", "--initial-branch=main", str(main))
    (main / "app").mkdir()
    git("-C", str(main), "commit", "--quiet", "--allow-empty", "-m", "one")
    git("-C", str(main), "worktree", "add", "-b", "other", str(linked))
    git("clone", "--quiet", "--bare", str(main), str(bare))
    git("-C", str(bare), "worktree", "add", "-b", "third", str(of_bare))
    assert state_dir_of(main) == state_dir_of(linked) == main / ".greenlane"
    assert state_dir_of(linked / "app") == main / "app" / ".greenlane"
    assert state_dir_of(of_bare) == bare / ".greenlane" == state_dir_of(bare)
    assert {LocalGit(x).name for x in (main, linked, bare, of_bare)} == {"shop"}
