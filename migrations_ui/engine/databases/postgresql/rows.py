"""Canonical rows as PostgreSQL's COPY writes and takes them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import psycopg2

from migrations_ui.engine.databases import base
from migrations_ui.engine.databases.base import TypedColumn, kept
from migrations_ui.engine.errors import RowRefused
from migrations_ui.engine.kinds import NULL, Kind, unescape

# COPY escapes these three as well; a canonical row has them as they are.
COPY_ESCAPES = {b"\\b": b"\b", b"\\f": b"\f", b"\\v": b"\v"}


COPY_ESCAPE = re.compile(rb"\\[\\bfv]")


# A look for a pattern takes a seventh of the time of three looks for texts of two bytes.
MAY_ESCAPE = re.compile(rb"\\[bfv]")
# The end of a value that ends in a space.
CUT_SPACES = re.compile(rb" [\t\n]")


COPY_CONTEXT = re.compile(
    r"COPY .*?, line (\d+)(?:, column ([^:]+?)(?::|$| null input))?", re.DOTALL
)


# Datetimes outside these years have no six-digit form that other vendors share; they are written
# in PostgreSQL's own words (`infinity`, `0044-03-15 BC`), which another vendor then refuses.  The
# others are cast where that has the same result, in half of the time that to_char takes: it leaves
# zeros at the end away.  `{1}` is the column's type, for a comparison without a time zone.
DATETIME = (
    "CASE WHEN {0} NOT BETWEEN '0001-01-01' AND '9999-12-31 23:59:59.999999' THEN {0}::text "
    "WHEN {0} <> {0}::{1}(5) THEN {0}::timestamp::text "
    "WHEN {0} = {0}::{1}(0) THEN {0}::timestamp::text || '.000000' "
    "ELSE to_char({0}, 'YYYY-MM-DD HH24:MI:SS.US') END"
)


# A moment, between two PostgreSQLs: in UTC and with its offset, since the session's zone may be one
# whose clocks are put back, and of which the two servers may know different rules.
INSTANT = (
    "CASE WHEN isfinite({0}) AND {0} >= '0001-01-02' THEN ({0} AT TIME ZONE 'UTC')::text || '+00' "
    "ELSE {0}::text END"
)


# Months have no fixed length, so an interval with months is written in PostgreSQL's own words, like
# one of more microseconds than 64 bits hold.
DURATION = (
    "CASE WHEN extract(year from {0}) = 0 AND extract(month from {0}) = 0 "
    "AND extract(epoch from {0}) BETWEEN -9223372036854.775808 AND 9223372036854.775807 THEN "
    "(extract(day from {0})::numeric * 86400000000 + extract(hour from {0})::numeric * 3600000000 "
    "+ extract(minute from {0})::numeric * 60000000 "
    "+ extract(microseconds from {0})::numeric)::bigint::text ELSE {0}::text END"
)


EXPRESSIONS = {
    Kind.BOOLEAN: "{0}::int",
    Kind.BINARY: "encode({0}, 'hex')",
    Kind.TIME: "to_char({0}, 'HH24:MI:SS.US')",
    Kind.DATETIME: DATETIME,
    Kind.DURATION: DURATION,
    Kind.UUID: "translate({0}::text, '-', '')",
}


# A NUL in JSON is written as an escape; its texts can't hold one.  An odd number of backslashes
# before it would escape a backslash.
JSON_NUL = r"'(?<!\\)((?:\\\\)*)\\u0000'"
JSON_REPLACEMENTS = {"strip-nul": r"'\1'", "replace-nul": r"'\1\\ufffd'"}


def expression(column: TypedColumn, name: str) -> str:
    """SQL for the column's canonical text; COPY does the escaping."""
    kind, facts = column.kind, column.column
    form = EXPRESSIONS.get(kind, "{0}")
    if kind is facts.storage is Kind.UUID:
        form = "encode(uuid_send({0}), 'hex')"  # in half of the time that its text takes
    if kind is Kind.NATIVE and facts.is_instant:
        form = INSTANT
    instant = "timestamptz" if facts.is_instant else "timestamp"
    return transformed(form.format(name, instant), column)


def transformed(sql: str, column: TypedColumn) -> str:
    """SQL for the canonical text after the column's declared transform."""
    if column.transform == "truncate-microseconds":
        length, zeros = kept(column)
        return f"left({sql}, {length}) || '{zeros}'"
    if column.kind is Kind.JSON and column.transform in JSON_REPLACEMENTS:
        replacement = JSON_REPLACEMENTS[column.transform]
        return f"regexp_replace({sql}::text, {JSON_NUL}, {replacement}, 'g')"
    return sql


class BlockWriter:
    """The file that COPY TO writes to, a row at a time: whole rows out, in blocks."""

    def __init__(self, write: base.Write) -> None:
        self._write = write
        self._rows: list[bytes] = []
        self._size = 0

    def write(self, row: bytes) -> None:
        """Take one row."""
        self._rows.append(row)
        self._size += len(row)
        if self._size >= base.BLOCK:
            self.flush()

    def flush(self) -> None:
        """Hand on what has come together."""
        if self._rows:
            self._write(canonical(b"".join(self._rows)))
            self._rows.clear()
            self._size = 0


def canonical(block: bytes) -> bytes:
    """COPY's text as canonical rows: without its escapes for backspace, form feed, vertical tab."""
    if MAY_ESCAPE.search(block):
        return COPY_ESCAPE.sub(lambda m: COPY_ESCAPES.get(m.group(), m.group()), block)
    return block


def adapted(rows: bytes, columns: Sequence[TypedColumn]) -> bytes:
    """Canonical rows as COPY FROM takes them: bytea and interval have their own input syntax."""
    refuse_cut_spaces(rows, columns)
    inputs = {
        index: INPUTS[kind]
        for index, (kind, column, *_) in enumerate(columns)
        if kind in INPUTS and column.storage is kind
    }
    if not inputs:
        return rows
    lines = []
    for line in rows.split(b"\n")[:-1]:
        values = line.split(b"\t")
        for index, convert in inputs.items():
            if values[index] != NULL:
                values[index] = convert(values[index])
        lines.append(b"\t".join(values))
    lines.append(b"")
    return b"\n".join(lines)


def refuse_cut_spaces(rows: bytes, columns: Sequence[TypedColumn]) -> None:
    """Trailing spaces beyond a column's length are the one thing that PostgreSQL silently cuts."""
    lengths = {
        index: typed.column.length
        for index, typed in enumerate(columns)
        if typed.column.length and not typed.fits
    }
    for found in CUT_SPACES.finditer(rows) if lengths else ():
        end = found.start() + 1
        start = rows.rfind(b"\n", 0, end) + 1
        *before, value = rows[start:end].split(b"\t")
        length = lengths.get(len(before))
        if length and len(value) > length and len((unescape(value) or b"").decode()) > length:
            column = columns[len(before)].column
            raise RowRefused(
                f"value too long for type {column.type}: its trailing spaces would be cut",
                line=rows.count(b"\n", 0, start) + 1,
                column=column.name,
            )


def bytea(value: bytes) -> bytes:
    """Hex digits as the input of bytea, its backslash escaped for COPY."""
    return b"\\\\x" + value


def interval(value: bytes) -> bytes:
    """Microseconds as the input of interval: in days and the rest, as Django has it written."""
    try:
        days, rest = divmod(int(value), DAY)
    except ValueError:
        return value
    return b"%d days %d microseconds" % (days, rest)


DAY = 86_400_000_000


INPUTS = {Kind.BINARY: bytea, Kind.DURATION: interval}


def is_refusal(error: psycopg2.Error) -> bool:
    """Whether it is about a row, rather than the connection, the server or its resources."""
    return (error.pgcode or "")[:2] in {"21", "22", "23", "25", "42", "44", "P0", "XX"} or (
        error.pgcode == "54000"  # a row too large for an index or a page
    )


def refusal(error: psycopg2.Error) -> RowRefused:
    """The server's refusal of a COPY: its message, the line and the column that it names."""
    diagnosis = error.diag
    context = COPY_CONTEXT.search(diagnosis.context or "")
    message = ". ".join(
        part for part in (diagnosis.message_primary, diagnosis.message_detail) if part
    )
    return RowRefused(
        message or str(error).strip(),
        line=int(context[1]) if context else None,
        column=(diagnosis.column_name or (context[2] if context else "") or "").strip('"'),
    )


def literal(column: TypedColumn, value: bytes) -> str:
    """A literal without a type of its own, so that the column's index answers a comparison."""
    text = value.decode(errors="replace")
    if column.column.storage is Kind.BINARY:
        text = f"\\x{text}"
    elif column.column.storage is Kind.DURATION:
        text = interval(value).decode(errors="replace")
    escaped = text.replace("\\", "\\\\").replace("'", "''").replace("\0", "")
    return f"E'{escaped}'"
