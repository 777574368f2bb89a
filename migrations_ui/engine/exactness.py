"""Values that the destination would silently cut or round: each is checked before it is loaded.

PostgreSQL rounds decimals and timestamps to the column's digits, MySQL cuts fractions of a second
and of integers, and a float of four bytes loses half of its digits; none of them says a word.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

from migrations_ui.engine.databases.base import Column, Database
from migrations_ui.engine.errors import RowRefused
from migrations_ui.engine.kinds import NULL, ODD, Kind, is_odd, unescape
from migrations_ui.engine.layout import CopiedColumn, Layout, loses_digits

Fits = Callable[[bytes], bool]

INTEGERS = {Kind.INTEGER, Kind.BOOLEAN, Kind.DURATION}
NUMBERS = {*INTEGERS, Kind.DECIMAL, Kind.FLOAT}
DATES = {Kind.DATE, Kind.DATETIME, Kind.TIME}
MAY_BE_ODD = re.compile(re.escape(ODD))  # found in a quarter of the time that `in` takes
NUMBER = re.compile(rb"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)


def exact(layout: Layout, rows: bytes, dest: Database) -> bytes:
    """The rows as the destination reads them; `RowRefused` for the first that it would alter.

    Costs nothing where both sides keep the same digits and the source keeps to its own types, which
    is nearly always.
    """
    refuse_inexact(layout, rows)
    if may_be_odd(layout, rows):
        rows = without_odd(layout, rows, dest)
    return layout.for_dest(rows)


def may_be_odd(layout: Layout, rows: bytes) -> bool:
    """Whether a value may be marked as odd: what a source does that holds any value in any column.

    The last character of the mark alone is found several times as fast, and rarely.
    """
    if not any(column.source.dynamic for column in layout.columns):
        return False
    return ODD[-1:] in rows and MAY_BE_ODD.search(rows) is not None


def refuse_inexact(layout: Layout, rows: bytes) -> None:
    """`RowRefused` for the first row that has a value with more digits than the destination keeps.

    Only columns that keep fewer digits than the source's are looked at.
    """
    checks = {
        index: (column.dest, fits(column.kind, column.dest))
        for index, column in enumerate(layout.columns)
        if loses_digits(column.kind, column.source, column.dest)
    }
    if not checks:
        return
    for number, line in enumerate(rows.split(b"\n")[:-1], start=1):
        values = line.split(b"\t")
        for index, (column, fit) in checks.items():
            if values[index] != NULL and not fit(values[index]):
                raise RowRefused(
                    f"the destination's {column.type} would cut it without a word",
                    line=number,
                    column=column.name,
                )


def without_odd(layout: Layout, rows: bytes, dest: Database) -> bytes:
    """The rows with their odd values plain; `RowRefused` for the first that doesn't fit."""
    columns = list(enumerate(layout.columns))
    lines = rows.split(b"\n")
    for number, line in enumerate(lines):
        if ODD not in line:
            continue
        values = line.split(b"\t")
        for index, column in columns:
            if is_odd(values[index]):
                values[index] = values[index].removesuffix(ODD)
                if problem := why_odd(values[index], column, dest):
                    raise RowRefused(problem, line=number + 1, column=column.dest.name)
        lines[number] = b"\t".join(values)
    return b"\n".join(lines)


def why_odd(value: bytes, column: CopiedColumn, dest: Database) -> str:
    """What keeps an odd value from fitting, or nothing."""
    shown = (unescape(value) or b"").decode(errors="backslashreplace")
    if column.kind in DATES:
        return f"{shown} is no {column.kind}"
    if column.kind not in NUMBERS:
        return ""  # bytes among texts, or texts among bytes: preflight has warned of them
    if not NUMBER.fullmatch(value):
        keeps = dest.keeps_texts and column.kind in (Kind.INTEGER, Kind.BOOLEAN, Kind.DECIMAL)
        return "" if keeps else f"{shown} is no number"
    if column.kind in INTEGERS:
        return "" if value.removeprefix(b"-").isdigit() else f"{shown} is no integer"
    if column.kind is Kind.FLOAT or column.dest.scale is None:
        return ""
    if fits(column.kind, column.dest)(value):
        return ""
    return f"{shown} has more than {column.dest.scale} digits after the point"


def fits(kind: Kind, column: Column) -> Fits:
    """Whether a canonical text keeps all of its digits in the column."""
    if kind is Kind.FLOAT:
        return fits_single
    digits = column.scale if kind is Kind.DECIMAL else column.precision
    return lambda text: len(text.partition(b".")[2].rstrip(b"0")) <= (digits or 0)


def fits_single(text: bytes) -> bool:
    """Whether a float is the same in four bytes."""
    try:
        value = float(text)
        return bool(struct.unpack("f", struct.pack("f", value))[0] == value or value != value)
    except (OverflowError, ValueError):
        return False
