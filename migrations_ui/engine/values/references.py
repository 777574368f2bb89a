"""Rows that would lead nowhere by a foreign key that the destination has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import islice
from typing import Any

from migrations_ui.engine.databases.base import Database, ForeignKey, RowFilter, Rows
from migrations_ui.engine.databases.inspecting import Inspector
from migrations_ui.engine.findings import Finding
from migrations_ui.engine.layout import CopiedColumn, Layout
from migrations_ui.engine.transforms import is_exact
from migrations_ui.engine.values.hazards import Hazard
from migrations_ui.engine.values.readers import Reader, reader
from migrations_ui.engine.values.scan import SAMPLES, Scan, finding
from migrations_ui.engine.values.targets import Target

AT_ONCE = 1_000

Columns = list[CopiedColumn]


@dataclass(eq=False)
class Edge:
    """A foreign key of the destination between two tables that are copied."""

    key: ForeignKey
    child: Layout
    parent: Layout
    children: Columns
    parents: Columns
    orphans: int = 0  # rows that lead nowhere

    @property
    def filter(self) -> RowFilter:
        """What leaves out the rows that lead nowhere."""
        child, parent = self.children[0], self.parents[0]
        return RowFilter(
            child.source.name, self.parent.source_name, parent.source.name, is_exact(child)
        )

    def hazard(self, code: str) -> Hazard:
        return hazard(self.key, code)


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
        self.edges = list(self.between_copied())
        self.enforced = self.enforced_by_source(there, [layout.source_name for layout in layouts])

    def over(self, reader: Reader, target: Target) -> References:
        """The same, over connections of another thread."""
        other = copy(self)
        other.reader, other.target = reader, target
        return other

    def between_copied(self) -> Iterator[Edge]:
        """The keys whose both ends are copied, of one column: Django makes no others."""
        for key in self.keys:
            child = self.layouts.get(key.table.lower())
            parent = self.layouts.get(key.parent.lower())
            if child and parent:
                children = copied(child, key.columns)
                parents = copied(parent, key.parent_columns)
                if len(children) == len(parents) == 1:
                    yield Edge(key, child, parent, children, parents)

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
        for edge in self.edges:
            if edge.child is layout:
                yield from self.in_source(edge)
        name = layout.dest_name.lower()
        for key in self.keys:
            if key.table.lower() == name and key.parent.lower() not in self.layouts:
                yield from self.not_in_dest(layout, key, copied(layout, key.columns))
            elif key.parent.lower() == name and key.table.lower() not in self.layouts:
                yield from self.left_behind(layout, key)

    def in_source(self, edge: Edge) -> Iterator[Finding]:
        """Both tables are copied: look for the parent beside the child."""
        layout, parent = edge.child, edge.parent
        names = tuple(column.source.name for column in edge.children)
        if (layout.source_name, names, parent.source_name) in self.enforced:
            return
        if not self.any(layout, parent, edge.children, edge.parents):
            return
        quote = self.reader.database.quote
        table = quote(layout.source_name)
        rest = self.orphaned(table, table, parent, edge.children, edge.parents)
        edge.orphans = int(self.reader.database.query(f"SELECT COUNT(*) {rest}")[0][0])
        if edge.orphans:
            keys = Scan(layout, self.reader).keys(rest, f"{table}.")
            yield finding(layout, edge.hazard("orphans"), edge.orphans, keys)

    def any(self, layout: Layout, parent: Layout, children: Columns, parents: Columns) -> bool:
        """Whether there are orphans at all: where values repeat, each is looked for once."""
        quote = self.reader.database.quote
        table = quote(layout.source_name)
        names = [column.source.name for column in children]
        if self.reader.database.repeats(layout.source_name, names):
            values = ", ".join(
                f"{self.reader.bytewise(column.source)} AS {quote(column.source.name)}"
                for column in children
            )
            table = f"(SELECT DISTINCT {values} FROM {table})"
        rest = self.orphaned(f"{table} child", "child", parent, children, parents)
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
        if self.reader.folds_texts:
            # The first comparison uses the index, the second one tells "a" from "A".
            exactly = self.reader.database.exactly
            equal += [
                f"{exactly(child)} = {exactly(other)}"
                for (child, other), column in zip(pairs, children, strict=True)
                if is_exact(column)
            ]
        return " AND ".join(equal)

    def not_in_dest(self, layout: Layout, key: ForeignKey, children: Columns) -> Iterator[Finding]:
        """The parent is not copied: look for it in the destination."""
        if len(children) != 1:
            return
        source, child = self.reader.database, children[0].source.name
        values = self.reader.stream(distinct(source, layout.source_name, child))
        dest = self.target.database
        absent = missing(values, dest, dest.quote(key.parent), key.parent_columns[0])
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
        yield finding(layout, hazard(key, "parent-not-copied"), rows, tuple(keys[:SAMPLES]))

    def left_behind(
        self, layout: Layout, key: ForeignKey, filters: tuple[RowFilter, ...] = ()
    ) -> Iterator[Finding]:
        """The child is not copied, and stays as it is in the destination."""
        parents = copied(layout, key.parent_columns)
        if len(parents) != 1:
            return
        dest, source = self.target.database, self.reader.database
        values = reader(dest).stream(distinct(dest, key.table, key.columns[0]))
        column = parents[0].source.name
        there = source.from_(layout.source_name, Rows(filters))
        kept = f"(SELECT {source.quote(column)} FROM {there}) kept"
        if absent := missing(values, source, kept, column):
            samples = tuple(str(value) for value in absent[:SAMPLES])
            yield finding(layout, hazard(key, "child-left-behind"), len(absent), samples)

    def left_behind_by(self, filters: Mapping[str, tuple[RowFilter, ...]]) -> Iterator[Finding]:
        """Children that are not copied, of rows that these filters leave out."""
        for key in self.keys:
            layout = self.layouts.get(key.parent.lower())
            if layout and key.table.lower() not in self.layouts and layout.source_name in filters:
                yield from self.left_behind(layout, key, filters[layout.source_name])


def hazard(key: ForeignKey, code: str) -> Hazard:
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
    values: Iterable[tuple[Any, ...]], database: Database, rows: str, column: str
) -> list[Any]:
    """Those of the values that the other database has not in these rows, given as SQL."""
    name = database.quote(column)
    absent = []
    for part in parts(value for (value,) in values):
        listed = ", ".join(literal(database, value) for value in part)
        sql = f"SELECT {name} FROM {rows} WHERE {name} IN ({listed})"
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
