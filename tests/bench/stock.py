"""Private servers as they come out of the box, and databases on them.

The tests' servers don't wait for the disk, which would flatter whoever writes most.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import MySQLdb
import psycopg2

from tests.servers import (
    DATABASES,
    Private,
    PrivateMariaDB,
    PrivatePostgres,
    Servers,
    postgres_folders,
    program,
)

# An account that may do anything, for rivals and limits that can't do with less.
SUPER = "cutover_super"


class StockPostgres(PrivatePostgres):
    """Every setting at its default but for where it listens."""

    def command(self) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
        }
        flags = [flag for name, value in options.items() for flag in ("-c", f"{name}={value}")]
        data = str(self.folder / "data")
        return [program("postgres", "postgresql", *postgres_folders()), "-D", data, *flags]

    def start(self) -> None:
        super().start()
        with closing(self.as_superuser()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {SUPER} SUPERUSER LOGIN PASSWORD %s", [self.password])


class StockMariaDB(PrivateMariaDB):
    """Every setting at its default but for where it listens and keeps its files."""

    def prepare(self) -> None:
        super().prepare()
        accounts = self.folder / "accounts.sql"
        more = (
            f"CREATE USER {SUPER}@127.0.0.1 IDENTIFIED BY '{self.password}';",
            f"GRANT ALL PRIVILEGES ON *.* TO {SUPER}@127.0.0.1;",
        )
        accounts.write_text("\n".join((accounts.read_text(), *more)))

    def command(self) -> list[str]:
        tuned = ("--innodb-", "--local-infile")
        return [word for word in super().command() if not word.startswith(tuned)]


STOCK: dict[type[Private], type[Private]] = {
    PrivatePostgres: StockPostgres,
    PrivateMariaDB: StockMariaDB,
}


@dataclass(frozen=True)
class Place:
    """A database: its vendor as Django calls it, and its URL."""

    vendor: str
    url: str

    @property
    def path(self) -> Path:
        """SQLite's file."""
        return Path(urlsplit(self.url).path)

    @property
    def name(self) -> str:
        """What the operator types to confirm the wipe."""
        return self.path.name

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def user(self) -> str:
        return unquote(urlsplit(self.url).username or "")

    @property
    def password(self) -> str:
        return unquote(urlsplit(self.url).password or "")

    def as_super(self) -> Place:
        """The same database by the account that may do anything."""
        if self.vendor == "sqlite":
            return self
        parts = urlsplit(self.url)
        account, _, address = parts.netloc.rpartition("@")
        secret = account.partition(":")[2]
        return Place(self.vendor, parts._replace(netloc=f"{SUPER}:{secret}@{address}").geturl())

    def spelled(self, scheme: str) -> str:
        """The URL as another program spells it."""
        return f"{scheme}://{self.url.partition('://')[2]}"


class StockServers(Servers):
    """The servers of a bench; a context manager."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def _start(self, kind: type[Private]) -> str:
        return super()._start(STOCK.get(kind, kind))

    @contextmanager
    def database(self, vendor: str) -> Iterator[Place]:
        """A fresh, empty database, dropped again."""
        if vendor == "sqlite":
            with tempfile.TemporaryDirectory(dir=self.folder) as folder:
                path = Path(folder) / "cutover.sqlite3"
                path.touch()
                yield Place(vendor, f"sqlite:///{path}")
            return
        url, _ = self.create_database(vendor)
        place = Place(vendor, url)
        try:
            yield place
        finally:
            # By who may end the sessions of others, autovacuum's included.  Ctrl-C also stops the
            # servers, whose folders go anyway.
            with suppress(psycopg2.OperationalError, MySQLdb.OperationalError):
                DATABASES[vendor][1](Place(vendor, self.url(vendor)).as_super().url, place.name)
