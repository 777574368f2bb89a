"""SQLite keeps any value in any column, and loses digits without a word: what is done about it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from django.db import connections, models
from django.utils.dateparse import parse_datetime

from migrations_ui.engine import rejecting
from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import EngineError, RowRefused, ServerError
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.rejecting import Allowance, Rejects
from tests.engine.conftest import (
    OpenDatabase,
    OpenPair,
    insert,
    layout_of,
    named,
    plain_layout,
    read_all,
    run,
    typed,
)


@pytest.fixture
def sqlite(sqlite_url: str, open_database: OpenDatabase) -> Database:
    return open_database(sqlite_url)


def load(database: Database, column: str, value: str, **kinds: Kind) -> object:
    """Load one value into a column of that type, and what SQLite keeps then."""
    run(database, f"CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v {column})")
    with database.transaction():
        database.load("t", typed(database, "t", **kinds), f"1\t{value}\n".encode())
    return database.query("SELECT v FROM t")[0][0]


REFUSED = [
    ("decimal(30, 10)", "1234567890.1234567890"),
    ("decimal(20, 2)", "99999999999999999.99"),
    ("decimal(20, 0)", "18446744073709551616"),
    ("decimal(5, 2)", "NaN"),
    ("decimal(5, 2)", "Infinity"),
    ("decimal(30, 2)", "-Infinity"),
    ("real", "NaN"),
    ("real", "much"),
    ("bigint", "9223372036854775808"),
    ("bigint unsigned", "18446744073709551615"),
    ("integer", "-9223372036854775809"),
    ("smallint unsigned", "99999999999999999999"),
    ("date", "infinity"),
    ("date", "0044-03-15 BC"),
    ("date", "0000-00-00"),
    ("date", "10000-01-01"),
    ("datetime", "infinity"),
    ("datetime", "0000-00-00 00:00:00.000000"),
    ("datetime", "2020-01-00 00:00:00.000000"),
    ("time", "24:00:00.000000"),
    ("time", "-01:00:00.000000"),
    ("BLOB", "0g"),
]


@pytest.mark.parametrize(("column", "value"), REFUSED)
def test_what_sqlite_would_alter_or_django_could_not_read_is_refused(
    sqlite: Database, column: str, value: str
) -> None:
    with pytest.raises(RowRefused) as refused:
        load(sqlite, column, value)
    assert (refused.value.line, refused.value.column) == (1, "v")
    assert sqlite.count("t") == 0


@pytest.mark.parametrize("value", ["1 mon", "1 year 2 mons", "-1 days +02:03:04"])
def test_an_interval_without_a_length_is_refused(sqlite: Database, value: str) -> None:
    with pytest.raises(RowRefused, match="microseconds"):
        load(sqlite, "bigint", value, v=Kind.DURATION)


@pytest.mark.parametrize(
    ("column", "value", "kept"),
    [
        ("decimal(30, 10)", "12345.6789012345", 12345.6789012345),
        # SQLite itself would make the float beside it of this text.
        ("decimal(15, 10)", "-1809.2724475837", -1809.2724475837),
        ("decimal(20, 0)", "9223372036854775807", 9223372036854775807),
        ("decimal(20, 2)", "9007199254740993.00", 9007199254740993),
        ("decimal(5, 2)", "1.50", 1.5),
        ("decimal(5, 2)", "-0.10", -0.1),
        ("bigint", "9223372036854775807", 9223372036854775807),
        ("integer", "-9223372036854775808", -9223372036854775808),
        ("real", "5e-324", 5e-324),
        ("real", "1e+308", 1e308),
        ("real", "Infinity", float("inf")),
        ("bool", "1", 1),
        ("date", "0001-01-01", "0001-01-01"),
        ("datetime", "9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999"),
        ("datetime", "2020-01-01 12:00:00.000000", "2020-01-01 12:00:00"),
        ("datetime", "2020-01-01 12:00:00.500000", "2020-01-01 12:00:00.500000"),
        ("time", "12:00:00.000000", "12:00:00"),
        ("varchar(10)", "12.000000", "12.000000"),
        ("varchar(10)", "0012", "0012"),
        ("text", "1e5", "1e5"),
        ("char(32)", "0" * 32, "0" * 32),
    ],
)
def test_what_sqlite_keeps_is_kept_as_django_would_have_written_it(
    sqlite: Database, column: str, value: str, kept: object
) -> None:
    assert load(sqlite, column, value) == kept


def test_a_datetime_is_found_by_its_value_through_django(
    sqlite_url: str, open_database: OpenDatabase
) -> None:
    """SQLite compares text, so a fraction of zeros would hide the row from `=`."""
    database = open_database(sqlite_url)
    load(database, "datetime", "2020-01-01 12:00:00.000000")
    written = connections["default"].ops.adapt_datetimefield_value(
        datetime(2020, 1, 1, 12, tzinfo=UTC)
    )
    assert database.query("SELECT id FROM t WHERE v = ?", [written]) == [(1,)]


@pytest.mark.parametrize(
    ("column", "stored", "canonical"),
    [
        ("datetime", "2020-01-01 00:00:00", "2020-01-01 00:00:00.000000"),
        ("datetime", "2020-01-01 00:00:00.123", "2020-01-01 00:00:00.123000"),
        ("datetime", "2020-01-01 00:00:00.123456", "2020-01-01 00:00:00.123456"),
        ("datetime", "2020-01-01T00:00:00", "2020-01-01 00:00:00.000000"),
        ("datetime", "2020-01-01T00:00:00.123456", "2020-01-01 00:00:00.123456"),
        ("datetime", "2020-01-01T00:00:00Z", "2020-01-01 00:00:00.000000"),
        ("datetime", "2020-01-01 02:00:00+02:00", "2020-01-01 00:00:00.000000"),
        ("datetime", "2020-01-01 00:00", "2020-01-01 00:00:00.000000"),
        ("datetime", "2020-13-01 00:00", "2020-13-01 00:00\\!"),
        ("datetime", "never\t", "never\\t\\!"),
        ("time", "12:30", "12:30:00.000000"),
        ("time", "12:30:00.5", "12:30:00.500000"),
        ("time", "noon", "noon\\!"),
        ("integer", "twelve", "twelve\\!"),
        ("integer", "12", "12"),
        ("bool", "true", "true\\!"),
        ("date", "2020-1-1", "2020-01-01"),
        ("real", 0.1, "0.1"),
        ("real", 2**53, "9007199254740992.0"),
        ("real", 1e300, "1e+300"),
        ("decimal(10, 2)", 7, "7.00"),
        ("decimal(10, 2)", 0.1, "0.10"),
        ("decimal(10, 2)", 1.15, "1.15"),
        ("decimal(10, 2)", -2.675e6, "-2675000.00"),
        ("text", 12, "12"),
        ("text", b"\xc3\xbc\t", "ü\\t\\!"),
        ("BLOB", b"\x00\xff", "00ff"),
        ("BLOB", "text", "74657874\\!"),
    ],
)
def test_odd_forms_are_read_for_what_they_are(
    sqlite: Database, column: str, stored: object, canonical: str
) -> None:
    run(sqlite, f"CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v {column})")
    insert(sqlite, "t", [(1, stored)])
    assert read_all(sqlite, "t", typed(sqlite, "t")).decode() == f"1\t{canonical}\n"
    if column == "datetime" and isinstance(stored, str) and stored.startswith("2020-01"):
        assert parse_datetime(canonical) is not None


@pytest.mark.parametrize("dest", ["postgresql", "mysql"])
@pytest.mark.parametrize("text", ["twelve", "12abc", ""])
def test_text_in_an_integer_column_is_refused_by_the_destination(
    dest: str, text: str, open_pair: OpenPair
) -> None:
    one, other = open_pair("sqlite", dest)
    for database in (one, other):
        run(database, "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v integer)")
    insert(one, "t", [(1, 7), (2, text)])
    other.prepare_load()
    with pytest.raises(RowRefused, match="column v, key 2"):
        copy_chunk(one, other, Chunk(plain_layout(one, other, "t")), lambda rows: None)
    assert other.count("t") == 0


@pytest.mark.parametrize("dest", ["postgresql", "mysql", "sqlite"])
@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("integer", 7.5, "is no integer"),
        ("integer", 1e20, "is no integer"),
        ("decimal(10, 2)", 0.125, "more than 2 digits"),
    ],
)
def test_a_float_where_none_belongs_is_refused_with_its_place(
    dest: str, column: str, value: float, why: str, open_pair: OpenPair
) -> None:
    one, other = open_pair("sqlite", dest)
    for database in (one, other):
        run(database, f"CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v {column})")
    insert(one, "t", [(1, 7), (2, value)])
    other.prepare_load()
    place = r"table t\), column v, key 2, value [0-9.e+]+: "
    with pytest.raises(RowRefused, match=f"{place}.*{why}"):
        copy_chunk(one, other, Chunk(plain_layout(one, other, "t")), lambda rows: None)
    assert other.count("t") == 0
    rejects = Rejects(Allowance(1))
    written = copy_chunk(
        one, other, Chunk(plain_layout(one, other, "t")), lambda rows: None, rejects
    )
    assert (written, other.count("t")) == (1, 1)
    (refused,) = rejects.found
    assert (refused.key, refused.column) == ("2", "v")


def test_a_decimal_that_was_too_fine_fits_once_the_column_is_wider(open_pair: OpenPair) -> None:
    one, other = open_pair("sqlite", "postgresql")
    for database in (one, other):
        run(database, "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v numeric(10, 2))")
    insert(one, "t", [(1, 0.125), (2, 0.25)])
    rejects = Rejects(Allowance(1))
    copy_chunk(one, other, Chunk(plain_layout(one, other, "t")), lambda rows: None, rejects)
    (refused,) = rejects.found
    layout = plain_layout(one, other, "t")
    with pytest.raises(RowRefused, match="more than 2 digits"):
        rejecting.load(other, layout, refused.row)
    run(other, "ALTER TABLE t ALTER v TYPE numeric(10, 3)")
    with other.transaction():
        rejecting.load(other, plain_layout(one, other, "t"), refused.row)
    assert other.query("SELECT id, v::text FROM t ORDER BY id") == [(1, "0.125"), (2, "0.250")]


def test_a_text_like_the_mark_of_an_odd_number_stays_as_it_is(open_pair: OpenPair) -> None:
    one, other = open_pair("sqlite", "postgresql")
    columns = "id integer NOT NULL PRIMARY KEY, v numeric(10, 2), w text"
    for database in (one, other):
        run(database, f"CREATE TABLE t ({columns})")
    texts = ["\\!", "a\\\\!", "!", "\\\\"]
    insert(one, "t", [(number, 1.5, text) for number, text in enumerate(texts)])
    copy_chunk(one, other, Chunk(plain_layout(one, other, "t")), lambda rows: None)
    assert [text for (text,) in other.query("SELECT w FROM t ORDER BY id")] == texts


def test_a_boolean_that_is_none_is_refused_by_postgresql(open_pair: OpenPair) -> None:
    one, other = open_pair("sqlite", "postgresql")
    run(one, "CREATE TABLE t (id integer PRIMARY KEY, v bool)", "INSERT INTO t VALUES (1, 2)")
    run(other, "CREATE TABLE t (id integer PRIMARY KEY, v boolean)")
    layout, findings = layout_of(one, other, "t", [named(models.BooleanField, "v")])
    assert findings == []
    with pytest.raises(RowRefused, match="column v, key 1, value 2"):
        copy_chunk(one, other, Chunk(layout), lambda rows: None)


def test_bytes_that_are_no_text_are_refused(sqlite: Database) -> None:
    run(sqlite, "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v text)")
    with pytest.raises(RowRefused) as refused, sqlite.transaction():
        sqlite.load("t", typed(sqlite, "t"), b"1\tok\n2\t\xff\n")
    assert refused.value.line == 2
    assert sqlite.count("t") == 0


def test_each_read_sees_what_is_there_then_and_holds_nobody_up(sqlite: Database) -> None:
    run(sqlite, "CREATE TABLE t (id integer PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    columns = typed(sqlite, "t")

    def stop(block: bytes) -> None:
        raise EngineError("cut short")

    assert read_all(sqlite, "t", columns) == b"1\n"
    with closing(sqlite3.connect(sqlite.config["NAME"], timeout=0)) as other, other:
        other.execute("INSERT INTO t VALUES (2)")
    assert read_all(sqlite, "t", columns) == b"1\n2\n"
    with pytest.raises(EngineError, match="cut short"):
        sqlite.read("t", columns, stop)
    with closing(sqlite3.connect(sqlite.config["NAME"], timeout=0)) as other, other:
        other.execute("ALTER TABLE t ADD COLUMN more integer")
        other.execute("DROP TABLE t")
        other.execute("CREATE TABLE t (id integer PRIMARY KEY)")
    assert read_all(sqlite, "t", columns) == b""


def test_a_commit_that_fails_leaves_no_transaction_open(
    sqlite_url: str, open_database: OpenDatabase
) -> None:
    """Somebody reads in the file meanwhile, so that it can't be written to."""
    database, reader = open_database(sqlite_url, timeout=0.1), open_database(sqlite_url)
    run(database, "CREATE TABLE t (id integer)", "INSERT INTO t VALUES (1)")
    run(reader, "BEGIN")
    reader.query("SELECT * FROM t")
    with pytest.raises(ServerError, match="locked"), database.transaction():
        run(database, "INSERT INTO t VALUES (2)")
    run(reader, "ROLLBACK")
    with database.transaction():
        run(database, "INSERT INTO t VALUES (3)")
    assert database.query("SELECT id FROM t") == [(1,), (3,)]


def test_a_file_that_is_no_database_is_said_to_be_none(
    sqlite_url: str, open_database: OpenDatabase
) -> None:
    path = sqlite_url.removeprefix("sqlite:///")
    with open(path, "wb") as file:
        file.write(b"not a database at all, but long enough for a header" * 20)
    with pytest.raises(EngineError, match="not a database"):
        open_database(sqlite_url)


@pytest.mark.parametrize(
    ("definition", "estimate"),
    [
        ("rowid varchar(20))", 3),
        ("RowID varchar(20), _rowid_ text DEFAULT 'x')", 3),
        ("oid varchar(20), rowid integer PRIMARY KEY)", 3),
        ("rowid varchar(20), _rowid_ text DEFAULT 'x', oid text DEFAULT 'x')", None),
        ("rowid varchar(20) PRIMARY KEY) WITHOUT ROWID", None),
        ("v varchar(20) PRIMARY KEY) WITHOUT ROWID", None),
    ],
)
def test_rows_are_estimated_whatever_columns_a_table_has(
    sqlite: Database, definition: str, estimate: int | None
) -> None:
    """A column may have the name that SQLite gives to the number of a row."""
    run(sqlite, f"CREATE TABLE t ({definition}")
    name = definition.split(maxsplit=1)[0]
    run(sqlite, f"INSERT INTO t ({name}) VALUES ('A-1'), ('B-2'), ('Z')")
    assert sqlite.estimates() == {"t": estimate}
    assert sqlite.sizes(["t"]).keys() == {"t"}
