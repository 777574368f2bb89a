"""What one vendor can hold and another can't: kept between two of a kind, refused elsewhere."""

from __future__ import annotations

import pytest
from django.db import models

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import RowRefused
from tests.engine.conftest import VENDORS, OpenPair, layout_of, named, run

FIELDS = {
    "bigint": models.DurationField,
    "date": models.DateField,
    "datetime": models.DateTimeField,
    "decimal": models.DecimalField,
    "float": models.FloatField,
    "time": models.TimeField,
}
TYPES = {
    "postgresql": {
        "bigint": "interval",
        "datetime": "timestamptz",
        "decimal": "numeric(10, 2)",
        "float": "double precision",
    },
    "mysql": {
        "datetime": "datetime(6)",
        "decimal": "numeric(10, 2)",
        "float": "double",
        "time": "time(6)",
    },
    "sqlite": {"float": "real"},
}
CASES = [
    ("mysql", "date", "0000-00-00"),
    ("mysql", "date", "2020-00-00"),
    ("mysql", "datetime", "0000-00-00 00:00:00"),
    ("mysql", "time", "25:00:00"),
    ("mysql", "time", "-00:00:01"),
    ("postgresql", "date", "infinity"),
    ("postgresql", "date", "0044-03-15 BC"),
    ("postgresql", "date", "10000-01-01"),
    ("postgresql", "datetime", "-infinity"),
    ("postgresql", "datetime", "0044-03-15 12:00:00 BC"),
    ("postgresql", "datetime", "12345-01-01"),
    ("postgresql", "time", "24:00:00"),
    ("postgresql", "decimal", "NaN"),
    ("postgresql", "float", "NaN"),
    ("postgresql", "bigint", "1 year 3 mons"),
]
# A time of MySQL goes up to 838 hours.
ALLOWED_ELSEWHERE = {("postgresql", "time", "24:00:00", "mysql")}


def create(database: Database, column: str) -> None:
    declared = TYPES[database.vendor].get(column, column)
    run(database, f"CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v {declared})")


def text(database: Database) -> list[tuple[str]]:
    kind = "char" if database.vendor == "mysql" else "text"
    return database.query(f"SELECT CAST(v AS {kind}) FROM t")


@pytest.mark.parametrize("dest", VENDORS)
@pytest.mark.parametrize(("source", "column", "value"), CASES)
def test_a_value_is_kept_by_its_own_vendor_and_refused_by_others(
    source: str, column: str, value: str, dest: str, open_pair: OpenPair
) -> None:
    one, other = open_pair(source, dest)
    create(one, column)
    create(other, column)
    run(one, f"INSERT INTO t VALUES (1, '{value}')")
    layout, findings = layout_of(one, other, "t", [named(FIELDS[column], "v")])
    assert findings == []
    other.prepare_load()
    if dest == source or (source, column, value, dest) in ALLOWED_ELSEWHERE:
        copy_chunk(one, other, Chunk(layout), lambda rows: None)
        assert text(other)[0][0].startswith(text(one)[0][0])
    else:
        with pytest.raises(RowRefused, match="column v"):
            copy_chunk(one, other, Chunk(layout), lambda rows: None)
        assert other.count("t") == 0


@pytest.mark.parametrize("dest", VENDORS)
def test_infinite_floats_arrive_where_there_are_any(dest: str, open_pair: OpenPair) -> None:
    one, other = open_pair("postgresql", dest)
    create(one, "float")
    create(other, "float")
    run(one, "INSERT INTO t VALUES (1, 'Infinity'), (2, '-Infinity')")
    layout, _ = layout_of(one, other, "t")
    other.prepare_load()
    if dest == "mysql":
        with pytest.raises(RowRefused):
            copy_chunk(one, other, Chunk(layout), lambda rows: None)
    else:
        copy_chunk(one, other, Chunk(layout), lambda rows: None)
        found = other.query("SELECT v FROM t ORDER BY id")
        assert found == [(float("inf"),), (float("-inf"),)]


@pytest.mark.parametrize("dest", ["postgresql", "mysql"])
def test_nul_in_text_is_refused_by_postgresql_only(dest: str, open_pair: OpenPair) -> None:
    one, other = open_pair("sqlite", dest)
    for database in (one, other):
        run(database, "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v text)")
    run(one, "INSERT INTO t VALUES (1, 'a' || char(0) || 'b')")
    layout, _ = layout_of(one, other, "t")
    other.prepare_load()
    if dest == "mysql":
        copy_chunk(one, other, Chunk(layout), lambda rows: None)
        assert other.query("SELECT v FROM t") == [("a\0b",)]
    else:
        with pytest.raises(RowRefused, match="0x00"):
            copy_chunk(one, other, Chunk(layout), lambda rows: None)


@pytest.mark.parametrize("dest", ["postgresql", "mysql"])
def test_a_decimal_that_sqlite_holds_without_a_scale_is_not_rounded(
    dest: str, open_pair: OpenPair
) -> None:
    """Django declares decimals there as `decimal`, without their digits."""
    one, other = open_pair("sqlite", dest)
    create(one, "decimal")
    create(other, "decimal")
    run(one, "INSERT INTO t VALUES (1, 7), (2, 1.5), (3, -0.1)")
    layout, findings = layout_of(one, other, "t")
    assert findings == []
    other.prepare_load()
    copy_chunk(one, other, Chunk(layout), lambda rows: None)
    assert text(other) == [("7.00",), ("1.50",), ("-0.10",)]

    run(one, "INSERT INTO t VALUES (4, 1.505)")
    run(other, "DELETE FROM t")
    with pytest.raises(RowRefused, match=r"column v.*1\.505 has more than 2 digits"):
        copy_chunk(one, other, Chunk(layout), lambda rows: None)
    assert other.count("t") == 0
