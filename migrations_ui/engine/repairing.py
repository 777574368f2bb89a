"""Bringing a destination up to date: compare, and copy again exactly the rows that differ.

Nothing is wiped.  What differs is found by the audit's comparison; of each such row the
destination's is deleted and the source's, if it still has one, is loaded: one transaction a table.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import islice
from typing import Protocol

from migrations_ui.engine.comparing import Comparison, Found, Pair, RowDifference
from migrations_ui.engine.copying import batches
from migrations_ui.engine.crew import Connect, Crew, one_of
from migrations_ui.engine.databases.base import Database, ForeignKey, Rows
from migrations_ui.engine.databases.indexing import Index
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.kinds import NULL
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.persisting import connected, persist
from migrations_ui.engine.rejecting import Rejects, load_batch
from migrations_ui.engine.transfer import Orphans, put_back, set_sequences, taken_off
from migrations_ui.engine.triggers import Ledger as TriggerLedger
from migrations_ui.engine.triggers import without_triggers
from migrations_ui.engine.verifying import Listener, compare_tables

# Rows that are read from the source at once, by their keys.
KEYS_AT_ONCE = 500
# Bytes of a table's keys that are kept in memory; more go into a file.
SPOOLED = 1024 * 1024


class Ledger(Listener, TriggerLedger, Protocol):
    """Who is told what a repair does, by any of its threads, and may stop it by an exception."""

    def phase(self, name: str) -> None:
        """A phase begins: compare, repair, constraints, sequences."""

    def dropping(self, keys: Sequence[ForeignKey], indexes: Sequence[Index]) -> None:
        """These foreign keys are about to be dropped: note them down first."""

    def restored(self, key: ForeignKey) -> None:
        """This foreign key is back and valid."""

    def repaired(self, layout: Layout, differed: int, loaded: int) -> None:
        """So many rows of the table differed; so many of them the source has, and they are in."""


class Repair:
    """Makes the destination's rows of these tables what the source's are.

    `set_aside` as in `compare_tables`.  After `run`, `comparisons` has what was found of each table
    before anything was changed, and `changed` the tables of which rows were copied again.
    """

    def __init__(
        self,
        layouts: Sequence[Layout],
        connect: Connect,
        ledger: Ledger,
        *,
        workers: int = 1,
        set_aside: Mapping[str, Sequence[bytes]] | None = None,
    ) -> None:
        self.layouts = layouts
        self.connect = connect
        self.ledger = ledger
        self.workers = workers
        self.set_aside = set_aside
        self.comparisons: dict[str, Comparison] = {}
        self.changed: list[Layout] = []

    def run(self) -> None:
        """Compare, then repair what differs; raise what went wrong.

        A table that can't be compared, or has no key to tell its rows apart by, keeps all from
        being changed.
        """
        with ExitStack() as closing:
            spools = {layout.label: closing.enter_context(Spool(layout)) for layout in self.layouts}
            self.compare(spools)
            self.changed = [layout for layout in self.layouts if spools[layout.label].rows]
            with self.pair() as (source, dest):
                if self.changed:
                    self.repair(spools, dest)
                self.ledger.phase("sequences")
                adjust = partial(set_sequences, self.layouts, source, dest)
                persist(self.ledger, adjust, source, dest)

    def compare(self, spools: Mapping[str, Spool]) -> None:
        """Compare every cell, and note the keys of the rows that differ."""
        self.ledger.phase("compare")
        witness = Witness(self.ledger)
        compare_tables(
            self.layouts,
            self.connect,
            witness,
            workers=self.workers,
            set_aside=self.set_aside,
            found=lambda layout: spools[layout.label].part(),
        )
        problems = [*witness.errors, *(spool.problem for spool in spools.values() if spool.problem)]
        if problems:
            raise EngineError("Nothing was changed. " + " ".join(problems))
        self.comparisons = witness.comparisons

    def repair(self, spools: Mapping[str, Spool], dest: Database) -> None:
        """Copy what differs again, with what is in the way off meanwhile."""
        self.ledger.phase("repair")
        names = [layout.dest_name for layout in self.changed]
        keys = persist(self.ledger, lambda: dest.foreign_keys(names), dest)
        crew = Crew(self.workers if dest.writes_at_once else 1, self.pair)

        def work(layout: Layout, source: Database, dest: Database) -> None:
            attempt = partial(self.repair_table, spools[layout.label], source, dest, crew.check)
            self.ledger.repaired(layout, *persist(self.ledger, attempt, source, dest))

        with (
            without_triggers(self.changed, dest, self.ledger),
            without_foreign_keys(keys, dest, self.ledger),
        ):
            crew.share(one_of(self.changed), work)

    def repair_table(
        self, spool: Spool, source: Database, dest: Database, check: Callable[[], None]
    ) -> tuple[int, int]:
        """Delete the rows that differ, and load those that the source has; how many these were."""

        def checks() -> None:
            check()
            self.ledger.check()

        with dest.transaction():
            loaded = replace(Pair(spool.layout, source, dest), spool, source, dest, checks)
        return spool.rows, loaded

    @contextmanager
    def pair(self) -> Iterator[tuple[Database, Database]]:
        """Connections for one thread, the destination's set up for loading."""
        with connected(self.ledger, self.connect, loading=True) as databases:
            yield databases


def take_off(keys: Sequence[ForeignKey], dest: Database) -> None:
    """Drop the foreign keys that would be in the way."""
    for key in taken_off(keys):
        dest.drop_foreign_key(key)


@contextmanager
def without_foreign_keys(
    keys: Sequence[ForeignKey], dest: Database, ledger: Ledger
) -> Iterator[None]:
    """Foreign keys out of the way, and at the end put back or looked at; `Orphans` if one can't."""
    ledger.dropping(taken_off(keys), [])
    put = partial(put_back, keys, dest, ledger.restored)
    try:
        persist(ledger, lambda: take_off(keys, dest), dest)
        yield
        ledger.phase("constraints")
    except BaseException:
        with suppress(EngineError):  # the journal keeps what could not be put back
            put()
        raise
    if problems := persist(ledger, put, dest):
        raise Orphans(" ".join(problems))


def replace(
    pair: Pair, spool: Spool, source: Database, dest: Database, check: Callable[[], None]
) -> int:
    """Delete the rows with the spool's keys, and load those that the source has: how many."""
    rejects, loaded = Rejects(), 0
    delete(pair, spool, dest)
    for keys in spool.groups():
        check()
        for batch in batches(rows_of(pair, keys, source)):
            loaded += load_batch(dest, pair.layout, batch, rejects)
    return loaded


def delete(pair: Pair, spool: Spool, dest: Database) -> None:
    """Delete the destination's rows that have these keys; some may have none."""
    columns = [pair.layout.dest_columns[position] for position in pair.key]
    names = [column.column.name for column in columns]
    listed = dest.list_keys(pair.layout.dest_name, names)
    for batch in batches(spool.blocks()):
        dest.load(listed, columns, batch)
    dest.delete_listed(pair.layout.dest_name, names, listed)


def rows_of(pair: Pair, keys: Sequence[bytes], source: Database) -> list[bytes]:
    """The source's canonical rows that have these keys, as it has them now."""
    layout = pair.layout

    def read(write: Callable[[bytes], object], *, listed: Sequence[bytes] = ()) -> None:
        chosen = pair.keys_listed(source, layout.source_columns, listed) if listed else None
        rows = Rows(layout.filters, listed=chosen)
        source.read(layout.source_name, layout.source_columns, write, rows)

    return [line + b"\n" for line in pair.with_keys(read, keys, on_source=True)]


class Witness:
    """Passes on what a comparison tells, and keeps what was found of each table."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.comparisons: dict[str, Comparison] = {}
        self.errors: list[str] = []

    def check(self) -> None:
        self.ledger.check()

    def again(self, error: EngineError, attempt: int) -> bool:
        return self.ledger.again(error, attempt)

    def progress(self, layout: Layout, rows: int) -> None:
        self.ledger.progress(layout, rows)

    def compared(self, layout: Layout, found: Comparison) -> None:
        self.comparisons[layout.label] = found
        self.ledger.compared(layout, found)

    def failed(self, layout: Layout, error: EngineError) -> None:
        self.errors.append(f"{layout.label} can't be compared: {error}")
        self.ledger.failed(layout, error)


class Spool:
    """The keys of a table's rows that differ, in a file when there are many; a context manager."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        key = [layout.columns[position] for position in layout.key_positions]
        # What Django converts on the way is not what the source has.
        self.has_key = bool(key) and not any(column.through for column in key)
        self.rows = 0
        self.problem = ""
        self._lock = threading.Lock()
        self._file = tempfile.SpooledTemporaryFile(SPOOLED)  # noqa: SIM115  # closed by __exit__

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    @contextmanager
    def part(self) -> Iterator[Found]:
        """Takes the rows of a part that differ; they are kept where that ends without an error."""
        with Spool(self.layout) as part:
            yield part.add
            with self._lock:
                self.rows += part.rows
                self.problem = self.problem or part.problem
                part._file.seek(0)
                shutil.copyfileobj(part._file, self._file)

    def add(self, row: RowDifference) -> None:
        """Note a row that differs."""
        self.rows += 1
        if not self.has_key or NULL in row.key.split(b"\t"):
            self.problem = (
                f"Rows of {self.layout.label} differ that have no key to find them by: copy "
                "the table again."
            )
        self._file.write(row.key + b"\n")

    def blocks(self) -> Iterator[bytes]:
        """The keys as canonical rows, in blocks of whole ones."""
        for keys in self.groups():
            yield b"".join(key + b"\n" for key in keys)

    def groups(self) -> Iterator[list[bytes]]:
        """The keys, a few at a time."""
        self._file.seek(0)
        lines = (line.rstrip(b"\n") for line in self._file)
        return iter(lambda: list(islice(lines, KEYS_AT_ONCE)), [])
