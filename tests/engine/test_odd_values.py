"""Values that a SQLite column was not declared for: on the destination they are a difference."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.kinds import is_odd
from migrations_ui.engine.verifying import compare_table
from tests.engine.conftest import OpenPair, plain_layout, run

# column: (its type in PostgreSQL and in SQLite, a value, the same as another type in SQLite)
ODD = {
    "text": ("text", "text", "'a'", "x'61'"),
    "text that ends like a mark": ("text", "text", "'a\\!'", "x'615c21'"),
    "integer": ("integer", "integer", "5", "x'35'"),
    "decimal": ("numeric(9, 2)", "decimal(9, 2)", "1.50", "x'312e3530'"),
    "date": ("date", "date", "'2020-01-01'", "x'323032302d30312d3031'"),
    "datetime": ("timestamp", "datetime", "'2020-01-01 00:00:00.000001'", "CAST(v AS BLOB)"),
    "bytes": ("bytea", "blob", "'A'", "'A'"),
}


@pytest.mark.parametrize("name", ODD)
def test_a_value_of_another_type_is_found_and_named(name: str, open_pair: OpenPair) -> None:
    there, here = open_pair("postgresql", "sqlite")
    theirs, ours, value, odd = ODD[name]
    run(there, f"CREATE TABLE t (id integer PRIMARY KEY, v {theirs})")
    run(there, f"INSERT INTO t VALUES (1, {value}), (2, {value}), (3, NULL)")
    run(here, f"CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v {ours})")
    layout = plain_layout(there, here, "t")
    copy_chunk(there, here, Chunk(layout), lambda rows: None)
    assert compare_table(layout, lambda: nullcontext((there, here))).is_identical
    run(here, f"UPDATE t SET v = {odd} WHERE id = 2")
    found = compare_table(layout, lambda: nullcontext((there, here)))
    (one,) = found.differences
    assert (one.what, one.key, one.column) == ("different", "2", "v")
    assert str(one.dest) == f"{one.source} (not of the column's kind)"


def test_an_odd_value_of_the_source_has_arrived_as_what_it_says(open_pair: OpenPair) -> None:
    there, here = open_pair("sqlite", "postgresql")
    run(there, "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v text, n integer, b blob)")
    run(there, "INSERT INTO t VALUES (1, x'61', x'35', 'A'), (2, x'5c', 7, x'00')")
    run(here, "CREATE TABLE t (id integer PRIMARY KEY, v text, n integer, b bytea)")
    layout = plain_layout(there, here, "t")
    copy_chunk(there, here, Chunk(layout), lambda rows: None)
    rows = [(key, v, n, bytes(b)) for key, v, n, b in here.query("SELECT * FROM t ORDER BY id")]
    assert rows == [(1, "a", 5, b"A"), (2, "\\", 7, b"\0")]
    assert compare_table(layout, lambda: nullcontext((there, here))).is_identical


@pytest.mark.parametrize(
    ("value", "odd"),
    [(b"5\\!", True), (b"\\!", True), (b"\\\\\\!", True), (b"a\\\\!", False), (b"a!", False)],
)
def test_a_text_that_ends_in_an_exclamation_mark_is_not_odd(value: bytes, odd: bool) -> None:
    assert is_odd(value) is odd
