"""Rows whose foreign key leads nowhere, or to a row that is left out, are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from django.db.models import Field, ForeignKey

from dashboard.demo.models import Domain
from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database, RowFilter, Rows
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.layout import layouts
from migrations_ui.engine.transforms import parse, transformed
from tests.engine.conftest import VENDORS, OpenPair, insert, named, run, table_of

NUMBER = "id integer NOT NULL PRIMARY KEY"
TEXT = "varchar(9) CHARACTER SET utf8mb4 COLLATE"


def reference(column: str, **options: Any) -> Field[Any, Any]:
    """A foreign key that stands alone and leads to the table of the demo's domains."""
    field = named(
        ForeignKey, column.removesuffix("_id"), to=Domain, on_delete=lambda *rest: None, **options
    )
    field.column, field.model = column, Domain
    return field


def left(
    source: Database, dest: Database, fields: Mapping[str, Sequence[str]], *choices: str
) -> dict[str, list[Any]]:
    """The keys in the destination's tables after a copy; `fields` are the tables' foreign keys."""
    tables = [
        table_of(name, fields=[reference(column) for column in columns])
        for name, columns in fields.items()
    ]
    found, _ = layouts(tables, source, dest)
    assert len(found) == len(tables)
    dest.prepare_load()
    for layout in transformed(found, map(parse, choices), source):
        copy_chunk(source, dest, Chunk(layout), lambda rows: None)
        assert source.count(layout.source_name, layout.rows) == dest.count(layout.dest_name)
    return {
        name: [key for (key,) in dest.query(f"SELECT id FROM {name} ORDER BY id")]
        for name in fields
    }


@pytest.mark.parametrize("vendor", VENDORS)
def test_rows_that_lead_nowhere_are_left_out(open_pair: OpenPair, vendor: str) -> None:
    source, dest = open_pair(vendor, "sqlite")
    run(source, f"CREATE TABLE registry_domain ({NUMBER})")
    for database in (source, dest):
        run(database, f"CREATE TABLE pid ({NUMBER}, domain_id integer)")
    insert(source, "registry_domain", [(1,), (2,)])
    insert(source, "pid", [(1, 1), (2, 7), (3, None), (4, 2), (5, 8)])
    found = left(source, dest, {"pid": ["domain_id"]}, "pid.domain_id=skip-orphans")
    assert found == {"pid": [1, 3, 4]}


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_tree_loses_whole_branches(open_pair: OpenPair, vendor: str) -> None:
    source, dest = open_pair(vendor, "sqlite")
    for database in (source, dest):
        run(database, f"CREATE TABLE registry_domain ({NUMBER}, up_id integer)")
    rows = [(1, None), (2, 1), (3, 3), (4, 5), (5, 4)]  # a circle leads to rows that are there
    insert(source, "registry_domain", [*rows, (6, 99), (7, 6), (8, 7), (9, 8), (10, 2)])
    fields = {"registry_domain": ["up_id"]}
    found = left(source, dest, fields, "registry_domain.up_id=skip-orphans")
    assert found == {"registry_domain": [1, 2, 3, 4, 5, 10]}


@pytest.mark.parametrize("vendor", VENDORS)
def test_children_of_what_is_left_out_are_left_out(open_pair: OpenPair, vendor: str) -> None:
    source, dest = open_pair(vendor, "sqlite")
    for database in (source, dest):
        run(
            database,
            f"CREATE TABLE registry_domain ({NUMBER}, up_id integer, other_id integer)",
            f"CREATE TABLE pid ({NUMBER}, domain_id integer)",
        )
    insert(source, "registry_domain", [(1, None, 1), (2, 9, None), (3, 2, 1), (4, 1, 8), (5, 4, 1)])
    insert(source, "pid", [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, None), (7, 77)])
    fields = {"registry_domain": ["up_id", "other_id"], "pid": ["domain_id"]}
    choices = (
        "pid.domain_id=skip-orphans",
        "registry_domain.up_id=skip-orphans",
        "registry_domain.other_id=skip-orphans",
    )
    found = left(source, dest, fields, *choices)
    assert found == {"registry_domain": [1], "pid": [1, 6]}


@pytest.mark.parametrize("collation", ["utf8mb4_bin", "utf8mb4_general_ci"])
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_text_in_another_case_leads_nowhere_where_the_destination_says_so(
    open_pair: OpenPair, vendor: str, collation: str
) -> None:
    """MariaDB's cache of subqueries would take "A" for the "a" that it has looked for before."""
    source, dest = open_pair("mysql", vendor)
    run(
        source,
        f"CREATE TABLE registry_domain (id {TEXT} {collation} PRIMARY KEY)",
        f"CREATE TABLE pid ({NUMBER}, domain_id {TEXT} utf8mb4_general_ci)",
    )
    exact = f"{TEXT} utf8mb4_bin" if vendor == "mysql" else "varchar(9)"
    run(dest, f"CREATE TABLE pid ({NUMBER}, domain_id {exact})")
    insert(source, "registry_domain", [("a",), ("b",)])
    insert(source, "pid", [(1, "a"), (2, "A"), (3, "a"), (4, "b"), (5, "B"), (6, None)])
    found = left(source, dest, {"pid": ["domain_id"]}, "pid.domain_id=skip-orphans")
    assert found == {"pid": [1, 3, 4, 6]}


def test_a_foreign_key_that_may_lead_nowhere_is_no_reason_to_leave_out_rows(
    open_pair: OpenPair,
) -> None:
    source, dest = open_pair("sqlite", "sqlite")
    for database in (source, dest):
        run(database, f"CREATE TABLE pid ({NUMBER}, domain_id integer)")
    fields = [reference("domain_id", db_constraint=False)]
    found, _ = layouts([table_of("pid", fields=fields)], source, dest)
    with pytest.raises(EngineError, match="lets this foreign key lead nowhere"):
        transformed(found, [parse("pid.domain_id=skip-orphans")], source)


def test_postgresql_looks_up_by_hash_what_is_left_out_of_a_tree(open_pair: OpenPair) -> None:
    """Row by row it would take hours where much of a large table is left out."""
    source, _ = open_pair("postgresql", "sqlite")
    run(source, f"CREATE TABLE tree ({NUMBER}, up integer)")
    run(source, "INSERT INTO tree SELECT n, n / 2 FROM generate_series(1, 20000) n", "ANALYZE tree")
    rows = source.from_("tree", Rows((RowFilter("up", "tree", "id"),)))
    plan = [line for (line,) in source.query(f"EXPLAIN SELECT 1 FROM {rows}")]
    (looked_up,) = (line for line in plan if "gone" not in line and "NOT (" in line.split("OR")[-1])
    assert "hashed SubPlan" in looked_up  # since 17 in other words, with its columns
    assert source.count("tree", Rows((RowFilter("up", "tree", "id"),))) == 0
