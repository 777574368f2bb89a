"""Comparing every cell of many tables, by several workers at once."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import pairwise
from typing import Protocol

from migrations_ui.engine import digests
from migrations_ui.engine.chunks import Chunk, Queue
from migrations_ui.engine.comparing import Comparison, Found, Pair, Suspects, is_ordered
from migrations_ui.engine.crew import Connect, Crew, Stopped
from migrations_ui.engine.databases.base import Database, KeyRange
from migrations_ui.engine.errors import Cancelled, EngineError, Suspended
from migrations_ui.engine.layout import CopiedColumn, Layout, column_kind, has_values, scaled
from migrations_ui.engine.merging import Disorder, Merge
from migrations_ui.engine.naming import columns_of, lookup
from migrations_ui.engine.persisting import Patience, connected, persist
from migrations_ui.engine.pipe import Pipe, reading

# Rows of a part of a table.  Parts begin at multiples of it, so that the digest of a table's rows
# does not depend on whether it was compared in parts.
PART = 100_000
# Bytes that may wait to be compared, for each side of a part.
AHEAD = 2 * 1024 * 1024

# For one part of a table, who is told each row that differs.
Tellers = Callable[[Layout], AbstractContextManager[Found]]


class Listener(Patience, Protocol):
    """Who is told what a comparison does, by any of its threads."""

    def progress(self, layout: Layout, rows: int) -> None:
        """So many more rows of the source are compared, or fewer: a part is compared once more.

        What it raises ends the comparison.
        """

    def compared(self, layout: Layout, found: Comparison) -> None:
        """The table is compared."""

    def failed(self, layout: Layout, error: EngineError) -> None:
        """The table can't be compared."""


def compare_tables(
    layouts: Sequence[Layout],
    connect: Connect,
    listener: Listener,
    *,
    workers: int = 2,
    set_aside: Mapping[str, Iterable[bytes]] | None = None,
    found: Tellers | None = None,
) -> None:
    """Compare every cell of these tables.

    `connect` opens both sides for one thread.  `set_aside` are, by label, the source's canonical
    rows that a run has rejected; `found(layout)` gives who is told each row that differs, for one
    part of the table: what it was told does not count where the part is compared once more.  A
    table that can't be compared does not keep the others from it; a connection that can't be
    opened raises.
    """
    crew = Crew(workers, lambda: connected(listener, connect))
    job = Job(crew, connect, listener, set_aside or {}, found)
    with connected(listener, connect) as (source, dest):
        parts = persist(listener, lambda: job.plan(layouts, source, dest), source, dest)
    crew.size = min(workers, len(parts))
    queue = Queue(parts)

    def work(part: Chunk, source: Database, dest: Database) -> None:
        crew.check()
        job.compare(part, source, dest)
        queue.done(part)

    crew.share(queue.claim, work)


def compare_table(
    layout: Layout,
    connect: Connect,
    *,
    set_aside: Iterable[bytes] = (),
    found: Found | None = None,
) -> Comparison:
    """Compare every cell of one table; `EngineError` when it can't be."""
    witness = Witness()
    compare_tables(
        [layout],
        connect,
        witness,
        workers=1,
        set_aside={layout.label: set_aside},
        found=None if found is None else lambda _: nullcontext(found),
    )
    if witness.error is not None:
        raise witness.error
    return witness.comparison


@dataclass
class Witness:
    """Listens to the comparison of one table."""

    comparison: Comparison = field(default_factory=Comparison)
    error: EngineError | None = None

    def check(self) -> None: ...

    def again(self, error: EngineError, attempt: int) -> bool:
        return False

    def progress(self, layout: Layout, rows: int) -> None: ...

    def compared(self, layout: Layout, found: Comparison) -> None:
        self.comparison = found

    def failed(self, layout: Layout, error: EngineError) -> None:
        self.error = error


# -- Parts -----------------------------------------------------------------------------------------


def with_generated(layouts: Sequence[Layout], source: Database, dest: Database) -> list[Layout]:
    """The layouts with the columns that the destination computes: never copied, but compared.

    Whether the source computes them, too, or has had its values written; not where it has none.
    """
    there = columns_of(source, [layout.source_name for layout in layouts])
    here = columns_of(dest, [layout.dest_name for layout in layouts])
    found = []
    for layout in layouts:
        fields = {str(field.column): field for field in layout.table.fields}
        added = []
        for name, column in here[layout.dest_name].items():
            other = lookup(there[layout.source_name], name, source.folds_names)
            if not column.generated or other is None:
                continue
            kind = column_kind((source, other), (dest, column), fields.get(name))
            if kind and (other.generated or has_values(source, layout.source_name, other)):
                columns = scaled(kind, (source, other), (dest, column))
                added.append(CopiedColumn(kind, *columns))
        found.append(replace(layout, columns=(*layout.columns, *added)) if added else layout)
    return found


def in_parts(layouts: Sequence[Layout], source: Database) -> Iterator[Chunk]:
    """The tables, cut into parts where both sides sort the key alike."""
    sizes = source.sizes([layout.source_name for layout in layouts])
    for layout in layouts:
        size = sizes.get(layout.source_name, 0)
        bounds: list[tuple[str, ...] | None] = [None, None]
        if is_ordered(layout):
            key = [layout.columns[position].source for position in layout.key_positions]
            bounds[1:1] = source.cuts(layout.source_name, key, PART)
        names = tuple(layout.columns[position].source.name for position in layout.key_positions)
        for position, (after, upto) in enumerate(pairwise(bounds)):
            keys = KeyRange(names, after, upto) if after or upto else None
            yield Chunk(layout, position, keys, size // (len(bounds) - 1))


class Job:
    """The parts of all tables, put together again as they come."""

    def __init__(
        self,
        crew: Crew,
        connect: Connect,
        listener: Listener,
        set_aside: Mapping[str, Iterable[bytes]],
        found: Tellers | None,
    ) -> None:
        self.crew = crew
        self.connect = connect
        self.listener = listener
        self.set_aside = set_aside
        self.found = found
        self._left: Counter[str] = Counter()
        self._done: dict[str, dict[int, Comparison]] = {}
        self._failed: set[str] = set()
        self._lock = threading.Lock()

    def plan(self, layouts: Sequence[Layout], source: Database, dest: Database) -> list[Chunk]:
        """The parts to compare."""
        parts = list(in_parts(with_generated(layouts, source, dest), source))
        self._left = Counter(part.layout.label for part in parts)
        return parts

    def check(self) -> None:
        """Raise what makes the comparison stop, if anything does."""
        self.crew.check()
        self.listener.check()

    def again(self, error: EngineError, attempt: int) -> bool:
        """Wait, and say whether to do it once more."""
        return self.listener.again(error, attempt)

    def compare(self, part: Chunk, source: Database, dest: Database) -> None:
        """Compare a part; with a table's last one, tell what was found."""
        layout = part.layout
        if layout.label in self._failed:
            return
        try:
            attempt = partial(self.attempt, part, source, dest)
            comparison = persist(self, attempt, source, dest)
        except (Cancelled, Stopped, Suspended):
            raise
        except EngineError as error:
            if error.transient:  # a server that is away is so for all tables
                raise
            self._fail(layout, error)
        else:
            self._finish(part, comparison)

    def attempt(self, part: Chunk, source: Database, dest: Database) -> Comparison:
        """Compare a part; what was told of it is taken back where that fails."""
        layout, done = part.layout, 0

        def step(rows: int) -> None:
            nonlocal done
            self.crew.check()
            done += rows
            self.listener.progress(layout, rows)

        try:
            with self.found(layout) if self.found else nullcontext() as found:
                aside = self.set_aside.get(layout.label, ())
                return compare_part(part, source, dest, self.connect, step, aside, found)
        except EngineError as error:
            if error.transient:
                self.listener.progress(layout, -done)
            raise

    def _fail(self, layout: Layout, error: EngineError) -> None:
        with self._lock:
            first = layout.label not in self._failed
            self._failed.add(layout.label)
        if first:
            self.listener.failed(layout, error)

    def _finish(self, part: Chunk, comparison: Comparison) -> None:
        label = part.layout.label
        with self._lock:
            done = self._done.setdefault(label, {})
            done[part.position] = comparison
            self._left[label] -= 1
            if self._left[label] or label in self._failed:
                return
            del self._done[label]
        self.listener.compared(part.layout, put_together([done[key] for key in sorted(done)]))


def put_together(parts: Sequence[Comparison]) -> Comparison:
    """The comparison of a table from those of its parts, in their order."""
    whole = Comparison()
    for part in parts:
        whole.add(part)
    whole.digest_source = digest_of([part.digest_source for part in parts])
    whole.digest_dest = digest_of([part.digest_dest for part in parts])
    return whole


def digest_of(parts: Sequence[str]) -> str:
    return hashlib.blake2b(" ".join(parts).encode(), digest_size=32).hexdigest()


# -- One part --------------------------------------------------------------------------------------


def compare_part(
    part: Chunk,
    source: Database,
    dest: Database,
    connect: Connect,
    step: Callable[[int], None],
    set_aside: Iterable[bytes] = (),
    found: Found | None = None,
) -> Comparison:
    """Compare a part of a table; `step` is called with the rows of the source just compared."""
    pair = Pair(part.layout, source, dest)
    with ExitStack() as closing:

        @cache
        def connections() -> tuple[Database, Database]:
            return closing.enter_context(connect())

        def suspects(result: Comparison) -> Suspects:
            return Suspects(pair, connections, result, set_aside, found)

        if is_ordered(part.layout):
            # SQLite may hold a text among integers, which then is no key to merge by.
            with suppress(Disorder):
                return in_order(pair, part.keys, source, dest, suspects, step)
        return by_digests(pair, part.keys, source, dest, suspects, step)


Watch = Callable[[Comparison], Suspects]


def in_order(
    pair: Pair,
    keys: KeyRange | None,
    source: Database,
    dest: Database,
    suspects: Watch,
    step: Callable[[int], None],
) -> Comparison:
    """Merge both sides, sorted by their key."""
    result = Comparison()
    there = Stream(partial(pair.read_source, source, keys=keys, ordered=True))
    here = Stream(partial(pair.read_dest, dest, keys=keys, ordered=True))
    try:
        Merge(pair, suspects(result), step).run(iter(there.pipe), iter(here.pipe))
    finally:
        there.close()
        here.close()
    result.rows_source, result.rows_dest = there.rows, here.rows
    result.digest_source, result.digest_dest = there.digest, here.digest
    return result


def by_digests(
    pair: Pair,
    keys: KeyRange | None,
    source: Database,
    dest: Database,
    suspects: Watch,
    step: Callable[[int], None],
) -> Comparison:
    """Compare digests of buckets, then the rows of the buckets that differ."""
    result = Comparison()
    read_source = partial(pair.read_source, source, keys=keys)
    read_dest = partial(pair.read_dest, dest, keys=keys)
    there, here = digests.sums(pair, read_source, read_dest, step)
    result.rows_source, result.rows_dest = there.rows, here.rows
    result.digest_source, result.digest_dest = there.digest, here.digest
    watch = suspects(result)
    for group in digests.groups(there, here):
        digests.Matching(there, here, group, watch).run(read_source, read_dest)
    return result


class Stream:
    """One side's canonical rows, counted and hashed as they pass through a pipe."""

    def __init__(self, read: Callable[[Callable[[bytes], object]], None]) -> None:
        self.rows = 0
        self.pipe = Pipe(AHEAD)
        self._read = read
        self._hash = hashlib.blake2b(digest_size=32)
        self._thread = reading(self._fill, self.pipe)

    def _fill(self, write: Callable[[bytes], None]) -> None:
        def passing(block: bytes) -> None:
            self.rows += block.count(b"\n")
            self._hash.update(block)
            write(block)

        self._read(passing)

    def close(self) -> None:
        """End the reading, if it has not ended."""
        self.pipe.abandon()
        self._thread.join()

    @property
    def digest(self) -> str:
        """Of all rows in their order."""
        return self._hash.hexdigest()
