"""What differs between two sides, as it is kept and told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import AnyStr

from migrations_ui.engine.kinds import NULL, is_odd, unescape

# Bytes of a value that are kept.
VALUE_BYTES = 16 * 1024
# What is shown before the first byte that differs, where a value is too long to be kept.
BEFORE = 200


class What(StrEnum):
    """How a row differs."""

    MISSING = "missing"  # the source has it, the destination doesn't
    EXTRA = "extra"  # the destination has it, the source doesn't
    DIFFERENT = "different"  # some of its values differ
    COMPUTED = "computed"  # only values differ that two vendors' servers compute, each itself


@dataclass(frozen=True)
class Difference:
    """A value that differs, or a row that one side lacks: then the column is "" and its value the
    whole row, as `column=value`, separated by tabs.

    Values and keys are canonical texts; None is NULL, or no row.  `at` is the byte at which the
    kept part of a long value begins, and `size` how long the longer of both is.
    """

    what: What
    key: str
    column: str
    source: str | None
    dest: str | None
    at: int = 0
    size: int = 0


def difference(what: What, key: str, column: str, source: bytes, dest: bytes) -> Difference:
    """A difference with as much of the values as is kept: the part around where they part."""
    size = max(len(source), len(dest))
    text = value_text if column else row_text
    if size <= VALUE_BYTES:
        return Difference(what, key, column, text(source), text(dest), size=size)
    at = 0 if NULL in (source, dest) else max(0, common(source, dest) - BEFORE)
    part = slice(at, at + VALUE_BYTES)
    return Difference(what, key, column, text(source[part]), text(dest[part]), at, size)


def common(one: AnyStr, other: AnyStr) -> int:
    """How many bytes two values have in common at their beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def value_text(value: bytes) -> str | None:
    """A canonical value for people: None for NULL, bytes that are no UTF-8 as `\\xff`."""
    found = unescape(value)
    odd = " (not of the column's kind)" if is_odd(value) else ""
    return None if found is None else found.decode(errors="backslashreplace") + odd


def row_text(line: bytes) -> str | None:
    """A whole row, escaped as ever: else a tab in a value would look like one between two."""
    return None if line == NULL else line.decode(errors="backslashreplace")
