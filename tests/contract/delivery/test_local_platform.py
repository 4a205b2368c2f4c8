"""Contract of the platform, over real processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from greenlane.adapters.local_platform import LocalBuilder, LocalPlatform
from greenlane.adapters.pids import HIERARCHIES, pids_group
from greenlane.adapters.processes import (
    BOUNDED,
    TreeSpec,
    is_alive,
    measure_tree,
    read_status,
    read_struct,
    tail_log,
)
from greenlane.domain.delivery import Instance
from greenlane.domain.errors import BuildFailedError, DeployFailedError, FencedError, FinalError, InputError
from tests.contract.delivery.delivery_service import ThisPython, make_service, make_settings, make_spec, until

MakeSource = Callable[..., Path]


def get(instance: Instance, path: str = "/version") -> httpx.Response:
    return httpx.get(f"http://{instance.host}:{instance.port}{path}", trust_env=False, timeout=5)


def is_here(pid: int) -> bool:
    """Whether this process runs; one that only waits for init to collect it does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def read_token(folder: Path) -> str:
    spec = read_struct(folder / "spec.json", TreeSpec)
    assert spec is not None
    return spec.token


def eventually(condition: Callable[[], bool], within_s: float = 5.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


# ------------------------------------------------------------------ builds


async def test_same_content_gives_the_same_artifact_and_builds_once(
    state: Path, source: MakeSource, builder: LocalBuilder
) -> None:
    tree = source()
    service = make_service(build="echo built >> $HOME/../../../count; date +%N > built.txt; mkdir __pycache__")
    first = await builder.build(service, tree, "a" * 40)
    os.utime(tree / "version.txt", (1, 1))
    (tree / "__pycache__").mkdir()
    (tree / "__pycache__" / "x.pyc").write_bytes(b"x")
    again = await builder.build(service, tree, "b" * 40)
    assert again.digest == first.digest
    assert (state / "count").read_text() == "built\n"
    assert sorted(path.name for path in Path(first.location).iterdir()) == [
        "built.txt",
        "faults.json",
        "service_program.py",
        "version.txt",
    ]
    (tree / "version.txt").chmod(0o755)
    assert (await builder.build(make_service(), tree, "c" * 40)).digest != first.digest


async def test_the_same_content_built_twice_elsewhere_gives_the_same_digest(tmp_path: Path, source: MakeSource) -> None:
    """Nothing is remembered here: two state folders, an archive with times in it, and the order of a set."""
    listing = "import json; print(list({str(n) for n in range(50)}), file=open('order.txt', 'w'))"
    service = make_service(build=f'{{python}} -m zipfile -c app.zip *.txt *.py && {{python}} -c "{listing}"')
    tree, digests = source(), set()
    for name in ("one", "two"):
        builder = LocalBuilder(tmp_path / name, ThisPython(), make_settings())
        digests.add((await builder.build(service, tree, "a" * 40)).digest)
        await asyncio.sleep(2.1)  # the grain of times in a zip file
    assert len(digests) == 1


async def test_a_failing_build_says_its_last_lines_and_leaves_nothing(
    state: Path, source: MakeSource, builder: LocalBuilder
) -> None:
    with pytest.raises(BuildFailedError, match=r"ended with 7; its last lines:\n\| no compiler"):
        await builder.build(make_service(build="echo no compiler >&2; exit 7"), source(), "a" * 40)
    assert not (state / "artifacts").exists()
    assert list((state / "scratch").iterdir()) == []


async def test_a_build_that_hangs_is_killed_with_its_tree(state: Path, source: MakeSource) -> None:
    builder = LocalBuilder(state, ThisPython(), make_settings(build_timeout_s=0.5))
    marker = state / "pid"
    with pytest.raises(BuildFailedError, match=r"did not end within 0.5 s"):
        await builder.build(
            make_service(build=f"(trap '' TERM; setsid sleep 600 & echo $! > {marker}; wait) & wait"),
            source(),
            "a" * 40,
        )
    assert not is_here(int(marker.read_text()))


async def test_a_build_that_fills_the_disk_is_stopped(state: Path, source: MakeSource) -> None:
    builder = LocalBuilder(state, ThisPython(), make_settings(max_file_mb=2))
    with pytest.raises(BuildFailedError, match="wrote more than 8 MB"):
        command = "i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > $i.bin; done"
        await builder.build(make_service(build=command), source("many"), "a" * 40)
    with pytest.raises(BuildFailedError):
        await builder.build(make_service(build="head -c 3000000 /dev/zero > big.bin"), source("big"), "a" * 40)


async def test_a_build_sees_no_secret_of_the_controller(
    source: MakeSource, builder: LocalBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    artifact = await builder.build(make_service(build="env > env.txt"), source(), "a" * 40)
    assert "hunter2" not in Path(artifact.location, "env.txt").read_text()


async def test_exercise_tells_what_came_of_a_command_and_leaves_the_artifact_alone(
    state: Path, source: MakeSource, builder: LocalBuilder
) -> None:
    artifact = await builder.build(make_service(), source(), "a" * 40)

    async def run(command: str, timeout_s: float = 10) -> tuple[bool, str]:
        check = await builder.exercise(
            make_service(), artifact, command, name="smoke", url="http://127.0.0.1:1", timeout_s=timeout_s
        )
        assert check.name == "smoke"
        return check.passed, check.detail

    assert await run("echo $GREENLANE_URL; rm version.txt") == (True, "exit code 0\n| http://127.0.0.1:1")
    assert await run("test -e version.txt || exit 9; exit 4") == (False, "exit code 4")
    passed, detail = await run("sleep 60", 0.3)
    assert not passed
    assert "did not end within 0.3 s" in detail


# ------------------------------------------------------------------ deployments


async def test_a_deployment_runs_until_it_is_retired(
    state: Path, source: MakeSource, builder: LocalBuilder, platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    artifact = await builder.build(make_service(), source("7"), "a" * 40)
    assert await platform.find("s-1") is None
    instance = await platform.deploy(make_service(), make_spec(artifact, "s-1"), fence=1)
    assert get(instance).text == "7"
    env = get(instance, "/env").json()
    assert "SECRET_TOKEN" not in env
    assert env["GREENLANE_DEPLOYMENT"] == "s-1"
    assert env["GREENLANE_ENVIRONMENT"] == "staging"
    assert env["PORT"] == str(instance.port)
    assert await platform.find("s-1") == instance
    usage, log = await platform.inspect("s-1")
    assert usage.cpu_s > 0
    assert usage.rss_mb > 1
    assert usage.processes == 1
    assert "service version 7 starts" in log
    await platform.retire("s-1", fence=1)
    assert await platform.find("s-1") is None
    with pytest.raises(httpx.ConnectError):
        get(instance)
    await platform.retire("s-1", fence=1)
    await platform.retire("never-was", fence=1)
    usage, log = await platform.inspect("s-1")
    assert usage.processes == 0
    assert "service version 7 starts" in log


async def test_concurrent_deploys_of_one_id_start_it_once(
    state: Path, source: MakeSource, builder: LocalBuilder, platform: LocalPlatform
) -> None:
    artifact = await builder.build(make_service(), source(), "a" * 40)
    other = LocalPlatform(state, ThisPython(), make_settings())
    spec = make_spec(artifact, "s-1")
    instances = await asyncio.gather(*(p.deploy(make_service(), spec, fence=1) for p in (platform, other) * 3))
    assert len(set(instances)) == 1
    assert len((state / "deployments/s-1/data/starts").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("exit", r"exited with code 3 before it was healthy; its last log lines:\n(.*\n)*\| no such table: orders"),
        ("hang", r"did not answer 200 at /healthz within 1 s \(nobody listens on its port\)"),
        ("fill", r"wrote more than 16 MB of files"),
    ],
)
async def test_a_service_that_does_not_start_is_named_and_gone(
    state: Path, source: MakeSource, builder: LocalBuilder, fault: str, message: str
) -> None:
    settings = make_settings(start_timeout_s=1.0 if fault == "hang" else 15, max_file_mb=4)
    platform = LocalPlatform(state, ThisPython(), settings)
    artifact = await builder.build(make_service(), source(start=fault), "a" * 40)
    with pytest.raises(DeployFailedError, match=message):
        await platform.deploy(make_service(), make_spec(artifact, "s-1"), fence=1)
    assert await platform.find("s-1") is None
    assert not is_here(int((state / "deployments/s-1/data/starts").read_text().splitlines()[-1]))


async def test_a_program_that_answers_on_a_port_it_was_not_given_is_no_health(
    state: Path, source: MakeSource, builder: LocalBuilder
) -> None:
    platform = LocalPlatform(state, ThisPython(), make_settings(start_timeout_s=1.0))
    artifact = await builder.build(make_service(), source(), "a" * 40)
    with pytest.raises(DeployFailedError, match="did not answer 200 at /healthz within 1 s"):
        service = make_service(start="PORT=$(({port}+1)) exec {python} service_program.py")
        await platform.deploy(service, make_spec(artifact, "s-1"), fence=1)


async def test_a_double_fork_that_ignores_sigterm_does_not_escape(
    state: Path, source: MakeSource, builder: LocalBuilder, platform: LocalPlatform
) -> None:
    artifact = await builder.build(make_service(), source(start="fork"), "a" * 40)
    await platform.deploy(make_service(), make_spec(artifact, "p-1", "production"), fence=1)
    pid_file = state / "data/shop/escaped.pid"
    assert eventually(pid_file.exists)
    escaped = int(pid_file.read_text())
    assert is_here(escaped)
    await platform.retire("p-1", fence=1)
    assert not is_here(escaped)


async def test_a_service_whose_folder_was_removed_ends(
    state: Path, source: MakeSource, builder: LocalBuilder, platform: LocalPlatform
) -> None:
    artifact = await builder.build(make_service(), source(), "a" * 40)
    await platform.deploy(make_service(), make_spec(artifact, "p-1", "production"), fence=1)
    pid = int((state / "data/shop/starts").read_text())
    shutil.rmtree(state)
    await until(lambda: not is_here(pid))


async def test_a_service_that_logs_without_end_does_not_fill_the_disk(
    state: Path, source: MakeSource, builder: LocalBuilder, platform: LocalPlatform
) -> None:
    artifact = await builder.build(make_service(), source(start="chatty"), "a" * 40)
    await platform.deploy(make_service(), make_spec(artifact, "s-1"), fence=1)
    await asyncio.sleep(0.5)
    folder = state / "deployments/s-1"
    written = [len(path.read_bytes()) for path in folder.glob("log*") if path.exists()]
    assert 64 * 1024 < sum(written) <= 2 * 128 * 1024
    assert len((await platform.inspect("s-1"))[1]) == 64 * 1024


def is_bounded_by_the_kernel() -> bool:
    with pids_group(8) as group:
        return os.geteuid() != 0 or group is not None


@pytest.mark.skipif(not is_bounded_by_the_kernel(), reason="root, and no control groups: the next test is for that")
async def test_a_fork_bomb_gets_no_more_processes_than_its_service_may_have(
    state: Path, source: MakeSource, builder: LocalBuilder
) -> None:
    service = make_service().model_copy(update={"max_processes": 40})
    artifact = await builder.build(service, source(start="bomb"), "a" * 40)
    platform = LocalPlatform(state, ThisPython(), make_settings(start_timeout_s=3.0))
    with pytest.raises(DeployFailedError, match="can't start new thread"):  # it has used up its own room, no more
        await platform.deploy(service, make_spec(artifact, "p-1", "production"), fence=1)
    assert 20 < int((state / "data/shop/forked").read_text()) <= 44
    token = read_token(state / "deployments/p-1")
    assert not any((hierarchy / f"greenlane-{token}").exists() for hierarchy in HIERARCHIES)


async def test_where_the_kernel_bounds_no_processes_those_over_the_limit_are_ended(
    state: Path, source: MakeSource, builder: LocalBuilder, platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenlane.adapters.pids.HIERARCHIES", ())
    service = make_service().model_copy(update={"max_processes": 40})
    artifact = await builder.build(service, source(start="bomb"), "a" * 40)
    with contextlib.suppress(DeployFailedError):  # it may be healthy for a moment before it is counted
        await platform.deploy(service, make_spec(artifact, "s-1"), fence=1)

    def is_bounded() -> bool:
        return measure_tree(state / "deployments/s-1").processes <= 44

    assert eventually(is_bounded)
    if os.geteuid() == 0:
        assert "are over the limit of 40" in tail_log(state / "deployments/s-1")


def test_an_ordinary_user_is_bounded_by_the_kernel(tmp_path: Path) -> None:
    """As a user that nobody is, if this is root: what the kernel counts for it is this test's alone."""
    code = """
import os, time
made = 0
try:
    while made < 200:
        if os.fork() == 0:
            time.sleep(3)
            os._exit(0)
        made += 1
except BlockingIOError:
    pass
print(made)
"""
    user = 54321 if os.geteuid() == 0 else None
    bounded = tmp_path / "bounded.py"  # where any user may read it
    bounded.write_bytes(BOUNDED.read_bytes())
    for folder in (bounded, *tmp_path.parents[:3], tmp_path):
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o055)
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
    argv = [python, "-I", "-S", str(bounded), "-", "20", python, "-c", code]
    done = subprocess.run(argv, user=user, capture_output=True, text=True, timeout=60, check=True)
    assert 10 <= int(done.stdout) <= 20, done


async def test_production_is_started_again_when_it_dies_and_staging_is_not(
    state: Path, source: MakeSource, builder: LocalBuilder, platform: LocalPlatform
) -> None:
    artifact = await builder.build(make_service(), source(), "a" * 40)
    production = await platform.deploy(make_service(), make_spec(artifact, "p-1", "production"), fence=1)
    staging = await platform.deploy(make_service(), make_spec(artifact, "s-1"), fence=1)
    for instance in (production, staging):
        with pytest.raises(httpx.HTTPError):
            get(instance, "/die")

    def answers() -> bool:
        try:
            return get(production).status_code == 200
        except httpx.HTTPError:
            return False

    assert eventually(answers)
    assert await platform.restarts("p-1") == 1
    assert await platform.find("p-1") == production
    assert await platform.find("s-1") is None
    again = await platform.deploy(make_service(), make_spec(artifact, "s-1"), fence=1)
    assert get(again).status_code == 200


async def test_a_lower_fence_is_refused(
    state: Path, source: MakeSource, builder: LocalBuilder, platform: LocalPlatform
) -> None:
    artifact = await builder.build(make_service(), source(), "a" * 40)
    spec = make_spec(artifact, "s-1")
    await platform.deploy(make_service(), spec, fence=3)
    for call in (platform.deploy(make_service(), spec, fence=2), platform.retire("s-1", fence=2)):
        with pytest.raises(FencedError):
            await call
    assert await platform.find("s-1") is not None
    await platform.retire("s-1", fence=4)
    with pytest.raises(FencedError):
        await platform.deploy(make_service(), spec, fence=3)
    await platform.deploy(make_service(), spec, fence=None)  # another run puts this version back
    await platform.retire("s-1", fence=None)
    with pytest.raises(FencedError):
        await platform.deploy(make_service(), spec, fence=3)


async def test_an_altered_artifact_is_not_started(
    source: MakeSource, builder: LocalBuilder, platform: LocalPlatform
) -> None:
    artifact = await builder.build(make_service(), source(), "a" * 40)
    Path(artifact.location, "version.txt").write_text("evil")
    with pytest.raises(FinalError, match="altered"):
        await platform.deploy(make_service(), make_spec(artifact, "s-1"), fence=1)


async def test_an_id_names_one_artifact_for_ever(
    source: MakeSource, builder: LocalBuilder, platform: LocalPlatform
) -> None:
    first = await builder.build(make_service(), source("1"), "a" * 40)
    other = await builder.build(make_service(), source("2"), "b" * 40)
    await platform.deploy(make_service(), make_spec(first, "s-1"), fence=1)
    with pytest.raises(FinalError, match="deployment s-1 is sha256:"):
        await platform.deploy(make_service(), make_spec(other, "s-1"), fence=1)


async def test_an_id_that_is_a_path_is_refused(
    source: MakeSource, builder: LocalBuilder, platform: LocalPlatform
) -> None:
    artifact = await builder.build(make_service(), source(), "a" * 40)
    with pytest.raises(InputError):
        await platform.deploy(make_service(), make_spec(artifact, "../../x"), fence=1)


async def test_a_migration_runs_once_per_artifact_and_its_failure_is_told(
    state: Path, source: MakeSource, builder: LocalBuilder, platform: LocalPlatform
) -> None:
    service = make_service(migrate="echo m >> {data_dir}/migrations")
    artifact = await builder.build(service, source("1"), "a" * 40)
    for name in ("p-1", "p-2"):
        await platform.deploy(service, make_spec(artifact, name, "production"), fence=1)
    newer = await builder.build(service, source("2"), "b" * 40)
    await platform.deploy(service, make_spec(newer, "p-3", "production"), fence=1)
    assert (state / "data/shop/migrations").read_text() == "m\nm\n"
    failing = make_service(migrate="echo column exists >&2; exit 2")
    with pytest.raises(DeployFailedError, match=r"migration of shop ended with 2; its last lines:\n\| column exists"):
        await platform.deploy(failing, make_spec(artifact, "s-9"), fence=1)


# ------------------------------------------------------------------ the controller dies


CONTROLLER = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.contract.delivery.delivery_service import ThisPython, make_service, make_settings, make_spec, until
from greenlane.adapters.local_platform import LocalBuilder, LocalPlatform

async def main():
    state, tree, fence = Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    artifact = await LocalBuilder(state, ThisPython(), make_settings()).build(make_service(), tree, "a" * 40)
    platform = LocalPlatform(state, ThisPython(), make_settings())
    instance = await platform.deploy(make_service(), make_spec(artifact, "p-1", "production"), fence=fence)
    print(instance.port, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def start_controller(state: Path, tree: Path, fence: int) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", CONTROLLER, str(Path(__file__).parent), str(state), str(tree), str(fence)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})


async def test_services_outlive_the_controller_and_are_found_again(
    state: Path, source: MakeSource, builder: LocalBuilder, platform: LocalPlatform
) -> None:
    tree = source("5")
    with start_controller(state, tree, 1) as controller:
        assert controller.stdout is not None
        port = int(controller.stdout.readline())
        controller.kill()
    found = await platform.find("p-1")
    assert found is not None
    assert found.port == port
    assert get(found).text == "5"
    artifact = await builder.build(make_service(), tree, "a" * 40)
    assert await platform.deploy(make_service(), make_spec(artifact, "p-1", "production"), fence=2) == found
    status = read_status(state / "deployments/p-1")
    assert status is not None
    os.kill(status.pid, signal.SIGKILL)  # its supervisor is gone: what it left is swept, and it is started anew
    assert eventually(lambda: not is_alive(state / "deployments/p-1"))
    assert await platform.find("p-1") is None
    assert [again.deployment_id for again in await platform.revive([make_service()])] == ["p-1"]
    again = await platform.find("p-1")
    assert again is not None
    assert get(again).text == "5"
    assert not is_here(status.child)


async def test_a_controller_killed_at_any_moment_of_a_deploy_never_doubles_it(
    state: Path, source: MakeSource, builder: LocalBuilder, platform: LocalPlatform
) -> None:
    tree = source()
    artifact = await builder.build(make_service(), tree, "a" * 40)
    for number, wait_s in enumerate((0.25, 0.3, 0.35, 0.4, 0.45, 0.5)):
        with start_controller(state, tree, number) as controller:
            await asyncio.sleep(wait_s)
            controller.kill()
    instance = await platform.deploy(make_service(), make_spec(artifact, "p-1", "production"), fence=99)
    assert get(instance).status_code == 200
    alive = [pid for pid in (state / "data/shop/starts").read_text().split() if is_here(int(pid))]
    assert len(alive) == 1
