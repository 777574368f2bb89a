"""PostgreSQL: COPY in both directions, foreign keys dropped for the load and put back."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg2

from migrations_ui.engine.databases import base
from migrations_ui.engine.databases.access import read_only as read_only_config
from migrations_ui.engine.databases.base import (
    Column,
    ForeignKey,
    KeySequence,
    Rows,
    Server,
    TypedColumn,
)
from migrations_ui.engine.databases.postgresql.columns import HAS_NULLS, TAKES_NULLS, make_column
from migrations_ui.engine.databases.postgresql.cutting import Cutting
from migrations_ui.engine.databases.postgresql.indexing import Indexing
from migrations_ui.engine.databases.postgresql.positions import Positions
from migrations_ui.engine.databases.postgresql.rows import (
    BlockWriter,
    adapted,
    expression,
    is_refusal,
    literal,
    refusal,
)
from migrations_ui.engine.databases.postgresql.sessions import (
    ASKED,
    OURS,
    POOLED,
    Sessions,
    limits,
    turns_us_away,
)
from migrations_ui.engine.databases.postgresql.triggers import Triggering
from migrations_ui.engine.errors import RowRefused, ServerError, Unreachable
from migrations_ui.engine.kinds import Kind

MINIMUM_VERSION = (12,)
# A machine that has gone away without a word is noticed after a minute, not after two hours.
KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
# The temporary table of keys whose rows are to go.
LISTED = "cutover_listed"

# What tells one cluster from another: its identifier; for roles that may not see it, its address.
CLUSTER = (
    "SELECT system_identifier::text FROM pg_control_system()",
    "SELECT concat_ws('/', inet_server_addr(), inet_server_port(), pg_postmaster_start_time())",
)


# Options of Django's configuration that are not libpq's.
DJANGO_OPTIONS = {
    "isolation_level",
    "assume_role",
    "server_side_binding",
    "pool",
    "client_encoding",
}


# A table as Django spells it: its name, or `"schema"."table"` where it is not in the search path.
NAME = (
    "CASE WHEN pg_table_is_visible({0}.oid) THEN {0}.relname::text"
    ' ELSE format(\'"%%s"."%%s"\','
    " (SELECT nspname FROM pg_namespace s WHERE s.oid = {0}.relnamespace), {0}.relname) END"
)


class Database(Cutting, Indexing, Positions, Sessions, Triggering):
    """A PostgreSQL database, in the schemas of the connection's search path."""

    vendor = "postgresql"
    max_name_length = 63
    keeps_key_order = False
    validates_foreign_keys = True
    enforces_foreign_keys = True
    driver_error = psycopg2.Error

    def connect(self) -> Any:
        config = read_only_config(self.config) if self.read_only else self.config
        options = {k: v for k, v in config["OPTIONS"].items() if k not in DJANGO_OPTIONS}
        options = KEEPALIVE | options
        options["options"] = f"{options.get('options', '')} {ASKED}".strip()
        given = {
            "dbname": config["NAME"],
            "user": config.get("USER"),
            "password": config.get("PASSWORD"),
            "host": config.get("HOST"),
            "port": config.get("PORT"),
        }
        try:
            connection = psycopg2.connect(
                **options,
                **{name: value for name, value in given.items() if value},
                client_encoding="UTF8",
                application_name="cutover",
            )
            is_ours = self._prepare_session(connection)
        except psycopg2.Error as error:
            passing = self.is_transient(error) and not turns_us_away(error)
            raise Unreachable(unreachable(self.config, error), transient=passing) from error
        if not is_ours:
            connection.close()
            raise Unreachable(f"{self.label} can't be used: {POOLED}")
        return connection

    def _prepare_session(self, connection: Any) -> bool:
        """Values are formatted the same way whatever the server's settings are.

        Returns whether the session has what the connection asked for: no pooler is between.
        """
        connection.autocommit = True
        limited = limits(connection.server_version)
        limiting = [f"set_config('{name}', %s, false)" for name in limited]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('DateStyle', 'ISO, YMD', false),"
                " set_config('IntervalStyle', 'postgres', false),"
                " set_config('TimeZone', %s, false), set_config('extra_float_digits', '1', false),"
                " set_config('bytea_output', 'hex', false),"
                # A policy that hides rows from this role is an error, not a table with fewer rows.
                " set_config('row_security', 'off', false),"
                f" {', '.join(limiting)},"
                " current_setting(%s, true)",
                [self.time_zone, *limited.values(), OURS],
            )
            return bool(cursor.fetchone()[-1] == "own")

    def quote(self, name: str) -> str:
        """As Django does: a name that is quoted already (`"schema"."table"`) stays."""
        return name if name.startswith('"') and name.endswith('"') else super().quote(name)

    def exactly(self, sql: str) -> str:
        return f'({sql} COLLATE "C")'

    # -- Facts ------------------------------------------------------------------------------------

    def server(self) -> Server:
        version = self.connection.server_version
        if version // 10000 < MINIMUM_VERSION[0]:
            raise Unreachable(
                f"PostgreSQL {version // 10000} is too old; Cutover needs {MINIMUM_VERSION[0]} "
                "or newer."
            )
        ((name, oid, product),) = self.query(
            "SELECT current_database(), oid, current_setting('server_version') "
            "FROM pg_database WHERE datname = current_database()"
        )
        dsn = self.connection.get_dsn_parameters()
        return Server(
            vendor=self.vendor,
            product=f"PostgreSQL {product.split()[0]}",
            version=(version // 10000, version % 10000),
            name=name,
            host=f"{dsn.get('host') or 'local socket'}:{dsn.get('port')}",
            identity=f"postgresql:{self._cluster()}:{oid}",
        )

    def _cluster(self) -> str:
        """What tells one cluster from another, by the best means that this role may use."""
        for sql in CLUSTER:
            try:
                return str(self.query(sql)[0][0])
            except ServerError as error:
                if error.transient:
                    raise
        raise Unreachable("This role may neither see the server's identifier nor its start time.")

    def estimates(self) -> dict[str, int | None]:
        return {
            name: int(rows) if rows >= 0 else None
            for name, rows in self.query(
                f"SELECT {NAME.format('c')}, reltuples::bigint FROM pg_class c "
                "WHERE relkind IN ('r', 'p') AND relnamespace NOT IN "
                "('pg_catalog'::regnamespace, 'information_schema'::regnamespace) "
                "AND relpersistence <> 't'",
                [],
            )
        }

    def sizes(self, tables: Iterable[str]) -> dict[str, int]:
        quoted = {self.quote(name): name for name in tables}
        return {
            quoted[name]: size
            for name, size in self.query(
                "SELECT n, pg_table_size(to_regclass(n)) FROM unnest(%s::text[]) n", [list(quoted)]
            )
        }

    def columns(self, tables: Iterable[str]) -> dict[str, dict[str, Column]]:
        quoted = {self.quote(name): name for name in tables}
        found: dict[str, dict[str, Column]] = {}
        nullable = HAS_NULLS if self.read_only else TAKES_NULLS
        for table, *facts in self.query(
            f"SELECT n, attname, typname, format_type(t.oid, atttypmod), {nullable},"
            " attgenerated <> '', atttypmod, atthasdef OR attidentity <> '' "
            "FROM unnest(%s::text[]) n JOIN pg_attribute a ON a.attrelid = to_regclass(n) "
            "JOIN pg_type t ON t.oid = a.atttypid WHERE attnum > 0 AND NOT attisdropped "
            "ORDER BY n, attnum",
            [list(quoted)],
        ):
            column = make_column(*facts)
            found.setdefault(quoted[table], {})[column.name] = column
        return found

    def foreign_keys(self, tables: Iterable[str]) -> list[ForeignKey]:
        attributes = (
            "(SELECT array_agg(attname::text ORDER BY i) FROM unnest({0}) WITH ORDINALITY k(n, i)"
            " JOIN pg_attribute ON attrelid = {1} AND attnum = n)"
        )
        return [
            # A key that is not validated yet is put back as one that is.
            ForeignKey(table, name, tuple(columns), parent, tuple(parent_columns), definition)
            for table, name, columns, parent, parent_columns, definition in self.query(
                f"SELECT {NAME.format('c')}, conname, {attributes.format('conkey', 'conrelid')},"
                f" {NAME.format('p')},"
                f" {attributes.format('confkey', 'confrelid')},"
                " regexp_replace(pg_get_constraintdef(f.oid), ' NOT VALID$', '') "
                "FROM pg_constraint f JOIN pg_class c ON c.oid = conrelid "
                "JOIN pg_class p ON p.oid = confrelid WHERE contype = 'f' AND conparentid = 0 "
                "AND (conrelid = ANY(%s::regclass[]) OR confrelid = ANY(%s::regclass[])) "
                "ORDER BY c.relname, conname",
                [[self.quote(name) for name in tables]] * 2,
            )
        ]

    def sequences(self, tables: Iterable[str]) -> dict[str, KeySequence]:
        found = {}
        for table, column, sequence, increment in self.query(
            "SELECT n, attname, d.objid::regclass::text, seqincrement FROM unnest(%s::text[]) n "
            "JOIN pg_depend d ON refobjid = to_regclass(n) AND deptype IN ('a', 'i')"
            " AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass "
            "JOIN pg_sequence ON seqrelid = d.objid "
            "JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid",
            [quoted := [self.quote(name) for name in tables]],
        ):
            last, called = self.query(f"SELECT last_value, is_called FROM {sequence}")[0]
            name = next(t for t, q in zip(tables, quoted, strict=True) if q == table)
            found[name] = KeySequence(column, last + increment if called else last)
        return found

    def bound(self, column: Column) -> str:
        text = f"{self.quote(column.name)}::text"
        return text if column.storage in (Kind.INTEGER, Kind.DECIMAL) else f"quote_literal({text})"

    def literal(self, column: TypedColumn, value: bytes) -> str:
        return literal(column, value)

    # -- Changing the destination -----------------------------------------------------------------

    def prepare_load(self, *, check_foreign_keys: bool = False) -> None:
        # What is noted down as done must be there after a crash, whatever the server's default is.
        self.execute("SET synchronous_commit = local")

    def wipe(self, tables: Sequence[str]) -> None:
        if tables:
            names = [self.quote(table) for table in tables]
            # What inherits from a table was not chosen; a partitioned one is its partitions.
            whole = self._partitioned(names)
            self.execute(f"TRUNCATE {', '.join(n if n in whole else f'ONLY {n}' for n in names)}")

    def _partitioned(self, quoted: Sequence[str]) -> set[str]:
        """Those of the tables that are partitioned."""
        found = self.query(
            "SELECT n FROM unnest(%s::text[]) n JOIN pg_class ON oid = n::regclass "
            "WHERE relkind = 'p'",
            [list(quoted)],
        )
        return {name for (name,) in found}

    def list_keys(self, table: str, key: Sequence[str]) -> str:
        self.execute(
            f"CREATE TEMPORARY TABLE {LISTED} AS "
            f"SELECT {self.quoted(key)} FROM {self.quote(table)} WITH NO DATA"
        )
        return LISTED

    def delete_listed(self, table: str, key: Sequence[str], listed: str) -> None:
        self.execute(f"ANALYZE {listed}")
        same = " AND ".join(f"{self.column(table, name)} = l.{self.quote(name)}" for name in key)
        self.execute(f"DELETE FROM {self.quote(table)} USING {listed} l WHERE {same}")
        self.execute(f"DROP TABLE {listed}")

    def set_next_key(self, table: str, column: str, value: int) -> None:
        # By the last key that is used up: the next one may be beyond what the sequence can say.
        last = value - 1
        self.query(
            "SELECT setval(pg_get_serial_sequence(%s, %s), %s, %s)",
            [self.quote(table), column, max(last, 1), last > 0],
        )

    def drop_foreign_key(self, key: ForeignKey) -> None:
        self.execute(
            f"ALTER TABLE {self.quote(key.table)} DROP CONSTRAINT IF EXISTS {self.quote(key.name)}"
        )

    def restore_foreign_key(self, key: ForeignKey) -> None:
        table, name = self.quote(key.table), self.quote(key.name)
        present = self.query(
            "SELECT convalidated FROM pg_constraint WHERE conrelid = %s::regclass AND conname = %s",
            [table, key.name],
        )
        if present == [(True,)]:
            return
        # Since PostgreSQL 18 a key may be there that no row is held against, ever.
        is_idle = key.definition.endswith(" NOT ENFORCED")
        if not present:
            # A partitioned table takes no key that is not valid.
            state = "" if is_idle or self._partitioned([table]) else "NOT VALID"
            self.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {key.definition} {state}")
        if not is_idle:
            self.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")

    # -- Rows -------------------------------------------------------------------------------------

    def read(
        self,
        table: str,
        columns: Sequence[TypedColumn],
        write: base.Write,
        rows: Rows = base.ALL_ROWS,
    ) -> None:
        select = ", ".join(expression(column, self.quote(column.column.name)) for column in columns)
        sql = f"COPY (SELECT {select} FROM {self.from_(table, rows)}) TO STDOUT"
        sink = BlockWriter(write)
        with self.errors_of(sql):
            self.connection.cursor().copy_expert(sql, sink)
        sink.flush()

    def load(self, table: str, columns: Sequence[TypedColumn], rows: bytes) -> int:
        names = self.quoted(column.column.name for column in columns)
        sql = f"COPY {self.quote(table)} ({names}) FROM STDIN"
        try:
            cursor = self.connection.cursor()
            cursor.copy_expert(sql, io.BytesIO(adapted(rows, columns)), 1 << 20)
        except psycopg2.Error as error:
            if is_refusal(error):
                raise refusal(error) from error
            message = f"{self.label}: {str(error).strip()}"
            raise ServerError(message, transient=self.is_transient(error)) from error
        if cursor.rowcount != (sent := rows.count(b"\n")):
            raise RowRefused(f"The server says that it took {cursor.rowcount:,} of {sent:,} rows.")
        return sent


def unreachable(config: dict[str, Any], error: Exception) -> str:
    """Why the server can't be reached, in its own words but without a credential."""
    where = f"{config.get('HOST') or 'local socket'}:{config.get('PORT') or 5432}"
    message = " ".join(str(error).split()) or type(error).__name__
    if password := config.get("PASSWORD"):
        message = message.replace(str(password), "***")
    next_step = "Check that the server runs, the address and the credentials."
    if "unsupported startup parameter" in message:
        next_step = POOLED
    return (
        f"PostgreSQL database {config['NAME']} at {where} can't be reached: {message}. {next_step}"
    )
