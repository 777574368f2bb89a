"""Tables in chunks: cut, shared out among workers, and harmless to do twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from migrations_ui.engine import chunks, databases
from migrations_ui.engine.chunks import Chunk, Queue
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import RowRefused
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.rejecting import Allowance
from migrations_ui.engine.transfer import Transfer
from tests.engine.conftest import (
    DIRECTIONS,
    OpenPair,
    Witness,
    insert,
    layout_of,
    plain_layout,
    run,
    table_of,
)

ROWS = 1000
GAP = 10**12 // ROWS
KEYS = {"integer": "bigint", "text": "varchar(20)"}


def create(database: Database, key: str = "integer", name: str = "t", more: str = "") -> None:
    binary = " COLLATE utf8mb4_bin" if database.vendor == "mysql" and key == "text" else ""
    run(
        database,
        f"CREATE TABLE {name} (id {KEYS[key]}{binary} NOT NULL PRIMARY KEY, v varchar(20){more})",
    )


def fill(database: Database, key: str = "integer", name: str = "t", rows: int = ROWS) -> None:
    values = [n * GAP - 7 * GAP if key == "integer" else f"k{n * 7919 % rows}" for n in range(rows)]
    insert(database, name, [(value, f"row {n}") for n, value in enumerate(values)])


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand rows are many chunks."""
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 4096)


def cut(layout: Layout, source: Database) -> list[Chunk]:
    """Ten chunks, whatever the catalog thinks that the table's size is."""
    return chunks.cut(layout, source, 10 * chunks.CHUNK_BYTES, ROWS)


def everything(database: Database, name: str = "t") -> list[tuple[object, ...]]:
    return sorted(database.query(f"SELECT id, v FROM {name}"))


@contextmanager
def new_pair(source: Database, dest: Database) -> Iterator[tuple[Database, Database]]:
    """Connections of their own to the two, as each worker has them."""
    with (
        databases.connect(source.config, read_only=True) as one,
        databases.connect(dest.config, read_only=False) as other,
    ):
        yield one, other


def transferred(
    layouts: Sequence[Layout],
    source: Database,
    dest: Database,
    witness: Witness,
    allowance: Allowance | None = None,
) -> None:
    """A transfer by three workers."""
    Transfer(
        layouts,
        lambda: new_pair(source, dest),
        witness,
        dict.fromkeys([layout.label for layout in layouts], ROWS),
        workers=3,
        allowance=allowance,
    ).run()


class Big(Witness):
    """Says what `cut` makes of each table."""

    source: Database

    def planned(self, planned: Sequence[Chunk]) -> None:
        layouts = {chunk.layout.label: chunk.layout for chunk in planned}
        super().planned([c for layout in layouts.values() for c in cut(layout, self.source)])


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_several_workers_copy_every_row_once(
    source: str, dest: str, key: str, open_pair: OpenPair
) -> None:
    one, other = open_pair(source, dest)
    for database in (one, other):
        create(database, key)
        create(database, key, "small")
    run(other, "CREATE INDEX t_v ON t (v)")
    fill(one, key)
    fill(one, key, "small", 3)
    witness = Big()
    witness.source = one
    found = [plain_layout(one, other, name) for name in ("t", "small")]
    transferred(found, one, other, witness)
    assert everything(other) == everything(one)
    assert everything(other, "small") == everything(one, "small")
    finished = witness.of("finished")
    assert sum(rows for label, rows in finished if label == "shop.t") == ROWS
    assert len([label for label, _ in finished if label == "shop.t"]) == 11  # the last is empty


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_a_chunk_that_is_done_again_doubles_and_loses_nothing(
    source: str, dest: str, key: str, open_pair: OpenPair
) -> None:
    one, other = open_pair(source, dest)
    create(one, key)
    create(other, key)
    fill(one, key)
    other.prepare_load()
    parts = cut(plain_layout(one, other, "t"), one)
    for part in parts:
        copy_chunk(one, other, part, lambda rows: None)
    for part in (parts[3], parts[0], parts[-1]):
        again = Chunk(part.layout, part.position, part.keys, part.size, again=True)
        copy_chunk(one, other, again, lambda rows: None)
    assert everything(other) == everything(one)


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_a_refused_row_leaves_its_table_empty_and_the_others_in_peace(
    source: str, dest: str, open_pair: OpenPair
) -> None:
    one, other = open_pair(source, dest)
    create(one)
    create(other, more=" NOT NULL")
    create(one, name="small")
    create(other, name="small")
    fill(one)
    fill(one, name="small", rows=3)
    run(one, f"UPDATE t SET v = NULL WHERE id = {500 * GAP}")
    witness = Big()
    witness.source = one
    found = [layout_of(one, other, name)[0] for name in ("t", "small")]
    with pytest.raises(RowRefused, match=f"table t.*column v.*key {500 * GAP}"):
        transferred(found, one, other, witness)
    assert other.count("t") == 0
    assert witness.of("emptied") == ["shop.t"]


@pytest.mark.parametrize("dest", ["postgresql", "mysql", "sqlite"])
def test_rows_are_set_aside_by_all_workers_up_to_one_limit(dest: str, open_pair: OpenPair) -> None:
    one, other = open_pair("sqlite", dest)
    create(one)
    create(other, more=" NOT NULL")
    fill(one)
    for number in (1, 400, 900):
        run(one, f"UPDATE t SET v = NULL WHERE id = {number * GAP}")
    layout, _ = layout_of(one, other, "t")
    witness = Big()
    witness.source = one
    transferred([layout], one, other, witness, Allowance(3))
    assert other.count("t") == ROWS - 3

    witness = Big()
    witness.source = one
    with pytest.raises(RowRefused, match="2 other rows were set aside, which is the limit"):
        transferred([layout], one, other, witness, Allowance(2))
    assert other.count("t") == 0


def test_a_table_whose_key_has_no_order_everywhere_is_one_chunk(open_pair: OpenPair) -> None:
    one, other = open_pair("sqlite", "sqlite")
    for database in (one, other):
        run(database, "CREATE TABLE t (id real NOT NULL PRIMARY KEY, v varchar(20))")
    assert len(cut(plain_layout(one, other, "t"), one)) == 1


def test_a_table_whose_key_may_be_null_is_one_chunk(open_pair: OpenPair) -> None:
    """A range holds no NULL, so the rows with it would be in none."""
    one, other = open_pair("sqlite", "sqlite")
    for database in (one, other):
        run(database, "CREATE TABLE t (id varchar(20) PRIMARY KEY, v varchar(20))")
    run(one, "INSERT INTO t VALUES (NULL, 'x')")
    assert len(cut(layout_of(one, other, "t")[0], one)) == 1


def test_the_longest_table_goes_first_and_workers_spread_over_tables() -> None:
    a = Layout(table_of("a", label="a"), "a", "a", ())
    b = Layout(table_of("b", label="b"), "b", "b", ())
    queue = Queue([Chunk(b, 0, size=50), *(Chunk(a, n, size=30) for n in range(3))])
    claimed = [queue.claim() for _ in range(4)]
    assert [(c.layout.label, c.position) for c in claimed if c] == [
        ("a", 0),
        ("b", 0),
        ("a", 1),
        ("a", 2),
    ]
    assert queue.claim() is None


def test_two_workers_never_get_the_same_chunk() -> None:
    layout = Layout(table_of("a", label="a"), "a", "a", ())
    queue = Queue([Chunk(layout, n, size=1) for n in range(500)])
    got: list[int] = []

    def work() -> None:
        while (found := queue.claim()) is not None:
            got.append(found.position)
            queue.done(found)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == list(range(500))
