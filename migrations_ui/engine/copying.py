"""Copying one table: a reader piped into a loader, in batches of one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import RowRefused
from migrations_ui.engine.kinds import unescape
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.pipe import Pipe, reading

# Bytes of canonical rows that are loaded at once, and that may wait to be loaded.  Both bound the
# memory of a copy, whatever the table's size.
BATCH = 4 * 1024 * 1024
AHEAD = 8 * 1024 * 1024

SHORTENED = 80

Progress = Callable[[int], None]


def copy_table(source: Database, dest: Database, layout: Layout, progress: Progress) -> int:
    """Copy all rows of a table in one transaction, and return how many there were.

    `progress` is called with the rows loaded so far, after every batch; what it raises undoes the
    table.  `RowRefused` names table, column, key and value; the table is then as it was.
    """
    pipe = Pipe(AHEAD)
    thread = reading(
        lambda write: source.read(layout.source_name, layout.source_columns, write), pipe
    )
    rows, batch = 0, b""
    try:
        with dest.transaction():
            for batch in batches(pipe):
                dest.load(layout.dest_name, layout.dest_columns, batch)
                rows += batch.count(b"\n")
                progress(rows)
    except RowRefused as error:
        raise explained(error, layout, batch) from error
    finally:
        pipe.abandon()
        thread.join()
    return rows


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


def explained(error: RowRefused, layout: Layout, batch: bytes) -> RowRefused:
    """The refusal with table, column, key and value, as far as the server told where it was."""
    where = f"{layout.label} (table {layout.dest_name})"
    if error.column:
        where += f", column {error.column}"
    lines = batch.split(b"\n")
    if error.line is not None and 0 < error.line <= len(lines):
        values = [shown(value) for value in lines[error.line - 1].split(b"\t")]
        if key := ", ".join(values[position] for position in layout.key_positions):
            where += f", key {key}"
        names = [column.dest.name for column in layout.columns]
        if error.column in names:
            where += f", value {values[names.index(error.column)]}"
    return RowRefused(f"{where}: {error.message}", line=error.line, column=error.column)


def shown(value: bytes) -> str:
    """A value for a message: readable and short."""
    plain = unescape(value)
    if plain is None:
        return "NULL"
    text = plain[: SHORTENED * 4].decode(errors="backslashreplace")
    readable = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return readable if len(readable) <= SHORTENED else f"{readable[:SHORTENED]}…"
