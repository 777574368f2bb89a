"""Settings readers: what the environment says, or a loud error that says what to set."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}

FORMS = (
    "postgres://user:password@host:5432/name, mysql://user:password@host:3306/name "
    "or sqlite:////absolute/path.sqlite3"
)


def boolean(name: str, default: bool) -> bool:
    """The variable as a boolean; anything but a plain yes or no is an error."""
    value = os.environ.get(name)
    if value is None:
        return default
    if value.strip().lower() in TRUE:
        return True
    if value.strip().lower() in FALSE:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is neither true nor false. Set it to 1 or 0.")


def strings(name: str, default: str = "") -> list[str]:
    """The variable as a list of comma-separated strings."""
    return [item.strip() for item in os.environ.get(name, default).split(",") if item.strip()]


def database(name: str, default: str | None = None) -> dict[str, Any] | None:
    """A Django database configuration from a URL; None when the variable is not set.

    The error never repeats the URL, which may hold a password.
    """
    url = os.environ.get(name) or default
    if url is None:
        return None
    scheme = url.partition(":")[0] if ":" in url else "(none)"
    try:
        config = dict(dj_database_url.parse(url))
        urlsplit(url).port  # noqa: B018  # raises ValueError where the port is not a number
    except (ValueError, KeyError, TypeError) as error:
        raise ImproperlyConfigured(
            f"{name} is not a database URL that Cutover can read (scheme {scheme!r}). Use {FORMS}."
        ) from error
    if not config.get("NAME"):
        raise ImproperlyConfigured(f"{name} names no database. Use {FORMS}.")
    return config


def secret_key(path: Path) -> str:
    """SECRET_KEY, or one that is made once and kept in the file `path`, readable by us alone."""
    if key := os.environ.get("SECRET_KEY"):
        return key
    try:
        return path.read_text()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:  # another process was first
            return path.read_text()
        with os.fdopen(descriptor, "w") as file:
            file.write(key := secrets.token_urlsafe(50))
        return key


def huey(default_file: Path) -> dict[str, Any]:
    """The task queue: SQLite by default, Redis where HUEY_URL says so.

    `immediate` is always given: where it is left out, huey runs tasks inside the web request as
    soon as DEBUG is on.
    """
    url = os.environ.get("HUEY_URL", "")
    config: dict[str, Any] = {
        "name": "cutover",
        "immediate": False,
        "results": False,
        "consumer": {"workers": 3, "worker_type": "thread", "max_delay": 1, "initial_delay": 0.1},
    }
    scheme = urlsplit(url).scheme
    if not url:
        default_file.parent.mkdir(parents=True, exist_ok=True)
        return config | {"huey_class": "huey.SqliteHuey", "filename": str(default_file)}
    if scheme in {"redis", "rediss", "unix"}:
        return config | {"huey_class": "huey.RedisHuey", "url": url}
    if scheme == "sqlite":
        return config | {"huey_class": "huey.SqliteHuey", "filename": url.partition("///")[2]}
    raise ImproperlyConfigured(
        f"HUEY_URL has the scheme {scheme!r}. Use redis://host:6379/0, or leave it out for SQLite."
    )
