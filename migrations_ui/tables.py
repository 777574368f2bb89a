"""What the tables page shows: the tables with their counts on both sides, cheaply.

Exact counts are made by a worker and kept in the control database; a page only ever looks them up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Q, QuerySet
from django.utils import timezone

from migrations_ui.engine.catalog import Table
from migrations_ui.engine.databases.access import Config
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.naming import names_on
from migrations_ui.health_models import ControlClock
from migrations_ui.models import CountRequest, TableCount
from migrations_ui.sides import Side, endpoints, host_tables
from migrations_ui.ticker import Ticker

# For so long a request for counts is taken to wait for a worker.
PATIENCE = timedelta(minutes=10)
# A worker that counts and has been silent for so long has died.
SILENCE = timedelta(seconds=60)


class Count(NamedTuple):
    """An exact count that was kept."""

    rows: int
    counted_at: datetime


Counts = Mapping[tuple[str, str], Count]  # by the database's identity and the table's name


@dataclass(frozen=True)
class TableRow:
    """A table with its rows on both sides; `exact` is False for an estimate, None is unknown."""

    label: str
    app_label: str
    app_name: str
    name: str
    table: str
    source_rows: int | None
    source_exact: bool
    dest_rows: int | None
    dest_exact: bool
    references: tuple[str, ...]
    referenced_by: tuple[str, ...]
    left_out: str = ""
    problem: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether both sides are known to have no rows of it."""
        return self.source_exact and self.dest_exact and not (self.source_rows or self.dest_rows)

    @property
    def difference(self) -> int | None:
        """Destination minus source, where both are exact."""
        if self.source_rows is None or self.dest_rows is None:
            return None
        exact = self.source_exact and self.dest_exact
        return self.dest_rows - self.source_rows if exact else None


@dataclass(frozen=True)
class TablesPage:
    """Both sides and all tables; `counting` while a worker makes exact counts."""

    source: Side
    dest: Side
    rows: tuple[TableRow, ...]
    counted_at: datetime | None
    counting: bool
    count_error: str  # why the last request for counts failed, or nothing


@dataclass(frozen=True)
class Glance:
    """A quick look at one database: what it is, which tables it has, about how many rows."""

    side: Side
    estimates: Mapping[str, int | None]
    names: Mapping[str, str]  # the tables' names by label

    def rows(self, table: Table, counts: Counts) -> tuple[int | None, bool]:
        """The rows of a table, and whether the number is exact."""
        name = self.names.get(table.label)
        if name is None:
            return None, False
        if counted := counts.get((self.side.identity, name)):
            return counted.rows, True
        return self.estimates.get(name), False


def tables_page(*, reverse: bool = False) -> TablesPage:
    """The tables page, from catalog statistics and kept counts: no table is scanned."""
    tables = host_tables()
    source, dest = glances(tables, reverse=reverse)
    counts = kept_counts(source, dest)
    referring = catalog_referring(tables)
    rows = tuple(make_row(table, source, dest, counts, referring) for table in tables)
    return TablesPage(
        source=source.side,
        dest=dest.side,
        rows=rows,
        counted_at=min((count.counted_at for count in counts.values()), default=None),
        counting=is_counting(oldest_count(tables, source, dest, counts)),
        count_error=getattr(CountRequest.objects.first(), "error", ""),
    )


def glances(tables: Sequence[Table], *, reverse: bool) -> tuple[Glance, Glance]:
    """Look at both databases; one that can't be reached says so on its side."""
    ends = endpoints(reverse=reverse)
    return (
        glance("source", ends.source, ends.open_source, tables),
        glance("dest", ends.dest, ends.open_dest, tables),
    )


def glance(
    role: str, config: Config, connect: Callable[[], Database], tables: Sequence[Table]
) -> Glance:
    """Look at one database."""
    try:
        with connect() as database:
            side = Side.of(role, database.server())
            estimates = database.estimates()
            return Glance(side, estimates, names_on(database, tables, estimates.keys()))
    except EngineError as error:
        return Glance(Side.unknown(role, config, str(error)), {}, {})


def make_row(
    table: Table,
    source: Glance,
    dest: Glance,
    counts: Counts,
    referring: Mapping[str, Sequence[str]],
) -> TableRow:
    """One row of the page."""
    source_rows, source_exact = source.rows(table, counts)
    dest_rows, dest_exact = dest.rows(table, counts)
    missing = [
        word
        for word, side in (("source", source), ("destination", dest))
        if table.label not in side.names and not side.side.error
    ]
    return TableRow(
        label=table.label,
        app_label=table.app_label,
        app_name=table.app_name,
        name=table.name,
        table=dest.names.get(table.label, table.names[0]),
        source_rows=source_rows,
        source_exact=source_exact,
        dest_rows=dest_rows,
        dest_exact=dest_exact,
        references=tuple(sorted(table.references - {table.label})),
        referenced_by=tuple(referring.get(table.label, ())),
        left_out=table.left_out,
        problem=f"missing in the {' and in the '.join(missing)}" if missing else "",
    )


def catalog_referring(tables: Sequence[Table]) -> dict[str, list[str]]:
    """For each label, the labels of the other tables that refer to it."""
    found: dict[str, list[str]] = {}
    for table in tables:
        for label in table.references - {table.label}:
            found.setdefault(label, []).append(table.label)
    return found


def kept_counts(source: Glance, dest: Glance) -> Counts:
    """The exact counts that were kept for the two databases."""
    identities = {source.side.identity, dest.side.identity} - {""}
    kept = TableCount.objects.filter(database__in=identities)
    return {
        (database, table): Count(rows, counted_at)
        for database, table, rows, counted_at in kept.values_list(
            "database", "table", "rows", "counted_at"
        )
    }


def oldest_count(
    tables: Sequence[Table], source: Glance, dest: Glance, counts: Counts
) -> datetime | None:
    """When the oldest of the tables' exact counts was made; None where one is missing."""
    times = []
    for side in (source, dest):
        for name in (side.names[table.label] for table in tables if table.label in side.names):
            if (side.side.identity, name) not in counts:
                return None
            times.append(counts[side.side.identity, name].counted_at)
    return min(times, default=None)


def is_counting(counted_at: datetime | None) -> bool:
    """Whether a worker has been asked for newer counts than these, and has not finished.

    An older request has been overtaken, by a command or another worker: nobody waits for it.
    """
    pending = pending_counts()
    return (pending.filter(requested_at__gt=counted_at) if counted_at else pending).exists()


def pending_counts() -> QuerySet[CountRequest]:
    """Requests that a worker may still answer; one that it took down with it is forgotten."""
    waits = Q(heartbeat_at=None, requested_at__gt=timezone.now() - PATIENCE)
    counted = Q(heartbeat_at__gt=ControlClock() - SILENCE)
    return CountRequest.objects.filter(waits | counted, finished_at=None)


@contextmanager
def being_counted(request_id: int) -> Iterator[None]:
    """Let pages know that a worker is at a request for counts, for as long as it lives."""
    request = CountRequest.objects.filter(pk=request_id)
    request.update(heartbeat_at=ControlClock())
    ticker = Ticker(lambda: request.update(heartbeat_at=ControlClock()))
    ticker.start()
    try:
        yield
    finally:
        ticker.end()
