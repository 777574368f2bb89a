"""SQLite: a transaction locks the whole file; a file beside it is locked for as long as a run."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from abc import ABC
from contextlib import suppress
from typing import Any

from migrations_ui.engine.databases import base
from migrations_ui.engine.errors import ServerError

TRANSIENT = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
}
PRIMARY = 0xFF  # the bits of an extended code that say what kind of error it is


class Sessions(base.Database, ABC):
    """The part of a SQLite database that deals with other connections."""

    # The connection of its own that `read` has.
    reading: sqlite3.Connection | None = None
    _reserved: tuple[tuple[int, str], ...] = ()

    def acquire(self, name: str) -> None:
        """Nothing to do: `begin` locks the whole file."""

    def release(self, name: str) -> None:
        """Nothing to do."""

    def reserve(self, name: str, holder: str) -> bool:
        """By a lock on a file beside the database's, which goes when the connection does.

        Not on the file itself: closing it would take SQLite's own locks off.
        """
        path = f"{self.config['NAME']}-{name}"
        try:
            while (file := locked(path)) is None:
                """Its last holder has removed it in this moment."""
        except BlockingIOError:
            return False
        except OSError as error:
            raise ServerError(f"{self.label}: {path} can't be locked: {error.strerror}.") from error
        self._reserved += ((file, path),)
        return True

    def stop_reading(self) -> None:
        """Close the connection that reads; the next read opens another."""
        if self.reading:
            self.reading.close()
        self.reading = None

    def close(self) -> None:
        super().close()
        self.stop_reading()
        for file, path in self._reserved:
            with suppress(OSError):  # somebody has cleared up
                os.unlink(path)
            os.close(file)
        self._reserved = ()

    def is_held(self, name: str) -> bool:
        """A lock on a file does not tell whose it is."""
        return False

    def evict(self, name: str) -> bool:
        """Another process can't be ended from here; as long as it lives, it keeps its locks."""
        return False

    def join(self, holder: str) -> None:
        """Nothing to do: who is to have the file must wait until the holder's process has ended."""

    def _join(self, holder: str) -> None:
        """Nothing to do."""

    def evict_joined(self, holder: str) -> bool:
        return False

    def interrupt(self) -> None:
        for connection in (self.connection, self.reading):
            if connection is not None:
                with suppress(sqlite3.ProgrammingError):  # it is closed
                    connection.interrupt()

    def busy_sessions(self) -> int:
        return 0

    def is_transient(self, error: Any) -> bool:
        code = getattr(error, "sqlite_errorcode", 0) & PRIMARY
        if code == sqlite3.SQLITE_CANTOPEN and is_missing(self.config["NAME"]):
            return False  # it does not come by itself; what a mount keeps back may
        return code in TRANSIENT


def is_missing(path: str) -> bool:
    """Whether there certainly is no such file, or no such folder."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def locked(path: str) -> int | None:
    """The file, open and locked; None where it is not the one at this path any more."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file).st_ino == os.stat(path).st_ino:
            return file
    except FileNotFoundError:
        pass
    except BaseException:
        os.close(file)
        raise
    os.close(file)
    return None
