"""Each statement of a run and of its audit, once, meets a session that has just been ended.

Where that happens in the midst of a run depends on the moment, so a test that ends sessions from
outside finds few of the places.  Here every place in our code that talks to a server is met once.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg2
import pytest
from pytest_django import Settings

from migrations_ui import audit_recorder, participant
from migrations_ui.engine import persisting
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.databases.mysql.database import Database as MySQL
from migrations_ui.engine.databases.postgresql.database import Database as PostgreSQL
from migrations_ui.models import Run
from tests.conftest import MakeDatabase
from tests.faults.conftest import LOG
from tests.servers import mysql_connection
from tests.services import conftest as shops
from tests.services.conftest import Shop, ended, endpoint, migrate, much_to_copy, start

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

tables = shops.tables
shop = shops.shop

ROWS = 1000  # of the log
Ended = set[tuple[str, ...]]
# What differs between two statements of one place.
PARTICULAR = re.compile(r"[0-9a-f]{8,}|\d+")


class Reaper:
    """Ends a session when a statement is about to be sent on it for the first time."""

    def __init__(self, urls: dict[str, str]) -> None:
        self.urls = urls  # by the database's name
        self.ended: Ended = set()
        self.lock = threading.Lock()

    def meets(self, name: str, what: str, end: Callable[[str], None]) -> None:
        """End the session, unless this place was met before."""
        if (url := self.urls.get(name)) is None:
            return
        place = place_of(name, PARTICULAR.sub("#", what))
        with self.lock:
            first = place not in self.ended
            self.ended.add(place)
        if first:
            end(url)


def place_of(name: str, statement: str) -> tuple[str, ...]:
    """Who sends the statement: the lines of our code that lead to it, outside the vendors' part.

    Preflight, which is done again as a whole, is met once for each of its modules.
    """
    lines: list[tuple[str, int]] = []
    frame: FrameType | None = sys._getframe(2)
    while frame:
        path = frame.f_code.co_filename
        if "migrations_ui" in path and "/databases/" not in path and "persist" not in path:
            lines.append((Path(path).name, frame.f_lineno))
            if frame.f_code.co_name == "ready":
                return name, lines[0][0]
        frame = frame.f_back
    return name, statement, *(f"{file}:{line}" for file, line in lines[:2])


def end_postgres(url: str, session: Any) -> None:
    if session.closed:
        return
    with closing(psycopg2.connect(url)) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [session.get_backend_pid()])


def end_mysql(url: str, number: int) -> None:
    with closing(mysql_connection(url)) as other, closing(other.cursor()) as cursor:
        cursor.execute("SELECT 1 FROM information_schema.processlist WHERE id = %s", [number])
        if cursor.fetchall():
            cursor.execute(f"KILL {number}")


def end(database: Database) -> Callable[[str], None]:
    if isinstance(database, MySQL):
        return lambda url: end_mysql(url, database.number)
    return lambda url: end_postgres(url, database.connection)


@pytest.fixture
def reaper(monkeypatch: pytest.MonkeyPatch) -> Reaper:
    """At work from the moment that it is told of databases."""
    found = Reaper({})
    errors_of, load = Database.errors_of, PostgreSQL.load
    prepare_postgres, prepare_mysql = PostgreSQL._prepare_session, MySQL._prepare_session

    @contextmanager
    def watched(self: Database, sql: str) -> Iterator[None]:
        found.meets(self.config["NAME"], sql, end(self))
        with errors_of(self, sql):
            yield

    def loading(self: PostgreSQL, *arguments: Any) -> int:
        found.meets(self.config["NAME"], "load", end(self))
        return load(self, *arguments)

    def postgres_session(self: PostgreSQL, connection: Any) -> bool:
        found.meets(self.config["NAME"], "connect", lambda url: end_postgres(url, connection))
        return prepare_postgres(self, connection)

    def mysql_session(self: MySQL, connection: Any, command: str) -> None:
        name, number = self.config["NAME"], connection.thread_id()
        found.meets(name, "connect", lambda url: end_mysql(url, number))
        prepare_mysql(self, connection, command)

    monkeypatch.setattr(Database, "errors_of", watched)
    monkeypatch.setattr(PostgreSQL, "load", loading)
    monkeypatch.setattr(PostgreSQL, "_prepare_session", postgres_session)
    monkeypatch.setattr(MySQL, "_prepare_session", mysql_session)
    for vendor in (PostgreSQL, MySQL):
        monkeypatch.setattr(vendor, "rebuilds_indexes_from", ROWS)
    monkeypatch.setattr(persisting, "LOOK_AGAIN", 0.01)
    for module in (participant, audit_recorder, persisting):
        monkeypatch.setattr(module, "PAUSES", (0.01,) * 1000)
    return found


@pytest.fixture
def filled(
    shop: Shop, make_database: MakeDatabase, settings: Settings, tmp_path: Path
) -> Callable[[str], str]:
    """`filled(vendor)`: the URL of a database with much to copy, which is the source now."""
    much_to_copy(shop)
    shop.execute("source", f"DELETE FROM django_admin_log WHERE id > {ROWS}")

    def fill(vendor: str) -> str:
        url = made(vendor)
        settings.ENDPOINTS = settings.ENDPOINTS | {"dest": endpoint(url)}
        run = ended(start(*LOG))
        assert run.status == Run.Status.SUCCEEDED, run.error
        settings.ENDPOINTS = settings.ENDPOINTS | {"source": endpoint(url)}
        return url

    def made(vendor: str) -> str:
        url = make_database(vendor)
        (folder := tmp_path / f"made-{vendor}").mkdir(exist_ok=True)
        migrate(folder, url)
        return url

    return fill


@pytest.mark.parametrize(("source", "dest"), [("postgresql", "mysql"), ("mysql", "postgresql")])
def test_no_statement_of_a_run_fails_it_when_its_session_is_ended(
    source: str,
    dest: str,
    reaper: Reaper,
    filled: Callable[[str], str],
    make_database: MakeDatabase,
    settings: Settings,
    tmp_path: Path,
) -> None:
    there, here = filled(source), make_database(dest)
    (folder := tmp_path / "dest").mkdir()
    migrate(folder, here)
    settings.ENDPOINTS = settings.ENDPOINTS | {"dest": endpoint(here)}
    begun = start(*LOG)
    reaper.urls |= {url.rpartition("/")[2]: url for url in (there, here)}

    run = ended(begun)
    assert run.status == Run.Status.SUCCEEDED, (run.error, run.traceback)
    assert len(reaper.ended) > 100
    assert run.retries > 100
    assert run.audits.get().verdict == "identical"
