"""What every test may ask for: databases, servers, commands, a browser and three people."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pytest
import redis
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection, connections
from django.test.utils import setup_databases, teardown_databases

from migrations_ui.ticker import Ticker
from tests.servers import Servers, mysql_connection, program
from tests.settings import VARIABLES

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from playwright.sync_api import Browser, ConsoleMessage, Page
    from pytest_django.plugin import DjangoDbBlocker

ROOT = Path(__file__).resolve().parent.parent

MakeDatabase = Callable[[str], str]
RunManage = Callable[..., "subprocess.CompletedProcess[str]"]

# Where tests start processes one after the other.
LONG = ("commands", "conformance", "demo", "e2e", "faults", "hosts", "services/test_worker.py")

CHROMIUM = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    # Nothing but the loopback can even be looked up.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


# The order


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes long goes first, so that no process is left alone with it at the end.

    A MySQL that TEST_MYSQL_URL names is not asked for what only MariaDB has.
    """
    if (url := os.environ.get("TEST_MYSQL_URL")) and not is_mariadb(url):
        left_out = [item for item in items if item.get_closest_marker("mariadb")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
    long = [ROOT / "tests" / name for name in LONG]
    items.sort(key=lambda item: not any(item.path.is_relative_to(path) for path in long))


def is_mariadb(url: str) -> bool:
    """Whether the server is MariaDB, which a private one is, or MySQL."""
    with closing(mysql_connection(url)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SELECT VERSION()")
        return "mariadb" in str(cursor.fetchone()[0]).lower()


# Databases


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Only the control database is Django's to prepare: tests make the other two themselves."""
    with django_db_blocker.unblock():
        databases = setup_databases(verbosity=0, interactive=False, aliases={"default": None})
    yield
    with django_db_blocker.unblock():
        teardown_databases(databases, verbosity=0)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Private PostgreSQL, MariaDB and Redis servers, each started when it is first needed."""
    with Servers() as running:
        yield running


@pytest.fixture
def make_database(
    servers: Servers, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[MakeDatabase]:
    """`make_database("postgresql" | "mysql" | "sqlite")`: the URL of a fresh, empty database.

    The databases are dropped after the test.  Connections of Django's are allowed meanwhile, since
    these databases are not among those that pytest-django guards.
    """
    with django_db_blocker.unblock(), ExitStack() as dropping:

        def make(vendor: str) -> str:
            if vendor == "sqlite":
                path = tmp_path / f"cutover_{secrets.token_hex(4)}.sqlite3"
                path.touch()
                return f"sqlite:///{path}"
            url, drop = servers.create_database(vendor)
            dropping.callback(drop)
            return url

        yield make


@pytest.fixture
def postgres_url(make_database: MakeDatabase) -> str:
    return make_database("postgresql")


@pytest.fixture
def clone_postgres(servers: Servers, make_database: MakeDatabase) -> MakeDatabase:
    """`clone_postgres(url)`: the URL of a copy of a database that nobody is connected to."""

    def clone(template: str) -> str:
        url = make_database("postgresql")
        name, original = (whose.rpartition("/")[2] for whose in (url, template))
        with closing(psycopg2.connect(servers.url("postgresql"))) as server:
            server.autocommit = True  # CREATE DATABASE can't run in a transaction
            server.cursor().execute(f"DROP DATABASE {name}")
            server.cursor().execute(f"CREATE DATABASE {name} TEMPLATE {original}")
        return url

    return clone


@pytest.fixture
def mysql_url(make_database: MakeDatabase) -> str:
    return make_database("mysql")


@pytest.fixture
def sqlite_url(make_database: MakeDatabase) -> str:
    return make_database("sqlite")


@pytest.fixture
def redis_url(servers: Servers) -> Iterator[str]:
    """A Redis database that was empty, and is emptied again.

    Several processes of tests may share the server that TEST_REDIS_URL names: each has numbers of
    its own, so that no two take the same one.
    """
    server = servers.url("redis").rpartition("/")[0]
    first = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for number in range(first, 16, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))):
        with closing(redis.Redis.from_url(f"{server}/{number}")) as client:
            if client.dbsize() == 0:
                yield f"{server}/{number}"
                client.flushdb()
                return
    raise RuntimeError("TEST_REDIS_URL: of its databases 0 to 15 too few are empty.")


# Commands


def manage(
    var: Path,
    env: Mapping[str, str],
    *arguments: str,
    stdin: str = "",
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """manage.py in a process of its own, which keeps what it writes in the folder `var`.

    Of the dashboard's settings it sees only what `env` says.  Never raises for an exit status.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    inherited["DJANGO_SETTINGS_MODULE"] = "dashboard.settings"
    return subprocess.run(  # noqa: S603  # our own command line
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**inherited, "CUTOVER_VAR": str(var), **env},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture
def run_manage(tmp_path: Path) -> RunManage:
    """`run_manage(env, *arguments)`: manage.py in a process of its own and the test's own folder.

    What it writes (secret key, queue, control database) is in `tmp_path / "var"`.
    """
    (var := tmp_path / "var").mkdir(exist_ok=True)
    return partial(manage, var)


@pytest.fixture(scope="session")
def migrated_control(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo application's control database, made once: tests have copies of it."""
    var = tmp_path_factory.mktemp("control")
    nowhere = {f"{side}_DATABASE_URL": f"sqlite:///{var}/{side}" for side in ("SOURCE", "DEST")}
    done = manage(var, nowhere, "migrate", "-v0")
    assert done.returncode == 0, done.stderr
    return var / "control.sqlite3"


# The worker


@pytest.fixture(autouse=True)
def somebody_would_do_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a worker were there: tests do by hand what it would do.

    Tests of its absence override this one.
    """
    from migrations_ui.workers import Health

    monkeypatch.setattr(Health, "nobody", "")


@pytest.fixture(autouse=True)
def no_ticker_waits_for_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the test's own transaction has locked the control database, a tick fails at once.

    It would wait as long as SQLite lets it, and the test would wait for its thread: 20 seconds for
    whatever takes longer than half a second.
    """
    ours, tick = connections["default"], Ticker._try

    def hurry(ticker: Ticker) -> None:
        if ours.in_atomic_block:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA busy_timeout = 0")
        tick(ticker)

    monkeypatch.setattr(Ticker, "_try", hurry)


# People


def _user(name: str, *, staff: bool, permissions: tuple[str, ...] = ()) -> User:
    user = get_user_model().objects.create_user(name, password=name, is_staff=staff)
    found = Permission.objects.filter(
        content_type__app_label="migrations_ui", codename__in=permissions
    )
    assert len(found) == len(permissions)
    user.user_permissions.set(found)
    return user


@pytest.fixture
def alice(db: None) -> User:
    """Staff; may look, copy, wipe and sign off."""
    permissions = ("view_run", "copy_run", "wipe_destination", "sign_off")
    return _user("alice", staff=True, permissions=permissions)


@pytest.fixture
def bob(db: None) -> User:
    """Staff; may look."""
    return _user("bob", staff=True, permissions=("view_run",))


@pytest.fixture
def charlie(db: None) -> User:
    """Signed in, but not staff."""
    return _user("charlie", staff=False)


# The browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium for all tests, which can reach nothing but this machine."""
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread, which Django takes for async code.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        chromium = shutil.which("chromium-browser") or program("chromium", "chromium")
        running = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page; an uncaught script error or a policy violation on it fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.set_default_timeout(15_000)
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            complaints.append(message.text)

    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", listen)
    yield tab
    context.close()
    assert complaints == []
