"""Settings readers: what the environment says, or a loud error that says what to set."""

from __future__ import annotations

import importlib
import os
import re
import secrets
import shlex
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from migrations_ui.engine.databases import access

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}

FORMS = (
    "postgres://user:password@host:5432/name, mysql://user:password@host:3306/name "
    "or sqlite:////absolute/path.sqlite3"
)

CONNECT_WITHIN = 5  # seconds
QUEUE = {
    "name": "cutover",
    # Always given: where it is left out, huey runs tasks inside the web request if DEBUG is on.
    "immediate": False,
    "results": False,
    "consumer": {
        "workers": 3,
        "worker_type": "thread",
        "max_delay": 1,
        "initial_delay": 0.1,
        # Periodic tasks could only be the host's, which its models may have imported; what is done
        # from time to time here (migrations_ui/patrol.py) must not wait behind long tasks.
        "periodic": False,
    },
}


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


def seconds(name: str, default: int) -> int:
    """The variable as a number of seconds, from 1."""
    value = os.environ.get(name) or str(default)
    if not value.isdecimal() or int(value) < 1:
        raise ImproperlyConfigured(f"{name}={value!r} is not a number of seconds. Set it from 1.")
    return int(value)


def number(name: str, default: int) -> int:
    """The variable as a number, from 0."""
    value = os.environ.get(name) or str(default)
    if not value.isdecimal():
        raise ImproperlyConfigured(f"{name}={value!r} is not a number. Set it from 0.")
    return int(value)


def strings(name: str, default: str = "") -> list[str]:
    """The variable as a list of comma-separated strings."""
    return [item.strip() for item in os.environ.get(name, default).split(",") if item.strip()]


def database(
    name: str, default: str | None = None, *, like: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    """A Django database configuration from a URL; None when the variable is not set.

    A database of the same vendor as `like` is used through that one's engine: a package may insist
    on its own, or have columns that Django's does not make.

    The error never repeats the URL, which may hold a password, nor does its traceback.
    """
    url = os.environ.get(name) or default
    if url is None:
        return None
    try:
        config = dict(dj_database_url.parse(url))
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises ValueError where the port is not a number
        if not parts.scheme.startswith(("sqlite", "spatialite")) and "@" in parts.path:
            raise ValueError  # a part of the password would be the name, and shown
    except (ValueError, KeyError, TypeError):
        scheme = url.partition("://")[0] if "://" in url else "none"
        raise ImproperlyConfigured(
            f"{name} is not a database URL that Cutover can read (its scheme is {scheme!r}; "
            f"special characters in a password are written as %XX). Use {FORMS}."
        ) from None
    if not config.get("NAME"):
        raise ImproperlyConfigured(f"{name} names no database. Use {FORMS}.")
    config = with_driver(config, name)
    with suppress(ImproperlyConfigured):  # a host whose own database is not what is moved
        if like and access.vendor(like) == access.vendor(config):
            config["ENGINE"] = like["ENGINE"]
    return config


def with_driver(config: dict[str, Any], name: str) -> dict[str, Any]:
    """The configuration, if the driver that it needs can be imported."""
    if config.get("ENGINE") == "django.db.backends.mysql":
        try:
            importlib.import_module("MySQLdb")
        except ImportError as error:
            raise ImproperlyConfigured(
                f"{name} is in MySQL or MariaDB, but its driver, mysqlclient, can't be "
                f"imported ({error}). Install Cutover with its extra: pip install '.[mysql]'."
            ) from None
    return config


def steps(theirs: Iterable[str | Iterable[str]]) -> list[list[str]]:
    """CUTOVER_STEPS: what is done after a copy, each a command with its arguments.

    Separated by semicolons or lines; without the variable those of the host's settings, a list of
    texts or of lists.
    """
    text = os.environ.get("CUTOVER_STEPS")
    entries = theirs if text is None else re.split(r"[;\n]", text)
    try:
        found = [
            shlex.split(entry) if isinstance(entry, str) else [str(word) for word in entry]
            for entry in entries
        ]
    except (ValueError, TypeError) as error:
        raise ImproperlyConfigured(
            f"CUTOVER_STEPS can't be read: {error}. Give commands with their arguments, separated "
            "by semicolons."
        ) from None
    return [words for words in found if words]


def set_apart(control: dict[str, Any], endpoints: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The control database's configuration, if it leads to neither of the other two.

    An error and not a system check: the first connection would already write to a SQLite file.
    """
    for side, words in (("source", "source"), ("dest", "destination")):
        if access.place(control) == access.place(endpoints[side]):
            raise ImproperlyConfigured(
                f"The control database is also the {words}. Give CONTROL_DATABASE_URL a database "
                "of its own, or leave it out for a SQLite file."
            )
    return control


def private(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of our own database; a SQLite file is made so that only we can read it.

    It has the sessions, and SQLite makes its files for everybody, by the usual umask.  One that
    is there already is left as it is.
    """
    if access.vendor(config) == "sqlite":
        with suppress(OSError):  # said better where it is opened
            os.close(os.open(config["NAME"], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return config


def secret_key(path: Path) -> str:
    """SECRET_KEY, or one that is made once and kept in the file `path`, readable by us alone.

    It appears there all at once, since web server and worker may start together.
    """
    if key := os.environ.get("SECRET_KEY"):
        return key
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=path.parent) as file:
                file.write(secrets.token_urlsafe(50))
                file.flush()
                with suppress(FileExistsError):  # another process was first
                    os.link(file.name, path)
        except OSError as error:
            raise ImproperlyConfigured(
                f"No SECRET_KEY is set, and one can't be kept in {path}: {error.strerror}. Set "
                "SECRET_KEY, or CUTOVER_VAR to a folder that may be written."
            ) from None
    return path.read_text()


def folder(path: Path) -> Path:
    """The folder, which is made where that is possible."""
    with suppress(OSError):
        path.mkdir(parents=True, exist_ok=True)
    return path


def huey(default_file: Path) -> dict[str, Any]:
    """The task queue: SQLite by default, Redis where HUEY_URL says so."""
    url = os.environ.get("HUEY_URL") or f"sqlite:///{default_file}"
    scheme, _, rest = url.partition("://")
    if scheme in {"redis", "rediss"} and "socket_connect_timeout=" not in url:
        # Else a page would wait minutes for a server that does not even refuse.
        url += f"{'&' if '?' in url else '?'}socket_connect_timeout={CONNECT_WITHIN}"
    if scheme in {"redis", "rediss", "unix"}:
        return QUEUE | {"huey_class": "dashboard.queue.RedisHuey", "url": url}
    if scheme == "sqlite" and (file := rest.removeprefix("/")):
        default_file.parent.mkdir(parents=True, exist_ok=True)
        return QUEUE | {"huey_class": "dashboard.queue.SqliteHuey", "filename": file}
    raise ImproperlyConfigured(
        "HUEY_URL is not a queue that Cutover can use. Use redis://host:6379/0, or leave it out "
        "for a SQLite file."
    )
