"""What an operator may ask of a run that was started, and what becomes of those nobody is on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from migrations_ui import auditing, claims, holding, steps, tasks, workers
from migrations_ui.claims import lease
from migrations_ui.execution import WORKER
from migrations_ui.health_models import ControlClock
from migrations_ui.models import Audit, Event, Run, Step, TableCopy
from migrations_ui.pace import silence
from migrations_ui.plans import Plan
from migrations_ui.sides import Refused
from migrations_ui.states import move
from migrations_ui.ticker import leaving

# Workers that may vanish in a row without a chunk getting done: then it is the run that ends them.
MOST_TAKEOVERS = 5
MOST_ROWS = 100_000_000
# After so long in the queue it is looked whether what was asked for is still there.
FORGOTTEN_AFTER = timedelta(seconds=15)

S = Run.Status


# -- What an operator asks for --------------------------------------------------------------------


def pause(run: Run, operator: str) -> None:
    """Ask a run to pause: its chunks are given up, what was taken off stays off."""
    if not move(run.pk, S.PAUSING, who=operator):
        raise Refused(f"{run} is {run.status}; only a running one can be paused.")


def resume(run: Run, operator: str) -> None:
    """Go on with a run that is paused or has ended early: only what is not done is copied.

    The worker looks first whether everything is as the run has left it.
    """
    workers.require()
    queue_again(run, operator)
    transaction.on_commit(lambda: tasks.execute_run(run.pk))


def queue_again(run: Run, operator: str) -> None:
    """The same, without a word to a worker: who calls this does it."""
    if run.changed_since:
        raise Refused(f"{run} can't be gone on with. {run.error}")
    if run.status not in Run.RESUMABLE:
        raise Refused(f"{run} is {run.status}; there is nothing to go on with.")
    if not is_resumable(run):
        raise Refused(f"{run} had not wiped anything. Select the tables and start a new run.")
    fields: dict[str, Any] = {
        "heartbeat_at": None,
        "finished_at": None,
        "error": "",
        "traceback": "",
    }
    # One that has ended may hold its destination all the same: something of it is done once more.
    only = {} if run.is_active else {"active_dest": None}
    try:
        with transaction.atomic():
            if not move(
                run.pk,
                S.QUEUED,
                who=operator,
                only_from=run.status,
                only=only,
                active_dest=run.dest["identity"],
                takeovers=0,
                **fields,
            ):
                held = only and holding.by_whom(run.dest["identity"], run.dest["name"])
                raise Refused(f"{held or f'{run} has changed in this moment.'} Look again.")
            ended = (TableCopy.Status.FAILED, TableCopy.Status.CANCELLED)
            run.tables.filter(status__in=ended).update(
                status=TableCopy.Status.WAITING, error="", finished_at=None
            )
    except IntegrityError:
        held = holding.by_whom(run.dest["identity"], run.dest["name"])
        raise Refused(
            f"{held or 'Another run was active there.'} Wait until it has ended."
        ) from None


def cancel(run: Run, operator: str) -> None:
    """Ask a run to stop.

    One that was not begun ends at once.  One that nobody is on is ended by the next worker, which
    puts back what was taken off.
    """
    now = timezone.now()
    if not is_begun(run) and move(
        run.pk, S.CANCELLED, who=operator, finished_at=now, only_from=S.QUEUED
    ):
        return
    for status in (S.QUEUED, S.PAUSED):
        if move(run.pk, S.CANCELLING, who=operator, only_from=status, heartbeat_at=None):
            transaction.on_commit(lambda: tasks.execute_run(run.pk))
            return
    if not move(run.pk, S.CANCELLING, who=operator):
        raise Refused(f"{run} is not active any more, so there is nothing to cancel.")


def limit(run: Run, operator: str, rows: int | None) -> None:
    """Let a run read so many rows a second at most; None: as many as it can."""
    if rows is not None and not 1 <= rows <= MOST_ROWS:
        raise Refused(f"A limit is from 1 to {MOST_ROWS:,} rows a second.")
    if not Run.objects.filter(pk=run.pk, status__in=Run.ACTIVE).update(rate_limit=rows):
        raise Refused(f"{run} is not active any more.")
    what = f"at most {rows:,} rows a second" if rows else "as many rows a second as it can"
    Event.objects.create(run=run, who=operator, what=f"Limit: {what}.")


def is_resumable(run: Run) -> bool:
    """Whether the run can be gone on with; one that is paused can, wherever it stood.

    One that has ended before it had wiped anything, or never wipes, is started anew instead.
    """
    if run.changed_since or run.status not in Run.RESUMABLE:
        return False
    return run.status == S.PAUSED or is_begun(run)


def is_begun(run: Run) -> bool:
    """Whether the run has wiped its tables."""
    return run.tables.filter(wiped=True).exists()


# -- What goes on by itself -----------------------------------------------------------------------


def leave() -> None:
    """This process is to stop: what it is at is left to the next one, within seconds."""
    leaving.set()


def left_behind(
    plan: Plan,
    tell: Callable[[str], object],
    mode: str = Run.Mode.COPY,
    *,
    newer_only: bool = False,
) -> Run | None:
    """The run that a worker which has vanished, or was stopped, has left of this very plan.

    It is queued, for the caller to do.  Takes as long as a lease where the worker has just
    vanished, and tells so; `Refused` where it gives signs of life.
    """
    run = Run.objects.filter(dest__identity=plan.dest.identity).order_by("pk").last()
    if run is None or (run.mode, run.newer_only) != (mode, newer_only) or not is_of(run, plan):
        return None
    if not wait_until_silent(run, tell):
        raise Refused(f"{run} is active on {plan.dest.name}. Wait until it has ended.")
    if run.status == S.INTERRUPTED and is_begun(run) and not run.changed_since:
        queue_again(run, WORKER)
        run.refresh_from_db()
    return run if run.status == S.QUEUED else None


def is_of(run: Run, plan: Plan) -> bool:
    """Whether a run is of the tables and the databases that a plan names."""
    same = (
        run.reverse == plan.reverse
        and run.source["identity"] == plan.source.identity
        and list(run.transforms) == list(plan.transforms)
    )
    return same and set(run.tables.values_list("label", flat=True)) == set(plan.labels)


# -- Workers that have vanished -------------------------------------------------------------------


def recover() -> list[Run]:
    """Hand over the runs of workers that are silent for longer than a lease; those that wait.

    Harmless at any time, by any number of processes at once.
    """
    for run in silent():
        hand_over(run)
    found = list(waiting())
    for run in found:
        tasks.wake(tasks.execute_run, run.pk)
    remind()
    return found


def remind() -> None:
    """Have audits and steps done that have waited for so long that the queue may have lost them.

    A command that does its own audit begins with it long before; of a run's, its worker takes care.
    What a worker was at that has vanished is ended; an active run's audit with the run's lease.
    """
    at_work = Audit.objects.filter(status__in=(Audit.Status.RUNNING, Audit.Status.CANCELLING))
    for audit in at_work.exclude(run__status__in=Run.ACTIVE):
        auditing.end_if_dead(audit)
    steps.end_left()
    for run in holding.dead():
        if run.takeovers < MOST_TAKEOVERS:
            tasks.wake(tasks.settle_run, run.pk)
        else:
            holding.end_dead(run.dest["identity"])
    late = timezone.now() - FORGOTTEN_AFTER
    audits = Audit.objects.filter(status=Audit.Status.QUEUED, run=None, created_at__lt=late)
    for pk in audits.values_list("pk", flat=True):
        tasks.wake(tasks.execute_audit, pk)
    for pk in Step.objects.filter(status=Step.Status.QUEUED, started_at__lt=late).values_list(
        "pk", flat=True
    ):
        tasks.wake(tasks.retry_step, pk)


def wait_until_silent(run: Run, tell: Callable[[str], object]) -> bool:
    """Wait until the lease of a run's worker is over, and hand the run over; False if it lives.

    What is waited for is told once, where it takes more than a moment.
    """
    told = False
    while run.status in Run.AT_WORK and run.heartbeat_at:
        seen = run.heartbeat_at
        time.sleep(1)
        run.refresh_from_db()
        if run.status in Run.AT_WORK and run.heartbeat_at != seen:
            return False
        hand_over(run)
        run.refresh_from_db()
        if run.status in Run.AT_WORK and not told:
            tell(last_heard_of(run))
            told = True
    return True


def at_work() -> QuerySet[Run]:
    """Runs that a worker is on, whose lease is not over."""
    return Run.objects.filter(
        status__in=Run.AT_WORK, heartbeat_at__gte=ControlClock() - lease()
    ).order_by("pk")


def last_heard_of(run: Run) -> str:
    """How long the run's worker has been silent, and when it is given up."""
    seconds = silence(run) or 0.0
    left = max(0.0, lease().total_seconds() - seconds)
    return (
        f"The worker of {run} was last heard of {seconds:,.0f} s ago. If it stays silent, the next "
        f"one goes on in {left:,.0f} s."
    )


def silent() -> QuerySet[Run]:
    """Runs whose worker has given no sign of life for longer than a lease."""
    return Run.objects.filter(status__in=Run.AT_WORK, **_silence()).order_by("pk")


def _silence() -> dict[str, Any]:
    """What is true of a run whose worker has given no sign of life for longer than a lease."""
    return {"heartbeat_at__lt": ControlClock() - lease()}


def waiting() -> Iterator[Run]:
    """Runs for which a worker has to come."""
    nobody = Q(status=S.CANCELLING, heartbeat_at=None)
    yield from Run.objects.filter(Q(status=S.QUEUED) | nobody).order_by("pk")


def hand_over(run: Run) -> None:
    """Let another worker have a run, unless its own has just given a sign of life."""
    seen = {"holder": run.holder, **_silence()}
    if run.status == S.CANCELLING:
        Run.objects.filter(pk=run.pk, status=S.CANCELLING, **seen).update(heartbeat_at=None)
    elif run.status == S.PAUSING:
        move(run.pk, S.PAUSED, who=WORKER, only=seen, heartbeat_at=None)
    elif run.takeovers >= MOST_TAKEOVERS:
        end(run, f"{run.takeovers + 1} workers in a row have vanished before a chunk was done.")
    else:
        age = silence(run) or 0.0
        move(
            run.pk,
            S.QUEUED,
            who=WORKER,
            why=f"No sign of life from the worker for {age:,.0f} s. The next one goes on.",
            only=seen,
            only_from=S.RUNNING,
            heartbeat_at=None,
            takeovers=F("takeovers") + 1,
        )


def in_the_way(dest_identity: str) -> tuple[Run | None, bool]:
    """The run that keeps a destination, and whether a new one would supersede it."""
    held = Run.objects.filter(active_dest=dest_identity)
    run = held.exclude(pk__in=holding.dead().values("pk")).first()
    return run, run is not None and silent().filter(pk=run.pk).exists()


def supersede(dest_identity: str) -> None:
    """End the run of a worker that has vanished, because a new one on its destination is wanted.

    What the dead one has taken off is put back by the new one.
    """
    holding.end_dead(dest_identity)
    for run in silent().filter(active_dest=dest_identity):
        end(run, "The worker has vanished, and a new run was started on its destination.")


def end(run: Run, why: str) -> None:
    """End a run as interrupted, unless its worker has just given a sign of life."""
    seen = {"holder": run.holder, **_silence()}
    if move(
        run.pk, S.INTERRUPTED, who=WORKER, why=why, error=why, only=seen, finished_at=timezone.now()
    ):
        claims.release(run.pk)
        run.tables.filter(status__in=(TableCopy.Status.WAITING, TableCopy.Status.COPYING)).update(
            status=TableCopy.Status.CANCELLED
        )
