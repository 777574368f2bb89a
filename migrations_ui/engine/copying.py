"""Copying one chunk: a reader piped into a loader, in batches of one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.databases.base import ALL_ROWS, Database, Rows, TypedColumn
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.pipe import Pipe, reading
from migrations_ui.engine.rejecting import Rejects, load_batch

# Bytes of canonical rows that are loaded at once, and that may wait to be loaded.  Both bound the
# memory of a copy, whatever the table's size.
BATCH = 1024 * 1024
AHEAD = 1024 * 1024
# Seconds after which a batch is loaded, whatever its size.
LONGEST = 1.0

Progress = Callable[[int], None]


def copy_chunk(
    source: Database,
    dest: Database,
    chunk: Chunk,
    progress: Progress,
    rejects: Rejects | None = None,
    confirm: Callable[[], None] = lambda: None,
) -> int:
    """Copy a chunk in one transaction, and return how many rows were written.

    `progress` is called with the rows read so far, after every block; what it raises undoes the
    chunk.  `RowRefused` names table, column, key and value; the destination is then as it was.
    Rows that `rejects` takes are left out.  Doing it twice is harmless: a chunk that was begun
    before is deleted first, in the same transaction, and no two sessions are at it at once.  Who
    was at it before is ended, if it still is; `confirm`, called when it can't be any more, raises
    when the chunk is somebody else's by now.
    """
    rejects = rejects or Rejects()
    layout = chunk.layout
    written = 0
    if chunk.again:
        dest.evict(chunk.name)
    with dest.held(chunk.name), dest.transaction():
        confirm()
        if chunk.again:
            unload(chunk, source, dest)
        with closing(read_ahead(source, layout.source_columns, chunk)) as blocks:
            for batch in batches(told(blocks, progress)):
                written += load_batch(dest, layout, batch, rejects)
    return written


def told(blocks: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    """The blocks; `progress` is told of each, and may hold it back, before it is passed on."""
    read = 0
    for block in blocks:
        read += block.count(b"\n")
        progress(read)
        yield block


def read_ahead(
    source: Database, columns: Sequence[TypedColumn], chunk: Chunk
) -> Generator[bytes, None, None]:
    """The blocks of a chunk, read by a thread of its own; closing it ends the thread."""
    pipe = Pipe(AHEAD)
    name = chunk.layout.source_name
    thread = reading(lambda write: source.read(name, columns, write, chunk.rows), pipe)
    try:
        yield from pipe
    finally:
        pipe.abandon()
        thread.join()


def unload(chunk: Chunk, source: Database, dest: Database) -> None:
    """Delete what an earlier attempt at this chunk may have left in the destination.

    Integers have one order everywhere, so their range is deleted; a range of other keys may not be
    one in the destination, so the keys that the source has in it are deleted.
    """
    layout = chunk.layout
    key = [layout.columns[position] for position in layout.key_positions]
    names = tuple(column.dest.name for column in key)
    if chunk.keys is None:
        dest.delete(layout.dest_name, ALL_ROWS)
    elif all(column.kind is Kind.INTEGER for column in key):
        dest.delete(layout.dest_name, Rows(keys=chunk.keys._replace(columns=names)))
    else:
        delete_keys(chunk, source, dest, names)


def delete_keys(chunk: Chunk, source: Database, dest: Database, names: Sequence[str]) -> None:
    """Delete the rows whose keys the source has in the chunk."""
    layout = chunk.layout
    source_key = [layout.source_columns[position] for position in layout.key_positions]
    dest_key = [layout.dest_columns[position] for position in layout.key_positions]
    listed = dest.list_keys(layout.dest_name, names)
    with closing(read_ahead(source, source_key, chunk)) as blocks:
        for batch in batches(blocks):
            dest.load(listed, dest_key, batch)
    dest.delete_listed(layout.dest_name, names, listed)


def batches(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks, joined to batches of about `BATCH` bytes, less where they come slowly.

    A block holds whole rows.
    """
    waiting: list[bytes] = []
    size, began = 0, time.monotonic()
    for block in blocks:
        waiting.append(block)
        size += len(block)
        if size >= BATCH or time.monotonic() - began >= LONGEST:
            batch = b"".join(waiting)
            waiting.clear()  # before it is loaded, so that it is not held twice
            yield batch
            size, began = 0, time.monotonic()
    if waiting:
        yield b"".join(waiting)
