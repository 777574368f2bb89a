"""Columns as older versions of Django made them, and those that one vendor has alone."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.contrib.postgres import fields
from django.contrib.postgres.search import SearchVectorField
from django.db import models

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.findings import Severity
from migrations_ui.engine.kinds import Kind, unescape
from tests.engine.conftest import (
    VENDORS,
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
from tests.engine.test_verifying import compared

MARKS = [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), uuid.uuid4(), uuid.uuid4()]
# How a UUIDField is stored, by vendor: today, and once.
UUID_COLUMNS: dict[str, tuple[str, Callable[[uuid.UUID], Any]]] = {
    "postgresql uuid": ("uuid", str),
    "mysql uuid": ("uuid", str),
    "mysql char(32)": ("char(32)", lambda mark: mark.hex),
    "sqlite char(32)": ("char(32)", lambda mark: mark.hex),
}


def made(database: Database, column: str) -> None:
    run(database, f"CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v {column})")


def copied(one: Database, other: Database, *kinds: type[models.Field]) -> list[Any]:
    """Copy the table, about which nothing is found, and what `v` is in the destination then."""
    fields = [named(models.IntegerField, "id"), *(named(kind, "v") for kind in kinds)]
    layout, findings = layout_of(one, other, "t", fields)
    assert findings == []
    other.prepare_load()
    copy_chunk(one, other, Chunk(layout), lambda rows: None)
    return [v for (v,) in other.query("SELECT v FROM t ORDER BY id")]


UUID_SIDES = [
    pytest.param(side, marks=[pytest.mark.mariadb] if side == "mysql uuid" else [])
    for side in UUID_COLUMNS
]


@pytest.mark.parametrize("dest", UUID_SIDES)
@pytest.mark.parametrize("source", UUID_SIDES)
def test_uuids_arrive_however_either_side_stores_them(
    source: str, dest: str, open_pair: OpenPair
) -> None:
    (there, write), (here, read) = UUID_COLUMNS[source], UUID_COLUMNS[dest]
    one, other = open_pair(source.split(maxsplit=1)[0], dest.split(maxsplit=1)[0])
    made(one, there)
    made(other, here)
    insert(one, "t", [(number, write(mark)) for number, mark in enumerate(MARKS)] + [(9, None)])
    found = copied(one, other, models.UUIDField)
    # Django, where it is used, teaches PostgreSQL's driver to make objects of them.
    assert [v and str(v) for v in found] == [*(read(mark) for mark in MARKS), None]


@pytest.mark.parametrize(("dest", "here"), [("mysql", "datetime(6)"), ("mysql", "datetime")])
def test_datetimes_without_a_fraction_arrive(dest: str, here: str, open_pair: OpenPair) -> None:
    """As MySQL 5.5 had them, and as every table that is older than Django 1.8 still has them."""
    one, other = open_pair("mysql", dest)
    made(one, "datetime")
    made(other, here)
    moments = [datetime(2024, 10, 27, 2, 30), datetime(1000, 1, 1), datetime(9999, 12, 31, 23, 59)]
    insert(one, "t", list(enumerate(moments)))
    assert copied(one, other, models.DateTimeField) == moments


@pytest.mark.parametrize("dest", ["postgresql", "sqlite"])
def test_and_elsewhere_in_that_vendors_words(dest: str, open_pair: OpenPair) -> None:
    one, other = open_pair("mysql", dest)
    made(one, "datetime")
    made(other, {"postgresql": "timestamptz", "sqlite": "datetime"}[dest])
    insert(one, "t", [(1, "2024-10-27 02:30:00")])
    (found,) = copied(one, other, models.DateTimeField)
    assert str(found).startswith("2024-10-27 02:30:00")
    assert "." not in str(found)


@pytest.mark.parametrize("dest", VENDORS)
@pytest.mark.parametrize("source", ["mysql", "sqlite"])
def test_virtual_columns_are_left_to_the_destination(
    source: str, dest: str, open_pair: OpenPair
) -> None:
    one, other = open_pair(source, dest)
    stored = {"postgresql": "STORED"}
    for database in (one, other):
        how = stored.get(database.vendor, "VIRTUAL")
        made(database, f"integer, twice integer GENERATED ALWAYS AS (v * 2) {how}")
    insert_into(one, "(id, v) VALUES (1, 21), (2, NULL)")
    assert copied(one, other) == [21, None]
    assert other.query("SELECT twice FROM t ORDER BY id") == [(42,), (None,)]


def insert_into(database: Database, rest: str) -> None:
    run(database, f"INSERT INTO t {rest}")


TEXT = {"mysql": "longtext", "sqlite": "text"}
# Django's fields for PostgreSQL: what is their column there, and a field.
POSTGRESQL: dict[str, models.Field] = {
    "varchar(9)[]": fields.ArrayField(models.CharField(max_length=9)),
    "integer[][]": fields.ArrayField(fields.ArrayField(models.IntegerField())),
    "hstore": fields.HStoreField(),
    "int4range": fields.IntegerRangeField(),
    "int8range": fields.BigIntegerRangeField(),
    "numrange": fields.DecimalRangeField(),
    "daterange": fields.DateRangeField(),
    "tstzrange": fields.DateTimeRangeField(),
    "tsvector": SearchVectorField(),
}


@pytest.mark.parametrize("dest", ["mysql", "sqlite"])
@pytest.mark.parametrize("column", POSTGRESQL)
def test_what_only_postgresql_has_is_a_blocker_elsewhere(
    column: str, dest: str, open_pair: OpenPair
) -> None:
    one, other = open_pair("postgresql", dest)
    if column == "hstore":
        run(one, "CREATE EXTENSION hstore")
    made(one, column)
    made(other, TEXT[dest])
    field = POSTGRESQL[column]
    field.set_attributes_from_name("v")
    layout, (finding,) = layout_of(one, other, "t", [named(models.IntegerField, "id"), field])
    assert [found.source.name for found in layout.columns] == ["id"]
    assert (finding.code, finding.severity, finding.column) == (
        "type-unknown",
        Severity.BLOCKER,
        "v",
    )
    assert TEXT[dest] in finding.message
    assert "leave the table out" in finding.remedy


def test_a_type_that_migrate_declares_in_sqlite_is_no_way_around(open_pair: OpenPair) -> None:
    """SQLite takes any word for a type, so `migrate` does make a column `int4range` there."""
    one, other = open_pair("postgresql", "sqlite")
    made(one, "int4range")
    made(other, "int4range")
    run(one, "INSERT INTO t VALUES (1, '[1,5)')")
    named_fields = [
        named(models.IntegerField, "id"),
        named(fields.IntegerRangeField, "v"),
    ]
    _, (finding,) = layout_of(one, other, "t", named_fields)
    assert (finding.code, finding.severity) == ("type-unknown", Severity.BLOCKER)


# Of all of SQLite's own types, with what its texts, its numbers and our canonical rows make use of.
ANYTHING = [
    *(None, 0, -7, 2**63 - 1, -(2**63), 0.1, 1e300, -5e-324, float("inf"), float("-inf"), 1 / 3),
    *("", "'", "it''s", "x'00'", "NULL", "\\N", "\\!", "a\tb\r\n\\", "a\0b'", "\x1a\x1e\x1f", "é"),
    *(b"", b"\0\xff\\N'", b"12", struct.pack("<3f", 0.25, -1.5, 3e38)),
]
OF_SQLITE = ["", "vector", "vector(3)", "point", "geometry", "MULTIPOINT", "interval", "int4range"]


@pytest.mark.parametrize("column", OF_SQLITE)
def test_a_column_of_a_type_of_its_own_crosses_between_sqlites_whatever_it_holds(
    column: str, open_pair: OpenPair
) -> None:
    one, other = open_pair("sqlite", "sqlite")
    made(one, column)
    made(other, column)
    insert(one, "t", list(enumerate(ANYTHING)))
    copied(one, other)
    stored = "SELECT id, typeof(v), v FROM t ORDER BY id"
    assert other.query(stored) == one.query(stored)
    layout = plain_layout(one, other, "t")
    assert compared(one, other, layout).is_identical
    run(other, "UPDATE t SET v = CAST(v AS BLOB) WHERE v = 'NULL'")
    (difference,) = compared(one, other, layout).differences
    assert (difference.source, difference.dest) == ("'NULL'", "x'4e554c4c'")


@pytest.mark.parametrize("value", ANYTHING[1:], ids=ascii)
def test_a_key_of_a_type_of_its_own_is_found_by_its_value(
    value: Any, sqlite_url: str, open_database: OpenDatabase
) -> None:
    database = open_database(sqlite_url)
    run(database, "CREATE TABLE t (v vector)")
    insert(database, "t", [(value,)])
    columns = typed(database, "t")
    canonical = unescape(read_all(database, "t", columns).removesuffix(b"\n")) or b""
    literal = database.literal(columns[0], canonical)
    assert database.query(f"SELECT v IS {literal}, typeof(v) = typeof({literal}) FROM t") == [
        (1, 1)
    ]


INTEGERS = [
    *("integer", "INTEGER unsigned", "int", "int(11)", "bigint", "smallint unsigned", "tinyint(4)"),
    *("mediumint", "INT8", "UNSIGNED BIG INT", "uint64", "bigint unsigned"),
]


@pytest.mark.parametrize("column", INTEGERS)
def test_integers_are_known_however_sqlite_was_told(
    column: str, sqlite_url: str, open_database: OpenDatabase
) -> None:
    database = open_database(sqlite_url)
    made(database, column)
    assert database.columns(["t"])["t"]["v"].storage is Kind.INTEGER
