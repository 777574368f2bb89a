"""One module a vendor: capability flags and named operations, as django.db.backends does."""

from __future__ import annotations

from importlib import import_module

from migrations_ui.engine.databases.access import Config, vendor
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import Unreachable

DRIVERS = {"postgresql": "psycopg2-binary", "mysql": "cutover[mysql]", "sqlite": "pysqlite3"}


def connect(config: Config, *, read_only: bool, time_zone: str = "UTC") -> Database:
    """Open a database by its configuration; `Unreachable` says why not and what to do."""
    return class_of(config)(config, read_only=read_only, time_zone=time_zone)


def class_of(config: Config) -> type[Database]:
    """The vendor's class for a configuration, or `Unreachable` where its driver is missing."""
    name = vendor(config)
    try:
        module = import_module(f"migrations_ui.engine.databases.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("migrations_ui"):
            raise
        raise Unreachable(
            f"The driver for {name} is not installed ({error}). Install it with "
            f"`pip install '{DRIVERS[name]}'`."
        ) from error
    found: type[Database] = module.Database
    return found
