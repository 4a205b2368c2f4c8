"""What ends a call that takes too long: not in the midst of what measures its lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.insides import INSIDE

PROGRAM = """
import signal, sys, types
from pathlib import Path
import greenlane_ending

class Late(BaseException):
    pass

home = Path("coverage").resolve()
sys.modules["coverage"] = types.SimpleNamespace(__file__=str(home / "__init__.py"))
names = {}
measured = (
    "def lock(told):\\n    told.append('locked')\\n    signal.raise_signal(signal.SIGALRM)\\n"
    "    told.append('given back')\\n"
)
exec(compile(measured, str(home / "collector.py"), "exec"), names | {"signal": signal}, names)
signal.signal(signal.SIGALRM, greenlane_ending.stopping(Late))
told = []
try:
    names["lock"](told)
    while True:
        pass
except Late:
    told.append("late")
print(told)
"""


def test_a_lock_of_what_measures_is_given_back_before_the_call_is_ended(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(INSIDE), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, cwd=tmp_path, check=True, timeout=60, capture_output=True)
    assert done.stdout.decode().strip() == "['locked', 'given back', 'late']"
