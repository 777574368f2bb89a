"""Where to cut a table of MySQL or MariaDB, without reading a row: by the optimizer's estimates.

For a range of a key the optimizer looks at both its ends in the index, and estimates the rows
between from the pages that it passes on its way down (an "index dive").  What it says is wrong by a
factor, in MariaDB 10.11 about two, but by much the same one for all ranges of a size.  So ranges
are halved until each is small, whatever gaps there are between the keys, and are put together to
equal shares of the whole.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence

from migrations_ui.engine.databases import base
from migrations_ui.engine.databases.base import Column
from migrations_ui.engine.kinds import Kind

# Ranges that one EXPLAIN is about.
AT_ONCE = 100
# Rows of a range that is spread over enough pages for them to say how many there are.
LEAST = 10_000
# A range is small enough when the optimizer sees this part of a share in it.
SMALL = 4

Range = tuple[int, int]  # the first and the last value of a key


class Cutting(base.Database, ABC):
    """Estimates for keys of one integer."""

    def estimated_cuts(
        self, table: str, key: Sequence[Column], every: int
    ) -> list[tuple[str, ...]] | None:
        if every < LEAST or len(key) > 1 or key[0].storage is not Kind.INTEGER:
            return None
        if not (index := self._index_of(table, key[0].name)):
            return None
        ((total,),) = self.query(
            "SELECT table_rows FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_name = %s",
            [table],
        )
        name = self.quote(key[0].name)
        ((first, last),) = self.query(f"SELECT MIN({name}), MAX({name}) FROM {self.quote(table)}")
        if first is None:
            return []
        where = f"FROM {self.quote(table)} FORCE INDEX ({self.quote(index)}) WHERE {name}"
        ranges = self._halved(where, (int(first), int(last)), every // SMALL)
        return shared_out(ranges, round(int(total or 0) / every))

    def _index_of(self, table: str, column: str) -> str:
        """The name of a unique index of this column alone; "" if there is none."""
        found = self.query(
            "SELECT index_name FROM information_schema.statistics "
            "WHERE table_schema = DATABASE() AND table_name = %s AND NOT non_unique "
            "GROUP BY index_name HAVING COUNT(*) = 1 AND MAX(column_name) = %s "
            "ORDER BY index_name <> 'PRIMARY' LIMIT 1",
            [table, column],
        )
        return str(found[0][0]) if found else ""

    def _halved(self, where: str, whole: Range, small: int) -> list[tuple[int, int]]:
        """Ranges in which the optimizer sees few rows: the last key of each, and the rows."""
        waiting, found = [whole], []
        while waiting:
            halves = []
            for (first, last), rows in zip(waiting, self._estimated(where, waiting), strict=True):
                if rows <= small or first == last:
                    found.append((last, rows))
                else:
                    middle = (first + last) // 2
                    halves += [(first, middle), (middle + 1, last)]
            waiting = halves
        return sorted(found)

    def _estimated(self, where: str, ranges: Sequence[Range]) -> list[int]:
        """The rows that the optimizer expects in each of the ranges."""
        found: list[int] = []
        for start in range(0, len(ranges), AT_ONCE):
            part = ranges[start : start + AT_ONCE]
            selects = [f"SELECT 1 {where} BETWEEN {first} AND {last}" for first, last in part]
            # For a SELECT alone that names its index MySQL does not dive.
            selects.append(selects[0])
            # Without a format MySQL 9 answers with a tree, in one text.
            lines = self.query(f"EXPLAIN FORMAT=TRADITIONAL {' UNION ALL '.join(selects)}")
            # One line for each SELECT, by its number; MySQL's have two columns more.
            lines = sorted(line for line in lines if line[0] is not None)
            found += [int(line[8 if len(line) == 10 else 9] or 0) for line in lines[: len(part)]]
        return found


def shared_out(ranges: Sequence[tuple[int, int]], parts: int) -> list[tuple[str, ...]]:
    """Where to cut such that each of so many parts has about the same share of the rows."""
    total = max(1, sum(rows for _, rows in ranges))
    bounds: list[tuple[str, ...]] = []
    before = passed = 0
    for last, rows in ranges[:-1]:
        before += rows
        if before * parts // total > passed:
            passed = before * parts // total
            bounds.append((str(last),))
    return bounds
