"""Canonical rows as parameters for SQLite, which must keep them unaltered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Context, Decimal, InvalidOperation
from functools import partial
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime, parse_time

from migrations_ui.engine.databases.base import FLOAT_DIGITS, TypedColumn
from migrations_ui.engine.databases.sqlite.columns import DIGITS
from migrations_ui.engine.kinds import Kind

MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1
# With fewer digits than this an integer surely fits into 64 bits.
INTEGER_DIGITS = 19
FRACTION = re.compile(r"-?\d+(\.\d+(e[-+]?\d+)?|e[-+]?\d+)", re.ASCII)
# The decimal module rounds to 28 digits when it is not told otherwise.
WIDE = Context(prec=2000)


class Batch:
    """Canonical rows as parameters for `executemany`; knows at which row it is.

    Numbers go as text where the column's affinity makes the same number of it, and as numbers where
    SQLite's own reading would lose something.
    """

    def __init__(self, rows: bytes, columns: Sequence[TypedColumn]) -> None:
        self.line = 0
        self.column = ""
        self._rows = rows
        self._converters = [
            (index, column.column.name, convert)
            for index, column in enumerate(columns)
            if (convert := converter(column))
        ]

    def __iter__(self) -> Iterator[list[Any]]:
        for line in self._rows.split(b"\n")[:-1]:
            self.line += 1
            text = line.decode()
            values: list[Any] = text.split("\t")
            if "\\" in text:
                values = [unescape(value) for value in values]
            for index, name, convert in self._converters:
                if values[index] is not None:
                    self.column = name
                    values[index] = convert(values[index])
            self.column = ""
            yield values


def refused_column(message: str) -> str:
    """The column that SQLite names where one alone violates a constraint."""
    found = re.fullmatch(r"(?:NOT NULL|UNIQUE) constraint failed: [^,]+\.([^,.]+)", message)
    return found[1] if found else ""


def unescape(value: str) -> str | None:
    """`kinds.unescape`, for text."""
    if "\\" not in value:
        return value
    if value == "\\N":
        return None
    parts = value.split("\\\\")
    return "\\".join(
        part.replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r") for part in parts
    )


def converter(column: TypedColumn) -> Callable[[str], Any] | None:
    """What turns a value's text into a parameter that SQLite keeps unaltered; None: nothing."""
    if column.kind is Kind.DECIMAL:
        return partial(decimal, digits=FLOAT_DIGITS if column.column.is_float else DIGITS)
    return CONVERTERS.get(column.kind)


def real(text: str) -> float:
    """A double; SQLite would silently store NaN as NULL."""
    value = float(text)
    if value != value:
        raise ValueError("SQLite can't hold NaN: it would become NULL")
    return value


def integer(text: str) -> int | str:
    """An integer of 64 bits; SQLite would silently turn a larger one into a float."""
    if len(text) < INTEGER_DIGITS:
        return text
    try:
        value = int(text)
    except ValueError:
        return text
    if not MIN_INTEGER <= value <= MAX_INTEGER:
        raise ValueError(f"{text} does not fit into SQLite's 64-bit integer")
    return value


def microseconds(text: str) -> int | str:
    """A duration; one of months has no length, and SQLite would keep any text as it is."""
    if not text.removeprefix("-").isdecimal():
        raise ValueError(f"the interval {text} is no number of microseconds")
    return integer(text)


def decimal(text: str, digits: int) -> float | int | str:
    """A decimal that SQLite keeps: an integer of 64 bits, or at most so many significant digits.

    What has a fraction goes as a float: SQLite turns some texts into the float beside the nearest.
    """
    is_plain = FRACTION.fullmatch(text)
    if len(text) <= DIGITS and text[-1:].isdecimal():
        return float(text) if is_plain else text
    try:
        value = Decimal(text)
    except InvalidOperation:
        return text
    if not value.is_finite():
        raise ValueError(f"SQLite can't hold the decimal {text}")
    if value == value.to_integral_value() and MIN_INTEGER <= value <= MAX_INTEGER:
        return int(value)
    if len(value.normalize(WIDE).as_tuple().digits) > digits:
        raise ValueError(f"SQLite keeps {DIGITS} significant digits, and {text} has more")
    return float(text) if is_plain else text


def own(text: str) -> bytes | float | int | str:
    """A value of any type, told by how SQLite itself would write it."""
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text.startswith("x"):
        return bytes.fromhex(text[2:-1])
    return int(text) if text.removeprefix("-").isdecimal() else float(text)


def readable(parse: Callable[[str], object]) -> Callable[[str], str]:
    """Refuse what Django could not read back: infinity, zero dates, years beyond 9999.

    SQLite itself would keep any text.
    """

    def convert(text: str) -> str:
        try:
            parsed = parse(text)
        except ValueError:
            parsed = None
        if parsed is None:
            raise ValueError(f"{text} is no date or time that Django could read back")
        return text

    return convert


CONVERTERS: dict[Kind, Callable[[str], Any]] = {
    Kind.BINARY: bytes.fromhex,
    Kind.FLOAT: real,
    Kind.INTEGER: integer,
    Kind.NATIVE: own,
    Kind.DURATION: microseconds,
    Kind.DATE: readable(parse_date),
    Kind.TIME: readable(parse_time),
    Kind.DATETIME: readable(parse_datetime),
}
