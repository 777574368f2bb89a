"""Servers that are killed and come back, locked files, full disks, and a second dashboard."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copy, copytree
from typing import Any

import pytest
import redis

from migrations_ui.patrol import EVERY
from tests.conftest import manage
from tests.faults.conftest import (
    IN_THE_WAY,
    LOG,
    STRUCTURE,
    Scene,
    StartWorker,
    Whole,
    fill,
    holding,
)
from tests.faults.mortal import FAST_ON, SLOW_ON, Mortal, execute, mortal
from tests.servers import PrivateRedis
from tests.services.conftest import SLOW_ROWS, Postgres, Shop, migrate
from tests.services.deployment import wait_until

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]


COUNTS = "SELECT count(*), count(DISTINCT id) FROM django_admin_log"


@pytest.fixture(params=["postgresql", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, Mortal]]:
    with mortal(request.param) as found:
        yield request.param, found


def end_and_audit(scene: Scene, run: int) -> None:
    """The run ends well, after a click where its server was away for too long; tries count."""
    if scene.wait_for_end(run) == "failed":  # its cause is told, and a click is enough
        scene.resume(run)
    assert scene.wait_for_end(run) == "succeeded", scene.told(run)
    tried = f"SELECT retries > 0, last_retry <> '' FROM migrations_ui_run WHERE id={run}"
    assert scene.rows(tried) == [(1, 1)]
    assert scene.audit()[:2] == ["finished", "identical"]


def test_a_destination_that_crashes_and_comes_back_costs_a_few_tries(
    scene: Scene, server: tuple[str, Mortal], worker: StartWorker, tmp_path: Path
) -> None:
    vendor, machine = server
    url = machine.create_database(vendor)
    (folder := tmp_path / "made").mkdir()
    migrate(folder, url)
    execute(url, SLOW_ON[vendor])
    scene = replace(scene, env={**scene.env, "DEST_DATABASE_URL": url})
    worker(scene)
    run = scene.start(*LOG)
    scene.wait_for_chunk(run)
    machine.die()
    machine.come_back()
    execute(url, FAST_ON[vendor])

    end_and_audit(scene, run)
    assert execute(url, COUNTS) == [(SLOW_ROWS, SLOW_ROWS)]


def test_a_source_that_crashes_and_comes_back_costs_a_few_tries(
    scene: Scene,
    server: tuple[str, Mortal],
    worker: StartWorker,
    postgres: Postgres,
    whole: Whole,
    prepared: Path,
    tmp_path: Path,
) -> None:
    vendor, machine = server
    url = machine.create_database(vendor)
    copytree(prepared, tmp_path / "made")
    fill(url, tmp_path / "made", scene.env)
    scene = replace(scene, env={**scene.env, "SOURCE_DATABASE_URL": url})
    worker(scene)
    run = scene.start(*LOG)
    scene.wait_for_chunk(run)
    machine.die()
    machine.come_back()
    postgres.execute("ALTER TABLE django_admin_log DROP CONSTRAINT slow")

    end_and_audit(scene, run)
    whole(run, scene)


def test_a_destination_whose_sessions_are_ended_again_and_again_loses_nothing(
    scene: Scene, worker: StartWorker, postgres: Postgres, whole: Whole
) -> None:
    worker(scene)
    run = scene.start(*LOG)
    for _ in range(3):
        scene.wait_for_chunk(run)
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        time.sleep(0.5)
    postgres.execute("ALTER TABLE django_admin_log DROP CONSTRAINT slow")
    whole(run)


def test_a_control_database_that_is_locked_for_long_fails_no_run(
    scene: Scene, worker: StartWorker, postgres: Postgres, whole: Whole
) -> None:
    postgres.execute("ALTER TABLE django_admin_log DROP CONSTRAINT slow")
    worker(scene)
    run = scene.start(*LOG)
    scene.wait_for_phase(run, "wipe", "load", "indexes", "constraints")
    with closing(sqlite3.connect(scene.var / "control.sqlite3", timeout=20)) as control:
        control.execute("BEGIN IMMEDIATE")
        time.sleep(30)  # longer than a connection waits for a lock
        control.rollback()
    whole(run)


@dataclass(frozen=True)
class Elsewhere(Scene):
    """A dashboard whose control database is on a server."""

    def rows(self, query: str) -> list[Any]:
        return execute(self.env["CONTROL_DATABASE_URL"], query)


@pytest.mark.parametrize(
    ("server", "phase"),
    [("mysql", "steps"), ("postgresql", "verify")],
    indirect=["server"],
)
def test_a_control_database_that_is_away_for_seconds_fails_no_run_in_any_phase(
    scene: Scene,
    server: tuple[str, Mortal],
    worker: StartWorker,
    postgres: Postgres,
    whole: Whole,
    phase: str,
) -> None:
    vendor, machine = server
    url = machine.create_database(vendor)
    scene = Elsewhere(
        scene.var, {**scene.env, "CONTROL_DATABASE_URL": url, "CUTOVER_STEPS": "check"}
    )
    done = manage(scene.var, scene.env, "migrate", "-v0")
    assert done.returncode == 0, done.stderr
    postgres.execute("ALTER TABLE django_admin_log DROP CONSTRAINT slow")
    listening = worker(scene)
    run = scene.start(*LOG)
    scene.wait_for_phase(run, phase)
    machine.die()
    time.sleep(3)
    machine.come_back()
    whole(run, scene)
    # Whatever else the worker does from time to time goes on as well.
    said = len(listening.said())
    time.sleep(2 * EVERY)
    assert "WARNING" not in listening.said()[said:]


def test_a_redis_that_comes_back_empty_loses_no_run(
    scene: Scene, worker: StartWorker, postgres: Postgres, whole: Whole, tmp_path: Path
) -> None:
    postgres.execute("ALTER TABLE django_admin_log DROP CONSTRAINT slow")
    folder = tmp_path / "redis"
    folder.mkdir()
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(parent.stat().st_mode | 0o011)
    server = PrivateRedis(folder)
    server.start()
    try:
        scene = replace(scene, env={**scene.env, "HUEY_URL": server.url()})
        run = scene.start(*LOG)
        with closing(redis.Redis.from_url(server.url())) as client:
            client.flushall()
        server.stop()
        server.start()
        worker(scene)
        whole(run)
    finally:
        server.stop()


def test_of_two_dashboards_that_start_at_once_one_wipes_and_the_other_does_nothing(
    scene: Scene, other: Scene, worker: StartWorker, postgres: Postgres, whole: Whole
) -> None:
    assert [scene.start(*LOG), other.start(*LOG)] == [1, 1]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(worker, (scene, other)))
    wait_until(lambda: "failed" in (scene.status(1), other.status(1)))
    refused, winner = (scene, other) if scene.status(1) == "failed" else (other, scene)
    ((error,),) = refused.rows("SELECT error FROM migrations_ui_run")
    assert error.startswith("Nothing was wiped: another Cutover is at work in "), error
    assert refused.rows("SELECT DISTINCT wiped, copied_rows FROM migrations_ui_tablecopy") == [
        (0, 0)
    ]
    assert refused.rows("SELECT * FROM migrations_ui_droppedconstraint") == []
    postgres.execute("ALTER TABLE django_admin_log DROP CONSTRAINT IF EXISTS slow")
    whole(1, winner)
    wiped = "The destination's tables of the selection are empty."
    assert winner.told(1).count(wiped) == 1
    assert winner.rows("SELECT retries FROM migrations_ui_run") == [(0,)]


# As soon as the phase has begun: an audit of a few rows is over before a process has started.
CANCEL = """
import json
import time
from contextlib import suppress
from django.db.models import Q
from migrations_ui import services
from migrations_ui.models import Run
while not Run.objects.filter(Q(phase="verify") | Q({phase}), pk={run}):
    time.sleep(0.01)
answer = "succeeded"
with suppress(services.Refused):  # it was quicker all the same
    services.cancel(Run.objects.get(pk={run}), "alice")
    answer = "cancelled"
"""


@pytest.mark.parametrize("phase", IN_THE_WAY)
def test_a_run_is_cancelled_in_any_phase_and_resumed_by_a_click(
    scene: Scene, worker: StartWorker, postgres: Postgres, whole: Whole, phase: str
) -> None:
    structure = postgres.execute(STRUCTURE)
    after, statement = IN_THE_WAY[phase]
    worker(scene)
    with ExitStack() as stack:
        if not after:
            stack.enter_context(holding(postgres, statement))
        run = scene.start(*LOG)
        if after and phase != "verify":
            scene.wait_for_phase(run, after, phase, "verify")
            stack.enter_context(holding(postgres, statement))
        if phase == "load":
            scene.wait_for_chunk(run)
        # Indexes are built as soon as their table is loaded, the others being loaded still.
        there = 'doing__regex="index.*_log$"' if phase == "indexes" else f"phase={phase!r}"
        expected = scene.shell(CANCEL.format(run=run, phase=there))
        if phase == "indexes":  # the lock has kept it from being built
            assert postgres.execute(STRUCTURE) != structure
    assert scene.wait_for_end(run) == expected, scene.told(run)
    postgres.execute("ALTER TABLE django_admin_log DROP CONSTRAINT IF EXISTS slow")
    if expected == "cancelled":
        assert sorted(postgres.execute(STRUCTURE)) == sorted(structure)  # whole, whatever it lacks
        if phase == "wipe":  # nothing is there to go on with
            run = scene.start(*LOG)
        else:
            scene.resume(run)
    whole(run)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(  # noqa: S603  # our own command line
        ["mount", "-t", "tmpfs", "-o", "size=16m", "cutover-test", str(folder)],  # noqa: S607  # of the system
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        raise RuntimeError(f"a small disk can't be mounted (root is needed): {mounted.stderr}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S603, S607  # our own mount


def test_a_full_disk_fails_the_run_with_its_cause_and_room_lets_it_be_resumed(
    scene: Scene, worker: StartWorker, shop: Shop, small: Path
) -> None:
    path = small / "shop.sqlite3"
    copy(shop.dest, path)
    scene = replace(scene, env={**scene.env, "DEST_DATABASE_URL": f"sqlite:///{path}"})
    worker(scene)
    run = scene.start(*LOG)
    assert isinstance(run, int), run
    assert scene.wait_for_end(run) == "failed"
    assert "disk is full" in str(scene.rows("SELECT error FROM migrations_ui_run"))

    subprocess.run(  # noqa: S603  # our own command line
        ["mount", "-o", "remount,size=128m", str(small)],  # noqa: S607  # of the system
        check=True,
    )
    scene.resume(run)
    wait_until(lambda: scene.status(run) != "failed")
    assert scene.wait_for_end(run) == "succeeded", scene.told(run)
    assert scene.audit()[:2] == ["finished", "identical"]
    assert sorted(os.listdir(small)) == ["shop.sqlite3"]
