"""Workers as on several machines: one queue in Redis, one control database, and one run."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeDatabase, manage
from tests.faults.conftest import LEASE, LOG, Scene, StartWorker
from tests.faults.mortal import execute
from tests.servers import Servers
from tests.services.conftest import Postgres, migrate
from tests.services.deployment import Worker, wait_until

pytestmark = pytest.mark.django_db

ROWS = 8_000
# The log of the source is about 3 MB: some twenty chunks.
ALICE = (
    "INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email,"
    " is_staff, is_active, date_joined)"
    " VALUES (1, '', false, 'alice', '', '', '', true, true, '2026-01-01')"
)
FILL = (
    "INSERT INTO django_admin_log (id, action_time, object_repr, action_flag, change_message,"
    " user_id) SELECT i, '2026-01-01', 'pid', 1, repeat(md5(i::text), 10), 1"
    f" FROM generate_series(1, {ROWS}) i"
)
# Each row takes the destination some milliseconds, during which it needs no processor.
SLEEPS = (
    "CREATE FUNCTION slow() RETURNS boolean LANGUAGE plpgsql "
    "AS 'BEGIN PERFORM pg_sleep(0.004); RETURN true; END';"
)
# PostgreSQL has no trigger for it: a run switches triggers off.
SLOW = {
    "postgresql": SLEEPS + "ALTER TABLE django_admin_log ADD CONSTRAINT slow CHECK (slow())",
    "mysql": "CREATE TRIGGER slow BEFORE INSERT ON django_admin_log "
    "FOR EACH ROW SET @slept = SLEEP(0.001)",
}
QUICK = {
    "postgresql": "ALTER TABLE django_admin_log DROP CONSTRAINT IF EXISTS slow",
    "mysql": "DROP TRIGGER IF EXISTS slow",
}
DONE = (
    "SELECT c.holder, count(*) FROM migrations_ui_chunk c"
    " JOIN migrations_ui_tablecopy t ON t.id = table_id"
    " WHERE run_id = {} AND c.status = 'done' AND label = 'admin.LogEntry' GROUP BY c.holder"
)
# The chunks that others than the run's leader are at.
HELPED = (
    "SELECT c.id FROM migrations_ui_chunk c JOIN migrations_ui_run r ON r.holder <> c.holder"
    " WHERE c.status = 'copying'"
)
# The vendor of the control database, by that of the destination.
CONTROL = {"postgresql": "mysql", "mysql": "postgresql"}


@dataclass(frozen=True)
class Machines(Scene):
    """A dashboard on several machines, with a destination of this vendor."""

    vendor: str = ""
    numbers: Iterator[int] = field(default_factory=count)

    def rows(self, query: str) -> list[Any]:
        return execute(self.env["CONTROL_DATABASE_URL"], query)

    def another(self) -> Machines:
        """Another machine: what its processes keep in files is their own."""
        (var := self.var.parent / f"machine-{next(self.numbers)}").mkdir()
        return replace(self, var=var)

    def dest(self, sql: str) -> list[Any]:
        """Do it in the destination."""
        return execute(self.env["DEST_DATABASE_URL"], sql)

    def holders(self, run: int) -> dict[str, int]:
        """How many chunks of the log each worker has copied."""
        return dict(self.rows(DONE.format(run)))

    def wait_for_chunks(self, run: int, chunks: int) -> None:
        """Until so many more chunks of the log are done."""
        wanted = sum(self.holders(run).values()) + chunks
        wait_until(lambda: sum(self.holders(run).values()) >= wanted)

    def whole(self, run: int) -> None:
        """The run has succeeded, and every cell is what it should be."""
        ended = self.wait_for_end(run)
        assert ended == "succeeded", (
            self.told(run),
            self.rows("SELECT error FROM migrations_ui_run"),
        )
        counts = "SELECT count(*), count(DISTINCT id) FROM django_admin_log"
        assert self.dest(counts) == [(ROWS, ROWS)]
        verdicts = "SELECT verdict FROM migrations_ui_audit"
        assert self.rows(verdicts) == [("identical",)]
        missing = "SELECT 1 FROM migrations_ui_dropped{} WHERE restored_at IS NULL"
        assert self.rows(missing.format("index")) + self.rows(missing.format("constraint")) == []


@pytest.fixture(params=CONTROL)
def machines(
    request: pytest.FixtureRequest,
    postgres_tables: str,
    servers: Servers,
    make_database: MakeDatabase,
    redis_url: str,
    tmp_path: Path,
) -> Machines:
    def clone() -> str:
        url = make_database("postgresql")
        name, template = url.rpartition("/")[2], postgres_tables.rpartition("/")[2]
        Postgres(servers.url("postgresql")).execute(
            f"DROP DATABASE {name}", f"CREATE DATABASE {name} TEMPLATE {template}"
        )
        return url

    source, vendor = clone(), request.param
    if vendor == "mysql":
        migrate(tmp_path, dest := make_database("mysql"))
    else:
        dest = clone()
    env = {
        "DJANGO_SETTINGS_MODULE": "tests.faults.small_chunks.settings",
        "SOURCE_DATABASE_URL": source,
        "DEST_DATABASE_URL": dest,
        "CONTROL_DATABASE_URL": make_database(CONTROL[vendor]),
        "HUEY_URL": redis_url,
        "CUTOVER_LEASE": str(LEASE),
    }
    (var := tmp_path / "pages").mkdir()
    done = manage(var, env, "migrate", "-v0")
    assert done.returncode == 0, done.stderr
    Postgres(source).execute(ALICE, FILL)
    found = Machines(var, env, vendor)
    found.dest(SLOW[vendor])
    return found


def test_two_workers_load_one_run(machines: Machines, worker: StartWorker) -> None:
    for _ in range(2):
        worker(machines.another())
    run = machines.start(*LOG)
    wait_until(lambda: len(machines.holders(run)) == 2)
    machines.dest(QUICK[machines.vendor])
    machines.whole(run)
    assert len(machines.holders(run)) == 2
    told = machines.told(run)
    assert len([what for what in told if what.endswith(" takes part.")]) == 1
    assert len([what for what in told if "takes part no more" in what]) == 1


def test_one_that_takes_part_and_comes_back_late_can_not_write(
    machines: Machines, worker: StartWorker
) -> None:
    worker(machines.another())
    run = machines.start(*LOG)
    machines.wait_for_chunks(run, 1)  # it leads, since nobody else is there
    late = worker(machines.another())
    machines.wait_for(HELPED)
    time.sleep(0.1)  # it writes by now
    late.process.send_signal(signal.SIGSTOP)
    held = ", ".join(str(chunk) for (chunk,) in machines.rows(HELPED))
    began = time.monotonic()
    wait_until(lambda: not machines.rows(HELPED))
    assert time.monotonic() - began > LEASE - 1
    late.process.send_signal(signal.SIGCONT)
    machines.dest(QUICK[machines.vendor])
    machines.whole(run)
    assert late.process.poll() is None
    # Each that it was at was begun with twice: by it, and by the one that leads.
    tried = f"SELECT DISTINCT attempts FROM migrations_ui_chunk WHERE id IN ({held})"
    assert machines.rows(tried) == [(2,)]


@pytest.mark.parametrize("machines", ["postgresql"], indirect=True)
def test_with_three_workers_of_which_one_is_killed_every_few_seconds_a_run_still_ends(
    machines: Machines, worker: StartWorker
) -> None:
    workers: list[Worker] = [worker(machines.another()) for _ in range(3)]
    run = machines.start(*LOG)
    for turn in range(3):
        machines.wait_for_chunks(run, 2)
        workers[turn].stop(signal.SIGKILL)
        workers[turn] = worker(machines.another())
    machines.dest(QUICK[machines.vendor])
    machines.whole(run)
    assert len(machines.holders(run)) > 1


@pytest.mark.parametrize("machines", ["postgresql"], indirect=True)
@pytest.mark.parametrize(("limit", "ends"), [(16, "incomplete"), (15, "failed")])
def test_the_reject_limit_of_a_run_is_spent_by_two_processes_together(
    machines: Machines, worker: StartWorker, limit: int, ends: str
) -> None:
    machines.dest("ALTER TABLE django_admin_log ADD CHECK (id % 500 <> 0)")  # refuses 16 rows
    for _ in range(2):
        worker(machines.another())
    run = machines.start(*LOG, reject_limit=limit)
    if ends == "incomplete":
        wait_until(lambda: len(machines.holders(run)) == 2)
        machines.dest(QUICK[machines.vendor])
    assert machines.wait_for_end(run) == ends, machines.told(run)
    kept = "SELECT count(*), count(DISTINCT key) FROM migrations_ui_rejectedrow"
    arrived = machines.dest("SELECT count(*) FROM django_admin_log")
    if ends == "incomplete":
        assert len(machines.holders(run)) == 2
        assert machines.rows(kept.replace("key", "`key`")) == [(limit, limit)]
        assert arrived == [(ROWS - limit,)]
    else:
        assert arrived == [(0,)]  # the table of a refused row is emptied again
