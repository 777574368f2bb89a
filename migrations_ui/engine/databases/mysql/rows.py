"""Canonical rows as MySQL and MariaDB write and take them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from migrations_ui.engine.databases.base import Column, TypedColumn, kept
from migrations_ui.engine.errors import RowRefused
from migrations_ui.engine.kinds import NULL, Kind, escape

LONG_LENGTH = 1_024
LONG_TYPES = {"text", "mediumtext", "longtext", "blob", "mediumblob", "longblob", "json"}


# Errors of an INSERT that say nothing about its rows: shutdown, connections, locks, space.
NOT_ABOUT_A_ROW = {1021, 1040, 1053, 1105, 1114, 1180, 1205, 1213, 1290, 1317, 1792, 1927, 1969}
CLIENT_ERRORS = range(2000, 3000)
# What takes the place of NUL: in a text, and in JSON's own words.
REPLACEMENTS = {"strip-nul": (b"", b""), "replace-nul": (b"\xef\xbf\xbd", rb"\\ufffd")}
# \u0000 after an even number of backslashes, which are kept: an odd one more escapes a backslash.
JSON_NUL = rb"(?<!\\)((?:\\\\)*)\\u0000"
JSON_KEPT = rb"\1"
AT_ROW = re.compile(r" at row (\d+)$")


PLAIN_NUMBER = re.compile(rb"-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?")


FOR_COLUMN = re.compile(r"[Cc]olumn '((?:[^']|'')+)'|column `[^`]*`\.`[^`]*`\.`([^`]+)`")


def transformed(sql: str, column: TypedColumn) -> str:
    """SQL for the column's text after its declared transform."""
    replacement = REPLACEMENTS.get(column.transform)
    if replacement is not None and column.kind is Kind.JSON:
        return f"REGEXP_REPLACE({sql}, {literal(JSON_NUL)}, {literal(JSON_KEPT + replacement[1])})"
    if replacement is not None:
        return f"REPLACE(CAST({sql} AS BINARY), x'00', {literal(replacement[0])})"
    if column.transform == "zero-date-null":
        return f"IF(MONTH({sql}) = 0 OR DAYOFMONTH({sql}) = 0, NULL, {sql})"
    if column.transform == "truncate-microseconds":
        length, zeros = kept(column)
        return f"CONCAT(LEFT({sql}, {length}), '{zeros}')"
    return sql


def is_text(column: TypedColumn) -> bool:
    """Whether the value may hold characters that a canonical row escapes."""
    return column.column.storage in (Kind.TEXT, Kind.JSON, Kind.IP) or column.kind is Kind.NATIVE


def is_long(column: Column) -> bool:
    """Whether values may be too long for the server to format; many short ones are bounded."""
    return column.type in LONG_TYPES or (column.length or 0) > LONG_LENGTH


def is_binary(column: TypedColumn) -> bool:
    return column.kind is Kind.BINARY


def literal(value: bytes) -> str:
    """A string literal of a few ASCII characters, whatever they are."""
    return f"x'{value.hex()}'"


def literal_of(name: str, column: Column) -> str:
    """SQL that gives a literal of the column's value, in the database's own SQL."""
    if column.storage in (Kind.INTEGER, Kind.DECIMAL):
        return f"CAST({name} AS CHAR)"  # a quoted number would be compared as a float
    if column.storage is Kind.BINARY:
        return f"CONCAT('x''', HEX({name}), '''')"
    # In hex, because a quote or a backslash in it may mean something to the session.
    text = f"CONVERT({name} USING utf8mb4)" if column.charset else f"CAST({name} AS CHAR)"
    return f"CONCAT('_utf8mb4 x''', HEX({text}), '''')"


def key_literal(column: TypedColumn, value: bytes) -> str:
    """A literal of a canonical value, which is not escaped: numbers plain, the rest in hex."""
    numeric = column.column.storage in (Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT)
    if numeric and PLAIN_NUMBER.fullmatch(value):
        return value.decode()  # quoted, it would be compared as a float
    if column.column.storage is Kind.BINARY:
        return f"x'{value.decode()}'"
    return f"_utf8mb4 {literal(value)}"


def block(rows: Sequence[tuple[bytes | None, ...]]) -> bytes:
    """Rows of `row_expression` as canonical rows."""
    lines = [row[0] if row[0] is not None else formatted(row) for row in rows]
    return b"\n".join(lines) + b"\n"


def formatted(row: tuple[bytes | None, ...]) -> bytes:
    """A row that the server did not format, because it is too large."""
    _, binary, *values = row
    flags = binary or b""
    return b"\t".join(
        NULL if value is None else value.hex().encode() if flag == ord("1") else escape(value)
        for flag, value in zip(flags, values, strict=True)
    )


def load_targets(columns: Sequence[TypedColumn], quote: Any) -> tuple[list[str], list[str]]:
    """The column list of LOAD DATA, and its SET clause for values that need a function."""
    targets, settings = [], []
    for index, (kind, column, *_) in enumerate(columns):
        name = quote(column.name)
        if kind is Kind.BINARY:
            targets.append(f"@c{index}")
            settings.append(f"{name} = UNHEX(@c{index})")
        elif column.type.startswith("bit"):
            targets.append(f"@c{index}")
            settings.append(f"{name} = CAST(@c{index} AS UNSIGNED)")
        else:
            targets.append(name)
    return targets, settings


def insert_form(column: TypedColumn) -> bytes:
    """The form of a column's value in INSERT."""
    if column.kind is Kind.BINARY:
        return b"UNHEX('%b')"
    if column.column.type.startswith("bit"):
        return b"CAST('%b' AS UNSIGNED)"
    return b"'%b'"


def feed(write_end: int, rows: bytes) -> None:
    """Write the rows into the pipe; a reader that has gone away tells its own story."""
    with os.fdopen(write_end, "wb", buffering=0) as pipe:
        view = memoryview(rows)
        try:
            while view:
                view = view[pipe.write(view) :]
        except BrokenPipeError:
            pass


def refusal(message: str, before: int = 0) -> RowRefused:
    """The server's refusal: its message, with the row counted in the batch and the column."""
    row, column = AT_ROW.search(message), FOR_COLUMN.search(message)
    return RowRefused(
        message,
        line=before + int(row[1]) if row else None,
        column=(column[1] or column[2]) if column else "",
    )
