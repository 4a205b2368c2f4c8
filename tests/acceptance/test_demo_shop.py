"""The demo's shop and its seven pull requests are what they are said to be, before any agent looks at them."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from greenlane.adapters.git import LocalGit
from greenlane.demo.pulls import PULLS
from greenlane.demo.repository import make_repository
from greenlane.demo.traffic import CUSTOMERS
from greenlane.domain.service_settings import LoadRequest
from greenlane.domain.settings import Settings


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "shop"
    assert make_repository(folder) == tuple(pull.branch for pull in PULLS)
    return folder


@pytest.fixture(scope="module")
def checkouts(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of `main` and of each branch."""
    host = LocalGit(repository)
    place = tmp_path_factory.mktemp("checkouts")

    async def export(branch: str) -> Path:
        await host.export(await host.head_of(branch), place / branch)
        return place / branch

    return {branch: asyncio.run(export(branch)) for branch in ("main", *(pull.branch for pull in PULLS))}


def python(folder: Path, *args: str, **more: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **more}
    argv = [sys.executable, *args]
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def serving(folder: Path, data: Path) -> Iterator[str]:
    """The shop of this checkout, up and migrated; its address."""
    migrated = python(folder, "-m", "shop.migrate", "--data", str(data))
    assert migrated.returncode == 0, migrated.stderr
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [sys.executable, "-m", "shop", "--port", str(port), "--data", str(data)]
    process = subprocess.Popen(argv, cwd=folder, env={"PYTHONPATH": str(folder)}, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                httpx.get(f"{url}/healthz")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def statuses(url: str, requests: tuple[LoadRequest, ...]) -> list[int]:
    with httpx.Client(base_url=url) as client:
        return [client.request(r.method, r.path, content=r.body).status_code for r in requests]


def median_ms(url: str, path: str) -> float:
    with httpx.Client(base_url=url) as client:
        seconds = sorted(client.get(path).elapsed.total_seconds() for _ in range(40))
    return seconds[20] * 1000


@pytest.mark.parametrize("branch", ["main", *(pull.branch for pull in PULLS)])
def test_the_tests_of_every_branch_pass(checkouts: dict[str, Path], branch: str) -> None:
    done = python(checkouts[branch], "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert done.returncode == 0, done.stdout


def test_the_repository_is_the_same_wherever_it_is_made(repository: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    make_repository(again)
    heads = [asyncio.run(LocalGit(folder).head_of(PULLS[6].branch)) for folder in (repository, again)]
    assert heads[0] == heads[1]


def test_every_pull_request_has_an_author_of_its_own(repository: Path) -> None:
    host = LocalGit(repository)
    pulls = [asyncio.run(host.pull_request(pull.branch)) for pull in PULLS]
    assert len({pull.author for pull in pulls}) == 7
    assert not any(pull.coauthors for pull in pulls)


async def test_what_ships_merges_in_any_order(repository: Path) -> None:
    host = LocalGit(repository)
    heads = [await host.head_of(pull.branch) for pull in PULLS if pull.outcome in ("deployed", "rolled_back")]
    for order in itertools.permutations(heads):
        base = await host.head_of("main")
        for head in order:
            base = await host.merge(base, head, message="Merge")


def test_today_s_shop_answers_every_customer(checkouts: dict[str, Path], tmp_path: Path) -> None:
    with serving(checkouts["main"], tmp_path) as url:
        assert max(statuses(url, CUSTOMERS)) < 300


def test_only_production_traffic_shows_the_error_of_the_seventh(checkouts: dict[str, Path], tmp_path: Path) -> None:
    folder = checkouts[PULLS[6].branch]
    settings = Settings.model_validate(yaml.safe_load((folder / "greenlane.yaml").read_text()))
    with serving(folder, tmp_path) as url:
        integration = python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "integration", GREENLANE_URL=url)
        assert integration.returncode == 0, integration.stdout
        assert set(statuses(url, settings.services[0].load)) == {200}
        answered = zip(CUSTOMERS, statuses(url, CUSTOMERS), strict=True)
        failed = sum(request.weight for request, status in answered if status >= 500)
    share = failed / sum(request.weight for request in CUSTOMERS)
    assert 0.10 < share < 0.20


def test_the_sixth_is_correct_and_slow(checkouts: dict[str, Path], tmp_path: Path) -> None:
    folder = checkouts[PULLS[5].branch]
    with serving(checkouts["main"], tmp_path / "a") as current, serving(folder, tmp_path / "b") as candidate:
        integration = python(
            folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "integration", GREENLANE_URL=candidate
        )
        assert integration.returncode == 0, integration.stdout
        before, after = median_ms(current, "/products"), median_ms(candidate, "/products")
    assert after > before * 2
    assert after - before > 5


def test_the_old_version_goes_on_after_the_migration_of_the_third(checkouts: dict[str, Path], tmp_path: Path) -> None:
    with serving(checkouts["main"], tmp_path) as old, serving(checkouts[PULLS[2].branch], tmp_path) as new:
        assert max(statuses(old, CUSTOMERS) + statuses(new, CUSTOMERS)) < 300
