"""Ranges of a key: whatever it is made of, they hold every row exactly once."""

from __future__ import annotations

import datetime
import itertools
import uuid
from decimal import Decimal
from typing import Any

import pytest

from migrations_ui.engine.databases.base import ALL_ROWS, Database, KeyRange, Rows
from tests.conftest import MakeDatabase
from tests.engine.conftest import VENDORS, OpenDatabase, insert, run, typed

TEXTS = ["", " ", "a", "B", "c", "é", "Z", "'", "\\", "x'", "\n", "\t", "%s", "😀", "ß", "zz", "__"]
KEYS: dict[str, tuple[dict[str, str], list[tuple[Any, ...]]]] = {
    "integer": (
        {"a": "bigint"},
        [(n,) for n in (*range(-5, 20), 10**12, 10**12 + 1, -(2**63), 2**63 - 1)],
    ),
    "text": ({"a": "varchar(40)"}, [(text,) for text in TEXTS]),
    "uuid": ({"a": "uuid"}, [(str(uuid.UUID(int=n**17)),) for n in range(30)]),
    "hex": ({"a": "char(32)"}, [(uuid.UUID(int=n**17).hex,) for n in range(30)]),
    "date": (
        {"a": "date"},
        [(str(datetime.date(2000, 1, 1) + datetime.timedelta(days=97 * n)),) for n in range(30)],
    ),
    "decimal": ({"a": "numeric(12, 2)"}, [(str(Decimal(n * 37) / 100),) for n in range(-10, 20)]),
    "two columns": (
        {"a": "integer", "b": "varchar(40)"},
        [(n, text) for n in range(3) for text in TEXTS],
    ),
    "three columns": (
        {"a": "integer", "b": "integer", "c": "integer"},
        [(a, b, c) for a in range(3) for b in range(3) for c in range(4)],
    ),
}
# What the servers' own tables of these keys are made of, where the type has another name.
OWN_TYPES = {
    "sqlite": {"uuid": "char(36)"},
    "mysql": {"uuid": "/*M!100700 uuid */ /*!80000 char(36) */"},
    "postgresql": {},
}
BINARY = {"mysql": " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"}


def create(database: Database, key: str) -> int:
    """A table `t` with this key, one row a key; how many rows it has."""
    columns, rows = KEYS[key]
    declared = [
        f"{name} {OWN_TYPES[database.vendor].get(kind, kind)}"
        + (BINARY.get(database.vendor, "") if kind.startswith("varchar") else "")
        + " NOT NULL"
        for name, kind in columns.items()
    ]
    # PAD SPACE would make '' and ' ' one key.
    rows = [row for row in rows if database.vendor != "mysql" or " " not in row]
    run(database, f"CREATE TABLE t ({', '.join(declared)}, PRIMARY KEY ({', '.join(columns)}))")
    insert(database, "t", rows)
    return len(rows)


def read(database: Database, rows: Rows) -> list[bytes]:
    blocks: list[bytes] = []
    database.read("t", typed(database, "t"), blocks.append, rows)
    return b"".join(blocks).split(b"\n")[:-1]


@pytest.mark.parametrize("every", [1, 4, 1000])
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("vendor", VENDORS)
def test_ranges_hold_every_row_exactly_once(
    vendor: str, key: str, every: int, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    database = open_database(make_database(vendor))
    total = create(database, key)
    columns = database.columns(["t"])["t"]
    names = tuple(KEYS[key][0])
    cuts = list(database.cuts("t", [columns[name] for name in names], every))
    assert len(cuts) == total // every
    bounds = [None, *cuts, None]
    ranges = [KeyRange(names, after, upto) for after, upto in itertools.pairwise(bounds)]
    found = [read(database, Rows(keys=keys)) for keys in ranges]
    assert all(len(rows) == every for rows in found[:-1])
    assert sorted(row for rows in found for row in rows) == sorted(read(database, ALL_ROWS))
    assert sum(len(rows) for rows in found) == total
    assert database.count("t", Rows(keys=ranges[-1])) == len(found[-1])


@pytest.mark.parametrize("vendor", VENDORS)
def test_rows_are_read_in_the_order_of_their_keys(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    database = open_database(make_database(vendor))
    create(database, "integer")
    numbers = [int(row) for row in read(database, Rows(order=("a",)))]
    assert numbers == sorted(numbers)


# Rows of a table that is large enough for estimates, and what gives their numbers.
MANY = 120_000
SERIES = {
    "postgresql": "SELECT n FROM generate_series(1, 120000) n",
    # More than a thousand iterations are more than MariaDB's sessions allow.
    "mysql": "WITH RECURSIVE a(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM a WHERE n < 399) "
    "SELECT a.n * 300 + b.n + 1 AS n FROM a JOIN a b ON b.n < 300",
}
# Two thirds of the rows in a thousandth of the keys' range, the others 10^12 apart.
GAPPY = "CASE WHEN n < 80000 THEN n - 40000 ELSE (n - 80000) * 1000000000000 + 80000 END"


@pytest.mark.parametrize(
    ("vendor", "key"),
    [("mysql", "bigint"), ("postgresql", "bigint"), ("postgresql", "varchar(40)")],
)
def test_estimated_ranges_hold_every_row_once_and_about_as_many_as_was_asked_for(
    vendor: str, key: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    database = open_database(make_database(vendor))
    run(database, f"CREATE TABLE t (a {key} NOT NULL PRIMARY KEY, filler varchar(100))")
    run(database, f"INSERT INTO t SELECT {GAPPY}, 'some text of a row' FROM ({SERIES[vendor]}) s")
    run(database, {"mysql": "ANALYZE TABLE t", "postgresql": "VACUUM t"}[vendor])
    column = database.columns(["t"])["t"]["a"]
    every = 40_000
    cuts = list(database.cuts("t", [column], every))
    bounds = [None, *cuts, None]
    ranges = [KeyRange(("a",), after, upto) for after, upto in itertools.pairwise(bounds)]
    counts = [database.count("t", Rows(keys=keys)) for keys in ranges]
    assert sum(counts) == MANY
    assert len(counts) in (2, 3, 4)  # the server's own count of the rows is an estimate, too
    assert all(every / 2 < count < every * 2 for count in counts)


def test_a_large_table_of_mysql_is_cut_without_reading_its_rows(
    make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    database = open_database(make_database("mysql"))
    run(database, "CREATE TABLE t (a bigint NOT NULL PRIMARY KEY)")
    run(database, f"INSERT INTO t SELECT {GAPPY} FROM ({SERIES['mysql']}) s")
    run(database, "ANALYZE TABLE t")
    column = database.columns(["t"])["t"]["a"]
    before = read_so_far(database)
    assert len(list(database.cuts("t", [column], 20_000))) in (3, 4, 5, 6, 7)
    assert read_so_far(database) - before < 1_000


def read_so_far(database: Database) -> int:
    """The rows that this session of MySQL has stepped over in indexes."""
    steps = "SHOW SESSION STATUS WHERE variable_name IN ('Handler_read_next', 'Handler_read_prev')"
    return sum(int(count) for _, count in database.query(steps))


@pytest.mark.parametrize("vendor", SERIES)
def test_an_empty_table_has_no_cuts(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    database = open_database(make_database(vendor))
    run(database, "CREATE TABLE t (a bigint NOT NULL PRIMARY KEY)")
    assert list(database.cuts("t", [database.columns(["t"])["t"]["a"]], 50_000)) == []
