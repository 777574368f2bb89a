"""What a database calls the tables and columns that are meant, and the columns that it has."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from migrations_ui.engine.catalog import Table, shortened
from migrations_ui.engine.databases.base import Column, Database
from migrations_ui.engine.errors import ServerError

T = TypeVar("T")

# Seconds until a table is looked for once more that has just been there.
SOON = 0.5


def physical_name(names: Iterable[str], existing: Collection[str], folds: bool) -> str | None:
    """Which of the existing names is meant, however it was shortened or folded."""
    names = tuple(names)
    for candidate in spellings(names):
        if candidate in existing:
            return candidate
    if folds:
        folded = {name.lower(): name for name in existing}
        for candidate in spellings(names):
            if candidate.lower() in folded:
                return folded[candidate.lower()]
    return None


def spellings(names: Iterable[str]) -> Iterator[str]:
    """Each name as it is, then shortened: hashes are made only of what isn't found before."""
    for name in names:
        yield name
        yield from shortened(name)


def lookup(found: Mapping[str, T], name: str, folds: bool) -> T | None:
    """The entry of that name, however it was shortened or folded."""
    existing = physical_name([name], found.keys(), folds)
    return None if existing is None else found[existing]


def names_on(
    database: Database, tables: Iterable[Table], existing: Collection[str] | None = None
) -> dict[str, str]:
    """The tables' names in this database, by label; a table that is missing is left out.

    `existing` are the names of all tables of the database, if they are known already.
    """
    existing = database.estimates().keys() if existing is None else existing
    names = {
        table.label: physical_name(table.names, existing, database.folds_names) for table in tables
    }
    return {label: name for label, name in names.items() if name is not None}


def columns_of(database: Database, tables: Iterable[str]) -> dict[str, dict[str, Column]]:
    """The columns of tables that are there.

    MariaDB's catalog leaves a table out for a moment while another session alters it.
    """
    wanted = set(tables)
    found = database.columns(wanted)
    if wanted - found.keys():
        time.sleep(SOON)
        found |= database.columns(wanted - found.keys())
    if unseen := sorted(wanted - found.keys()):
        raise ServerError(
            f"{database.label} shows no columns of {', '.join(unseen)} at this moment: they are "
            "being altered by another session. Try again when that has ended.",
            transient=True,
        )
    return found


@dataclass(frozen=True, eq=False)
class Described:
    """A database, the names of the chosen tables in it, and their columns, read once."""

    database: Database
    names: dict[str, str]  # by label; a table that is missing is left out

    @property
    def tables(self) -> list[str]:
        """The chosen tables that are there."""
        return list(self.names.values())

    @cached_property
    def columns(self) -> dict[str, dict[str, Column]]:
        """The columns of the chosen tables that are there."""
        return columns_of(self.database, self.tables)
