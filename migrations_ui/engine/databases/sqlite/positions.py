"""Where a SQLite file stands: the change counter in its header, or its write-ahead log.

How exact it is.  With a rollback journal each transaction that writes moves the counter.  With a
write-ahead log it need not, but the log itself grows or is written anew; when it is put back into
the file, which also happens by itself, it can't be told whether more was written before that.
Which table was written is never known.
"""

from __future__ import annotations

import os
import threading
from abc import ABC
from collections.abc import Iterable

from migrations_ui.engine.databases import base
from migrations_ui.engine.databases.positions import STOOD, Movement, Others, Position, State

COUNTER, READS = slice(24, 28), 19
HEADER = 28
WAL_FORMAT = 2
# By device and inode; see `header`.
open_files: dict[tuple[int, int], int] = {}
opening = threading.Lock()

PUT_AWAY = (
    "Its write-ahead log was put into the file since: whether more was written before that can't "
    "be told."
)
UNSEEN = "SQLite does not tell who has the file open."


class Positions(base.Database, ABC):
    """What SQLite tells of writes."""

    def position(self, tables: Iterable[str], *, settled: bool = False) -> Position:
        path = self.config["NAME"]
        log = size_and_time(f"{path}-wal")
        head = header(path)
        mark = f"counter {int.from_bytes(head[COUNTER], 'big')}"
        if log and log[0]:
            mark = f"log {log[0]} {log[1]}"
        elif head[READS] == WAL_FORMAT:
            mark = f"file {size_and_time(path)}"
        return Position(identity=self.server().identity, mark=mark, tables=None)

    @classmethod
    def compare(cls, before: Position, now: Position) -> Movement:
        if before.mark == now.mark:
            return STOOD
        if before.mark.startswith("log") and not now.mark.startswith("log"):
            return Movement(State.UNKNOWN, why=PUT_AWAY)
        return Movement(State.CHANGED)

    def others(self) -> Others:
        journal = size_and_time(f"{self.config['NAME']}-journal")
        writing = (
            ("somebody is inside a transaction that writes",) if journal and journal[0] else ()
        )
        return Others(writing=writing, unseen=UNSEEN)


def size_and_time(path: str) -> tuple[int, int] | None:
    """A file's size and the time of its last change, in nanoseconds; None if it isn't there."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime_ns


def header(path: str) -> bytes:
    """The beginning of a file.

    The file stays open as long as the process lives: closing it would take away the locks that
    SQLite holds on it in this process, since POSIX has one set of locks a process and file.
    """
    status = os.stat(path)
    key = status.st_dev, status.st_ino
    with opening:
        if key not in open_files:
            open_files[key] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return os.pread(open_files[key], HEADER, 0)
