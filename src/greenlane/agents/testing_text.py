"""What the test agent says: its rationale with the figures, and the message of its commit. For `testing.py`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from greenlane.agents.testing_bundle import FILES_NAMED, NOT_MEASURED, RULE_OFF, ServiceTests
from greenlane.domain.change import Change
from greenlane.domain.events import WrittenTest

_MAX_LINES = 12
_MAX_NAMES = 20
_MAX_FOUND = 3
_WIDTH = 100
NOT_ISOLATED = "NOTHING OF IT WAS ISOLATED: Greenlane was started with --unsafe-no-sandbox."


def explain_tests(services: Sequence[ServiceTests], sandbox: str, commit: str | None, patch: str = "") -> str:
    """The rationale of `tests.complete`: full sentences, a service at a time."""
    if not services:
        return "The change touches no service of the configuration, so there is no suite to run."
    parts = [sentence for service in services for sentence in _explain_service(service, commit, len(services) > 1)]
    if patch:
        count = sum(len(service.written) for service in services)
        tests = "generated test stands" if count == 1 else "generated tests stand"
        parts.append(
            f"The branch is not pushed to: {count} {tests} as a patch in {patch}. `git am {patch}` on the branch takes "
            "them; until somebody does, the gap is open."
        )
    where = f"All of it ran in the sandbox ({sandbox})." if sandbox != "none" else NOT_ISOLATED
    return " ".join([*parts, where])


def _explain_service(service: ServiceTests, commit: str | None, named: bool) -> list[str]:
    covered = sum(len(file.covered) for file in service.before)
    total = covered + service.uncovered_before
    subject = f"{service.service}: " if named else ""
    said = [f"{subject}{service.verdict.reason[0].upper()}{service.verdict.reason[1:]}."]
    if service.found:
        said.append(f"Not understood of the project's own files: {'; '.join(service.found[:_MAX_FOUND])}.")
    if not total:
        return [*said, "No executable line changed."]
    if not service.uncovered_before:
        return [*said, f"The suite runs all {total} changed executable lines, so no test was generated."]
    said.append(f"It runs {covered} of {total} changed executable lines.")
    if not service.verdict.proceed:
        return [*said, "No test is generated for a change that breaks its own suite."]
    if NOT_MEASURED in service.notes:
        said.append("The suite does not start while it is measured, so no test is generated.")
    if RULE_OFF in service.notes:
        said.append(
            "validation.test_execution_required is off: nothing may be committed that was not run, so nothing is."
        )
    said += _explain_asking(service)
    if service.written and commit:
        count = len(service.written)
        closed = service.uncovered_before - len(service.open_lines)
        tests = "test covers" if count == 1 else "tests cover"
        said.append(f"{count} generated {tests} {closed} more and went on the branch as {commit[:10]}.")
    if FILES_NAMED in service.notes and service.files:
        new = ", ".join(file.path for file in service.files)
        said.append(f"The command that runs the tests names its files: for {new} to be run from now on, name it there.")
    if service.dropped:
        first = service.dropped[0]
        said.append(f"{len(service.dropped)} were dropped, the first because {first.reason}.")
    if service.mutants:
        said.append(_explain_mutants(service))
    said += [f"{f.message} ({f.path}:{f.line}): that looks like a fault of the change." for f in service.findings]
    if service.open_lines:
        lines = service.open_lines
        shown = ", ".join(lines[:_MAX_LINES])
        more = f" and {len(lines) - _MAX_LINES} more" if len(lines) > _MAX_LINES else ""
        said.append(f"The gap stays open at {shown}{more}.")
    return said


def _explain_mutants(service: ServiceTests) -> str:
    count, left = service.mutants, len(service.surviving)
    put = f"Of {count} faults that were put into the changed lines, "
    if not left:
        return put + "each is noticed by a test."
    first = "" if left > 1 else ": "
    shown = f", the first {service.surviving[0]}" if left > 1 else f"{first}{service.surviving[0]}"
    return put + f"{left} {'is' if left == 1 else 'are'} noticed by none{shown}."


def _explain_asking(service: ServiceTests) -> list[str]:
    """What a model was asked, what of it was kept, what it cost; and why the generator worked alone, if it did."""
    asked = service.asked
    if asked is None or not asked.calls:
        return []
    last = asked.calls[-1]
    calls = [call for call in asked.calls if call.outcome != "over-budget" and call.latency_s]
    cost = sum(call.cost_usd for call in calls)
    said = []
    if asked.asked:
        tests = "test" if asked.asked == 1 else "tests"
        said.append(
            f"{last.model_id} proposed {asked.asked} {tests}, of which {asked.kept} passed every gate "
            f"({len(calls)} {'call' if len(calls) == 1 else 'calls'}, ${cost:.4f})."
        )
    if asked.outcome != "answered":
        said.append(f"The generator worked on alone: the model's answer was {asked.outcome} ({asked.detail}).")
    return said


def commit_message(change: Change, written: Sequence[WrittenTest]) -> str:
    """One subject line, and what each test covers."""
    what = "a test" if len(written) == 1 else f"{len(written)} tests"
    lines = [f"Add {what} for changed lines that no test held to anything", ""]
    lines.append(f"Generated for #{change.opened.pr_number} and run before they were committed. They characterise what")
    lines += ["the code does today.", ""]
    for test in written[:_MAX_NAMES]:
        said = f"{test.name}: {_places(test.covers)}"
        lines += textwrap.wrap(
            said, _WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
    if len(written) > _MAX_NAMES:
        lines.append(f"- and {len(written) - _MAX_NAMES} more")
    return "\n".join(lines) + "\n"


def _places(covers: Sequence[str]) -> str:
    """`path:line` after `path:line`, with each path once: `shop/cart.py:8,12 shop/rates.py:3`."""
    lines: dict[str, list[str]] = {}
    for place in covers:
        path, _, line = place.rpartition(":")
        lines.setdefault(path, []).append(line)
    return " ".join(f"{path}:{','.join(found)}" for path, found in lines.items())
