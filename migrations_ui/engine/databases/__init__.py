"""One module a vendor: capability flags and named operations, as django.db.backends does."""

from __future__ import annotations

from importlib import import_module

from migrations_ui.engine.databases.access import Config, vendor
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import Unreachable

DRIVERS = {"postgresql": "psycopg2-binary", "mysql": "cutover[mysql]", "sqlite": "pysqlite3"}


def connect(config: Config, *, read_only: bool, time_zone: str = "UTC") -> Database:
    """Open a database by its configuration; `Unreachable` says why not and what to do."""
    name = vendor(config)
    try:
        module = import_module(f"migrations_ui.engine.databases.{name}")
    except ImportError as error:
        raise Unreachable(
            f"The driver for {name} is not installed ({error}). Install it with "
            f"`pip install '{DRIVERS[name]}'`."
        ) from error
    database: Database = module.Database(config, read_only=read_only, time_zone=time_zone)
    return database
