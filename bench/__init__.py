"""Benchmarks. `python -m bench` runs them all; `python bench/NAME.py --help` explains one. See `_harness.py`."""

import sys
from pathlib import Path

# Each program also runs by its path (`python bench/ledger.py`), where this folder, not its parent, is importable.
# So programs write `from _harness import ...`, and this line makes the same import work under `python -m bench.NAME`.
sys.path.append(str(Path(__file__).parent))
