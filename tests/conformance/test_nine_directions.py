"""Every field type, key shape, relation and name, with hostile values, from each vendor to each.

The project's own processes make both databases, fill the source and read both sides, through the
ORM and through the driver; the dashboard only runs its commands in between.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.conftest import Command, Host
from tests.conftest import MakeDatabase

VENDORS = ("postgresql", "mysql", "sqlite")


@pytest.mark.parametrize("dest", VENDORS)
@pytest.mark.parametrize("source", VENDORS)
def test_every_value_of_every_table_arrives(
    source: str, dest: str, make_database: MakeDatabase, host: Host, cutover: Command
) -> None:
    source_url, dest_url = make_database(source), make_database(dest)
    before = host(source_url, "fill", source, dest)
    host(dest_url, "stale", source, dest)

    copied = cutover(source_url, dest_url, "copydata", "--all", "--wipe", name(dest_url), "--json")
    assert copied.returncode == 0, copied.stderr + copied.stdout
    assert_reported(json.loads(copied.stdout), before["raw"])

    after = host(dest_url, "dump", source, dest)
    assert_same(before["orm"], after["orm"])
    assert_same(before["raw"], after["raw"])

    audited = cutover(source_url, dest_url, "auditdata", "--counts", "--json")
    assert audited.returncode == 0, audited.stderr + audited.stdout
    assert json.loads(audited.stdout)["tables"]

    for new in host(dest_url, "insert", source, dest):
        assert new["next"] > new["largest"], new


def name(url: str) -> str:
    """The destination's name as the operator has to type it; a SQLite file's is its base name."""
    return url.rpartition("/")[2]


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
