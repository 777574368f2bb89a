"""Database servers of a test's own, which may be killed and come back."""

from __future__ import annotations

import secrets
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.servers import (
    DATABASES,
    Private,
    PrivateMariaDB,
    PrivatePostgres,
    clean_environment,
    mysql_connection,
    orphan_guard,
)
from tests.services.conftest import Postgres

# By vendor: each row of the log takes a destination a while, so that a load takes some seconds.
SLOW_ON = {
    # Not a trigger, which a run switches off.
    "postgresql": "CREATE FUNCTION slow() RETURNS boolean LANGUAGE plpgsql "
    "AS 'BEGIN PERFORM pg_sleep(0.0003); RETURN true; END';"
    "ALTER TABLE django_admin_log ADD CONSTRAINT slow CHECK (slow())",
    "mysql": "CREATE TRIGGER slow BEFORE INSERT ON django_admin_log FOR EACH ROW"
    " SET @slow = SLEEP(0.0003)",
}
FAST_ON = {
    "postgresql": "ALTER TABLE django_admin_log DROP CONSTRAINT slow",
    "mysql": "DROP TRIGGER slow",
}


def execute(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Do it on whichever server, and return the rows that it returns."""
    if url.startswith("postgres"):
        return Postgres(url).execute(sql)
    with closing(mysql_connection(url)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        return [tuple(row) for row in cursor.fetchall()]


class Mortal:
    """A server that may die at any moment, with its databases."""

    def __init__(self, server: Private, killed_by: int) -> None:
        self.server = server
        self.killed_by = killed_by

    def die(self) -> None:
        """As if it had crashed."""
        process = self.server.process
        assert process is not None
        process.send_signal(self.killed_by)
        process.wait(30)

    def come_back(self) -> None:
        server = self.server
        with server.log.open("ab") as log:
            server.process = subprocess.Popen(  # noqa: S603  # our own program
                [*orphan_guard(server.stop_signal), *server.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=server.folder,
                env=clean_environment(),
                user=server.user,
                extra_groups=[] if server.user else None,
            )
        server.wait()

    def create_database(self, vendor: str) -> str:
        """A fresh, empty database's URL."""
        name = f"cutover_{secrets.token_hex(4)}"
        create, _ = DATABASES[vendor]
        create(self.server.url(), name)
        return f"{self.server.url().rpartition('/')[0]}/{name}"


class Durable(PrivateMariaDB):
    """What it has committed is there after a crash, as by default, and not up to a second later."""

    def command(self) -> list[str]:
        return [*super().command(), "--innodb-flush-log-at-trx-commit=2"]


@contextmanager
def mortal(vendor: str) -> Iterator[Mortal]:
    """A server of this vendor, gone in the end."""
    # The server's account has to pass, which it may not in pytest's own folders.
    folder = Path("/var/tmp") / f"cutover-{secrets.token_hex(4)}"  # noqa: S108  # a random name
    folder.mkdir(mode=0o711)
    # PostgreSQL's processes outlive a SIGKILL of the first one for a while; QUIT is "immediate".
    found = (
        Mortal(PrivatePostgres(folder), signal.SIGQUIT)
        if vendor == "postgresql"
        else Mortal(Durable(folder), signal.SIGKILL)
    )
    try:
        found.server.start()
        yield found
    finally:
        found.server.stop()
        subprocess.run(["rm", "-rf", str(folder)], check=False)  # noqa: S603, S607  # our own folder
