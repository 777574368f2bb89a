"""Decimals that SQLite keeps as floats: compared as Django reads them, whoever has written them."""

from __future__ import annotations

import pytest
from django.db import models

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.verifying import with_generated
from tests.engine.conftest import OpenPair, insert, layout_of, named, run
from tests.engine.test_verifying import compared

TOTALS = {"total": "price * amount", "third": "price * amount / 3"}


def priced(database: Database) -> None:
    """Prices and what the database makes of them, as `migrate` declares it."""
    decimal = "decimal" if database.vendor == "sqlite" else "decimal(15, 2)"
    columns = [
        f"{name} {decimal} GENERATED ALWAYS AS ({sql}) STORED" for name, sql in TOTALS.items()
    ]
    run(
        database,
        f"CREATE TABLE p (id integer NOT NULL PRIMARY KEY, price {decimal}, amount integer, "
        f"{', '.join(columns)})",
        "INSERT INTO p (id, price, amount) VALUES (1, 0.14, -18), (2, 1.16, 3), (3, -9.99, 10)",
    )


@pytest.mark.parametrize("other", ["postgresql", "mysql"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_decimal_that_sqlite_computes_is_compared_as_django_reads_it(
    turned: bool, other: str, open_pair: OpenPair
) -> None:
    there, here = open_pair(*((other, "sqlite") if turned else ("sqlite", other)))
    priced(there)
    priced(here)
    kinds = {"id": models.IntegerField, "price": models.DecimalField, "amount": models.IntegerField}
    layout, _ = layout_of(there, here, "p", [named(kind, name) for name, kind in kinds.items()])
    (whole,) = with_generated([layout], there, here)
    assert [column.dest.name for column in whole.columns] == [*kinds, *TOTALS]
    assert compared(there, here, whole).is_identical
    run(here, "UPDATE p SET amount = 4 WHERE id = 2")
    found = compared(there, here, whole)
    assert {one.column for one in found.differences} == {"amount", *TOTALS}


def test_a_decimal_beside_whose_float_sqlite_has_another_is_the_same(open_pair: OpenPair) -> None:
    """SQLite 3.40 makes -1809.2724475836999 of it, which Django reads as what was written."""
    there, here = open_pair("postgresql", "sqlite")
    key = "id integer NOT NULL PRIMARY KEY"
    run(there, f"CREATE TABLE d ({key}, v decimal(15, 10))")
    run(here, f"CREATE TABLE d ({key}, v decimal)")
    run(there, "INSERT INTO d VALUES (1, -1809.2724475837)")
    run(here, "INSERT INTO d VALUES (1, -1809.2724475836999)")
    fields = [named(models.IntegerField, "id"), named(models.DecimalField, "v")]
    layout, _ = layout_of(there, here, "d", fields)
    assert compared(there, here, layout).is_identical
    run(here, "UPDATE d SET v = -1809.2724475836")
    assert not compared(there, here, layout).is_identical


def test_between_two_of_sqlites_what_it_has_computed_stays_as_it_is(open_pair: OpenPair) -> None:
    """As in every column that an application has added to with F()."""
    there, here = open_pair("sqlite", "sqlite")
    for database in (there, here):
        run(database, "CREATE TABLE d (id integer NOT NULL PRIMARY KEY, v decimal)")
    numbers = [0.1 + 0.2, -1809.2724475836999, 1 / 3, 1e-7, 1e300, 5, 2**53 + 1, "a text"]
    insert(there, "d", list(enumerate(numbers, start=1)))
    fields = [named(models.IntegerField, "id"), named(models.DecimalField, "v")]
    layout, _ = layout_of(there, here, "d", fields)
    copy_chunk(there, here, Chunk(layout), lambda rows: None)
    assert [value for (value,) in here.query("SELECT v FROM d ORDER BY id")] == numbers
    assert compared(there, here, layout).is_identical
    run(here, "UPDATE d SET v = 0.3 WHERE id = 1")
    assert not compared(there, here, layout).is_identical
