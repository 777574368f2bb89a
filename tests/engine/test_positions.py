"""A database tells, without a scan, whether it was written since."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import psycopg2
import pytest

from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.databases.positions import Movement, Position, State
from tests.conftest import MakeDatabase
from tests.engine.conftest import VENDORS, OpenDatabase
from tests.servers import mysql_connection

TABLES = ("book", "shelf")
ONLY_THE_FILE = {"sqlite"}  # vendors that can't tell which table it was


@dataclass(frozen=True)
class Watched:
    """A database of two tables, an application that uses it, and Cutover's look at it."""

    vendor: str
    url: str
    database: Database
    connect: Callable[[], Any]

    def write(self, *statements: str) -> None:
        """What an application does in a session that ends."""
        with closing(self.connect()) as connection:
            for statement in statements:
                connection.cursor().execute(statement)
            connection.commit()
        # Its counters arrive when the session has ended, which closing it does not wait for.
        while self.vendor == "postgresql" and self.database.others().connected:
            time.sleep(0.01)

    def position(self) -> Position:
        """As it is kept and read again."""
        found = self.database.position(TABLES, settled=True)
        return Position.from_json(json.loads(json.dumps(found.as_json())))

    def since(self, before: Position) -> Movement:
        return self.database.moved(before, self.database.position(TABLES))


CONNECT: dict[str, Callable[[str], Any]] = {
    "postgresql": psycopg2.connect,
    "mysql": mysql_connection,
    "sqlite": lambda url: sqlite3.connect(url.removeprefix("sqlite:///")),
}


def watch(vendor: str, make_database: MakeDatabase, open_database: OpenDatabase) -> Watched:
    url = make_database(vendor)
    key = "INTEGER PRIMARY KEY" + (" AUTO_INCREMENT" if vendor == "mysql" else "")

    def connect() -> Any:
        return CONNECT[vendor](url)

    watched = Watched(vendor, url, open_database(url, read_only=True), connect)
    watched.write(
        *(f"CREATE TABLE {name} (id {key}, title VARCHAR(20))" for name in TABLES),
        *(f"INSERT INTO {name} VALUES (1, 'a'), (2, 'b')" for name in TABLES),
    )
    return watched


@pytest.fixture(params=VENDORS)
def watched(
    request: pytest.FixtureRequest, make_database: MakeDatabase, open_database: OpenDatabase
) -> Watched:
    return watch(request.param, make_database, open_database)


@pytest.fixture
def postgres(make_database: MakeDatabase, open_database: OpenDatabase) -> Watched:
    return watch("postgresql", make_database, open_database)


@pytest.fixture
def mysql(make_database: MakeDatabase, open_database: OpenDatabase) -> Watched:
    return watch("mysql", make_database, open_database)


@pytest.fixture
def sqlite(make_database: MakeDatabase, open_database: OpenDatabase) -> Watched:
    return watch("sqlite", make_database, open_database)


@pytest.fixture
def logged(sqlite: Watched) -> Iterator[Any]:
    """An application that keeps a write-ahead log open."""
    with closing(sqlite.connect()) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("INSERT INTO book VALUES (3, 'c')")
        connection.commit()
        yield connection


@pytest.mark.parametrize(
    "write",
    [
        "INSERT INTO book VALUES (9, 'new')",
        "UPDATE book SET title = 'z' WHERE id = 1",
        "DELETE FROM book WHERE id = 1",
    ],
)
def test_each_write_is_seen_and_the_table_named_where_it_is_known(
    watched: Watched, write: str
) -> None:
    before = watched.position()

    watched.write(write)

    expected = () if watched.vendor in ONLY_THE_FILE else ("book",)
    assert watched.since(before) == Movement(State.CHANGED, expected)


def test_reading_is_not_a_change(watched: Watched) -> None:
    before = watched.position()

    watched.write("SELECT * FROM book ORDER BY title")

    assert watched.since(before) == Movement(State.UNCHANGED)


def test_what_was_undone_is_not_a_change_of_the_tables(watched: Watched) -> None:
    before = watched.position()

    with closing(watched.connect()) as connection:
        connection.cursor().execute("BEGIN")
        connection.cursor().execute("SELECT * FROM book")
        connection.rollback()

    assert watched.since(before).state is State.UNCHANGED


def test_a_table_that_was_emptied_is_seen(watched: Watched) -> None:
    before = watched.position()

    watched.write("DELETE FROM shelf" if watched.vendor == "sqlite" else "TRUNCATE TABLE shelf")

    assert watched.since(before).changed


def test_another_database_tells_nothing(watched: Watched) -> None:
    before = watched.position()

    found = watched.since(replace(before, identity="another"))

    assert found.state is State.UNKNOWN
    assert found.why == "It is not the same database any more."


def test_a_transaction_that_was_open_is_seen_when_it_is_committed(watched: Watched) -> None:
    watched.position()  # what was written before is of another second
    with closing(watched.connect()) as connection:
        connection.cursor().execute("BEGIN")
        connection.cursor().execute("INSERT INTO book VALUES (9, 'new')")
        before = watched.position()
        connection.commit()
    watched.write()

    assert watched.since(before).changed


def test_maintenance_of_postgresql_is_not_a_change(postgres: Watched) -> None:
    before = postgres.position()

    with closing(postgres.connect()) as connection:
        connection.autocommit = True
        for statement in ("VACUUM book", "ANALYZE", "CREATE TABLE other (id int)"):
            connection.cursor().execute(statement)

    assert before.mark != postgres.position().mark
    assert postgres.since(before) == Movement(State.UNCHANGED)


def test_a_write_to_a_partition_is_one_to_its_table(postgres: Watched) -> None:
    postgres.write(
        "DROP TABLE shelf",
        "CREATE TABLE shelf (id int, title text) PARTITION BY RANGE (id)",
        "CREATE TABLE shelf_low PARTITION OF shelf FOR VALUES FROM (0) TO (100)",
    )
    before = postgres.position()

    postgres.write("INSERT INTO shelf VALUES (5, 'low')")

    assert postgres.since(before) == Movement(State.CHANGED, ("shelf",))


def test_counters_that_arrive_late_are_no_change_while_no_transaction_has_written(
    postgres: Watched,
) -> None:
    now = postgres.position()
    late = replace(now, tables={**(now.tables or {}), "book": [1, 0, 0, "1"]})

    assert postgres.database.moved(late, now) == Movement(State.UNCHANGED)


def test_a_postgresql_that_was_started_anew_tells_nothing(postgres: Watched) -> None:
    before = replace(postgres.position(), since="long ago")
    postgres.write("INSERT INTO book VALUES (9, 'new')")

    found = postgres.since(before)

    assert found.state is State.UNKNOWN
    assert "started anew" in found.why


def test_a_mysql_that_was_started_anew_tells_nothing(mysql: Watched) -> None:
    # Where there is a binary log that may be read, it would prove that nothing was written.
    before = replace(mysql.position(), since="1000", mark="")

    assert "started anew" in mysql.since(before).why


def test_a_table_whose_last_write_mysql_has_forgotten_tells_nothing(mysql: Watched) -> None:
    now = mysql.position()
    forgotten = {**(now.tables or {}), "book": [None, *(now.tables or {})["book"][1:]]}

    found = mysql.database.moved(now, replace(now, tables=forgotten))

    assert found.state is State.UNKNOWN
    assert "book" in found.why


def test_a_second_write_in_the_second_of_the_position_is_not_taken_for_none(
    mysql: Watched,
) -> None:
    now = mysql.position()
    busy = {**(now.tables or {}), "book": [*(now.tables or {})["book"][:-1], True]}
    position = replace(now, tables=busy, mark="")

    found = mysql.database.moved(position, position)

    assert found.state is State.UNKNOWN
    assert "book" in found.why


def test_writes_to_a_write_ahead_log_are_seen(sqlite: Watched, logged: Any) -> None:
    before = sqlite.position()
    assert sqlite.since(before) == Movement(State.UNCHANGED)

    logged.execute("INSERT INTO book VALUES (4, 'd')")
    logged.commit()

    assert sqlite.since(before) == Movement(State.CHANGED)


def test_a_checkpoint_of_the_write_ahead_log_is_not_a_change(sqlite: Watched, logged: Any) -> None:
    before = sqlite.position()

    logged.execute("PRAGMA wal_checkpoint(FULL)")

    assert sqlite.since(before) == Movement(State.UNCHANGED)


def test_when_the_write_ahead_log_is_put_away_nothing_can_be_told(
    sqlite: Watched, logged: Any
) -> None:
    before = sqlite.position()

    logged.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    assert sqlite.since(before).state is State.UNKNOWN


def test_a_write_through_a_log_that_is_put_away_at_once_is_seen(sqlite: Watched) -> None:
    sqlite.write("PRAGMA journal_mode=WAL")
    sqlite.database.close()  # the last connection takes the log with it
    before = sqlite.position()

    sqlite.write("UPDATE book SET title = 'z' WHERE id = 1")

    assert sqlite.since(before) == Movement(State.CHANGED)


def test_a_look_at_the_file_leaves_the_locks_of_this_process(sqlite: Watched) -> None:
    """POSIX takes all locks of a process from a file as soon as it closes it once."""
    with closing(sqlite.connect()) as writing:
        writing.execute("BEGIN EXCLUSIVE")
        writing.execute("UPDATE book SET title = 'z'")
        sqlite.position()
        path = sqlite.url.removeprefix("sqlite:///")
        code = f"import sqlite3; sqlite3.connect({path!r}, timeout=0).execute('BEGIN EXCLUSIVE')"
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)  # noqa: S603  # ours
    assert b"locked" in other.stderr


def test_who_is_writing_is_told(postgres: Watched) -> None:
    with closing(postgres.connect()) as connection:
        connection.cursor().execute("INSERT INTO book VALUES (9, 'new')")
        pid = connection.info.backend_pid
        found = postgres.database.others()
    assert [f"process {pid} of cutover"] == list(found.connected)
    assert [f"process {pid} of cutover is writing book"] == list(found.writing)


def test_who_is_connected_is_told_and_what_is_not_seen(mysql: Watched) -> None:
    with closing(mysql.connect()) as connection:
        number = connection.thread_id()
        found = mysql.database.others()
    assert any(f"connection {number} of cutover" in phrase for phrase in found.connected)
    assert "PROCESS" in found.unseen


def test_a_transaction_that_writes_to_a_file_is_told(sqlite: Watched) -> None:
    with closing(sqlite.connect()) as connection:
        assert sqlite.database.others().writing == ()
        connection.execute("INSERT INTO book VALUES (9, 'new')")
        found = sqlite.database.others()
    assert found.writing == ("somebody is inside a transaction that writes",)
