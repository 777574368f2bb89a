"""SQLite's secondary indexes: those that have a statement of their own."""

from __future__ import annotations

import re
import sqlite3
from abc import ABC
from collections.abc import Iterable, Sequence

from migrations_ui.engine.databases import base, indexing
from migrations_ui.engine.databases.indexing import Found, Index, Refusal
from migrations_ui.engine.errors import ServerError

# Strings, quoted names and comments, in which no mark has a meaning; and the marks.
MARK = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|[(),]",
    re.DOTALL,
)
DIRECTION = re.compile(r"\s+(?:ASC|DESC)\s*$", re.IGNORECASE)
WHERE = re.compile(r"\s*WHERE\s+", re.IGNORECASE)

# The lower byte of an error's code; the first one is for what an expression can't take.
ABOUT_ROWS = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG}


class Indexing(base.Database, ABC):
    """The part of a SQLite database that is about indexes.

    Unique constraints of a CREATE TABLE have no statement of their own and stay.
    """

    # With four indexes: about the same time for 30,000 and 100,000 rows, where a commit costs more
    # than the sorting, a third of it for 500,000 (2.0 to 2.4 s instead of 7.6 to 8.8 s).
    rebuilds_indexes_from = 50_000

    def indexes(self, tables: Iterable[str]) -> list[Found]:
        names = {table.lower(): table for table in tables}
        found = []
        for table, name, sql, unique in self.query(
            'SELECT m.tbl_name, m.name, m.sql, l."unique" FROM sqlite_master m '
            "JOIN pragma_index_list(m.tbl_name) l ON l.name = m.name "
            "WHERE m.type = 'index' AND m.sql IS NOT NULL ORDER BY m.rowid"
        ):
            if table.lower() in names:
                keys, condition = parts(sql)
                index = Index(
                    table=names[table.lower()],
                    name=name,
                    definition=sql,
                    columns=keys,
                    unique=bool(unique),
                    keys=keys if unique else (),
                    condition=condition,
                )
                found.append(Found(index, removable=self._compiles(index)))
        order = list(names.values())
        return sorted(found, key=lambda one: order.index(one.index.table))

    def _compiles(self, index: Index) -> bool:
        """Whether this connection has the functions and collations of the index.

        An application may have some of its own, as Django has.
        """
        try:
            self.query(
                f"EXPLAIN SELECT 1 FROM {self.quote(index.table)} "
                f"WHERE {index.condition or '1'} ORDER BY {', '.join(index.columns)}"
            )
        except ServerError:
            return False
        return True

    def remove_indexes(self, table: str, indexes: Sequence[Index]) -> None:
        with self.transaction():
            for index in indexes:
                self.execute(f"DROP INDEX {self.quote(index.name)}")

    def build_indexes(self, table: str, indexes: Sequence[Index]) -> list[Refusal]:
        refused = []
        with self.transaction():  # one commit for all
            for index in indexes:
                try:
                    self.execute(index.definition)
                except ServerError as error:
                    code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF
                    if code not in ABOUT_ROWS:
                        raise
                    refused.append(Refusal(index, str(error)))
        return refused

    def clash(self, index: Index) -> str:
        key = self.query(
            "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", [index.table]
        )
        return indexing.clash(self, index, [name for (name,) in key] or ["rowid"])


def parts(sql: str) -> tuple[tuple[str, ...], str]:
    """The keys of a CREATE INDEX statement, with their collations, and its condition."""
    depth, start = 0, 0
    keys = []
    for mark in MARK.finditer(sql):
        depth += {"(": 1, ")": -1}.get(mark.group(), 0)
        if mark.group() == "(" and depth == 1:
            start = mark.end()
        elif (mark.group() == "," and depth == 1) or (mark.group() == ")" and depth == 0):
            keys.append(DIRECTION.sub("", sql[start : mark.start()]).strip())
            start = mark.end()
            if depth == 0:
                break
    return tuple(keys), WHERE.sub("", sql[start:], count=1)
