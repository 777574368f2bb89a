"""Servers of these tests' own, on which they may make accounts."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import dj_database_url
import MySQLdb
import psycopg2

from migrations_ui.engine.databases import access
from migrations_ui.engine.databases.access import Config
from tests.engine_preflight.conftest import make_tables
from tests.servers import DATABASES, Private, PrivateMariaDB, PrivatePostgres

Server = TypeVar("Server", bound=Private)

PASSWORD = "limited"


@contextmanager
def running(kind: type[Server]) -> Iterator[Server]:
    """A server, while it is needed."""
    folder = Path(tempfile.mkdtemp(prefix="cutover-"))
    folder.chmod(0o711)  # the server's own account has to pass
    (home := folder / "home").mkdir()
    server = kind(home)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def shop_on(server: Private, vendor: str, name: str) -> Config:
    """A database with the shop's tables, through the account that owns them."""
    create, _ = DATABASES[vendor]
    create(server.url(), name)
    url = urlsplit(server.url())._replace(path=f"/{name}").geturl()
    make_tables(config := access.endpoint(dict(dj_database_url.parse(url))))
    return config


def as_superuser(server: PrivatePostgres, database: str, *statements: str) -> None:
    connection = psycopg2.connect(
        host="127.0.0.1",
        port=server.port,
        user="postgres",
        password=server.password,
        dbname=database,
    )
    with closing(connection):
        connection.autocommit = True
        for statement in statements:
            connection.cursor().execute(statement)


def as_root(server: PrivateMariaDB, *statements: str) -> None:
    connection = MySQLdb.connect(
        unix_socket=str(server.folder / "socket"), user="root", password=server.password
    )
    with closing(connection):
        for statement in statements:
            connection.cursor().execute(statement)


def through(config: Config, user: str) -> Config:
    """The same database, through an account of less power."""
    return config | {"USER": user, "PASSWORD": PASSWORD}
