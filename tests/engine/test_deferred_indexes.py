"""A transfer builds indexes after the load, and ends with all of them whatever happens."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import pytest

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import Cancelled, IndexRefused
from migrations_ui.engine.layout import Layout, layouts
from migrations_ui.engine.rejecting import Allowance, Rejected
from migrations_ui.engine.transfer import Transfer
from tests.engine.conftest import VENDORS, OpenPair, Witness, run, table_of
from tests.engine.schemas import schema, without_foreign_keys

vendors = pytest.mark.parametrize("vendor", VENDORS)
# What a foreign key refers to stays in MySQL.
rebuilding = pytest.mark.parametrize(
    "vendor", ["postgresql", pytest.param("mysql", marks=pytest.mark.mariadb), "sqlite"]
)
TABLES = ("first", "second", "third")


def create(source: Database, dest: Database) -> list[Layout]:
    """Three tables; unique in the destination only, which refers from the third to the others."""
    for table in TABLES:
        run(source, f"CREATE TABLE {table} (id int PRIMARY KEY, a varchar(9), b int NOT NULL)")
        run(source, f"INSERT INTO {table} VALUES (1, 'x', 1), (2, 'y', 2), (3, 'z', 3)")
    inline = ", FOREIGN KEY (b) REFERENCES first (id), FOREIGN KEY (a) REFERENCES second (a)"
    for table in TABLES:
        keys = inline if table == "third" else ""
        run(
            dest,
            f"CREATE TABLE {table} (id int PRIMARY KEY, a varchar(9), b int NOT NULL{keys})",
            f"CREATE UNIQUE INDEX {table}_a ON {table} (a)",
            f"CREATE INDEX {table}_b ON {table} (b, a)",
        )
    found, findings = layouts([table_of(name) for name in TABLES], source, dest)
    assert findings == []
    return found


def transfer(
    found: list[Layout],
    source: Database,
    dest: Database,
    *,
    witness: Witness | None = None,
    rows: int = 1_000_000,
    limit: int = 0,
) -> Witness:
    """A transfer of tables that are said to have so many rows."""
    ledger = witness or Witness()
    Transfer(
        found,
        lambda: nullcontext((source, dest)),
        ledger,
        {layout.label: rows for layout in found},
        allowance=Allowance(limit),
    ).run()
    return ledger


def names(witness: Witness, what: str) -> set[str]:
    return {name for indexes in witness.of(what) for name in indexes}


ALL = {f"{table}_{column}" for table in TABLES for column in "ab"}


@rebuilding
def test_after_a_success_every_index_is_there(vendor: str, open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", vendor)
    found = create(source, dest)
    before = schema(dest)
    witness = transfer(found, source, dest)
    assert schema(dest) == before
    assert [dest.count(table) for table in TABLES] == [3, 3, 3]
    assert names(witness, "built") >= ALL
    assert names(witness, "built") == names(witness, "building")


@vendors
def test_a_small_tables_indexes_stay(vendor: str, open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", vendor)
    witness = transfer(create(source, dest), source, dest, rows=3)
    assert names(witness, "built") == set()


@rebuilding
def test_what_is_unique_stays_where_rows_may_be_set_aside(vendor: str, open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", vendor)
    found = create(source, dest)
    run(source, "INSERT INTO first VALUES (4, 'x', 4)")
    before = schema(dest)
    witness = transfer(found, source, dest, limit=1)
    assert schema(dest) == before
    assert dest.count("first") == 3
    assert {f"{table}_b" for table in TABLES} <= names(witness, "built")
    assert not {f"{table}_a" for table in TABLES} & names(witness, "built")


@vendors
def test_a_table_whose_rows_clash_is_empty_and_has_its_indexes(
    vendor: str, open_pair: OpenPair
) -> None:
    source, dest = open_pair("sqlite", vendor)
    found = create(source, dest)
    run(source, "INSERT INTO first VALUES (4, 'x', 4)")
    before = schema(dest)
    witness = Witness()
    with pytest.raises(IndexRefused, match=r"first_a of table first .* a = x is in two rows"):
        transfer(found, source, dest, witness=witness)
    assert witness.of("emptied") == ["shop.first"]
    assert dest.count("first") == 0
    assert without_foreign_keys(schema(dest)) == without_foreign_keys(before)


@vendors
def test_a_failure_leaves_no_table_without_its_indexes(vendor: str, open_pair: OpenPair) -> None:
    """Not even where another table's rows, which were loaded before, can't be indexed."""
    source, dest = open_pair("sqlite", vendor)
    found = create(source, dest)
    run(source, "INSERT INTO first VALUES (4, 'x', 4)")
    before = schema(dest)

    class Interrupted(Witness):
        def finished(self, chunk: Chunk, rows: int, rejected: Sequence[Rejected]) -> None:
            super().finished(chunk, rows, rejected)
            raise Cancelled("stop")

    witness = Interrupted()
    with pytest.raises(Cancelled):
        transfer(found, source, dest, witness=witness)
    assert without_foreign_keys(schema(dest)) == without_foreign_keys(before)
    assert witness.of("finished") == [("shop.first", 4)]
    assert witness.of("emptied") == ["shop.first"]
    assert dest.count("first") == 0


@pytest.mark.mariadb
def test_a_table_with_a_hashed_unique_keeps_its_keys(open_pair: OpenPair) -> None:
    """MariaDB changes no key of it in place, and would copy all of it else."""
    source, dest = open_pair("sqlite", "mysql")
    found = create(source, dest)
    run(dest, "ALTER TABLE third ADD c varchar(1000), ADD UNIQUE KEY hashed (c)")
    before = schema(dest)
    witness = transfer(found, source, dest)
    assert schema(dest) == before
    assert dest.count("third") == 3
    built = names(witness, "built")
    assert "second_b" in built
    assert not built & {"third_a", "third_b", "hashed"}
    assert "third" not in {taken.table for taken in witness.of("dropping")[0]}
