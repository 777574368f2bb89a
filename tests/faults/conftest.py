"""A dashboard of real processes that lose each other, and what must be true afterwards."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import psycopg2
import pytest

from tests.conftest import manage
from tests.faults.mortal import SLOW_ON
from tests.services import conftest as shops
from tests.services.conftest import SLOW_ROWS, Postgres, Shop, migrate, much_to_copy
from tests.services.deployment import Deployment, Worker, wait_until

# The fixtures of a shop, which these tests start from.
postgres_tables = shops.postgres_tables
postgres = shops.postgres
shop = shops.shop
tables = shops.tables

LOG = ("auth.Group", "auth.User", "admin.LogEntry", "registry.Policy")
LEASE = 3  # seconds
# What the destination is made of, besides its rows and what slows their load.
STRUCTURE = (
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated::text"
    " FROM pg_constraint WHERE conrelid <> 0 AND conname <> 'slow' UNION ALL"
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

# What holds a worker up in a phase, and the phase after which it can be put there.
IN_THE_WAY = {
    "wipe": ("", "LOCK TABLE auth_user IN ACCESS SHARE MODE"),
    "load": ("load", "SELECT 1"),
    "indexes": ("load", "LOCK TABLE django_admin_log IN ROW EXCLUSIVE MODE"),
    "constraints": ("load", "LOCK TABLE auth_user IN ROW EXCLUSIVE MODE"),
    "sequences": ("load", "ALTER SEQUENCE django_admin_log_id_seq CACHE 1"),
    "verify": ("sequences", "SELECT 1"),
}

StartWorker = Callable[..., Worker]
Whole = Callable[..., None]


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


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a dashboard that was never used."""
    var = tmp_path_factory.mktemp("prepared")
    env = {f"{side}_DATABASE_URL": f"sqlite:///{var}/{side}.sqlite3" for side in ("SOURCE", "DEST")}
    done = manage(var, env, "migrate", "-v0")
    assert done.returncode == 0, done.stderr
    return var


@pytest.fixture
def scene(shop: Shop, postgres: Postgres, prepared: Path, tmp_path: Path) -> Scene:
    env = {
        "SOURCE_DATABASE_URL": f"sqlite:///{shop.source}",
        "DEST_DATABASE_URL": postgres.url,
        "CUTOVER_LEASE": str(LEASE),
    }
    copytree(prepared, tmp_path / "var")
    much_to_copy(shop)
    postgres.execute(SLOW_ON["postgresql"])
    return Scene(tmp_path / "var", env)


@pytest.fixture
def other(scene: Scene, prepared: Path, tmp_path: Path) -> Scene:
    """Another dashboard on the same databases, with a control database of its own."""
    copytree(prepared, tmp_path / "other")
    return replace(scene, var=tmp_path / "other")


def fill(url: str, var: Path, env: Mapping[str, str]) -> None:
    """Give an empty database the tables and the rows of a dashboard's source, by a copy."""
    migrate(var, url)
    name = url.rpartition("/")[2]
    filling = {**env, "DEST_DATABASE_URL": url}
    done = manage(var, filling, "copydata", *LOG, "--wipe", name, "--no-verify")
    assert done.returncode == 0, done.stderr


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """When all workers have ended, so has whatever they had started."""
    yield
    wait_until(lambda: processes_of(tmp_path) == [])


def processes_of(folder: Path) -> list[str]:
    """The processes of dashboards that keep what they write below the folder."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended meanwhile
            if f"CUTOVER_VAR={folder}/".encode() in environment.read_bytes():
                found.append((environment.parent / "cmdline").read_text().replace("\0", " "))
    return found


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
def whole(scene: Scene, postgres: Postgres) -> Whole:
    """`whole(run)`: the run has succeeded, and the destination is what it should be."""
    before = postgres.execute(STRUCTURE)

    def check(run: int, scene: Scene = scene) -> None:
        ended = scene.wait_for_end(run)
        failure = f"SELECT error, traceback FROM migrations_ui_run WHERE id = {run}"
        assert ended == "succeeded", (scene.told(run), scene.rows(failure))
        assert postgres.execute(STRUCTURE) == before
        counts = "SELECT count(*), count(DISTINCT id) FROM django_admin_log"
        assert postgres.execute(counts) == [(SLOW_ROWS, SLOW_ROWS)]
        assert scene.audit()[:2] == ["finished", "identical"]
        missing = "SELECT 1 FROM migrations_ui_dropped{} WHERE restored_at IS NULL"
        assert scene.rows(missing.format("index")) == []
        assert scene.rows(missing.format("constraint")) == []

    return check


@contextmanager
def holding(postgres: Postgres, statement: str) -> Iterator[None]:
    """A transaction of somebody else's that stands in the way."""
    with closing(psycopg2.connect(postgres.url)) as connection:
        connection.cursor().execute(statement)
        yield
