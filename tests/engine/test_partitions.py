"""PostgreSQL's tables that consist of others: partitioned ones, and those that others inherit."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.databases.base import Database, ForeignKey
from migrations_ui.engine.databases.inspecting import inspect
from migrations_ui.engine.errors import Cancelled
from migrations_ui.engine.layout import Layout, layouts
from migrations_ui.engine.rejecting import Rejected
from migrations_ui.engine.transfer import Orphans
from tests.conftest import MakeDatabase
from tests.engine.conftest import OpenDatabase, OpenPair, Witness, run, table_of, transfer

TABLES = ("place", "visit", "note")
PLAIN = {
    "place": "CREATE TABLE place (id int PRIMARY KEY)",
    "visit": "CREATE TABLE visit (id int PRIMARY KEY, place_id int)",
    "note": "CREATE TABLE note (id int PRIMARY KEY, visit_id int)",
}
# Of a partitioned table to another one, of an ordinary one to a partitioned one, and of a
# partitioned one to itself.
KEYS = {
    "visit_place": ("visit", "place_id", "place"),
    "note_visit": ("note", "visit_id", "visit"),
    "visit_visit": ("visit", "place_id", "visit"),
}


def partition(database: Database, table: str) -> None:
    """The table, in two partitions."""
    run(
        database,
        f"{PLAIN[table]} PARTITION BY RANGE (id)",
        f"CREATE TABLE {table}_low PARTITION OF {table} FOR VALUES FROM (MINVALUE) TO (100)",
        f"CREATE TABLE {table}_high PARTITION OF {table} FOR VALUES FROM (100) TO (MAXVALUE)",
    )


def create(source: Database, dest: Database) -> list[Layout]:
    """The three tables, filled; in the destination `place` and `visit` are partitioned."""
    run(
        source,
        *PLAIN.values(),
        "INSERT INTO place VALUES (1), (101)",
        "INSERT INTO visit VALUES (1, 101), (101, 1)",
        "INSERT INTO note VALUES (1, 101), (2, NULL)",
    )
    partition(dest, "place")
    partition(dest, "visit")
    run(dest, PLAIN["note"])
    for name, (child, own, parent) in KEYS.items():
        run(
            dest,
            f"ALTER TABLE {child} ADD CONSTRAINT {name} FOREIGN KEY ({own})"
            f" REFERENCES {parent} (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED",
        )
    run(dest, "INSERT INTO place VALUES (7)", "INSERT INTO visit VALUES (7, 7)")
    found, findings = layouts([table_of(name) for name in TABLES], source, dest)
    assert findings == []
    return found


def constraints(database: Database) -> list[tuple[str, ...]]:
    """Every foreign key, and all those of partitions, of which PostgreSQL knows no validity."""
    return database.query(
        "SELECT conrelid::regclass::text, conname, regexp_replace(pg_get_constraintdef(oid),"
        " CASE WHEN conparentid <> 0 THEN ' NOT VALID$' ELSE '' END, '')"
        " FROM pg_constraint WHERE contype = 'f' ORDER BY 1, 2"
    )


@pytest.fixture
def postgres(make_database: MakeDatabase, open_database: OpenDatabase) -> Database:
    return open_database(make_database("postgresql"))


def test_the_foreign_keys_of_a_partitioned_table_are_back_after_a_copy(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "postgresql")
    found = create(source, dest)
    before = constraints(dest)
    transfer(found, source, dest, witness := Witness())
    for table in TABLES:
        everything = f"SELECT * FROM {table} ORDER BY id"
        assert dest.query(everything) == source.query(everything)
    assert constraints(dest) == before
    assert sorted(witness.of("restored")) == sorted(KEYS)
    assert inspect(dest).invalid_foreign_keys(TABLES) == []


class Cut(Witness):
    """Stops at the end of the first chunk."""

    def finished(self, chunk: Chunk, rows: int, rejected: Sequence[Rejected]) -> None:
        raise Cancelled("alice asked to stop")


def test_they_are_back_after_a_cancel(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "postgresql")
    found = create(source, dest)
    before = constraints(dest)
    with pytest.raises(Cancelled):
        transfer(found, source, dest, Cut())
    assert constraints(dest) == before


def test_rows_that_violate_one_are_named_and_it_comes_back_when_they_are_gone(
    open_pair: OpenPair,
) -> None:
    """A partitioned table takes no key that is not valid, so it stays off until then."""
    source, dest = open_pair("sqlite", "postgresql")
    found = create(source, dest)
    before = constraints(dest)
    run(source, "INSERT INTO visit VALUES (2, 77)")
    with pytest.raises(Orphans, match=r"place_id has no match in place\.id"):
        transfer(found, source, dest, witness := Witness())
    (noted,) = witness.of("dropping")
    keys = [part for part in noted if isinstance(part, ForeignKey)]
    run(dest, "DELETE FROM visit WHERE id = 2")
    for key in [*keys, *keys]:
        dest.restore_foreign_key(key)
    assert constraints(dest) == before


def test_a_key_to_a_partitioned_table_is_valid_once_it_is_validated(postgres: Database) -> None:
    partition(postgres, "visit")
    run(
        postgres,
        PLAIN["note"],
        "ALTER TABLE note ADD CONSTRAINT note_visit FOREIGN KEY (visit_id) REFERENCES visit (id)"
        " NOT VALID",
    )
    assert inspect(postgres).invalid_foreign_keys(["note"]) == [("note", "note_visit")]
    run(postgres, "ALTER TABLE note VALIDATE CONSTRAINT note_visit")
    assert inspect(postgres).invalid_foreign_keys(["note"]) == []


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
