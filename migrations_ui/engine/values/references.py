"""Rows that would lead nowhere by a foreign key that the destination has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from migrations_ui.engine.databases.base import Database, ForeignKey
from migrations_ui.engine.databases.inspecting import Inspector
from migrations_ui.engine.findings import Finding
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.layout import CopiedColumn, Layout
from migrations_ui.engine.values.hazards import Hazard
from migrations_ui.engine.values.readers import Reader, reader
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
        """The orphans in one table and those that it leaves, a finding for each foreign key."""
        name = layout.dest_name.lower()
        for key in self.keys:
            parent = self.layouts.get(key.parent.lower())
            if key.table.lower() == name and (children := copied(layout, key.columns)):
                if parent:
                    yield from self.in_source(layout, parent, key, children)
                else:
                    yield from self.not_in_dest(layout, key, children)
            elif key.parent.lower() == name and key.table.lower() not in self.layouts:
                yield from self.left_behind(layout, key)

    def in_source(
        self, layout: Layout, parent: Layout, key: ForeignKey, children: Columns
    ) -> Iterator[Finding]:
        """Both tables are copied: look for the parent beside the child."""
        if not (parents := copied(parent, key.parent_columns)):
            return
        names = tuple(column.source.name for column in children)
        if (layout.source_name, names, parent.source_name) in self.enforced:
            return
        if not self.any(layout, parent, children, parents):
            return
        quote = self.reader.database.quote
        table = quote(layout.source_name)
        rest = self.orphaned(table, table, parent, children, parents)
        if rows := int(self.reader.database.query(f"SELECT COUNT(*) {rest}")[0][0]):
            keys = Scan(layout, self.reader).keys(rest, f"{table}.")
            yield finding(layout, self.hazard(key), rows, keys)

    def any(self, layout: Layout, parent: Layout, children: Columns, parents: Columns) -> bool:
        """Whether there are orphans at all: each value is looked for once, not each row."""
        quote = self.reader.database.quote
        values = ", ".join(
            f"{self.reader.bytewise(column.source)} AS {quote(column.source.name)}"
            for column in children
        )
        different = f"(SELECT DISTINCT {values} FROM {quote(layout.source_name)}) child"
        rest = self.orphaned(different, "child", parent, children, parents)
        return bool(self.reader.database.query(f"SELECT 1 {rest} LIMIT 1"))

    def orphaned(
        self, child: str, name: str, parent: Layout, children: Columns, parents: Columns
    ) -> str:
        """SQL from FROM on for the rows of the child, which has this name, without a parent.

        A join, since MariaDB's cache for the results of subqueries takes "a" for "A".
        """
        quote = self.reader.database.quote
        present = " AND ".join(
            f"{name}.{quote(column.source.name)} IS NOT NULL" for column in children
        )
        absent = f"parent.{quote(parents[0].source.name)} IS NULL"
        return (
            f"FROM {child} LEFT JOIN {quote(parent.source_name)} parent "
            f"ON {self.matches(name, children, parents)} WHERE {present} AND {absent}"
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

    def not_in_dest(self, layout: Layout, key: ForeignKey, children: Columns) -> Iterator[Finding]:
        """The parent is not copied: look for it in the destination."""
        if len(children) != 1:
            return
        source, child = self.reader.database, children[0].source.name
        values = self.reader.stream(distinct(source, layout.source_name, child))
        absent = missing(values, self.target.database, key.parent, key.parent_columns[0])
        if not absent:
            return
        rows, keys = 0, list[str]()
        scan = Scan(layout, self.reader)
        name = source.quote(child)
        for part in parts(absent):
            listed = ", ".join(literal(source, value) for value in part)
            there = f"{scan.table} WHERE {name} IN ({listed})"
            rows += int(source.query(f"SELECT COUNT(*) FROM {there}")[0][0])
            keys += scan.keys(f"FROM {there}") if len(keys) < SAMPLES else ()
        hazard = self.hazard(key, "parent-not-copied")
        yield finding(layout, hazard, rows, tuple(keys[:SAMPLES]))

    def left_behind(self, layout: Layout, key: ForeignKey) -> Iterator[Finding]:
        """The child is not copied, and stays as it is in the destination."""
        parents = copied(layout, key.parent_columns)
        if len(parents) != 1:
            return
        dest, child = self.target.database, key.columns[0]
        values = reader(dest).stream(distinct(dest, key.table, child))
        parent = parents[0].source.name
        if absent := missing(values, self.reader.database, layout.source_name, parent):
            hazard = self.hazard(key, "child-left-behind")
            samples = tuple(str(value) for value in absent[:SAMPLES])
            yield finding(layout, hazard, len(absent), samples)

    def hazard(self, key: ForeignKey, code: str = "orphans") -> Hazard:
        columns = ", ".join(key.columns)
        parent = f"{key.parent}.{', '.join(key.parent_columns)}"
        facts = (("columns", columns), ("parent", parent), ("table", key.table))
        return Hazard(code, columns, "", None, facts)


def copied(layout: Layout, names: Sequence[str]) -> Columns:
    """The columns of a foreign key; none if they are not all copied."""
    by_name = {column.dest.name.lower(): column for column in layout.columns}
    found = [by_name[name.lower()] for name in names if name.lower() in by_name]
    return found if len(found) == len(names) else []


def distinct(database: Database, table: str, column: str) -> str:
    """The query for the different values of a column."""
    name = database.quote(column)
    return f"SELECT DISTINCT {name} FROM {database.quote(table)} WHERE {name} IS NOT NULL"


def missing(
    values: Iterable[tuple[Any, ...]], database: Database, table: str, column: str
) -> list[Any]:
    """Those of the values that the other database's table has not."""
    name = database.quote(column)
    absent = []
    for part in parts(value for (value,) in values):
        listed = ", ".join(literal(database, value) for value in part)
        sql = f"SELECT {name} FROM {database.quote(table)} WHERE {name} IN ({listed})"
        there = {plain(value) for (value,) in database.query(sql)}
        absent += [value for value in part if plain(value) not in there]
    return absent


def parts(values: Iterable[Any]) -> Iterator[list[Any]]:
    """The values, so many at a time."""
    remaining = iter(values)
    while part := list(islice(remaining, AT_ONCE)):
        yield part


def plain(value: object) -> str:
    """A key as text, a UUID without its dashes."""
    return str(value).replace("-", "").lower()


def literal(database: Database, value: object) -> str:
    """A key in SQL."""
    if isinstance(value, int):
        return str(value)
    text = str(value).replace("'", "''")
    return "'" + (text.replace("\\", "\\\\") if database.vendor == "mysql" else text) + "'"
