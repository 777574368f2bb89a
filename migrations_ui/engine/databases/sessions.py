"""What sessions of one database do to each other: hold names, end each other, be interrupted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from migrations_ui.engine.errors import ServerError


class SessionOperations(ABC):
    """Names that one session at a time holds, and what ends a session or its statement.

    Names are those of one database.  Whoever loses its connection holds nothing any more.
    """

    holder: str = ""  # whose session this is, if anybody's: see `join`
    connection: Any

    @abstractmethod
    def connect(self) -> Any:
        """A new connection of the driver, or `Unreachable`."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection; what was not committed is undone."""

    def reconnect(self) -> None:
        """A new connection in the place of one that may be lost, of the same holder."""
        self.close()
        self.connection = self.connect()
        if self.holder:
            self.join(self.holder)

    def join(self, holder: str) -> None:
        """Be one of the holder's sessions, which end when it is told to `evict`.

        `ServerError`, a transient one, where it holds nothing here any more: a process that was
        suspended, and given up meanwhile, must not go on where it stood.
        """
        self.holder = holder
        self._join(holder)
        # Only after that: who evicts ends the hold first, and then those that have joined.
        if not self.is_held(holder):
            raise ServerError("This worker's hold on the destination is lost.", transient=True)

    @abstractmethod
    def _join(self, holder: str) -> None:
        """Hold a name by which `evict` finds the sessions of the holder."""

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Let no other session hold the same name meanwhile; wait for it.

        `ServerError`, a transient one, when it takes too long.
        """
        self.acquire(name)
        try:
            yield
        finally:
            with suppress(ServerError):  # a dead connection holds nothing
                self.release(name)

    @abstractmethod
    def acquire(self, name: str) -> None:
        """Hold the name, or wait until nobody else does."""

    @abstractmethod
    def release(self, name: str) -> None:
        """Hold the name no more."""

    @abstractmethod
    def reserve(self, name: str, holder: str) -> bool:
        """Hold the name until the connection is closed; False when another session holds it.

        The name of the holder is held as well, so that this very session can be told to `evict`.
        """

    @abstractmethod
    def is_held(self, name: str) -> bool:
        """Whether another session holds the name just now."""

    @abstractmethod
    def evict(self, name: str) -> bool:
        """End the session that holds the name, so that what it has not committed is undone.

        Whether there was one that could be ended.
        """

    @abstractmethod
    def evict_joined(self, holder: str) -> bool:
        """End the sessions that have joined the holder; whether there still is one."""

    @abstractmethod
    def interrupt(self) -> None:
        """End the statement that this connection is at, if any; called from another thread."""

    @abstractmethod
    def busy_sessions(self) -> int:
        """How many sessions on the server are at work in this moment, Cutover's left out.

        As far as the account may see them; 0 where there are no sessions.
        """

    @abstractmethod
    def is_transient(self, error: Any) -> bool:
        """Whether a driver's error is about the connection or the moment, not about what was asked.

        Lost connections, restarts, deadlocks, lock timeouts, full disks.
        """
