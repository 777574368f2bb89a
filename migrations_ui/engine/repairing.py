"""Bringing a destination up to date: compare, and copy again exactly the rows that differ.

Nothing is wiped.  What differs is found by the audit's comparison; of each such row the
destination's is deleted and the source's, if it still has one, is loaded: one transaction a table.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from typing import Protocol

from migrations_ui.engine.comparing import Comparison, Pair, RowDifference
from migrations_ui.engine.copying import batches
from migrations_ui.engine.crew import Connect, Crew
from migrations_ui.engine.databases.base import Database, ForeignKey, Rows
from migrations_ui.engine.databases.indexing import Index
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.kinds import NULL
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.rejecting import Rejects, load_batch
from migrations_ui.engine.transfer import Orphans, one_of, put_back, set_sequences
from migrations_ui.engine.verifying import Listener, compare_tables

# Rows that are read from the source at once, by their keys.
KEYS_AT_ONCE = 500
# Bytes of a table's keys that are kept in memory; more go into a file.
SPOOLED = 1024 * 1024


class Ledger(Listener, Protocol):
    """Who is told what a repair does, by any of its threads, and may stop it by an exception."""

    def check(self) -> None:
        """Raise what stops the repair, if it is to stop."""

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
                set_sequences(self.layouts, source, dest)

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
            found=lambda layout: spools[layout.label].add,
        )
        problems = [*witness.errors, *(spool.problem for spool in spools.values() if spool.problem)]
        if problems:
            raise EngineError("Nothing was changed. " + " ".join(problems))
        self.comparisons = witness.comparisons

    def repair(self, spools: Mapping[str, Spool], dest: Database) -> None:
        """Copy what differs again, with the foreign keys out of the way meanwhile."""
        self.ledger.phase("repair")
        keys = dest.foreign_keys([layout.dest_name for layout in self.changed])
        crew = Crew(self.workers if dest.writes_at_once else 1, self.pair)

        def work(layout: Layout, source: Database, dest: Database) -> None:
            self.repair_table(spools[layout.label], source, dest, crew.check)

        self.ledger.dropping(keys if dest.drops_foreign_keys else [], [])
        try:
            if dest.drops_foreign_keys:
                for key in keys:
                    dest.drop_foreign_key(key)
            crew.share(one_of(self.changed), work)
            self.ledger.phase("constraints")
        except BaseException:
            with suppress(EngineError):  # the journal keeps what could not be put back
                put_back(keys, dest, self.ledger.restored)
            raise
        if problems := put_back(keys, dest, self.ledger.restored):
            raise Orphans(" ".join(problems))

    def repair_table(
        self, spool: Spool, source: Database, dest: Database, check: Callable[[], None]
    ) -> None:
        """Delete the rows that differ, and load those that the source has."""
        layout = spool.layout
        pair = Pair(layout, source, dest)
        rejects, loaded = Rejects(), 0
        with dest.transaction():
            delete(pair, spool, dest)
            for keys in spool.groups():
                check()
                self.ledger.check()
                for batch in batches(rows_of(pair, keys, source)):
                    loaded += load_batch(dest, layout, batch, rejects)
        self.ledger.repaired(layout, spool.rows, loaded)

    @contextmanager
    def pair(self) -> Iterator[tuple[Database, Database]]:
        """Connections for one thread, the destination's set up for loading."""
        with self.connect() as (source, dest):
            dest.prepare_load()
            yield source, dest


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
    found: list[bytes] = []
    listed = pair.keys_listed(source, layout.source_columns, keys)
    rows = Rows(layout.filters, listed=listed)
    source.read(layout.source_name, layout.source_columns, found.append, rows)
    return found


class Witness:
    """Passes on what a comparison tells, and keeps what was found of each table."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.comparisons: dict[str, Comparison] = {}
        self.errors: list[str] = []

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
        self.rows = 0
        self.problem = ""
        self._lock = threading.Lock()
        self._file = tempfile.SpooledTemporaryFile(SPOOLED)  # noqa: SIM115  # closed by __exit__

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def add(self, row: RowDifference) -> None:
        """Note a row that differs."""
        with self._lock:
            self.rows += 1
            if not self.layout.key_positions or NULL in row.key.split(b"\t"):
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
