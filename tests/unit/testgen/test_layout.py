"""A generated file is laid out as the project's own formatter would leave it."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenlane.testgen.formatting import format_source
from greenlane.testgen.layout import Layout, read_layout

NEAR = "def test_it():\n\tassert name('a') == 'b'\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, Layout()),
        ({"pyproject.toml": "[tool.black]\nline-length = 79\n"}, Layout(line_length=79)),
        ({"ruff.toml": "line-length = 100\n[format]\nquote-style = 'single'\nindent-style = 'tab'\n"},
         Layout(line_length=100, quotes="single", indent="tab")),
        ({"pyproject.toml": "[tool.ruff]\nindent-width = 2\n[tool.ruff.format]\nquote-style = 'double'\n"
          "skip-magic-trailing-comma = true\n"}, Layout(indent_width=2, magic_comma=False)),
        ({"setup.cfg": "[flake8]\nmax-line-length = 120\n"}, Layout(line_length=120)),
        ({".editorconfig": "root = true\n[*]\nmax_line_length = 70\n[*.{py,pyi}]\nmax_line_length = 99\n"},
         Layout(line_length=99)),
        ({"pyproject.toml": "[tool.ruff]\nline-length = 1\n[tool.ruff.format]\nquote-style = {}\n"}, Layout()),
        ({"pyproject.toml": "not = = toml", "setup.cfg": "[broken", "ruff.toml": "line-length = 'x'"}, Layout()),
    ],
)  # fmt: skip
def test_the_formatters_settings_are_read(tmp_path: Path, files: dict[str, str], expected: Layout) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert read_layout(tmp_path) == expected


def test_without_a_formatter_it_looks_like_its_neighbour(tmp_path: Path) -> None:
    assert read_layout(tmp_path, NEAR) == Layout(quotes="single", indent="tab")
    (tmp_path / "pyproject.toml").write_text("[tool.black]\nskip-string-normalization = true\n")
    assert read_layout(tmp_path, NEAR).quotes == "single"
    (tmp_path / ".pre-commit-config.yaml").write_text("repos: [{hooks: [id: black]}]")
    (tmp_path / "pyproject.toml").unlink()
    assert read_layout(tmp_path, NEAR).quotes == "double"


def test_settings_behind_a_link_out_of_the_tree_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("line-length = 100\n")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "ruff.toml").symlink_to(tmp_path / "elsewhere")
    assert read_layout(tree) == Layout()


def test_text_is_written_by_the_layout() -> None:
    text = "def test_it():\n    assert name(\n        'a',\n    ) == \"it's\"\n"
    shaped = format_source(text, Layout(quotes="single", indent="tab", magic_comma=False))
    assert shaped == "def test_it():\n\tassert name('a') == \"it's\"\n"
    assert format_source(text, Layout(indent_width=2)) == (
        'def test_it():\n  assert (\n    name(\n      "a",\n    )\n    == "it\'s"\n  )\n'
    )
