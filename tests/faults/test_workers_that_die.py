"""Workers that are killed, stopped or suspended: the next one goes on, and nothing is doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from tests.conftest import ROOT, manage
from tests.faults.conftest import IN_THE_WAY, LOG, Scene, StartWorker, Whole, holding
from tests.services.conftest import Postgres
from tests.services.deployment import wait_until
from tests.settings import VARIABLES

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]

WAITING = (
    "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE NOT granted"
)
WAITING += " AND datname = current_database()"


@pytest.mark.parametrize("phase", IN_THE_WAY)
def test_a_worker_that_is_killed_in_any_phase_is_followed_by_the_next(
    scene: Scene, worker: StartWorker, postgres: Postgres, whole: Whole, phase: str
) -> None:
    after, statement = IN_THE_WAY[phase]
    died = worker(scene)
    with ExitStack() as stack:
        if not after:
            stack.enter_context(holding(postgres, statement))
        run = scene.start(*LOG)
        if after:
            scene.wait_for_phase(run, after, phase, "verify")
            stack.enter_context(holding(postgres, statement))
        if phase == "load":
            scene.wait_for_chunk(run)
        elif phase == "indexes":  # they are built as soon as their table is loaded
            scene.wait_for("SELECT 1 FROM migrations_ui_run WHERE doing LIKE '%index%_log'")
        else:
            scene.wait_for_phase(run, phase)
        died.stop(signal.SIGKILL)
    postgres.execute("ALTER TABLE django_admin_log DROP CONSTRAINT slow")
    worker(scene)
    whole(run)
    assert any("No sign of life" in what for what in scene.told(run))


def test_a_worker_that_is_asked_to_stop_leaves_its_run_to_the_next(
    scene: Scene, worker: StartWorker, postgres: Postgres, whole: Whole
) -> None:
    stopped = worker(scene)
    run = scene.start(*LOG)
    scene.wait_for_chunk(run)
    assert stopped.stop(signal.SIGTERM) == 0
    assert scene.status(run) == "queued"
    postgres.execute("ALTER TABLE django_admin_log DROP CONSTRAINT slow")
    worker(scene)
    whole(run)
    assert "The worker was stopped. The next one goes on from there." in scene.told(run)


def test_a_worker_that_comes_back_late_can_not_write(
    scene: Scene, worker: StartWorker, postgres: Postgres, whole: Whole
) -> None:
    late = worker(scene)
    run = scene.start(*LOG)
    scene.wait_for_chunk(run)
    late.process.send_signal(signal.SIGSTOP)
    worker(scene)
    wait_until(lambda: any("No sign of life" in what for what in scene.told(run)))
    scene.wait_for_phase(run, "load")
    late.process.send_signal(signal.SIGCONT)
    postgres.execute("ALTER TABLE django_admin_log DROP CONSTRAINT slow")
    whole(run)
    assert late.process.poll() is None
    assert "another worker has taken over" in late.said()


def test_a_worker_that_comes_back_late_can_not_wipe(
    scene: Scene, worker: StartWorker, postgres: Postgres, whole: Whole
) -> None:
    """It was suspended before its next statement of the wipe, whatever that is."""
    late = worker(scene)
    with holding(postgres, IN_THE_WAY["wipe"][1]):
        run = scene.start(*LOG)
        scene.wait_for_phase(run, "wipe")
        wait_until(lambda: postgres.execute(WAITING) == [(1,)])
        late.process.send_signal(signal.SIGSTOP)
        worker(scene)
        wait_until(lambda: any("No sign of life" in what for what in scene.told(run)))
        # The new one's statement waits by now, and the other's is gone.
        wait_until(lambda: scene.phase(run) == "wipe" and postgres.execute(WAITING) == [(1,)])
    postgres.execute("ALTER TABLE django_admin_log DROP CONSTRAINT slow")
    whole(run)
    late.process.send_signal(signal.SIGCONT)
    wait_until(lambda: "another worker has taken over" in late.said())
    whole(run)
    assert late.process.poll() is None


def command(scene: Scene, *arguments: str) -> subprocess.Popen[bytes]:
    """`copydata` of the log, in a process that goes on."""
    line = [sys.executable, "manage.py", "copydata", *LOG, *arguments]
    env = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    env |= {"DJANGO_SETTINGS_MODULE": "dashboard.settings", "CUTOVER_VAR": str(scene.var)}
    return subprocess.Popen(line, cwd=ROOT, env=env | dict(scene.env))  # noqa: S603  # our own


def test_a_command_that_was_killed_and_is_started_again_takes_over(
    scene: Scene, postgres: Postgres, whole: Whole
) -> None:
    name = postgres.name
    first = command(scene, "--wipe", name)
    wait_until(lambda: bool(scene.rows("SELECT 1 FROM migrations_ui_run")))
    scene.wait_for_chunk(1)
    first.kill()
    first.wait()
    postgres.execute("ALTER TABLE django_admin_log DROP CONSTRAINT slow")
    done = manage(scene.var, scene.env, "copydata", *LOG, "--wipe", name)
    assert done.returncode == 0, done.stderr
    assert "Run 1 was left behind; this goes on with it" in done.stderr
    assert scene.rows("SELECT count(*) FROM migrations_ui_run") == [(1,)]
    wiped = "The destination's tables of the selection are empty."
    assert scene.told(1).count(wiped) == 1
    whole(1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_a_catch_up_that_was_ended_while_it_repairs_is_gone_on_with(
    scene: Scene, postgres: Postgres, whole: Whole, number: signal.Signals
) -> None:
    first = command(scene, "--catch-up")  # all rows are missing
    wait_until(lambda: bool(scene.rows("SELECT 1 FROM migrations_ui_run WHERE phase = 'repair'")))
    written = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^COPY"
    wait_until(lambda: bool(postgres.execute(f"{written} .*django_admin_log'")))
    first.send_signal(number)
    first.wait()
    postgres.execute("ALTER TABLE django_admin_log DROP CONSTRAINT slow")
    done = manage(scene.var, scene.env, "copydata", *LOG, "--catch-up")
    assert done.returncode == 0, done.stderr
    assert "Run 1 was left behind; this goes on with it" in done.stderr
    assert scene.rows("SELECT count(*) FROM migrations_ui_run") == [(1,)]
    whole(1)


def test_a_run_of_which_the_queue_knows_nothing_is_found(
    scene: Scene, worker: StartWorker, postgres: Postgres, whole: Whole
) -> None:
    postgres.execute("ALTER TABLE django_admin_log DROP CONSTRAINT slow")
    run = scene.start(*LOG)
    for queue in scene.var.glob("huey.sqlite3*"):
        queue.unlink()
    worker(scene)
    whole(run)


def test_with_workers_that_are_killed_every_few_seconds_a_run_still_ends(
    scene: Scene, worker: StartWorker, postgres: Postgres, whole: Whole
) -> None:
    workers = [worker(scene) for _ in range(2)]
    run = scene.start(*LOG)
    for turn in range(3):
        scene.wait_for_phase(run, "load", "indexes", "constraints", "sequences", "verify")
        time.sleep(1)
        workers[turn % 2].stop(signal.SIGKILL)
        workers[turn % 2] = worker(scene)
    postgres.execute("ALTER TABLE django_admin_log DROP CONSTRAINT IF EXISTS slow")
    whole(run)
