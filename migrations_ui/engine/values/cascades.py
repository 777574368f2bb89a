"""Rows that lead to rows which will not be there: left out by choice, or refused.

What leads nowhere itself stays out of it: that is a finding of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from migrations_ui.engine.databases import filters
from migrations_ui.engine.databases.base import RowFilter
from migrations_ui.engine.findings import Finding
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.transforms import Choice, Transform, nested
from migrations_ui.engine.values.hazards import WORDS, Hazard
from migrations_ui.engine.values.readers import Reader
from migrations_ui.engine.values.references import Edge, References
from migrations_ui.engine.values.scan import Scan, finding, possible

CHILD = "child"


class Cascades:
    """Follows what is left out and what is refused down the foreign keys."""

    def __init__(self, references: References, reader: Reader) -> None:
        self.references = references
        self.reader = reader
        self.quote = reader.database.quote

    def check(self, refused: Mapping[str, Sequence[Hazard]]) -> Iterator[Finding]:
        """The findings; `refused` has the hazards of each table, by label, that rows have."""
        yield from self.left_out()
        for edge in self.references.edges:
            for hazard in refused.get(edge.parent.label, ()):
                yield from self.of_refused(edge, hazard)

    # -- Left out ---------------------------------------------------------------------------------

    def left_out(self) -> Iterator[Finding]:
        """What leads to rows that can only be left out, however far below them it is.

        Orphans must be left out for a run to start, so what leads to them must be as well.
        """
        chosen = {edge for edge in self.references.edges if edge.orphans}
        while more := {edge for edge in self.below(chosen) if self.count(edge, chosen, first=True)}:
            chosen |= more
        for edge in self.references.edges:
            if edge in chosen and (rows := self.count(edge, chosen)):
                keys = Scan(edge.child, self.reader).keys(self.lost(edge, chosen), f"{CHILD}.")
                yield finding(edge.child, edge.hazard("parent-left-out"), rows, keys)
        if chosen:
            yield from self.references.left_behind_by(self.chosen_filters(chosen))

    def below(self, chosen: set[Edge]) -> set[Edge]:
        """The keys that lead to a table with rows that are left out, and are not chosen yet."""
        tables = {edge.child.source_name for edge in chosen}
        edges = self.references.edges
        return {edge for edge in edges if edge not in chosen and edge.parent.source_name in tables}

    def count(self, edge: Edge, chosen: set[Edge], *, first: bool = False) -> int:
        """How many rows lead to what is left out; of `first`, whether there are any."""
        rest = self.lost(edge, chosen | {edge})
        sql = f"SELECT COUNT(*) {rest}"
        if first:
            sql = f"SELECT COUNT(*) FROM (SELECT 1 AS there {rest} LIMIT 1) found"
        return int(self.reader.database.query(sql)[0][0])

    def lost(self, edge: Edge, chosen: set[Edge]) -> str:
        """SQL from FROM on for the rows whose parent is there, but left out with its like."""
        database, table = self.reader.database, edge.child.source_name
        every = self.chosen_filters(chosen)[table]
        plain = filters.has_parent(database, CHILD, edge.filter, 0)
        stays = {
            one: " AND ".join(filters.single(database, table, CHILD, one, every)) for one in every
        }
        own = next(one for one in every if one.column == edge.filter.column)
        lost = [f"NOT ({stays.pop(own)})", plain, *stays.values()]
        return f"FROM {self.quote(table)} {CHILD} WHERE {' AND '.join(lost)}"

    def chosen_filters(self, chosen: set[Edge]) -> dict[str, tuple[RowFilter, ...]]:
        """The filters that choosing these keys makes, by table."""
        found: dict[str, list[RowFilter]] = {}
        for edge in self.references.edges:
            if edge in chosen:
                found.setdefault(edge.child.source_name, []).append(edge.filter)
        return {table: nested(found, table) for table in found}

    # -- Refused ----------------------------------------------------------------------------------

    def of_refused(self, edge: Edge, hazard: Hazard) -> Iterator[Finding]:
        """What leads to rows that the destination would refuse for this reason."""
        parent, key = self.quote(edge.parent.source_name), self.quote(edge.filter.parent_column)
        refused = f"(SELECT {key} FROM {parent} WHERE {hazard.predicate}) refused"
        matches = filters.matches(self.reader.database, CHILD, "refused", edge.filter)
        rest = f"FROM {self.quote(edge.child.source_name)} {CHILD} JOIN {refused} ON {matches}"
        if rows := int(self.reader.database.query(f"SELECT COUNT(*) {rest}")[0][0]):
            keys = Scan(edge.child, self.reader).keys(rest, f"{CHILD}.")
            facts = (*edge.hazard("").facts, ("cause", f"{hazard.column} ({hazard.code})"))
            below = replace(edge.hazard("parent-refused"), facts=facts)
            found = finding(edge.child, below, rows, keys)
            yield replace(found, overcome_by=overcoming(edge.parent, hazard))


def overcoming(layout: Layout, hazard: Hazard) -> tuple[str, ...]:
    """The choices by which the rows of a hazard are not refused."""
    return tuple(
        str(Choice(layout.label, hazard.column, Transform(name)))
        for name in possible(WORDS[hazard.code].transforms, layout, hazard.column)
    )
