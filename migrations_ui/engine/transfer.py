"""A transfer of a selection of tables: wipe, load, constraints, sequences, counts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from migrations_ui.engine.copying import copy_table
from migrations_ui.engine.databases.base import Database, ForeignKey
from migrations_ui.engine.errors import EngineError, ServerError
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.rejecting import Rejected, Rejects


class Listener(Protocol):
    """Who is told what a transfer does, and may stop it by raising an exception."""

    def phase(self, name: str) -> None:
        """A phase begins: wipe, load, constraints, sequences."""

    def dropping(self, keys: Sequence[ForeignKey]) -> None:
        """These foreign keys are about to be dropped: note them down first."""

    def restored(self, key: ForeignKey) -> None:
        """This foreign key is back and valid."""

    def wiped(self) -> None:
        """All tables of the selection are empty now."""

    def table_started(self, layout: Layout) -> None:
        """The table's load begins."""

    def table_progress(self, layout: Layout, rows: int) -> None:
        """So many rows are loaded, not yet committed."""

    def table_finished(self, layout: Layout, rows: int, rejected: Sequence[Rejected]) -> None:
        """The table is loaded and committed, but for the rejected rows."""

    def table_failed(self, layout: Layout, error: Exception) -> None:
        """The table is as it was before its load: empty."""


class Orphans(EngineError):
    """Rows whose foreign key leads nowhere."""


@dataclass(frozen=True)
class SequenceState:
    """What hands out a table's keys, on both sides; None where a side has no such thing."""

    max_key: int | None
    next_source: int | None
    next_dest: int

    @property
    def problem(self) -> str:
        """Why the destination's next key is wrong, or nothing."""
        if self.max_key is not None and self.next_dest <= self.max_key:
            return f"the next key {self.next_dest:,} is not above the largest key {self.max_key:,}"
        if self.next_source is not None and self.next_dest < self.next_source:
            return f"the next key {self.next_dest:,} is below the source's {self.next_source:,}"
        return ""


def transfer(
    layouts: Sequence[Layout],
    source: Database,
    dest: Database,
    listener: Listener,
    rejects: Rejects,
) -> None:
    """Replace the destination's rows of these tables by the source's, but for those rejected.

    Whatever happens, the foreign keys that were dropped are put back before it returns or raises.
    """
    dest.prepare_load()
    keys = dest.foreign_keys([layout.dest_name for layout in layouts])
    try:
        wipe(layouts, keys, dest, listener)
        listener.phase("load")
        for layout in layouts:
            load(layout, source, dest, listener, rejects)
        listener.phase("constraints")
    except BaseException:
        with suppress(EngineError):  # the journal keeps what could not be put back
            put_back(keys, dest, listener)
        raise
    problems = put_back(keys, dest, listener)
    listener.phase("sequences")
    set_sequences(layouts, source, dest)
    if problems:
        raise Orphans(" ".join(problems))


def wipe(
    layouts: Sequence[Layout], keys: Sequence[ForeignKey], dest: Database, listener: Listener
) -> None:
    """Empty the tables; foreign keys that are in the way go first, and are noted before that."""
    listener.phase("wipe")
    if dest.drops_foreign_keys:
        listener.dropping(keys)
        for key in keys:
            dest.drop_foreign_key(key)
    dest.wipe([layout.dest_name for layout in layouts])
    listener.wiped()


def load(
    layout: Layout, source: Database, dest: Database, listener: Listener, rejects: Rejects
) -> None:
    """Load one table and say how it went."""
    listener.table_started(layout)
    before = len(rejects.found)
    try:
        rows = copy_table(
            source, dest, layout, lambda rows: listener.table_progress(layout, rows), rejects
        )
    except Exception as error:
        listener.table_failed(layout, error)
        raise
    listener.table_finished(layout, rows, rejects.found[before:])


def put_back(keys: Sequence[ForeignKey], dest: Database, listener: Listener) -> list[str]:
    """Put foreign keys back, or check those that were not enforced; say which rows violate them."""
    problems = []
    for key in keys:
        if problem := restore(key, dest):
            problems.append(problem)
        else:
            listener.restored(key)
    return problems


def restore(key: ForeignKey, dest: Database) -> str:
    """Put one foreign key back and validate it; what violates it, or nothing."""
    try:
        if dest.drops_foreign_keys:
            dest.restore_foreign_key(key)
            return ""
        error = ""
    except ServerError as refused:
        error = str(refused)
    rows, samples = dest.orphans(key)
    if not rows:
        return error
    columns, parents = ", ".join(key.columns), ", ".join(key.parent_columns)
    return (
        f"{rows:,} rows of {key.table} lead nowhere: {columns} has no match in "
        f"{key.parent}.{parents} (for example {'; '.join(samples)}). Mend them in the source; if "
        f"{key.parent} was not copied or rows of it were left out, copy these as well."
    )


def set_sequences(layouts: Sequence[Layout], source: Database, dest: Database) -> None:
    """Let every table hand out keys above its largest, and not below the source's next one."""
    states = sequence_states(layouts, source, dest)
    columns = dest.sequences([layout.dest_name for layout in layouts])
    for layout in layouts:
        if state := states.get(layout.label):
            value = max((state.max_key or 0) + 1, state.next_source or 1)
            if value != state.next_dest:
                dest.set_next_key(layout.dest_name, columns[layout.dest_name].column, value)


def sequence_states(
    layouts: Sequence[Layout], source: Database, dest: Database
) -> dict[str, SequenceState]:
    """The state of each sequence that the destination has, by label."""
    there = source.sequences([layout.source_name for layout in layouts])
    here = dest.sequences([layout.dest_name for layout in layouts])
    return {
        layout.label: SequenceState(
            max_key=dest.max_key(layout.dest_name, sequence.column),
            next_source=there[layout.source_name].next_value
            if layout.source_name in there
            else None,
            next_dest=sequence.next_value,
        )
        for layout in layouts
        if (sequence := here.get(layout.dest_name))
    }
