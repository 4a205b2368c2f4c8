"""The rollout of `test_rollout_real.py` behind an HAProxy that the adopter runs (where one is installed)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from greenlane.adapters.haproxy import HaproxyTraffic
from greenlane.adapters.local_platform import shutdown
from greenlane.policy.lifecycle import State
from tests.contract.delivery.delivery_service import PROGRAM
from tests.contract.delivery.test_haproxy_traffic import HAPROXY, Proxy
from tests.support.real_rollout import FAILS_IN_PRODUCTION, RealScene

pytestmark = pytest.mark.skipif(HAPROXY is None, reason="HAProxy is not installed here")


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    running = Proxy(tmp_path)
    running.start()
    yield running
    running.stop()
    await shutdown(tmp_path / "state")


@pytest.mark.parametrize(("addition", "end"), [(b"", State.DEPLOYED), (FAILS_IN_PRODUCTION, State.ROLLED_BACK)])
async def test_a_change_ships_or_is_rolled_back_behind_haproxy(
    proxy: Proxy, tmp_path: Path, addition: bytes, end: State
) -> None:
    program = PROGRAM.read_bytes().replace(b"\n\nclass Handler", addition + b"\n\nclass Handler", 1)
    traffic = HaproxyTraffic(tmp_path / "state", watch_gap_s=3)
    scene = RealScene(tmp_path, program, router=proxy.service.router, traffic=traffic)
    assert await scene.go() is end
    observed = await traffic.observe("shop")
    assert observed is not None
    assert observed.canary_weight == 0
    assert (observed.stable.artifact.commit == scene.base) is (end is State.ROLLED_BACK)
    await traffic.close()
