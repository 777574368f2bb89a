"""SQL that writes canonical rows, whatever a SQLite column holds."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC
from decimal import Context, Decimal
from functools import partial

from django.utils.dateparse import parse_date, parse_datetime, parse_time

from migrations_ui.engine.databases.base import Column, TypedColumn, kept
from migrations_ui.engine.databases.sqlite.columns import DIGITS
from migrations_ui.engine.kinds import ESCAPES, ODD, Kind

# What takes the place of NUL: in a text, and in JSON's own words.
REPLACEMENTS = {"strip_nul": ("", ""), "replace_nul": ("\ufffd", r"\ufffd")}
# \u0000 after an even number of backslashes, which are kept: an odd one more escapes a backslash.
JSON_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
DATES = (Kind.DATE, Kind.DATETIME, Kind.TIME)
NUMBERS = (Kind.INTEGER, Kind.BOOLEAN, Kind.DURATION, Kind.DECIMAL, Kind.FLOAT)
# As Django writes them.  What looks like that and is none, every server refuses.
DAY, CLOCK = "????-??-??", "??:??:??"
# Expressions nest at most 1,000 deep, and each column of a row adds a few levels.
COLUMNS_AT_ONCE = 100


def expression(column: TypedColumn, quote: Callable[[str], str]) -> str:
    """SQL for the column's canonical text, escaped, with NULL as `\\N`.

    A column holds values of any type, whatever it was declared as.  What is not of the column's
    kind is passed on exactly; what a destination might then take for something else is odd.
    """
    kind, facts = column.kind, column.column
    name = quote(facts.name)
    if kind is Kind.NATIVE:
        return f"ifnull({escaped(own(name))}, '\\N')"
    if kind is Kind.BINARY:
        digits = f"lower(hex({name}))"
        return (
            f"CASE typeof({name}) WHEN 'null' THEN '\\N' WHEN 'blob' THEN {digits} "
            f"ELSE {odd(digits)} END"
        )
    return (
        f"CASE typeof({name}) WHEN 'null' THEN '\\N' "
        f"WHEN 'integer' THEN {integers(facts, kind, name)} "
        f"WHEN 'real' THEN {reals(facts, kind, name)} ELSE {texts(column, name)} END"
    )


def own(name: str) -> str:
    """SQL for the value as SQLite itself writes one, so that its type is told; NULL for NULL."""
    text = f"replace({name}, '''', '''''')"
    return (
        f"CASE typeof({name}) WHEN 'text' THEN '''' || {text} || '''' "
        f"WHEN 'blob' THEN 'x''' || lower(hex({name})) || '''' "
        f"WHEN 'real' THEN exact_float({name}) ELSE {name} END"
    )


def integers(facts: Column, kind: Kind, name: str) -> str:
    """SQL for an integer in the column."""
    if kind is Kind.DECIMAL and facts.scale:
        return f"{name} || '.{'0' * facts.scale}'"
    return odd(name) if kind in DATES else name


def reals(facts: Column, kind: Kind, name: str) -> str:
    """SQL for a float in the column; SQLite's own text of it has 15 digits only."""
    if kind in (Kind.INTEGER, Kind.BOOLEAN, Kind.DURATION, *DATES):
        return odd(f"exact_float({name})")
    if kind is not Kind.DECIMAL or facts.scale is None:
        return f"exact_float({name})"
    text, is_exact = rounded(facts.scale, name)
    return f"CASE WHEN {is_exact} THEN {text} ELSE exact_decimal({name}, {facts.scale}) END"


def rounded(scale: int, name: str) -> tuple[str, str]:
    """SQL for a float with so many digits after the point, and for whether these are exactly it.

    Beyond 15 digits SQLite writes wrong ones (750426.4704699999 for 750426.47047), although these
    lead back to the same float.
    """
    text = f"printf('%.{scale}f', {name})"
    return text, f"abs({name}) < 1e{DIGITS - scale} AND CAST({text} AS REAL) = {name}"


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
    if kind in NUMBERS:
        return odd(escaped(name))
    if kind in DATES:
        readable = f"CASE typeof({name}) WHEN 'text' THEN {text_of(kind, name)} END"
        return f"ifnull({escaped(readable)}, {odd(escaped(name))})"
    text = escaped(text_of(kind, name))
    return f"CASE typeof({name}) WHEN 'text' THEN {text} ELSE {odd(text)} END"


def odd(sql: str) -> str:
    """SQL that marks a value as one that is not of its column's kind."""
    return f"{sql} || '{ODD.decode()}'"


def text_of(kind: Kind, name: str) -> str:
    """SQL for a text in a column of that kind, not escaped; NULL where it is no date or time."""
    if kind is Kind.UUID:
        return f"lower(replace({name}, '-', ''))"
    if kind is Kind.DATE:
        return f"CASE WHEN {name} GLOB '{DAY}' THEN {name} ELSE exact_date({name}) END"
    if kind is Kind.DATETIME:
        return timed(name, f"{DAY} {CLOCK}", "exact_datetime")
    if kind is Kind.TIME:
        return timed(name, CLOCK, "exact_time")
    return name


def zero_date(name: str) -> str:
    """SQL that is true for a date with a month or a day of zero."""
    day = "[0-9]" * 4 + "-[0-9][0-9]" * 2
    return (
        f"({name} GLOB '{day}*' AND (substr({name}, 6, 2) = '00' OR substr({name}, 9, 2) = '00'))"
    )


def timed(name: str, usual: str, function: str) -> str:
    """SQL for a date and time: Django leaves the fraction out where it is zero."""
    return (
        f"CASE WHEN {name} GLOB '{usual}.??????' THEN {name} "
        f"WHEN {name} GLOB '{usual}' THEN {name} || '.000000' ELSE {function}({name}) END"
    )


def escaped(sql: str) -> str:
    """SQL that escapes a text."""
    for plain, escaped_form in ESCAPES.items():
        sql = f"replace({sql}, x'{plain.hex()}', x'{escaped_form.hex()}')"
    return sql


def register_functions(connection: sqlite3.Connection) -> None:
    """The rare values that SQL can't format exactly."""
    connection.create_function("exact_float", 1, repr, deterministic=True)
    connection.create_function("exact_decimal", 2, exact_decimal, deterministic=True)
    connection.create_function("exact_date", 1, exact_date, deterministic=True)
    connection.create_function("exact_datetime", 1, exact_datetime, deterministic=True)
    connection.create_function("exact_time", 1, exact_time, deterministic=True)
    for name, (text, json) in REPLACEMENTS.items():
        in_text, in_json = partial(replace_nul, text), partial(replace_nul_in_json, json)
        connection.create_function(name, 1, in_text, deterministic=True)
        connection.create_function(f"{name}_in_json", 1, in_json, deterministic=True)


def exact_decimal(value: float, scale: int) -> str:
    """A decimal as Django reads it, through 15 significant digits; odd where that is too fine."""
    rounded = Context(prec=DIGITS).create_decimal_from_float(value)
    if not rounded.is_finite():
        return f"{value!r}{ODD.decode()}"
    if -int(rounded.normalize().as_tuple().exponent) > scale:
        return f"{Decimal(repr(value)):f}{ODD.decode()}"
    return f"{rounded:.{scale}f}"


def replace_nul(replacement: str, text: str) -> str:
    """A text with something else for each NUL character, or nothing."""
    return text.replace("\0", replacement)


def replace_nul_in_json(replacement: str, text: str) -> str:
    """JSON with something else for each NUL that is written as an escape, or nothing."""
    return JSON_NUL.sub(lambda found: found[1] + replacement, text)


def exact_date(text: str) -> str | None:
    """A date in a form that Django accepts, in ours; None where it is none."""
    try:
        value = parse_date(text)
    except ValueError:
        return None
    return value.isoformat() if value else None


def exact_datetime(text: str) -> str | None:
    """A datetime in a form that Django accepts, in ours; None where it is none."""
    try:
        value = parse_datetime(text)
    except ValueError:
        return None
    if value is None:
        return None
    if value.tzinfo:
        value = value.astimezone(UTC)
    return value.replace(tzinfo=None).isoformat(" ", "microseconds")


def exact_time(text: str) -> str | None:
    """A time in a form that Django accepts, in ours; None where it is none."""
    try:
        value = parse_time(text)
    except ValueError:
        return None
    return None if value is None or value.tzinfo else value.isoformat("microseconds")


def block(rows: Sequence[tuple[bytes, ...]]) -> bytes:
    """Rows, each in pieces of a few columns, as canonical rows."""
    return b"".join([b"\t".join(row) + b"\n" for row in rows])


def literal(column: TypedColumn, value: bytes) -> str:
    """A literal of a canonical value, which is not escaped; the column's affinity does the rest."""
    if column.kind is Kind.BINARY:
        return f"x'{value.decode()}'"
    if column.kind is Kind.NATIVE:
        return own_literal(value)
    if column.kind is Kind.INTEGER and value.removeprefix(b"-").isdigit():
        return value.decode()
    if column.kind in (Kind.DATETIME, Kind.TIME):
        value = value.removesuffix(b".000000")  # as Django writes it
    return f"CAST(x'{value.hex()}' AS TEXT)"


def own_literal(value: bytes) -> str:
    """A literal of a value that `own` has written; no statement takes a NUL, or infinity's name."""
    if value.startswith(b"'"):
        text = value[1:-1].replace(b"''", b"'")
        return f"CAST(x'{text.hex()}' AS TEXT)"
    return value.decode().replace("inf", "9e999")


def slices(columns: Sequence[TypedColumn], size: int) -> Iterator[Sequence[TypedColumn]]:
    """The columns, `size` at a time."""
    return (columns[start : start + size] for start in range(0, len(columns), size))
