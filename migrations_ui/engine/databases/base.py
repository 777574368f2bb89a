"""What every vendor's module provides: facts, reading, loading, and the few named operations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, ClassVar, Self

from migrations_ui.engine.databases import filters
from migrations_ui.engine.databases.access import Config
from migrations_ui.engine.databases.facts import (
    ALL_ROWS,
    FLOAT_DIGITS,
    Column,
    ForeignKey,
    KeySequence,
    RowFilter,
    Rows,
    Server,
    TypedColumn,
    kept,
)
from migrations_ui.engine.databases.indexing import Index, IndexOperations
from migrations_ui.engine.databases.positions import PositionOperations
from migrations_ui.engine.databases.ranges import KeyList, KeyRange, conditions, listed
from migrations_ui.engine.databases.sessions import SessionOperations
from migrations_ui.engine.databases.triggers import TriggerOperations
from migrations_ui.engine.errors import ServerError

__all__ = [
    "ALL_ROWS",
    "FLOAT_DIGITS",
    "Column",
    "Database",
    "ForeignKey",
    "KeyList",
    "KeyRange",
    "KeySequence",
    "RowFilter",
    "Rows",
    "Server",
    "TypedColumn",
    "Write",
    "blocks",
    "kept",
]

# Bytes that a reader collects before it hands them on.
BLOCK = 256 * 1024
# Rows that a reader fetches first, before it knows how large they are, and at most.
FIRST_ROWS = 100
MOST_ROWS = 2_000
ORPHAN_SAMPLES = 5
Write = Callable[[bytes], object]


def blocks(
    fetch: Callable[[int], Sequence[Any]], formatted: Callable[[Sequence[Any]], bytes]
) -> Iterator[bytes]:
    """What `fetch` has, so many rows at a time, formatted: blocks of about `BLOCK` bytes.

    How many rows that is follows from those before, so that wide rows don't fill the memory.
    """
    at_once = FIRST_ROWS
    while rows := fetch(at_once):
        block = formatted(rows)
        yield block
        at_once = max(1, min(MOST_ROWS, BLOCK * len(rows) // len(block)))


class Database(IndexOperations, SessionOperations, PositionOperations, TriggerOperations, ABC):
    """One connection to a source or a destination, used by one thread at a time.

    Every failure of the server surfaces as `ServerError`, of a row as `RowRefused`, of connecting
    as `Unreachable`.
    """

    vendor: ClassVar[str]
    quote_mark: ClassVar[str] = '"'
    max_name_length: ClassVar[int]
    # Decimals are declared without their digits; reading refuses those that the scale has no room
    # for, so that none is cut.
    refuses_digits: ClassVar[bool] = False
    # To put a foreign key back is to have the server look at all rows.
    validates_foreign_keys: ClassVar[bool] = False
    # No session of an ordinary role gets around a foreign key that is there and valid.
    enforces_foreign_keys: ClassVar[bool] = False
    # Tells -0.0 from 0.0.
    has_negative_zero: ClassVar[bool] = True
    # Several transactions may write at once.
    writes_at_once: ClassVar[bool] = True
    # It is a file: other machines can't reach it.
    is_a_file: ClassVar[bool] = False
    # A column of numbers takes texts as well, and keeps them.
    keeps_texts: ClassVar[bool] = False
    # Rows lie in the order of an integer primary key: ranges of it are parts of the table.
    keeps_key_order: ClassVar[bool] = True
    # A literal of a canonical value finds every row that has the value, however it was written.
    finds_by_literal: ClassVar[bool] = True
    # Names of tables and columns that differ only in case are the same.
    folds_names: bool = False

    connection: Any
    driver_error: type[Exception]

    def __init__(self, config: Config, *, read_only: bool, time_zone: str = "UTC") -> None:
        """Connect.  `time_zone` is that of naive datetimes: UTC unless the host's USE_TZ is off."""
        self.config = config
        self.read_only = read_only
        self.time_zone = time_zone
        self.connection = self.connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; what was not committed is undone."""
        with suppress(self.driver_error):  # the server may have closed it before
            self.connection.close()

    # -- Statements -------------------------------------------------------------------------------

    def query(self, sql: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a statement that returns rows."""
        with self.errors_of(sql):
            cursor = self.connection.cursor()
            cursor.execute(sql, *([parameters] if parameters is not None else []))
            return list(cursor.fetchall())

    def execute(self, sql: str) -> None:
        """Run a statement that returns nothing of interest."""
        with self.errors_of(sql):
            self.connection.cursor().execute(sql)

    @contextmanager
    def errors_of(self, sql: str) -> Iterator[None]:
        """Turn the driver's errors into ours, which say what was being done."""
        try:
            yield
        except self.driver_error as error:
            message = " ".join(str(part) for part in error.args).strip() or type(error).__name__
            doing = " ".join(sql.split())[:120]
            raise ServerError(
                f"{self.label}: {message} (in: {doing})", transient=self.is_transient(error)
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end, undo everything on any exception."""
        self.execute(self.begin)
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            self.rollback()  # a COMMIT that SQLite refuses, too, leaves the transaction open
            raise

    begin: ClassVar[str] = "BEGIN"

    def savepoint(self) -> None:
        """What is written from here on can be undone alone."""
        self.execute("SAVEPOINT batch")

    def release_savepoint(self) -> None:
        """Keep what was written since, as far as the transaction is kept."""
        self.execute("RELEASE SAVEPOINT batch")

    def rollback_to_savepoint(self) -> None:
        """Undo what was written since the last savepoint."""
        self.execute("ROLLBACK TO SAVEPOINT batch")

    def rollback(self) -> None:
        """Undo, as far as the connection still lives."""
        try:
            self.connection.cursor().execute("ROLLBACK")
        except self.driver_error:
            self.close()  # the server undoes what a dead connection left

    def quote(self, name: str) -> str:
        """An identifier for use in a statement."""
        mark = self.quote_mark
        return f"{mark}{name.replace(mark, mark * 2)}{mark}"

    def quoted(self, names: Iterable[str]) -> str:
        """Identifiers, separated by commas."""
        return ", ".join(self.quote(name) for name in names)

    @abstractmethod
    def exactly(self, sql: str) -> str:
        """SQL for a text such that equal means the same bytes."""

    # -- Facts ------------------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """How messages name this database."""
        return f"{self.vendor} database {self.config['NAME']}"

    @abstractmethod
    def server(self) -> Server:
        """What and where it is."""

    @cached_property
    def product(self) -> str:
        """PostgreSQL, MySQL, MariaDB or SQLite."""
        return self.server().product.partition(" ")[0]

    @abstractmethod
    def estimates(self) -> dict[str, int | None]:
        """All tables, with about how many rows each has (None where nothing is known), cheaply."""

    @abstractmethod
    def sizes(self, tables: Iterable[str]) -> dict[str, int]:
        """About how many bytes each of the tables has, cheaply."""

    @abstractmethod
    def columns(self, tables: Iterable[str]) -> dict[str, dict[str, Column]]:
        """The columns of each of the tables, in their order, by name."""

    @abstractmethod
    def foreign_keys(self, tables: Iterable[str]) -> list[ForeignKey]:
        """Foreign keys that start or end at one of the tables."""

    @abstractmethod
    def sequences(self, tables: Iterable[str]) -> dict[str, KeySequence]:
        """For each of the tables that hands out its keys: the column and the next key."""

    def count(self, table: str, rows: Rows = ALL_ROWS) -> int:
        """The exact number of these rows."""
        return int(self.query(f"SELECT COUNT(*) FROM {self.from_(table, rows)}")[0][0])

    def is_empty(self, table: str) -> bool:
        return not self.query(f"SELECT 1 FROM {self.quote(table)} LIMIT 1")

    def from_(self, table: str, rows: Rows) -> str:
        """SQL for these rows, to follow a FROM."""
        found = filters.conditions(self, table, self.quote(table), rows.filters)
        if rows.keys:
            found += conditions([self.column(table, name) for name in rows.keys.columns], rows.keys)
        if rows.listed:
            found.append(listed([self.column(table, n) for n in rows.listed.columns], rows.listed))
        where = f" WHERE {' AND '.join(found)}" if found else ""
        order = ", ".join(self.column(table, name) for name in rows.order)
        return f"{self.quote(table)}{where}" + (f" ORDER BY {order}" if order else "")

    def column(self, table: str, name: str) -> str:
        """A column, qualified: its name alone may be that of another table in a subquery."""
        return f"{self.quote(table)}.{self.quote(name)}"

    def cuts(self, table: str, key: Sequence[Column], every: int) -> Iterator[tuple[str, ...]]:
        """Bounds (see `KeyRange`) that cut the table into ranges of about `every` rows.

        They hold every row, whatever was estimated; only how many are in a range is not exact.
        """
        bounds = self.estimated_cuts(table, key, every)
        yield from self.counted_cuts(table, key, every) if bounds is None else bounds

    def estimated_cuts(
        self, table: str, key: Sequence[Column], every: int
    ) -> list[tuple[str, ...]] | None:
        """The same from statistics or a sample; None where there are none for such a key or range.

        What it reads does not grow with the table, or hardly.
        """
        return None

    def counted_cuts(
        self, table: str, key: Sequence[Column], every: int
    ) -> Iterator[tuple[str, ...]]:
        """The same, exactly, by steps through the key's index, whatever its gaps: a scan of it."""
        names = tuple(column.name for column in key)
        bounds = ", ".join(self.bound(column) for column in key)
        after = None
        while True:
            rows = self.from_(table, Rows(keys=KeyRange(names, after), order=names))
            found = self.query(f"SELECT {bounds} FROM {rows} LIMIT 1 OFFSET {every - 1}")
            if not found or found[0] == after:
                return
            after = tuple(str(literal) for literal in found[0])
            yield after

    @abstractmethod
    def bound(self, column: Column) -> str:
        """SQL for a literal, in this vendor's SQL, of the column's value."""

    @abstractmethod
    def literal(self, column: TypedColumn, value: bytes) -> str:
        """A literal, in this vendor's SQL, of a canonical value that is not escaped nor NULL."""

    def max_key(self, table: str, column: str) -> int | None:
        """The largest key; None for an empty table."""
        value = self.query(f"SELECT MAX({self.quote(column)}) FROM {self.quote(table)}")[0][0]
        return None if value is None else int(value)

    def orphans(self, key: ForeignKey) -> tuple[int, list[str]]:
        """How many rows lead nowhere by this foreign key, and a few of the values."""
        table = self.quote(key.table)
        child = ", ".join(f"c.{self.quote(name)}" for name in key.columns)
        pairs = [
            (f"c.{self.quote(name)}", f"p.{self.quote(other)}")
            for name, other in zip(key.columns, key.parent_columns, strict=True)
        ]
        alone = (
            f"c LEFT JOIN {self.quote(key.parent)} p "
            f"ON {' AND '.join(f'{name} = {other}' for name, other in pairs)} "
            f"WHERE {' AND '.join(f'{name} IS NOT NULL' for name, _ in pairs)} "
            f"AND {pairs[0][1]} IS NULL"
        )
        values = table
        if self.repeats(key.table, key.columns):
            values = f"(SELECT DISTINCT {self.quoted(key.columns)} FROM {table})"
        rows = self.query(
            f"SELECT DISTINCT {child} FROM {values} {alone} ORDER BY {child} LIMIT {ORPHAN_SAMPLES}"
        )
        if not rows:
            return 0, []
        count = int(self.query(f"SELECT COUNT(*) FROM {table} {alone}")[0][0])
        return count, [", ".join(str(value) for value in row) for row in rows]

    def repeats(self, table: str, columns: Sequence[str]) -> bool:
        """Whether it pays to look each of the columns' values up once, instead of in each row."""
        return True

    # -- Changing the destination -----------------------------------------------------------------

    @abstractmethod
    def prepare_load(self, *, check_foreign_keys: bool = False) -> None:
        """Set this session up for loading: strict, and not looking at foreign keys by default.

        PostgreSQL looks at all that are there.
        """

    @abstractmethod
    def wipe(self, tables: Sequence[str]) -> None:
        """Remove every row of the tables, whose foreign keys are out of the way already."""

    def delete(self, table: str, rows: Rows) -> None:
        """Delete these rows."""
        self.execute(f"DELETE FROM {self.from_(table, rows)}")

    @abstractmethod
    def list_keys(self, table: str, key: Sequence[str]) -> str:
        """The name of a new, empty, temporary table of these columns of the table."""

    @abstractmethod
    def delete_listed(self, table: str, key: Sequence[str], listed: str) -> None:
        """Delete the rows whose keys are in the temporary table, and drop that."""

    @abstractmethod
    def set_next_key(self, table: str, column: str, value: int) -> None:
        """Let the table hand out `value` as its next key."""

    def defined(self, keys: Sequence[ForeignKey], indexes: Sequence[Index]) -> list[ForeignKey]:
        """The keys, those with their definition that go for a load without these indexes."""
        return list(keys)

    def drop_foreign_key(self, key: ForeignKey) -> None:
        """Take a foreign key that has a definition off; a no-op where it is off."""
        raise NotImplementedError

    def restore_foreign_key(self, key: ForeignKey) -> None:
        """Put a foreign key back; a no-op where it is there, and valid as far as the server looks.

        `ServerError` when rows violate it: it is there for new ones, unless in a partitioned table.
        """

    # -- Rows -------------------------------------------------------------------------------------

    @abstractmethod
    def read(
        self,
        table: str,
        columns: Sequence[TypedColumn],
        write: Write,
        rows: Rows = ALL_ROWS,
    ) -> None:
        """Write these rows as canonical rows, transformed, in blocks of whole rows."""

    @abstractmethod
    def load(self, table: str, columns: Sequence[TypedColumn], rows: bytes) -> int:
        """Load a batch of canonical rows inside the open transaction: all of them, unaltered.

        Returns how many the server says that it took.  `RowRefused` where it refuses a row or
        would alter it; the transaction must be rolled back then.
        """
