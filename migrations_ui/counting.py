"""Exact counts, made outside the pages and kept in the control database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

from django.db import connection
from django.utils import timezone

from migrations_ui.engine.catalog import Table
from migrations_ui.engine.crew import one_of
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import EngineError, ServerError
from migrations_ui.engine.naming import names_on
from migrations_ui.models import CountRequest, TableCount
from migrations_ui.sides import Ends, available_cores, chosen_tables, endpoints

AT_ONCE = 200  # rows that are written in one statement


def answer(request_id: int) -> None:
    """Make the counts that were asked for; an error is kept for the page to show."""
    request = CountRequest.objects.get(pk=request_id)
    try:
        count_exactly(chosen_tables(request.labels), endpoints(reverse=request.reverse))
    except Exception as error:
        request.error = str(error)
        raise
    finally:
        request.finished_at = timezone.now()
        request.save()


def count_exactly(tables: Sequence[Table], ends: Ends) -> None:
    """Count the tables on both sides and keep the numbers; one side may fail alone."""
    errors = [
        error
        for connect in (ends.open_source, ends.open_dest)
        if (error := _count_side(connect, tables))
    ]
    if errors:
        passing = all(error.transient for error in errors)
        raise ServerError(" ".join(map(str, errors)), transient=passing)


def _count_side(
    connect: Callable[[], AbstractContextManager[Database]], tables: Sequence[Table]
) -> EngineError | None:
    try:
        with connect() as database:
            identity = database.server().identity
            names = list(names_on(database, tables).values())
            sizes = database.sizes(names)
        names.sort(key=lambda name: -sizes.get(name, 0))
        keep(identity, dict(_counts(connect, names)))
    except EngineError as error:
        return error
    return None


def _counts(
    connect: Callable[[], AbstractContextManager[Database]], names: Sequence[str]
) -> Iterator[tuple[str, int]]:
    """The tables' rows, counted by several workers, each over a connection of its own."""
    claim = one_of(names)

    def count() -> list[tuple[str, int]]:
        with connect() as database:
            return [(name, database.count(name)) for name in iter(claim, None)]

    size = min(available_cores(), len(names))
    with ThreadPoolExecutor(max(1, size)) as workers:
        for counted in [workers.submit(count) for _ in range(size)]:
            yield from counted.result()


def keep(identity: str, counts: Mapping[str, int]) -> None:
    """Keep exact counts of a database's tables, by name."""
    now = timezone.now()
    found = [
        TableCount(database=identity, table=table, rows=rows, counted_at=now)
        for table, rows in counts.items()
    ]
    # MySQL finds out by itself by which key a row is there already.
    by_key = connection.features.supports_update_conflicts_with_target
    TableCount.objects.bulk_create(
        found,
        batch_size=AT_ONCE,
        update_conflicts=True,
        update_fields=["rows", "counted_at"],
        unique_fields=["database", "table"] if by_key else None,
    )
