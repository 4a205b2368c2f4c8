"""The contract `greenlane.tests/1`: what a program that runs (and may write) the tests of any language is asked, and
how it has to answer. One JSON document each. Used by `program.py`; docs/test-agent.md explains it.

`python -m greenlane.suite.contract > docs/examples/greenlane.tests-1.schema.json` writes the JSON Schema.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Literal

import msgspec

CONTRACT = "greenlane.tests/1"

Path = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
"""Of a file, relative to the source tree, with `/`."""
Line = Annotated[int, msgspec.Meta(ge=1)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class _Asked(msgspec.Struct, frozen=True, kw_only=True, tag_field="call"):
    """What both calls have: `tree` is the folder of the sources and the working directory, `environment` the folder in
    which `commands.setup` ran (null without one)."""

    contract: str = CONTRACT
    service: str
    tree: str
    environment: str | None = None


class RunCall(_Asked, tag="run", frozen=True, kw_only=True):
    """Run the test files `select` (empty: the whole suite), and say which lines of the files `sources` they ran."""

    sources: tuple[Path, ...] = ()
    select: tuple[Path, ...] = ()
    order: Literal["usual", "reverse"] = "usual"


class Gap(msgspec.Struct, frozen=True):
    """Changed lines of a file that no test runs."""

    path: Path
    lines: tuple[Line, ...]


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A test file of the answer before that was not kept, the gate that stopped it, and why."""

    path: str
    content: str
    gate: str
    reason: str


class WriteCall(_Asked, tag="write", frozen=True, kw_only=True):
    """Write tests for the lines of `gaps` into new files under `tests_dir`."""

    gaps: tuple[Gap, ...]
    tests_dir: str
    attempt: int = 1
    refused: tuple[Refused, ...] = ()


class RanTest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One test: the file that holds it, its name there, what came of it, and why it failed."""

    path: Path
    name: Name
    outcome: Literal["passed", "failed", "skipped"]
    detail: str = ""


class RanLines(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one source file: the lines that could run, and those that did."""

    path: Path
    executable: tuple[Line, ...]
    covered: tuple[Line, ...]


class RunAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tests` is empty if there are none. A source that is missing in `files` counts as not looked at."""

    contract: Literal["greenlane.tests/1"]
    passed: bool
    tests: Annotated[tuple[RanTest, ...], msgspec.Meta(max_length=100_000)]
    files: Annotated[tuple[RanLines, ...], msgspec.Meta(max_length=10_000)] = ()


class NewTest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A test of a new file, under the name that `run` will report, and what it is for, in one sentence."""

    name: Name
    purpose: Annotated[str, msgspec.Meta(max_length=500)] = ""


class NewFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new test file, whole."""

    path: Path
    content: Annotated[str, msgspec.Meta(min_length=1, max_length=200_000)]
    tests: Annotated[tuple[NewTest, ...], msgspec.Meta(min_length=1, max_length=200)]


class WriteAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    contract: Literal["greenlane.tests/1"]
    files: Annotated[tuple[NewFile, ...], msgspec.Meta(max_length=20)]


def explain_contradiction(answer: RunAnswer) -> str:
    """What the types can't say; empty if the answer makes sense."""
    paths = [file.path for file in answer.files]
    if len(set(paths)) < len(paths):
        return "a source stands in `files` twice"
    for file in answer.files:
        if strange := sorted(set(file.covered) - set(file.executable)):
            return f"{file.path}: line {strange[0]} is covered and not executable"
    if answer.passed and any(test.outcome == "failed" for test in answer.tests):
        return "it says `passed` and reports a failed test"
    return ""


def schema() -> dict[str, object]:
    """The JSON Schema of all four documents, under `$defs`."""
    kinds = (RunCall, WriteCall, RunAnswer, WriteAnswer)
    _, parts = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": CONTRACT,
        "anyOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in kinds],
        "$defs": parts,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=2, sort_keys=True) + "\n")
