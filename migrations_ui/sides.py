"""The two databases and the host's tables, as this process is configured."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from typing import Protocol

from django.apps import apps
from django.conf import settings

from migrations_ui import routing
from migrations_ui.engine import catalog
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.checks.sides import listed
from migrations_ui.engine.databases import access
from migrations_ui.engine.databases.base import Database, Server
from migrations_ui.engine.preflight import Endpoints


class Refused(Exception):
    """What was asked for is not done: `str()` says why and what to do. Nothing was touched.

    `field` names the field of a form that was filled in wrongly, where there is one.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class Ends(Protocol):
    """What opens the source and the destination: `Endpoints`, or a run's `Links`."""

    def open_source(self) -> AbstractContextManager[Database]:
        """The source, on a connection that can't write."""

    def open_dest(self) -> AbstractContextManager[Database]:
        """The destination, on a connection that can."""

    def open(self) -> AbstractContextManager[tuple[Database, Database]]:
        """Both, for one thread."""


@dataclass(frozen=True)
class Side:
    """A database as the pages show it; it never holds a credential."""

    role: str  # "source" or "dest"
    vendor: str = ""
    product: str = ""
    name: str = ""
    host: str = ""
    identity: str = ""
    error: str = ""

    @property
    def where(self) -> str:
        """What tells it from another database of the same name."""
        return ", ".join(part for part in (self.product, self.host) if part)

    @classmethod
    def of(cls, role: str, server: Server) -> Side:
        """What a server says of itself."""
        return cls(role, server.vendor, server.product, server.name, server.host, server.identity)

    @classmethod
    def unknown(cls, role: str, config: access.Config, error: str) -> Side:
        """What the configuration says of a server that can't be reached."""
        vendor = access.vendor(config)
        folder, _, file = str(config["NAME"]).rpartition("/")
        name, host = (file, folder) if vendor == "sqlite" else (file or folder, config.get("HOST"))
        return cls(role, vendor, vendor, name, str(host or "localhost"), "", error)


def endpoints(*, reverse: bool = False) -> Endpoints:
    """The databases' configurations; `reverse` exchanges source and destination."""
    source, dest = settings.ENDPOINTS["source"], settings.ENDPOINTS["dest"]
    if reverse:
        source, dest = dest, source
    return Endpoints(
        source=source,
        dest=dest,
        control=access.endpoint(settings.DATABASES["default"]),
        time_zone="UTC" if settings.USE_TZ else settings.TIME_ZONE,
    )


def available_cores() -> int:
    """The cores that this process may use: how many workers a run has by default."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def vendors() -> set[str]:
    """The vendors of the source and the destination."""
    return {access.vendor(config) for config in settings.ENDPOINTS.values()}


@cache
def host_tables() -> tuple[Table, ...]:
    """All tables of the host's apps, in dependency order."""
    return tuple(
        table
        if table.left_out or routing.keeps_table(table.model)
        else replace(table, left_out=routing.ELSEWHERE)
        for table in catalog.tables(settings.HOST_APP_NAMES, vendors())
    )


@cache
def host_app_labels() -> frozenset[str]:
    """The labels of the host's apps."""
    return frozenset(
        config.label for config in apps.get_app_configs() if config.name in settings.HOST_APP_NAMES
    )


def chosen_tables(labels: Iterable[str] | None, exclude: Iterable[str] = ()) -> list[Table]:
    """The tables of the labels, each `app_label` or `app_label.Model`, in dependency order.

    None means all that are not left out by default.  An unknown label is `Refused`.
    """
    excluded = expand(exclude)
    wanted = (
        {table.label for table in host_tables() if not table.left_out}
        if labels is None
        else expand(labels)
    )
    return [table for table in host_tables() if table.label in wanted - excluded]


def expand(labels: Iterable[str]) -> set[str]:
    """The labels of tables that these labels mean; an app means all that isn't left out."""
    exact: dict[str, set[str]] = {}
    of_app: dict[str, set[str]] = {label: set() for label in host_app_labels()}
    for table in host_tables():
        exact.setdefault(table.label.lower(), set()).add(table.label)
        if not table.left_out:
            of_app.setdefault(table.app_label, set()).add(table.label)
    found: set[str] = set()
    for label in labels:
        if label.lower() not in exact and label not in of_app:
            raise Refused(unknown_label(label))
        found |= exact.get(label.lower()) or of_app[label]
    return found


def unknown_label(label: str) -> str:
    """Say that there is no such label, and which ones come near."""
    known = sorted({t.label for t in host_tables()} | {t.app_label for t in host_tables()})
    near = get_close_matches(label, known, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {listed(known, 12)}."
    return f"There is no table or app {label!r}. {hint}"
