"""Where a contestant's destination ended: what it lacks of the source and of the schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from tests.bench.ground import opened, tables
from tests.bench.stock import Place

Structure = dict[str, set[Any]]


def lacks(source: Place, dest: Place, schema: Place) -> list[str]:
    """What is missing or wrong in the destination, in words; an empty list when it ended whole."""
    with opened(source) as there, opened(dest) as here, opened(schema) as model:
        wanted = tables(there)
        found = [
            *different_counts(there, here, wanted),
            *missing(structure(model, wanted), structure(here, wanted)),
        ]
        if not found:
            found += orphans(here, wanted) + not_valid(here)
    return found


def different_counts(
    there: BaseDatabaseWrapper, here: BaseDatabaseWrapper, wanted: Iterable[str]
) -> list[str]:
    """Tables whose rows are not as many as the source's."""
    present = set(tables(here))
    found = []
    for table in wanted:
        if table not in present:
            found.append(f"no table {table}")
        elif (rows := count(here, table)) != (expected := count(there, table)):
            found.append(f"{table}: {rows:,} rows instead of {expected:,}")
    return found


def count(connection: BaseDatabaseWrapper, table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return int(cursor.fetchone()[0])


def structure(connection: BaseDatabaseWrapper, wanted: Iterable[str]) -> Structure:
    """What a schema is made of, without names: they are a program's own choice."""
    kinds: Structure = {
        name: set()
        for name in ("primary keys", "indexes", "unique constraints", "foreign keys", "checks")
    }
    kinds["columns of their type"] = set()
    present = set(tables(connection))
    with connection.cursor() as cursor:
        for table in present & set(wanted):
            kinds["columns of their type"] |= set(column_types(connection, cursor, table))
            constraints = connection.introspection.get_constraints(cursor, table)
            for constraint in constraints.values():
                columns = tuple(constraint["columns"])
                kinds[kind(constraint)].add((table, columns, constraint["foreign_key"]))
    return kinds


def column_types(
    connection: BaseDatabaseWrapper, cursor: Any, table: str
) -> Iterator[tuple[str, str, Any]]:
    """Table, column and type; of MySQL's the exact one, since a DATETIME may cut fractions."""
    if connection.vendor == "mysql":
        cursor.execute(f"SHOW COLUMNS FROM {table}")
        yield from ((table, name, kind) for name, kind, *_ in cursor.fetchall())
        return
    for column in connection.introspection.get_table_description(cursor, table):
        yield table, column.name, column.type_code


def kind(constraint: dict[str, Any]) -> str:
    if constraint["primary_key"]:
        return "primary keys"
    if constraint["foreign_key"]:
        return "foreign keys"
    if constraint["check"]:
        return "checks"
    return "unique constraints" if constraint["unique"] else "indexes"


def missing(expected: Structure, found: Structure) -> list[str]:
    """How many of each kind are not there, with one of them for an example."""
    return [
        f"{len(gone)} of {len(wanted)} {name}, such as {sorted(map(str, gone))[0]}"
        for name, wanted in expected.items()
        if (gone := wanted - found[name])
    ]


def orphans(connection: BaseDatabaseWrapper, wanted: Iterable[str]) -> list[str]:
    """Foreign keys that lead nowhere."""
    found = []
    with connection.cursor() as cursor:
        for table in wanted:
            for column, (key, parent) in connection.introspection.get_relations(
                cursor, table
            ).items():
                cursor.execute(
                    f"SELECT count(*) FROM {table} c LEFT JOIN {parent} p ON c.{column} = p.{key} "
                    f"WHERE c.{column} IS NOT NULL AND p.{key} IS NULL"
                )
                if rows := cursor.fetchone()[0]:
                    found.append(f"{rows:,} orphans in {table}.{column}")
    return found


def not_valid(connection: BaseDatabaseWrapper) -> list[str]:
    """PostgreSQL's constraints that don't speak for the rows that are there already."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT conname FROM pg_constraint WHERE NOT convalidated")
        return [f"{name} is not validated" for (name,) in cursor.fetchall()]
