"""Canonical rows as parameters for SQLite, which must keep them unaltered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from migrations_ui.engine.databases.base import TypedColumn
from migrations_ui.engine.databases.sqlite.columns import DIGITS
from migrations_ui.engine.kinds import Kind

MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1


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
    kind, facts = column
    if kind is Kind.BINARY:
        return bytes.fromhex
    if kind is Kind.FLOAT:
        return real
    if kind in (Kind.INTEGER, Kind.DURATION) and facts.type.startswith("bigint"):
        return integer
    if kind is Kind.DECIMAL and (facts.precision is None or facts.precision > DIGITS):
        return decimal
    return None


def real(text: str) -> float:
    """A double; SQLite would silently store NaN as NULL."""
    value = float(text)
    if value != value:
        raise ValueError("SQLite can't hold NaN: it would become NULL")
    return value


def integer(text: str) -> int | str:
    """An integer of 64 bits; SQLite would silently turn a larger one into a float."""
    try:
        value = int(text)
    except ValueError:
        return text
    if not MIN_INTEGER <= value <= MAX_INTEGER:
        raise ValueError(f"{text} does not fit into SQLite's 64-bit integer")
    return value


def decimal(text: str) -> str:
    """A decimal that SQLite keeps: an integer of 64 bits, or at most 15 significant digits."""
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(f"SQLite can't hold the decimal {text}")
    whole = value == value.to_integral_value() and MIN_INTEGER <= value <= MAX_INTEGER
    if not whole and len(value.normalize().as_tuple().digits) > DIGITS:
        raise ValueError(f"SQLite keeps {DIGITS} significant digits, and {text} has more")
    return text
