"""A quick pass over rows that a key or a timestamp says are newer than the destination's.

New rows have an automatic key above the destination's largest; changed ones have a timestamp that
Django sets at each save, and not much before the destination's latest.  Nothing else is read, so
it proves nothing: rows that were deleted, that were changed past `save()`, or whose transaction
was committed after that of a larger key are found by comparing everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple, Protocol

from django.db.models import AutoField, DateTimeField, Field

from migrations_ui.engine import repairing
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.comparing import Found, Pair, is_ordered, lines
from migrations_ui.engine.copying import batches, read_ahead
from migrations_ui.engine.crew import Connect
from migrations_ui.engine.databases.base import Database, ForeignKey, KeyList, KeyRange, Rows
from migrations_ui.engine.errors import EngineError, RowRefused
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.layout import CopiedColumn, Layout
from migrations_ui.engine.persisting import connected, persist
from migrations_ui.engine.rejecting import Rejects, load_batch
from migrations_ui.engine.repairing import Spool, without_foreign_keys
from migrations_ui.engine.through_django import final_field
from migrations_ui.engine.transfer import Orphans, set_sequences
from migrations_ui.engine.triggers import without_triggers

# How much earlier than the destination's latest a timestamp may be: transactions end in another
# order than they began, and the clocks of the site's machines differ.
MARGIN = timedelta(minutes=10)
# What keeps a table's newer rows out, but not the other tables'.
REFUSALS = (RowRefused, Orphans)


class Columns(NamedTuple):
    """The columns by which a table's newer rows are told; "" where it has no such one."""

    key: str = ""  # of new rows
    stamp: str = ""  # of changed ones


def columns_of(table: Table) -> Columns:
    """By which of its columns the model says which rows are newer."""
    by_name = {str(field.column): field for field in table.fields}
    key = by_name.get(table.key[0]) if len(table.key) == 1 else None
    stamps = (name for name, field in by_name.items() if is_set_at_each_save(field))
    return Columns(
        str(key.column) if key is not None and isinstance(final_field(key), AutoField) else "",
        next(stamps, "") if table.key else "",
    )


def is_set_at_each_save(field: Field[object, object]) -> bool:
    return isinstance(field, DateTimeField) and field.auto_now


class Ledger(repairing.Ledger, Protocol):
    """Who is told what the pass does, and may stop it by an exception."""

    def left(self, layout: Layout, error: EngineError) -> None:
        """The table could not take its newer rows, and is as it was."""


class Newer:
    """What is newer in one table: keys in a range, and rows whose keys are in the spool."""

    def __init__(self, pair: Pair, spool: Spool) -> None:
        self.pair = pair
        self.layout = pair.layout
        self.spool = spool
        self.new: KeyRange | None = None
        self.read = 0

    def __bool__(self) -> bool:
        return self.new is not None or self.spool.rows > 0

    def find(self, source: Database, dest: Database, upto: int | None) -> None:
        """Look for what is newer, of the source's rows with keys not above `upto`."""
        names = columns_of(self.layout.table)
        newest = None
        self.read = 0
        if names.key and is_ordered(self.layout):
            key = self.pair.key_columns[0]
            newest = dest.max_key(self.layout.dest_name, key.dest.name)
            if upto is not None and (newest is None or upto > newest):
                after = None if newest is None else (str(newest),)
                self.new = KeyRange((key.source.name,), after, (str(upto),))
            if newest is None:
                return  # all rows are new
        stamp = self._column(names.stamp)
        if stamp is not None:
            since = latest(self.layout, stamp, dest)
            if since or dest.is_empty(self.layout.dest_name):
                self._find_changed(source, dest, self._after(source, stamp, since), newest)

    def _column(self, name: str) -> CopiedColumn | None:
        """The column of a timestamp, if both sides hold it as one."""
        for column in self.layout.columns:
            if name and column.dest.name.lower() == name.lower():
                both = column.source.storage is column.dest.storage is Kind.DATETIME
                return column if both and not column.transform else None
        return None

    def _after(
        self, source: Database, stamp: CopiedColumn, since: datetime | None
    ) -> KeyRange | None:
        """The source's rows saved since then; None for all."""
        if since is None:
            return None
        column = self.layout.source_columns[self.layout.columns.index(stamp)]
        text = (since - MARGIN).isoformat(" ", "microseconds").encode()
        return KeyRange((stamp.source.name,), (source.literal(column, text),))

    def _find_changed(
        self, source: Database, dest: Database, saved: KeyRange | None, newest: int | None
    ) -> None:
        """Note the keys of these rows that the destination has not, or not alike.

        Those above its `newest` key are new, not changed.
        """
        waiting: list[bytes] = []
        at_once = repairing.KEYS_AT_ONCE

        def take(block: bytes) -> None:
            for line in lines([block]):
                if newest is None or int(self.pair.key_of(line)) <= newest:
                    waiting.append(line)
            while len(waiting) >= at_once:
                self._compare(waiting[:at_once], dest, found)
                del waiting[:at_once]

        with self.spool.part() as found:
            self.pair.read_source(source, take, saved)
            self._compare(waiting, dest, found)

    def _compare(self, there: Sequence[bytes], dest: Database, found: Found) -> None:
        """Tell the keys of those of the source's rows that the destination has not alike."""
        self.read += len(there)
        if not there:
            return
        keys = [self.pair.key_of(line) for line in there]
        blocks: list[bytes] = []
        self.pair.read_dest(dest, blocks.append, listed=keys)
        here = {
            self.pair.same_key(self.pair.key_of(line), on_source=False): line
            for line in lines(blocks)
        }
        for key, line in zip(keys, there, strict=True):
            row = self.pair.judged(key, line, here.get(self.pair.same_key(key, on_source=True)))
            if row is not None:
                found(row)

    def bring(
        self,
        source: Database,
        dest: Database,
        references: Sequence[ForeignKey],
        check: Callable[[], None],
    ) -> int:
        """Write what was found in one transaction; how many rows were added and replaced.

        `Orphans` when a row would lead nowhere: to one that is not told as newer, most likely.
        """
        with dest.transaction():
            written = repairing.replace(self.pair, self.spool, source, dest, check)
            added = self._add(source, dest, check)
            for key in references:
                rows, samples = dest.orphans(key)
                if rows:
                    raise Orphans(
                        f"Rows would lead nowhere ({rows:,}): {', '.join(key.columns)} has no "
                        f"match in {key.parent} (for example {'; '.join(samples)})."
                    )
        self.read += added
        return written + added

    def _add(self, source: Database, dest: Database, check: Callable[[], None]) -> int:
        """Load the rows with new keys."""
        if self.new is None:
            return 0
        added, rejects = 0, Rejects()
        chunk = Chunk(self.layout, keys=self.new)
        with closing(read_ahead(source, self.layout.source_columns, chunk)) as blocks:
            for batch in batches(blocks):
                check()
                added += load_batch(dest, self.layout, batch, rejects)
        return added


def latest(layout: Layout, stamp: CopiedColumn, dest: Database) -> datetime | None:
    """The destination's latest timestamp, None where it has none that can be read."""
    column = layout.dest_columns[layout.columns.index(stamp)]
    name, table = dest.quote(stamp.dest.name), dest.quote(layout.dest_name)
    largest = KeyList((stamp.dest.name,), ((f"(SELECT MAX({name}) FROM {table})",),))
    blocks: list[bytes] = []

    def keep_one(block: bytes) -> None:
        if not blocks:
            blocks.append(block)

    dest.read(layout.dest_name, [column], keep_one, Rows(listed=largest))
    try:
        return datetime.fromisoformat(lines(blocks)[0].decode()) if blocks else None
    except ValueError:
        return None


class Pass:
    """Brings newer rows over; the tables in an order in which what is referenced comes first."""

    def __init__(self, layouts: Sequence[Layout], connect: Connect, ledger: Ledger) -> None:
        self.layouts = layouts
        self.connect = connect
        self.ledger = ledger
        self.written: dict[str, int] = {}  # by label, of the tables that were changed
        self.left: dict[str, EngineError] = {}

    def run(self) -> None:
        """Find what is newer and write it, a transaction a table.

        A table that refuses a row, or whose rows would lead nowhere, is left as it was.
        """
        with (
            ExitStack() as closing,
            connected(self.ledger, self.connect, loading=True) as (source, dest),
        ):
            self.ledger.phase("compare")
            bounds = persist(self.ledger, lambda: self.bounds(source), source)
            found = []
            for layout in self.layouts:
                self.ledger.check()
                spool = closing.enter_context(Spool(layout))
                newer = Newer(Pair(layout, source, dest), spool)
                find = partial(newer.find, source, dest, bounds.get(layout.label))
                persist(self.ledger, find, source, dest)
                found.append(newer)
            self.bring(found, source, dest)
            self.ledger.phase("sequences")
            adjust = partial(set_sequences, self.layouts, source, dest)
            persist(self.ledger, adjust, source, dest)

    def bounds(self, source: Database) -> Mapping[str, int | None]:
        """The source's largest keys; those of referring tables first, so that what they lead to is
        below the bound of its own table."""
        return {
            layout.label: source.max_key(
                layout.source_name, layout.columns[layout.key_positions[0]].source.name
            )
            for layout in reversed(self.layouts)
            if is_ordered(layout) and columns_of(layout.table).key
        }

    def bring(self, found: Sequence[Newer], source: Database, dest: Database) -> None:
        """Write what was found, with what is in the way off meanwhile."""
        self.ledger.phase("repair")
        layouts = [newer.layout for newer in found if newer]
        names = [layout.dest_name for layout in layouts]
        keys = persist(self.ledger, lambda: dest.foreign_keys(names), dest) if names else []
        with (
            without_triggers(layouts, dest, self.ledger),
            without_foreign_keys(keys, dest, self.ledger),
        ):
            for newer in found:
                self.bring_table(newer, keys, source, dest)

    def bring_table(
        self, newer: Newer, keys: Sequence[ForeignKey], source: Database, dest: Database
    ) -> None:
        """Write what was found of one table, or leave it as it was."""
        layout = newer.layout
        references = [key for key in keys if key.table == layout.dest_name]
        written = 0
        if newer:
            try:
                bring = partial(newer.bring, source, dest, references, self.ledger.check)
                written = persist(self.ledger, bring, source, dest)
            except REFUSALS as error:
                self.left[layout.label] = error
                self.ledger.left(layout, error)
                return
            self.written[layout.label] = written
        self.ledger.progress(layout, newer.read)
        self.ledger.repaired(layout, written, written)
