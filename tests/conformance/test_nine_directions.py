"""Every field type, key shape, relation and name, with hostile values, from each vendor to each.

The project's own processes make both databases, fill the source and read both sides, through the
ORM and through the driver; the dashboard only runs its commands in between.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.conftest import Move

VENDORS = ("postgresql", "mysql", "sqlite")


@pytest.mark.parametrize("dest", VENDORS)
@pytest.mark.parametrize("source", VENDORS)
def test_every_value_of_every_table_arrives(source: str, dest: str, move: Move) -> None:
    moved = move(source, dest)
    assert_same(moved.before["orm"], moved.after["orm"])
    assert_same(moved.before["raw"], moved.after["raw"])
    assert_reported(moved.report, moved.before["raw"])
    for new in moved.inserted:
        assert new["next"] > new["largest"], new


def test_what_only_postgresql_has_arrives_in_another_postgresql(move: Move) -> None:
    """Arrays, ranges, search vectors, types of extensions, enumerations, domains, exclusions."""
    moved = move("postgresql", "postgresql", settings="tests.conformance.elephant_settings")
    assert_same(moved.before["orm"], moved.after["orm"])
    assert_same(moved.before["raw"], moved.after["raw"])
    assert moved.inserted == []  # what must be refused after the cutover is


@pytest.mark.parametrize(
    ("settings", "source", "dest"),
    [
        ("naive", "postgresql", "mysql"),
        ("naive", "postgresql", "sqlite"),
        ("naive", "mysql", "postgresql"),
        ("naive", "sqlite", "postgresql"),
        ("berlin", "mysql", "postgresql"),
        ("berlin", "postgresql", "sqlite"),
    ],
)
def test_times_around_a_change_of_the_clocks_arrive(
    settings: str, source: str, dest: str, move: Move
) -> None:
    moved = move(source, dest, settings=f"tests.conformance.{settings}_settings")
    assert_same(moved.before["orm"], moved.after["orm"])
    assert_same(moved.before["raw"], moved.after["raw"])
    assert {found["next"] for found in moved.inserted} == {1}


def assert_same(source: dict[str, Any], dest: dict[str, Any]) -> None:
    """The same tables with the same rows; the message shows the rows that differ, not all."""
    assert source.keys() == dest.keys()
    for label, rows in source.items():
        there, here = set(map(tuple, rows)), set(map(tuple, dest[label]))
        lost, found = sorted(there - here)[:5], sorted(here - there)[:5]
        assert (lost, found) == ([], []), f"{label}: lost and found"
        assert len(rows) == len(dest[label]), label


def assert_reported(report: dict[str, Any], source: dict[str, Any]) -> None:
    """`copydata --json` names every table, with the counts that are really there."""
    assert report["status"] == "succeeded"
    tables = {table["label"].lower(): table for table in report["tables"]}
    assert tables.keys() == {label.lower() for label in source}
    for label, rows in source.items():
        table = tables[label.lower()]
        counts = {table[key] for key in ("source_rows", "dest_rows", "copied_rows")}
        assert counts == {len(rows)}, table
        assert table["rejected_rows"] == 0
    assert report["rows"] == sum(len(rows) for rows in source.values())
