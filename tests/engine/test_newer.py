"""The quick pass: what a key or a timestamp says is newer is brought over, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db.models import BigAutoField, CharField, DateTimeField, Field, IntegerField

from migrations_ui.engine import databases
from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.layout import Layout, layouts
from migrations_ui.engine.newer import Columns, Pass, columns_of
from tests.engine.conftest import DIRECTIONS, OpenPair, insert, named, run, table_of
from tests.engine.test_repairing import Witness, constraints_of

ROWS = 50
OLD, LATE, NEW = (f"2026-11-{day} 10:00:00.5" for day in (1, 20, 22))
MOMENTS = {"postgresql": "timestamptz", "mysql": "datetime(6)", "sqlite": "datetime"}
KEY: Field[Any, Any] = Group._meta.get_field("id")
NAME = named(CharField, "name", max_length=20)
PARENT = (KEY, NAME, named(DateTimeField, "updated_at", auto_now=True, null=True))
CHILD = (KEY, named(IntegerField, "parent_id"), NAME)
WORDS = (named(CharField, "id", max_length=20, primary_key=True), PARENT[2])
TABLES = {"parent": PARENT, "child": CHILD, "words": WORDS}


class Told(Witness):
    """A ledger that also notes down which tables were left."""

    def left(self, layout: Layout, error: EngineError) -> None:
        self.told.append(("left", (layout.label, str(error))))


def create(database: Database) -> None:
    """A parent with key and timestamp, a child with a key, and words with a timestamp only."""
    moment = MOMENTS[database.vendor]
    run(
        database,
        "CREATE TABLE parent (id integer NOT NULL PRIMARY KEY, name varchar(20) NOT NULL UNIQUE,"
        f" updated_at {moment} NULL)",
        "CREATE TABLE child (id integer NOT NULL PRIMARY KEY, parent_id integer NOT NULL,"
        " name varchar(20), CONSTRAINT child_parent FOREIGN KEY (parent_id) REFERENCES parent (id)"
        " ON DELETE CASCADE)",
        f"CREATE TABLE words (id varchar(20) NOT NULL PRIMARY KEY, updated_at {moment} NULL)",
    )


def fill(database: Database) -> None:
    insert(database, "parent", [(n, f"parent {n}", OLD) for n in range(1, ROWS)])
    insert(database, "child", [(n, n, f"child {n}") for n in range(1, ROWS)])
    insert(database, "words", [(f"w{n}", OLD) for n in range(1, ROWS)])
    run(database, f"UPDATE parent SET updated_at = '{LATE}' WHERE id IN (3, 4)")
    run(database, f"UPDATE words SET updated_at = '{LATE}' WHERE id = 'w1'")


def copied(source: Database, dest: Database) -> list[Layout]:
    """Both sides filled alike."""
    for database in (source, dest):
        create(database)
    fill(source)
    found, _ = layouts([table_of(name, fields=TABLES[name]) for name in TABLES], source, dest)
    dest.prepare_load()
    for layout in found:
        copy_chunk(source, dest, Chunk(layout), lambda rows: None)
    return found


def brought(source: Database, dest: Database, found: Sequence[Layout]) -> tuple[Pass, Told]:
    @contextmanager
    def connect() -> Any:
        with (
            databases.connect(source.config, read_only=True) as one,
            databases.connect(dest.config, read_only=False) as other,
        ):
            yield one, other

    told = Told()
    work = Pass(found, connect, told)
    work.run()
    return work, told


def names(database: Database, table: str = "parent") -> dict[int, str]:
    return {int(key): str(name) for key, name in database.query(f"SELECT id, name FROM {table}")}


def test_which_columns_tell_newer_rows_follows_from_the_model() -> None:
    assert columns_of(table_of("parent", fields=PARENT)) == Columns("id", "updated_at")
    assert columns_of(table_of("child", fields=CHILD)) == Columns("id", "")
    assert columns_of(table_of("words", fields=WORDS)) == Columns("", "updated_at")
    created = named(DateTimeField, "created_at", auto_now_add=True)
    chosen = named(IntegerField, "id", primary_key=True)
    assert columns_of(table_of("chosen", fields=(chosen, created))) == Columns("", "")
    assert columns_of(table_of("big", fields=(named(BigAutoField, "id", primary_key=True),))).key


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_new_rows_are_added_and_saved_ones_replaced(
    source: str, dest: str, open_pair: OpenPair
) -> None:
    one, other = open_pair(source, dest)
    found = copied(one, other)
    before = constraints_of(other)
    insert(one, "parent", [(n, f"new {n}", NEW) for n in (ROWS, 10**9)])
    insert(one, "child", [(10**9, 10**9, "new"), (10**9 + 1, 2, "new")])
    insert(one, "words", [("new", NEW)])
    run(
        one,
        "UPDATE parent SET name = 'exchanged' WHERE id = 5",
        f"UPDATE parent SET name = 'parent 5', updated_at = '{NEW}' WHERE id = 6",
        f"UPDATE parent SET name = 'parent 6', updated_at = '{NEW}' WHERE id = 5",
        # What no column tells: the complete catch-up is there for it.
        "UPDATE parent SET name = 'past save()' WHERE id = 7",
        "DELETE FROM child WHERE id = 8",
    )
    work, told = brought(one, other, found)
    expected = {**names(one), 7: "parent 7"}
    assert names(other) == expected
    assert names(other, "child") == {**names(one, "child"), 8: "child 8"}
    assert other.query("SELECT COUNT(*) FROM words WHERE id = 'new'")[0][0] in (1, b"1")
    assert sorted(told.of("repaired")) == [
        ("shop.child", 2, 2),
        ("shop.parent", 4, 4),
        ("shop.words", 1, 1),
    ]
    assert work.left == {}
    assert constraints_of(other) == before


def test_where_nothing_is_newer_nothing_is_touched(open_pair: OpenPair) -> None:
    one, other = open_pair("sqlite", "postgresql")
    found = copied(one, other)
    run(one, "UPDATE child SET name = 'changed'")
    work, told = brought(one, other, found)
    assert not work.written
    assert not work.left
    assert told.of("dropping") == [[]]
    assert set(told.of("repaired")) == {(layout.label, 0, 0) for layout in found}


def test_an_empty_table_takes_every_row(open_pair: OpenPair) -> None:
    one, other = open_pair("sqlite", "mysql")
    found = copied(one, other)
    run(other, "DELETE FROM child", "DELETE FROM parent", "DELETE FROM words")
    work, _ = brought(one, other, found)
    assert work.written == {f"shop.{name}": ROWS - 1 for name in TABLES}
    assert names(other) == names(one)


@pytest.mark.parametrize("dest", ["postgresql", "mysql", "sqlite"])
def test_a_table_that_can_not_take_its_newer_rows_is_left_as_it_was(
    dest: str, open_pair: OpenPair
) -> None:
    """A row whose parent is not told as newer, and one that takes a name which is not yet free."""
    one, other = open_pair("sqlite", dest)
    found = copied(one, other)
    run(
        one,
        "PRAGMA foreign_keys = OFF",
        "UPDATE parent SET name = 'freed' WHERE id = 9",
        f"INSERT INTO parent VALUES ({ROWS}, 'parent 9', '{NEW}')",
        f"INSERT INTO child VALUES ({ROWS}, {ROWS}, 'its parent is left')",
        f"INSERT INTO words VALUES ('new', '{NEW}')",
    )
    before, whole = names(other), constraints_of(other)
    work, told = brought(one, other, found)
    assert {label for label, _ in told.of("left")} == {"shop.parent", "shop.child"}
    assert "Rows would lead nowhere (1): parent_id" in dict(told.of("left"))["shop.child"]
    assert work.written == {"shop.words": 1}
    assert (names(other), constraints_of(other)) == (before, whole)
    assert set(names(other, "child")) == set(range(1, ROWS))
