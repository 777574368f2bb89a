"""LOAD DATA LOCAL from a pipe, or INSERT where the server does not take that."""

from __future__ import annotations

import os
import threading
from abc import ABC
from collections.abc import Sequence

import MySQLdb

from migrations_ui.engine.databases import base
from migrations_ui.engine.databases.base import TypedColumn
from migrations_ui.engine.databases.mysql.rows import (
    ABOUT_A_ROW,
    CLIENT_ERRORS,
    NOT_ABOUT_A_ROW,
    feed,
    insert_form,
    load_targets,
    refusal,
)
from migrations_ui.engine.errors import RowRefused, ServerError
from migrations_ui.engine.kinds import is_utf8


class Loading(base.Database, ABC):
    """The loading half of a MySQL or MariaDB database."""

    def load(self, table: str, columns: Sequence[TypedColumn], rows: bytes) -> int:
        load = self._load_data if self.loads_from_file else self._insert
        return load(table, columns, rows)

    @property
    def loads_from_file(self) -> bool:
        """Whether the server takes LOAD DATA LOCAL; else rows go by INSERT, which is slower."""
        if not hasattr(self, "_local_infile"):
            self._local_infile = bool(self.query("SELECT @@local_infile")[0][0])
        return self._local_infile

    def _load_data(self, table: str, columns: Sequence[TypedColumn], rows: bytes) -> int:
        targets, settings = load_targets(columns, self.quote)
        read_end, write_end = os.pipe()
        feeder = threading.Thread(target=feed, args=(write_end, rows), daemon=True)
        sql = (
            f"LOAD DATA LOCAL INFILE '/dev/fd/{read_end}' INTO TABLE {self.quote(table)} "
            "CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' "
            f"LINES TERMINATED BY '\\n' ({', '.join(targets)})"
        )
        if settings:
            sql += f" SET {', '.join(settings)}"
        feeder.start()
        try:
            with self.errors_of(sql):
                cursor = self.connection.cursor()
                cursor.execute(sql)
                loaded, warnings = cursor.rowcount, self.connection.warning_count()
        except ServerError as error:
            if isinstance(cause := error.__cause__, MySQLdb.Error) and cause.args[0] in ABOUT_A_ROW:
                raise refusal(str(cause.args[-1])) from error
            raise
        finally:
            os.close(read_end)  # a feeder that still writes gets EPIPE and ends
            feeder.join()
        if warnings:
            raise self._refusal()
        sent = rows.count(b"\n")
        if loaded != sent:
            raise RowRefused(f"The server says that it took {loaded:,} of {sent:,} rows.")
        if not is_utf8(rows[rows.rfind(b"\n", 0, -1) + 1 :]):
            # MySQL leaves half a character at the very end out, and says nothing.
            raise RowRefused("The text is no UTF-8.", line=sent)
        return sent

    def _refusal(self) -> RowRefused:
        """LOAD DATA turns errors into warnings even in strict mode; the first one says enough."""
        for _level, _code, message in self.query("SHOW WARNINGS LIMIT 1"):
            return refusal(message)
        return RowRefused("The server counts warnings but shows none.")

    def _insert(self, table: str, columns: Sequence[TypedColumn], rows: bytes) -> int:
        """The same by INSERT, in statements that fit the server's packet."""
        names = self.quoted(column.column.name for column in columns)
        head = f"INSERT INTO {self.quote(table)} ({names}) VALUES ".encode()
        form = b"(" + b",".join(insert_form(column) for column in columns) + b")"
        limit = int(self.query("SELECT @@max_allowed_packet")[0][0]) - len(head) - 1024
        values: list[bytes] = []
        size = sent = 0
        for line in rows.split(b"\n")[:-1]:
            value = form % tuple(line.replace(b"'", b"\\'").split(b"\t"))
            value = value.replace(b"'\\N'", b"NULL")
            if len(value) > limit:  # the server would hang up
                raise RowRefused(
                    f"The row takes {len(value):,} bytes, which max_allowed_packet has no room for",
                    line=sent + len(values) + 1,
                )
            if values and size + len(value) > min(limit, 1 << 20):
                self._insert_statement(head, values, sent)
                sent += len(values)
                values, size = [], 0
            values.append(value)
            size += len(value) + 1
        if values:
            self._insert_statement(head, values, sent)
        return sent + len(values)

    def _insert_statement(self, head: bytes, values: list[bytes], before: int) -> None:
        try:
            cursor = self.connection.cursor()
            cursor.execute(head + b",".join(values))
        except MySQLdb.Error as error:
            if error.args[0] in NOT_ABOUT_A_ROW or error.args[0] in CLIENT_ERRORS:
                message = f"{self.label}: {error.args[-1]}"
                raise ServerError(message, transient=self.is_transient(error)) from error
            raise refusal(str(error.args[-1]), before) from error
        if self.connection.warning_count():
            raise self._refusal()
        if cursor.rowcount != len(values):
            raise RowRefused(f"The server took {cursor.rowcount:,} of {len(values):,} rows.")
