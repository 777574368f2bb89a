"""Rows whose key no literal of its canonical value finds: no difference of theirs goes unseen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import models

from migrations_ui.engine import databases
from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.comparing import Comparison
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.repairing import Repair
from migrations_ui.engine.transforms import parse, transformed
from migrations_ui.engine.verifying import compare_table
from tests.engine.conftest import OpenPair, layout_of, named, run
from tests.engine.test_repairing import Witness

MARK = "5a3b0c1d-0000-4000-8000-00000000abcd"


@dataclass
class Keys:
    """Three keys as SQLite holds them, and the type of the column on either side."""

    field: models.Field
    type: str
    literals: tuple[str, str, str]
    elsewhere: str
    transform: str = ""


KEYS = {
    "datetimes with a T": Keys(
        models.DateTimeField(),
        "datetime",
        ("'2020-01-01T00:00:00'", "'2020-01-02T00:00:00.5'", "'2020-01-03 00:00:00+02:00'"),
        "timestamptz",
    ),
    "dates with few digits": Keys(
        models.DateField(), "date", ("'2020-1-1'", "'2020-1-2'", "'2020-1-3'"), "date"
    ),
    "UUIDs in capitals": Keys(
        models.UUIDField(),
        "char(32)",
        (f"'{MARK}'", f"'{MARK.replace('5a', '5B').upper()}'", f"'{MARK.replace('5a', '5c')}'"),
        "uuid",
    ),
    "decimals that are floats": Keys(
        models.DecimalField(max_digits=9, decimal_places=4),
        "decimal",
        ("0.1 + 0.2", "1.1 + 2.2", "0.7 + 0.1"),
        "numeric(9, 4)",
    ),
    "texts without their NULs": Keys(
        models.CharField(max_length=9),
        "varchar(9)",
        ("'a' || char(0)", "'b' || char(0)", "'c' || char(0)"),
        "varchar(9)",
        transform="shop.t.id=strip-nul",
    ),
}


@contextmanager
def connected(source: Database, dest: Database, *, writes: bool) -> Iterator[Any]:
    with (
        databases.connect(source.config, read_only=True) as there,
        databases.connect(dest.config, read_only=not writes) as here,
    ):
        yield there, here


def copied(keys: Keys, there: Database, here: Database) -> Layout:
    """Three rows on both sides, and how they meet."""
    run(there, f"CREATE TABLE t (id {keys.type} NOT NULL PRIMARY KEY, v varchar(9))")
    run(here, f"CREATE TABLE t (id {keys.elsewhere} NOT NULL PRIMARY KEY, v varchar(9))")
    for number, literal in enumerate(keys.literals):
        run(there, f"INSERT INTO t VALUES ({literal}, 'row {number}')")
    keys.field.set_attributes_from_name("id")
    layout, findings = layout_of(there, here, "t", [keys.field])
    assert findings == []
    if keys.transform:
        (layout,) = transformed([layout], [parse(keys.transform)], there)
    copy_chunk(there, here, Chunk(layout), lambda rows: None)
    return layout


def compared(there: Database, here: Database, layout: Layout) -> Comparison:
    return compare_table(layout, lambda: connected(there, here, writes=False))


@pytest.mark.parametrize("name", KEYS)
def test_a_row_that_no_literal_finds_is_missed_and_comes_back(
    name: str, open_pair: OpenPair
) -> None:
    there, here = open_pair("sqlite", "postgresql")
    layout = copied(KEYS[name], there, here)
    assert compared(there, here, layout).is_identical
    run(here, "DELETE FROM t WHERE v = 'row 0'", "UPDATE t SET v = 'other' WHERE v = 'row 1'")
    found = compared(there, here, layout)
    assert (found.missing, found.extra, found.different) == (1, 0, 1)
    (cell,) = [one for one in found.differences if one.column]
    assert (cell.column, cell.source, cell.dest) == ("v", "row 1", "other")

    Repair([layout], lambda: connected(there, here, writes=True), Witness()).run()
    assert compared(there, here, layout).is_identical
    assert here.query("SELECT v FROM t ORDER BY 1") == [("row 0",), ("row 1",), ("row 2",)]


def test_a_row_that_goes_away_meanwhile_is_no_difference(
    open_pair: OpenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    from migrations_ui.engine.comparing import Suspects

    there, here = open_pair("sqlite", "postgresql")
    layout = copied(KEYS["datetimes with a T"], there, here)
    run(here, "DELETE FROM t WHERE v = 'row 0'")
    flush = Suspects.flush

    def gone(self: Suspects) -> None:
        run(there, "DELETE FROM t WHERE v = 'row 0'")
        flush(self)

    monkeypatch.setattr(Suspects, "flush", gone)
    assert compared(there, here, layout).is_identical


def test_a_key_that_the_other_server_can_not_even_be_asked_for_is_missed(
    open_pair: OpenPair,
) -> None:
    there, here = open_pair("mysql", "postgresql")
    for side in (there, here):
        run(side, "CREATE TABLE t (id date NOT NULL PRIMARY KEY, n integer)")
        run(side, "INSERT INTO t VALUES ('2020-01-01', 1), ('2020-01-02', 1)")
    run(there, "INSERT INTO t VALUES ('2020-00-10', 1), ('2020-01-03', 1)")
    run(here, "INSERT INTO t VALUES ('2020-01-04', 1)")
    layout, _ = layout_of(there, here, "t", [])
    found = compared(there, here, layout)
    assert (found.missing, found.extra, found.different) == (2, 1, 0)


class Dashed(models.UUIDField):
    """A UUID that is written with its dashes where there is no type for it."""

    def db_type(self, connection: Any) -> str | None:
        return super().db_type(connection) if connection.vendor == "postgresql" else "char(36)"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return value if connection.vendor == "postgresql" else str(value)


def test_keys_that_django_converts_keep_all_from_being_changed(open_pair: OpenPair) -> None:
    there, here = open_pair("sqlite", "postgresql")
    run(there, "CREATE TABLE t (id char(36) NOT NULL PRIMARY KEY, v varchar(9))")
    run(here, "CREATE TABLE t (id uuid NOT NULL PRIMARY KEY, v varchar(9))")
    run(there, f"INSERT INTO t VALUES ('{MARK}', 'row')")
    layout, _ = layout_of(there, here, "t", [named(Dashed, "id")])
    copy_chunk(there, here, Chunk(layout), lambda rows: None)
    run(here, "UPDATE t SET v = 'other'")
    with pytest.raises(EngineError, match=r"^Nothing was changed\. Rows of shop\.t differ"):
        Repair([layout], lambda: connected(there, here, writes=True), Witness()).run()
    assert here.query("SELECT v FROM t") == [("other",)]
