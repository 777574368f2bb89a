"""MySQL's timestamps: each session reads them in a time zone of its own, and Django sets none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from migrations_ui.engine.checks.sides import Side
from migrations_ui.engine.databases.base import Column
from migrations_ui.engine.databases.inspecting import UTC, Clock
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.layout import Layout


def timestamps(layouts: Iterable[Layout], source: Side, dest: Side) -> Iterator[Finding]:
    """Columns in which the site would find other times after the copy, which reads UTC."""
    clocks: dict[Side, Clock] = {}

    def clock(side: Side, column: Column) -> Clock:
        if column.type != "timestamp":
            return UTC
        if side not in clocks:
            clocks[side] = side.inspector.clock()
        return clocks[side]

    for layout in layouts:
        for column in layout.columns:
            there, here = clock(source, column.source), clock(dest, column.dest)
            if there.times == here.times:
                continue
            if there.times != UTC.times:
                yield shifted(layout, source, column.source, there)
            if here.times != UTC.times:
                yield shifted(layout, dest, column.dest, here)


def shifted(layout: Layout, side: Side, column: Column, clock: Clock) -> Finding:
    table = layout.source_name if side.role == "source" else layout.dest_name
    null = "" if column.nullable else " NOT NULL"
    quote = side.database.quote
    remedy = (
        f"Make it what Django makes, in a session with that time zone: ALTER TABLE {quote(table)} "
        f"MODIFY {quote(column.name)} datetime(6){null}."
    )
    if side.role == "destination":
        remedy += " Or set the server to UTC: SET GLOBAL time_zone = '+00:00'."
    return Finding(
        code="timestamp-shifted",
        severity=Severity.BLOCKER,
        label=layout.label,
        table=table,
        column=column.name,
        message=f"{column.name} is a timestamp on the {side.role}, which the site reads in its "
        f"server's time zone, {clock.name}. The copy reads and writes UTC: the site would find "
        "other times than before.",
        remedy=remedy,
    )
