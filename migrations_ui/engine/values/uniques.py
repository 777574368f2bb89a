"""Values that are unique in the source and would not be in the destination."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from itertools import count

from migrations_ui.engine.databases.inspecting import Index, Inspector
from migrations_ui.engine.errors import RowRefused
from migrations_ui.engine.findings import Finding
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.layout import CopiedColumn, Layout
from migrations_ui.engine.values.collations import Comparison
from migrations_ui.engine.values.hazards import Hazard
from migrations_ui.engine.values.readers import Reader
from migrations_ui.engine.values.scan import Scan, finding
from migrations_ui.engine.values.targets import Target


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
        seen = set()
        for names in self.here.get(layout.dest_name, []):
            columns = [by_name.get(name) for name in names]
            if names in seen or any(column is None for column in columns):
                continue
            seen.add(names)
            yield from self.clashes(layout, [column for column in columns if column])

    def clashes(self, layout: Layout, columns: Sequence[CopiedColumn]) -> Iterator[Finding]:
        """Rows that the destination would not hold apart in these columns."""
        guaranteed = self.guaranteed(layout, columns)
        if folded := [column for column in columns if self.folds(column, guaranteed)]:
            yield from self.on_the_destination(layout, columns, folded)
        elif not guaranteed:
            yield from self.duplicates(layout, columns)

    def guaranteed(self, layout: Layout, columns: Sequence[CopiedColumn]) -> bool:
        """Whether the source itself keeps these columns, or some of them, unique."""
        names = {column.source.name.lower() for column in columns}
        return any(names >= set(key) for key in self.there.get(layout.source_name, []))

    def folds(self, column: CopiedColumn, guaranteed: bool) -> bool:
        """Whether the destination's collation may hold texts equal that the source tells apart."""
        there, here = column.source.collation, column.dest.collation
        if not here or column.kind not in (Kind.TEXT, Kind.IP, Kind.JSON):
            return False
        return not (guaranteed and there == here) and here != "utf8mb4_0900_bin"

    def on_the_destination(
        self, layout: Layout, columns: Sequence[CopiedColumn], texts: Sequence[CopiedColumn]
    ) -> Iterator[Finding]:
        """Let the destination's server compare, if there is a text at all that may be folded."""
        comparison = Comparison(layout, columns, texts, self.reader)
        if self.guaranteed(layout, columns):
            sql = f"SELECT 1 FROM {comparison.table} WHERE {comparison.odd()} LIMIT 1"
            if not self.reader.database.query(sql):
                return
        try:
            name = f"cutover_unique_{next(self.numbers)}"
            rows, samples = comparison.clashes(self.target.database, name)
        except RowRefused:
            return  # a value that doesn't fit is a finding of its own
        if rows:
            collation = texts[0].dest.collation
            yield self.finding(layout, "unique-clash", columns, rows, samples, collation=collation)

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


def whole(indexes: Sequence[Index]) -> dict[str, list[tuple[str, ...]]]:
    """The columns, in lower case, of the unique indexes of each table that hold for all rows."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for index in indexes:
        if index.unique and index.valid and not index.partial and None not in index.columns:
            names = tuple(str(name).lower() for name in index.columns)
            found.setdefault(index.table, []).append(names)
    return found
