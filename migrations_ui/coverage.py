"""How much of the project an audit is about: how many of its tables, and which it leaves aside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from migrations_ui.engine.catalog import Table
from migrations_ui.engine.checks.sides import listed
from migrations_ui.sides import host_tables


@dataclass(frozen=True)
class Coverage:
    """The number of tables in an audit, and the project's others, of which it tells nothing."""

    number: int
    others: tuple[Table, ...]

    @classmethod
    def of(cls, labels: Iterable[str]) -> Coverage:
        """By the labels of the audit's tables; it asks no database."""
        within = set(labels)
        return cls(len(within), tuple(t for t in host_tables() if t.label not in within))

    def __str__(self) -> str:
        if self.others:
            return f"{self.number:,} of the project’s {self.total:,} tables"
        return f"all {self.total:,} tables" if self.total != 1 else "the project’s only table"

    @property
    def total(self) -> int:
        return self.number + len(self.others)

    @property
    def is_partial(self) -> bool:
        """Whether it leaves tables aside that are not left out by default."""
        return any(not table.left_out for table in self.others)

    @property
    def labels(self) -> list[str]:
        """Of the others."""
        return [table.label for table in self.others]

    @property
    def not_in_it(self) -> str:
        """The others in words, the first of them where there are many."""
        return listed(self.labels)
