"""A dashboard of real processes that lose each other, and what must be true afterwards."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.conftest import manage
from tests.services import conftest as shops
from tests.services.conftest import SLOW_ROWS, Postgres, Shop, much_to_copy
from tests.services.deployment import Deployment, Worker, wait_until

# The fixtures of a shop, which these tests start from.
postgres_tables = shops.postgres_tables
postgres = shops.postgres
shop = shops.shop
tables = shops.tables

LOG = ("auth.Group", "auth.User", "admin.LogEntry", "registry.Policy")
LEASE = 3  # seconds
# Each row of the log takes the destination a while: the load some seconds.
SLOW = (
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql "
    "AS 'BEGIN PERFORM pg_sleep(0.0003); RETURN NEW; END';"
    "CREATE TRIGGER slow BEFORE INSERT ON django_admin_log FOR EACH ROW EXECUTE FUNCTION slow()"
)
# What the destination is made of, besides its rows.
STRUCTURE = (
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated::text"
    " FROM pg_constraint WHERE conrelid <> 0 UNION ALL"
    " SELECT tablename, indexname, indexdef, '' FROM pg_indexes WHERE schemaname = 'public'"
    " ORDER BY 1, 2, 3"
)
AUDIT = """
import json
from migrations_ui import services
audit = services.prepare_audit({labels!r}, "alice")
services.execute_audit(audit.pk)
audit.refresh_from_db()
answer = [audit.status, audit.verdict, audit.error, [t.problem for t in audit.tables.all()]]
"""
RESUME = """
import json
from migrations_ui import services
from migrations_ui.models import Run
services.resume(Run.objects.get(pk={run}), "alice")
answer = 0
"""

StartWorker = Callable[..., Worker]


class Scene(Deployment):
    """A dashboard with a much-too-slow PostgreSQL destination."""

    def phase(self, run: int) -> str:
        return str(self.rows(f"SELECT phase FROM migrations_ui_run WHERE id = {run}")[0][0])

    def wait_for_phase(self, run: int, *phases: str) -> None:
        wait_until(lambda: self.phase(run) in phases)

    def wait_for_chunk(self, run: int) -> None:
        """Until a chunk of the log is being copied."""
        self.wait_for(
            "SELECT 1 FROM migrations_ui_chunk c JOIN migrations_ui_tablecopy t ON t.id = table_id"
            f" WHERE run_id = {run} AND label = 'admin.LogEntry' AND c.copied_rows > 0"
        )

    def resume(self, run: int) -> None:
        self.shell(RESUME.format(run=run))

    def told(self, run: int) -> list[str]:
        """The run's timeline, and what went wrong."""
        query = f"SELECT what FROM migrations_ui_event WHERE run_id = {run} ORDER BY id"
        return [what for (what,) in self.rows(query)]

    def wait_for_end(self, run: int) -> str:
        wait_until(
            lambda: self.status(run) not in ("queued", "running", "pausing", "cancelling", "paused")
        )
        return self.status(run)

    def audit(self) -> Any:
        """Every cell of the tables, compared afresh."""
        return self.shell(AUDIT.format(labels=list(LOG)))


@pytest.fixture
def scene(shop: Shop, postgres: Postgres, tmp_path: Path) -> Scene:
    env = {
        "SOURCE_DATABASE_URL": f"sqlite:///{shop.source}",
        "DEST_DATABASE_URL": postgres.url,
        "CUTOVER_LEASE": str(LEASE),
    }
    (var := tmp_path / "var").mkdir()
    done = manage(var, env, "migrate", "-v0")
    assert done.returncode == 0, done.stderr
    much_to_copy(shop)
    postgres.execute(SLOW)
    return Scene(var, env)


def elsewhere(scene: Scene, folder: Path) -> Scene:
    """Another dashboard on the same databases, with a control database of its own."""
    folder.mkdir()
    done = manage(folder, scene.env, "migrate", "-v0")
    assert done.returncode == 0, done.stderr
    return replace(scene, var=folder)


@pytest.fixture
def worker() -> Iterator[StartWorker]:
    started: list[Worker] = []

    def start(deployment: Deployment) -> Worker:
        started.append(Worker(deployment))
        return started[-1]

    yield start
    for one in started:
        one.process.send_signal(signal.SIGCONT)
        one.stop(signal.SIGKILL)


@pytest.fixture
def whole(scene: Scene, postgres: Postgres) -> Callable[[int], None]:
    """`whole(run)`: the run has succeeded, and the destination is what it should be."""
    before = postgres.execute(STRUCTURE)

    def check(run: int) -> None:
        assert scene.wait_for_end(run) == "succeeded", (scene.told(run), json.dumps(failure(run)))
        assert postgres.execute(STRUCTURE) == before
        counts = "SELECT count(*), count(DISTINCT id) FROM django_admin_log"
        assert postgres.execute(counts) == [(SLOW_ROWS, SLOW_ROWS)]
        assert scene.audit()[:2] == ["finished", "identical"]
        missing = "SELECT 1 FROM migrations_ui_dropped{} WHERE restored_at IS NULL"
        assert scene.rows(missing.format("index")) == []
        assert scene.rows(missing.format("constraint")) == []

    def failure(run: int) -> Any:
        return scene.rows(f"SELECT error, traceback FROM migrations_ui_run WHERE id = {run}")

    return check


@contextmanager
def holding(postgres: Postgres, statement: str) -> Iterator[None]:
    """A transaction of somebody else's that stands in the way."""
    with closing(psycopg2.connect(postgres.url)) as connection:
        connection.cursor().execute(statement)
        yield
