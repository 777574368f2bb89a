"""Tables that can't be copied because a side does not have them, in words."""

from __future__ import annotations

from collections.abc import Iterator

from migrations_ui.engine.catalog import Table
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.findings import Finding, Severity


def missing_table(
    table: Table, source: Database, dest: Database, *, on_source: bool, on_dest: bool
) -> Iterator[Finding]:
    """Say on which side the table is missing, if on any."""
    if not on_source and not on_dest and not is_no_table(table, source):
        yield finding(
            table,
            "table-missing-both",
            f"Neither side has the table {table.names[0]}: there is nothing to copy. A model of "
            "another vendor, of another database, or that was never migrated has none.",
            "If its rows should be in the source, check that this is the right database.",
        )
        return
    if not on_source:
        yield finding(
            table,
            "table-missing-source",
            f"The table {table.names[0]} is missing in the source{instead(table, source)}.",
            "Check that this is the right database and the right version of the code.",
        )
    if not on_dest:
        yield finding(
            table,
            "table-missing-destination",
            f"The table {table.names[0]} is missing in the destination{instead(table, dest)}.",
            "Run `manage.py migrate --database dest`.",
        )


def is_no_table(table: Table, database: Database) -> bool:
    """Whether something else than a table has the name."""
    return bool(database.columns(table.names[:1]))


def instead(table: Table, database: Database) -> str:
    """What is there in the table's place, if anything is."""
    if not is_no_table(table, database):
        return ""
    return ", which has a view or a virtual table of that name; its rows can't be copied"


def finding(table: Table, code: str, message: str, remedy: str) -> Finding:
    return Finding(
        code=code,
        severity=Severity.BLOCKER,
        label=table.label,
        table=table.names[0],
        message=message,
        remedy=f"{remedy} Or leave {table.label} out of the selection.",
    )
