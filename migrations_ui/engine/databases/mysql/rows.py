"""Canonical rows as MySQL and MariaDB write and take them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Self

from migrations_ui.engine.databases.base import Column, TypedColumn, kept
from migrations_ui.engine.errors import RowRefused
from migrations_ui.engine.kinds import ESCAPES, NULL, Kind

LONG_LENGTH = 1_024
LONG_TYPES = {"text", "mediumtext", "longtext", "blob", "mediumblob", "longblob", "json"}
# What is bytes: also what has no kind, vectors and geometries, which the server gives and takes so.
IN_HEX = {Kind.BINARY, Kind.NATIVE}
# What ends a cell and a row, and what stands for NULL, until texts are escaped: bytes that UTF-8
# never has.
CELL, ROW, VOID = b"\xfe", b"\xfd", b"\xff"
ENDS = bytes.maketrans(CELL + ROW, b"\t\n")


# Character sets that are UTF-8 already, and what besides gives every byte a character.
UTF8 = {"", "utf8mb4", "utf8mb3", "utf8", "ascii"}
WHOLE = UTF8 | {"latin1"}

# MariaDB's types of addresses.
ADDRESSES = {"inet4", "inet6"}

# Errors of an INSERT that say nothing about its rows: shutdown, connections, locks, space.
NOT_ABOUT_A_ROW = {1021, 1040, 1053, 1105, 1114, 1180, 1205, 1213, 1290, 1317, 1792, 1927, 1969}
NOT_ABOUT_A_ROW |= {1020, 3169, 4031}
# Errors with which MySQL ends LOAD DATA because of a row, without saying which, where MariaDB
# warns: a text that is no UTF-8, and what is no JSON, or too deep or too large for it.
ABOUT_A_ROW = {1300, *range(3140, 3158)}
CLIENT_ERRORS = range(2000, 3000)
# What takes the place of NUL: in a text, and in JSON's own words.
REPLACEMENTS = {"strip-nul": (b"", b""), "replace-nul": (b"\xef\xbf\xbd", rb"\ufffd")}
AT_ROW = re.compile(r" at row (\d+)$")


PLAIN_NUMBER = re.compile(rb"-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?")


# MySQL puts the table before the column of what is no JSON, MariaDB the database and the table
# before any.
FOR_COLUMN = re.compile(
    r"in value for column '[^.]*\.([^']+)'|[Cc]olumn '((?:[^']|'')+)'"
    r"|column `[^`]*`\.`[^`]*`\.`([^`]+)`"
)


def transformed(sql: str, column: TypedColumn) -> str:
    """SQL for the column's text after its declared transform."""
    replacement = REPLACEMENTS.get(column.transform)
    if replacement is not None and column.kind is Kind.JSON:
        return without_json_nul(sql, replacement[1])
    if replacement is not None:
        return f"REPLACE(CAST({sql} AS BINARY), x'00', {literal(replacement[0])})"
    if column.transform == "zero-date-null":
        return f"IF(MONTH({sql}) = 0 OR DAYOFMONTH({sql}) = 0, NULL, {sql})"
    if column.transform == "truncate-microseconds":
        length, zeros = kept(column)
        return f"CONCAT(LEFT({sql}, {length}), '{zeros}')"
    return sql


def without_json_nul(sql: str, replacement: bytes) -> str:
    """SQL for JSON's text with another escape, or none, for NUL's.

    Escaped backslashes are put aside meanwhile, under a byte that UTF-8 never has: one of them
    before `u0000` makes no NUL of it.  No regular expression: those of MySQL and of MariaDB differ
    in what they put in for a group.
    """
    text = f"CAST({sql} AS BINARY)"
    for old, new in ((rb"\\", ROW), (rb"\u0000", replacement), (ROW, rb"\\")):
        text = f"REPLACE({text}, {literal(old)}, {literal(new)})"
    return text


def is_long(column: Column) -> bool:
    """Whether values may be too long for a function; of short ones a row has no room for many."""
    is_own = column.storage is None  # whatever their declared length is
    return is_own or column.type in LONG_TYPES or (column.length or 0) > LONG_LENGTH


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


def text(name: str, column: Column) -> str:
    """SQL for a text in UTF-8, or for one that makes `NoRow` if it can't be had."""
    if column.charset in UTF8:
        return name
    converted = f"CONVERT({name} USING utf8mb4)"
    if column.charset in WHOLE:
        return converted
    return f"CONCAT({converted}, IF({unmapped(name, column.charset)}, {binary(CELL)}, ''))"


def unmapped(name: str, charset: str) -> str:
    """SQL: a text has bytes to which its character set gives no character.

    MySQL takes and keeps them, and converts each to a question mark, U+FFFD or nothing.  That the
    way back leads to other bytes does not say it alone: some sets have a character twice.
    """
    converted = f"CONVERT({name} USING utf8mb4)"
    back = f"CAST(CONVERT({converted} USING {charset}) AS BINARY)"
    left = f"REPLACE(REPLACE({converted}, '?', ''), _utf8mb4 x'EFBFBD', '')"
    return (
        f"({back} <> CAST({name} AS BINARY) "
        f"AND CHAR_LENGTH({left}) <> CHAR_LENGTH(REPLACE({name}, '?', '')))"
    )


class NoRow(Exception):
    """The server gave something else than one value for each cell."""


@dataclass(frozen=True)
class RowForm:
    """How rows are asked for, and made canonical rows.

    The server joins the cells of short values, which spares both sides most of the work, and gives
    long ones alone: functions give NULL, with a mere warning, when their result exceeds
    max_allowed_packet.  Escaping is done here, in a block of rows at once, which takes a fraction
    of what REPLACE takes for each value there.
    """

    sql: str  # columns of a SELECT, each with one or more cells
    cells: int
    blobs: tuple[int, ...]  # the columns that are bytes, and become hex

    @classmethod
    def of(cls, cells: Sequence[tuple[TypedColumn, str, str]]) -> Self:
        """The form of rows of these columns, each with SQL for its name and for its text."""
        parts: list[str] = []
        blobs: list[int] = []
        for is_alone, group in groupby(cells, key=lambda cell: is_long(cell[0].column)):
            if not is_alone:
                short = ", ".join(short_cell(column, value) for column, _, value in group)
                parts.append(f"CONCAT_WS({binary(CELL)}, {short})")
                continue
            for column, name, value in group:
                if column.kind in IN_HEX:
                    blobs.append(len(parts))
                    parts.append(name)
                else:
                    parts.append(long_cell(column, name, value))
        return cls(", ".join(parts), len(cells), tuple(blobs))

    def block(self, rows: Sequence[tuple[bytes | None, ...]]) -> bytes:
        """Rows as canonical rows; `NoRow` where one lacks a value, or has one too many."""
        given = [self.hexed(row) for row in rows] if self.blobs else rows
        try:
            lines = [CELL.join(row) for row in given]  # type: ignore[arg-type]  # None raises
        except TypeError:
            raise NoRow from None
        text = ROW.join([*lines, b""])
        # A text that holds one of them, too, makes them more than there should be.
        if len(text) - len(text.translate(None, CELL + ROW)) != len(rows) * self.cells:
            raise NoRow
        for plain, escaped in ESCAPES.items():
            text = text.replace(plain, escaped)
        return text.translate(ENDS).replace(VOID, NULL)

    def hexed(self, row: tuple[bytes | None, ...]) -> list[bytes | None]:
        """The row with its bytes as hex digits."""
        return [
            (VOID if value is None else value.hex().encode()) if index in self.blobs else value
            for index, value in enumerate(row)
        ]


def binary(value: bytes) -> str:
    """A literal that stays bytes: beside a text a plain one would be converted, and become `?`."""
    return f"CAST({literal(value)} AS BINARY)"


def short_cell(column: TypedColumn, value: str) -> str:
    """SQL for the cell of a short value."""
    if not column.column.nullable:
        return value
    # MariaDB makes an address of what stands beside one, and none of bytes that are no address.
    text = f"CONCAT({value})" if column.column.type in ADDRESSES else value
    return f"COALESCE({text}, {binary(VOID)})"


def long_cell(column: TypedColumn, name: str, value: str) -> str:
    """SQL for the cell of a long text, whose value is NULL as well when it is too long."""
    return f"IF({name} IS NULL, {binary(VOID)}, {value})" if column.column.nullable else value


def load_targets(columns: Sequence[TypedColumn], quote: Any) -> tuple[list[str], list[str]]:
    """The column list of LOAD DATA, and its SET clause for values that need a function."""
    targets, settings = [], []
    for index, (kind, column, *_) in enumerate(columns):
        name = quote(column.name)
        if kind in IN_HEX:
            targets.append(f"@c{index}")
            settings.append(f"{name} = UNHEX(@c{index})")
        elif column.type.startswith("bit"):
            targets.append(f"@c{index}")
            settings.append(f"{name} = CAST(@c{index} AS UNSIGNED)")
        else:
            targets.append(name)
    if settings:
        # Where a SET clause leaves the key out, MariaDB 10.11 gives a 0 the next number, in spite
        # of NO_AUTO_VALUE_ON_ZERO.
        for index, (_, column, *_) in enumerate(columns):
            if column.auto_increment:
                targets[index] = f"@c{index}"
                settings.append(f"{quote(column.name)} = @c{index}")
    return targets, settings


def insert_form(column: TypedColumn) -> bytes:
    """The form of a column's value in INSERT."""
    if column.kind in IN_HEX:
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
        column=column[column.lastindex or 0] if column else "",
    )
