"""The two databases as the checks see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from migrations_ui.engine.catalog import Table
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.databases.inspecting import Inspector, inspect
from migrations_ui.engine.naming import Described, names_on


@dataclass(frozen=True, eq=False)
class Side(Described):
    """One of the two databases with all that the checks ask of it."""

    role: str  # "source" or "destination", as findings call it
    inspector: Inspector
    existing: frozenset[str]

    @classmethod
    def of(cls, role: str, database: Database, tables: Sequence[Table]) -> Side:
        """Look which of the tables are there."""
        existing = frozenset(database.estimates())
        return cls(
            role=role,
            database=database,
            inspector=inspect(database),
            existing=existing,
            names=names_on(database, tables, existing),
        )

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the chosen tables, by the names that they have there."""
        return {name: label for label, name in self.names.items()}


def listed(names: Sequence[str], shown: int = 5) -> str:
    """ "a, b and 3 more"."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more:,} more" if more > 0 else "")
