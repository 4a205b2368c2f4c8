"""The model's instructions, as files, and the message that is made of a change. Versioned by their digest.

Called by the adapter that talks to the model. Nothing here talks to anybody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files

import msgspec

MAX_EXAMPLES_CHARS = 40_000
"""Of an organisation's own examples: they are sent with every call."""


class Prompts(msgspec.Struct, frozen=True, kw_only=True):
    """What the model is told: `instructions` before every change, `intent` before the author's own words in the second
    pass, and the digest that names both in decisions (`sha256:...`)."""

    instructions: str
    intent: str
    digest: str


def load_prompts(examples: Mapping[str, str] | None = None) -> Prompts:
    """The instructions with the examples that come with Greenlane and the organisation's own (file name to text, read
    from the base branch). Both passes begin with the same instructions, so that a prompt cache serves the second."""
    folder = files(__name__).joinpath("review")
    parts = [folder.joinpath(f"{name}.md").read_text("utf-8") for name in ("blind", "examples")]
    own = [f"### {name}\n\n{text.strip()}" for name, text in sorted((examples or {}).items())]
    if own:
        parts.append("## Examples of this organisation\n\n" + "\n\n".join(own)[:MAX_EXAMPLES_CHARS])
    instructions = "\n\n".join(part.strip() for part in parts) + "\n"
    intent = folder.joinpath("intent.md").read_text("utf-8").strip()
    digest = hashlib.sha256(instructions.encode() + b"\0" + intent.encode()).hexdigest()
    return Prompts(instructions=instructions, intent=intent, digest=f"sha256:{digest}")


class WritingPrompts(msgspec.Struct, frozen=True, kw_only=True):
    """What the writer of tests is told: `instructions` before every task, `again` before the second asking."""

    instructions: str
    again: str
    digest: str


def load_writing_prompts() -> WritingPrompts:
    """The instructions for writing tests. No examples of an organisation go with them: the nearest test file is one."""
    folder = files(__name__).joinpath("tests")
    instructions, again = (folder.joinpath(f"{name}.md").read_text("utf-8").strip() for name in ("write", "again"))
    digest = hashlib.sha256(instructions.encode() + b"\0" + again.encode()).hexdigest()
    return WritingPrompts(instructions=instructions, again=again, digest=f"sha256:{digest}")
