"""One table: all of it or nothing, and what is said when it is nothing."""

from __future__ import annotations

from typing import Any

import pytest

from migrations_ui.engine import copying
from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database, Write
from migrations_ui.engine.errors import Cancelled, EngineError, RowRefused, ServerError
from migrations_ui.engine.layout import Layout
from tests.conftest import MakeDatabase
from tests.engine.conftest import (
    DIRECTIONS,
    VENDORS,
    OpenDatabase,
    OpenPair,
    insert,
    plain_layout,
    run,
)

COLUMNS = "id integer NOT NULL PRIMARY KEY, name varchar(200), word varchar(200) NOT NULL"


def nothing(rows: int) -> None:
    """Nobody looks at the progress."""


def filled(one: Database, other: Database, rows: int) -> Layout:
    """A table of so many rows in the source, and one row in the destination."""
    for database in (one, other):
        run(database, f"CREATE TABLE t ({COLUMNS})")
    insert(one, "t", [(number, f"name {number}", "x" * 100) for number in range(rows)])
    insert(other, "t", [(-1, "before", "")])
    other.prepare_load()
    return plain_layout(one, other, "t")


def untouched(database: Database) -> bool:
    return database.query("SELECT * FROM t") == [(-1, "before", "")]


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_a_refused_row_is_named_and_nothing_is_kept(
    source: str, dest: str, open_pair: OpenPair
) -> None:
    one, other = open_pair(source, dest)
    for database, null in ((one, ""), (other, " NOT NULL")):
        run(
            database,
            f"CREATE TABLE t (id integer NOT NULL PRIMARY KEY, word varchar(200){null})",
        )
    insert(one, "t", [(1, "a"), (2, None), (3, "c")])
    insert(other, "t", [(-1, "before")])
    other.prepare_load()
    layout = plain_layout(one, other, "t")
    with pytest.raises(RowRefused) as refused:
        copy_chunk(one, other, Chunk(layout), nothing)
    said = str(refused.value)
    assert "shop.t (table t)" in said
    if dest == "sqlite":
        assert "key 2" in said
        assert "t.word" in said
    else:
        assert "column word, key 2, value NULL" in said
    assert other.query("SELECT * FROM t") == [(-1, "before")]


@pytest.mark.parametrize("dest", ["postgresql", "mysql"])
def test_a_refused_value_is_shown_short_and_readable(dest: str, open_pair: OpenPair) -> None:
    one, other = open_pair("sqlite", dest)
    run(one, "CREATE TABLE t (id integer PRIMARY KEY, word varchar(9000))")
    run(other, "CREATE TABLE t (id integer PRIMARY KEY, word varchar(50))")
    insert(one, "t", [(7, "tab\there \x1b[31m ü " + "long " * 1000)])
    other.prepare_load()
    with pytest.raises(RowRefused) as refused:
        copy_chunk(one, other, Chunk(plain_layout(one, other, "t")), nothing)
    said = str(refused.value)
    assert "column word, key 7, value tab\\there \\x1b[31m ü long long" in said
    assert "…" in said
    assert len(said) < 400


@pytest.mark.parametrize("dest", VENDORS)
def test_rows_are_counted_over_many_batches(
    dest: str, open_pair: OpenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "BATCH", 10_000)
    one, other = open_pair("sqlite", dest)
    layout = filled(one, other, 5_000)
    run(other, "DELETE FROM t")
    progress: list[int] = []
    assert copy_chunk(one, other, Chunk(layout), progress.append) == 5_000
    assert len(progress) > 1
    assert progress == sorted(set(progress))
    assert progress[-1] == other.count("t") == 5_000


@pytest.mark.parametrize("dest", ["postgresql", "mysql"])
def test_of_two_workers_that_are_started_on_one_chunk_the_later_one_copies_it(
    dest: str,
    make_database: MakeDatabase,
    open_database: OpenDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copying, "BATCH", 10_000)
    urls = make_database("sqlite"), make_database(dest)
    one, other, source, target = (open_database(url) for url in (*urls, *urls))
    layout = filled(one, other, 5_000)
    run(other, "DELETE FROM t")
    seen: list[int] = []

    def is_overtaken(rows: int) -> None:
        seen.append(rows)
        if len(seen) == 3:  # some rows are written, and none is committed
            assert copy_chunk(source, target, Chunk(layout, again=True), nothing) == 5_000

    with pytest.raises(ServerError) as caught:
        copy_chunk(one, other, Chunk(layout), is_overtaken)
    assert caught.value.transient
    counts = "SELECT count(*), count(DISTINCT id) FROM t"
    assert [tuple(row) for row in target.query(counts)] == [(5_000, 5_000)]


@pytest.mark.parametrize("dest", VENDORS)
def test_a_cancel_undoes_the_table(
    dest: str, open_pair: OpenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "BATCH", 10_000)
    one, other = open_pair("sqlite", dest)
    layout = filled(one, other, 5_000)
    seen: list[int] = []

    def cancel(rows: int) -> None:
        seen.append(rows)
        if len(seen) == 2:
            raise Cancelled("alice asked to stop")

    with pytest.raises(Cancelled, match="alice"):
        copy_chunk(one, other, Chunk(layout), cancel)
    assert 0 < seen[-1] < 5_000
    assert untouched(other)


@pytest.mark.parametrize("source", VENDORS)
def test_a_source_can_be_read_again_after_a_cancel(
    source: str, open_pair: OpenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "BATCH", 10_000)
    monkeypatch.setattr(copying, "AHEAD", 10_000)
    one, other = open_pair(source, "sqlite")
    layout = filled(one, other, 5_000)

    def cancel(rows: int) -> None:
        raise Cancelled("alice asked to stop")

    with pytest.raises(Cancelled):
        copy_chunk(one, other, Chunk(layout), cancel)
    run(other, "DELETE FROM t")
    assert copy_chunk(one, other, Chunk(layout), nothing) == 5_000


@pytest.mark.parametrize("dest", VENDORS)
def test_a_reader_that_fails_in_the_middle_undoes_the_table_and_says_why(
    dest: str, open_pair: OpenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "BATCH", 10_000)
    one, other = open_pair("sqlite", dest)
    layout = filled(one, other, 5_000)
    read = one.read

    def fail(table: str, columns: Any, write: Write, *rest: Any) -> None:
        read(table, columns, write, *rest)
        raise ServerError("the disk is gone")

    monkeypatch.setattr(one, "read", fail)
    with pytest.raises(EngineError, match="the disk is gone"):
        copy_chunk(one, other, Chunk(layout), nothing)
    assert untouched(other)


KILLS = {
    "postgresql": (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    ),
    "mysql": (
        "SELECT id FROM information_schema.processlist"
        " WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    ),
}


def kill_others(database: Database) -> None:
    """End all other connections to this database, as an administrator or a crash would."""
    for (identifier,) in database.query(KILLS[database.vendor]):
        if database.vendor == "mysql":
            run(database, f"KILL {identifier}")


@pytest.mark.parametrize("source", ["postgresql", "mysql"])
def test_a_source_that_goes_away_in_the_middle_undoes_the_table(
    source: str,
    open_pair: OpenPair,
    open_database: OpenDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # More than what the sockets on the way may hold.
    monkeypatch.setattr(copying, "BATCH", 100_000)
    monkeypatch.setattr(copying, "AHEAD", 100_000)
    one, other = open_pair(source, "sqlite")
    layout = filled(one, other, 1)
    many = "SELECT a.n * 200 + b.n + 1, repeat('x', 200), repeat('y', 200) FROM seq a, seq b"
    run(one, "CREATE TABLE seq (n integer)")
    insert(one, "seq", [(number,) for number in range(200)])
    run(one, f"INSERT INTO t {many}")
    killer = open_database(url_of(one))

    def kill(rows: int) -> None:
        kill_others(killer)

    with pytest.raises(ServerError):
        copy_chunk(one, other, Chunk(layout), kill)
    assert untouched(other)


@pytest.mark.parametrize("dest", ["postgresql", "mysql"])
def test_a_destination_that_goes_away_is_no_refused_row(
    dest: str,
    open_pair: OpenPair,
    open_database: OpenDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copying, "BATCH", 10_000)
    one, other = open_pair("sqlite", dest)
    layout = filled(one, other, 5_000)
    killer = open_database(url_of(other))

    with pytest.raises(ServerError):
        copy_chunk(one, other, Chunk(layout), lambda rows: kill_others(killer))
    assert untouched(killer)


def url_of(database: Database) -> str:
    """The URL of an open database."""
    from urllib.parse import quote

    config = database.config
    scheme = {"postgresql": "postgres", "mysql": "mysql"}[database.vendor]
    password = quote(config["PASSWORD"], safe="")
    return (
        f"{scheme}://{config['USER']}:{password}@{config['HOST']}:{config['PORT']}/{config['NAME']}"
    )
