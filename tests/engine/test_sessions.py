"""What sessions of one database do to each other: hold names, end each other, be interrupted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import MySQLdb
import pytest

from migrations_ui.engine import databases
from migrations_ui.engine.databases import access
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.databases.postgresql.sessions import limits
from migrations_ui.engine.errors import ServerError, Unreachable
from tests.conftest import MakeDatabase
from tests.engine.conftest import VENDORS, OpenDatabase, config_of, run, typed
from tests.servers import mysql_connection

vendors = pytest.mark.parametrize("vendor", VENDORS)
servers = pytest.mark.parametrize("vendor", ["postgresql", "mysql"])

# Counts for longer than any test takes.
ENDLESS = {
    "postgresql": "SELECT pg_sleep(600)",
    "mysql": "SELECT COUNT(*) FROM {0} a, {0} b, {0} c, {0} d, {0} e".format(
        "information_schema.collations"
    ),
    "sqlite": (
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    ),
}


@vendors
def test_a_name_is_reserved_by_one_session_until_that_is_closed(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    url = make_database(vendor)
    with open_database(url) as first, open_database(url) as second:
        assert first.reserve("run", "one")
        assert not second.reserve("run", "other")
        first.close()
        assert reserved_soon(second)


def reserved_soon(database: Database) -> bool:
    """A server notices the end of a session a little later."""
    deadline = time.monotonic() + 10
    while not (found := database.reserve("run", "other")) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


@servers
def test_whether_another_session_holds_a_name_is_told(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    url = make_database(vendor)
    with open_database(url) as first, open_database(url) as second:
        assert not second.is_held("one")
        assert first.reserve("run", "one")
        assert second.is_held("one")
        assert not second.is_held("other")


@servers
def test_names_are_those_of_one_database(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    with (
        open_database(make_database(vendor)) as one,
        open_database(make_database(vendor)) as other,
    ):
        assert one.reserve("run", "one")
        assert other.reserve("run", "one")
        assert not other.evict("nobody")


def test_beside_a_sqlite_file_nothing_is_left(
    make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    url = make_database("sqlite")
    path = Path(url.removeprefix("sqlite:///"))
    with open_database(url) as database:
        assert database.reserve("run", "one")
        assert sorted(path.parent.glob(f"{path.name}*")) == [path, Path(f"{path}-run")]
    assert sorted(path.parent.glob(f"{path.name}*")) == [path]


@servers
def test_a_session_that_is_evicted_has_written_nothing(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    url = make_database(vendor)
    with open_database(url) as late, open_database(url) as next_one:
        run(late, "CREATE TABLE t (id integer PRIMARY KEY)")
        assert late.reserve("run", "late")
        late.acquire("t#0")
        run(late, late.begin, "INSERT INTO t VALUES (1)")

        assert next_one.evict("late")

        next_one.acquire("t#0")
        assert reserved_soon(next_one)
        assert next_one.query("SELECT * FROM t") == []
        with pytest.raises(ServerError) as caught:
            late.execute("COMMIT")
        assert caught.value.transient


def ended(database: Database, holder: str) -> None:
    """End the sessions that have joined the holder, which takes a server a moment."""
    deadline = time.monotonic() + 10
    while database.evict_joined(holder):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@servers
def test_the_sessions_that_have_joined_a_holder_end_with_it(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    url = make_database(vendor)
    opened = [open_database(url) for _ in range(5)]
    with opened[0] as hold, opened[1] as one, opened[2] as two, opened[3] as own, opened[4] as new:
        run(hold, "CREATE TABLE t (id integer PRIMARY KEY)")
        assert hold.reserve("run", "late")
        one.join("late")
        two.join("late")
        run(one, one.begin, "INSERT INTO t VALUES (1)")
        own.join("late")
        own.close()

        assert new.evict("late")
        ended(new, "late")
        assert reserved_soon(new)

        for late in (one, two):
            with pytest.raises(ServerError) as caught:
                late.query("SELECT 1")
            assert caught.value.transient
            with pytest.raises(ServerError, match="hold on the destination is lost") as caught:
                late.reconnect()
            assert caught.value.transient
        assert new.query("SELECT * FROM t") == []


@servers
def test_a_session_joins_again_when_it_is_connected_again(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    url = make_database(vendor)
    with open_database(url) as hold, open_database(url) as one, open_database(url) as new:
        assert hold.reserve("run", "late")
        one.join("late")
        one.reconnect()
        assert one.query("SELECT 1") == [(1,)]
        ended(new, "late")
        with pytest.raises(ServerError):
            one.query("SELECT 1")


@contextmanager
def interrupting(database: Database) -> Iterator[None]:
    """Interrupt whatever the database is at, again and again."""
    done = threading.Event()

    def interrupt() -> None:
        while not done.wait(0.2):
            database.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@vendors
def test_a_statement_is_interrupted_from_another_thread(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    with open_database(make_database(vendor)) as database:
        with interrupting(database), pytest.raises(ServerError) as caught:
            database.query(ENDLESS[vendor])
        assert caught.value.transient
        assert database.query("SELECT 1") in ([(1,)], ((1,),))


@vendors
def test_an_interruption_finds_the_reader_of_a_table(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    """It may have a connection of its own."""
    with open_database(make_database(vendor)) as database:
        run(
            database, "CREATE TABLE t (id integer NOT NULL PRIMARY KEY)", "INSERT INTO t VALUES (1)"
        )
        endless = {
            "postgresql": "CREATE VIEW slow AS SELECT id, pg_sleep(600)::text AS s FROM t",
            "mysql": "CREATE VIEW slow AS SELECT id FROM t"
            " WHERE BENCHMARK(100000000000, SHA2(id, 256)) = 0",
            "sqlite": f"CREATE VIEW slow AS SELECT id FROM t WHERE 0 < ({ENDLESS['sqlite']})",
        }[vendor]
        run(database, endless)
        columns = [column for column in typed(database, "slow") if column.column.name == "id"]
        if vendor == "postgresql":
            columns = typed(database, "slow")
        with interrupting(database), pytest.raises(ServerError):
            database.read("slow", columns, lambda block: None)


@vendors
def test_what_is_asked_wrongly_is_not_tried_again(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    with open_database(make_database(vendor)) as database:
        with pytest.raises(ServerError) as caught:
            database.query("SELECT nothing FROM nowhere")
        assert not caught.value.transient


@pytest.mark.parametrize("by_insert", [True, False])
def test_a_row_that_has_changed_since_the_snapshot_is_tried_again(
    by_insert: bool,
    make_database: MakeDatabase,
    open_database: OpenDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MariaDB 11.8 ends a transaction for it, as for a deadlock (innodb_snapshot_isolation)."""
    database = open_database(make_database("mysql"))
    run(
        database,
        "CREATE TABLE t (id integer NOT NULL PRIMARY KEY)",
        "CREATE TRIGGER changed BEFORE INSERT ON t FOR EACH ROW"
        " SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1020",
    )
    database.prepare_load()
    monkeypatch.setattr(type(database), "loads_from_file", not by_insert)
    with pytest.raises(ServerError) as caught:
        database.load("t", typed(database, "t"), b"1\n")
    assert caught.value.transient


@servers
def test_every_session_has_its_limits(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    settings = {
        "postgresql": "SELECT current_setting('lock_timeout'),"
        " current_setting('statement_timeout'),"
        " current_setting('idle_in_transaction_session_timeout')",
        # MySQL has one of them only.
        "mysql": "SELECT @@innodb_lock_wait_timeout"
        " /*M!100300 , @@max_statement_time, @@idle_transaction_timeout */"
        " /*!80000 , '86400.0', 3600 */",
    }[vendor]
    with open_database(make_database(vendor)) as database:
        ((*found,),) = database.query(settings)
    assert (
        list(map(str, found))
        == {
            "postgresql": ["30s", "1d", "1h"],
            "mysql": ["30", "86400.0", "3600"],
        }[vendor]
    )


@pytest.mark.parametrize(("version", "limited"), [(15_00_04, False), (17_00_00, True)])
def test_no_transaction_is_ended_for_its_length(version: int, limited: bool) -> None:
    """Older servers know no such setting."""
    assert limits(version).get("transaction_timeout") == ("0" if limited else None)


@servers
def test_who_is_in_a_hurry_does_not_wait_long_for_a_lock(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    url = make_database(vendor)
    with open_database(url) as database:
        run(database, "CREATE TABLE thing (id integer)")
    token = access.hurry.set(1)
    try:
        asking = open_database(url)
    finally:
        access.hurry.reset(token)
    limit, told = {
        "postgresql": ("SHOW lock_timeout", "1s"),
        "mysql": ("SELECT @@lock_wait_timeout", 1),
    }[vendor]
    assert asking.query(limit) == [(told,)]
    lock = {
        "postgresql": "BEGIN; LOCK TABLE thing IN ACCESS EXCLUSIVE MODE",
        "mysql": "LOCK TABLES thing WRITE",
    }[vendor]
    with open_database(url) as holding:
        run(holding, lock)
        with pytest.raises(ServerError, match=r"(?i)lock (wait )?timeout"):
            asking.count("thing")


def test_sessions_are_seen_while_one_sends_bytes_that_are_no_text(
    make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    """As each BinaryField does; MySQL's information_schema fails then."""
    url = make_database("mysql")
    asking = open_database(url)
    with closing(mysql_connection(url)) as sending:
        sending.cursor().execute("SET NAMES utf8mb4")  # in which these are none
        number = sending.thread_id()
        statement = b"SELECT SLEEP(600), _binary'\x80\x81'"
        thread = threading.Thread(target=interrupted, args=(sending, statement))
        thread.start()
        try:
            deadline = time.monotonic() + 60
            while not asking.busy_sessions():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert [who for who in asking.others().connected if f" {number} " in who]
        finally:
            asking.execute(f"KILL QUERY {number}")
            thread.join()


def interrupted(connection: Any, statement: bytes) -> None:
    """Run a statement that another session interrupts."""
    with suppress(MySQLdb.Error):
        connection.cursor().execute(statement)


def test_a_file_that_is_missing_is_not_waited_for(tmp_path: Path, sqlite_url: str) -> None:
    """One that is there and can't be opened may be on a mount that keeps it back."""
    there = tmp_path / "there"
    there.mkdir()
    path = sqlite_url.removeprefix("sqlite:///")
    for url, passes in [
        (f"sqlite:///{tmp_path}/missing.sqlite3", False),
        (f"sqlite:///{tmp_path}/no/folder.sqlite3", False),
        (f"sqlite:///{path}/no/folder.sqlite3", False),
        (f"sqlite:///{there}", True),
    ]:
        for read_only in (True, False):
            with pytest.raises(Unreachable, match="can't be opened") as caught:
                databases.connect(config_of(url), read_only=read_only)
            assert caught.value.transient is passes
