"""Columns in which the destination would silently cut or round: each value is checked.

PostgreSQL rounds decimals and timestamps to the column's digits, MySQL cuts fractions of a second,
and a float of four bytes loses half of its digits; none of them says a word.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from migrations_ui.engine.databases.base import Column
from migrations_ui.engine.errors import RowRefused
from migrations_ui.engine.kinds import NULL, Kind
from migrations_ui.engine.layout import Layout, loses_digits

Fits = Callable[[bytes], bool]


def refuse_inexact(layout: Layout, rows: bytes) -> None:
    """`RowRefused` for the first row that has a value with more digits than the destination keeps.

    Costs nothing where both sides keep the same digits, which is nearly always.
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
