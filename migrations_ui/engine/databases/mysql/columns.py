"""How MySQL and MariaDB store values."""

from __future__ import annotations

import re

from migrations_ui.engine.databases.base import Column
from migrations_ui.engine.kinds import Kind

STORAGES = {
    "tinyint": Kind.INTEGER,
    "smallint": Kind.INTEGER,
    "mediumint": Kind.INTEGER,
    "int": Kind.INTEGER,
    "bigint": Kind.INTEGER,
    "year": Kind.INTEGER,
    "bit": Kind.INTEGER,
    "decimal": Kind.DECIMAL,
    "float": Kind.FLOAT,
    "double": Kind.FLOAT,
    "char": Kind.TEXT,
    "varchar": Kind.TEXT,
    "tinytext": Kind.TEXT,
    "text": Kind.TEXT,
    "mediumtext": Kind.TEXT,
    "longtext": Kind.TEXT,
    "enum": Kind.TEXT,
    "set": Kind.TEXT,
    "binary": Kind.BINARY,
    "varbinary": Kind.BINARY,
    "tinyblob": Kind.BINARY,
    "blob": Kind.BINARY,
    "mediumblob": Kind.BINARY,
    "longblob": Kind.BINARY,
    "date": Kind.DATE,
    "time": Kind.TIME,
    "datetime": Kind.DATETIME,
    "timestamp": Kind.DATETIME,
    "json": Kind.JSON,
    "uuid": Kind.UUID,
    "inet4": Kind.IP,
    "inet6": Kind.IP,
}
# The mantissas of floats.
BITS = {"float": 24, "double": 53}


# A value of an enum, and what is escaped in it.
MEMBER = re.compile(r"'((?:[^']|'')*)'")
ESCAPED = re.compile(r"''|\\[0nr\\]")
PLAIN = {"''": "'", r"\0": "\0", r"\n": "\n", r"\r": "\r", r"\\": "\\"}


def enumerated(column_type: str) -> tuple[str, ...]:
    """The values of an enum."""
    found = MEMBER.findall(column_type)
    return tuple(ESCAPED.sub(lambda match: PLAIN[match[0]], value) for value in found)


def make_column(
    name: str,
    data_type: str,
    column_type: str,
    nullable: int,
    extra: str,
    precision: int | None,
    scale: int | None,
    fraction: int | None,
    length: int | None,
    charset: str | None,
    has_default: int,
    collation: str | None,
) -> Column:
    """A row of information_schema.columns as a column."""
    storage = STORAGES.get(data_type)
    return Column(
        name=name,
        type=data_type if data_type != "bit" else column_type,
        storage=storage,
        nullable=bool(nullable),
        generated="GENERATED" in extra.upper() and "DEFAULT_GENERATED" not in extra.upper(),
        precision=fraction
        if storage in (Kind.DATETIME, Kind.TIME)
        else BITS.get(data_type, precision),
        scale=scale if storage is Kind.DECIMAL else None,
        length=length,
        charset=charset or "",
        has_default=bool(has_default),
        collation=collation or "",
        unsigned="unsigned" in column_type,
        padded=data_type == "char",
        members=enumerated(column_type) if data_type == "enum" else (),
        auto_increment="auto_increment" in extra.lower(),
    )
