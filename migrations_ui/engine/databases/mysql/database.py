"""MySQL and MariaDB: a streamed SELECT that the server formats, LOAD DATA LOCAL from a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import MySQLdb
import MySQLdb.cursors

from migrations_ui.engine.databases import base
from migrations_ui.engine.databases.access import hurry
from migrations_ui.engine.databases.access import read_only as read_only_config
from migrations_ui.engine.databases.base import (
    Column,
    ForeignKey,
    KeySequence,
    Rows,
    Server,
    TypedColumn,
)
from migrations_ui.engine.databases.mysql.columns import make_column
from migrations_ui.engine.databases.mysql.cutting import Cutting
from migrations_ui.engine.databases.mysql.indexing import Indexing
from migrations_ui.engine.databases.mysql.loading import Loading
from migrations_ui.engine.databases.mysql.positions import Positions
from migrations_ui.engine.databases.mysql.rows import (
    NoRow,
    RowForm,
    key_literal,
    literal_of,
    text,
    transformed,
)
from migrations_ui.engine.databases.mysql.sessions import OWN
from migrations_ui.engine.databases.mysql.settled import SETTINGS
from migrations_ui.engine.errors import ServerError, Unreachable
from migrations_ui.engine.kinds import Kind

MINIMUM_VERSIONS = {"MySQL": (8, 0), "MariaDB": (10, 5)}


# Options of Django's configuration that are not the driver's.
DJANGO_OPTIONS = {"isolation_level", "init_command", "charset", "sql_mode", "use_unicode", "conv"}


# What the short values of a row may need, which a function joins.
LEAST_PACKET = 1 << 20


LOADING_MODE = (
    "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO"
)


class Database(Loading, Cutting, Indexing, Positions):
    """A MySQL or MariaDB database."""

    vendor = "mysql"
    quote_mark = "`"
    max_name_length = 64
    has_negative_zero = False  # MariaDB 10.11 gives 0 back, however -0 was written
    driver_error = MySQLdb.Error
    begin = "START TRANSACTION"

    def connect(self) -> Any:
        connection = self._connect()
        try:
            self.number = connection.thread_id()
            cursor = connection.cursor()
            cursor.execute("SELECT @@lower_case_table_names")
            self.folds_names = bool(cursor.fetchone()[0])
        except MySQLdb.Error as error:
            passing = self.is_transient(error)
            raise Unreachable(unreachable(self.config, error), transient=passing) from error
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
            passing = self.is_transient(error)
            raise Unreachable(unreachable(self.config, error), transient=passing) from error
        return connection

    def _prepare_session(self, connection: Any, init_command: str) -> None:
        """Values are formatted the same way whatever the server's settings are."""
        cursor = connection.cursor()
        if not self.read_only and init_command and "READ ONLY" not in init_command.upper():
            cursor.execute(init_command)
        access = "READ ONLY" if self.read_only else "READ WRITE"
        cursor.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, {access}")
        cursor.execute("SET NAMES utf8mb4")
        cursor.execute(SETTINGS)
        if seconds := hurry.get():
            cursor.execute(f"SET SESSION lock_wait_timeout={seconds}")
        with suppress(MySQLdb.Error):  # a cluster may have no such locks
            cursor.execute(f"SELECT GET_LOCK({OWN.format('CONNECTION_ID()')}, 0)")

    def exactly(self, sql: str) -> str:
        return f"CAST(CONVERT({sql} USING utf8mb4) AS BINARY)"

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
                "WHERE table_schema = DATABASE() "
                "AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')"
            )
        }

    def sizes(self, tables: Iterable[str]) -> dict[str, int]:
        return {
            name: int(size or 0)
            for name, size in self._about_tables(
                "SELECT table_name, data_length FROM information_schema.tables "
                "WHERE table_schema = DATABASE() AND table_name IN ({})",
                tables,
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

    def repeats(self, table: str, columns: Sequence[str]) -> bool:
        # From one value to the next is a step in the index, but all different values are a
        # temporary table, which takes longer than the rows that it spares where they are most.
        # No join: MariaDB would open every table of the database for it.
        ((values, rows),) = self.query(
            "SELECT (SELECT MAX(cardinality) FROM information_schema.statistics "
            "WHERE table_schema = DATABASE() AND table_name = %s "
            "AND column_name = %s AND seq_in_index = %s), "
            "(SELECT table_rows FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_name = %s)",
            [table, columns[-1], len(columns), table],
        )
        return values is not None and 2 * int(values) < int(rows or 0)

    def _about_tables(self, sql: str, tables: Iterable[str]) -> list[tuple[Any, ...]]:
        """Rows of a query whose `{}` stand for the list of tables."""
        names = list(tables)
        if not names:
            return []
        marks = ", ".join(["%s"] * len(names))
        lists = max(sql.count("{}"), sql.count("{0}"))
        return self.query(sql.format(marks), names * lists)

    def bound(self, column: Column) -> str:
        return literal_of(self.quote(column.name), column)

    def literal(self, column: TypedColumn, value: bytes) -> str:
        return key_literal(column, value)

    # -- Changing the destination -----------------------------------------------------------------

    def prepare_load(self, *, check_foreign_keys: bool = False) -> None:
        # unique_checks stays on: without it MariaDB's bulk insert loses rows and reports success.
        self.execute(
            f"SET SESSION sql_mode='{LOADING_MODE}', foreign_key_checks={int(check_foreign_keys)}"
        )

    def wipe(self, tables: Sequence[str]) -> None:
        for table in tables:
            self.execute(f"TRUNCATE TABLE {self.quote(table)}")

    def list_keys(self, table: str, key: Sequence[str]) -> str:
        # A key of its own, which a server may ask of every table (sql_require_primary_key): the
        # destination's collation may hold two of the source's keys equal.
        self.execute(
            "CREATE TEMPORARY TABLE cutover_listed (cutover_row bigint AUTO_INCREMENT PRIMARY KEY) "
            f"SELECT {self.quoted(key)} FROM {self.quote(table)} LIMIT 0"
        )
        return "cutover_listed"

    def delete_listed(self, table: str, key: Sequence[str], listed: str) -> None:
        same = " AND ".join(f"{self.column(table, name)} = l.{self.quote(name)}" for name in key)
        name = self.quote(table)
        self.execute(f"DELETE {name} FROM {listed} l STRAIGHT_JOIN {name} ON {same}")
        self.execute(f"DROP TEMPORARY TABLE {listed}")

    def set_next_key(self, table: str, column: str, value: int) -> None:
        self.execute(f"ALTER TABLE {self.quote(table)} AUTO_INCREMENT = {int(value)}")

    # -- Rows -------------------------------------------------------------------------------------

    def read(
        self,
        table: str,
        columns: Sequence[TypedColumn],
        write: base.Write,
        rows: Rows = base.ALL_ROWS,
    ) -> None:
        packet = int(self.query("SELECT @@max_allowed_packet")[0][0])
        if packet < LEAST_PACKET:
            raise ServerError(
                f"{self.label}: max_allowed_packet is {packet:,} bytes; set it to at least "
                f"{LEAST_PACKET:,}, or the server drops values that it can't format."
            )
        form = self.row_form(columns)
        sql = f"SELECT {form.sql} FROM {self.from_(table, rows)}"
        connection = self._connect(conv={}, use_unicode=False)
        self.reading = connection.thread_id()
        with self.errors_of(sql):
            try:
                cursor = connection.cursor(MySQLdb.cursors.SSCursor)
                cursor.execute(sql)
                for found in base.blocks(cursor.fetchmany, form.block):
                    write(found)
            except NoRow:
                raise ServerError(
                    f"{self.label}: the server did not give every value of a row of {table}, "
                    "because one is too large for its max_allowed_packet, or not as its character "
                    "set has it. Raise max_allowed_packet there; if that does not help, look for "
                    "texts that CHECK TABLE or a dump complains about."
                ) from None
            finally:
                self.reading = 0
                connection.close()

    def row_form(self, columns: Sequence[TypedColumn]) -> RowForm:
        """How rows of these columns are asked for."""
        return RowForm.of(
            [
                (
                    column,
                    self.quote(column.column.name),
                    transformed(self.expression(column), column),
                )
                for column in columns
            ]
        )

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
        return text(name, facts)


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
