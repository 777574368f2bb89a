"""Filling an empty destination with the sample, fast, in one transaction.

PostgreSQL is fed by COPY, MySQL by LOAD DATA LOCAL where the server allows it, else by INSERT.
Where a transaction can hold it, secondary indexes are built and foreign keys validated at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import StringIO
from itertools import islice
from tempfile import NamedTemporaryFile
from typing import Any, TypeVar

from django.core.management.color import no_style
from django.db import DataError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from dashboard.demo.rows import Row, Size, Value
from dashboard.demo.tables import Table, sample

BATCH = 5_000
# Told after each table: its label, its rows, the seconds that it took.
Report = Callable[[str, int, float], None]
Form = Callable[[list[Row]], str | list[Row]]
Item = TypeVar("Item")

# What the text format gives a meaning of its own.
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class NotEmpty(Exception):
    """The destination already has rows where the sample would go; nothing was touched."""


def fill(alias: str, size: Size, report: Report) -> int:
    """Fill the tables of the migrated database `alias`; how many rows that were."""
    connection = connections[alias]
    if connection.vendor == "mysql":  # what a client allows is settled when it connects
        connection.close()
        connection.settings_dict["OPTIONS"]["local_infile"] = True
    tables = list(sample(size, alias))
    refuse_unless_empty(tables, alias)
    with transaction.atomic(using=alias):
        with without_indexes(connection, tables):
            rows = sum(load(connection, table, report) for table in tables)
        set_sequences(connection, tables)
    analyze(connection, tables)
    return rows


def refuse_unless_empty(tables: Iterable[Table], alias: str) -> None:
    for table in tables:
        if table.model._base_manager.using(alias).exists():
            raise NotEmpty(
                f"{table.name} has rows already. Fill a database that was just migrated."
            )


def load(connection: BaseDatabaseWrapper, table: Table, report: Report) -> int:
    began, loaded = time.monotonic(), 0
    with connection.cursor() as cursor:
        write, form = way_in(connection, cursor)
        for batch, count in ahead((form(batch), len(batch)) for batch in batches(table.rows)):
            write(cursor, target(connection, table), batch)
            loaded += count
    report(table.model._meta.label, loaded, time.monotonic() - began)
    return loaded


def way_in(connection: BaseDatabaseWrapper, cursor: Any) -> tuple[Callable[..., None], Form]:
    """The fastest way into this database, and the form in which it takes a batch."""
    if connection.vendor == "postgresql":
        return copy_in, lines
    if connection.vendor == "mysql":
        cursor.execute("SELECT @@GLOBAL.local_infile")
        return (load_data, lines) if cursor.fetchone()[0] else (insert, list)
    return insert, list


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The items, each made in a thread while the one before it is on its way to the server."""
    iterator = iter(items)
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, iterator, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, iterator, None)
            yield item


def target(connection: BaseDatabaseWrapper, table: Table) -> str:
    quote = connection.ops.quote_name
    return f"{quote(table.name)} ({', '.join(map(quote, table.columns))})"


def insert(cursor: Any, into: str, batch: list[Row]) -> None:
    places = ", ".join(["%s"] * len(batch[0]))
    cursor.executemany(f"INSERT INTO {into} VALUES ({places})", batch)


def copy_in(cursor: Any, into: str, batch: str) -> None:
    cursor.copy_expert(f"COPY {into} FROM STDIN", StringIO(batch))


def load_data(cursor: Any, into: str, batch: str) -> None:
    """LOAD DATA LOCAL makes mere warnings of errors, so that one warning is one too many."""
    table, _, columns = into.partition(" ")
    with NamedTemporaryFile("w", encoding="utf-8", newline="") as file:
        file.write(batch)
        file.flush()
        cursor.execute(
            f"LOAD DATA LOCAL INFILE %s INTO TABLE {table} CHARACTER SET utf8mb4 {columns}",
            [file.name],
        )
    if warnings := cursor.db.connection.show_warnings():
        raise DataError(f"{table}: {warnings[0]}")


def lines(batch: list[Row]) -> str:
    """The rows in the text format that COPY and LOAD DATA have in common."""
    return "".join("\t".join(map(line_text, row)) + "\n" for row in batch)


def line_text(value: Value) -> str:
    if isinstance(value, str):
        return value.translate(ESCAPES)
    return "\\N" if value is None else str(value)


@contextmanager
def without_indexes(connection: BaseDatabaseWrapper, tables: list[Table]) -> Iterator[None]:
    """Build secondary indexes and validate foreign keys once, where that can be undone.

    MySQL commits at every change of a table; there they stay.
    """
    if connection.vendor == "mysql":
        yield
        return
    with connection.cursor() as cursor:
        statements = []
        for table in tables:
            cursor.execute(INDEXES[connection.vendor], [table.name] * 2)
            statements += cursor.fetchall()
        for drop, _ in sorted(statements):
            cursor.execute(drop)
        yield
        for _, add in sorted(statements, reverse=True):
            cursor.execute(add)


# Pairs of statements that drop an index or constraint and put it back.  Sorted, foreign keys are
# dropped before, and put back after, the unique indexes that they refer to: hence the comments.
INDEXES = {
    "postgresql": """
        SELECT
            format('/* %%s */ ALTER TABLE %%s DROP CONSTRAINT %%I',
                   contype, conrelid::regclass, conname),
            format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s',
                   conrelid::regclass, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE contype IN ('f', 'u') AND conrelid = %s::regclass
        UNION ALL
        SELECT format('/* i */ DROP INDEX %%s', indexrelid::regclass), pg_get_indexdef(indexrelid)
        FROM pg_index WHERE indrelid = %s::regclass
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
    """,
    "sqlite": """
        SELECT 'DROP INDEX "' || name || '"', sql FROM sqlite_master
        WHERE type = 'index' AND sql IS NOT NULL AND %s = tbl_name AND %s = tbl_name
    """,
}


def set_sequences(connection: BaseDatabaseWrapper, tables: list[Table]) -> None:
    """The rows brought their own keys: the next one must come after them."""
    models = [table.model for table in tables]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)


def analyze(connection: BaseDatabaseWrapper, tables: list[Table]) -> None:
    """Statistics, as a database has them that has been in use for a while."""
    word = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"{word} {connection.ops.quote_name(table.name)}")
