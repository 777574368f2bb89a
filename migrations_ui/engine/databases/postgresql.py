"""PostgreSQL: COPY in both directions, foreign keys dropped for the load and put back."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg2

from migrations_ui.engine.databases import base
from migrations_ui.engine.databases.access import read_only as read_only_config
from migrations_ui.engine.databases.base import Column, ForeignKey, KeySequence, Server, TypedColumn
from migrations_ui.engine.errors import RowRefused, ServerError, Unreachable
from migrations_ui.engine.kinds import NULL, Kind

MINIMUM_VERSION = (12,)

STORAGES = {
    "int2": Kind.INTEGER,
    "int4": Kind.INTEGER,
    "int8": Kind.INTEGER,
    "bool": Kind.BOOLEAN,
    "numeric": Kind.DECIMAL,
    "float4": Kind.FLOAT,
    "float8": Kind.FLOAT,
    "varchar": Kind.TEXT,
    "bpchar": Kind.TEXT,
    "text": Kind.TEXT,
    "bytea": Kind.BINARY,
    "date": Kind.DATE,
    "time": Kind.TIME,
    "timestamp": Kind.DATETIME,
    "timestamptz": Kind.DATETIME,
    "interval": Kind.DURATION,
    "uuid": Kind.UUID,
    "json": Kind.JSON,
    "jsonb": Kind.JSON,
    "inet": Kind.IP,
}

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

# COPY escapes these three as well; a canonical row has them as they are.
COPY_ESCAPES = {b"\\b": b"\b", b"\\f": b"\f", b"\\v": b"\v"}
COPY_ESCAPE = re.compile(rb"\\[\\bfv]")

COPY_CONTEXT = re.compile(
    r"COPY .*?, line (\d+)(?:, column ([^:]+?)(?::|$| null input))?", re.DOTALL
)

# Datetimes outside these years have no six-digit form that other vendors share; they are written
# in PostgreSQL's own words (`infinity`, `0044-03-15 BC`), which another vendor then refuses.
DATETIME = (
    "CASE WHEN {0} >= '0001-01-01' AND {0} < '10000-01-01' "
    "THEN to_char({0}, 'YYYY-MM-DD HH24:MI:SS.US') ELSE {0}::text END"
)
# A table as Django spells it: its name, or `"schema"."table"` where it is not in the search path.
NAME = (
    "CASE WHEN pg_table_is_visible({0}.oid) THEN {0}.relname::text"
    ' ELSE format(\'"%%s"."%%s"\', {0}.relnamespace::regnamespace, {0}.relname) END'
)
# Months have no fixed length, so an interval with months is written in PostgreSQL's own words.
DURATION = (
    "CASE WHEN extract(year from {0}) = 0 AND extract(month from {0}) = 0 THEN "
    "(extract(day from {0})::numeric * 86400000000 + extract(hour from {0})::numeric * 3600000000 "
    "+ extract(minute from {0})::numeric * 60000000 "
    "+ extract(microseconds from {0})::numeric)::bigint::text ELSE {0}::text END"
)
EXPRESSIONS = {
    Kind.BOOLEAN: "{0}::int",
    Kind.BINARY: "encode({0}, 'hex')",
    Kind.TIME: "to_char({0}, 'HH24:MI:SS.US')",
    Kind.DATETIME: DATETIME,
    Kind.DURATION: DURATION,
    Kind.UUID: "translate({0}::text, '-', '')",
}


class Database(base.Database):
    """A PostgreSQL database, in the schemas of the connection's search path."""

    vendor = "postgresql"
    max_name_length = 63
    drops_foreign_keys = True
    driver_error = psycopg2.Error

    def connect(self) -> Any:
        """Connect; the session formats values the same way whatever the server's settings are."""
        config = read_only_config(self.config) if self.read_only else self.config
        options = {k: v for k, v in config["OPTIONS"].items() if k not in DJANGO_OPTIONS}
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
        except psycopg2.Error as error:
            raise Unreachable(unreachable(self.config, error)) from error
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('DateStyle', 'ISO, YMD', false),"
                " set_config('IntervalStyle', 'postgres', false),"
                " set_config('TimeZone', %s, false), set_config('extra_float_digits', '1', false),"
                " set_config('bytea_output', 'hex', false),"
                " set_config('statement_timeout', '0', false),"
                " set_config('lock_timeout', '30s', false),"
                " set_config('idle_in_transaction_session_timeout', '0', false)",
                [self.time_zone],
            )
        return connection

    def quote(self, name: str) -> str:
        """As Django does: a name that is quoted already (`"schema"."table"`) stays."""
        return name if name.startswith('"') and name.endswith('"') else super().quote(name)

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
            except ServerError:
                continue
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

    def columns(self, tables: Iterable[str]) -> dict[str, dict[str, Column]]:
        quoted = {self.quote(name): name for name in tables}
        found: dict[str, dict[str, Column]] = {}
        for table, *facts in self.query(
            "SELECT n, attname, typname, format_type(t.oid, atttypmod), NOT attnotnull,"
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

    # -- Changing the destination -----------------------------------------------------------------

    def prepare_load(self) -> None:
        self.execute("SET synchronous_commit = off")

    def wipe(self, tables: Sequence[str]) -> None:
        if tables:
            self.execute(f"TRUNCATE {self.quoted(tables)}")

    def set_next_key(self, table: str, column: str, value: int) -> None:
        self.query(
            "SELECT setval(pg_get_serial_sequence(%s, %s), %s, false)",
            [self.quote(table), column, value],
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
        if not present:
            self.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {key.definition} NOT VALID")
        self.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")

    # -- Rows -------------------------------------------------------------------------------------

    def read(self, table: str, columns: Sequence[TypedColumn], write: base.Write) -> None:
        select = ", ".join(self.expression(column) for column in columns)
        sql = f"COPY (SELECT {select} FROM {self.quote(table)}) TO STDOUT"
        sink = BlockWriter(write)
        with self.errors_of(sql):
            self.connection.cursor().copy_expert(sql, sink)
        sink.flush()

    def expression(self, column: TypedColumn) -> str:
        """SQL for the column's canonical text; COPY does the escaping."""
        return EXPRESSIONS.get(column.kind, "{0}").format(self.quote(column.column.name))

    def load(self, table: str, columns: Sequence[TypedColumn], rows: bytes) -> None:
        names = self.quoted(column.column.name for column in columns)
        sql = f"COPY {self.quote(table)} ({names}) FROM STDIN"
        cursor = self.connection.cursor()
        try:
            cursor.copy_expert(sql, io.BytesIO(adapted(rows, columns)), 1 << 20)
        except psycopg2.Error as error:
            raise refusal(error) from error
        if cursor.rowcount != (sent := rows.count(b"\n")):
            raise RowRefused(f"The server says that it took {cursor.rowcount:,} of {sent:,} rows.")


class BlockWriter:
    """The file that COPY TO writes to, a row at a time: whole rows out, in blocks."""

    def __init__(self, write: base.Write) -> None:
        self._write = write
        self._rows: list[bytes] = []
        self._size = 0

    def write(self, row: bytes) -> None:
        """Take one row."""
        self._rows.append(row)
        self._size += len(row)
        if self._size >= base.BLOCK:
            self.flush()

    def flush(self) -> None:
        """Hand on what has come together."""
        if self._rows:
            self._write(canonical(b"".join(self._rows)))
            self._rows.clear()
            self._size = 0


def canonical(block: bytes) -> bytes:
    """COPY's text as canonical rows: without its escapes for backspace, form feed, vertical tab."""
    if any(escape in block for escape in COPY_ESCAPES):
        return COPY_ESCAPE.sub(lambda m: COPY_ESCAPES.get(m.group(), m.group()), block)
    return block


def adapted(rows: bytes, columns: Sequence[TypedColumn]) -> bytes:
    """Canonical rows as COPY FROM takes them: bytea and interval have their own input syntax."""
    inputs = {
        index: INPUTS[kind]
        for index, (kind, column) in enumerate(columns)
        if kind in INPUTS and column.storage is kind
    }
    if not inputs:
        return rows
    lines = []
    for line in rows.split(b"\n")[:-1]:
        values = line.split(b"\t")
        for index, convert in inputs.items():
            if values[index] != NULL:
                values[index] = convert(values[index])
        lines.append(b"\t".join(values))
    lines.append(b"")
    return b"\n".join(lines)


def bytea(value: bytes) -> bytes:
    """Hex digits as the input of bytea, its backslash escaped for COPY."""
    return b"\\\\x" + value


def interval(value: bytes) -> bytes:
    """Microseconds as the input of interval: in days and the rest, as Django has it written."""
    try:
        days, rest = divmod(int(value), DAY)
    except ValueError:
        return value
    return b"%d days %d microseconds" % (days, rest)


DAY = 86_400_000_000
INPUTS = {Kind.BINARY: bytea, Kind.DURATION: interval}


def refusal(error: psycopg2.Error) -> RowRefused:
    """The server's refusal of a COPY: its message, the line and the column that it names."""
    diagnosis = error.diag
    context = COPY_CONTEXT.search(diagnosis.context or "")
    message = ". ".join(
        part for part in (diagnosis.message_primary, diagnosis.message_detail) if part
    )
    return RowRefused(
        message or str(error).strip(),
        line=int(context[1]) if context else None,
        column=(diagnosis.column_name or (context[2] if context else "") or "").strip('"'),
    )


def make_column(
    name: str,
    typname: str,
    full_type: str,
    nullable: bool,
    generated: bool,
    modifier: int,
    has_default: bool,
) -> Column:
    """A row of pg_attribute as a column; the modifier holds length, precision and scale."""
    sized = modifier >= 4
    numeric = typname == "numeric" and sized
    text = typname in {"varchar", "bpchar"} and sized
    timed = typname in {"time", "timestamp", "timestamptz", "interval"}
    return Column(
        name=name,
        type=full_type,
        storage=STORAGES.get(typname),
        nullable=nullable,
        generated=generated,
        precision=(modifier - 4) >> 16
        if numeric
        else (6 if modifier < 0 else modifier & 0xFFFF)
        if timed
        else None,
        scale=(modifier - 4) & 0x7FF if numeric else None,
        length=modifier - 4 if text else None,
        has_default=has_default,
    )


def unreachable(config: dict[str, Any], error: Exception) -> str:
    """Why the server can't be reached, in its own words but without a credential."""
    where = f"{config.get('HOST') or 'local socket'}:{config.get('PORT') or 5432}"
    message = " ".join(str(error).split()) or type(error).__name__
    if password := config.get("PASSWORD"):
        message = message.replace(str(password), "***")
    return (
        f"PostgreSQL database {config['NAME']} at {where} can't be reached: {message}. "
        "Check that the server runs, the address and the credentials."
    )
