"""SQLite: rows formatted by SQL on the way out, `executemany` on the way in."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from migrations_ui.engine.databases import base
from migrations_ui.engine.databases.access import BUSY_TIMEOUT, existing_only
from migrations_ui.engine.databases.access import read_only as read_only_config
from migrations_ui.engine.databases.base import (
    Column,
    ForeignKey,
    KeySequence,
    Rows,
    Server,
    TypedColumn,
)
from migrations_ui.engine.databases.sqlite.blocks import Reader
from migrations_ui.engine.databases.sqlite.columns import make_column
from migrations_ui.engine.databases.sqlite.indexing import Indexing
from migrations_ui.engine.databases.sqlite.loading import (
    Batch,
    refused_column,
)
from migrations_ui.engine.databases.sqlite.positions import Positions
from migrations_ui.engine.databases.sqlite.reading import literal
from migrations_ui.engine.databases.sqlite.rowids import rowid_of
from migrations_ui.engine.databases.sqlite.sessions import Sessions
from migrations_ui.engine.errors import RowRefused, ServerError, Unreachable
from migrations_ui.engine.kinds import Kind

CACHE_KIB = 20_000


class Database(Indexing, Positions, Sessions):
    """A SQLite file."""

    vendor = "sqlite"
    max_name_length = 1000
    folds_names = True
    refuses_digits = True
    keeps_texts = True
    finds_by_literal = False
    has_negative_zero = False
    writes_at_once = False
    is_a_file = True
    driver_error = sqlite3.Error
    begin = "BEGIN IMMEDIATE"

    def connect(self) -> Any:
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        config = (read_only_config if self.read_only else existing_only)(self.config)
        try:
            connection = sqlite3.connect(
                config["NAME"],
                uri=True,
                timeout=config["OPTIONS"].get("timeout", BUSY_TIMEOUT),
                isolation_level=None,
                check_same_thread=False,  # one thread at a time, but not always the same
            )
            connection.execute("SELECT COUNT(*) FROM sqlite_master")
        except sqlite3.Error as error:
            raise Unreachable(
                f"The SQLite file {self.config['NAME']} can't be opened: {error}. Check that it "
                "exists, that this user may read it (and write it, for a destination), and that it "
                "is a SQLite database; `manage.py migrate --database dest` makes a new one.",
                transient=self.is_transient(error),
            ) from error
        return connection

    @property
    def label(self) -> str:
        return f"SQLite file {self.config['NAME']}"

    def exactly(self, sql: str) -> str:
        return f"CAST({sql} AS BLOB)"

    # -- Facts ------------------------------------------------------------------------------------

    def server(self) -> Server:
        path = self.config["NAME"]
        status = os.stat(path)
        return Server(
            vendor=self.vendor,
            product=f"SQLite {sqlite3.sqlite_version}",
            version=sqlite3.sqlite_version_info,
            name=os.path.basename(path),
            host=os.path.dirname(path),
            identity=f"sqlite:{status.st_dev}:{status.st_ino}",
        )

    def estimates(self) -> dict[str, int | None]:
        # Rows are rarely deleted from the end: the largest rowid is known without a scan.
        return {name: self._largest_rowid(name) for name in self._tables()}

    def _tables(self) -> list[str]:
        return [
            name
            for (name,) in self.query(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%'"
                " ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL%'"
            )
        ]

    def _largest_rowid(self, table: str) -> int | None:
        if not (name := rowid_of(self, self.connection, table)):
            return None
        return max(0, self.query(f"SELECT MAX({name}) FROM {self.quote(table)}")[0][0] or 0)

    def sizes(self, tables: Iterable[str]) -> dict[str, int]:
        # Only the file's size is known without reading it: its bytes, shared out by rows.
        rows = {name: count or 0 for name, count in self.estimates().items()}
        each = os.stat(self.config["NAME"]).st_size / max(1, sum(rows.values()))
        return {name: int(rows.get(name, 0) * each) for name in tables}

    def columns(self, tables: Iterable[str]) -> dict[str, dict[str, Column]]:
        return {
            table: {facts[0]: make_column(*facts) for facts in rows}
            for table in tables
            if (
                rows := self.query(
                    'SELECT name, type, "notnull", hidden, dflt_value FROM pragma_table_xinfo(?) '
                    "WHERE hidden IN (0, 2, 3)",
                    [table],
                )
            )
        }

    def foreign_keys(self, tables: Iterable[str]) -> list[ForeignKey]:
        wanted = {name.lower() for name in tables}
        grouped: dict[tuple[str, int, str], list[tuple[str, str]]] = {}
        for table, number, parent, column, parent_column in self.query(
            'SELECT m.name, f.id, f."table", f."from", f."to" FROM sqlite_master m '
            "JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY 1, 2, f.seq"
        ):
            if wanted & {table.lower(), parent.lower()}:
                grouped.setdefault((table, number, parent), []).append((column, parent_column))
        return [
            ForeignKey(
                table,
                f"{table}.{'+'.join(c for c, _ in pairs)}",
                tuple(c for c, _ in pairs),
                parent,
                tuple(p or self._primary_key(parent) for _, p in pairs),
            )
            for (table, _, parent), pairs in grouped.items()
        ]

    def _primary_key(self, table: str) -> str:
        return str(self.query("SELECT name FROM pragma_table_info(?) WHERE pk = 1", [table])[0][0])

    def sequences(self, tables: Iterable[str]) -> dict[str, KeySequence]:
        counting = {
            name
            for (name,) in self.query(
                # Not in quotes, where it would be a name.
                "SELECT name FROM sqlite_master WHERE type = 'table' "
                "AND upper(sql) GLOB '*[ ' || char(9, 10, 13) || ']AUTOINCREMENT*'"
            )
        }
        if not counting:
            return {}
        last = dict(self.query("SELECT name, seq FROM sqlite_sequence"))
        return {
            table: KeySequence(self._primary_key(table), last.get(table, 0) + 1)
            for table in tables
            if table in counting
        }

    def bound(self, column: Column) -> str:
        return f"quote({self.quote(column.name)})"

    def literal(self, column: TypedColumn, value: bytes) -> str:
        return literal(column, value)

    # -- Changing the destination -----------------------------------------------------------------

    def prepare_load(self, *, check_foreign_keys: bool = False) -> None:
        self.execute(f"PRAGMA foreign_keys = {'ON' if check_foreign_keys else 'OFF'}")
        self.execute(f"PRAGMA cache_size = -{CACHE_KIB}")

    def wipe(self, tables: Sequence[str]) -> None:
        with self.transaction():
            for table in tables:
                self.execute(f"DELETE FROM {self.quote(table)}")

    def list_keys(self, table: str, key: Sequence[str]) -> str:
        self.execute(
            f"CREATE TEMPORARY TABLE cutover_listed AS "
            f"SELECT {self.quoted(key)} FROM {self.quote(table)} WHERE 0"
        )
        return "cutover_listed"

    def delete_listed(self, table: str, key: Sequence[str], listed: str) -> None:
        names = self.quoted(key)
        self.execute(
            f"DELETE FROM {self.quote(table)} WHERE ({names}) IN (SELECT {names} FROM {listed})"
        )
        self.execute(f"DROP TABLE {listed}")

    def set_next_key(self, table: str, column: str, value: int) -> None:
        with self.transaction():
            self.query("DELETE FROM sqlite_sequence WHERE name = ?", [table])
            self.query("INSERT INTO sqlite_sequence VALUES (?, ?)", [table, value - 1])

    # -- Rows -------------------------------------------------------------------------------------

    def read(
        self,
        table: str,
        columns: Sequence[TypedColumn],
        write: base.Write,
        rows: Rows = base.ALL_ROWS,
    ) -> None:
        # Kept for the next table: opening the file means to parse the schema of all of them.
        self.reading = self.reading or self._connect()
        try:
            Reader(self, self.reading, table, columns, write).read(rows)
            self.reading.rollback()  # the snapshot that was read
        except BaseException:
            self.stop_reading()  # in the midst of a statement
            raise

    def load(self, table: str, columns: Sequence[TypedColumn], rows: bytes) -> int:
        forms = [
            "replace(?, '.000000', '')" if kind in (Kind.DATETIME, Kind.TIME) else "?"
            for kind, *_ in columns
        ]
        names = self.quoted(column.column.name for column in columns)
        sql = f"INSERT INTO {self.quote(table)} ({names}) VALUES ({', '.join(forms)})"
        batch = Batch(rows, columns)
        cursor = self.connection.cursor()
        try:
            cursor.executemany(sql, batch)
        except sqlite3.OperationalError as error:  # locked, or the disk is full
            raise ServerError(f"{self.label}: {error}") from error
        except (sqlite3.Error, ValueError, OverflowError) as error:
            column = batch.column or refused_column(str(error))
            raise RowRefused(str(error), line=batch.line, column=column) from error
        if cursor.rowcount != batch.line:
            raise RowRefused(f"SQLite took {cursor.rowcount:,} of {batch.line:,} rows.")
        return batch.line
