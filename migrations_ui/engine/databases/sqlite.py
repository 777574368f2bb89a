"""SQLite: rows formatted by SQL on the way out, `executemany` on the way in."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC
from decimal import Context, Decimal
from typing import Any

from django.utils.dateparse import parse_datetime, parse_time

from migrations_ui.engine.databases import base
from migrations_ui.engine.databases.access import BUSY_TIMEOUT, existing_only
from migrations_ui.engine.databases.access import read_only as read_only_config
from migrations_ui.engine.databases.base import Column, ForeignKey, KeySequence, Server, TypedColumn
from migrations_ui.engine.errors import RowRefused, ServerError, Unreachable
from migrations_ui.engine.kinds import ESCAPES, Kind

# A declared type contains one of these words; the first that matches decides.
STORAGES = (
    ("bool", Kind.BOOLEAN),
    ("int", Kind.INTEGER),
    ("char", Kind.TEXT),
    ("clob", Kind.TEXT),
    ("text", Kind.TEXT),
    ("json", Kind.TEXT),
    ("blob", Kind.BINARY),
    ("real", Kind.FLOAT),
    ("floa", Kind.FLOAT),
    ("doub", Kind.FLOAT),
    ("datetime", Kind.DATETIME),
    ("timestamp", Kind.DATETIME),
    ("date", Kind.DATE),
    ("time", Kind.TIME),
    ("decimal", Kind.DECIMAL),
    ("numeric", Kind.DECIMAL),
    ("uuid", Kind.TEXT),
    ("inet", Kind.TEXT),
)
ROWS_AT_ONCE = 2_000
# Expressions nest at most 1,000 deep, and each column of a row adds a few levels.
COLUMNS_AT_ONCE = 100
CACHE_KIB = 20_000
# SQLite keeps 15 significant digits of a number that is not an integer.
DIGITS = 15
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1


class Database(base.Database):
    """A SQLite file."""

    vendor = "sqlite"
    max_name_length = 1000
    folds_names = True
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
                "is a SQLite database; `manage.py migrate --database dest` makes a new destination."
            ) from error
        return connection

    @property
    def label(self) -> str:
        return f"SQLite file {self.config['NAME']}"

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
        try:
            return max(0, self.query(f"SELECT MAX(rowid) FROM {self.quote(table)}")[0][0] or 0)
        except ServerError:  # a table without rowid
            return None

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
                "SELECT name FROM sqlite_master WHERE type = 'table' "
                "AND upper(sql) LIKE '%AUTOINCREMENT%'"
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

    # -- Changing the destination -----------------------------------------------------------------

    def prepare_load(self) -> None:
        self.execute("PRAGMA foreign_keys = OFF")
        self.execute(f"PRAGMA cache_size = -{CACHE_KIB}")

    def wipe(self, tables: Sequence[str]) -> None:
        with self.transaction():
            for table in tables:
                self.execute(f"DELETE FROM {self.quote(table)}")

    def set_next_key(self, table: str, column: str, value: int) -> None:
        with self.transaction():
            self.connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", [table])
            self.connection.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", [table, value - 1])

    # -- Rows -------------------------------------------------------------------------------------

    def read(self, table: str, columns: Sequence[TypedColumn], write: base.Write) -> None:
        pieces = [
            " || x'09' || ".join(expression(column, self.quote) for column in part)
            for part in slices(columns, COLUMNS_AT_ONCE)
        ]
        sql = f"SELECT {', '.join(pieces)} FROM {self.quote(table)}"
        connection = self._connect()
        connection.text_factory = bytes
        refused: list[RowRefused] = []
        register_functions(connection, refused)
        try:
            with self.errors_of(sql):
                cursor = connection.execute(sql)
                while rows := cursor.fetchmany(ROWS_AT_ONCE):
                    write(b"".join([b"\t".join(row) + b"\n" for row in rows]))
        except ServerError as error:
            raise (refused[0] if refused else error) from None
        finally:
            connection.close()

    def load(self, table: str, columns: Sequence[TypedColumn], rows: bytes) -> None:
        forms = [
            "replace(?, '.000000', '')" if kind in (Kind.DATETIME, Kind.TIME) else "?"
            for kind, _ in columns
        ]
        names = self.quoted(column.column.name for column in columns)
        sql = f"INSERT INTO {self.quote(table)} ({names}) VALUES ({', '.join(forms)})"
        batch = Batch(rows, columns)
        cursor = self.connection.cursor()
        try:
            cursor.executemany(sql, batch)
        except (sqlite3.Error, ValueError, OverflowError) as error:
            raise RowRefused(str(error), line=batch.line, column=batch.column) from error
        if cursor.rowcount != batch.line:
            raise RowRefused(f"SQLite took {cursor.rowcount:,} of {batch.line:,} rows.")


class Batch:
    """Canonical rows as parameters for `executemany`; knows at which row it is.

    Numbers go as text where the column's affinity makes the same number of it, and as numbers where
    SQLite's own reading would lose something.
    """

    def __init__(self, rows: bytes, columns: Sequence[TypedColumn]) -> None:
        self.line = 0
        self.column = ""
        self._rows = rows
        self._converters = [
            (index, column.column.name, convert)
            for index, column in enumerate(columns)
            if (convert := converter(column))
        ]

    def __iter__(self) -> Iterator[list[Any]]:
        for line in self._rows.split(b"\n")[:-1]:
            self.line += 1
            text = line.decode()
            values: list[Any] = text.split("\t")
            if "\\" in text:
                values = [unescape(value) for value in values]
            for index, name, convert in self._converters:
                if values[index] is not None:
                    self.column = name
                    values[index] = convert(values[index])
            self.column = ""
            yield values


def unescape(value: str) -> str | None:
    """`kinds.unescape`, for text."""
    if "\\" not in value:
        return value
    if value == "\\N":
        return None
    parts = value.split("\\\\")
    return "\\".join(
        part.replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r") for part in parts
    )


def converter(column: TypedColumn) -> Callable[[str], Any] | None:
    """What turns a value's text into a parameter that SQLite keeps unaltered; None: nothing."""
    kind, facts = column
    if kind is Kind.BINARY:
        return bytes.fromhex
    if kind is Kind.FLOAT:
        return real
    if kind in (Kind.INTEGER, Kind.DURATION) and facts.type.startswith("bigint"):
        return integer
    if kind is Kind.DECIMAL and (facts.precision is None or facts.precision > DIGITS):
        return decimal
    return None


def real(text: str) -> float:
    """A double; SQLite would silently store NaN as NULL."""
    value = float(text)
    if value != value:
        raise ValueError("SQLite can't hold NaN: it would become NULL")
    return value


def integer(text: str) -> int | str:
    """An integer of 64 bits; SQLite would silently turn a larger one into a float."""
    try:
        value = int(text)
    except ValueError:
        return text
    if not MIN_INTEGER <= value <= MAX_INTEGER:
        raise ValueError(f"{text} does not fit into SQLite's 64-bit integer")
    return value


def decimal(text: str) -> str:
    """A decimal that SQLite keeps: an integer of 64 bits, or at most 15 significant digits."""
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(f"SQLite can't hold the decimal {text}")
    whole = value == value.to_integral_value() and MIN_INTEGER <= value <= MAX_INTEGER
    if not whole and len(value.normalize().as_tuple().digits) > DIGITS:
        raise ValueError(f"SQLite keeps {DIGITS} significant digits, and {text} has more")
    return text


# -- Reading --------------------------------------------------------------------------------------


def expression(column: TypedColumn, quote: Callable[[str], str]) -> str:
    """SQL for the column's canonical text, escaped, with NULL as `\\N`.

    A column holds values of any type, whatever it was declared as.  What is not of the column's
    kind is passed on exactly, for the destination to refuse.
    """
    kind, facts = column
    name = quote(facts.name)
    if kind is Kind.BINARY:
        return f"CASE typeof({name}) WHEN 'null' THEN '\\N' ELSE lower(hex({name})) END"
    return (
        f"CASE typeof({name}) WHEN 'null' THEN '\\N' "
        f"WHEN 'integer' THEN {integers(facts, kind, name)} "
        f"WHEN 'real' THEN {reals(facts, kind, name)} ELSE {texts(kind, name)} END"
    )


def integers(facts: Column, kind: Kind, name: str) -> str:
    """SQL for an integer in the column."""
    if kind is Kind.DECIMAL and facts.scale:
        return f"{name} || '.{'0' * facts.scale}'"
    return name


def reals(facts: Column, kind: Kind, name: str) -> str:
    """SQL for a float in the column; SQLite's own text of it has 15 digits only."""
    if kind is not Kind.DECIMAL or facts.scale is None:
        return f"exact_float({name})"
    text = f"printf('%.{facts.scale}f', {name})"
    column = facts.name.replace("'", "''")
    return (
        f"CASE WHEN CAST({text} AS REAL) = {name} THEN {text} "
        f"ELSE exact_decimal({name}, {facts.scale}, '{column}', rowid) END"
    )


def texts(kind: Kind, name: str) -> str:
    """SQL for a text in the column."""
    if kind is Kind.UUID:
        return escaped(f"lower(replace({name}, '-', ''))")
    if kind is Kind.DATETIME:
        return timed(name, 19, 26, "exact_datetime")
    if kind is Kind.TIME:
        return timed(name, 8, 15, "exact_time")
    return escaped(name)


def timed(name: str, short: int, long: int, function: str) -> str:
    """SQL for a date and time: Django leaves the fraction out where it is zero."""
    return (
        f"CASE length({name}) WHEN {short} THEN {name} || '.000000' WHEN {long} THEN {name} "
        f"ELSE {escaped(f'{function}({name})')} END"
    )


def escaped(sql: str) -> str:
    """SQL that escapes a text."""
    for plain, escaped_form in ESCAPES.items():
        sql = f"replace({sql}, x'{plain.hex()}', x'{escaped_form.hex()}')"
    return sql


def register_functions(connection: sqlite3.Connection, refused: list[RowRefused]) -> None:
    """The rare values that SQL can't format exactly; a value that can't be written is `refused`."""

    def exact_decimal(value: float, scale: int, column: str, rowid: int) -> str:
        rounded = Context(prec=DIGITS).create_decimal_from_float(value)
        if -rounded.normalize().as_tuple().exponent > scale:  # type: ignore[operator]
            refused.append(
                RowRefused(
                    f"row {rowid}: {value!r} has more than {scale} digits after the point",
                    column=column,
                )
            )
            raise ValueError
        return f"{rounded:.{scale}f}"

    connection.create_function("exact_float", 1, repr, deterministic=True)
    connection.create_function("exact_decimal", 4, exact_decimal, deterministic=True)
    connection.create_function("exact_datetime", 1, exact_datetime, deterministic=True)
    connection.create_function("exact_time", 1, exact_time, deterministic=True)


def exact_datetime(text: str) -> str:
    """A datetime in a form that Django accepts, in ours; anything else as it is."""
    try:
        value = parse_datetime(text)
    except ValueError:
        return text
    if value is None:
        return text
    if value.tzinfo:
        value = value.astimezone(UTC)
    return value.replace(tzinfo=None).isoformat(" ", "microseconds")


def exact_time(text: str) -> str:
    """A time in a form that Django accepts, in ours; anything else as it is."""
    try:
        value = parse_time(text)
    except ValueError:
        return text
    return text if value is None or value.tzinfo else value.isoformat("microseconds")


def slices(columns: Sequence[TypedColumn], size: int) -> Iterator[Sequence[TypedColumn]]:
    """The columns, `size` at a time."""
    return (columns[start : start + size] for start in range(0, len(columns), size))


def make_column(
    name: str, declared: str, not_null: int, hidden: int, default: str | None
) -> Column:
    """A row of pragma_table_xinfo as a column."""
    declared = declared.lower()
    numbers = [
        int(part)
        for part in declared.partition("(")[2].rstrip(")").split(",")
        if part.strip().isdigit()
    ]
    storage = next((kind for word, kind in STORAGES if word in declared), None)
    is_decimal = storage is Kind.DECIMAL
    return Column(
        name=name,
        type=declared,
        storage=storage,
        nullable=not not_null,
        generated=hidden in (2, 3),
        precision=numbers[0]
        if is_decimal and numbers
        else 6
        if storage in (Kind.DATETIME, Kind.TIME)
        else None,
        scale=(numbers + [0, 0])[1] if is_decimal and numbers else None,
        length=numbers[0] if storage is Kind.TEXT and numbers else None,
        has_default=default is not None,
    )
