"""How a SQLite column was declared, and what that says of its values."""

from __future__ import annotations

import re

from migrations_ui.engine.databases.base import Column
from migrations_ui.engine.kinds import Kind

# A declared type contains one of these; the first that matches decides.
STORAGES = (
    ("bool", Kind.BOOLEAN),
    # No part of another word: SQLite itself takes a `point` for integers, and nobody has any there.
    (r"\b(tiny|small|medium|big|huge|long|u|var)*int(eger)?\d*\b", Kind.INTEGER),
    ("char", Kind.TEXT),
    ("clob", Kind.TEXT),
    ("text", Kind.TEXT),
    ("json", Kind.TEXT),
    ("blob", Kind.BINARY),
    ("real", Kind.FLOAT),
    ("floa", Kind.FLOAT),
    ("doub", Kind.FLOAT),
    ("datetime", Kind.DATETIME),
    ("timestamp", Kind.DATETIME),
    ("date", Kind.DATE),
    ("time", Kind.TIME),
    ("decimal", Kind.DECIMAL),
    ("numeric", Kind.DECIMAL),
    ("uuid", Kind.TEXT),
    ("inet", Kind.TEXT),
)
# What it can hold, whatever the declaration says.
PRECISIONS: dict[Kind | None, int] = {Kind.DATETIME: 6, Kind.TIME: 6, Kind.FLOAT: 53}
# SQLite keeps 15 significant digits of a number that is not an integer.
DIGITS = 15


def make_column(
    name: str, declared: str, not_null: int, hidden: int, default: str | None
) -> Column:
    """A row of pragma_table_xinfo as a column."""
    declared = declared.lower()
    numbers = [
        int(part)
        for part in declared.partition("(")[2].rstrip(")").split(",")
        if part.strip().isdigit()
    ]
    storage = next((kind for word, kind in STORAGES if re.search(word, declared)), None)
    is_decimal = storage is Kind.DECIMAL
    precision = PRECISIONS.get(storage)
    return Column(
        name=name,
        type=declared,
        storage=storage,
        nullable=not not_null,
        generated=hidden in (2, 3),
        precision=numbers[0] if is_decimal and numbers else precision,
        scale=(numbers + [0, 0])[1] if is_decimal and numbers else None,
        length=numbers[0] if storage is Kind.TEXT and numbers else None,
        has_default=default is not None,
        dynamic=True,
    )
