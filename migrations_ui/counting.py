"""Exact counts, made outside the pages and kept in the control database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from django.utils import timezone

from migrations_ui.engine.catalog import Table
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import EngineError, ServerError
from migrations_ui.engine.layout import names_on
from migrations_ui.models import CountRequest, TableCount
from migrations_ui.sides import Ends, chosen_tables, endpoints


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
            for name in names_on(database, tables).values():
                keep(identity, name, database.count(name))
    except EngineError as error:
        return error
    return None


def keep(identity: str, table: str, rows: int) -> None:
    """Keep an exact count."""
    TableCount.objects.update_or_create(
        database=identity, table=table, defaults={"rows": rows, "counted_at": timezone.now()}
    )
