"""Which worker is at which chunk of a run: claimed, kept by a heartbeat, taken over when that ends.

1. A worker claims a waiting chunk by a conditional UPDATE; of two, one finds no row to update.
2. Its heartbeat is written with the progress, twice a second.
3. A chunk whose heartbeat is older than a lease may be claimed by anybody.  What its worker did is
   undone by the destination, or deleted by who comes after it (`copy_chunk`).
4. A worker marks a chunk as done only as long as it holds it; a late one learns that it doesn't.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db.models import Count, F, Q, QuerySet, Sum
from django.utils import timezone

from migrations_ui.engine.databases.base import KeyRange
from migrations_ui.models import Chunk, Run
from migrations_ui.ticker import patiently

WAITING, COPYING, DONE = Chunk.Status.WAITING, Chunk.Status.COPYING, Chunk.Status.DONE


def lease() -> timedelta:
    """How long a worker may be silent before another one takes over what it holds."""
    return timedelta(seconds=settings.CUTOVER_LEASE)


def of_run(run_id: int) -> QuerySet[Chunk]:
    """The chunks of a run."""
    return Chunk.objects.filter(table__run=run_id)


@patiently
def claim(run_id: int, holder: str) -> Chunk | None:
    """A chunk that is this worker's from now on; None when there is none to take just now."""
    for chunk in (*_next_waiting(run_id), *_abandoned(run_id)):
        mine = Chunk.objects.filter(
            pk=chunk.pk, status=chunk.status, holder=chunk.holder, attempts=chunk.attempts
        ).update(
            status=COPYING,
            holder=holder,
            heartbeat_at=timezone.now(),
            attempts=F("attempts") + 1,
            copied_rows=0,
        )
        if mine:
            return chunk
    return None


def _next_waiting(run_id: int) -> Iterable[Chunk]:
    """The first chunks of the table with the fewest workers, and of these the longest."""
    tables = (
        of_run(run_id)
        .values("table")
        .annotate(
            left=Sum("size", filter=Q(status=WAITING)),
            waiting=Count("pk", filter=Q(status=WAITING)),
            workers=Count("pk", filter=Q(status=COPYING)),
        )
        .filter(waiting__gt=0)
        .order_by("workers", "-left", "table")
    )
    found = tables.first()
    if found is None:
        return []
    # A few, for those that another process takes in this moment.
    return Chunk.objects.filter(table=found["table"], status=WAITING).order_by("position")[:5]


def _abandoned(run_id: int) -> QuerySet[Chunk]:
    return of_run(run_id).filter(status=COPYING, heartbeat_at__lt=timezone.now() - lease())


@patiently
def held_by_others(run_id: int, holder: str) -> bool:
    """Whether other workers are at some chunk, which this one may have to take over."""
    return of_run(run_id).filter(status=COPYING).exclude(holder=holder).exists()


def keep(holder: str) -> None:
    """Write the heartbeat of all that this worker holds."""
    Chunk.objects.filter(holder=holder, status=COPYING).update(heartbeat_at=timezone.now())


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
        status=WAITING, copied_rows=0, holder=""
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
