"""What a connection may do, decided in its configuration and enforced by the server itself.

These functions take a Django database configuration and return another one; they change nothing.
"""

from __future__ import annotations

import os
import re
from contextvars import ContextVar
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.core.exceptions import AppRegistryNotReady, ImproperlyConfigured

Config = dict[str, Any]

# Seconds after which an unreachable server is an error instead of a page that hangs.
CONNECT_TIMEOUT = 5
# Seconds that a SQLite connection waits for another one's write.
BUSY_TIMEOUT = 20
KEPT_OPEN = 5  # seconds for which a connection to the control database is used again

# Seconds that a lock is waited for, that any statement may take, and that a transaction may stay
# open without one (its rows come from a slow source, or its process was suspended).
LOCK_TIMEOUT = 30
STATEMENT_TIMEOUT = 24 * 3600
IDLE_TIMEOUT = 3600
# Less than that for the sessions of somebody who is in a hurry, in this thread: None is nobody.
hurry: ContextVar[int | None] = ContextVar("hurry", default=None)

LOOPBACK = {"", "localhost", "127.0.0.1", "::1"}
PORTS = {"postgresql": "5432", "mysql": "3306"}

# Django's own backends, which need not be imported to know what they are.
VENDORS = {
    "django.db.backends.postgresql": "postgresql",
    "django.contrib.gis.db.backends.postgis": "postgresql",
    "django.db.backends.mysql": "mysql",
    "django.contrib.gis.db.backends.mysql": "mysql",
    "django.db.backends.sqlite3": "sqlite",
    "django.contrib.gis.db.backends.spatialite": "sqlite",
    "django.db.backends.oracle": "oracle",
    "django.contrib.gis.db.backends.oracle": "oracle",
}
READ = set(VENDORS.values()) - {"oracle"}


def vendor(config: Config) -> str:
    """The vendor of a configuration, as Django's `connection.vendor` spells it."""
    engine = str(config.get("ENGINE") or "")
    reason = ""
    kind = VENDORS.get(engine)
    if kind is None and engine:
        try:  # a package's own is made of one of Django's
            kind = str(import_module(f"{engine}.base").DatabaseWrapper.vendor)
        except AppRegistryNotReady as error:  # it imports models, django-tenants' does
            kind, reason = _vendor_named_by(engine), _why_not(error)
        except Exception as error:  # noqa: BLE001  # others' code, which may need anything
            reason = _why_not(error)
    if kind not in READ:
        raise ImproperlyConfigured(
            f"The database engine {engine!r} is not one that Cutover can read{reason}. It moves "
            "data between PostgreSQL, MySQL/MariaDB and SQLite."
        )
    return kind


def _vendor_named_by(engine: str) -> str | None:
    """The vendor of those of Django's backends that an engine's own module names."""
    spec = find_spec(f"{engine}.base")
    text = Path(spec.origin).read_text(errors="replace") if spec and spec.origin else ""
    named = {kind for name, kind in VENDORS.items() if re.search(rf"\b{re.escape(name)}\b", text)}
    return named.pop() if len(named) == 1 else None


def _why_not(error: Exception) -> str:
    return f": it can't be imported ({type(error).__name__}: {error})"


def place(config: Config) -> tuple[str, ...]:
    """Where a configuration leads, in a form that can be compared."""
    kind = vendor(config)
    if kind == "sqlite":
        return kind, os.path.realpath(config["NAME"])
    host = str(config.get("HOST") or "")
    port = str(config.get("PORT") or PORTS[kind])
    return kind, "" if host in LOOPBACK else host, port, str(config["NAME"])


def endpoint(config: Config) -> Config:
    """The configuration of a source or destination: short connections, time limits, no pooling."""
    options = dict(config.get("OPTIONS") or {})
    kind = vendor(config)
    if kind == "sqlite":
        options.setdefault("timeout", BUSY_TIMEOUT)
    else:
        options.setdefault("connect_timeout", CONNECT_TIMEOUT)
    if kind == "postgresql":
        options.pop("pool", None)
    return config | {
        "NAME": _absolute(config["NAME"]) if kind == "sqlite" else str(config["NAME"]),
        "OPTIONS": options,
        "ATOMIC_REQUESTS": False,
        "AUTOCOMMIT": True,
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": False,
    }


def control(config: Config) -> Config:
    """The control database: in SQLite, readers don't block the writer and writers wait.

    A connection is kept for the polls of the next seconds, most of whose time it would take to open
    one; no longer, lest somebody who puts another file in its place is not heard of.
    """
    config = config | {"CONN_MAX_AGE": KEPT_OPEN, "CONN_HEALTH_CHECKS": True}
    if vendor(config) != "sqlite":
        options = {"connect_timeout": CONNECT_TIMEOUT} | (config.get("OPTIONS") or {})
        return config | {"OPTIONS": options}
    name = _absolute(config["NAME"])
    try:
        os.makedirs(os.path.dirname(name), exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"The control database can't be made in {os.path.dirname(name)}: {error.strerror}. Set "
            "CUTOVER_VAR to a folder that may be written, or CONTROL_DATABASE_URL."
        ) from None
    options = {
        "timeout": BUSY_TIMEOUT,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
    }
    return config | {"NAME": name, "OPTIONS": options | (config.get("OPTIONS") or {})}


def read_only(config: Config) -> Config:
    """The same database, on a connection that cannot write to it."""
    options = dict(config["OPTIONS"])
    kind = vendor(config)
    if kind == "postgresql":
        flags = f"{options.get('options', '')} -c default_transaction_read_only=on"
        options["options"] = flags.strip()
    elif kind == "mysql":
        before = options.get("init_command")
        statement = "SET SESSION TRANSACTION READ ONLY"
        options["init_command"] = f"{before}; {statement}" if before else statement
    else:
        return config | {
            "NAME": sqlite_uri(config["NAME"], "ro"),
            "OPTIONS": options | {"uri": True},
        }
    return config | {"OPTIONS": options}


def existing_only(config: Config) -> Config:
    """The same database, where SQLite must not create the file when it is missing."""
    if vendor(config) != "sqlite":
        return config
    options = config["OPTIONS"] | {"uri": True}
    return config | {"NAME": sqlite_uri(config["NAME"], "rw"), "OPTIONS": options}


def sqlite_uri(path: str, mode: str) -> str:
    """SQLite's URI for a file: `mode` is "ro", or "rw" (which does not create the file)."""
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{quoted}?mode={mode}"


def _absolute(name: object) -> str:
    text = str(name)
    if ":memory:" in text or text.startswith("file:"):
        raise ImproperlyConfigured(
            f"The SQLite database {text!r} is not a plain file. Give the path of a file."
        )
    return os.path.abspath(text)
