"""Servers that are killed and come back, locked files, full disks, and a second dashboard."""

from __future__ import annotations

import os
import secrets
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from shutil import copy

import pytest
import redis

from tests.conftest import manage
from tests.faults.conftest import LOG, SLOW, Scene, StartWorker, elsewhere
from tests.servers import PrivatePostgres, PrivateRedis
from tests.services.conftest import SLOW_ROWS, Postgres, Shop, migrate
from tests.services.deployment import wait_until

pytestmark = pytest.mark.django_db

Whole = Callable[[int], None]


class Mortal(PrivatePostgres):
    """A PostgreSQL that a test may kill and start again."""

    def die(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGQUIT)  # "immediate": as if it had crashed
        self.process.wait(30)

    def come_back(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  # our own program
                self.command(), stdout=log, stderr=log, cwd=self.folder, user=self.user
            )
        self.wait()


@pytest.fixture
def mortal() -> Iterator[Mortal]:
    folder = Path("/var/tmp") / f"cutover-{secrets.token_hex(4)}"  # noqa: S108  # the server's account has to pass
    folder.mkdir(mode=0o711)
    server = Mortal(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        subprocess.run(["rm", "-rf", str(folder)], check=False)  # noqa: S603, S607  # our own folder


@pytest.fixture
def on_mortal(scene: Scene, mortal: Mortal, tmp_path: Path) -> tuple[Scene, Postgres]:
    """The scene with a destination whose server may die."""
    base = Postgres(mortal.url())
    base.execute("CREATE DATABASE cutover_mortal")
    found = Postgres(mortal.url().replace("/postgres", "/cutover_mortal"))
    (folder := tmp_path / "made").mkdir()
    migrate(folder, found.url)
    found.execute(SLOW)
    return replace(scene, env={**scene.env, "DEST_DATABASE_URL": found.url}), found


def test_a_destination_that_crashes_and_comes_back_costs_a_few_tries(
    on_mortal: tuple[Scene, Postgres], mortal: Mortal, worker: StartWorker
) -> None:
    scene, dest = on_mortal
    worker(scene)
    run = scene.start(*LOG)
    scene.wait_for_chunk(run)
    mortal.die()
    time.sleep(1)
    mortal.come_back()
    dest.execute("DROP TRIGGER slow ON django_admin_log")

    if scene.wait_for_end(run) == "failed":  # its cause is told, and a click is enough
        scene.resume(run)
    assert scene.wait_for_end(run) == "succeeded", scene.told(run)
    assert scene.rows(
        f"SELECT retries > 0, last_retry <> '' FROM migrations_ui_run WHERE id={run}"
    ) == [(1, 1)]
    assert dest.execute("SELECT count(*), count(DISTINCT id) FROM django_admin_log") == [
        (SLOW_ROWS, SLOW_ROWS)
    ]
    assert scene.audit()[:2] == ["finished", "identical"]


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
    postgres.execute("DROP TRIGGER slow ON django_admin_log")
    whole(run)


def test_a_control_database_that_is_locked_for_long_fails_no_run(
    scene: Scene, worker: StartWorker, postgres: Postgres, whole: Whole
) -> None:
    postgres.execute("DROP TRIGGER slow ON django_admin_log")
    worker(scene)
    run = scene.start(*LOG)
    scene.wait_for_phase(run, "wipe", "load", "indexes", "constraints")
    with closing(sqlite3.connect(scene.var / "control.sqlite3", timeout=20)) as control:
        control.execute("BEGIN IMMEDIATE")
        time.sleep(25)  # longer than a connection waits for a lock
        control.rollback()
    whole(run)


def test_a_redis_that_comes_back_empty_loses_no_run(
    scene: Scene, worker: StartWorker, postgres: Postgres, whole: Whole, tmp_path: Path
) -> None:
    postgres.execute("DROP TRIGGER slow ON django_admin_log")
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


def test_two_dashboards_can_not_wipe_one_destination(
    scene: Scene, worker: StartWorker, postgres: Postgres, whole: Whole, tmp_path: Path
) -> None:
    other = elsewhere(scene, tmp_path / "other")
    worker(scene)
    run = scene.start(*LOG)
    scene.wait_for_chunk(run)
    done = manage(other.var, other.env, "copydata", *LOG, "--wipe", postgres.name)
    assert done.returncode == 1
    assert "Nothing was wiped: another Cutover is at work" in done.stderr or (
        "Nothing was wiped: the destination is not what was confirmed" in done.stderr
    )
    postgres.execute("DROP TRIGGER slow ON django_admin_log")
    whole(run)


@pytest.mark.parametrize("phase", ["wipe", "load", "verify"])
def test_a_run_is_cancelled_in_any_phase_and_resumed_by_a_click(
    scene: Scene, worker: StartWorker, postgres: Postgres, whole: Whole, phase: str
) -> None:
    worker(scene)
    if phase == "verify":
        postgres.execute("DROP TRIGGER slow ON django_admin_log")
    run = scene.start(*LOG)
    if phase == "load":
        scene.wait_for_chunk(run)
    else:
        scene.wait_for_phase(run, phase, "load", "verify")
    scene.shell(
        "import json\nfrom migrations_ui import services\nfrom migrations_ui.models import Run\n"
        f"services.cancel(Run.objects.get(pk={run}), 'alice')\nanswer = 0"
    )
    ended = scene.wait_for_end(run)
    postgres.execute("DROP TRIGGER IF EXISTS slow ON django_admin_log")
    if ended != "succeeded":
        assert ended == "cancelled", scene.told(run)
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
