"""Catch-up: exactly the rows that differ are copied again, and nothing is wiped."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from migrations_ui.engine import databases, repairing
from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.comparing import Comparison
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database, ForeignKey
from migrations_ui.engine.databases.indexing import Index
from migrations_ui.engine.databases.triggers import Trigger
from migrations_ui.engine.errors import Cancelled, EngineError, RowRefused
from migrations_ui.engine.layout import Layout, layouts
from migrations_ui.engine.repairing import Repair
from tests.engine.conftest import DIRECTIONS, OpenPair, insert, run, table_of

ROWS = 1200
TABLES = ("parent", "child", "words")


@dataclass
class Witness:
    """A ledger that notes down what it is told."""

    told: list[tuple[str, Any]] = field(default_factory=list)

    def check(self) -> None: ...

    def again(self, error: EngineError, attempt: int) -> bool:
        return False

    def phase(self, name: str) -> None:
        self.told.append(("phase", name))

    def progress(self, layout: Layout, rows: int) -> None: ...

    def compared(self, layout: Layout, found: Comparison) -> None: ...

    def failed(self, layout: Layout, error: EngineError) -> None: ...

    def dropping(self, keys: Sequence[ForeignKey], indexes: Sequence[Index]) -> None:
        self.told.append(("dropping", [key.name for key in keys]))

    def switching_off(self, triggers: Sequence[Trigger]) -> None:
        self.told.append(("switching off", [trigger.name for trigger in triggers]))

    def switched_on(self, trigger: Trigger) -> None:
        self.told.append(("switched on", trigger.name))

    def restored(self, key: ForeignKey) -> None: ...

    def repaired(self, layout: Layout, differed: int, loaded: int) -> None:
        self.told.append(("repaired", (layout.label, differed, loaded)))

    def of(self, what: str) -> list[Any]:
        return [value for name, value in self.told if name == what]


def create(database: Database) -> None:
    """Two tables that refer to one another, with a unique column, and one keyed by texts."""
    binary = " COLLATE utf8mb4_bin" if database.vendor == "mysql" else ""
    run(
        database,
        "CREATE TABLE parent (id integer NOT NULL PRIMARY KEY, name varchar(20) NOT NULL UNIQUE)",
        "CREATE TABLE child (id integer NOT NULL PRIMARY KEY, parent_id integer NOT NULL,"
        " v varchar(20), CONSTRAINT child_parent FOREIGN KEY (parent_id) REFERENCES parent (id)"
        " ON DELETE CASCADE)",
        f"CREATE TABLE words (id varchar(20){binary} NOT NULL PRIMARY KEY, v varchar(20))",
    )


def fill(database: Database) -> None:
    insert(database, "parent", [(n, f"parent {n}") for n in range(ROWS)])
    insert(database, "child", [(n, n * 7 % ROWS, f"child {n}") for n in range(ROWS)])
    insert(database, "words", [(f"w{n * 7919}", f"word {n}") for n in range(ROWS)])


def change(database: Database, changes: int) -> None:
    """Delete, insert and update rows at random, always the same; two names change places."""
    chance = random.Random(20261122)
    with database.transaction():
        for number in range(changes):
            key = chance.randrange(2, ROWS)
            what = chance.choice(("delete", "insert", "update", "rename"))
            if what == "delete":
                run(database, f"DELETE FROM child WHERE id = {key}")
                run(database, f"DELETE FROM words WHERE id = 'w{key * 7919}'")
            elif what == "insert":
                run(database, f"INSERT INTO parent VALUES ({ROWS + number}, 'new {number}')")
                run(database, f"INSERT INTO child VALUES ({ROWS + number}, {ROWS + number}, NULL)")
            elif what == "update":
                run(database, f"UPDATE child SET v = 'changed {number}' WHERE id = {key}")
            else:
                run(database, f"UPDATE words SET id = 'W{number}' WHERE id = 'w{key * 7919}'")
        run(
            database,
            "UPDATE parent SET name = 'aside' WHERE id = 0",
            "UPDATE parent SET name = 'parent 0' WHERE id = 1",
            "UPDATE parent SET name = 'parent 1' WHERE id = 0",
        )


def copied(source: Database, dest: Database) -> list[Layout]:
    """Both sides filled alike."""
    for database in (source, dest):
        create(database)
    fill(source)
    found, findings = layouts([table_of(name) for name in TABLES], source, dest)
    assert findings == []
    dest.prepare_load()
    for layout in found:
        copy_chunk(source, dest, Chunk(layout), lambda rows: None)
    return found


def repaired(source: Database, dest: Database, found: Sequence[Layout], witness: Witness) -> Repair:
    @contextmanager
    def connect() -> Any:
        with (
            databases.connect(source.config, read_only=True) as one,
            databases.connect(dest.config, read_only=False) as other,
        ):
            yield one, other

    repair = Repair(found, connect, witness, workers=2)
    repair.run()
    return repair


def rows(database: Database) -> dict[str, Any]:
    return {name: sorted(database.query(f"SELECT * FROM {name}")) for name in TABLES}


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_after_a_thousand_changes_the_destination_is_identical_again(
    source: str, dest: str, open_pair: OpenPair
) -> None:
    one, other = open_pair(source, dest)
    found = copied(one, other)
    before = constraints_of(other)
    change(one, 1000)
    witness = Witness()
    repair = repaired(one, other, found, witness)
    assert rows(other) == rows(one)
    assert constraints_of(other) == before
    assert witness.of("phase") == ["compare", "repair", "constraints", "sequences"]
    assert {layout.label for layout in repair.changed} == {f"shop.{name}" for name in TABLES}
    assert not any(found.is_identical for found in repair.comparisons.values())


def constraints_of(database: Database) -> object:
    if database.vendor == "postgresql":
        return database.query(
            "SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint ORDER BY 1"
        )
    return database.foreign_keys(TABLES)


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_only_rows_that_differ_are_written(source: str, dest: str, open_pair: OpenPair) -> None:
    """A row that is the same keeps even what only the destination knows of it."""
    one, other = open_pair(source, dest)
    found = copied(one, other)
    run(one, "UPDATE words SET v = 'x' WHERE id = 'w0'", "DELETE FROM child WHERE id = 5")
    run(other, "INSERT INTO child VALUES (99999, 1, 'born here')")
    witness = Witness()
    repaired(one, other, found, witness)
    assert sorted(witness.of("repaired")) == [("shop.child", 2, 0), ("shop.words", 1, 1)]
    assert rows(other) == rows(one)


def test_where_nothing_differs_nothing_is_touched(open_pair: OpenPair) -> None:
    one, other = open_pair("sqlite", "postgresql")
    found = copied(one, other)
    witness = Witness()
    repair = repaired(one, other, found, witness)
    assert repair.changed == []
    assert witness.of("dropping") == witness.of("repaired") == []
    assert witness.of("phase") == ["compare", "sequences"]


@pytest.mark.parametrize("dest", ["postgresql", "mysql", "sqlite"])
def test_a_refused_row_leaves_its_table_and_the_constraints_as_they_were(
    dest: str, open_pair: OpenPair
) -> None:
    one, other = open_pair("sqlite", dest)
    found = copied(one, other)
    whole, before = constraints_of(other), rows(other)
    run(one, "PRAGMA foreign_keys = OFF", "UPDATE words SET v = 'changed' WHERE id < 'w5'")
    run(one, f"UPDATE words SET v = '{'too long' * 9}' WHERE id = 'w0'")
    if dest == "sqlite":  # it holds whatever is given to it, but for what a check forbids
        run(other, "CREATE UNIQUE INDEX one_v ON words (v)")
        run(one, "UPDATE words SET v = 'twice' WHERE id IN ('w0', 'w7919')")
    with pytest.raises(RowRefused, match="table words"):
        repaired(one, other, found, Witness())
    assert rows(other)["words"] == before["words"]
    assert constraints_of(other) == whole


def test_rows_without_a_key_keep_all_from_being_changed(open_pair: OpenPair) -> None:
    one, other = open_pair("sqlite", "sqlite")
    found = copied(one, other)
    for database in (one, other):
        run(database, "CREATE TABLE log (at varchar(20), what varchar(20))")
    run(one, "INSERT INTO log VALUES ('now', 'lost')", "DELETE FROM child")
    (log,), _ = layouts([table_of("log")], one, other)
    before = rows(other)
    with pytest.raises(EngineError, match=r"^Nothing was changed\. Rows of shop\.log differ"):
        repaired(one, other, [*found, log], Witness())
    assert rows(other) == before


def test_a_cancel_leaves_the_table_as_it_was(open_pair: OpenPair) -> None:
    one, other = open_pair("sqlite", "postgresql")
    found = copied(one, other)
    before, whole = rows(other), constraints_of(other)
    run(one, "UPDATE words SET v = 'changed'")

    class Cancels(Witness):
        def check(self) -> None:
            raise Cancelled("alice asked to stop")

    with pytest.raises(Cancelled):
        repaired(one, other, found, Cancels())
    assert rows(other) == before
    assert constraints_of(other) == whole


def test_keys_beyond_what_memory_holds_go_through_a_file(
    open_pair: OpenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repairing, "SPOOLED", 100)
    one, other = open_pair("sqlite", "mysql")
    found = copied(one, other)
    run(one, "UPDATE words SET v = id")
    repaired(one, other, found, Witness())
    assert rows(other) == rows(one)
