"""Parts of a table that are copied in one transaction each, by several workers at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from migrations_ui.engine.databases.base import Column, Database, KeyRange, Rows
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.layout import Layout

# Bytes of a table, as the source's catalog estimates them, that one chunk is to have: enough that a
# transaction costs nothing, few enough that what a stopped one loses is done again in seconds.
CHUNK_BYTES = 32 * 1024 * 1024
# What may be cut: kinds whose values have an order in which every row has its place.
ORDERED = {
    Kind.INTEGER,
    Kind.DECIMAL,
    Kind.TEXT,
    Kind.UUID,
    Kind.DATE,
    Kind.DATETIME,
    Kind.BINARY,
    Kind.IP,
}


@dataclass(frozen=True)
class Chunk:
    """A range of a table's keys, in the source's own order; without a range the whole table."""

    layout: Layout
    position: int = 0
    keys: KeyRange | None = None
    size: int = 0  # bytes, estimated
    again: bool = False  # it was begun before: rows of it may be in the destination already

    @property
    def rows(self) -> Rows:
        """The source's rows that this chunk copies."""
        return Rows(self.layout.filters, self.keys)

    @property
    def name(self) -> str:
        """What workers that mean the same chunk of a destination call it."""
        return f"{self.layout.dest_name}#{self.position}"


def cut(layout: Layout, source: Database, size: int, rows: int) -> list[Chunk]:
    """One table's chunks of about `CHUNK_BYTES`: one index scan for a large one.

    `size` is the catalog's estimate, in bytes.
    """
    key = ordered_key(layout)
    if size <= CHUNK_BYTES or not rows or not key:
        return [Chunk(layout, size=size)]
    every = max(1, rows * CHUNK_BYTES // size)
    bounds = [None, *source.cuts(layout.source_name, key, every), None]
    names = tuple(column.name for column in key)
    return [
        Chunk(layout, position, KeyRange(names, after, upto), min(size, CHUNK_BYTES))
        for position, (after, upto) in enumerate(pairwise(bounds))
    ]


def ordered_key(layout: Layout) -> list[Column]:
    """The source's key columns, if ranges of them hold every row; else nothing."""
    key = [layout.columns[position] for position in layout.key_positions]
    whole = len(key) == len(layout.table.key)
    fit = all(column.kind in ORDERED and not column.source.nullable for column in key)
    return [column.source for column in key] if whole and fit else []


class Queue:
    """Chunks for the workers of one process: the longest table first, each to one worker.

    A worker prefers a table that nobody is at: two that load one table wait for each other's locks.
    """

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._waiting = list(chunks)
        self._totals = totals(self._waiting)
        self._active: Counter[str] = Counter()
        self._lock = threading.Lock()

    def claim(self) -> Chunk | None:
        """The next chunk for a worker; None when there is no more."""
        with self._lock:
            if not self._waiting:
                return None
            chunk = first(self._waiting, self._active, self._totals)
            self._waiting.remove(chunk)
            self._active[chunk.layout.label] += 1
            return chunk

    def done(self, chunk: Chunk) -> None:
        """A worker is through with it."""
        with self._lock:
            self._active[chunk.layout.label] -= 1

    def unfinished(self) -> set[str]:
        """Labels of the tables of which a chunk waits, or is being copied."""
        with self._lock:
            active = {label for label, workers in self._active.items() if workers}
            return active | {chunk.layout.label for chunk in self._waiting}


def totals(chunks: Iterable[Chunk]) -> Counter[str]:
    """What there is to do for each table, by label."""
    found: Counter[str] = Counter()
    for chunk in chunks:
        found[chunk.layout.label] += chunk.size
    return found


def first(waiting: Sequence[Chunk], active: Mapping[str, int], totals: Mapping[str, int]) -> Chunk:
    """The chunk to begin next: of the table with the fewest workers, then with the most to do.

    With all that there was to do, not what is left: who has begun with a table goes on with it.
    """
    return min(
        waiting,
        key=lambda c: (active.get(c.layout.label, 0), -totals[c.layout.label], c.position),
    )
