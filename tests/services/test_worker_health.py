"""A real worker's signs of life: while it works, after its end, and after it was killed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from tests.conftest import MakeDatabase, RunManage
from tests.services.conftest import Shop
from tests.services.deployment import Deployment, Worker, wait_until

# Only the classes' real answers, not those that tests put in their place.
LOOK = """
import importlib, json
workers = importlib.reload(workers)
health = workers.look()
answer = [health.nobody, [[w.alive, w.listens, w.doing, w.silent] for w in health.workers]]
"""


@pytest.fixture
def deployment(shop: Shop, migrated_control: Path, tmp_path: Path) -> Deployment:
    env = {
        "SOURCE_DATABASE_URL": f"sqlite:///{shop.source}",
        "DEST_DATABASE_URL": f"sqlite:///{shop.dest}",
    }
    (var := tmp_path / "var").mkdir()
    copy(migrated_control, var)
    return Deployment(var, env)


@pytest.fixture
def start_worker() -> Iterator[Callable[[Deployment], Worker]]:
    started: list[Worker] = []

    def start(deployment: Deployment) -> Worker:
        started.append(Worker(deployment))
        return started[-1]

    yield start
    for worker in started:
        worker.process.send_signal(signal.SIGCONT)
        worker.stop(signal.SIGKILL)


def rows(deployment: Deployment) -> list[Any]:
    return deployment.rows("SELECT pid, doing, heartbeat_at FROM migrations_ui_worker")


def beat_for_a_while(deployment: Deployment) -> None:
    """Until three signs of life were seen, each later than the one before."""
    seen: set[str] = set()

    def another() -> bool:
        seen.update(row[2] for row in rows(deployment))
        return len(seen) >= 3

    wait_until(another)


@pytest.mark.parametrize("queue", ["sqlite", "redis"])
def test_a_worker_is_seen_by_other_processes_and_is_gone_when_it_ends(
    deployment: Deployment,
    start_worker: Callable[[Deployment], Worker],
    request: pytest.FixtureRequest,
    queue: str,
) -> None:
    if queue == "redis":
        url = request.getfixturevalue("redis_url")
        deployment = Deployment(deployment.var, {**deployment.env, "HUEY_URL": url})
    assert deployment.shell(LOOK)[0].startswith("No worker is running.")

    worker = start_worker(deployment)
    wait_until(lambda: [row[0] for row in rows(deployment)] == [worker.process.pid])
    nobody, [[alive, listens, _, _]] = deployment.shell(LOOK)
    assert (nobody, alive, listens) == ("", True, True)

    worker.stop(signal.SIGTERM)
    assert rows(deployment) == []
    assert deployment.shell(LOOK)[0].startswith("No worker is running.")


def test_a_worker_that_was_killed_is_silent_and_its_successor_is_not_taken_for_it(
    deployment: Deployment, start_worker: Callable[[Deployment], Worker]
) -> None:
    killed = start_worker(deployment)
    wait_until(lambda: bool(rows(deployment)))
    killed.stop(signal.SIGKILL)
    deployment.execute(
        "UPDATE migrations_ui_worker SET heartbeat_at = datetime('now', '-31 seconds')"
    )
    nobody, [[alive, *_]] = deployment.shell(LOOK)
    assert f"{os.uname().nodename}, process {killed.process.pid}) is silent for" in nobody
    assert not alive

    start_worker(deployment)
    wait_until(lambda: len(rows(deployment)) == 2)
    nobody, states = deployment.shell(LOOK)
    assert nobody == ""
    assert [alive for alive, *_ in states] == [False, True]


def test_a_worker_gives_signs_of_life_while_it_waits_for_a_database(
    deployment: Deployment, shop: Shop, start_worker: Callable[[Deployment], Worker]
) -> None:
    start_worker(deployment)
    with closing(sqlite3.connect(shop.dest, isolation_level=None)) as somebody_else:
        somebody_else.execute("BEGIN IMMEDIATE")
        run = deployment.start("auth.Group")
        wait_until(lambda: [row[1] for row in rows(deployment)] == [f"execute run {run}"])
        beat_for_a_while(deployment)
        assert deployment.status(run) == "running"
        somebody_else.execute("ROLLBACK")
    deployment.wait_for_status(run, "succeeded")
    wait_until(lambda: [row[1] for row in rows(deployment)] == [""])


BEAT_AND_LOOK = """
import json
from migrations_ui import metrics, workers
workers.Pulse().beat()
[worker] = workers.look().workers
print(json.dumps([worker.silent, worker.listens, metrics.exposition().decode()]))
"""


@pytest.mark.parametrize("vendor", ["postgresql", "mysql"])
def test_a_server_as_control_database_tells_the_age_and_the_figures(
    make_database: MakeDatabase, run_manage: RunManage, tmp_path: Path, vendor: str
) -> None:
    for side in ("source", "dest"):
        (tmp_path / side).touch()
    env = {
        "SOURCE_DATABASE_URL": f"sqlite:///{tmp_path}/source",
        "DEST_DATABASE_URL": f"sqlite:///{tmp_path}/dest",
        "CONTROL_DATABASE_URL": make_database(vendor),
        "TZ": "Asia/Tokyo",
    }
    assert run_manage(env, "migrate", "-v0").returncode == 0
    done = run_manage(env, "shell", "-v0", "-c", BEAT_AND_LOOK)
    assert done.returncode == 0, done.stderr

    silent, listens, figures = json.loads(done.stdout.splitlines()[-1])
    assert silent < 15
    assert listens
    assert "cutover_workers_alive 1.0" in figures


def test_a_queue_that_is_away_is_said_without_its_password(deployment: Deployment) -> None:
    url = "redis://:s3kr1t@127.0.0.1:1/0"
    nobody, _ = Deployment(deployment.var, {**deployment.env, "HUEY_URL": url}).shell(LOOK)

    assert nobody.startswith("The queue can't be reached, so no worker would hear of it: ")
    assert "s3kr1t" not in nobody
