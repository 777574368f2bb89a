"""Which worker is at which chunk of a run: claimed, kept by a heartbeat, taken over when that ends.

1. A worker claims a waiting chunk by a conditional UPDATE; of two, one finds no row to update.
2. Its heartbeat is written with the progress, twice a second.
3. A chunk whose heartbeat is older than a lease may be claimed by anybody.  What its worker did is
   undone by the destination, or deleted by who comes after it (`copy_chunk`).
4. A worker marks a chunk as done only as long as it holds it; a late one learns that it doesn't.
5. Processes that only take part claim chunks that nobody has tried before.  What they give up is
   tried next by the one that leads the run, which decides what becomes of it.

Heartbeats are those of the control database's clock, since the workers may be on several machines.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from itertools import chain

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet, Sum

from migrations_ui.engine.databases.base import KeyRange
from migrations_ui.engine.errors import Suspended
from migrations_ui.health_models import ControlClock
from migrations_ui.models import Chunk, Run, TableCopy
from migrations_ui.ticker import patiently

WAITING, COPYING, DONE = Chunk.Status.WAITING, Chunk.Status.COPYING, Chunk.Status.DONE


class LeaseLost(Suspended):
    """Another worker has taken over what this one was at, because it was silent for too long."""


def lease() -> timedelta:
    """How long a worker may be silent before another one takes over what it holds."""
    return timedelta(seconds=settings.CUTOVER_LEASE)


def of_run(run_id: int) -> QuerySet[Chunk]:
    """The chunks of a run."""
    return Chunk.objects.filter(table__run=run_id)


@patiently
def claim(run_id: int, holder: str, *, leads: bool) -> Chunk | None:
    """A chunk that is this worker's from now on; None when there is none to take just now."""
    ways = (_given_up, _next_waiting, _abandoned) if leads else (_next_waiting, _abandoned)
    for chunk in chain.from_iterable(way(run_id) for way in ways):
        mine = Chunk.objects.filter(
            pk=chunk.pk, status=chunk.status, holder=chunk.holder, attempts=chunk.attempts
        ).update(
            status=COPYING,
            holder=holder,
            heartbeat_at=ControlClock(),
            attempts=F("attempts") + 1,
            copied_rows=0,
            rejected_rows=0,
        )
        if mine:
            return chunk
    return None


def untried(run_id: int) -> QuerySet[Chunk]:
    """The chunks that wait, and that nobody has begun with."""
    return of_run(run_id).filter(status=WAITING, attempts=0)


def _given_up(run_id: int) -> Iterable[Chunk]:
    """A few of those that a worker has begun with and left."""
    return of_run(run_id).filter(status=WAITING, attempts__gt=0)[:5]


def _next_waiting(run_id: int) -> Iterable[Chunk]:
    """The first untried chunks of the table with the fewest workers, and of these the longest.

    By all of its chunks, not by those that are left: who has begun with a table goes on with it, so
    that its indexes can be built while others are loaded.
    """
    tables = (
        of_run(run_id)
        .values("table")
        .annotate(
            total=Sum("size"),
            waiting=Count("pk", filter=Q(status=WAITING, attempts=0)),
            workers=Count("pk", filter=Q(status=COPYING)),
        )
        .filter(waiting__gt=0)
        .order_by("workers", "-total", "table")
    )
    found = tables.first()
    if found is None:
        return []
    # A few, for those that another process takes in this moment.
    return untried(run_id).filter(table=found["table"]).order_by("position")[:5]


def _abandoned(run_id: int) -> QuerySet[Chunk]:
    return of_run(run_id).filter(status=COPYING, heartbeat_at__lt=ControlClock() - lease())


def held_by_others(run_id: int, holder: str) -> QuerySet[Chunk]:
    """The chunks that other workers are at, or were when they fell silent."""
    return of_run(run_id).filter(status=COPYING).exclude(holder=holder)


@patiently
def others_at_work(run_id: int, holder: str) -> bool:
    """Whether other workers are at some chunk and give signs of life."""
    return (
        held_by_others(run_id, holder).filter(heartbeat_at__gte=ControlClock() - lease()).exists()
    )


def at_work(run_id: int) -> int:
    """How many workers are at the run's chunks."""
    alive = of_run(run_id).filter(status=COPYING, heartbeat_at__gte=ControlClock() - lease())
    return alive.values("holder").distinct().count()


def keep(holder: str, known: Collection[int]) -> None:
    """Write the heartbeat of all that this worker holds, and knows of.

    Of a claim whose answer got lost with the connection it does not know; that chunk is given to
    whoever comes, when its lease ends.
    """
    held = Chunk.objects.filter(pk__in=known, holder=holder, status=COPYING)
    held.update(heartbeat_at=ControlClock())


def holds(pk: int, holder: str) -> bool:
    """Whether a chunk is still this worker's."""
    return Chunk.objects.filter(pk=pk, holder=holder, status=COPYING).exists()


def done(pk: int, holder: str, rows: int, rejected: int) -> bool:
    """Mark a chunk as done; False when somebody else has taken it over.

    The holder stays, so that it can be marked again by one that did not hear that it is.
    """
    found = Chunk.objects.filter(pk=pk, holder=holder, status__in=(COPYING, DONE))
    if not found.update(status=DONE, copied_rows=rows, rejected_rows=rejected):
        return False
    Run.objects.filter(tables__chunks=pk).update(takeovers=0)
    return True


@patiently
def give_up(pk: int, holder: str) -> None:
    """Let somebody else have it: what was written of it is undone."""
    Chunk.objects.filter(pk=pk, holder=holder, status=COPYING).update(
        status=WAITING, copied_rows=0, rejected_rows=0, holder=""
    )


@patiently
def set_aside(run_id: int, pk: int, holder: str, limit: int) -> bool:
    """Count one more row of a chunk as set aside, if so many of the run may be.

    The run's own row is written first, whatever there is to write: so one process at a time counts,
    on every vendor of control database.
    """
    with transaction.atomic():
        Run.objects.filter(pk=run_id).update(reject_limit=F("reject_limit"))
        taken = of_run(run_id).aggregate(rows=Sum("rejected_rows", default=0))["rows"]
        if taken >= limit:
            return False
        mine = Chunk.objects.filter(pk=pk, holder=holder, status=COPYING)
        if not mine.update(rejected_rows=F("rejected_rows") + 1):
            raise LeaseLost("Another worker has taken over the chunk.")
        return True


@patiently
def give_back(pk: int, holder: str) -> None:
    """No row of a chunk is set aside any more: what was done of it is undone."""
    Chunk.objects.filter(pk=pk, holder=holder, status=COPYING).update(rejected_rows=0)


@patiently
def release(run_id: int) -> None:
    """Nobody is at the chunks of a run any more: their rows were not committed, or are undone."""
    left = of_run(run_id).filter(status=COPYING)
    tables = set(left.values_list("table", flat=True))
    left.update(status=WAITING, copied_rows=0, rejected_rows=0, holder="")
    for table in TableCopy.objects.filter(pk__in=tables):
        sum_up(table)


def sum_up(table: TableCopy, **only: str) -> None:
    """Let a table have the rows of its chunks, if it is still as `only` says."""
    TableCopy.objects.filter(pk=table.pk, **only).update(
        **table.chunks.aggregate(
            copied_rows=Sum("copied_rows", default=0),
            rejected_rows=Sum("rejected_rows", default=0),
        )
    )


def reset(chunks: QuerySet[Chunk]) -> None:
    """Nothing of these is in the destination any more."""
    chunks.update(status=WAITING, copied_rows=0, rejected_rows=0, holder="", attempts=0)


def key_range(kept: dict[str, list[str] | None] | None) -> KeyRange | None:
    """A range as JSON keeps it, as the engine has it."""
    if kept is None:
        return None
    columns, after, upto = (kept[name] for name in ("columns", "after", "upto"))
    return KeyRange(
        tuple(columns or ()), tuple(after) if after else None, tuple(upto) if upto else None
    )
