"""Where to cut a table of PostgreSQL: by the keys on some of its pages, read at random.

The planner's own histogram is made of such a sample, but of that day on which the table was last
analyzed.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence

from migrations_ui.engine.databases import base
from migrations_ui.engine.databases.base import Column

# Rows of each range that are looked at, on average.  A page is looked at with all its rows, which
# are often neighbours, so these are some fifty places.
SAMPLE = 4_000
# Rows of a range for which that is a tenth: from then on counting takes longer.
LEAST = 10 * SAMPLE


class Cutting(base.Database, ABC):
    """Estimates for keys of any kind."""

    def estimated_cuts(
        self, table: str, key: Sequence[Column], every: int
    ) -> list[tuple[str, ...]] | None:
        if every < LEAST:
            return None
        bounds = ", ".join(self.bound(column) for column in key)
        names = self.quoted(column.name for column in key)
        parts = f"((total + {SAMPLE // 2}) / {SAMPLE})"
        found = self.query(
            f"SELECT {bounds} FROM (SELECT {names}, count(*) OVER () AS total,"
            f" row_number() OVER (ORDER BY {names}) AS place FROM {self.quote(table)}"
            f" TABLESAMPLE SYSTEM ({100 * SAMPLE / every}) REPEATABLE (0)) sample "
            f"WHERE place * {parts} / total > (place - 1) * {parts} / total AND place < total "
            "ORDER BY place"
        )
        return [tuple(str(literal) for literal in row) for row in found]
