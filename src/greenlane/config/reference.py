"""The reference page of the configuration, made from the settings themselves. A test holds docs/configuration.md to it.

`python -m greenlane.config.reference > docs/configuration.md` writes it.
"""

from __future__ import annotations

import json
import sys

from greenlane.config.shape import SchemaPart, allowed_words, json_schema, resolve

HEAD = """\
# Configuration: `greenlane.yaml`

`greenlane init` writes this file by looking at the repository; `greenlane config check` validates it, and
`greenlane config schema > greenlane.schema.json` prints a JSON Schema for editors. The file is closed: an unknown key,
a key that stands twice, an anchor or an alias is an error. All errors come at once, with file, line, column and the
allowed values. Everything has a default except `services[].name`, so an empty file is valid (it reviews and tests, and
deploys nothing).

Its SHA-256 goes into every decision, as `config_digest`.

Rules between values: service names and ports are unique; `steps` ascend and end at 100; the canary's first share is
at most the first step; the warm-up is shorter than the watch; the critical tier is not laxer than the standard tier.

<!-- Made by `python -m greenlane.config.reference`; change the docstrings in domain/settings.py instead. -->
"""


def render_reference() -> str:
    """The page, in Markdown."""
    parts = [HEAD]
    for name, part in json_schema()["properties"].items():
        section = resolve(part)
        if section.get("type") == "array":
            parts += _section(f"{name}[]", resolve(section["items"]))
        else:
            parts += _section(name, section)
    return "\n".join(parts)


def _section(name: str, section: SchemaPart) -> list[str]:
    about = section.get("description")
    lines = [f"\n## `{name}`\n", *([f"{about}\n"] if about else [])]
    lines += ["| key | allowed | default | what it decides |", "| --- | --- | --- | --- |"]
    nested: list[tuple[str, SchemaPart]] = []
    for key, part in section["properties"].items():
        inner = resolve(part)
        below = resolve(inner["items"]) if inner.get("type") == "array" else inner
        if "properties" in below:
            suffix = "[]" if inner.get("type") == "array" else ""
            nested.append((f"{name}.{key}{suffix}", below))
            allowed = f"see [`{name}.{key}{suffix}`](#{_anchor(f'{name}.{key}')})"
            default = _default(part) if suffix else ""
        else:
            allowed, default = _cell(allowed_words(inner)), _default(part)
        needed = "(required)" if key in section.get("required", ()) else default
        lines.append(f"| `{key}` | {allowed} | {needed} | {_cell(part.get('description', ''))} |")
    for inner_name, inner_part in nested:
        lines += _section(inner_name, inner_part)
    return lines


def _anchor(name: str) -> str:
    return "".join(c for c in name if c.isalnum() or c in "_-").lower()


def _default(part: SchemaPart) -> str:
    value = part.get("default")
    return "none" if value is None else f"`{_cell(json.dumps(value))}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(render_reference() + "\n")
