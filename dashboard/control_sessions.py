"""What each session on the control database is set to, whatever the server's own default is.

How long it waits for a lock, and holds one without doing anything: a worker whose machine is
suspended or lost in the middle of a transaction would else keep a row for hours from those that are
to take its work over.  SQLite has its own limit, in its configuration.

And that what is committed outlives a crash: a journal that forgets what was about to be dropped is
none.  MySQL's sessions have no say in that.

By a statement and not as an option of the connection, which PgBouncer would refuse.
"""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.backends.base.base import BaseDatabaseWrapper

# Seconds: our transactions take milliseconds.
LOCK_TIMEOUT = 20
IDLE_TIMEOUT = 60

SETTINGS = {
    "postgresql": f"SET lock_timeout = '{LOCK_TIMEOUT}s';"
    f" SET idle_in_transaction_session_timeout = '{IDLE_TIMEOUT}s';"
    # Not where it is stricter: a standby may be waited for.
    " SELECT set_config('synchronous_commit', 'local', false)"
    " WHERE current_setting('synchronous_commit') = 'off'",
    # MySQL has no limit for transactions that do nothing.
    "mysql": f"SET SESSION innodb_lock_wait_timeout = {LOCK_TIMEOUT}"
    f" /*M!100300 , idle_transaction_timeout = {IDLE_TIMEOUT} */",
}


def set_up(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Set what a connection that has just been made needs; one to the control database alone."""
    if connection.alias == DEFAULT_DB_ALIAS and (settings := SETTINGS.get(connection.vendor)):
        with connection.cursor() as cursor:
            cursor.execute(settings)
