"""PostgreSQL's tables that consist of others: partitioned ones, and those that others inherit."""

from __future__ import annotations

import pytest

from migrations_ui.engine.databases.base import Database
from tests.conftest import MakeDatabase
from tests.engine.conftest import OpenDatabase, run

PLAIN = {
    "place": "CREATE TABLE place (id int PRIMARY KEY)",
    "visit": "CREATE TABLE visit (id int PRIMARY KEY, place_id int)",
}


def partition(database: Database, table: str) -> None:
    """The table, in two partitions."""
    run(
        database,
        f"{PLAIN[table]} PARTITION BY RANGE (id)",
        f"CREATE TABLE {table}_low PARTITION OF {table} FOR VALUES FROM (MINVALUE) TO (100)",
        f"CREATE TABLE {table}_high PARTITION OF {table} FOR VALUES FROM (100) TO (MAXVALUE)",
    )


@pytest.fixture
def postgres(make_database: MakeDatabase, open_database: OpenDatabase) -> Database:
    return open_database(make_database("postgresql"))


def test_a_wipe_leaves_rows_that_another_table_has_of_its_own(postgres: Database) -> None:
    partition(postgres, "visit")
    run(
        postgres,
        *(PLAIN["place"], "CREATE TABLE old_place () INHERITS (place)"),
        "INSERT INTO place VALUES (1)",
        "INSERT INTO old_place VALUES (2)",
        "INSERT INTO visit VALUES (1, 1), (101, 2)",
    )
    postgres.wipe(["place", "visit"])
    assert postgres.query("SELECT id FROM place") == [(2,)]
    assert postgres.is_empty("visit")
