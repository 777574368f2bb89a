"""What the destination takes: the limits of its types, its checks, and what its server says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from functools import cached_property

from migrations_ui.engine.databases.base import Column, Database
from migrations_ui.engine.databases.inspecting import Check, Inspector, inspect
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.values.readers import IN_BYTES

BITS = {
    "smallint": 16,
    "integer": 32,
    "bigint": 64,
    "tinyint": 8,
    "mediumint": 24,
    "int": 32,
}
WIDTH = re.compile(r"\((\d+)\)")
# MySQL nests JSON 100 deep, MariaDB less; PostgreSQL and SQLite deeper than anybody writes.
MYSQL_DEPTH = 100
MARIADB_DEPTH = 31
# The rest of a statement with one value in it.
AROUND_A_VALUE = 64 * 1024
EPOCH = "1970-01-01 00:00:01"


class Checks:
    """The check constraints of one side, as far as they are about a single column."""

    def __init__(self, inspector: Inspector, tables: Sequence[str]) -> None:
        self.found: dict[str, list[Check]] = {}
        for check in inspector.checks(tables):
            if check.valid:
                self.found.setdefault(check.table, []).append(check)

    def positive(self, table: str, column: Column) -> bool:
        """Whether a check keeps the column's numbers from being negative, whatever else holds."""
        return self.says(table, column, r"^(?!.*\bor\b).*{}['\"`\s)]*>=\s*0\b")

    def json(self, table: str, column: Column) -> bool:
        """Whether a check keeps the column's texts valid JSON."""
        return self.says(table, column, r"json_valid\s*\(\s*['\"`(]*{}\W")

    def says(self, table: str, column: Column, pattern: str) -> bool:
        about = pattern.format(rf"(?<!\w){re.escape(column.name)}(?!\w)")
        return any(
            re.search(about, check.definition, re.IGNORECASE | re.DOTALL)
            for check in self.found.get(table, ())
        )


class Target:
    """The destination, as far as values may not fit into it."""

    def __init__(self, database: Database, tables: Sequence[str]) -> None:
        self.database = database
        self.vendor = database.vendor
        self.time_zone = database.time_zone
        self.inspector = inspect(database)
        self.checks = Checks(self.inspector, tables)
        self.tables = tables

    def over(self, database: Database) -> Target:
        """The same destination, over a connection of another thread."""
        other = copy(self)
        other.database, other.inspector = database, inspect(database)
        return other

    def characters(self, column: Column) -> int | None:
        """How many characters a text may have; None: as many as you like."""
        if self.vendor == "sqlite" or column.type in IN_BYTES:
            return None
        return column.length

    def octets(self, column: Column) -> int | None:
        """How many bytes a text or a blob may have; None: as many as you like."""
        return column.length if self.vendor == "mysql" and column.type in IN_BYTES else None

    @cached_property
    def entries(self) -> dict[tuple[str, str], int]:
        """How many bytes a value may have at most in an index, by table and column."""
        return {
            (index.table, name): index.most
            for index in self.inspector.indexes(self.tables)
            for name in index.columns
            if index.most is not None and name is not None
        }

    def entry(self, table: str, column: Column) -> int | None:
        """How many bytes the column's values may have in an index; None: as many as you like."""
        return self.entries.get((table, column.name))

    @cached_property
    def packet(self) -> int | None:
        """How many bytes a value may have in a statement; None where no statement holds values."""
        settings = self.inspector.settings()
        if settings.packet is None or settings.loads_from_file:
            return None
        return settings.packet - AROUND_A_VALUE

    @cached_property
    def json_depth(self) -> int | None:
        """How deep JSON may be nested; None: as deep as you like."""
        if self.vendor != "mysql":
            return None
        if self.database.product != "MariaDB":
            return MYSQL_DEPTH
        nested = "[" * (MARIADB_DEPTH + 1) + "]" * (MARIADB_DEPTH + 1)
        deeper = self.database.query(f"SELECT JSON_VALID('{nested}')")[0][0]
        return None if deeper else MARIADB_DEPTH

    @cached_property
    def refused_variants(self) -> list[str]:
        """The ninth bytes, in hex, with which MariaDB refuses a UUID of version 8 to 15.

        It stores some UUIDs with their bytes exchanged and has to tell them from the others; the
        rule changed between versions, so the server is asked.
        """
        octets = [f"{octet:02x}" for octet in range(256)]
        casts = ", ".join(
            f"CAST('00000000-0000-8000-{octet}00-000000000001' AS UUID) IS NULL" for octet in octets
        )
        refused = self.database.query(f"SELECT {casts}")[0]
        return [octet for octet, is_refused in zip(octets, refused, strict=True) if is_refused]

    def integers(self, table: str, column: Column) -> tuple[int, int]:
        """The least and the largest integer that the column takes."""
        least, most = integers(column, self.vendor)
        return (0, most) if self.checks.positive(table, column) else (least, most)

    def takes_json_only(self, table: str, column: Column) -> bool:
        return column.storage is Kind.JSON or self.checks.json(table, column)


def timestamps(database: Database) -> tuple[str, str]:
    """The first and the last moment, in UTC, that MySQL's type timestamp holds.

    MariaDB counts seconds without a sign since 11.5, where the machine has 64 bits: it is asked.
    """
    later = "SELECT UNIX_TIMESTAMP('2100-01-01')"  # which MySQL knows, but does not hold
    if database.product == "MariaDB" and database.query(later)[0][0]:
        return EPOCH, "2106-02-07 06:28:15.999999"
    return EPOCH, "2038-01-19 03:14:07.999999"


def integers(column: Column, vendor: str) -> tuple[int, int]:
    """The least and the largest integer of a type; SQLite's are all of 64 bits."""
    if vendor != "sqlite" and column.type == "year":
        return 0, 2155
    if vendor != "sqlite" and column.type.startswith("bit"):
        width = WIDTH.search(column.type)
        return 0, 2 ** int(width[1] if width else 1) - 1
    bits = 64 if vendor == "sqlite" else BITS.get(column.type, 64)
    if column.unsigned:
        return 0, 2**bits - 1
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
