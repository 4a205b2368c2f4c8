"""People's judgement of findings: who may give it, what it says of a rule, and when a prompt may ship. Pure.

A judgement changes no run. It is kept in the ledger beside the finding, and counted per rule. An author's word on their
own change is kept and shown, and counts for nothing: nobody talks a rule down by writing changes that it stops.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.findings import Finding, Severity
from greenlane.policy.people import Refused, detect_program, detect_same_person, names_of
from greenlane.policy.shares import Share, share_of

Verdict = Literal["false-positive", "confirmed"]
_ID_DIGITS = 8


class JudgedFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding of a run with its short name, and the last word of a person who is no author, if there is one."""

    finding_id: str
    finding: Finding
    verdict: Verdict | None = None
    by: str = ""
    reason: str = ""


class RuleRate(msgspec.Struct, frozen=True, kw_only=True):
    """How a rule fared: findings that it made, how many people judged, and which share of those was false.

    `by_authors` counts what authors said of their own changes, which is in no rate.
    """

    rule: str
    fired: int
    runs: int
    judged: int
    false: Share
    by_authors: int


def finding_id(finding: Finding) -> str:
    """A short name of a finding, the same for the same rule, place and quotation: 8 hexadecimal digits."""
    text = "\0".join((finding.rule, finding.path, str(finding.line), finding.quotation))
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]


def judged_findings(change: Change) -> tuple[JudgedFinding, ...]:
    """The findings of a change that count, as its review has them, each with the last word on it."""
    if change.review is None:
        return ()
    last: dict[str, e.FindingJudged] = {j.finding_id: j for j in change.all_of(e.FindingJudged) if not j.by_author}
    named = {finding_id(f): f for f in change.review.findings if f.severity is not Severity.INFO}
    found = []
    for name, finding in named.items():
        word = last.get(name)
        found.append(
            JudgedFinding(
                finding_id=name,
                finding=finding,
                verdict=word.verdict if word else None,
                by=word.by if word else "",
                reason=word.why.rationale if word else "",
            )
        )
    return tuple(found)


def assess_feedback(change: Change, name: str, verdict: Verdict, *, by: str, reason: str) -> e.FindingJudged | Refused:
    """The judgement as it is to be written, or why not. `name` may be the beginning of a finding's name."""
    if not names_of(by):
        return Refused(rule="nobody", reason="a judgement needs the name of a person", hint="give your name with --by")
    if detect_program(by):
        return Refused(
            rule="program", reason=f"{by} is a program, and a program is not a person", hint="a person has to judge"
        )
    known = judged_findings(change)
    fitting = [j for j in known if name and j.finding_id.startswith(name.strip().lower())]
    if len(fitting) != 1:
        listed = "\n".join(f"  {j.finding_id}  {j.finding.rule} at {_place(j.finding)}" for j in known[:20])
        problem = f"{name} fits {len(fitting)} findings" if fitting else f"there is no finding {name} in {change.run}"
        return Refused(
            rule="no-such-finding",
            reason=f"{problem}; there are:\n{listed}" if known else f"{change.run} has no findings",
            hint="`greenlane explain RUN` shows the findings with their names",
        )
    finding = fitting[0].finding
    author = any(detect_same_person(by, a) for a in change.authors)
    return e.FindingJudged(
        why=e.Reasoning(decision=verdict, rationale=f"{by}: {reason}", rules_fired=(finding.rule,)),
        finding_id=fitting[0].finding_id,
        rule=finding.rule,
        path=finding.path,
        line=finding.line,
        verdict=verdict,
        by=by,
        by_author=author,
    )


def compute_rates(changes: Iterable[Change]) -> tuple[RuleRate, ...]:
    """Every rule that fired, the one with most false alarms first; the last word on each finding counts."""
    fired: dict[str, int] = {}
    runs: dict[str, set[str]] = {}
    judged: dict[str, list[bool]] = {}
    authors: dict[str, int] = {}
    for change in changes:
        for item in judged_findings(change):
            rule = item.finding.rule
            fired[rule] = fired.get(rule, 0) + 1
            runs.setdefault(rule, set()).add(change.run)
            if item.verdict:
                judged.setdefault(rule, []).append(item.verdict == "false-positive")
        for word in change.all_of(e.FindingJudged):
            authors[word.rule] = authors.get(word.rule, 0) + word.by_author
    rates = [
        RuleRate(
            rule=rule,
            fired=count,
            runs=len(runs[rule]),
            judged=len(judged.get(rule, ())),
            false=share_of(sum(judged.get(rule, ())), len(judged.get(rule, ()))),
            by_authors=authors.get(rule, 0),
        )
        for rule, count in fired.items()
    ]
    return tuple(sorted(rates, key=lambda r: (-r.false.count, -r.fired, r.rule)))


def write_example(item: JudgedFinding) -> str:
    """A judged finding as a candidate example for the model's prompt: what stands there, and what a person said of it.

    Quotations of secrets are redacted in the finding already. Who said it is left out: a model need not know.
    """
    kind = "vulnerability" if item.verdict == "confirmed" else "harmless"
    said = "Reported, rightly" if item.verdict == "confirmed" else "Not to be reported"
    quoted = "\n".join(f"    + {item.finding.line}  {line}" for line in (item.finding.quotation.splitlines() or [""]))
    reason = item.reason.removeprefix(f"{item.by}: ")
    return (
        f"---\nkind: {kind}\nrule: {item.finding.rule}\nfinding: {item.finding_id}\n---\n\n"
        f"{quoted}\n\n{said} ({item.finding.message}). {reason}\n"
    )


class PromptVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a prompt may ship: recall on held-out confirmed cases before and after, and the cases that it lost."""

    ships: bool
    reason: str
    before: Share
    after: Share
    lost: tuple[str, ...]


def assess_prompt(held_out: Sequence[str], *, found_before: Sequence[str], found_after: Sequence[str]) -> PromptVerdict:
    """A prompt ships only if it finds at least as many of the held-out cases as the one in force, and there are any."""
    cases = set(held_out)
    before, after = cases & set(found_before), cases & set(found_after)
    lost = tuple(sorted(before - after))
    if not cases:
        ships, reason = False, "there is no held-out case: confirm findings with `greenlane feedback` first"
    else:
        ships = len(after) >= len(before)
        sure = share_of(len(after), len(cases))
        reason = (
            f"recall {'holds' if ships else 'falls'}: {len(after)} of {len(cases)} are found "
            f"(95 % {sure.low:.0%} to {sure.high:.0%}), {len(before)} were"
        )
    return PromptVerdict(
        ships=ships,
        reason=reason,
        before=share_of(len(before), len(cases)),
        after=share_of(len(after), len(cases)),
        lost=lost,
    )


def _place(finding: Finding) -> str:
    return f"{finding.path}:{finding.line}" if finding.line else finding.path
