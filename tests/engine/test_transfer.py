"""A selection of tables: wiped, loaded, and whole again whatever happens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.databases.base import Database, ForeignKey
from migrations_ui.engine.errors import Cancelled, EngineError, RowRefused
from migrations_ui.engine.layout import Layout, layouts
from migrations_ui.engine.transfer import Orphans
from tests.engine.conftest import VENDORS, OpenPair, Witness, run, table_of, transfer

vendors = pytest.mark.parametrize("vendor", VENDORS)

# Two tables that refer to each other, one that refers to itself, one outside the selection.
TABLES = ("author", "book", "shelf")
KEYS = {
    "author_book": ("author", "favourite_id", "book"),
    "book_author": ("book", "author_id", "author"),
    "shelf_parent": ("shelf", "parent_id", "shelf"),
    "loan_book": ("loan", "book_id", "book"),
}
COLUMNS = {
    "author": "favourite_id integer",
    "book": "author_id integer",
    "shelf": "parent_id integer",
    "loan": "book_id integer",
}


def create(database: Database, deferrable: str = "") -> None:
    """The four tables with their foreign keys."""
    inline = database.vendor == "sqlite"
    for table, column in COLUMNS.items():
        references = [
            f", CONSTRAINT {name} FOREIGN KEY ({own}) REFERENCES {parent} (id)"
            for name, (child, own, parent) in KEYS.items()
            if inline and child == table
        ]
        run(
            database,
            f"CREATE TABLE {table} (id integer NOT NULL PRIMARY KEY, {column} "
            f"{''.join(references)})",
        )
    for name, (child, own, parent) in ({} if inline else KEYS).items():
        run(
            database,
            f"ALTER TABLE {child} ADD CONSTRAINT {name} FOREIGN KEY ({own}) "
            f"REFERENCES {parent} (id) {deferrable}",
        )


def fill(database: Database, *, orphans: bool = False) -> None:
    """Rows that need the foreign keys out of the way, whatever the order of the tables."""
    for table in COLUMNS:
        run(database, f"INSERT INTO {table} VALUES (1, NULL), (2, NULL)")
    for table, column in COLUMNS.items():
        run(database, f"UPDATE {table} SET {column.split()[0]} = 2 WHERE id = 1")
    if orphans:
        run(database, "INSERT INTO shelf VALUES (7, 77), (8, 88)")


def chosen(source: Database, dest: Database) -> list[Layout]:
    found, findings = layouts([table_of(name) for name in TABLES], source, dest)
    assert findings == []
    return found


def rows(database: Database) -> dict[str, Any]:
    return {table: database.query(f"SELECT * FROM {table} ORDER BY id") for table in COLUMNS}


def constraints(database: Database) -> set[tuple[str, ...]]:
    """The foreign keys as the server describes them; on PostgreSQL with their state."""
    if database.vendor == "postgresql":
        return set(
            database.query(
                "SELECT conname, pg_get_constraintdef(oid), convalidated::text"
                " FROM pg_constraint WHERE contype = 'f'"
            )
        )
    return {
        (key.table, key.parent, *key.columns, *key.parent_columns)
        for key in database.foreign_keys(COLUMNS)
    }


@pytest.mark.parametrize(
    ("vendor", "deferrable"),
    [
        ("postgresql", ""),
        ("postgresql", "ON DELETE CASCADE"),
        ("postgresql", "DEFERRABLE INITIALLY DEFERRED"),
        ("mysql", ""),
        ("sqlite", ""),
    ],
)
def test_after_a_success_every_row_and_every_foreign_key_is_there(
    vendor: str, deferrable: str, open_pair: OpenPair
) -> None:
    source, dest = open_pair("sqlite", vendor)
    create(source)
    fill(source)
    create(dest, deferrable)
    fill(dest)
    run(dest, "INSERT INTO shelf VALUES (99, NULL)")
    before = constraints(dest)
    assert len(before) == 4
    witness = Witness()

    transfer(chosen(source, dest), source, dest, witness)

    assert rows(dest) == rows(source)
    assert constraints(dest) == before
    assert len(witness.of("restored")) == 4
    assert witness.of("phase") == ["wipe", "load", "indexes", "constraints", "sequences"]


def test_foreign_keys_are_noted_down_before_the_first_is_dropped(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "postgresql")
    create(source)
    create(dest)
    fill(dest)
    before, whole = constraints(dest), rows(dest)

    class Journal(Witness):
        def dropping(self, keys: Any, indexes: Any) -> None:
            super().dropping(keys, indexes)
            assert constraints(dest) == before
            raise RuntimeError("the journal can't be written")

    witness = Journal()
    with pytest.raises(RuntimeError, match="journal"):
        transfer(chosen(source, dest), source, dest, witness)
    (noted,) = witness.of("dropping")
    assert {key.name for key in noted} == set(KEYS)
    assert all(key.definition.startswith("FOREIGN KEY") for key in noted)
    assert (constraints(dest), rows(dest)) == (before, whole)


class Stops(Witness):
    """Asks to stop as soon as rows are loaded."""

    def progress(self, chunk: Chunk, rows: int) -> None:
        raise Cancelled("alice asked to stop")


@vendors
def test_after_a_cancel_the_foreign_keys_are_back_and_no_row_is_half(
    vendor: str, open_pair: OpenPair
) -> None:
    source, dest = open_pair("sqlite", vendor)
    for database in (source, dest):
        create(database)
    fill(source)
    before = constraints(dest)
    witness = Stops()
    with pytest.raises(Cancelled):
        transfer(chosen(source, dest), source, dest, witness)
    assert constraints(dest) == before
    assert all(found == [] for found in rows(dest).values())
    assert witness.of("failed") == ["shop.author"]


@vendors
def test_after_a_refused_row_the_foreign_keys_are_back(vendor: str, open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", vendor)
    create(source)
    fill(source)
    create(dest)
    run(source, "CREATE TABLE word (id integer NOT NULL PRIMARY KEY, v varchar(5))")
    run(dest, "CREATE TABLE word (id integer NOT NULL PRIMARY KEY, v varchar(5) NOT NULL)")
    run(source, "INSERT INTO word VALUES (1, NULL)")
    before = constraints(dest)
    found, _ = layouts([*(table_of(t) for t in TABLES), table_of("word")], source, dest)
    witness = Witness()
    with pytest.raises(RowRefused, match="table word"):
        transfer(found, source, dest, witness)
    assert constraints(dest) == before
    assert [label for label, _ in witness.of("finished")] == [f"shop.{name}" for name in TABLES]
    assert witness.of("failed") == ["shop.word"]
    assert dest.count("word") == 0


@vendors
def test_rows_that_lead_nowhere_are_named(vendor: str, open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", vendor)
    create(source)
    fill(source, orphans=True)
    create(dest)
    with pytest.raises(Orphans) as said:
        transfer(chosen(source, dest), source, dest, Witness())
    assert "2 rows of shelf lead nowhere: parent_id has no match in shelf.id" in str(said.value)
    assert "77; 88" in str(said.value)
    assert rows(dest)["shelf"] == rows(source)["shelf"]


@vendors
def test_rows_outside_the_selection_that_lead_nowhere_now_are_named(
    vendor: str, open_pair: OpenPair
) -> None:
    source, dest = open_pair("sqlite", vendor)
    for database in (source, dest):
        create(database)
    fill(dest)
    with pytest.raises(Orphans, match=r"1 rows? of loan lead.* nowhere: book_id"):
        transfer(chosen(source, dest), source, dest, Witness())


def test_a_foreign_key_that_could_not_be_validated_is_validated_next_time(
    open_pair: OpenPair,
) -> None:
    source, dest = open_pair("sqlite", "postgresql")
    create(source)
    fill(source, orphans=True)
    create(dest)
    whole = constraints(dest)
    with pytest.raises(Orphans):
        transfer(chosen(source, dest), source, dest, Witness())
    (shelf,) = [c for c in constraints(dest) if c[0] == "shelf_parent"]
    assert shelf[1:] == ("FOREIGN KEY (parent_id) REFERENCES shelf(id) NOT VALID", "false")

    run(source, "DELETE FROM shelf WHERE id > 2")
    transfer(chosen(source, dest), source, dest, Witness())
    assert constraints(dest) == whole


def test_restoring_a_foreign_key_twice_does_no_harm(open_pair: OpenPair) -> None:
    _, dest = open_pair("sqlite", "postgresql")
    create(dest)
    fill(dest)
    before = constraints(dest)
    keys = dest.foreign_keys(COLUMNS)
    for key in keys:
        dest.drop_foreign_key(key)
        dest.drop_foreign_key(key)
    assert constraints(dest) == set()
    for key in [*keys, *keys]:
        dest.restore_foreign_key(key)
    assert constraints(dest) == before


def test_a_foreign_key_that_is_not_enforced_is_not_validated(
    open_pair: OpenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL 18 has such keys, and refuses to validate one."""
    _, dest = open_pair("sqlite", "postgresql")
    create(dest)
    key = next(key for key in dest.foreign_keys(["loan"]) if key.table == "loan")
    dest.drop_foreign_key(key)
    told: list[str] = []
    monkeypatch.setattr(dest, "execute", told.append)
    dest.restore_foreign_key(replace(key, definition=f"{key.definition} NOT ENFORCED"))
    (made,) = told
    assert made.rstrip().endswith(f"{key.definition} NOT ENFORCED")


@vendors
def test_all_keys_that_start_or_end_at_a_table_are_seen(vendor: str, open_pair: OpenPair) -> None:
    _, dest = open_pair("sqlite", vendor)
    create(dest)

    def seen(*tables: str) -> set[tuple[str, tuple[str, ...], str]]:
        return {(key.table, key.columns, key.parent) for key in dest.foreign_keys(tables)}

    assert seen("loan") == {("loan", ("book_id",), "book")}
    assert seen("shelf") == {("shelf", ("parent_id",), "shelf")}
    assert seen("book") == {
        ("author", ("favourite_id",), "book"),
        ("book", ("author_id",), "author"),
        ("loan", ("book_id",), "book"),
    }
    assert seen() == set()


@vendors
def test_orphans_of_a_key_of_two_columns_are_counted_by_both(
    vendor: str, open_pair: OpenPair
) -> None:
    _, dest = open_pair("sqlite", vendor)
    run(
        dest,
        "CREATE TABLE p (a integer NOT NULL, b integer NOT NULL, PRIMARY KEY (a, b))",
        "CREATE TABLE c (x integer, y integer)",
        "INSERT INTO p VALUES (1, 1), (1, 2)",
        "INSERT INTO c VALUES (1, 1), (1, 3), (2, 1), (NULL, 5), (5, NULL)",
    )
    key = ForeignKey("c", "c_p", ("x", "y"), "p", ("a", "b"))
    count, samples = dest.orphans(key)
    assert (count, sorted(samples)) == (2, ["1, 3", "2, 1"])


@vendors
def test_a_value_that_leads_nowhere_is_shown_once_however_many_rows_have_it(
    vendor: str, open_pair: OpenPair
) -> None:
    _, dest = open_pair("sqlite", vendor)
    run(
        dest,
        "CREATE TABLE p (a integer NOT NULL PRIMARY KEY)",
        "CREATE TABLE c (x integer)",
        "INSERT INTO c VALUES (7), (7), (7), (8)",
    )
    count, samples = dest.orphans(ForeignKey("c", "c_p", ("x",), "p", ("a",)))
    assert (count, sorted(samples)) == (4, ["7", "8"])


def test_mysql_looks_values_up_once_only_where_they_repeat(open_pair: OpenPair) -> None:
    _, dest = open_pair("sqlite", "mysql")
    run(
        dest,
        "CREATE TABLE c (many integer, few integer, bare integer, KEY (many), KEY (few, many))",
        "INSERT INTO c WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s"
        " WHERE n < 900) SELECT n, n % 3, n % 3 FROM s",
        "ANALYZE TABLE c",
    )
    assert not dest.repeats("c", ["many"])
    assert dest.repeats("c", ["few"])
    assert not dest.repeats("c", ["few", "many"])
    assert not dest.repeats("c", ["bare"])  # it has no index to step through


def test_a_destination_that_goes_away_leaves_the_journal_with_the_keys(
    open_pair: OpenPair,
) -> None:
    """What could not be put back was noted down, and a new connection can put it back."""
    source, dest = open_pair("sqlite", "postgresql")
    create(source)
    fill(source)
    create(dest)
    before = constraints(dest)

    class Crash(Witness):
        def claim(self) -> Chunk | None:
            dest.close()
            return super().claim()

    witness = Crash()
    with pytest.raises(EngineError):
        transfer(chosen(source, dest), source, dest, witness)
    dest.connection = dest.connect()
    assert constraints(dest) == set()
    (noted,) = witness.of("dropping")
    for key in noted:
        dest.restore_foreign_key(key)
    assert constraints(dest) == before
