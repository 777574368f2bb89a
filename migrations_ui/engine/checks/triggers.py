"""Triggers of the destination: which are off during a run, which fire, and which never would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from migrations_ui.engine.checks.sides import Side, listed
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.firing import in_the_way
from migrations_ui.engine.layout import Layout

# By vendor, what keeps a trigger from firing that a run does not switch off.
REMEDIES = {
    "postgresql": "A run switches those off that this account owns, but for what may compute a "
    "column that is not copied. Where these do more than that: ALTER TABLE {table} DISABLE TRIGGER "
    "{name} as the table's owner before the run, and ENABLE TRIGGER after it.",
    "mysql": "MySQL and MariaDB can't switch a trigger off. If one does more than computing a "
    "column, or computes another value of what it has computed: keep what SHOW CREATE TRIGGER "
    "{name} says, DROP TRIGGER {name} before the run, and make it again after it.",
    "sqlite": "SQLite can't switch a trigger off. If one does more than computing a column, or "
    "computes another value of what it has computed: keep its statement (SELECT sql FROM "
    "sqlite_master), DROP TRIGGER {name} before the run, and make it again after it.",
}


def triggers(layouts: Sequence[Layout], source: Side, dest: Side) -> Iterator[Finding]:
    """What becomes of the destination's triggers."""
    off = {(one.table, one.name) for one in in_the_way(layouts, dest.database)}
    fires = dest.inspector.triggers(dest.tables)
    for table, names in by_table(one for one in fires if one in off):
        yield Finding(
            code="trigger-switched-off",
            severity=Severity.INFO,
            label=dest.labels.get(table, ""),
            table=table,
            message=f"{table} has triggers on the destination: {listed(names)}. A run switches "
            "them off while it wipes and writes rows, and on again as they were.",
            remedy="What they did for the site is in the source's rows. If one is to do something "
            "for these rows that the source has not, do it after the copy.",
        )
    for table, names in by_table(one for one in fires if one not in off):
        quote = dest.database.quote
        yield Finding(
            code="trigger-destination",
            severity=Severity.WARNING,
            label=dest.labels.get(table, ""),
            table=table,
            message=f"Triggers on {table} fire for every row that is deleted or written: "
            f"{listed(names)}. They may change the rows, or write others, which may be among those "
            "that are copied: the run would fail after the wipe, or its audit find differences.",
            remedy=REMEDIES[dest.database.vendor].format(table=quote(table), name=quote(names[0])),
        )
    for table, names in by_table(switched_off(source, dest)):
        yield Finding(
            code="trigger-disabled",
            severity=Severity.WARNING,
            label=dest.labels.get(table, ""),
            table=table,
            message=f"Triggers of {table} are switched off on the destination: {listed(names)}. "
            "What they are there for, the site will do without.",
            remedy="; ".join(switches_on(dest, table, name) for name in names) + ".",
        )


def switched_off(source: Side, dest: Side) -> list[tuple[str, str]]:
    """Table and name of the destination's triggers that never fire, unlike the source's."""
    as_well = {
        (source.labels.get(table), name)
        for table, name in source.inspector.disabled_triggers(source.tables)
    }
    return [
        (table, name)
        for table, name in dest.inspector.disabled_triggers(dest.tables)
        if (dest.labels.get(table), name) not in as_well
    ]


def switches_on(dest: Side, table: str, name: str) -> str:
    """The statement that switches a trigger on."""
    quote = dest.database.quote
    return f"ALTER TABLE {quote(table)} ENABLE TRIGGER {quote(name)}"


def by_table(found: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """The names of each table's triggers."""
    names: dict[str, list[str]] = {}
    for table, name in found:
        names.setdefault(table, []).append(name)
    return list(names.items())
