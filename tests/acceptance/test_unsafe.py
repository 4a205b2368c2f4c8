"""`--unsafe-no-sandbox`: said loudly, and written into the ledger before anything is run."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from greenlane.ledger.sqlite import SqliteLedger
from tests.contract.test_testing_agent import BASE, Repository

SOURCE = Path(__file__).parents[2] / "src"
CONFIG = "repository: {name: shop}\nservices: [{name: shop}]\n"


async def test_without_a_sandbox_everybody_is_told(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "shop")
    repository.git("switch", "-q", "main")
    (repository.folder / "greenlane.yaml").write_text(CONFIG)
    repository.commit("greenlane")
    repository.git("switch", "-q", "-C", "fix")
    repository.change(shop__shipping=BASE["shop/shipping.py"].replace("> 4900", ">= 4900"))
    command = (sys.executable, "-m", "greenlane.cli.main", "--unsafe-no-sandbox", "run", "fix", "--json")
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=repository.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert "WITHOUT ANY ISOLATION" in done.stderr, done.stderr
    store = SqliteLedger.open(repository.folder / ".greenlane" / "ledger.db", read_only=True)
    entries = await store.read()
    await store.close()
    kinds = [entry.type for entry in entries]
    assert kinds.index("sandbox.off") < kinds.index("review.complete") < kinds.index("tests.complete")
    (tests,) = (entry for entry in entries if entry.type == "tests.complete")
    assert "sandbox-off" in tests.rules_fired
    assert "NOTHING OF IT WAS ISOLATED" in tests.rationale
