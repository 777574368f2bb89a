"""How long anybody waits for a lock of the control database, and holds one without doing anything.

A worker whose machine is suspended or lost in the middle of a transaction would else keep a row for
hours from those that are to take its work over.  SQLite has its own limit, in its configuration.

By a statement and not as an option of the connection, which PgBouncer would refuse.
"""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.backends.base.base import BaseDatabaseWrapper

# Seconds: our transactions take milliseconds.
LOCK_TIMEOUT = 20
IDLE_TIMEOUT = 60

LIMITS = {
    "postgresql": f"SET lock_timeout = '{LOCK_TIMEOUT}s';"
    f" SET idle_in_transaction_session_timeout = '{IDLE_TIMEOUT}s'",
    # MySQL has no limit for transactions that do nothing.
    "mysql": f"SET SESSION innodb_lock_wait_timeout = {LOCK_TIMEOUT}"
    f" /*M!100300 , idle_transaction_timeout = {IDLE_TIMEOUT} */",
}


def limit_waits(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Set the limits of a connection that has just been made; of the control database's alone."""
    if connection.alias == DEFAULT_DB_ALIAS and (limits := LIMITS.get(connection.vendor)):
        with connection.cursor() as cursor:
            cursor.execute(limits)
