"""MariaDB's foreign keys go for the load of a large table, and come back whatever happens."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import pytest

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.databases.base import Database, ForeignKey
from migrations_ui.engine.errors import Cancelled, ServerError
from migrations_ui.engine.layout import Layout, layouts
from migrations_ui.engine.rejecting import Rejected
from migrations_ui.engine.transfer import Orphans, Transfer
from tests.engine.conftest import OpenPair, Witness, run, table_of
from tests.engine.schemas import schema

# Every rule, a name that has to be quoted, two columns, and the table itself.
KEYS = {
    "it`s": "FOREIGN KEY (a) REFERENCES parent (id)",
    "cascading": "FOREIGN KEY (b) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE",
    "nulling": "FOREIGN KEY (c) REFERENCES parent (id) ON DELETE SET NULL",
    "idle": "FOREIGN KEY (d) REFERENCES parent (id) ON DELETE NO ACTION ON UPDATE NO ACTION",
    "own": "FOREIGN KEY (e) REFERENCES child (id)",
    "double": "FOREIGN KEY (f, g) REFERENCES pair (x, y) ON DELETE RESTRICT",
}
COLUMNS = "id int PRIMARY KEY, a int, b int, c int, d int, e int, f int, g int"
ROWS = {"parent": 10, "pair": 10, "child": 1_000_000}  # as the transfer is told


def create(source: Database, dest: Database) -> list[Layout]:
    """A child of three tables, which counts as large."""
    keys = ", ".join(f"CONSTRAINT {dest.quote(name)} {sql}" for name, sql in KEYS.items())
    for database, more in ((source, ""), (dest, f", {keys}")):
        run(
            database,
            "CREATE TABLE parent (id int PRIMARY KEY, n int)",
            "CREATE TABLE pair (id int PRIMARY KEY, x int, y int, UNIQUE (x, y))",
            f"CREATE TABLE child ({COLUMNS}{more})",
        )
    run(
        source,
        "INSERT INTO parent VALUES (1, 1), (2, 2)",
        "INSERT INTO pair VALUES (1, 1, 2)",
        "INSERT INTO child VALUES (1, 1, 2, 1, 2, 1, 1, 2), (2, 2, 1, NULL, 1, 1, NULL, 2)",
    )
    found, findings = layouts([table_of(name) for name in ROWS], source, dest)
    assert findings == []
    return found


def transfer(found: list[Layout], source: Database, dest: Database, witness: Witness) -> None:
    rows = {layout.label: ROWS.get(layout.dest_name, 1_000_000) for layout in found}
    Transfer(found, lambda: nullcontext((source, dest)), witness, rows).run()


def dropped(witness: Witness) -> set[str]:
    (noted,) = witness.of("dropping")
    return {part.name for part in noted if isinstance(part, ForeignKey)}


class Looking(Witness):
    """Notes which foreign keys are there when a chunk is loaded."""

    dest: Database

    def finished(self, chunk: Chunk, rows: int, rejected: Sequence[Rejected]) -> None:
        super().finished(chunk, rows, rejected)
        self.told.append(("there", [key.name for key in self.dest.foreign_keys(["child"])]))


def test_they_are_off_during_the_load_and_back_exactly_as_they_were(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "mysql")
    found = create(source, dest)
    before = schema(dest)
    witness = Looking()
    witness.dest = dest
    transfer(found, source, dest, witness)
    assert dropped(witness) == set(witness.of("restored")) == set(KEYS)
    assert witness.of("there") == [[], [], []]
    assert schema(dest) == before
    assert dest.count("child") == 2


def test_they_are_back_after_a_failure(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "mysql")
    found = create(source, dest)
    before = schema(dest)

    witness = Interrupted()
    with pytest.raises(Cancelled):
        transfer(found, source, dest, witness)
    assert dropped(witness) == set(KEYS)
    assert schema(dest) == before


class Interrupted(Witness):
    """Stops at the end of the first chunk."""

    def finished(self, chunk: Chunk, rows: int, rejected: Sequence[Rejected]) -> None:
        raise Cancelled("stop")


def test_those_of_a_table_that_can_not_be_looked_at_do_not_keep_others_off(
    open_pair: OpenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, dest = open_pair("sqlite", "mysql")
    found = create(source, dest)
    for database, more in ((source, ""), (dest, ", FOREIGN KEY (a) REFERENCES parent (id)")):
        run(database, f"CREATE TABLE other (id int PRIMARY KEY, a int{more})")
    found += layouts([table_of("other")], source, dest)[0]
    look = type(dest).orphans

    def orphans(self: Database, key: ForeignKey) -> tuple[int, list[str]]:
        if key.table == "child":
            raise ServerError("It is locked.")
        return look(self, key)

    monkeypatch.setattr(type(dest), "orphans", orphans)
    with pytest.raises(Cancelled):
        transfer(found, source, dest, Interrupted())
    assert dest.foreign_keys(["child"]) == []  # the journal has them
    assert [key.table for key in dest.foreign_keys(["other"])] == ["other"]


def test_one_that_rows_violate_is_back_but_not_called_valid(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "mysql")
    found = create(source, dest)
    before = schema(dest)
    run(source, "UPDATE child SET f = 7 WHERE id = 1")
    witness = Witness()
    with pytest.raises(Orphans, match="1 rows of child lead nowhere: f, g has no match in pair"):
        transfer(found, source, dest, witness)
    assert set(witness.of("restored")) == set(KEYS) - {"double"}
    assert schema(dest) == before


def test_an_index_that_a_key_refers_to_stays_in_mysql(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "mysql")
    found = create(source, dest)
    vars(dest)["product"] = "MySQL"
    assert dest.secondary_indexes(["pair"]) == []
    witness = Witness()
    transfer(found, source, dest, witness)
    assert dropped(witness) == set(KEYS)
    assert [key.name for key in dest.foreign_keys(["child"])] == sorted(KEYS)
