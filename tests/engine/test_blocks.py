"""Readers hand on blocks that are bounded by bytes, however wide the rows are."""

from __future__ import annotations

import pytest

from migrations_ui.engine.databases.base import BLOCK, FIRST_ROWS, MOST_ROWS, blocks
from tests.engine.conftest import OpenPair, insert, run, typed


@pytest.mark.parametrize("vendor", ["mysql", "sqlite", "postgresql"])
def test_wide_rows_come_few_at_a_time(open_pair: OpenPair, vendor: str) -> None:
    source, _ = open_pair(vendor, "sqlite")
    kind = "longtext" if vendor == "mysql" else "text"
    run(source, f"CREATE TABLE t (id integer PRIMARY KEY, v {kind})")
    insert(source, "t", [(number, "x" * 60_000) for number in range(400)])
    sizes: list[int] = []
    source.read("t", typed(source, "t"), lambda block: sizes.append(len(block)))
    assert sum(sizes) > 400 * 60_000
    assert max(sizes) <= FIRST_ROWS * 60_100
    assert max(sizes[1:]) <= 2 * BLOCK


def test_narrow_rows_come_many_at_a_time() -> None:
    rows = iter([[b"1"] * 100, [b"1"] * 2_000, [b"1"] * 7])
    asked: list[int] = []

    def fetch(at_once: int) -> list[bytes]:
        asked.append(at_once)
        return next(rows, [])

    assert b"".join(blocks(fetch, b"".join)) == b"1" * 2_107
    assert asked == [FIRST_ROWS, MOST_ROWS, MOST_ROWS, MOST_ROWS]
