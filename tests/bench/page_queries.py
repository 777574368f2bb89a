"""How many queries each page makes, to the control database and to both sides together.

With the dashboard's own settings, in a process of its own.  Prints one JSON object: by page, its
queries and its bytes.  The last run is made to look as if it were still loading.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from typing import Any

import django
import MySQLdb.connections
import psycopg2
import psycopg2.extensions
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.bench.browsing import pages

sent: list[Any] = []  # to either side, since it was emptied


class Cursor(psycopg2.extensions.cursor):
    """PostgreSQL's cursor, which says what it sends."""

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002  # psycopg2's own name
        sent.append(query)
        super().execute(query, vars)


def query(self: MySQLdb.connections.Connection, statement: Any) -> None:
    """MySQLdb's way out, which says what it sends."""
    sent.append(statement)
    plain_query(self, statement)


plain_query = MySQLdb.connections.Connection.query


def main() -> None:
    django.setup()
    psycopg2.connect = partial(psycopg2.connect, cursor_factory=Cursor)
    setattr(MySQLdb.connections.Connection, "query", query)  # noqa: B010  # it is a method
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(get_user_model()._default_manager.get())
    found = {name: asked(client, path) for name, path in pages(loading_run()).items()}
    sys.stdout.write(json.dumps(found))


def loading_run() -> int:
    """The last run, as if it were at work."""
    from migrations_ui.models import Run

    run = Run.objects.latest("pk")
    run.status, run.phase = Run.Status.RUNNING, Run.Phase.LOAD
    run.finished_at, run.heartbeat_at = None, timezone.now()
    run.save()
    return run.pk


def asked(client: Client, path: str) -> dict[str, int]:
    """The page's queries and bytes, when it is asked for the second time."""
    from migrations_ui.views import watching

    client.get(path)  # what a process reads once is not what a page costs
    time.sleep(watching.SHARED_FOR)  # nor is what others have just asked for
    sent.clear()
    with CaptureQueriesContext(connection) as control:
        answer = client.get(path)
    if answer.status_code != 200:
        raise SystemExit(f"{path}: {answer.status_code}")
    return {"queries": len(control) + len(sent), "bytes": len(answer.content)}


if __name__ == "__main__":
    main()
