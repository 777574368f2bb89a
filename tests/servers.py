"""Private database servers for the tests, on free ports of the loopback, gone when the tests end.

The machine's own servers are never touched.  TEST_POSTGRES_URL, TEST_MYSQL_URL and TEST_REDIS_URL
name others; the first two a database whose account may create others that start with `cutover_`.
"""

from __future__ import annotations

import glob
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote, urlsplit

import MySQLdb
import psycopg2
import psycopg2.extensions
import redis

PATIENCE = 60  # seconds that a server has for starting; a loaded machine needs some


class MissingProgramError(RuntimeError):
    """A server's program is not installed: an error, never a reason to skip its tests."""


class Private(ABC):
    """One server process with its own folder, port and password."""

    account = ""  # the system account it runs as when the tests run as root
    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        # The characters that a URL must quote: whoever builds one by hand finds out.
        self.password = f"p@ss/{secrets.token_hex(8)}"
        self.log = folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def user(self) -> str | None:
        return self.account if os.geteuid() == 0 else None

    def start(self) -> None:
        """Prepare the data folder, start the server, wait until it answers."""
        if self.user:
            shutil.chown(self.folder, self.user)
        self.prepare()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  # our own programs and arguments
                [*orphan_guard(self.stop_signal), *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=clean_environment(),
                user=self.user,
                extra_groups=[] if self.user else None,
            )
        self.wait()

    def wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            if self.process is None or self.process.poll() is not None:
                raise RuntimeError(f"{type(self).__name__} did not start:\n{self.log.read_text()}")
            if time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{type(self).__name__} is too slow:\n{self.log.read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        if not self.process:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def setup(self, *command: str) -> None:
        """Run one preparing command as the server's account; its output is the error's text."""
        done = subprocess.run(  # noqa: S603  # our own programs and arguments
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env=clean_environment(),
            user=self.user,
            extra_groups=[] if self.user else None,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}")

    def prepare(self) -> None:  # noqa: B027  # Redis needs no more than the folder
        """Make the data folder."""

    @abstractmethod
    def command(self) -> list[str]:
        """The command that runs the server in the foreground."""

    @abstractmethod
    def url(self) -> str:
        """How one connects to it."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it takes connections by now."""


class PrivatePostgres(Private):
    """The account `cutover` owns its databases but is no superuser, as in real life."""

    account = "postgres"
    stop_signal = signal.SIGINT  # "fast": doesn't wait for clients

    def prepare(self) -> None:
        secret = self.folder / "password"
        secret.write_text(self.password)
        if self.user:
            shutil.chown(secret, self.user)
        self.setup(
            program("initdb", "postgresql", *postgres_folders()),
            f"--pgdata={self.folder / 'data'}",
            "--username=postgres",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        )

    def command(self) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",
            # Its workers would be in the way of dropping a database.
            "autovacuum": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_wal_size": "2GB",
        }
        flags = [flag for name, value in options.items() for flag in ("-c", f"{name}={value}")]
        data = str(self.folder / "data")
        return [program("postgres", "postgresql", *postgres_folders()), "-D", data, *flags]

    def url(self) -> str:
        return f"postgres://cutover:{quote(self.password, safe='')}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        super().start()
        with closing(self.as_superuser()) as connection, connection, connection.cursor() as cursor:
            cursor.execute("CREATE ROLE cutover LOGIN CREATEDB PASSWORD %s", [self.password])

    def answers(self) -> bool:
        with suppress(psycopg2.OperationalError):
            self.as_superuser().close()
            return True
        return False

    def as_superuser(self) -> psycopg2.extensions.connection:
        return psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            password=self.password,
            dbname="postgres",
            connect_timeout=5,
        )


class PrivateMariaDB(Private):
    """The account `cutover` may do as it likes in databases whose names start with `cutover_`."""

    account = "mysql"

    def prepare(self) -> None:
        self.setup(
            program("mariadb-install-db", "mariadb-server"),
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--tmpdir={self.folder}",  # in the common one, servers that start clear others' tables
            "--auth-root-authentication-method=normal",
            "--skip-name-resolve",
            "--skip-test-db",
        )
        statements = (
            f"CREATE USER cutover@127.0.0.1 IDENTIFIED BY '{self.password}';",
            r"GRANT ALL PRIVILEGES ON `cutover\_%`.* TO cutover@127.0.0.1;",
            f"SET PASSWORD FOR root@localhost = PASSWORD('{self.password}');",
            "CREATE DATABASE cutover_first;",
        )
        (self.folder / "accounts.sql").write_text("\n".join(statements))

    def command(self) -> list[str]:
        return [
            program("mariadbd", "mariadb-server", "/usr/sbin"),
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            # A server that starts clears its temporary folder of others' tables.
            f"--tmpdir={self.folder / 'data'}",
            f"--init-file={self.folder / 'accounts.sql'}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            "--skip-name-resolve",
            "--local-infile=1",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-doublewrite=0",
            "--innodb-buffer-pool-size=256M",
        ]

    def url(self) -> str:
        password = quote(self.password, safe="")
        return f"mysql://cutover:{password}@127.0.0.1:{self.port}/cutover_first"

    def answers(self) -> bool:
        with suppress(MySQLdb.OperationalError):
            mysql_connection(self.url()).close()
            return True
        return False


class PrivateRedis(Private):
    """A Redis that keeps nothing on disk."""

    account = "nobody"

    def command(self) -> list[str]:
        return [
            program("redis-server", "redis-server"),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--save", ""),
            *("--appendonly", "no", "--requirepass", self.password),
        ]

    def url(self) -> str:
        return f"redis://:{quote(self.password, safe='')}@127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        with closing(redis.Redis.from_url(self.url())) as client, suppress(redis.ConnectionError):
            return bool(client.ping())
        return False


PRIVATE: dict[str, tuple[str, type[Private]]] = {
    "postgresql": ("TEST_POSTGRES_URL", PrivatePostgres),
    "mysql": ("TEST_MYSQL_URL", PrivateMariaDB),
    "redis": ("TEST_REDIS_URL", PrivateRedis),
}


class Servers:
    """All servers of a test session; each starts when it is first asked for.

    A context manager: on the way out everything that was started is stopped and removed.
    """

    def __init__(self) -> None:
        self._exit = ExitStack()
        self._urls: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exit.close()

    def url(self, name: str) -> str:
        """The URL of the server "postgresql", "mysql" or "redis"."""
        if name not in self._urls:
            variable, private = PRIVATE[name]
            self._urls[name] = os.environ.get(variable) or self._start(private)
        return self._urls[name]

    def _start(self, kind: type[Private]) -> str:
        folder = Path(tempfile.mkdtemp(prefix="cutover-"))
        folder.chmod(0o711)  # the server's own account has to pass
        self._exit.callback(shutil.rmtree, folder, ignore_errors=True)
        (home := folder / kind.__name__.removeprefix("Private").lower()).mkdir()
        server = kind(home)
        self._exit.callback(server.stop)
        server.start()
        return server.url()

    def create_database(self, vendor: str) -> tuple[str, Callable[[], None]]:
        """A fresh, empty database's URL, and what drops it."""
        server = self.url(vendor)
        name = f"cutover_{secrets.token_hex(4)}"
        create, drop = DATABASES[vendor]
        create(server, name)
        return urlsplit(server)._replace(path=f"/{name}").geturl(), lambda: drop(server, name)


def _create_postgres(server: str, name: str) -> None:
    _postgres(server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")


def _drop_postgres(server: str, name: str) -> None:
    _postgres(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _postgres(server: str, statement: str) -> None:
    with closing(psycopg2.connect(server)) as connection, connection.cursor() as cursor:
        connection.autocommit = True  # CREATE DATABASE can't run in a transaction
        cursor.execute(statement)


def _create_mysql(server: str, name: str) -> None:
    with closing(mysql_connection(server)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")


def _drop_mysql(server: str, name: str) -> None:
    """Drop a database; a connection that a failed test left open must not hold that up."""
    with closing(mysql_connection(server)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SHOW PROCESSLIST")  # the table fails while one sends bytes of no text
        for identifier in [row[0] for row in cursor.fetchall() if row[3] == name]:
            with suppress(MySQLdb.OperationalError):  # it may be gone by now
                cursor.execute(f"KILL {int(identifier)}")
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")


DATABASES: dict[str, tuple[Callable[[str, str], None], Callable[[str, str], None]]] = {
    "postgresql": (_create_postgres, _drop_postgres),
    "mysql": (_create_mysql, _drop_mysql),
}


def mysql_connection(url: str) -> MySQLdb.Connection:
    """A plain connection to the database that the URL names."""
    parts = urlsplit(url)
    return MySQLdb.connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=parts.path.lstrip("/"),
        charset="utf8mb4",
        autocommit=True,
    )


def program(name: str, package: str, *folders: str) -> str:
    """The path of a program, looked for in `folders` first, then on PATH."""
    path = os.pathsep.join((*folders, os.environ.get("PATH", os.defpath)))
    if found := shutil.which(name, path=path):
        return found
    raise MissingProgramError(
        f"{name} is not installed. On Debian: `apt-get install {package}`, or run `make test`, "
        "which installs what is missing."
    )


def postgres_folders() -> list[str]:
    """Where Debian keeps the server's programs, the newest version first."""
    folders = glob.glob("/usr/lib/postgresql/*/bin")
    return sorted(folders, key=lambda folder: float(folder.split("/")[-2]), reverse=True)


def orphan_guard(stop: signal.Signals) -> Sequence[str]:
    """A prefix that has the kernel stop the server when the tests are killed outright."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", stop.name.removeprefix("SIG")) if setpriv else ()


def clean_environment() -> dict[str, str]:
    """PATH and a plain locale: nothing of ours that a server would listen to (PGPORT, HOME …)."""
    return {"PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"}


def free_port() -> int:
    """A free port of the loopback, below those that the kernel gives to whoever connects."""
    port = 20_000 + secrets.randbelow(12_000)
    with socket.socket() as probe:
        return port if probe.connect_ex(("127.0.0.1", port)) else free_port()
