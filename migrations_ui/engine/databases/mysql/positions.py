"""Where a MySQL or MariaDB database stands: when each table was last written, and the binary log.

How exact it is.  InnoDB keeps the second of each table's last write; `TRUNCATE` leaves it as it is
(seen in MariaDB 10.11), so whether the table is empty and its next key are looked at, too.  The
second is that in which the transaction's last statement began: of two that wrote a table in the
same second, the one that is committed after the position may go unseen.  The binary log's position,
where there is one that may be read, proves that nothing at all was written on the server.  After a
restart, or for a table that the server's cache has dropped, nothing is known.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from migrations_ui.engine.databases.mysql.sessions import Sessions
from migrations_ui.engine.databases.positions import STOOD, Movement, Others, Position, State
from migrations_ui.engine.errors import ServerError

# Its last write, when it was made, its next key.
TABLES = (
    "SELECT table_name, CAST(update_time AS CHAR), CAST(create_time AS CHAR), auto_increment,"
    " update_time >= NOW() FROM information_schema.tables WHERE table_schema = DATABASE()"
    " AND table_name IN ({})"
)
# What one may see of the binary log depends on the server and the account.
MARKS = {
    "MariaDB": "SELECT IF(@@log_bin, @@gtid_binlog_pos, '')",
    "MySQL": "SELECT IF(@@log_bin AND @@gtid_mode = 'ON', @@gtid_executed, '')",
}
# Columns of one SELECT.
MOST_COLUMNS = 1000
# The server's clock and its uptime have whole seconds, which don't change at the same moment.
SLACK = 2
ANEW = "The server was started anew: it doesn't know whether anything was written before that."
FORGOTTEN = "The server has forgotten when they were last written: {}."
SAME_SECOND = "They were being written when this began: {}. A write in that second can't be told."
UNSEEN = (
    "This account lacks the privilege PROCESS, so only sessions of its own are seen here, and no "
    "open transactions."
)


Facts = Mapping[str, list[Any]]


class Positions(Sessions, ABC):
    """What MySQL and MariaDB tell of writes."""

    def position(self, tables: Iterable[str], *, settled: bool = False) -> Position:
        names = list(tables)
        facts = self._facts(names)
        tries = 2 if settled else 0
        while tries and any(busy for *_, busy in facts.values()):
            time.sleep(1)
            facts, tries = self._facts(names), tries - 1
        return Position(
            identity=self.server().identity, mark=self._mark(), tables=facts, since=self._since()
        )

    @abstractmethod
    def _about_tables(self, sql: str, tables: Iterable[str]) -> list[tuple[Any, ...]]:
        """Rows of a query whose `{}` stand for the list of tables."""

    def _facts(self, names: list[str]) -> dict[str, list[Any]]:
        """Of each table: last write, creation, next key, in use this second, has rows."""
        found = {name: list(facts) for name, *facts in self._about_tables(TABLES, names)}
        for start in range(0, len(found), MOST_COLUMNS):
            part = list(found)[start : start + MOST_COLUMNS]
            rows = (f"EXISTS(SELECT 1 FROM {self.quote(name)})" for name in part)
            (filled,) = self.query(f"SELECT {', '.join(rows)}")
            for name, has_rows in zip(part, filled, strict=True):
                *facts, busy = found[name]
                found[name] = [*facts, int(has_rows), bool(busy)]
        return found

    def _mark(self) -> str:
        try:
            return str(self.query(MARKS[self.product])[0][0])
        except ServerError as error:
            if error.transient:
                raise
            return ""  # a server that has no such variables

    def _since(self) -> str:
        """When the server was started, by its own clock, in seconds."""
        ((now,),) = self.query("SELECT UNIX_TIMESTAMP()")
        ((_, uptime),) = self.query("SHOW GLOBAL STATUS LIKE 'Uptime'")
        return str(int(now) - int(uptime))

    @classmethod
    def compare(cls, before: Position, now: Position) -> Movement:
        then, today = before.tables or {}, now.tables or {}
        told = [name for name in then | today if facts(then, name) != facts(today, name)]
        if before.mark and before.mark == now.mark and not told:
            return STOOD
        if abs(int(before.since) - int(now.since)) > SLACK:
            return Movement(State.UNKNOWN, why=ANEW)
        lost = [name for name in told if forgotten(then, today, name)]
        if changed := [name for name in told if name not in lost]:
            return Movement(State.CHANGED, tuple(changed))
        if lost:
            return Movement(State.UNKNOWN, why=FORGOTTEN.format(", ".join(lost)))
        if busy := [name for name, (*_, busy) in then.items() if busy]:
            return Movement(State.UNKNOWN, why=SAME_SECOND.format(", ".join(busy)))
        return STOOD

    def others(self) -> Others:
        sessions = self.query(
            f"SELECT id, user, COALESCE(host, '') FROM {self.sessions}"
            " WHERE db = DATABASE() AND id <> CONNECTION_ID() AND command <> 'Daemon' ORDER BY id"
        )
        connected = {
            int(pid): f"connection {pid} of {user} from {host}" for pid, user, host in sessions
        }
        try:
            open_ = self.query(
                "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx"
                " WHERE trx_rows_modified > 0"
            )
        except ServerError as error:
            if error.transient:
                raise
            return Others(connected=tuple(connected.values()), unseen=UNSEEN)
        writing = [f"{connected[pid]} has written" for (pid,) in open_ if pid in connected]
        return Others(tuple(writing), tuple(connected.values()))


def facts(tables: Facts, name: str) -> list[Any] | None:
    """What is compared of a table: all but whether it was being written."""
    found = tables.get(name)
    return None if found is None else found[:-1]


def forgotten(then: Facts, today: Facts, name: str) -> bool:
    """Whether a table has merely lost the time of its last write."""
    before, now = facts(then, name), facts(today, name)
    return before is not None and now is not None and [None, *before[1:]] == now
