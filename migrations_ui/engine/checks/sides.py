"""The two databases as the checks see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from migrations_ui.engine.catalog import Table
from migrations_ui.engine.databases.base import Column, Database
from migrations_ui.engine.databases.inspecting import Inspector, inspect
from migrations_ui.engine.layout import names_on


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two databases, and the names that the chosen tables have there."""

    role: str  # "source" or "destination", as findings call it
    database: Database
    inspector: Inspector
    existing: frozenset[str]
    names: dict[str, str]  # by label; a table that is missing is left out

    @classmethod
    def of(cls, role: str, database: Database, tables: Sequence[Table]) -> Side:
        """Look which of the tables are there."""
        return cls(
            role=role,
            database=database,
            inspector=inspect(database),
            existing=frozenset(database.estimates()),
            names=names_on(database, tables),
        )

    @property
    def tables(self) -> list[str]:
        """The chosen tables that are there."""
        return list(self.names.values())

    @cached_property
    def columns(self) -> dict[str, dict[str, Column]]:
        """The columns of the chosen tables that are there."""
        return self.database.columns(self.tables)

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the chosen tables, by the names that they have there."""
        return {name: label for label, name in self.names.items()}


def listed(names: Sequence[str], shown: int = 5) -> str:
    """ "a, b and 3 more"."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more:,} more" if more > 0 else "")
