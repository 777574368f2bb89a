"""What preflight asks of a database and a copy does not; each vendor's package has an inspector.

Nothing here changes anything: the write that proves a source read-only is refused or undone.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import ClassVar

from migrations_ui.engine.databases.base import Database


@dataclass(frozen=True)
class Settings:
    """How a database is set up; a field is at its default where the vendor knows no such thing."""

    encoding: str = "UTF8"  # as the server spells it
    holds_unicode: bool = True  # every character fits, as far as no column says otherwise
    checks_encoding: bool = True  # bytes that are not text are refused
    collation: str = ""
    folds_case: bool = False  # "A" = "a": in comparisons, in unique columns
    is_read_only: bool = False  # whoever connects as we do can't write
    writes_unasked: bool = True  # a session that says nothing of it may write
    is_strict: bool = True  # a value that doesn't fit is refused, not altered
    loads_from_file: bool = True
    knows_time_zones: bool = True
    packet: int | None = None  # bytes that a statement or a row may have


# Noon in winter and in summer, now and long ago.
NOONS = tuple(
    f"{year}-{month}-15 12:00:00" for year in range(1972, 2038, 6) for month in ("01", "07")
)


@dataclass(frozen=True)
class Clock:
    """A time zone, and what its `NOONS` are in UTC: by these two are the same."""

    name: str
    times: tuple[str, ...]


UTC = Clock("UTC", NOONS)


@dataclass(frozen=True)
class Lack:
    """A table that this account may not use as a run has to."""

    table: str
    privileges: tuple[str, ...]


@dataclass(frozen=True)
class Session:
    """Another connection to the same database."""

    who: str
    is_busy: bool  # it holds locks, or has written what is not committed yet


@dataclass(frozen=True)
class Outsider:
    """A foreign key that leads to a table from one that is not in this database."""

    schema: str
    table: str
    name: str
    columns: tuple[str, ...]
    parent: str


@dataclass(frozen=True)
class Index:
    """An index, or the uniqueness that one enforces."""

    table: str
    name: str
    columns: tuple[str | None, ...]  # None where it is an expression
    unique: bool = False
    partial: bool = False
    valid: bool = True
    ordinary: bool = True  # it compares and sorts as its type does
    # In words, what makes it hold rows equal whose columns differ, or not hold equal those that
    # don't; "" where equal columns are all there is to it.
    by: str = ""
    most: int | None = None  # bytes that an entry may have
    # For each column the collation of SQLite's own that holds texts equal which differ, or "".
    folds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """A constraint that is an expression."""

    table: str
    name: str
    definition: str
    valid: bool = True


@dataclass(frozen=True)
class Width:
    """What a row takes at most of its page, where it is filled in all columns."""

    table: str
    columns: int
    size: int  # bytes
    room: int  # bytes that a row may take


class Inspector(ABC):
    """Looks into an open database.  The capability flags say what `migrate` makes there."""

    # Sizes of types are promises that the vendor keeps.
    enforces_types: ClassVar[bool] = True
    # The oldest version that this version of Django migrates.
    oldest_for_django: tuple[int, ...] = ()
    has_partial_indexes: bool = True
    has_expression_indexes: bool = True
    has_covering_constraints: bool = False
    has_deferrable_constraints: bool = False
    has_nulls_distinct: bool = False
    has_checks: bool = True
    # Positive integers are kept positive by a check.
    checks_positive: bool = True
    # Texts of JSON are kept valid by a check.
    checks_json: bool = True
    # A foreign key brings its index along, unless one starts with its column already.
    indexes_foreign_keys: bool = False
    # Long texts take no index.
    indexes_texts: bool = True
    # The kinds of index that django.contrib.postgres adds.
    has_special_indexes: bool = False

    def __init__(self, database: Database) -> None:
        self.database = database

    # -- The server -------------------------------------------------------------------------------

    @abstractmethod
    def settings(self) -> Settings:
        """How the database is set up."""

    @abstractmethod
    def could_write(self) -> str:
        """The harmless statement that a connection that can't write did not refuse; "" if it did.

        Nothing is left behind.
        """

    @abstractmethod
    def lacks_for_reading(self, tables: Sequence[str]) -> list[Lack]:
        """Privileges that reading the tables needs and this account has not."""

    @abstractmethod
    def lacks_for_replacing(self, tables: Sequence[str]) -> list[Lack]:
        """Privileges that wiping and loading the tables needs and this account has not."""

    @abstractmethod
    def sessions(self, tables: Sequence[str]) -> list[Session]:
        """Who else is connected, as far as this account may see it."""

    @abstractmethod
    def size(self) -> int | None:
        """About how many bytes the database's rows and indexes take."""

    def free_space(self) -> int | None:
        """How many bytes the database may still grow by; None where the server doesn't tell."""
        return None

    def clock(self) -> Clock:
        """In which time zone the site's sessions read a column that keeps a moment."""
        return UTC

    # -- The schema -------------------------------------------------------------------------------

    @abstractmethod
    def indexes(self, tables: Sequence[str]) -> list[Index]:
        """All indexes of the tables, their primary keys included."""

    @abstractmethod
    def checks(self, tables: Sequence[str]) -> list[Check]:
        """All check constraints of the tables."""

    def invalid_foreign_keys(self, tables: Sequence[str]) -> list[tuple[str, str]]:
        """Table and name of foreign keys that rows may violate although they are there."""
        return []

    def counted_keys(self, tables: Sequence[str]) -> set[tuple[str, str]] | None:
        """Tables and the column of each that a counter of its own fills; None: all that need it."""
        return None

    @abstractmethod
    def triggers(self, tables: Sequence[str]) -> list[tuple[str, str]]:
        """Table and name of the triggers that deleting or writing rows of the tables would fire."""

    def disabled_triggers(self, tables: Sequence[str]) -> list[tuple[str, str]]:
        """Table and name of the triggers that somebody has switched off."""
        return []

    def hiding_rows(self, tables: Sequence[str]) -> list[str]:
        """Tables of which this account is shown some rows only, without a word."""
        return []

    def heirs(self, tables: Sequence[str]) -> list[tuple[str, str]]:
        """Table and name of tables whose rows are the table's rows as well, by inheritance."""
        return []

    def not_transactional(self, tables: Sequence[str]) -> list[str]:
        """Tables that a rollback leaves as they are, and that enforce no foreign key."""
        return []

    def too_wide(self, tables: Sequence[str]) -> list[Width]:
        """Tables of which a row that is filled in all columns may not fit into its page."""
        return []

    def outsiders(self, tables: Sequence[str]) -> list[Outsider]:
        """Foreign keys from elsewhere to these tables, as far as this account may see them."""
        return []

    def versioned(self, tables: Sequence[str]) -> list[str]:
        """Tables that keep all former versions of their rows."""
        return []

    def mentions(self, definition: str, column: str) -> bool:
        """Whether a check is about the column, quoted or bare."""
        bare = rf"(?<![\w$`\".']){re.escape(column)}(?![\w$`\".'(])"
        return self.database.quote(column) in definition or bool(re.search(bare, definition))


def inspect(database: Database) -> Inspector:
    """The inspector of an open database."""
    module = import_module(f"migrations_ui.engine.databases.{database.vendor}.inspecting")
    inspector: Inspector = module.Inspector(database)
    return inspector


def grouped_indexes(
    rows: Iterable[tuple[str, str, str | None, bool, bool, str, str]],
) -> list[Index]:
    """Indexes from rows of (table, index, column, unique, partial, by, folds), in their order."""
    found: dict[tuple[str, str, bool, bool], list[tuple[str | None, str, str]]] = {}
    for table, name, column, unique, partial, by, folds in rows:
        found.setdefault((table, name, unique, partial), []).append((column, by, folds))
    return [
        Index(
            table,
            name,
            names := tuple(column for column, *_ in columns),
            unique,
            partial,
            by=what_by([by for _, by, _ in columns], columns=names, partial=partial),
            folds=tuple(folds for *_, folds in columns),
        )
        for (table, name, unique, partial), columns in found.items()
    ]


def what_by(found: Iterable[str], *, columns: Iterable[str | None], partial: bool) -> str:
    """What an index goes by besides equal columns."""
    words = [by for by in dict.fromkeys(found) if by]
    words += ["an expression"] if None in columns else []
    words += ["a condition"] if partial else []
    return " and ".join(words)
