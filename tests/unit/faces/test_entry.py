"""Where the program begins."""

from __future__ import annotations

import sys
import warnings

import pytest

from greenlane.__main__ import main


def test_what_python_says_of_code_that_is_read_is_not_told_at_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["greenlane", "--version"])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        compile("0.5(1)", "before.py", "exec")
        with pytest.raises(SystemExit):
            main()
        compile("0.5(1)", "after.py", "exec")
    assert [one.filename for one in told if one.category is SyntaxWarning] == ["before.py"]
    assert "greenlane" in capsys.readouterr().out.lower()
