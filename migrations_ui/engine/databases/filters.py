"""SQL for declared filters: rows that lead to a row which stays, and rows that lead to none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from migrations_ui.engine.databases.facts import RowFilter


class Dialect(Protocol):
    """What a vendor's SQL has of its own."""

    def quote(self, name: str) -> str:
        """An identifier for use in a statement."""

    def exactly(self, sql: str) -> str:
        """SQL for a text such that equal means the same bytes."""


def conditions(
    sql: Dialect, table: str, name: str, filters: Sequence[RowFilter], depth: int = 0
) -> list[str]:
    """SQL conditions for the rows of the table, which goes by this name, that the filters leave.

    A parent that its own filters leave out counts as missing.  Where a table refers to itself, so
    do the children of what is left out, and their children.
    """
    return [
        condition for one in filters for condition in single(sql, table, name, one, filters, depth)
    ]


def single(
    sql: Dialect,
    table: str,
    name: str,
    one: RowFilter,
    filters: Sequence[RowFilter],
    depth: int = 0,
) -> list[str]:
    """SQL conditions for the rows that one of the filters leaves; it is among `filters`."""
    found = [has_parent(sql, name, one, depth)]
    if one.parent == table:
        found.append(not_below(sql, table, name, one, filters))
    return found


def has_parent(sql: Dialect, name: str, one: RowFilter, depth: int) -> str:
    """SQL: the row leads nowhere, deliberately (NULL), or to a row of the parent that stays."""
    parent = sql.quote(f"parent_{depth}")
    above = conditions(sql, one.parent, parent, one.above, depth + 1)
    where = " AND ".join([matches(sql, name, parent, one), *above])
    child = f"{name}.{sql.quote(one.column)}"
    return (
        f"({child} IS NULL OR EXISTS (SELECT 1 FROM {sql.quote(one.parent)} {parent} "
        f"WHERE {where}))"
    )


def matches(sql: Dialect, child: str, parent: str, one: RowFilter) -> str:
    """SQL: a row of the child refers to that row of the parent."""
    left = f"{child}.{sql.quote(one.column)}"
    right = f"{parent}.{sql.quote(one.parent_column)}"
    # The first comparison uses the index, the second one tells "a" from "A".
    exact = f" AND {sql.exactly(left)} = {sql.exactly(right)}" if one.exact else ""
    return f"{left} = {right}{exact}"


def not_below(
    sql: Dialect,
    table: str,
    name: str,
    one: RowFilter,
    filters: Sequence[RowFilter],
) -> str:
    """SQL: no row above this one in its own table is left out."""
    own = [other for other in filters if other.parent == table]
    keys = list(dict.fromkeys(other.parent_column for other in own))
    listed = ", ".join(f"row_.{sql.quote(key)} AS {sql.quote(key)}" for key in keys)
    stays = " AND ".join(has_parent(sql, "row_", other, 0) for other in filters)
    below = " OR ".join(f"({matches(sql, 'row_', 'gone', other)})" for other in own)
    key, child = sql.quote(one.parent_column), f"{name}.{sql.quote(one.column)}"
    # DISTINCT has PostgreSQL expect few, and so look them up by hash, not one after the other.
    return (
        f"({child} IS NULL OR {child} NOT IN (WITH RECURSIVE gone AS ("
        f"SELECT {listed} FROM {sql.quote(table)} row_ WHERE NOT ({stays}) "
        f"UNION SELECT {listed} FROM {sql.quote(table)} row_ JOIN gone ON {below}) "
        f"SELECT DISTINCT {key} FROM gone WHERE {key} IS NOT NULL))"
    )
