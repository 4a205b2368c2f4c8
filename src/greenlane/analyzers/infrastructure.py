"""Infrastructure: what builds, ships and guards the code. A change to the rules is never judged by the rules alone.

Greenlane's own configuration always goes to a person, and so does a workflow that gains rights or runs the code of
strangers with them. Ordinary edits are noted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from greenlane.analyzers.base import AnalysisResult, ReviewInput
from greenlane.domain.diff import FileDiff, Line
from greenlane.domain.findings import Category, Finding, Severity

NAME = "infrastructure"
_WORKFLOW = re.compile(
    r"^\.github/(workflows|actions)/|^\.gitlab-ci|^\.circleci/|^\.ci/|^azure-pipelines|^Jenkinsfile|^\.travis|^bitbucket-pipelines"
    r"|^\.drone|^appveyor|^\.buildkite/|^\.woodpecker",
    re.IGNORECASE,
)
_CONTAINER = re.compile(
    r"(^|/)(Dockerfile[^/]*|[^/]*\.dockerfile|Containerfile|docker-compose[^/]*|compose\.ya?ml)$", re.I
)
_OWNERS = re.compile(r"(^|/)CODEOWNERS$")
_CONFIGURATION = re.compile(r"(^|/)\.?greenlane\.ya?ml$|greenlane-risk\.json$|^\.greenlane/")
_BUILD = re.compile(
    r"(^|/)(Makefile|GNUmakefile|Procfile|tox\.ini|noxfile\.py|\.pre-commit-config\.yaml|conftest\.py)$"
)
_STARTUP = re.compile(r"(^|/)(sitecustomize|usercustomize)(\.py|/__init__\.py)$", re.IGNORECASE)
"""What Python runs at every start, whoever starts it (https://docs.python.org/3/library/site.html)."""
_RIGHTS = (
    (re.compile(r"^\s*(permissions:\s*write-all|[\w-]+:\s*(write|write-all))\s*(#.*)?$"), "rights-raised",
     "the workflow gains the right to write"),
    (re.compile(r"\b(pull_request_target|workflow_run)\s*:?"), "privileged-trigger",
     "the workflow runs with secrets for code of strangers"),
    (re.compile(r"^\s*privileged:\s*true|--privileged\b|/var/run/docker\.sock|cap_add\b|--cap-add"),
     "privileged-container", "a container gets rights over its host"),
    (re.compile(r"(curl|wget)\b[^|;&]*\|\s*(sudo\s+)?(ba|z|da)?sh\b"), "download-and-run",
     "something is downloaded and run unchecked"),
)  # fmt: skip
_NOTED = (
    (re.compile(r"\$\{\{\s*secrets\.(?!GITHUB_TOKEN)\w+"), "secret-used", "the workflow uses a secret"),
    (re.compile(r"^\s*USER\s+(root|0)\b", re.IGNORECASE), "runs-as-root", "the container runs as root"),
    (re.compile(r"^\s*-?\s*uses:\s*(?!actions/|github/|\./)[\w.-]+/[\w./-]+"),
     "third-party-action", "an action of somebody else runs"),
)  # fmt: skip


def analyze(review: ReviewInput) -> AnalysisResult:
    findings: list[Finding] = []
    for diff in review.diff.files:
        findings += _of_file(diff, review.rules_at)
    return AnalysisResult(findings=tuple(findings))


def _of_file(diff: FileDiff, rules_at: tuple[str, ...]) -> Iterator[Finding]:
    path = diff.path
    for candidate in {path, diff.old_path or path}:
        if _CONFIGURATION.search(candidate) or _is_at(candidate, rules_at):
            line = diff.added[0] if diff.added else Line(0, "")
            yield _finding("rules-changed", Severity.HIGH, "the change alters the rules that judge changes", path, line)
            return
        if _OWNERS.search(candidate):
            yield _finding("owners-changed", Severity.MEDIUM, "the change alters who must review", path, Line(0, ""))
            return
    if _STARTUP.search(path) and diff.added:
        what = "Python runs this at every start, in tests and tools too"
        yield _finding("startup-hook", Severity.HIGH, what, path, diff.added[0])
    if not (_WORKFLOW.search(path) or _CONTAINER.search(path) or _BUILD.search(path)):
        return
    yield from _lines(diff)
    what = "the way the code is built, tested or shipped changes"
    yield _finding(_kind(path), Severity.LOW, what, path, diff.added[0] if diff.added else Line(0, ""))


def _is_at(path: str, places: tuple[str, ...]) -> bool:
    return any(PurePosixPath(path).is_relative_to(PurePosixPath(place)) for place in places)


def _kind(path: str) -> str:
    if _WORKFLOW.search(path):
        return "workflow-changed"
    return "container-changed" if _CONTAINER.search(path) else "build-changed"


def _lines(diff: FileDiff) -> Iterator[Finding]:
    """Lines that raise rights or are worth a note; a line that only moved was removed as well."""
    before = {" ".join(line.text.split()) for line in diff.removed}
    known_actions = {re.split(r"@", text)[0] for text in before}
    for line in diff.added:
        text = " ".join(line.text.split())
        if text in before or text.startswith("#"):
            continue
        for pattern, rule, message in _RIGHTS:
            if pattern.search(line.text) and (rule != "rights-raised" or _WORKFLOW.search(diff.path)):
                yield _finding(rule, Severity.HIGH, message, diff.path, line)
        for pattern, rule, message in _NOTED:
            if pattern.search(line.text) and re.split(r"@", text)[0] not in known_actions:
                yield _finding(rule, Severity.MEDIUM, message, diff.path, line)
    if _CONTAINER.search(diff.path):
        yield from _dropped_user(diff)


def _dropped_user(diff: FileDiff) -> Iterator[Finding]:
    """A container that no longer says which ordinary user it runs as."""
    removed = [line for line in diff.removed if re.match(r"\s*USER\s+(?!root|0\b)", line.text, re.IGNORECASE)]
    if removed and not any(re.match(r"\s*USER\s", line.text, re.IGNORECASE) for line in diff.added):
        yield _finding(
            "user-dropped",
            Severity.MEDIUM,
            "the container no longer drops its rights (line of the base)",
            diff.path,
            removed[0],
        )


def _finding(rule: str, severity: Severity, message: str, path: str, line: Line) -> Finding:
    name = PurePosixPath(path).name
    return Finding(
        rule=f"infrastructure.{rule}",
        category=Category.INFRASTRUCTURE,
        severity=severity,
        message=f"{name}: {message}",
        path=path,
        line=line.number,
        quotation=line.text.strip()[:200],
    )
