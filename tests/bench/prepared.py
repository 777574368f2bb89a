"""A source's rows in files that both PostgreSQL's COPY and MariaDB's LOAD DATA read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from dashboard.demo.filling import line_text
from tests.bench.ground import opened, tables
from tests.bench.stock import Place

BATCH = 10_000


@dataclass(frozen=True)
class File:
    """A table's rows; `size` is in bytes."""

    table: str
    columns: tuple[str, ...]
    path: Path
    rows: int
    size: int


def prepare(source: Place, folder: Path) -> list[File]:
    """Write every table's rows, readable for the servers' own accounts."""
    folder.mkdir(mode=0o755)
    with opened(source) as connection:
        return [write(connection, table, folder / table) for table in tables(connection)]


def write(connection: BaseDatabaseWrapper, table: str, path: Path) -> File:
    rows = 0
    with connection.cursor() as cursor, path.open("w", encoding="utf-8", newline="") as file:
        names = [
            column.name for column in connection.introspection.get_table_description(cursor, table)
        ]
        for batch in pages(connection, table, names):
            file.writelines("\t".join(map(text, row)) + "\n" for row in batch)
            rows += len(batch)
    path.chmod(0o644)
    return File(table, tuple(names), path, rows, path.stat().st_size)


def pages(
    connection: BaseDatabaseWrapper, table: str, names: list[str]
) -> Iterator[list[tuple[Any, ...]]]:
    """The table's rows in the order of its key, which stands first."""
    key, after = names[0], None
    with connection.cursor() as cursor:
        while True:
            where = "" if after is None else f"WHERE {key} > %s"
            cursor.execute(
                f"SELECT {', '.join(names)} FROM {table} {where} ORDER BY {key} LIMIT {BATCH}",
                [] if after is None else [after],
            )
            if not (batch := cursor.fetchall()):
                return
            yield batch
            after = batch[-1][0]


def text(value: Any) -> str:
    """A driver's value as both loaders read it."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, datetime):
        return str(value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value)
    return line_text(value)
