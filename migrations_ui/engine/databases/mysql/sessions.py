"""MySQL's named locks, and what ends a session."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from contextlib import closing, suppress
from functools import cached_property
from typing import Any

import MySQLdb

from migrations_ui.engine.databases import base
from migrations_ui.engine.databases.access import LOCK_TIMEOUT
from migrations_ui.engine.databases.mysql.rows import CLIENT_ERRORS
from migrations_ui.engine.errors import EngineError, ServerError

# Full disk or table, too many connections, shutdown, lock timeout, deadlock, interrupted or killed,
# what MariaDB says of a transaction that was idle, of a statement that took too long and of a row
# that another session has changed since the snapshot, and what MySQL says of a session that was
# killed or idle.
TRANSIENT = {1021, 1040, 1053, 1114, 1158, 1159, 1160, 1161, 1180, 1205, 1213, 1317, 1927, 1969}
TRANSIENT |= {1020, 3169, 4031}


# The name of a lock that each of our connections holds on itself: by it they know one another.
OWN = "CONCAT('cutover:', {})"
# The name of a lock of each session that has joined a holder.
JOINED = "CONCAT(%s, ':', {})"
# At work or waiting for a lock, in whichever database of the server.
BUSY = (
    "SELECT COUNT(*) FROM {} WHERE command IN ('Query', 'Execute', 'Fetch')"
    f" AND id NOT IN (CONNECTION_ID(), COALESCE(IS_USED_LOCK({OWN.format('id')}), 0))"
)


class Sessions(base.Database, ABC):
    """The part of a MySQL database that deals with other sessions."""

    # The server's numbers of this connection, and of the one of its own that `read` has.
    number: int = 0
    reading: int = 0

    @abstractmethod
    def _connect(self, **extra: Any) -> Any: ...

    def acquire(self, name: str) -> None:
        if not self._get_lock(name, LOCK_TIMEOUT):
            message = f"{self.label}: another session has held {name} for too long."
            raise ServerError(message, transient=True)

    def release(self, name: str) -> None:
        self.query("SELECT RELEASE_LOCK(%s)", [self._lock(name)])

    def reserve(self, name: str, holder: str) -> bool:
        return self._get_lock(name, 0) and self._get_lock(holder, 0)

    def _get_lock(self, name: str, seconds: int) -> bool:
        return self.query("SELECT GET_LOCK(%s, %s)", [self._lock(name), seconds]) == [(1,)]

    def is_held(self, name: str) -> bool:
        return self._other_holder(name) is not None

    def evict(self, name: str) -> bool:
        holder = self._other_holder(name)
        if holder is None:
            return False
        with suppress(ServerError):  # it has ended meanwhile
            self.execute(f"KILL {holder}")
        return True

    def _join(self, holder: str) -> None:
        self.query(f"SELECT GET_LOCK({JOINED.format('CONNECTION_ID()')}, 0)", [self._lock(holder)])

    def evict_joined(self, holder: str) -> bool:
        numbers = f"SELECT id FROM {self.sessions} WHERE IS_USED_LOCK({JOINED.format('id')}) = id"
        found = self.query(numbers, [self._lock(holder)])
        for (number,) in found:
            with suppress(ServerError):  # it has ended meanwhile
                self.execute(f"KILL {int(number)}")
        return bool(found)

    def _other_holder(self, name: str) -> int | None:
        """The number of the connection that holds the name, unless that is this one."""
        ((holder, mine),) = self.query(
            "SELECT IS_USED_LOCK(%s), CONNECTION_ID()", [self._lock(name)]
        )
        return None if holder is None or holder == mine else int(holder)

    def _lock(self, name: str) -> str:
        """A name of at most 64 characters; the server's locks are not those of one database."""
        mine = f"{self.config['NAME']} {name}".encode()
        return f"cutover {hashlib.blake2b(mine, digest_size=16).hexdigest()}"

    def interrupt(self) -> None:
        """By another connection, since this one is busy."""
        with suppress(EngineError, MySQLdb.Error), closing(self._connect()) as other:
            for number in filter(None, (self.number, self.reading)):
                with suppress(MySQLdb.Error):  # it has ended meanwhile
                    other.cursor().execute(f"KILL QUERY {number}")

    def busy_sessions(self) -> int:
        ((found,),) = self.query(BUSY.format(self.sessions))
        return int(found)

    @cached_property
    def sessions(self) -> str:
        """The table of sessions; MySQL's older one fails while one sends bytes that are no text.

        The newer one is there since 8.0.22, and empty where the server keeps no such figures.
        """
        newer = self.product == "MySQL" and self.server().version >= (8, 0, 22)
        newer = newer and bool(self.query("SELECT @@performance_schema")[0][0])
        return f"{'performance' if newer else 'information'}_schema.processlist"

    def is_transient(self, error: Any) -> bool:
        code = error.args[0] if error.args else 0
        # 0 is what the driver says of a connection that is closed.
        return code == 0 or code in TRANSIENT or code in CLIENT_ERRORS
