"""Rows that would lead nowhere by a foreign key that the destination has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from migrations_ui.engine.databases.base import Database, ForeignKey
from migrations_ui.engine.databases.inspecting import Inspector
from migrations_ui.engine.findings import Finding
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.layout import CopiedColumn, Layout
from migrations_ui.engine.values.hazards import Hazard
from migrations_ui.engine.values.readers import Reader
from migrations_ui.engine.values.scan import SAMPLES, Scan, finding
from migrations_ui.engine.values.targets import Target

AT_ONCE = 1_000

Columns = list[CopiedColumn]


class References:
    """Follows the destination's foreign keys in the source's rows.

    A parent that is not in the selection stays as it is in the destination, so there it is looked
    for.
    """

    def __init__(
        self, layouts: Sequence[Layout], reader: Reader, there: Inspector, target: Target
    ) -> None:
        self.reader = reader
        self.target = target
        self.layouts = {layout.dest_name.lower(): layout for layout in layouts}
        self.keys = target.database.foreign_keys([layout.dest_name for layout in layouts])
        self.enforced = self.enforced_by_source(there, [layout.source_name for layout in layouts])

    def enforced_by_source(
        self, there: Inspector, tables: Sequence[str]
    ) -> set[tuple[str, tuple[str, ...], str]]:
        """The foreign keys that the source itself never lets anybody violate.

        In MySQL and SQLite that is a setting of the connection, and was off in many an import.
        """
        if self.reader.database.vendor != "postgresql":
            return set()
        invalid = set(there.invalid_foreign_keys(tables))
        return {
            (key.table, key.columns, key.parent)
            for key in self.reader.database.foreign_keys(tables)
            if (key.table, key.name) not in invalid
        }

    def check(self, layout: Layout) -> Iterator[Finding]:
        """The orphans in one table, a finding for each foreign key."""
        for key in self.keys:
            if key.table.lower() != layout.dest_name.lower():
                continue
            if not (children := copied(layout, key.columns)):
                continue
            if parent := self.layouts.get(key.parent.lower()):
                yield from self.in_source(layout, parent, key, children)
            else:
                yield from self.in_dest(layout, key, children)

    def in_source(
        self, layout: Layout, parent: Layout, key: ForeignKey, children: Columns
    ) -> Iterator[Finding]:
        """Both tables are copied: look for the parent beside the child."""
        if not (parents := copied(parent, key.parent_columns)):
            return
        names = tuple(column.source.name for column in children)
        if (layout.source_name, names, parent.source_name) in self.enforced:
            return
        quote = self.reader.database.quote
        table = quote(layout.source_name)
        orphaned = (
            f"{present(quote, names, table)} AND NOT EXISTS (SELECT 1 FROM "
            f"{quote(parent.source_name)} parent WHERE {self.matches(table, children, parents)})"
        )
        if not self.any(layout, parent, children, parents):
            return
        scan = Scan(layout, self.reader)
        if not (rows := scan.counts([orphaned])[0]):
            return
        keys = scan.keys(f"FROM {table} WHERE {orphaned}")
        yield finding(layout, self.hazard(key, orphaned), rows, keys)

    def any(self, layout: Layout, parent: Layout, children: Columns, parents: Columns) -> bool:
        """Whether there are orphans at all: each value is looked for once, not each row."""
        database = self.reader.database
        quote, names = database.quote, [column.source.name for column in children]
        values = ", ".join(
            f"{self.reader.bytewise(column.source)} AS {quote(column.source.name)}"
            for column in children
        )
        table = quote(layout.source_name)
        return bool(
            database.query(
                f"SELECT 1 FROM (SELECT DISTINCT {values} FROM {table} "
                f"WHERE {present(quote, names, table)}) child WHERE NOT EXISTS (SELECT 1 FROM "
                f"{quote(parent.source_name)} parent "
                f"WHERE {self.matches('child', children, parents)}) LIMIT 1"
            )
        )

    def matches(self, table: str, children: Columns, parents: Columns) -> str:
        """SQL that compares a child with `parent` as the destination will."""
        quote = self.reader.database.quote
        pairs = [
            (f"{table}.{quote(child.source.name)}", f"parent.{quote(other.source.name)}")
            for child, other in zip(children, parents, strict=True)
        ]
        equal = [f"{child} = {other}" for child, other in pairs]
        if self.reader.folds_texts and self.target.vendor != "mysql":
            # The first comparison uses the index, the second one tells "a" from "A".
            equal += [
                f"CAST({child} AS BINARY) = CAST({other} AS BINARY)"
                for (child, other), column in zip(pairs, children, strict=True)
                if column.kind is Kind.TEXT
            ]
        return " AND ".join(equal)

    def in_dest(self, layout: Layout, key: ForeignKey, children: Columns) -> Iterator[Finding]:
        """The parent is not copied: look for it in the destination."""
        if len(children) != 1:
            return
        source, dest = self.reader.database, self.target.database
        child = children[0]
        name, table = source.quote(child.source.name), source.quote(layout.source_name)
        sql = f"SELECT DISTINCT {name} FROM {table} WHERE {name} IS NOT NULL"
        values = [value for (value,) in source.query(sql)]
        absent = [
            value
            for start in range(0, len(values), AT_ONCE)
            for value in missing(values[start : start + AT_ONCE], dest, key)
        ]
        if absent:
            yield self.absent(layout, key, child, absent)

    def absent(
        self, layout: Layout, key: ForeignKey, child: CopiedColumn, values: list[Any]
    ) -> Finding:
        """Rows whose parent the destination has not."""
        source = self.reader.database
        name, table = source.quote(child.source.name), source.quote(layout.source_name)
        rows, keys = 0, list[str]()
        scan = Scan(layout, self.reader)
        for start in range(0, len(values), AT_ONCE):
            part = ", ".join(literal(value) for value in values[start : start + AT_ONCE])
            rest = f"FROM {table} WHERE {name} IN ({part})"
            rows += int(source.query(f"SELECT COUNT(*) {rest}")[0][0])
            if len(keys) < SAMPLES:
                keys += scan.keys(rest)
        return finding(layout, self.hazard(key, ""), rows, tuple(keys[:SAMPLES]))

    def hazard(self, key: ForeignKey, predicate: str) -> Hazard:
        columns = ", ".join(key.columns)
        parent = f"{key.parent}.{', '.join(key.parent_columns)}"
        return Hazard(
            "orphans", columns, predicate, None, (("columns", columns), ("parent", parent))
        )


def copied(layout: Layout, names: Sequence[str]) -> Columns:
    """The columns of a foreign key; none if they are not all copied."""
    by_name = {column.dest.name.lower(): column for column in layout.columns}
    found = [by_name[name.lower()] for name in names if name.lower() in by_name]
    return found if len(found) == len(names) else []


def present(quote: Any, names: Sequence[str], table: str) -> str:
    return " AND ".join(f"{table}.{quote(name)} IS NOT NULL" for name in names)


def missing(values: list[Any], dest: Database, key: ForeignKey) -> list[Any]:
    """Those of the values that the destination's parent has not."""
    column, parent = dest.quote(key.parent_columns[0]), dest.quote(key.parent)
    listed = ", ".join(literal(value) for value in values)
    found = dest.query(f"SELECT {column} FROM {parent} WHERE {column} IN ({listed})")
    there = {plain(value) for (value,) in found}
    return [value for value in values if plain(value) not in there]


def plain(value: object) -> str:
    """A key as text, a UUID without its dashes."""
    return str(value).replace("-", "").lower()


def literal(value: object) -> str:
    """A key in SQL."""
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
