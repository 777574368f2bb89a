"""Comparing columns that a database computes itself."""

from __future__ import annotations

import pytest

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.comparing import RowDifference
from migrations_ui.engine.copying import copy_chunk
from tests.engine.conftest import DIRECTIONS, OpenPair, insert, layout_of, run
from tests.engine.test_verifying import compared


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_a_value_that_only_the_destination_computes_is_compared(
    source: str, dest: str, open_pair: OpenPair
) -> None:
    there, here = open_pair(source, dest)
    run(there, "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, twice integer)")
    computed = "twice integer GENERATED ALWAYS AS (id * 2) STORED"
    run(here, f"CREATE TABLE t (id integer NOT NULL PRIMARY KEY, {computed})")
    run(there, "INSERT INTO t VALUES (1, 2), (2, 5)")
    layout, _ = layout_of(there, here, "t")
    copy_chunk(there, here, Chunk(layout), lambda rows: None)
    (one,) = compared(there, here, layout).differences
    assert (one.key, one.column, one.source, one.dest) == ("2", "twice", "5", "4")
    run(there, "UPDATE t SET twice = NULL")  # it has no values: see `generated-not-copied`
    assert compared(there, here, layout).is_identical


def test_what_is_computed_differently_leaves_room_for_what_differs(
    open_pair: OpenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migrations_ui.engine.comparing.KEPT", 4)
    monkeypatch.setattr("migrations_ui.engine.comparing.KEPT_COMPUTED", 2)
    monkeypatch.setattr("migrations_ui.engine.verifying.PART", 5)
    there, here = open_pair("sqlite", "postgresql")
    more = "more integer GENERATED ALWAYS AS"
    table = f"CREATE TABLE t (id integer NOT NULL PRIMARY KEY, a integer, {more}"
    run(there, f"{table} (id + 2) STORED)")
    run(here, f"{table} (id + 3) STORED)")
    insert(there, "t", [(number, number) for number in range(1, 21)])
    layout, _ = layout_of(there, here, "t")
    copy_chunk(there, here, Chunk(layout), lambda rows: None)
    run(here, "UPDATE t SET a = 0 WHERE id IN (5, 20)")
    told: list[RowDifference] = []
    found = compared(there, here, layout, found=told.append)
    assert (found.computed, found.different) == (18, 2)
    assert [row.key for row in told] == [b"5", b"20"]
    kept = [(one.what, one.key, one.column) for one in found.differences]
    assert kept == [
        ("different", "5", "a"),
        ("different", "5", "more"),
        ("different", "20", "a"),
        ("different", "20", "more"),
    ]
    assert [one.key for one in found.computed_differences] == ["1", "2"]
