"""What every session on the control database is set to."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from dashboard.control_sessions import LOCK_TIMEOUT, SETTINGS
from tests.conftest import MakeDatabase, manage
from tests.servers import mysql_connection

# The control database, with its waits cut short, and a row that somebody else has locked.
ASK = """
from django.db import OperationalError, connection
with connection.cursor() as cursor:
    cursor.execute({query!r})
    print(*cursor.fetchone())
    cursor.execute({short!r})
    try:
        cursor.execute("UPDATE t SET v = 2")
    except OperationalError:
        print("gave up")
"""
EXPECTED = {
    "postgresql": (
        (
            "SELECT current_setting('lock_timeout'), "
            "current_setting('idle_in_transaction_session_timeout'), "
            "current_setting('synchronous_commit')"  # which the tests' server has off
        ),
        "20s 1min local",
    ),
    "mysql": (
        # MySQL has no such limit.
        (
            "SELECT @@innodb_lock_wait_timeout /*M!100300 , @@idle_transaction_timeout */"
            " /*!80000 , 60 */"
        ),
        "20 60",
    ),
}
CONNECT: dict[str, Any] = {"postgresql": psycopg2.connect, "mysql": mysql_connection}


@pytest.mark.parametrize("vendor", EXPECTED)
def test_a_row_that_another_process_holds_is_not_waited_for_without_end(
    vendor: str, make_database: MakeDatabase, tmp_path: Path
) -> None:
    url = make_database(vendor)
    env = {
        f"{side}_DATABASE_URL": f"sqlite:///{tmp_path}/{side}.sqlite3"
        for side in ("SOURCE", "DEST")
    } | {"CONTROL_DATABASE_URL": url}
    query, expected = EXPECTED[vendor]
    short = SETTINGS[vendor].replace(f"{LOCK_TIMEOUT}", "1")
    with closing(CONNECT[vendor](url)) as holder, closing(holder.cursor()) as cursor:
        cursor.execute("CREATE TABLE t (v integer)")
        cursor.execute("INSERT INTO t VALUES (1)")
        holder.commit()
        cursor.execute("BEGIN")
        cursor.execute("UPDATE t SET v = 3")
        code = ASK.format(query=query, short=short)
        done = manage(tmp_path, env, "shell", "-v0", "-c", code)
    assert done.stdout.splitlines()[-2:] == [expected, "gave up"], done.stderr
