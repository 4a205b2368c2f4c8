"""A branch of a local repository as a pull request: its number, its people, its text. Used by `LocalGit`."""

from __future__ import annotations

import difflib
import hashlib
import re

import msgspec

from greenlane.adapters.git.process import Git, GitFailedError
from greenlane.domain.errors import FinalError, InputError, RetryableError
from greenlane.ports.code_host import PullRequest

OWN_IDENTITY = "Greenlane <greenlane@localhost>"
PULLS = "refs/greenlane/pulls/"
KEYS = "refs/greenlane/keys/"
FENCES = "refs/greenlane/fences/"
MAX_COMMITS = 5_000
"""Commits of one pull request whose authors are read; more is a history of its own, not a change."""

_COAUTHOR = re.compile(r"^co-authored-by:[ \t]*(.+?)[ \t]*$", re.IGNORECASE | re.MULTILINE)
_LABELS = re.compile(r"^labels?:[ \t]*(.+?)[ \t]*$", re.IGNORECASE | re.MULTILINE)


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """One commit of a branch. People are written `Name <address>`."""

    sha: str
    author: str
    committer: str
    message: str


def branch_ref(git: Git, branch: str) -> str:
    """`refs/heads/...` of a branch name; raises InputError if git allows no such name."""
    name = branch.removeprefix("refs/heads/")
    unfit = not name or any(c in name for c in "\0\n")
    if unfit or not git.succeeds("check-ref-format", f"refs/heads/{name}"):
        raise InputError(f"{branch[:100]!r} is not a name that a branch can have", hint="list branches: git branch")
    return f"refs/heads/{name}"


def find_head(git: Git, ref: str) -> str | None:
    """The commit at which a full ref stands, or None."""
    out = git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", ok=(0, 1, 128))
    return out.decode().strip() or None


def head_of(git: Git, branch: str) -> str:
    head = find_head(git, branch_ref(git, branch))
    if head is None:
        raise InputError(f"there is no branch {branch!r}", hint=_near(git, branch))
    return head


def _branches(git: Git, under: str) -> list[str]:
    depth = under.count("/") + 1
    return git.text("for-each-ref", "--count=10000", f"--format=%(refname:lstrip={depth})", f"{under}/").splitlines()


def _near(git: Git, branch: str) -> str:
    names = _branches(git, "refs/heads")
    if not names:
        return "the repository has no branches yet: commit something first"
    remote = [name for name in _branches(git, "refs/remotes") if name.split("/", 1)[-1] == branch]
    if remote:
        return f"it exists at a remote: git branch {branch} {remote[0]}"
    near = difflib.get_close_matches(branch, names, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(near) + "?"
    return "branches here: " + ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")


# ------------------------------------------------------------------ numbers


def number_of(git: Git, branch: str) -> int:
    """The pull request number of a branch, given to it now if it has none.

    It is a ref, `refs/greenlane/pulls/<number>`, at a blob that holds the branch's name. Git creates a ref only if it
    is absent, so two processes can't give one number to two branches.
    """
    blob = git.run("hash-object", "-w", "--stdin", stdin=branch.encode()).decode().strip()
    for _ in range(20):
        taken = _numbers(git)
        for number, name in taken.items():
            if name == blob:
                return number
        number = max(taken, default=0) + 1
        try:
            git.run("update-ref", "--end-of-options", f"{PULLS}{number}", blob, "0" * len(blob))
        except (GitFailedError, RetryableError):
            continue
        return number
    raise RetryableError("no number could be given to the branch", hint="another process holds a lock on the refs")


def branch_of(git: Git, number: int) -> str | None:
    """The branch that has this pull request number, or None."""
    blob = _numbers(git).get(number)
    return git.run("cat-file", "blob", blob).decode("utf-8", "replace") if blob else None


def _numbers(git: Git) -> dict[int, str]:
    rows = (
        row.split(" ")
        for row in git.text("for-each-ref", "--format=%(refname:lstrip=3) %(objectname)", PULLS).splitlines()
    )
    return {int(number): blob for number, blob in rows if number.isdigit()}


# ------------------------------------------------------------------ people and text


def read_commits(git: Git, since: str, head: str) -> list[Commit]:
    """The commits of `head` that `since` lacks, oldest first."""
    out = git.run(
        "log", "-z", "--topo-order", "--reverse", "--no-color", "--no-mailmap", "--no-notes",
        f"--max-count={MAX_COMMITS + 1}", "--format=tformat:%H%x00%an <%ae>%x00%cn <%ce>%x00%B",
        "--end-of-options", f"{since}..{head}",
    )  # fmt: skip
    fields = [field.decode("utf-8", "replace") for field in out.split(b"\0")[:-1]]
    commits = [
        Commit(sha=fields[i], author=_person(fields[i + 1]), committer=_person(fields[i + 2]), message=fields[i + 3])
        for i in range(0, len(fields), 4)
    ]
    if len(commits) > MAX_COMMITS:
        raise InputError(f"the branch has over {MAX_COMMITS} commits of its own", hint="squash it, or split the change")
    return commits


def _person(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text).strip()


def own_commits(git: Git) -> frozenset[str]:
    """The commits that Greenlane itself put on branches. A name in a commit proves nothing; this list does."""
    return frozenset(git.text("for-each-ref", "--format=%(objectname)", KEYS).split())


def key_ref(key: str) -> str:
    return KEYS + hashlib.sha256(key.encode()).hexdigest()


def fence_ref(run: str) -> str:
    return FENCES + hashlib.sha256(run.encode()).hexdigest()


def people_of(commits: list[Commit]) -> tuple[str, tuple[str, ...]]:
    """The author of the change (who began it), and everybody else who had a hand in it, committers included."""
    author = commits[0].author
    others: dict[str, None] = {}
    for commit in commits:
        for person in (commit.author, commit.committer, *map(_person, _COAUTHOR.findall(commit.message))):
            if person != author:
                others[person] = None
    return author, tuple(others)


def labels_of(commits: list[Commit]) -> tuple[str, ...]:
    """What `Labels:` lines of the commit messages name; a branch has no other place for labels."""
    found = (label.strip() for c in commits for line in _LABELS.findall(c.message) for label in line.split(","))
    return tuple(dict.fromkeys(label for label in found if label))


def read_pull_request(git: Git, repo: str, ref: str, base_branch: str) -> PullRequest:
    """The branch (or number) as a pull request against `base_branch`. Raises InputError; see the port."""
    branch = _resolve(git, ref)
    if branch == base_branch:
        raise InputError(
            f"{branch!r} is the base branch itself",
            hint=f"commit your change on a branch of its own: git switch -c my-change {base_branch}",
        )
    base = find_head(git, branch_ref(git, base_branch))
    if base is None:
        raise InputError(
            f"there is no base branch {base_branch!r}",
            hint="name it in greenlane.yaml under repository.base_branch. " + _near(git, base_branch),
        )
    head = head_of(git, branch)
    merge_base = git.text("merge-base", "--end-of-options", base, head, ok=(0, 1)).split("\n")[0]
    if not merge_base:
        raise InputError(
            f"{branch!r} and {base_branch!r} have no common history",
            hint="in a shallow clone: git fetch --unshallow; otherwise rebase the branch onto the base branch",
        )
    if merge_base == head:
        raise InputError(f"{branch!r} is contained in {base_branch!r} already", hint="there is nothing to deploy")
    if git.succeeds("diff-tree", "--quiet", "--end-of-options", merge_base, head):
        raise InputError(
            f"{branch!r} changes no file relative to {base_branch!r}", hint="commit your change to it first"
        )
    own = own_commits(git)
    commits = [c for c in read_commits(git, base, head) if c.sha not in own]
    if not commits:
        raise FinalError(f"{branch!r} holds no commit of a person", hint="commit your change to it first")
    author, coauthors = people_of(commits)
    title, _, body = commits[-1].message.strip().partition("\n")
    return PullRequest(
        repo=repo,
        number=number_of(git, branch),
        title=_person(title) or f"({branch})",
        description=body.strip(),
        branch=branch,
        base_branch=base_branch,
        head_sha=head,
        base_sha=base,
        merge_base_sha=merge_base,
        author=author,
        coauthors=coauthors,
        labels=labels_of(commits),
    )


def _resolve(git: Git, ref: str) -> str:
    """The branch that a branch name, `refs/heads/...`, or a number (`7`, `#7`) means."""
    digits = ref.removeprefix("#")
    if digits.isascii() and digits.isdigit() and len(digits) < 10:
        branch = branch_of(git, int(digits))
        if branch:
            return branch
        if digits != ref or find_head(git, f"refs/heads/{ref}") is None:
            raise InputError(f"no pull request has the number {digits}", hint="give the name of its branch")
    return branch_ref(git, ref).removeprefix("refs/heads/")
