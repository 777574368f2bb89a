"""A table read in ranges of a key: a whole block in one statement, where nothing in it is odd.

Nearly all values of a table are of their column's kind and need no look at each.  So SQLite writes
a block of rows as one text, plainly, with marks where a cell and a row end and where a NULL is, and
the marks are counted afterwards.  What can't be written plainly gets the mark of a NULL.  A text
may hold the bytes that are our marks, but then there are more of them than there should be.  If
there are just as many, the block is right; if not, its rows are read again, exactly, each value by
its type.  Nearly all of the time is spent inside SQLite, so that other threads can work meanwhile.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from migrations_ui.engine.databases import base
from migrations_ui.engine.databases.base import KeyRange, Rows, TypedColumn
from migrations_ui.engine.databases.sqlite.reading import (
    COLUMNS_AT_ONCE,
    block,
    expression,
    integers,
    own,
    register_functions,
    rounded,
    slices,
    text_of,
)
from migrations_ui.engine.databases.sqlite.rowids import rowid_of
from migrations_ui.engine.errors import ServerError
from migrations_ui.engine.kinds import ESCAPES, Kind

# Control characters that hardly any text holds: the ends of a cell and of a row, and a NULL.
CELL, ROW, NULL = "\x1f", "\x1e", "\x1a"
MARKS = f"{CELL}{ROW}{NULL}".encode()
ENDS = bytes.maketrans(f"{CELL}{ROW}".encode(), b"\t\n")
# Bytes of a block at most, so that rows which are suddenly wide don't fill the memory.
LARGEST = 16 * base.BLOCK
WHOLE_NUMBERS = (Kind.INTEGER, Kind.BOOLEAN, Kind.DURATION)


class TooLarge(Exception):
    """Rows, or one of them, that don't fit into a block."""


class Walk:
    """A way through a table in blocks of rows that fit into the memory, by ranges of a key."""

    def __init__(self, database: base.Database, connection: sqlite3.Connection, table: str) -> None:
        self.database = database
        self.connection = connection
        self.table = table
        self.at_once = base.FIRST_ROWS

    def by_rowid(self) -> tuple[str, ...]:
        """The rowid as a key to walk by; nothing for a table that has none."""
        name = rowid_of(self.database, self.connection, self.table)
        return (name,) if name else ()

    def cut(self, keys: KeyRange) -> tuple[str, ...] | None:
        """Where a block ends that begins with the range; None if the range is not longer."""
        bounds = ", ".join(
            f"CAST(quote({self.database.column(self.table, name)}) AS BLOB)"
            for name in keys.columns
        )
        rows = self.database.from_(self.table, Rows(keys=keys, order=keys.columns))
        sql = f"SELECT {bounds} FROM {rows} LIMIT 1 OFFSET {self.at_once - 1}"
        with self.database.errors_of(sql):
            found = self.connection.execute(sql).fetchone()
        upto = tuple(literal.decode() for literal in found) if found else None
        return None if upto == keys.after else upto

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """No value may be larger than `LARGEST`; `TooLarge` if one is."""
        before = self.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
        try:
            yield
        except ServerError as error:
            if isinstance(error.__cause__, sqlite3.DataError):
                raise TooLarge from error
            raise
        finally:
            self.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, before)

    def has_read(self, rows: int, size: int) -> None:
        """So many rows took so many bytes: as many follow as make up a block."""
        self.at_once = max(1, min(base.MOST_ROWS, base.BLOCK * rows // max(1, size)))


class Reader(Walk):
    """Reads one table through a connection of its own."""

    def __init__(
        self,
        database: base.Database,
        connection: sqlite3.Connection,
        table: str,
        columns: Sequence[TypedColumn],
        write: base.Write,
    ) -> None:
        super().__init__(database, connection, table)
        self.columns = columns
        self.write = write
        connection.text_factory = bytes
        register_functions(connection)

    def read(self, rows: Rows) -> None:
        """Write these rows, all as they are at one moment."""
        self.connection.execute("BEGIN")
        names = self.walked_by(rows)
        if not names:
            self.read_exactly(rows)
            return
        after, end = (rows.keys.after, rows.keys.upto) if rows.keys else (None, None)
        while True:
            upto = self.cut(KeyRange(names, after, end))
            if not self.read_part(rows._replace(keys=KeyRange(names, after, upto or end))):
                continue
            if upto is None:
                return
            after = upto

    # -- Ranges -----------------------------------------------------------------------------------

    def walked_by(self, rows: Rows) -> tuple[str, ...]:
        """The columns by whose ranges the rows are read; none where no range would hold all."""
        if rows.listed or not is_plain(self.columns):
            return ()
        if not (rows.order or rows.keys):
            return self.by_rowid()
        names = rows.order or (rows.keys.columns if rows.keys else ())
        nullable = {facts.name: facts.nullable for _, facts, *_ in self.columns}
        if rows.keys:
            return names if names == rows.keys.columns else ()
        return () if any(nullable.get(name, True) for name in names) else names

    # -- Rows -------------------------------------------------------------------------------------

    def read_part(self, rows: Rows) -> bool:
        """Write the rows of a range, plainly if that can be; False if they are too many at once."""
        try:
            found = self.plain_block(rows)
        except TooLarge:
            if self.at_once > 1:
                self.at_once //= 2
                return False
            found = None
        if found is None:
            self.read_exactly(rows)
        elif found:
            self.write(found)
        return True

    def plain_block(self, rows: Rows) -> bytes | None:
        """The rows as one block; None where they need a closer look."""
        sql = block_sql(self.columns, self.database.quote, self.database.from_(self.table, rows))
        with self.bounded(), self.database.errors_of(sql):
            text, count, nulls = self.connection.execute(sql).fetchone()
        if not count:
            return b""
        found = canonical(text or b"", count * len(self.columns) + nulls)
        if found is not None:
            self.has_read(count, len(found))
        elif text is None or text.count(ROW.encode()) < count:  # printf gives NULL then
            raise TooLarge
        return found

    def read_exactly(self, rows: Rows) -> None:
        """Write the rows, with a look at each value."""
        quote = self.database.quote
        pieces = [
            # Of one column alone, a number would stay a number.
            "'' || " + " || x'09' || ".join(expression(column, quote) for column in part)
            for part in slices(self.columns, COLUMNS_AT_ONCE)
        ]
        sql = f"SELECT {', '.join(pieces)} FROM {self.database.from_(self.table, rows)}"
        with self.database.errors_of(sql):
            cursor = self.connection.execute(sql)
            for found in base.blocks(cursor.fetchmany, block):
                self.write(found)


def is_plain(columns: Sequence[TypedColumn]) -> bool:
    """Whether blocks are worth a try: printf takes so many arguments, transforms escape."""
    return len(columns) < COLUMNS_AT_ONCE and not any(column.transform for column in columns)


def block_sql(columns: Sequence[TypedColumn], quote: Callable[[str], str], rows: str) -> str:
    """SQL for the rows as one text with marks, their number, and the number of NULLs in them."""
    form = CELL.join(["%s"] * len(columns)) + ROW
    cells = ", ".join(f"ifnull({plain(column, quote)}, '{NULL}')" for column in columns)
    nulls = " + ".join(
        # A NULL where there can be none is one mark more than there should be.
        f"({quote(column.column.name)} IS NULL)"
        for column in columns
        if column.column.nullable
    )
    row = f"SELECT printf('{form}', {cells}) AS r, {nulls or '0'} AS n FROM {rows}"
    return f"SELECT group_concat(r, ''), count(*), sum(n) FROM ({row})"


def plain(column: TypedColumn, quote: Callable[[str], str]) -> str:
    """SQL for the column's text, neither escaped nor looked at for marks; NULL if it can't be."""
    kind, facts = column.kind, column.column
    name = quote(facts.name)
    if kind is Kind.BINARY:
        return f"CASE typeof({name}) WHEN 'blob' THEN lower(hex({name})) END"
    if kind in WHOLE_NUMBERS:
        return f"CASE typeof({name}) WHEN 'integer' THEN {name} END"
    if kind in (Kind.FLOAT, Kind.DECIMAL):
        real = f"exact_float({name})"
        if kind is Kind.DECIMAL and facts.scale is not None:
            text, is_exact = rounded(facts.scale, name)
            real = f"CASE WHEN {is_exact} THEN {text} END"
        whole = integers(facts, kind, name)
        return f"CASE typeof({name}) WHEN 'integer' THEN {whole} WHEN 'real' THEN {real} END"
    # printf would end a text at its first NUL.
    if kind is Kind.NATIVE:
        cut_short = f"typeof({name}) = 'text' AND instr({name}, char(0))"
        return f"CASE WHEN NOT ({cut_short}) THEN {own(name)} END"
    is_text = f"typeof({name}) = 'text' AND NOT instr({name}, char(0))"
    return f"CASE WHEN {is_text} THEN {text_of(kind, name)} END"


def canonical(text: bytes, marks: int) -> bytes | None:
    """A text with so many marks as canonical rows; None if it has more of them."""
    if len(text) - len(text.translate(None, MARKS)) != marks:
        return None
    for plain_form, escaped in ESCAPES.items():
        text = text.replace(plain_form, escaped)
    return text.translate(ENDS).replace(NULL.encode(), b"\\N")
