"""PostgreSQL's advisory locks, and what ends a session."""

from __future__ import annotations

import re
from abc import ABC
from typing import Any

import psycopg2

from migrations_ui.engine.databases import base
from migrations_ui.engine.databases.access import (
    IDLE_TIMEOUT,
    LOCK_TIMEOUT,
    STATEMENT_TIMEOUT,
    hurry,
)

# A lock's number, and where it stands in pg_locks.
NUMBER = "hashtextextended(%s, 0)"
HOLDERS = (
    "FROM pg_locks, (SELECT hashtextextended(%s, 0) AS n) x WHERE locktype = 'advisory' AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND objsubid = 1 AND pid <> pg_backend_pid()"
    " AND classid::bigint = (n >> 32) & 4294967295 AND objid::bigint = n & 4294967295"
)
# At work or waiting for a lock, in whichever database of the server.
BUSY = (
    "SELECT count(*) FROM pg_stat_activity WHERE state IN ('active', 'fastpath function call')"
    " AND backend_type = 'client backend' AND application_name IS DISTINCT FROM 'cutover'"
)
# Classes of SQLSTATE, and single ones, that are not about what was asked: connections, deadlocks,
# resources, the server's operator, its disks; a lock that was not to be had; idle for too long.
TRANSIENT_CLASSES = {"08", "40", "53", "57", "58"}
TRANSIENT = {"55P03", "25P03"}
# What no further try mends.  The driver keeps no SQLSTATE of a connection that was refused; where
# the server speaks another language than English, it is tried again in vain.
TURNED_AWAY = re.compile(
    r"authentication failed|no password supplied|pg_hba\.conf|does not exist|permission denied"
    r"|not permitted to log in|invalid \S+ value|unsupported startup parameter"
)
# A setting of ours that is asked for with the connection itself.  PgBouncer refuses that, or
# ignores it: it has connections of its own, and hands them round with what the last one has set.
OURS = "cutover.session"
ASKED = f"-c {OURS}=own"
POOLED = (
    "A connection pooler, such as PgBouncer, stands before it: a connection's time zone, read-only "
    "mode and locks could be somebody else's from one statement to the next. Name the server "
    "itself, usually at port 5432."
)


# A copy's transactions end when its rows do: a limit for all of one came with PostgreSQL 17.
WHOLE_TRANSACTIONS = 17_00_00


def limits(version: int) -> dict[str, str]:
    """How long a session waits for what, whatever the server, the database or the role says."""
    found = {
        "lock_timeout": f"{hurry.get() or LOCK_TIMEOUT}s",
        "statement_timeout": f"{STATEMENT_TIMEOUT}s",
        "idle_in_transaction_session_timeout": f"{IDLE_TIMEOUT}s",
    }
    return found | ({"transaction_timeout": "0"} if version >= WHOLE_TRANSACTIONS else {})


def turns_us_away(error: psycopg2.Error) -> bool:
    """Whether a connection was refused for good: who asks, or what for, is wrong."""
    return bool(TURNED_AWAY.search(str(error)))


class Sessions(base.Database, ABC):
    """The part of a PostgreSQL database that deals with other sessions."""

    def acquire(self, name: str) -> None:
        self.query(f"SELECT pg_advisory_lock({NUMBER})", [f"cutover {name}"])

    def release(self, name: str) -> None:
        self.query(f"SELECT pg_advisory_unlock({NUMBER})", [f"cutover {name}"])

    def reserve(self, name: str, holder: str) -> bool:
        ((reserved,),) = self.query(f"SELECT pg_try_advisory_lock({NUMBER})", [f"cutover {name}"])
        if reserved:
            self.acquire(holder)
        return bool(reserved)

    def is_held(self, name: str) -> bool:
        return bool(self.query(f"SELECT pid {HOLDERS}", [f"cutover {name}"]))

    def evict(self, name: str) -> bool:
        ended = self.query(f"SELECT pg_terminate_backend(pid) {HOLDERS}", [f"cutover {name}"])
        return any(done for (done,) in ended)

    def _join(self, holder: str) -> None:
        lock = f"SELECT pg_advisory_lock_shared({NUMBER})"
        self.query(lock, [f"cutover {holder} at work"])

    def evict_joined(self, holder: str) -> bool:
        self.evict(f"{holder} at work")
        return self.is_held(f"{holder} at work")

    def interrupt(self) -> None:
        self.connection.cancel()

    def busy_sessions(self) -> int:
        ((found,),) = self.query(BUSY)
        return int(found)

    def is_transient(self, error: Any) -> bool:
        if code := error.pgcode:
            return code[:2] in TRANSIENT_CLASSES or code in TRANSIENT
        # Without a code the driver speaks: the connection was lost, or it was asked wrongly.
        wrong = (psycopg2.ProgrammingError, psycopg2.DataError, psycopg2.NotSupportedError)
        return not isinstance(error, wrong)
