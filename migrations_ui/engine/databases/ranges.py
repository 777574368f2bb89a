"""Ranges of a table's key, as SQL that every vendor answers from the key's index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class KeyRange(NamedTuple):
    """Rows whose key is above `after` and not above `upto`; None: no bound on that side.

    `columns` are the key's, in its order.  A bound has a literal in the database's own SQL for each
    of them, and what is above it is decided by the database's own order of the key, so that ranges
    that share a bound share no row and leave none out.  No column of the key may be NULL.
    """

    columns: tuple[str, ...]
    after: tuple[str, ...] | None = None
    upto: tuple[str, ...] | None = None


class KeyList(NamedTuple):
    """Rows whose key is one of these; a key has a literal in the database's SQL for each column."""

    columns: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]


def listed(columns: Sequence[str], found: KeyList) -> str:
    """An SQL condition for the rows; `columns` are the key's, quoted and qualified."""
    if len(columns) == 1:
        return f"{columns[0]} IN ({', '.join(key[0] for key in found.keys)})"
    alike = (
        " AND ".join(f"{column} = {value}" for column, value in zip(columns, key, strict=True))
        for key in found.keys
    )
    return f"(({') OR ('.join(alike)}))"


def conditions(columns: Sequence[str], keys: KeyRange) -> list[str]:
    """SQL conditions for the range; `columns` are the key's, quoted and qualified."""
    found = []
    if keys.after is not None:
        found.append(compared(columns, keys.after, ">", last=">"))
    if keys.upto is not None:
        found.append(compared(columns, keys.upto, "<", last="<="))
    return found


def compared(columns: Sequence[str], bound: Sequence[str], sign: str, *, last: str) -> str:
    """SQL that compares a key of several columns with a bound, the first column counting most.

    Spelled out, because MySQL answers a comparison of whole rows by a scan; the condition on the
    first column alone, which the others imply, lets every vendor use the index.
    """
    (column, *columns), (value, *bound) = columns, bound
    if not columns:
        return f"{column} {last} {value}"
    rest = compared(columns, bound, sign, last=last)
    return f"({column} {sign}= {value} AND ({column} {sign} {value} OR {rest}))"
