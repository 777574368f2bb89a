"""What a SQLite table calls the number that each of its rows has."""

from __future__ import annotations

import sqlite3

from migrations_ui.engine.databases.base import Database

# The first that no column of the table takes for itself is meant.
NAMES = ("rowid", "_rowid_", "oid")


def rowid_of(database: Database, connection: sqlite3.Connection, table: str) -> str | None:
    """The name by which the rows' numbers are read; None where there are none to be read."""
    taken = "SELECT 1 FROM pragma_table_xinfo(?) WHERE lower(name) = ?"
    for name in NAMES:
        with database.errors_of(taken):
            if connection.execute(taken, [table, name]).fetchone():
                continue
        try:
            connection.execute(f"SELECT {name} FROM {database.quote(table)} LIMIT 0")
        except sqlite3.OperationalError:  # a table without rowid
            return None
        return name
    return None
