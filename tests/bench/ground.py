"""The ground that contestants run on: filled sources, and fresh destinations of one schema."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import dj_database_url
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from dashboard.demo.rows import SEED, Size
from tests.bench.process import manage, measure
from tests.bench.stock import Place, StockServers

# Its rows are those that `migrate` wrote; nobody copies them.
KEPT = "django_migrations"


class Ground:
    """Makes databases when they are first asked for, and removes them at the end."""

    def __init__(self, folder: Path, servers: StockServers, keeping: ExitStack) -> None:
        self.folder = folder
        self.servers = servers
        self._keeping = keeping
        self._schemas: dict[str, Place] = {}
        self._sources: dict[tuple[str, float], Place] = {}

    def schema(self, vendor: str) -> Place:
        """The demo's tables as `migrate` makes them, without rows."""
        if vendor not in self._schemas:
            place = self._keeping.enter_context(self.servers.database(vendor))
            self.manage_dest(place, "migrate", "--database", "dest", "--verbosity", "0")
            with opened(place) as connection, connection.cursor() as cursor:
                for table in ("auth_permission", "django_content_type"):
                    cursor.execute(f"DELETE FROM {table}")
            self._schemas[vendor] = place
        return self._schemas[vendor]

    @contextmanager
    def fresh(self, vendor: str) -> Iterator[Place]:
        """A destination with the schema and no rows."""
        schema = self.schema(vendor)
        with self.servers.database(vendor) as place:
            CLONE[vendor](schema, place)
            yield place

    def source(self, vendor: str, scale: float) -> Place:
        """A source with that share of the seed's rows; with 0, only those of `migrate`."""
        if (vendor, scale) not in self._sources:
            place = self._keeping.enter_context(self.servers.database(vendor))
            self.manage_dest(place, "migrate", "--database", "dest", "--verbosity", "0")
            if scale:
                counts = [
                    f"--{name.replace('_', '-')}={count}"
                    for name, count in vars(size(scale)).items()
                ]
                self.manage_dest(place, "filldemo", *counts)
            self._sources[vendor, scale] = place
        return self._sources[vendor, scale]

    def manage_dest(
        self, place: Place, *arguments: str, env: Mapping[str, str] | None = None
    ) -> None:
        """A management command that takes the place for its destination."""
        (var := self.folder / "var").mkdir(exist_ok=True)
        (nothing := var / "nothing.sqlite3").touch()
        measure(
            manage(*arguments),
            self.folder,
            {
                "SOURCE_DATABASE_URL": f"sqlite:///{nothing}",
                "DEST_DATABASE_URL": place.url,
                "CUTOVER_VAR": str(var),
                **(env or {}),
            },
        )


def size(scale: float) -> Size:
    """The seed's own numbers of rows, or a share of them."""
    exact = replace(Size.about(sum(SEED.values())), **SEED)
    return Size(**{name: max(8, round(count * scale)) for name, count in vars(exact).items()})


@contextmanager
def opened(place: Place) -> Iterator[BaseDatabaseWrapper]:
    """Django's own connection to the database, closed again."""
    config: dict[str, Any] = dict(dj_database_url.parse(place.url))
    alias = token_hex(4)
    connections.settings[alias] = ConnectionHandler({"default": config}).settings["default"]
    try:
        with closing(connections[alias]) as connection:
            yield connection
    finally:
        del connections[alias], connections.settings[alias]


def tables(connection: BaseDatabaseWrapper) -> list[str]:
    """Every table but the databases' own and Django's list of migrations, sorted."""
    found = set(connection.introspection.table_names()) - {KEPT}
    return sorted(table for table in found if not table.startswith("sqlite_"))


def _clone_postgresql(schema: Place, place: Place) -> None:
    admin = Place(place.vendor, place.url.rpartition("/")[0] + "/postgres")
    with opened(admin) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {place.name}")
        cursor.execute(f"CREATE DATABASE {place.name} TEMPLATE {schema.name}")


def _clone_mysql(schema: Place, place: Place) -> None:
    with opened(schema) as connection, connection.cursor() as cursor:
        statements = []
        for table in connection.introspection.table_names():
            cursor.execute(f"SHOW CREATE TABLE {table}")
            statements.append(cursor.fetchone()[1])
    with opened(place) as connection, connection.cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute(f"INSERT INTO {KEPT} SELECT * FROM {schema.name}.{KEPT}")


def _clone_sqlite(schema: Place, place: Place) -> None:
    shutil.copyfile(schema.path, place.path)


CLONE = {"postgresql": _clone_postgresql, "mysql": _clone_mysql, "sqlite": _clone_sqlite}
