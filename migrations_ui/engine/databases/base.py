"""What every vendor's module provides: facts, reading, loading, and the few named operations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

from migrations_ui.engine.databases.access import Config
from migrations_ui.engine.errors import ServerError
from migrations_ui.engine.kinds import Kind

# Bytes that a reader collects before it hands them on.
BLOCK = 256 * 1024
# Rows that a reader fetches first, before it knows how large they are, and at most.
FIRST_ROWS = 100
MOST_ROWS = 2_000
ORPHAN_SAMPLES = 5


@dataclass(frozen=True)
class Server:
    """A database as it may be shown: never a password."""

    vendor: str
    product: str  # "PostgreSQL 15.4"
    version: tuple[int, ...]
    name: str  # the database's name; for SQLite the file's base name
    host: str  # "db.example.org:5432"; for SQLite the folder
    identity: str  # equal for two connections if and only if they reach the same database


@dataclass(frozen=True)
class Column:
    """A column as the database really has it."""

    name: str
    type: str  # the vendor's own name of the type, in lower case, with its length
    storage: Kind | None  # None where no kind fits
    nullable: bool
    generated: bool = False
    scale: int | None = None  # decimals: digits after the point
    # Decimals: digits; datetimes and times: digits of the fraction; floats: bits of the mantissa.
    precision: int | None = None
    length: int | None = None  # characters
    charset: str = ""
    has_default: bool = False
    collation: str = ""  # MySQL's, which decides what is unique
    unsigned: bool = False


class TypedColumn(NamedTuple):
    """A column of one side, the kind in which its values cross, and a declared transform.

    `digits` is how many digits of a second the transform "truncate-microseconds" leaves.
    """

    kind: Kind
    column: Column
    transform: str = ""
    digits: int = 6


def kept(column: TypedColumn) -> tuple[int, str]:
    """What "truncate-microseconds" leaves of a canonical text, and zeros for the rest."""
    whole = len("HH:MM:SS") if column.kind is Kind.TIME else len("YYYY-MM-DD HH:MM:SS")
    if not column.digits:
        return whole, ".000000"
    return whole + 1 + column.digits, "0" * (6 - column.digits)


class RowFilter(NamedTuple):
    """Leaves out rows whose columns have no match in the parent; a NULL needs none."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class ForeignKey:
    """A foreign-key constraint as the database has it; `definition` puts it back."""

    table: str
    name: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    definition: str = ""


class KeySequence(NamedTuple):
    """What hands out the keys of a table: its column and the next value."""

    column: str
    next_value: int


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


class Database(ABC):
    """One connection to a source or a destination, used by one thread at a time.

    Every failure of the server surfaces as `ServerError`, of a row as `RowRefused`, of connecting
    as `Unreachable`.
    """

    vendor: ClassVar[str]
    quote_mark: ClassVar[str] = '"'
    max_name_length: ClassVar[int]
    # Foreign keys are dropped for the load and put back, instead of not looked at meanwhile.
    drops_foreign_keys: ClassVar[bool] = False
    # Decimals are declared without their digits; reading refuses those that the scale has no room
    # for, so that none is cut.
    refuses_digits: ClassVar[bool] = False
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

    @abstractmethod
    def connect(self) -> Any:
        """A new connection of the driver, or `Unreachable`."""

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
            raise ServerError(f"{self.label}: {message} (in: {doing})") from error

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

    # -- Facts ------------------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """How messages name this database."""
        return f"{self.vendor} database {self.config['NAME']}"

    @abstractmethod
    def server(self) -> Server:
        """What and where it is."""

    @abstractmethod
    def estimates(self) -> dict[str, int | None]:
        """All tables, with about how many rows each has (None where nothing is known), cheaply."""

    @abstractmethod
    def columns(self, tables: Iterable[str]) -> dict[str, dict[str, Column]]:
        """The columns of each of the tables, in their order, by name."""

    @abstractmethod
    def foreign_keys(self, tables: Iterable[str]) -> list[ForeignKey]:
        """Foreign keys that start or end at one of the tables."""

    @abstractmethod
    def sequences(self, tables: Iterable[str]) -> dict[str, KeySequence]:
        """For each of the tables that hands out its keys: the column and the next key."""

    def count(self, table: str, filters: Sequence[RowFilter] = ()) -> int:
        """The exact number of rows that the filters leave."""
        where = self.where(table, filters)
        return int(self.query(f"SELECT COUNT(*) FROM {self.quote(table)}{where}")[0][0])

    def where(self, table: str, filters: Sequence[RowFilter]) -> str:
        """SQL for the rows that the filters leave."""
        conditions = [self._has_parent(table, found) for found in filters]
        return f" WHERE {' AND '.join(conditions)}" if conditions else ""

    def _has_parent(self, table: str, found: RowFilter) -> str:
        columns = [f"{self.quote(table)}.{self.quote(name)}" for name in found.columns]
        parents = [f"p.{self.quote(name)}" for name in found.parent_columns]
        missing = " OR ".join(f"{name} IS NULL" for name in columns)
        match = " AND ".join(f"{p} = {c}" for p, c in zip(parents, columns, strict=True))
        parent = self.quote(found.parent)
        return f"({missing} OR EXISTS (SELECT 1 FROM {parent} p WHERE {match}))"

    def max_key(self, table: str, column: str) -> int | None:
        """The largest key; None for an empty table."""
        value = self.query(f"SELECT MAX({self.quote(column)}) FROM {self.quote(table)}")[0][0]
        return None if value is None else int(value)

    def orphans(self, key: ForeignKey) -> tuple[int, list[str]]:
        """How many rows lead nowhere by this foreign key, and a few of the values."""
        child = [f"c.{self.quote(name)}" for name in key.columns]
        parent = [f"p.{self.quote(name)}" for name in key.parent_columns]
        joined = " AND ".join(f"{a} = {b}" for a, b in zip(child, parent, strict=True))
        present = " AND ".join(f"{name} IS NOT NULL" for name in child)
        source = (
            f"FROM {self.quote(key.table)} c LEFT JOIN {self.quote(key.parent)} p ON {joined} "
            f"WHERE {present} AND {parent[0]} IS NULL"
        )
        rows = self.query(f"SELECT DISTINCT {', '.join(child)} {source} LIMIT {ORPHAN_SAMPLES}")
        if not rows:
            return 0, []
        count = int(self.query(f"SELECT COUNT(*) {source}")[0][0])
        return count, [", ".join(str(value) for value in row) for row in rows]

    # -- Changing the destination -----------------------------------------------------------------

    @abstractmethod
    def prepare_load(self, *, check_foreign_keys: bool = False) -> None:
        """Set this session up for loading: strict, and not looking at foreign keys by default.

        Where `drops_foreign_keys` it looks at all that are there.
        """

    @abstractmethod
    def wipe(self, tables: Sequence[str]) -> None:
        """Remove every row of the tables, whose foreign keys are out of the way already."""

    @abstractmethod
    def set_next_key(self, table: str, column: str, value: int) -> None:
        """Let the table hand out `value` as its next key."""

    def drop_foreign_key(self, key: ForeignKey) -> None:
        """Take a foreign key off, where `drops_foreign_keys`."""
        raise NotImplementedError

    def restore_foreign_key(self, key: ForeignKey) -> None:
        """Put a foreign key back and validate it; a no-op when it is there and valid.

        `ServerError` when rows violate it: it is back then for new rows, but not validated.
        """
        raise NotImplementedError

    # -- Rows -------------------------------------------------------------------------------------

    @abstractmethod
    def read(
        self,
        table: str,
        columns: Sequence[TypedColumn],
        write: Write,
        filters: Sequence[RowFilter] = (),
    ) -> None:
        """Write the table's rows as canonical rows, transformed, in blocks of whole rows."""

    @abstractmethod
    def load(self, table: str, columns: Sequence[TypedColumn], rows: bytes) -> None:
        """Load a batch of canonical rows inside the open transaction: all of them, unaltered.

        `RowRefused` where the server refuses a row or would alter it; the transaction must be
        rolled back then.
        """
