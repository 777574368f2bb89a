"""SQLite's rows in whole blocks: as exact as value by value, whatever the columns hold."""

from __future__ import annotations

import random
import string
from itertools import pairwise

import pytest

from migrations_ui.engine.databases.base import Database, KeyRange, Rows
from migrations_ui.engine.databases.sqlite.blocks import LARGEST, Reader
from migrations_ui.engine.kinds import Kind
from tests.engine.conftest import OpenDatabase, insert, read_all, run, typed

TYPES = (
    *("integer", "bool", "bigint", "varchar(20)", "text", "json", "char(32)", "BLOB", "real"),
    *("decimal(12, 4)", "decimal", "date", "datetime", "time"),
)
# What is in place in one column is odd in most of the others.
ODD = (
    *(None, 0, 1, -7, 2**63 - 1, -(2**63), 0.1, 7.5, -0.0, 1e300, 5e-324, 2.0**60, 12.3456),
    *(0.12345, float("inf"), "", "\\", "\\N", "a\tb", "a\nb", "\r\n", "a\x1fb", "\x1e", "\x1a"),
    *("a\0b", "\0", "12abc", "0012", "1e5", "ü€𝄞", '{"a": "\\u0000\\n"}', "true", "NULL"),
    *(b"", b"\0\xff", b"\x1a", "2020-01-01", "2020-01-01 00:00:00", "2020-01-01 00:00:00.123456"),
    *("12:30:00", "12:30:00.5", "2020-01-01T00:00:00Z", "2020-01-01\t00:00:00"),
    *("2020-01-01 00:00:00\0", "0" * 32, "6F9619FF-8B86-D011-B42D-00CF4FC964FF", "x" * 5000),
    "\0" * 26,
)


@pytest.fixture
def sqlite(sqlite_url: str, open_database: OpenDatabase) -> Database:
    return open_database(sqlite_url)


def table(database: Database, *types: str) -> None:
    columns = ", ".join(f"v{number} {name}" for number, name in enumerate(types))
    run(database, f"CREATE TABLE t (id integer NOT NULL PRIMARY KEY, {columns})")


def exactly(database: Database, rows: Rows, **kinds: Kind) -> bytes:
    """The rows, read by a look at each value."""
    found: list[bytes] = []
    reader = Reader(database, database.connect(), "t", typed(database, "t", **kinds), found.append)
    reader.read_exactly(rows)
    reader.connection.close()
    return b"".join(found)


def part(database: Database, rows: Rows) -> bytes:
    found: list[bytes] = []
    database.read("t", typed(database, "t"), found.append, rows)
    return b"".join(found)


@pytest.fixture
def never_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closer look at any row is an error."""

    def read_exactly(self: Reader, rows: Rows) -> None:
        raise AssertionError(f"{self.table}: a closer look at {rows}")

    monkeypatch.setattr(Reader, "read_exactly", read_exactly)


@pytest.mark.parametrize("value", ODD, ids=ascii)
def test_any_value_in_any_column_is_read_as_by_a_look_at_it(
    sqlite: Database, value: object
) -> None:
    table(sqlite, *TYPES)
    insert(sqlite, "t", [(1, *[None] * len(TYPES)), (2, *[value] * len(TYPES))])
    for kind in (None, Kind.UUID, Kind.JSON, Kind.IP, Kind.NATIVE):
        kinds = {"v3": kind, "v6": kind} if kind else {}
        expected = exactly(sqlite, Rows(), **kinds)
        assert expected.count(b"\n") == 2
        assert read_all(sqlite, "t", typed(sqlite, "t", **kinds)) == expected


def test_values_at_random_are_read_as_by_a_look_at_each(sqlite: Database) -> None:
    chance = random.Random(4)
    table(sqlite, *TYPES)
    rows = [
        (number * 7 - 9000, *[chance.choice(ODD) if chance.random() < 0.01 else 1 for _ in TYPES])
        for number in range(6000)
    ]
    insert(sqlite, "t", rows)
    got = read_all(sqlite, "t", typed(sqlite, "t"))
    assert got.count(b"\n") == 6000
    assert got == exactly(sqlite, Rows())


@pytest.mark.usefixtures("never_exactly")
def test_what_is_usual_needs_no_closer_look(sqlite: Database) -> None:
    table(sqlite, *TYPES)
    text = "C:\\dir\tone\r\ntwo ü"
    usual = (
        *(-5, 1, 2**40, text, text, '{"a": "\\n"}', "0" * 32, b"\0\t\x1a", 0.1, 12.34, 7),
        *("2020-01-01", "2020-01-01 00:00:00", "12:30:00.5"),
    )
    rows = [(number, *usual) for number in range(1, 1000)]
    insert(sqlite, "t", [*rows, (1000, *[None] * len(TYPES))])
    lines = read_all(sqlite, "t", typed(sqlite, "t")).split(b"\n")
    escaped = r"C:\\dir\tone\r\ntwo ü"
    assert lines[998].decode().split("\t") == [
        *("999", "-5", "1", str(2**40), escaped, escaped, r'{"a": "\\n"}', "0" * 32, "00091a"),
        *("0.1", "12.3400", "7", "2020-01-01", "2020-01-01 00:00:00.000000", "12:30:00.500000"),
    ]
    assert lines[999:] == [b"\t".join([b"1000", *[b"\\N"] * len(TYPES)]), b""]


@pytest.mark.usefixtures("never_exactly")
def test_floats_keep_their_last_bit(sqlite: Database) -> None:
    chance = random.Random(5)
    table(sqlite, "real")
    floats = [chance.uniform(-1, 1) * 10 ** chance.randint(-300, 300) for _ in range(3000)]
    insert(sqlite, "t", list(enumerate(floats)))
    lines = read_all(sqlite, "t", typed(sqlite, "t")).decode().splitlines()
    assert [float(line.split("\t")[1]) for line in lines] == floats


@pytest.mark.parametrize("size", [1, 99, 100, 101, 2500])
def test_each_row_is_read_once_and_in_its_place(sqlite: Database, size: int) -> None:
    table(sqlite, "text")
    keys = sorted(random.Random(size).sample(range(-(10**12), 10**12), size))
    insert(sqlite, "t", [(key, "x") for key in reversed(keys)])
    expected = [b"%d\tx" % key for key in keys]
    assert part(sqlite, Rows()).splitlines() == expected
    assert part(sqlite, Rows(order=("id",))).splitlines() == expected


@pytest.mark.usefixtures("never_exactly")
@pytest.mark.parametrize("key", ["integer", "varchar(20)", "decimal(8, 2)"])
def test_ranges_of_a_key_hold_each_row_once(sqlite: Database, key: str) -> None:
    run(sqlite, f"CREATE TABLE t (v text, id {key} NOT NULL PRIMARY KEY)")
    texts = [f"{number}'\\{letter}" for number in range(50) for letter in string.ascii_letters]
    keys = texts if key == "varchar(20)" else range(2600)
    insert(sqlite, "t", [("x", value) for value in keys])
    columns = [sqlite.columns(["t"])["t"]["id"]]
    bounds = [None, *sqlite.cuts("t", columns, 700), None]
    ranges = [KeyRange(("id",), *pair) for pair in pairwise(bounds)]
    assert len(ranges) == 4
    whole = part(sqlite, Rows(order=("id",)))
    assert b"".join(part(sqlite, Rows(keys=keys, order=("id",))) for keys in ranges) == whole
    found = b"".join(part(sqlite, Rows(keys=keys)) for keys in ranges)
    assert sorted(found.splitlines()) == sorted(whole.splitlines())
    assert whole.count(b"\n") == len(set(whole.splitlines())) == 2600


def test_keys_that_a_literal_cuts_short_are_read_once_each(sqlite: Database) -> None:
    run(sqlite, "CREATE TABLE t (id varchar(20) NOT NULL PRIMARY KEY)")
    insert(sqlite, "t", [(f"same\0{number:04}",) for number in range(500)])
    found = part(sqlite, Rows(order=("id",))).splitlines()
    assert found == [b"same\0%04d" % number for number in range(500)]


@pytest.mark.parametrize(
    "definition",
    [
        "id varchar(20) NOT NULL PRIMARY KEY, v text) WITHOUT ROWID",
        "id varchar(20), rowid text)",
        "id varchar(20), v text)",
    ],
)
def test_a_table_is_read_whole_whatever_its_key(sqlite: Database, definition: str) -> None:
    run(sqlite, f"CREATE TABLE t ({definition}")
    insert(sqlite, "t", [(f"{number:03}", None) for number in range(500)])
    expected = [rb"%03d" % number + b"\t\\N" for number in range(500)]
    assert sorted(part(sqlite, Rows()).splitlines()) == expected
    assert part(sqlite, Rows(order=("id",))).splitlines() == expected


def test_an_order_by_a_column_with_nulls_leaves_none_out(sqlite: Database) -> None:
    table(sqlite, "integer")
    insert(sqlite, "t", [(number, number % 3 or None) for number in range(300)])
    found = part(sqlite, Rows(order=("v0", "id"))).splitlines()
    assert len(set(found)) == 300
    assert found[0] == b"0\t\\N"


def test_rows_that_are_suddenly_wide_come_a_few_at_once(sqlite: Database) -> None:
    table(sqlite, "text")
    wide = [(number, f"{number}" * 300_000) for number in range(1, 9)]
    wide += [(9, "x" * LARGEST), (10, "\n" * 100_000)]
    narrow = [(number, "x") for number in range(11, 2000)]
    insert(sqlite, "t", [*((-key, text) for key, text in narrow), *wide, *narrow])
    found: list[bytes] = []
    sqlite.read("t", typed(sqlite, "t"), found.append)
    rows = [(-key, text) for key, text in reversed(narrow)] + wide + narrow
    text = "".join(f"{key}\t{text}\n" for key, text in rows if key != 10).encode()
    assert b"".join(found).replace(b"10\t" + rb"\n" * 100_000 + b"\n", b"") == text
    assert [size for size in map(len, found) if size > LARGEST] == [len("9\t\n") + LARGEST]


def test_a_null_where_there_can_be_none_is_seen(sqlite: Database) -> None:
    """As whoever edits the schema itself may leave it."""
    run(sqlite, "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v text)")
    insert(sqlite, "t", [(1, ""), (2, None), (3, "x")])
    run(
        sqlite,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = replace(sql, 'v text', 'v text NOT NULL') WHERE name = 't'",
        "PRAGMA writable_schema = RESET",
    )
    assert not sqlite.columns(["t"])["t"]["v"].nullable
    assert part(sqlite, Rows()) == b"1\t\n2\t\\N\n3\tx\n"


def test_a_table_is_read_as_it_is_at_one_moment(
    sqlite: Database, sqlite_url: str, open_database: OpenDatabase
) -> None:
    """What somebody commits between two blocks is not seen."""
    table(sqlite, "text")
    run(sqlite, "PRAGMA journal_mode = wal")
    insert(sqlite, "t", [(number, "before") for number in range(1, 1001)])
    other, found = open_database(sqlite_url), []

    def write(block: bytes) -> None:
        found.append(block)
        run(other, "UPDATE t SET v0 = 'after'")

    sqlite.read("t", typed(sqlite, "t"), write)
    assert len(found) > 1
    assert b"after" not in b"".join(found)
