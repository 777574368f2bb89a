"""The shop's tables in fresh databases, statements to spoil them with, and preflight itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import dj_database_url
import pytest
from django.apps import apps
from django.db.utils import ConnectionHandler
from django.test import override_settings

from migrations_ui.engine import catalog, databases, preflight
from migrations_ui.engine.databases import access
from migrations_ui.engine.databases.access import Config
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.preflight import Endpoints, Report
from tests.conftest import MakeDatabase

APP = "tests.engine_preflight.shop"
VENDORS = ("postgresql", "mysql", "sqlite")

Make = Callable[[str], Config]
Check = Callable[..., Report]


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    """The shop is an app of the host's."""
    from django.conf import settings

    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, APP]):
        yield


@pytest.fixture
def empty(make_database: MakeDatabase) -> Make:
    """`empty(vendor)`: the configuration of a fresh database."""

    def make(vendor: str) -> Config:
        return access.endpoint(dict(dj_database_url.parse(make_database(vendor))))

    return make


@pytest.fixture
def shop(empty: Make) -> Make:
    """`shop(vendor)`: the configuration of a database with the shop's tables."""

    def make(vendor: str) -> Config:
        make_tables(config := empty(vendor))
        return config

    return make


def make_tables(config: Config) -> None:
    """What `migrate` would make."""
    connection = ConnectionHandler({"default": dict(config)})["default"]
    with closing(connection), connection.schema_editor() as editor:
        for model in apps.get_app_config("shop").get_models():
            if model._meta.managed:
                editor.create_model(model)
        # Django's own slip: what the vendor does not support becomes the statement None.
        editor.deferred_sql = [sql for sql in editor.deferred_sql if sql is not None]


def execute(config: Config, *statements: str) -> None:
    """Run statements as the owner of the database."""
    with databases.connect(config, read_only=False) as database:
        for statement in statements:
            database.execute(statement)


@contextmanager
def somebody(config: Config, statement: str = "") -> Iterator[None]:
    """Another client of the database, who has not committed yet."""
    with closing(ConnectionHandler({"default": dict(config)})["default"]) as connection:
        connection.set_autocommit(not statement)
        with connection.cursor() as cursor:
            cursor.execute(statement or "SELECT 1")
            yield
        if statement:
            connection.rollback()


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """`check(source, dest)`: preflight of the shop's tables."""
    (control := tmp_path / "control.sqlite3").touch()

    def run(source: Config, dest: Config, app_labels: Sequence[str] = ("shop",)) -> Report:
        endpoints = Endpoints(source, dest, access.endpoint(sqlite(control)))
        return preflight.check(endpoints, catalog.tables({APP}), app_labels)

    return run


def sqlite(path: Path) -> Config:
    return dict(dj_database_url.parse(f"sqlite:///{path}"))


def alarms(report: Report) -> list[Finding]:
    """What is more than information."""
    return [found for found in report.findings if found.severity is not Severity.INFO]


def codes(report: Report) -> list[str]:
    return [found.code for found in alarms(report)]


def places(report: Report) -> set[tuple[str, str, str]]:
    """Code, table and column of what is more than information."""
    return {(found.code, found.table, found.column) for found in alarms(report)}
