"""Looking into a SQLite file: pragmas as tables, and the text of CREATE TABLE."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Sequence

from migrations_ui.engine.databases import inspecting
from migrations_ui.engine.databases.inspecting import (
    Check,
    Index,
    Lack,
    Session,
    Settings,
    grouped_indexes,
)
from migrations_ui.engine.errors import ServerError

# Strings, quoted names, comments, parentheses and words: enough to find the checks of a table.
TOKEN = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|\[[^\]]*\]"
    r"|--[^\n]*|/\*.*?\*/|[()]|[^\W\d]\w*",
    re.DOTALL,
)
# SQLite's own collations that hold texts equal which differ: in case, in spaces at the end.
FOLDING = ("NOCASE", "RTRIM")


class Inspector(inspecting.Inspector):
    """Looks into a SQLite file."""

    enforces_types = False

    # -- The server -------------------------------------------------------------------------------

    def settings(self) -> Settings:
        refusal = self._write_refusal()
        return Settings(
            encoding=self.database.query("PRAGMA encoding")[0][0].replace("UTF-8", "UTF8"),
            collation="BINARY",
            # The second one: the journal can't be made in the file's folder.
            is_read_only=refusal in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN),
        )

    def could_write(self) -> str:
        refusal = self._write_refusal()
        return "" if refusal == sqlite3.SQLITE_READONLY else "PRAGMA user_version = …"

    def _write_refusal(self) -> int | None:
        """The error's code of a write that changes nothing and is undone; None if it was taken."""
        version = self.database.query("PRAGMA user_version")[0][0]
        with self._without_waiting():
            try:
                self.database.execute("BEGIN")
                self.database.execute(f"PRAGMA user_version = {version}")
            except ServerError as error:
                # The lower byte is the error, the others say more of it.
                return int(getattr(error.__cause__, "sqlite_errorcode", 0)) & 0xFF
            finally:
                self.database.rollback()
        return None

    def _without_waiting(self) -> NoWaiting:
        return NoWaiting(self)

    def lacks_for_reading(self, tables: Sequence[str]) -> list[Lack]:
        return []  # whoever may open the file may read it

    def lacks_for_replacing(self, tables: Sequence[str]) -> list[Lack]:
        return []  # `settings()` tells whether it may be written

    def sessions(self, tables: Sequence[str]) -> list[Session]:
        if self._write_refusal() in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return [Session("another process", is_busy=True)]
        return []

    def size(self) -> int | None:
        ((pages, free, size),) = self.database.query(
            "SELECT (SELECT * FROM pragma_page_count), (SELECT * FROM pragma_freelist_count),"
            " (SELECT * FROM pragma_page_size)"
        )
        return int(pages - free) * int(size)

    def free_space(self) -> int | None:
        path = self.database.config["NAME"]
        # What a wipe frees is used again.
        return shutil.disk_usage(os.path.dirname(path)).free + os.path.getsize(path)

    # -- The schema -------------------------------------------------------------------------------

    def indexes(self, tables: Sequence[str]) -> list[Index]:
        wanted = set(tables)
        keys = self.database.query(
            "SELECT m.name, 'PRIMARY', i.name, 1, 0, ifnull(x.coll, 'BINARY') FROM sqlite_master m "
            "JOIN pragma_table_info(m.name) i "
            # There is none of an integer that is the rowid.
            "LEFT JOIN pragma_index_list(m.name) l ON l.origin = 'pk' "
            "LEFT JOIN pragma_index_xinfo(l.name) x ON x.key AND x.cid = i.cid "
            "WHERE m.type = 'table' AND i.pk > 0 ORDER BY m.name, i.pk"
        )
        others = self.database.query(
            'SELECT m.name, l.name, x.name, l."unique", l.partial, x.coll FROM sqlite_master m '
            "JOIN pragma_index_list(m.name) l JOIN pragma_index_xinfo(l.name) x "
            "WHERE m.type = 'table' AND x.key AND l.origin <> 'pk' ORDER BY 1, 2, x.seqno"
        )
        return grouped_indexes(
            (table, name, column, bool(unique), bool(partial), *by_collation(collation.upper()))
            for table, name, column, unique, partial, collation in (*keys, *others)
            if table in wanted
        )

    def checks(self, tables: Sequence[str]) -> list[Check]:
        wanted = set(tables)
        return [
            Check(table, name, definition)
            for table, sql in self.database.query(
                "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql LIKE '%CHECK%'"
            )
            if table in wanted
            for name, definition in checks_in(sql)
        ]

    def triggers(self, tables: Sequence[str]) -> list[tuple[str, str]]:
        wanted = set(tables)
        return [
            (table, name)
            for table, name in self.database.query(
                "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger' ORDER BY 1, 2"
            )
            if table in wanted
        ]


class NoWaiting:
    """While this is entered, a lock is an error at once."""

    def __init__(self, inspector: Inspector) -> None:
        self.database = inspector.database
        self.before = 0

    def __enter__(self) -> None:
        self.before = int(self.database.query("PRAGMA busy_timeout")[0][0])
        self.database.query("PRAGMA busy_timeout = 0")

    def __exit__(self, *exception: object) -> None:
        self.database.query(f"PRAGMA busy_timeout = {self.before}")


def checks_in(sql: str) -> Iterator[tuple[str, str]]:
    """Name ("" where it has none) and expression of each check in a CREATE TABLE statement."""
    name, previous = "", ""
    depth, start = 0, None
    for token in TOKEN.finditer(sql):
        word = token.group()
        if start is None:
            if previous.upper() == "CONSTRAINT":
                name = word.strip('"`[]')
            elif word == "(" and previous.upper() == "CHECK":
                start, depth = token.end(), 1
            elif word.upper() not in ("CHECK", "CONSTRAINT"):
                name = ""
        elif word in "()":
            depth += 1 if word == "(" else -1
            if depth == 0:
                yield name, sql[start : token.start()]
                name, start = "", None
        previous = word


def by_collation(name: str) -> tuple[str, str]:
    """What an index goes by where its collation is an application's; one of SQLite's that folds."""
    if name in FOLDING:
        return "", name
    return "" if name == "BINARY" else f"the collation {name}", ""
