"""Copying one table: a reader piped into a loader, in batches of one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.pipe import Pipe, reading
from migrations_ui.engine.rejecting import Rejects, load_batch

# Bytes of canonical rows that are loaded at once, and that may wait to be loaded.  Both bound the
# memory of a copy, whatever the table's size.
BATCH = 4 * 1024 * 1024
AHEAD = 8 * 1024 * 1024

Progress = Callable[[int], None]


def copy_table(
    source: Database,
    dest: Database,
    layout: Layout,
    progress: Progress,
    rejects: Rejects | None = None,
) -> int:
    """Copy all rows of a table in one transaction, and return how many were written.

    `progress` is called with the rows read so far, after every batch; what it raises undoes the
    table.  `RowRefused` names table, column, key and value; the table is then as it was.  Rows that
    `rejects` takes are left out.
    """
    rejects = rejects or Rejects()
    pipe = Pipe(AHEAD)
    thread = reading(
        lambda write: source.read(layout.source_name, layout.source_columns, write, layout.filters),
        pipe,
    )
    read = written = 0
    try:
        with dest.transaction():
            for batch in batches(pipe):
                written += load_batch(dest, layout, batch, rejects)
                read += batch.count(b"\n")
                progress(read)
    finally:
        pipe.abandon()
        thread.join()
    return written


def batches(blocks: Pipe) -> Iterator[bytes]:
    """The blocks, joined to batches of about `BATCH` bytes; a block holds whole rows."""
    waiting: list[bytes] = []
    size = 0
    for block in blocks:
        waiting.append(block)
        size += len(block)
        if size >= BATCH:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
