"""A small shop: a source with some rows, and a destination that holds a few stale ones."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copy
from typing import Any

import dj_database_url
import psycopg2
import pytest
from django.db import connection
from pytest_django import Settings

from migrations_ui import services
from migrations_ui.engine import persisting
from migrations_ui.engine.databases import access
from migrations_ui.models import Run
from tests.conftest import manage
from tests.servers import Servers

GROUPS = 7  # rows of auth_group in the source
STALE = 2  # and in the destination

# Each row of the log takes a slow destination a while; a batch of 4 MiB holds 2,000.
SLOW_ROWS = 16_000
SLOW_TEXT = 2_100

PATIENCE = 30  # seconds

Start = Callable[..., Run]


@dataclass(frozen=True)
class Shop:
    """The SQLite files of the source and of the destination."""

    source: Path
    dest: Path

    def execute(self, side: str, *statements: str) -> None:
        with closing(sqlite3.connect(getattr(self, side))) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, side: str, query: str) -> list[Any]:
        with closing(sqlite3.connect(getattr(self, side))) as connection:
            return connection.execute(query).fetchall()

    def dump(self, side: str) -> list[str]:
        """Everything that the file holds."""
        with closing(sqlite3.connect(getattr(self, side))) as connection:
            return list(connection.iterdump())


def endpoint(url: str) -> dict[str, Any]:
    """The configuration of a database that a test chooses."""
    return access.endpoint(dict(dj_database_url.parse(url)))


def count(labels: list[str], *, reverse: bool = False) -> None:
    """What the worker does before a confirmation."""
    services.count_now(labels, reverse=reverse)
    services.check_data_now(labels, "alice", reverse=reverse)


def confirm(labels: list[str], *, reverse: bool = False) -> services.Plan:
    """What the confirmation page shows after the worker has counted and looked at the values."""
    count(labels, reverse=reverse)
    return services.plan(labels, reverse=reverse)


def start(*labels: str, reverse: bool = False) -> Run:
    """A run that alice has confirmed as it was shown to her."""
    plan = confirm(list(labels), reverse=reverse)
    return services.start(labels, plan.dest.name, plan.fingerprint, "alice", reverse=reverse)


def ended(run: Run) -> Run:
    """The run, done in this process."""
    services.execute(run.pk)
    run.refresh_from_db()
    return run


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many further tries as ever, but at once."""
    monkeypatch.setattr(persisting, "PAUSES", [0.01] * len(persisting.PAUSES))


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the demo application's tables."""
    folder = tmp_path_factory.mktemp("tables")
    (path := folder / "empty.sqlite3").touch()
    migrate(folder, f"sqlite:///{path}")
    return path


def migrate(folder: Path, url: str) -> None:
    """Make the demo application's tables, in a process of its own."""
    env = {"SOURCE_DATABASE_URL": f"sqlite:///{folder}/none.sqlite3", "DEST_DATABASE_URL": url}
    done = manage(folder, env, "migrate", "--database", "dest", "-v0")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def shop(tables: Path, tmp_path: Path, settings: Settings, db: None) -> Shop:
    found = Shop(tmp_path / "old.sqlite3", tmp_path / "shop.sqlite3")
    for side, rows in (("source", GROUPS), ("dest", STALE)):
        copy(tables, getattr(found, side))
        for number in range(rows):
            found.execute(side, f"INSERT INTO auth_group (name) VALUES ('{side} {number}')")
    settings.ENDPOINTS = {
        "source": endpoint(f"sqlite:///{found.source}"),
        "dest": endpoint(f"sqlite:///{found.dest}"),
    }
    return found


@pytest.fixture(scope="session")
def postgres_tables(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a PostgreSQL database with the demo application's tables, to be copied."""
    url, _ = servers.create_database("postgresql")
    migrate(tmp_path_factory.mktemp("tables"), url)
    return url


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL destination."""

    url: str

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    def execute(self, *statements: str) -> list[Any]:
        """The rows of the last statement, where it returns any."""
        with closing(psycopg2.connect(self.url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def constraints(self) -> list[Any]:
        """Each constraint but `SLOW_POSTGRES`, with its definition, and whether it is valid."""
        return self.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated "
            "FROM pg_constraint WHERE conrelid <> 0 AND conname <> 'slow' ORDER BY 1, 2"
        )


@pytest.fixture
def postgres(
    shop: Shop, postgres_tables: str, servers: Servers, settings: Settings, tmp_path: Path
) -> Postgres:
    """The shop's destination is a PostgreSQL database instead."""
    template = Postgres(postgres_tables)
    name = f"{template.name}_{tmp_path.name[-1]}"
    base = Postgres(servers.url("postgresql"))
    base.execute(
        f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
        f"CREATE DATABASE {name} TEMPLATE {template.name}",
    )
    found = Postgres(postgres_tables.replace(template.name, name))
    found.execute("INSERT INTO auth_group (name) VALUES ('dest 0'), ('dest 1')")
    settings.ENDPOINTS = settings.ENDPOINTS | {"dest": endpoint(found.url)}
    return found


@contextmanager
def in_a_worker(run: Run) -> Iterator[threading.Thread]:
    """Do the run in a thread of its own, and wait for its end."""

    def work() -> None:
        try:
            services.execute(run.pk)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def much_to_copy(shop: Shop) -> None:
    """Give the source a log that a slow destination takes seconds to load."""
    shop.execute(
        "source",
        "INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email,"
        " is_staff, is_active, date_joined) VALUES"
        " (1, '', 0, 'alice', '', '', '', 1, 1, '2026-01-01 00:00:00')",
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n"
        f" WHERE i < {SLOW_ROWS}) INSERT INTO django_admin_log"
        " (id, action_time, object_repr, action_flag, change_message, user_id)"
        f" SELECT i, '2026-01-01 00:00:00', 'pid', 1, printf('%.{SLOW_TEXT}c', 'x'), 1 FROM n",
    )


# What holds up each row of the log.
HELD_UP_SQLITE = (
    "CREATE TRIGGER slow AFTER INSERT ON django_admin_log BEGIN SELECT"
    " (WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {})"
    " SELECT count(*) FROM n); END"
)
SLOW_SQLITE = HELD_UP_SQLITE.format(700)
# A chunk takes longer than a cancel does, on a fast machine as well.
CRAWLING_SQLITE = HELD_UP_SQLITE.format(12_000)
# Not a trigger, which a run switches off; far longer than a cancel takes on a slow machine.
SLOW_POSTGRES = (
    "CREATE FUNCTION slow() RETURNS boolean LANGUAGE plpgsql "
    "AS 'BEGIN PERFORM pg_sleep(0.001); RETURN true; END';"
    "ALTER TABLE django_admin_log ADD CONSTRAINT slow CHECK (slow())"
)
