"""Nothing writes to the source, by whatever statement and through whichever connection."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import Error as DjangoError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from migrations_ui.engine import databases
from migrations_ui.engine.databases import access
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import EngineError, Unreachable
from tests.conftest import MakeDatabase
from tests.engine.conftest import OpenDatabase, config_of, run, typed

COMMON = [
    "INSERT INTO t VALUES (2, 'new')",
    "UPDATE t SET v = 'changed'",
    "DELETE FROM t",
    "CREATE TABLE u (id integer)",
    "CREATE INDEX i ON t (v)",
    "ALTER TABLE t ADD COLUMN w integer",
    "DROP TABLE t",
]
STATEMENTS = {
    "postgresql": [
        *COMMON,
        "TRUNCATE t",
        "SELECT nextval('t_id_seq')",
        "SELECT setval('t_id_seq', 100)",
        "SELECT * INTO u FROM t",
        "SELECT * FROM t FOR UPDATE",
        "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
        "CREATE SEQUENCE s",
        "COMMENT ON TABLE t IS 'changed'",
        "LOCK TABLE t IN EXCLUSIVE MODE",
    ],
    "mysql": [
        *COMMON,
        "TRUNCATE TABLE t",
        "REPLACE INTO t VALUES (1, 'new')",
        "RENAME TABLE t TO u",
        "CREATE TABLE u AS SELECT * FROM t",
        "ALTER TABLE t AUTO_INCREMENT = 100",
        "LOAD DATA LOCAL INFILE '/dev/null' INTO TABLE t",
    ],
    "sqlite": [
        *COMMON,
        "REPLACE INTO t VALUES (1, 'new')",
        "PRAGMA user_version = 7",
        "PRAGMA journal_mode = WAL",
        "VACUUM",
        "REINDEX",
    ],
}
CASES = [(vendor, statement) for vendor, found in STATEMENTS.items() for statement in found]
TABLES = {
    "postgresql": "CREATE TABLE t (id bigserial PRIMARY KEY, v varchar(10))",
    "mysql": "CREATE TABLE t (id bigint AUTO_INCREMENT PRIMARY KEY, v varchar(10))",
    "sqlite": "CREATE TABLE t (id integer PRIMARY KEY AUTOINCREMENT, v varchar(10))",
}

Filled = Callable[[str], tuple[str, Database]]


@pytest.fixture
def filled(make_database: MakeDatabase, open_database: OpenDatabase) -> Filled:
    """`filled(vendor)`: the URL of a database with a row, and a writable look at it."""

    def make(vendor: str) -> tuple[str, Database]:
        url = make_database(vendor)
        writable = open_database(url)
        run(writable, TABLES[vendor], "INSERT INTO t VALUES (1, 'old')")
        return url, writable

    return make


def untouched(writable: Database) -> bool:
    return (
        writable.query("SELECT * FROM t") == [(1, "old")]
        and list(writable.estimates()) == ["t"]
        and list(writable.columns(["t"])["t"]) == ["id", "v"]
        and writable.sequences(["t"])["t"].next_value in (1, 2)
    )


@pytest.mark.parametrize(("vendor", "statement"), CASES)
def test_the_engines_source_connection_writes_nothing(
    vendor: str, statement: str, filled: Filled, open_database: OpenDatabase
) -> None:
    url, writable = filled(vendor)
    source = open_database(url, read_only=True)
    before = writable.sequences(["t"])
    with refusal_unless_quiet(statement, EngineError):
        source.query(statement)
    assert untouched(writable)
    assert writable.sequences(["t"]) == before


@pytest.fixture
def through_django() -> Iterator[Callable[[str], BaseDatabaseWrapper]]:
    """`through_django(url)`: Django's own connection, as the alias `source` has it."""
    opened: list[BaseDatabaseWrapper] = []

    def connect(url: str, **options: Any) -> BaseDatabaseWrapper:
        settings = access.read_only(config_of(url, **options))
        settings.setdefault("TIME_ZONE", None)
        settings.setdefault("AUTOCOMMIT", True)
        wrapper = load_backend(settings["ENGINE"]).DatabaseWrapper(
            connections["default"].settings_dict | settings, "source"
        )
        opened.append(wrapper)
        return wrapper

    yield connect
    for wrapper in opened:
        wrapper.close()


def refusal_unless_quiet(statement: str, error: type[Exception]) -> Any:
    """SQLite says nothing of a journal mode that it can't set, or when nothing is to rebuild."""
    if statement.startswith(("PRAGMA journal_mode", "REINDEX")):
        return suppress(error)
    return pytest.raises(error)


@pytest.mark.parametrize(("vendor", "statement"), CASES)
def test_djangos_source_connection_writes_nothing(
    vendor: str,
    statement: str,
    filled: Filled,
    through_django: Callable[[str], BaseDatabaseWrapper],
) -> None:
    url, writable = filled(vendor)
    wrapper = through_django(url)
    before = writable.sequences(["t"])
    with refusal_unless_quiet(statement, DjangoError), wrapper.cursor() as cursor:
        cursor.execute(statement)
    assert untouched(writable)
    assert writable.sequences(["t"]) == before


@pytest.mark.parametrize("vendor", STATEMENTS)
def test_a_transaction_on_the_source_writes_nothing_either(
    vendor: str, filled: Filled, open_database: OpenDatabase
) -> None:
    url, writable = filled(vendor)
    source = open_database(url, read_only=True)
    with pytest.raises(EngineError), source.transaction():
        run(source, "INSERT INTO t VALUES (2, 'new')")
    assert untouched(writable)


@pytest.mark.parametrize("vendor", STATEMENTS)
def test_the_loader_can_not_load_into_the_source(
    vendor: str, filled: Filled, open_database: OpenDatabase
) -> None:
    url, writable = filled(vendor)
    source = open_database(url, read_only=True)
    with pytest.raises(EngineError):
        source.load("t", typed(source, "t"), b"2\tnew\n")
    with pytest.raises(EngineError):
        source.wipe(["t"])
    with pytest.raises(EngineError):
        source.set_next_key("t", "id", 100)
    assert untouched(writable)


def test_copy_from_writes_nothing(filled: Filled, open_database: OpenDatabase) -> None:
    url, writable = filled("postgresql")
    source = open_database(url, read_only=True)
    with pytest.raises(source.driver_error):
        source.connection.cursor().copy_expert("COPY t FROM STDIN", io.StringIO("2\tnew\n"))
    assert untouched(writable)


def test_a_hosts_own_first_statement_is_run_and_the_source_stays_read_only(
    filled: Filled, through_django: Callable[..., BaseDatabaseWrapper]
) -> None:
    url, writable = filled("mysql")
    wrapper = through_django(url, init_command="SET SESSION sql_mode = 'ANSI'")
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT @@sql_mode LIKE '%ANSI%'")
        assert cursor.fetchone()[0] == 1
        with pytest.raises(DjangoError):
            cursor.execute("DELETE FROM t")
    assert untouched(writable)


def test_a_hosts_own_options_stay_beside_ours(
    filled: Filled, through_django: Callable[..., BaseDatabaseWrapper]
) -> None:
    url, writable = filled("postgresql")
    wrapper = through_django(url, options="-c search_path=public,pg_catalog")
    with wrapper.cursor() as cursor:
        cursor.execute("SHOW search_path")
        assert cursor.fetchone()[0] == "public,pg_catalog"
        with pytest.raises(DjangoError):
            cursor.execute("DELETE FROM t")
    assert untouched(writable)


def test_a_sqlite_source_that_is_missing_is_not_made(
    tmp_path: Path, open_database: OpenDatabase
) -> None:
    for read_only in (True, False):
        with pytest.raises(Unreachable, match="can't be opened"):
            open_database(f"sqlite:///{tmp_path}/none.sqlite3", read_only=read_only)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a b", "per%cent", "que?stion", "ha#sh", "a%20b", "ü"])
def test_a_sqlite_file_of_any_name_is_opened(
    tmp_path: Path, name: str, open_database: OpenDatabase
) -> None:
    path = tmp_path / f"{name}.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (id integer)")
    connection.close()
    config = access.endpoint({"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)})
    for read_only in (True, False):
        with databases.connect(config, read_only=read_only) as database:
            assert list(database.estimates()) == ["t"]
            assert database.server().name == path.name
