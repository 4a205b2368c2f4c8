"""Whether new examples for the model may ship: confirmed findings that are held out are read with both prompts.

A finding that an example names (`finding:` in its front matter) is not held out: the model would be told the answer.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from greenlane.domain.change import Change
from greenlane.domain.errors import RefusedError
from greenlane.domain.findings import Finding
from greenlane.domain.opinion import ModelReview
from greenlane.policy.feedback import PromptVerdict, assess_prompt, judged_findings
from greenlane.ports.code_host import SourceControl
from greenlane.ports.reviewer import Reviewer, ReviewMaterial

_NEAR_LINES = 5
"""How far from a confirmed finding a concern of the model may stand and still mean it."""
_NAMED = re.compile(r"^finding:\s*([0-9a-f]+)\s*$", re.MULTILINE)


def held_out_cases(changes: Sequence[Change], examples: Mapping[str, str]) -> dict[str, tuple[Change, Finding]]:
    """Confirmed findings that no example gives away, by `RUN FINDING`."""
    told = {name for text in examples.values() for name in _NAMED.findall(text)}
    return {
        f"{change.run} {item.finding_id}": (change, item.finding)
        for change in changes
        for item in judged_findings(change)
        if item.verdict == "confirmed" and item.finding_id not in told
    }


async def compare_prompts(
    cases: Mapping[str, tuple[Change, Finding]],
    source: SourceControl,
    *,
    before: Reviewer,
    after: Reviewer,
    folder: Path,
    on_read: Callable[[], None] = lambda: None,
) -> PromptVerdict:
    """Both reviewers read every change of the cases once; the verdict on the second. `folder` is emptied.

    Raises RefusedError if either reviewer gave no reading: a comparison without all its figures is none.
    """
    found_before: list[str] = []
    found_after: list[str] = []
    by_run: dict[str, list[str]] = {}
    for name, (change, _) in cases.items():
        by_run.setdefault(change.run, []).append(name)
    for names in by_run.values():
        change = cases[names[0]][0]
        material = await _material(change, source, folder)
        for reviewer, found in ((before, found_before), (after, found_after)):
            review = await reviewer.review(material)
            if review.opinion is None:
                raise RefusedError(
                    f"the model gave no reading of {change.run}: {review.outcome} ({review.detail})",
                    hint="try again when the model answers and the budget allows it",
                )
            found += [name for name in names if _sees(review, cases[name][1])]
            on_read()
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return assess_prompt(list(cases), found_before=found_before, found_after=found_after)


async def _material(change: Change, source: SourceControl, folder: Path) -> ReviewMaterial:
    """The change as the review agent hands it on, without the analyzers' findings: they would give the answer away."""
    opened = change.opened
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    await source.export(opened.merge_base_sha, folder / "base")
    await source.export(opened.head_sha, folder / "head")
    return ReviewMaterial(
        repo=opened.repo,
        pr_number=opened.pr_number,
        diff=await source.diff(opened.merge_base_sha, opened.head_sha),
        base=folder / "base",
        head=folder / "head",
        findings=(),
        intent_title=opened.title,
        intent_description=opened.description,
    )


def _sees(review: ModelReview, finding: Finding) -> bool:
    opinion = review.opinion
    if opinion is None:
        return False
    concerns = (*opinion.security_issues, *opinion.performance_concerns, *opinion.api_breaking_changes)
    return any(c.path == finding.path and abs(c.line - finding.line) <= _NEAR_LINES for c in concerns)
