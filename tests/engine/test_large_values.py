"""Values larger than any buffer, and larger than what MySQL takes in one statement."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases import mysql
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import RowRefused
from migrations_ui.engine.rejecting import Allowance, Rejects
from tests.conftest import MakeDatabase
from tests.engine.conftest import OpenDatabase, OpenPair, insert, plain_layout, run

TYPES = {
    "postgresql": ("text", "bytea"),
    "mysql": ("longtext", "longblob"),
    "sqlite": ("text", "blob"),
}
MEGABYTE = 1024 * 1024


def made(database: Database) -> Database:
    text, blob = TYPES[database.vendor]
    run(database, f"CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v {text}, b {blob})")
    database.prepare_load()
    return database


def rows_of(database: Database) -> list[tuple[int, str, bytes]]:
    found = database.query("SELECT id, v, b FROM t ORDER BY id")
    return [(key, text, bytes(blob)) for key, text, blob in found]


def test_large_texts_and_blobs_arrive_from_each_vendor_to_the_next(
    open_database: OpenDatabase, make_database: MakeDatabase
) -> None:
    """MariaDB's packet has 16 MB out of the box, which is no limit where rows go by LOAD DATA."""
    vendors = ("sqlite", "mysql", "postgresql", "mysql", "sqlite")
    databases = [made(open_database(make_database(vendor))) for vendor in vendors]
    blob = random.Random(1).randbytes(20 * MEGABYTE)
    rows = [(1, "é\\\t\n" * MEGABYTE, b""), (2, "", blob), (3, "x" * 5 * MEGABYTE, b"\0")]
    insert(databases[0], "t", rows)
    for one, other in pairwise(databases):
        layout = plain_layout(one, other, "t")
        assert copy_chunk(one, other, Chunk(layout), lambda rows: None) == 3
        assert rows_of(other) == rows


def test_a_row_larger_than_the_packet_is_named_where_rows_go_by_insert(
    open_pair: OpenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql.Database, "loads_from_file", False)
    one, other = map(made, open_pair("sqlite", "mysql"))
    ((packet,),) = other.query("SELECT @@max_allowed_packet")
    rows = [(number, "short", b"") for number in range(20)]
    insert(one, "t", [*rows, (20, "x" * packet, b""), (21, "last", b"")])
    layout = plain_layout(one, other, "t")
    with pytest.raises(RowRefused, match=r"key 20.*max_allowed_packet"):
        copy_chunk(one, other, Chunk(layout), lambda rows: None)
    assert other.count("t") == 0

    rejects = Rejects(Allowance(1))
    assert copy_chunk(one, other, Chunk(layout), lambda rows: None, rejects) == 21
    assert [rejected.key for rejected in rejects.found] == ["20"]
