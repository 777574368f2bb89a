"""Values that are unique in the source and would not be in the destination."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from itertools import count, zip_longest
from types import MappingProxyType

from migrations_ui.engine.databases.inspecting import Index, Inspector
from migrations_ui.engine.errors import RowRefused
from migrations_ui.engine.findings import Finding
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.layout import CopiedColumn, Layout
from migrations_ui.engine.values.collations import EXACT, Comparison, clashes_in_sqlite
from migrations_ui.engine.values.hazards import Hazard
from migrations_ui.engine.values.readers import Reader
from migrations_ui.engine.values.scan import Scan, finding
from migrations_ui.engine.values.targets import Target

TEXTS = (Kind.TEXT, Kind.IP, Kind.JSON)
NOTHING: Mapping[CopiedColumn, str] = MappingProxyType({})
# The columns of a unique index, in lower case, and what folds each (see `Index.folds`).
Unique = tuple[tuple[str, str], ...]


class Uniques:
    """Compares what must be unique on the two sides."""

    def __init__(
        self, layouts: Sequence[Layout], reader: Reader, there: Inspector, target: Target
    ) -> None:
        self.reader = reader
        self.target = target
        self.numbers = count(1)
        unique_there = there.indexes([layout.source_name for layout in layouts])
        self.here = whole(target.inspector.indexes([layout.dest_name for layout in layouts]))
        self.there = whole(unique_there)

    def over(self, reader: Reader, target: Target) -> Uniques:
        """The same, over connections of another thread."""
        other = copy(self)
        other.reader, other.target = reader, target
        return other

    def check(self, layout: Layout) -> Iterator[Finding]:
        """The clashes in one table, a finding for each uniqueness."""
        by_name = {column.dest.name.lower(): column for column in layout.columns}
        for unique in dict.fromkeys(self.here.get(layout.dest_name, [])):
            columns = [by_name[name] for name, _ in unique if name in by_name]
            if len(columns) == len(unique):
                yield from self.clashes(layout, columns, [folds for _, folds in unique])

    def clashes(
        self, layout: Layout, columns: Sequence[CopiedColumn], folds: Sequence[str]
    ) -> Iterator[Finding]:
        """Rows that the destination would not hold apart in these columns.

        `folds` are the collations of the index, where these and not the columns' decide.
        """
        guaranteed = self.guaranteed(layout, columns)
        by_index = {c: f for c, f in zip(columns, folds, strict=True) if f and c.kind in TEXTS}
        if by_index and not self.guaranteed(layout, columns, by_index):
            yield from self.by_sqlite(layout, columns, by_index)
        elif folded := [column for column in columns if self.folds(column, guaranteed)]:
            yield from self.on_the_destination(layout, columns, folded)
        elif not guaranteed:
            yield from self.duplicates(layout, columns)

    def guaranteed(
        self,
        layout: Layout,
        columns: Sequence[CopiedColumn],
        by_index: Mapping[CopiedColumn, str] = NOTHING,
    ) -> bool:
        """Whether the source itself keeps these columns, or some of them, unique.

        Under these collations, if some are given.
        """
        named = {column.source.name.lower(): by_index.get(column, "") for column in columns}
        return any(
            all(name in named and named[name] in ("", folds) for name, folds in unique)
            for unique in self.there.get(layout.source_name, [])
        )

    def folds(self, column: CopiedColumn, guaranteed: bool) -> bool:
        """Whether the destination's collation may hold texts equal that the source tells apart."""
        there, here = column.source.collation, column.dest.collation
        if not here or column.kind not in TEXTS:
            return False
        return not (guaranteed and there == here) and here != "utf8mb4_0900_bin"

    def on_the_destination(
        self, layout: Layout, columns: Sequence[CopiedColumn], texts: Sequence[CopiedColumn]
    ) -> Iterator[Finding]:
        """Let the destination's server compare, if there is a text at all that may be folded."""
        comparison = Comparison(layout, columns, texts, self.reader)
        if self.guaranteed(layout, columns) and not comparison.may_clash():
            return
        try:
            name = f"cutover_unique_{next(self.numbers)}"
            rows, samples = comparison.clashes(self.target.database, name)
        except RowRefused:
            return  # a value that doesn't fit is a finding of its own
        if rows:
            collation = texts[0].dest.collation
            facts = {"collation": collation, "exact": EXACT[self.target.database.product]}
            yield self.finding(layout, "unique-clash", columns, rows, samples, **facts)

    def by_sqlite(
        self,
        layout: Layout,
        columns: Sequence[CopiedColumn],
        by_index: Mapping[CopiedColumn, str],
    ) -> Iterator[Finding]:
        """Let SQLite compare, in this process, if there is a text at all that may be folded."""
        comparison = Comparison(layout, columns, list(by_index), self.reader)
        if self.guaranteed(layout, columns) and not comparison.may_clash():
            return
        rows, samples = clashes_in_sqlite(comparison, list(by_index.values()))
        if rows:
            facts = {"collation": next(iter(by_index.values())), "exact": "BINARY"}
            yield self.finding(layout, "unique-clash", columns, rows, samples, **facts)

    def duplicates(self, layout: Layout, columns: Sequence[CopiedColumn]) -> Iterator[Finding]:
        """Equal rows in the source, which does not say that they must be unique."""
        values = [self.reader.bytewise(column.source) for column in columns]
        rows, keys = Scan(layout, self.reader).repeated(values)
        if rows:
            yield self.finding(layout, "duplicate", columns, rows, keys)

    def finding(
        self,
        layout: Layout,
        code: str,
        columns: Sequence[CopiedColumn],
        rows: int,
        keys: tuple[str, ...],
        **facts: object,
    ) -> Finding:
        names = ", ".join(column.dest.name for column in columns)
        facts["columns"] = names
        return finding(layout, Hazard(code, names, "", None, tuple(facts.items())), rows, keys)


def whole(indexes: Sequence[Index]) -> dict[str, list[Unique]]:
    """The unique indexes of each table that hold for all rows."""
    found: dict[str, list[Unique]] = {}
    for index in indexes:
        if index.unique and index.valid and not index.partial and None not in index.columns:
            names = (str(name).lower() for name in index.columns)
            unique = tuple(zip_longest(names, index.folds, fillvalue=""))
            found.setdefault(index.table, []).append(unique)
    return found
