"""Columns as older versions of Django made them, and those that one vendor has alone."""

from __future__ import annotations

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
from tests.engine.conftest import VENDORS, OpenPair, insert, layout_of, named, run

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
