"""A pooler between us and PostgreSQL hands a session round: it is refused, on either side."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from migrations_ui.engine import databases
from migrations_ui.engine.errors import Unreachable
from tests.engine.conftest import config_of
from tests.servers import Private, program

INI = """
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = {mode}
{more}
"""


class PrivateBouncer(Private):
    """A PgBouncer in front of a database."""

    account = "nobody"

    def __init__(self, folder: Path, behind: str, mode: str, more: str) -> None:
        super().__init__(folder)
        self.behind, self.mode, self.more = urlsplit(behind), mode, more

    def prepare(self) -> None:
        folder = self.folder
        password = unquote(self.behind.password or "").replace('"', '""')
        users, ini = folder / "users", folder / "pgbouncer.ini"
        users.write_text(f'"{self.behind.username}" "{password}"\n')
        facts = {"server": self.behind.port, "port": self.port, "mode": self.mode}
        ini.write_text(INI.format(folder=folder, more=self.more, **facts))

    def command(self) -> list[str]:
        return [
            program("pgbouncer", "pgbouncer", "/usr/sbin"),
            str(self.folder / "pgbouncer.ini"),
        ]

    def url(self) -> str:
        return self.behind._replace(
            netloc=f"{self.behind.netloc.rpartition(':')[0]}:{self.port}"
        ).geturl()

    def answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
            return True
        return False


@pytest.fixture(
    params=[
        ("transaction", ""),
        ("transaction", "ignore_startup_parameters = options"),
        ("session", "ignore_startup_parameters = options"),
    ],
    ids=["refuses options", "ignores options", "a pool of sessions"],
)
def pooled(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[str]:
    # Not in pytest's folder, which the account that it runs as may not enter.
    with tempfile.TemporaryDirectory(prefix="cutover-") as folder:
        bouncer = PrivateBouncer(Path(folder), postgres_url, *request.param)
        bouncer.start()
        try:
            yield bouncer.url()
        finally:
            bouncer.stop()


@pytest.mark.parametrize("read_only", [True, False], ids=["source", "destination"])
def test_a_pooler_is_refused_with_what_to_do(pooled: str, read_only: bool) -> None:
    with pytest.raises(Unreachable) as refused:
        databases.connect(config_of(pooled), read_only=read_only)
    assert "Name the server itself" in str(refused.value)
    assert not refused.value.transient
