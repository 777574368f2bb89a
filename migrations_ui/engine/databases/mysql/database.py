"""MySQL and MariaDB: a streamed SELECT that the server formats, LOAD DATA LOCAL from a pipe."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import MySQLdb
import MySQLdb.cursors

from migrations_ui.engine.databases import base
from migrations_ui.engine.databases.access import read_only as read_only_config
from migrations_ui.engine.databases.base import (
    Column,
    ForeignKey,
    KeySequence,
    RowFilter,
    Server,
    TypedColumn,
)
from migrations_ui.engine.databases.mysql.columns import make_column
from migrations_ui.engine.databases.mysql.rows import (
    CLIENT_ERRORS,
    NOT_ABOUT_A_ROW,
    block,
    feed,
    insert_form,
    is_binary,
    is_long,
    is_text,
    literal,
    load_targets,
    refusal,
    transformed,
)
from migrations_ui.engine.errors import RowRefused, ServerError, Unreachable
from migrations_ui.engine.kinds import ESCAPES, Kind

MINIMUM_VERSIONS = {"MySQL": (8, 0), "MariaDB": (10, 5)}


# Options of Django's configuration that are not the driver's.
DJANGO_OPTIONS = {"isolation_level", "init_command", "charset", "sql_mode", "use_unicode", "conv"}


# Long values are formatted here instead of by the server, for two reasons.  MariaDB's REPLACE takes
# quadratic time: 6 s for 1 MB with 30,000 newlines.  And functions give NULL, with a mere warning,
# when their result exceeds max_allowed_packet.
SERVER_FORMATS_UP_TO = 16_384
LEAST_PACKET = 1 << 20
# Seconds that either end may wait for the other.
NET_TIMEOUT = 8 * 3600


LOADING_MODE = (
    "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO"
)


class Database(base.Database):
    """A MySQL or MariaDB database."""

    vendor = "mysql"
    quote_mark = "`"
    max_name_length = 64
    driver_error = MySQLdb.Error
    begin = "START TRANSACTION"

    def connect(self) -> Any:
        connection = self._connect()
        cursor = connection.cursor()
        cursor.execute("SELECT @@lower_case_table_names")
        self.folds_names = bool(cursor.fetchone()[0])
        return connection

    def _connect(self, **extra: Any) -> Any:
        config = read_only_config(self.config) if self.read_only else self.config
        options = {k: v for k, v in config["OPTIONS"].items() if k not in DJANGO_OPTIONS}
        host = str(config.get("HOST") or "")
        given = {
            "database": config["NAME"],
            "user": config.get("USER"),
            "password": config.get("PASSWORD"),
            "unix_socket" if host.startswith("/") else "host": host,
            "port": int(config.get("PORT") or 0),
        }
        try:
            connection = MySQLdb.connect(
                **options,
                **{name: value for name, value in given.items() if value},
                charset="utf8mb4",
                local_infile=0 if self.read_only else 1,
                autocommit=True,
                **extra,
            )
            self._prepare_session(connection, config["OPTIONS"].get("init_command", ""))
        except (MySQLdb.Error, TypeError) as error:  # TypeError: an option it doesn't know
            raise Unreachable(unreachable(self.config, error)) from error
        return connection

    def _prepare_session(self, connection: Any, init_command: str) -> None:
        """Values are formatted the same way whatever the server's settings are."""
        cursor = connection.cursor()
        if self.read_only:
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
        elif init_command and "READ ONLY" not in init_command.upper():
            cursor.execute(init_command)
        cursor.execute("SET NAMES utf8mb4")
        cursor.execute(
            f"SET SESSION sql_mode='', time_zone='+00:00', net_write_timeout={NET_TIMEOUT},"
            f" net_read_timeout={NET_TIMEOUT}, wait_timeout={NET_TIMEOUT},"
            " lock_wait_timeout=30, innodb_lock_wait_timeout=30, sql_notes=1"
        )

    # -- Facts ------------------------------------------------------------------------------------

    def server(self) -> Server:
        ((version, name, host, port, folder),) = self.query(
            "SELECT VERSION(), DATABASE(), @@hostname, @@port, @@datadir"
        )
        product = "MariaDB" if "mariadb" in version.lower() else "MySQL"
        number = version.partition("-")[0]
        parts = tuple(int(part) for part in number.split(".") if part.isdigit())
        if parts < MINIMUM_VERSIONS[product]:
            least = ".".join(str(part) for part in MINIMUM_VERSIONS[product])
            raise Unreachable(f"{product} {number} is too old; Cutover needs {least} or newer.")
        return Server(
            vendor=self.vendor,
            product=f"{product} {number}",
            version=parts,
            name=name,
            host=f"{self.config.get('HOST') or 'localhost'}:{self.config.get('PORT') or port}",
            identity=f"mysql:{host}:{port}:{folder}:{name}",
        )

    def estimates(self) -> dict[str, int | None]:
        return {
            name: None if rows is None else int(rows)
            for name, rows in self.query(
                "SELECT table_name, table_rows FROM information_schema.tables "
                "WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
            )
        }

    def columns(self, tables: Iterable[str]) -> dict[str, dict[str, Column]]:
        found: dict[str, dict[str, Column]] = {}
        for table, *facts in self._about_tables(
            "SELECT table_name, column_name, data_type, column_type, is_nullable = 'YES',"
            " extra, numeric_precision, numeric_scale, datetime_precision,"
            " character_maximum_length, character_set_name,"
            " IFNULL(column_default, 'NULL') <> 'NULL',"
            " collation_name "
            "FROM information_schema.columns WHERE table_schema = DATABASE() "
            "AND table_name IN ({}) ORDER BY table_name, ordinal_position",
            tables,
        ):
            column = make_column(*facts)
            found.setdefault(table, {})[column.name] = column
        return found

    def foreign_keys(self, tables: Iterable[str]) -> list[ForeignKey]:
        grouped: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
        for table, name, column, parent, parent_column in self._about_tables(
            "SELECT table_name, constraint_name, column_name, referenced_table_name,"
            " referenced_column_name FROM information_schema.key_column_usage "
            "WHERE table_schema = DATABASE() AND referenced_table_schema = DATABASE() "
            "AND (table_name IN ({0}) OR referenced_table_name IN ({0})) "
            "ORDER BY table_name, constraint_name, ordinal_position",
            tables,
        ):
            grouped.setdefault((table, name, parent), []).append((column, parent_column))
        return [
            ForeignKey(table, name, tuple(c for c, _ in pairs), parent, tuple(p for _, p in pairs))
            for (table, name, parent), pairs in grouped.items()
        ]

    def sequences(self, tables: Iterable[str]) -> dict[str, KeySequence]:
        # MySQL 8 answers from statistics that may be a day old unless it is told not to.
        if not self.query("SELECT VERSION() LIKE '%mariadb%'")[0][0]:
            self.execute("SET SESSION information_schema_stats_expiry = 0")
        return {
            table: KeySequence(column, int(next_value or 1))
            for table, column, next_value in self._about_tables(
                "SELECT t.table_name, column_name, t.auto_increment "
                "FROM information_schema.tables t JOIN information_schema.columns c "
                "ON c.table_schema = t.table_schema AND c.table_name = t.table_name "
                "WHERE t.table_schema = DATABASE() AND extra LIKE '%%auto_increment%%' "
                "AND t.table_name IN ({})",
                tables,
            )
        }

    def _about_tables(self, sql: str, tables: Iterable[str]) -> list[tuple[Any, ...]]:
        """Rows of a query whose `{}` stand for the list of tables."""
        names = list(tables)
        if not names:
            return []
        marks = ", ".join(["%s"] * len(names))
        lists = max(sql.count("{}"), sql.count("{0}"))
        return self.query(sql.format(marks), names * lists)

    # -- Changing the destination -----------------------------------------------------------------

    def prepare_load(self, *, check_foreign_keys: bool = False) -> None:
        # unique_checks stays on: without it MariaDB's bulk insert loses rows and reports success.
        self.execute(
            f"SET SESSION sql_mode='{LOADING_MODE}', foreign_key_checks={int(check_foreign_keys)}"
        )

    def wipe(self, tables: Sequence[str]) -> None:
        for table in tables:
            self.execute(f"TRUNCATE TABLE {self.quote(table)}")

    def set_next_key(self, table: str, column: str, value: int) -> None:
        self.execute(f"ALTER TABLE {self.quote(table)} AUTO_INCREMENT = {int(value)}")

    # -- Rows -------------------------------------------------------------------------------------

    def read(
        self,
        table: str,
        columns: Sequence[TypedColumn],
        write: base.Write,
        filters: Sequence[RowFilter] = (),
    ) -> None:
        packet = int(self.query("SELECT @@max_allowed_packet")[0][0])
        if packet < LEAST_PACKET:
            raise ServerError(
                f"{self.label}: max_allowed_packet is {packet:,} bytes; set it to at least "
                f"{LEAST_PACKET:,}, or the server drops values that it can't format."
            )
        where = self.where(table, filters)
        sql = f"SELECT {self.row_expression(columns)} FROM {self.quote(table)}{where}"
        connection = self._connect(conv={}, use_unicode=False)
        with self.errors_of(sql):
            try:
                cursor = connection.cursor(MySQLdb.cursors.SSCursor)
                cursor.execute(sql)
                for rows in base.blocks(cursor.fetchmany, block):
                    write(rows)
            finally:
                connection.close()

    def row_expression(self, columns: Sequence[TypedColumn]) -> str:
        """SQL for a whole canonical row, then for its values where they are long.

        The first column is NULL exactly where the others are to be used.
        """
        values = [transformed(self.expression(column), column) for column in columns]
        names = [self.quote(column.column.name) for column in columns]
        escaped = [
            f"IFNULL({self.escaped(value) if is_text(column) else value}, '\\\\N')"
            for value, column in zip(values, columns, strict=True)
        ]
        row = f"CONCAT_WS('\\t', {', '.join(escaped)})"
        long = [
            f"IFNULL(LENGTH({name}), 0)"
            for name, column in zip(names, columns, strict=True)
            if is_long(column.column)
        ]
        if not long:
            return row
        fits = f"{' + '.join(long)} <= {SERVER_FORMATS_UP_TO}"
        pieces = [
            f"IF({fits}, NULL, {name if is_binary(column) else value})"
            for name, value, column in zip(names, values, columns, strict=True)
        ]
        binary = "".join("1" if is_binary(column) else "0" for column in columns)
        return f"IF({fits}, {row}, NULL), '{binary}', {', '.join(pieces)}"

    def expression(self, column: TypedColumn) -> str:
        """SQL for the column's canonical text, not escaped."""
        kind, facts = column.kind, column.column
        name = self.quote(facts.name)
        if kind is Kind.BINARY:
            return f"LOWER(HEX({name}))"
        if kind is Kind.UUID and facts.storage is Kind.UUID:
            return f"REPLACE({name}, '-', '')"
        if kind is Kind.UUID:
            return f"LOWER(REPLACE({name}, '-', ''))"
        if kind in (Kind.DATETIME, Kind.TIME) and (facts.precision or 0) < 6:
            dot = "" if facts.precision else "."
            return f"CONCAT({name}, '{dot}{'0' * (6 - (facts.precision or 0))}')"
        if facts.type == "float":
            return f"CAST({name} AS DOUBLE)"  # a bare FLOAT is printed with six digits
        if facts.type.startswith("bit"):
            return f"{name} + 0"
        if facts.type == "json":
            return f"CONVERT({name} USING utf8mb4)"
        if facts.charset not in ("", "utf8mb4", "utf8mb3", "utf8", "ascii"):
            return f"CONVERT({name} USING utf8mb4)"
        return name

    @staticmethod
    def escaped(expression: str) -> str:
        """SQL that escapes a text; as bytes, because a search in characters takes twice as long."""
        sql = f"CAST({expression} AS BINARY)"
        for plain, escaped in ESCAPES.items():
            sql = f"REPLACE({sql}, {literal(plain)}, {literal(escaped)})"
        return sql

    def load(self, table: str, columns: Sequence[TypedColumn], rows: bytes) -> None:
        if self.loads_from_file:
            self._load_data(table, columns, rows)
        else:
            self._insert(table, columns, rows)

    @property
    def loads_from_file(self) -> bool:
        """Whether the server takes LOAD DATA LOCAL; else rows go by INSERT, which is slower."""
        if not hasattr(self, "_local_infile"):
            self._local_infile = bool(self.query("SELECT @@local_infile")[0][0])
        return self._local_infile

    def _load_data(self, table: str, columns: Sequence[TypedColumn], rows: bytes) -> None:
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
        finally:
            os.close(read_end)  # a feeder that still writes gets EPIPE and ends
            feeder.join()
        if warnings:
            raise self._refusal()
        if loaded != (sent := rows.count(b"\n")):
            raise RowRefused(f"The server says that it took {loaded:,} of {sent:,} rows.")

    def _refusal(self) -> RowRefused:
        """LOAD DATA turns errors into warnings even in strict mode; the first one says enough."""
        for _level, _code, message in self.query("SHOW WARNINGS LIMIT 1"):
            return refusal(message)
        return RowRefused("The server counts warnings but shows none.")

    def _insert(self, table: str, columns: Sequence[TypedColumn], rows: bytes) -> None:
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
            if values and size + len(value) > min(limit, 1 << 20):
                self._insert_statement(head, values, sent)
                sent += len(values)
                values, size = [], 0
            values.append(value)
            size += len(value) + 1
        if values:
            self._insert_statement(head, values, sent)

    def _insert_statement(self, head: bytes, values: list[bytes], before: int) -> None:
        try:
            cursor = self.connection.cursor()
            cursor.execute(head + b",".join(values))
        except MySQLdb.Error as error:
            if error.args[0] in NOT_ABOUT_A_ROW or error.args[0] in CLIENT_ERRORS:
                raise ServerError(f"{self.label}: {error.args[-1]}") from error
            raise refusal(str(error.args[-1]), before) from error
        if self.connection.warning_count():
            raise self._refusal()
        if cursor.rowcount != len(values):
            raise RowRefused(f"The server took {cursor.rowcount:,} of {len(values):,} rows.")


def unreachable(config: dict[str, Any], error: Exception) -> str:
    """Why the server can't be reached, in its own words but without a credential."""
    where = f"{config.get('HOST') or 'localhost'}:{config.get('PORT') or 3306}"
    message = str(error.args[-1]) if error.args else type(error).__name__
    if password := config.get("PASSWORD"):
        message = message.replace(str(password), "***")
    return (
        f"MySQL database {config['NAME']} at {where} can't be reached: {message}. "
        "Check that the server runs, the address and the credentials."
    )
