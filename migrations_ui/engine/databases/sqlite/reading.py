"""SQL that writes canonical rows, whatever a SQLite column holds."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC
from decimal import Context
from functools import partial

from django.utils.dateparse import parse_datetime, parse_time

from migrations_ui.engine.databases.base import Column, TypedColumn, kept
from migrations_ui.engine.databases.sqlite.columns import DIGITS
from migrations_ui.engine.errors import RowRefused
from migrations_ui.engine.kinds import ESCAPES, Kind

# What takes the place of NUL: in a text, and in JSON's own words.
REPLACEMENTS = {"strip_nul": ("", ""), "replace_nul": ("\ufffd", r"\ufffd")}
# \u0000 after an even number of backslashes, which are kept: an odd one more escapes a backslash.
JSON_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
# Expressions nest at most 1,000 deep, and each column of a row adds a few levels.
COLUMNS_AT_ONCE = 100


def expression(column: TypedColumn, quote: Callable[[str], str]) -> str:
    """SQL for the column's canonical text, escaped, with NULL as `\\N`.

    A column holds values of any type, whatever it was declared as.  What is not of the column's
    kind is passed on exactly, for the destination to refuse.
    """
    kind, facts = column.kind, column.column
    name = quote(facts.name)
    if kind is Kind.BINARY:
        return f"CASE typeof({name}) WHEN 'null' THEN '\\N' ELSE lower(hex({name})) END"
    return (
        f"CASE typeof({name}) WHEN 'null' THEN '\\N' "
        f"WHEN 'integer' THEN {integers(facts, kind, name)} "
        f"WHEN 'real' THEN {reals(facts, kind, name)} ELSE {texts(column, name)} END"
    )


def integers(facts: Column, kind: Kind, name: str) -> str:
    """SQL for an integer in the column."""
    if kind is Kind.DECIMAL and facts.scale:
        return f"{name} || '.{'0' * facts.scale}'"
    return name


def reals(facts: Column, kind: Kind, name: str) -> str:
    """SQL for a float in the column; SQLite's own text of it has 15 digits only."""
    column = facts.name.replace("'", "''")
    if kind in (Kind.INTEGER, Kind.BOOLEAN):
        return f"no_integer({name}, '{column}')"
    if kind is not Kind.DECIMAL or facts.scale is None:
        return f"exact_float({name})"
    text = f"printf('%.{facts.scale}f', {name})"
    return (
        f"CASE WHEN CAST({text} AS REAL) = {name} THEN {text} "
        f"ELSE exact_decimal({name}, {facts.scale}, '{column}', rowid) END"
    )


def texts(column: TypedColumn, name: str) -> str:
    """SQL for a text in the column, after its declared transform."""
    kind = column.kind
    plain = TypedColumn(kind, column.column)
    if column.transform in ("strip-nul", "replace-nul"):
        function = column.transform.replace("-", "_") + ("_in_json" if kind is Kind.JSON else "")
        return escaped(f"{function}({name})")
    if column.transform == "zero-date-null":
        return f"CASE WHEN {zero_date(name)} THEN '\\N' ELSE {texts(plain, name)} END"
    if column.transform == "truncate-microseconds":
        length, zeros = kept(column)
        return f"substr({texts(plain, name)}, 1, {length}) || '{zeros}'"
    if kind is Kind.UUID:
        return escaped(f"lower(replace({name}, '-', ''))")
    if kind is Kind.DATETIME:
        return timed(name, 19, 26, "exact_datetime")
    if kind is Kind.TIME:
        return timed(name, 8, 15, "exact_time")
    return escaped(name)


def zero_date(name: str) -> str:
    """SQL that is true for a date with a month or a day of zero."""
    return f"substr({name}, 6, 2) = '00' OR substr({name}, 9, 2) = '00'"


def timed(name: str, short: int, long: int, function: str) -> str:
    """SQL for a date and time: Django leaves the fraction out where it is zero."""
    return (
        f"CASE length({name}) WHEN {short} THEN {name} || '.000000' WHEN {long} THEN {name} "
        f"ELSE {escaped(f'{function}({name})')} END"
    )


def escaped(sql: str) -> str:
    """SQL that escapes a text."""
    for plain, escaped_form in ESCAPES.items():
        sql = f"replace({sql}, x'{plain.hex()}', x'{escaped_form.hex()}')"
    return sql


def register_functions(
    connection: sqlite3.Connection, table: str, refused: list[RowRefused]
) -> None:
    """The rare values that SQL can't format exactly; a value that can't be written is `refused`."""

    def exact_decimal(value: float, scale: int, column: str, rowid: int) -> str:
        rounded = Context(prec=DIGITS).create_decimal_from_float(value)
        if -rounded.normalize().as_tuple().exponent > scale:  # type: ignore[operator]
            refused.append(
                RowRefused(
                    f"table {table}, column {column}, row {rowid}: {value!r} has more than {scale} "
                    "digits after the point",
                    column=column,
                )
            )
            raise ValueError
        return f"{rounded:.{scale}f}"

    def no_integer(value: float, column: str) -> None:
        # Exactly passed on, it would be rounded by MySQL without a word.
        refused.append(
            RowRefused(f"table {table}, column {column}: {value!r} is no integer", column=column)
        )
        raise ValueError

    connection.create_function("no_integer", 2, no_integer, deterministic=True)
    connection.create_function("exact_float", 1, repr, deterministic=True)
    connection.create_function("exact_decimal", 4, exact_decimal, deterministic=True)
    connection.create_function("exact_datetime", 1, exact_datetime, deterministic=True)
    connection.create_function("exact_time", 1, exact_time, deterministic=True)
    for name, (text, json) in REPLACEMENTS.items():
        in_text, in_json = partial(replace_nul, text), partial(replace_nul_in_json, json)
        connection.create_function(name, 1, in_text, deterministic=True)
        connection.create_function(f"{name}_in_json", 1, in_json, deterministic=True)


def replace_nul(replacement: str, text: str) -> str:
    """A text with something else for each NUL character, or nothing."""
    return text.replace("\0", replacement)


def replace_nul_in_json(replacement: str, text: str) -> str:
    """JSON with something else for each NUL that is written as an escape, or nothing."""
    return JSON_NUL.sub(lambda found: found[1] + replacement, text)


def exact_datetime(text: str) -> str:
    """A datetime in a form that Django accepts, in ours; anything else as it is."""
    try:
        value = parse_datetime(text)
    except ValueError:
        return text
    if value is None:
        return text
    if value.tzinfo:
        value = value.astimezone(UTC)
    return value.replace(tzinfo=None).isoformat(" ", "microseconds")


def exact_time(text: str) -> str:
    """A time in a form that Django accepts, in ours; anything else as it is."""
    try:
        value = parse_time(text)
    except ValueError:
        return text
    return text if value is None or value.tzinfo else value.isoformat("microseconds")


def block(rows: Sequence[tuple[bytes, ...]]) -> bytes:
    """Rows, each in pieces of a few columns, as canonical rows."""
    return b"".join([b"\t".join(row) + b"\n" for row in rows])


def slices(columns: Sequence[TypedColumn], size: int) -> Iterator[Sequence[TypedColumn]]:
    """The columns, `size` at a time."""
    return (columns[start : start + size] for start in range(0, len(columns), size))
