"""Who may decide about a change: a person who is not an author of it, about the commit that stands there now.

Called by the application before an approval or a rejection is written to the ledger, and by the context package to say
who may not. Names are compared generously: two writings that could be one person are taken for one, because a wrong
refusal costs a colleague a minute, and a wrong approval is a change that nobody else has seen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import msgspec

from greenlane.domain.change import Change
from greenlane.policy.lifecycle import assess_standing

PROGRAMS = frozenset({"greenlane", "dependabot", "renovate", "githubactions", "githubactor", "copilot"})
SHARED_MAILBOXES = frozenset({"noreply", "donotreply", "info", "dev", "admin", "root", "users"})
"""Local parts of addresses that say nothing about the person."""
MIN_SHA_PREFIX = 7


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """The decision may be taken, for these gates and at this head commit."""

    gate_ids: tuple[str, ...]
    head_sha: str


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The decision may not be taken: which rule forbids it, why, and what can be done instead."""

    rule: str
    reason: str
    hint: str


def assess_approval(change: Change, *, by: str, head: str | None = None, gate: str | None = None) -> Allowed | Refused:
    """Whether `by` may approve or reject the open gates of this change.

    `head` is the commit that the person looked at (a prefix of 7 digits is enough), `gate` the one question they
    answer; None means the present head, and every open gate. Refused, in this order: nobody, a program, an author, a
    run that has ended, a stale head, no open gate.
    """
    return (
        _refuse_nobody(by)
        or _refuse_program(by)
        or _refuse_author(change, by)
        or _refuse_ended(change)
        or _refuse_stale_head(change, head)
        or _assess_gates(change, gate)
    )


def names_of(person: str) -> frozenset[str]:
    """Every writing by which a person is known: whole text, name, address, local part of the address; all folded.

    `Ada Lovelace <ada.l+work@example.org>` gives `adalovelace`, `ada.l+work@example.org`, `adal`, ...
    """
    text = unicodedata.normalize("NFKC", person)
    match = re.fullmatch(r"\s*(?P<name>[^<>]*)<(?P<mail>[^<>]*)>\s*", text)
    name, mail = (match["name"], match["mail"]) if match else ("", text) if "@" in text.strip()[1:] else (text, "")
    names = {_fold(text.replace("<", " ").replace(">", " ")), _fold(name)}
    if mail:
        local = mail.split("@", 1)[0].strip()
        local = re.sub(r"^\d+\+", "", local)  # the code host's private addresses: 12345+ada@users.noreply...
        names.add("".join(mail.split()).casefold())
        names |= {_fold(local), _fold(local.split("+", 1)[0])} - SHARED_MAILBOXES
    return frozenset(names - {""})


def detect_same_person(one: str, other: str) -> bool:
    return bool(names_of(one) & names_of(other))


def detect_program(person: str) -> bool:
    """Whether this is the name of a program: `[bot]` or `-bot` at its end, or Greenlane itself."""
    text = unicodedata.normalize("NFKC", person).casefold()
    if re.search(r"(\[bot\]|[-_ ]bot)\s*(<|@|$)", text):
        return True
    return any(name in PROGRAMS or name.startswith("greenlane") for name in names_of(person))


def _fold(text: str) -> str:
    """Without case, accents, whitespace, punctuation and invisible characters: what is left of a name to compare."""
    # Upper-casing first makes one of letters that only differ in small writing (the dotless i of Turkish).
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).upper().casefold())
    return "".join(c for c in decomposed if unicodedata.category(c)[0] in "LN")


def _refuse_nobody(by: str) -> Refused | None:
    if names_of(by):
        return None
    return Refused(rule="nobody", reason="a decision needs the name of a person", hint="give your name with --by")


def _refuse_program(by: str) -> Refused | None:
    if not detect_program(by):
        return None
    return Refused(
        rule="program",
        reason=f"{by} is a program, and a program is not a person",
        hint="a person who is not an author of the change has to decide",
    )


def _refuse_author(change: Change, by: str) -> Refused | None:
    for position, author in enumerate(change.authors):
        if detect_same_person(by, author):
            part = "the author" if position == 0 else "a co-author"
            return Refused(
                rule="author",
                reason=f"{by} is {part} of this change ({author})",
                hint="somebody who did not write it has to decide",
            )
    return None


def _refuse_ended(change: Change) -> Refused | None:
    if change.superseded:
        newer = change.superseded
        return Refused(
            rule="superseded",
            reason=f"a newer commit ({newer.new_head_sha[:10]}) took over from {change.head_sha[:10]}",
            hint=f"look at {newer.by_run} and decide about that one",
        )
    standing = assess_standing(change)
    if not standing.ended:
        return None
    return Refused(
        rule="ended",
        reason=f"the run has ended ({standing.state.value.replace('_', ' ')}): {standing.reason}",
        hint="`greenlane rollback` takes a deployed change back; a new push begins a new run",
    )


def _refuse_stale_head(change: Change, head: str | None) -> Refused | None:
    if head is None:
        return None
    given = head.strip().casefold()
    if len(given) >= MIN_SHA_PREFIX and change.head_sha.casefold().startswith(given):
        return None
    return Refused(
        rule="stale-head",
        reason=f"you looked at {head}, but the change stands at {change.head_sha[:10]} by now",
        hint="look at it again (`greenlane explain`), then decide about that commit",
    )


def _assess_gates(change: Change, gate: str | None) -> Allowed | Refused:
    open_ids = tuple(g.gate_id for g in change.open_gates)
    if gate is None and open_ids:
        return Allowed(gate_ids=open_ids, head_sha=change.head_sha)
    if gate in open_ids:
        return Allowed(gate_ids=(gate,), head_sha=change.head_sha)
    earlier = [a for a in change.approvals if gate in (None, a.gate_id)]
    if earlier:
        last = earlier[-1]
        return Refused(
            rule="decided",
            reason=f"{last.by} approved {last.gate_id} already, at {last.timestamp}",
            hint="nothing is left to decide" if not open_ids else f"open: {', '.join(open_ids)}",
        )
    if gate is not None and open_ids:
        return Refused(rule="no-such-gate", reason=f"there is no open gate {gate}", hint=f"open: {', '.join(open_ids)}")
    return Refused(
        rule="no-gate",
        reason="nobody is asked about this change now",
        hint="`greenlane pause` holds automation; `greenlane rollback` takes a deployed change back",
    )


def approvers_word(authors: Iterable[str]) -> str:
    """Who can unblock it, in one phrase."""
    return "anybody but " + ", ".join(dict.fromkeys(authors)) + ", and no program"
