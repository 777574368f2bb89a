"""What a worker does with a queued run or audit, in its own process."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from django.utils import timezone

from migrations_ui import (
    auditing,
    catching_up,
    claims,
    counting,
    datachecks,
    journal,
    outcomes,
    plans,
    positions,
    resuming,
    steps,
)
from migrations_ui.allowance import SharedAllowance
from migrations_ui.backing_off import BackingOff
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.comparing import Comparison
from migrations_ui.engine.databases.positions import Movement, State
from migrations_ui.engine.errors import Cancelled, EngineError, Suspended
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.persisting import persist
from migrations_ui.engine.transfer import Transfer
from migrations_ui.engine.transforms import parse, transformed
from migrations_ui.health_models import ControlClock
from migrations_ui.links import Links, Reservation
from migrations_ui.models import Audit, DataCheck, Run, TableCopy
from migrations_ui.recorder import DestinationLost, Recorder
from migrations_ui.sides import Ends, Refused, chosen_tables, endpoints
from migrations_ui.states import move
from migrations_ui.ticker import Ticker, in_words, leaving, patiently

logger = logging.getLogger(__name__)

WORKER = "worker"
# The runs that this process leads.
leading: set[int] = set()
UNFINISHED = (TableCopy.Status.WAITING, TableCopy.Status.COPYING)


def execute(run_id: int) -> None:
    """Do a queued run from preflight to verify, or go on with it; clear up after a cancelled one.

    Nothing happens where another worker has taken it.
    """
    run = Run.objects.get(pk=run_id)
    before = run.holder
    recorder = Recorder(run, leaving)
    if not _take(run, recorder.holder):
        return
    leading.add(run.pk)
    try:
        _lead(run, recorder, before)
    finally:
        leading.discard(run.pk)


def _lead(run: Run, recorder: Recorder, before: str) -> None:
    """Bring a run that was taken to its end, or to where the next worker goes on.

    `before` is the worker that had it before.
    """
    links = Links(endpoints(reverse=run.reverse))
    recorder.on_stop = partial(_stop, recorder, links)
    ticker = Ticker(recorder.tick)
    ticker.start()
    try:
        try:
            with (
                Reservation(links, run, recorder, before),
                BackingOff(links.ends, recorder.throttle, recorder),
            ):
                if run.status == Run.Status.CANCELLING:
                    _clear_up(run, links)
                _steps(run, recorder, links)
        finally:
            ticker.stop()
    except Cancelled:
        _end(run, recorder, Run.Status.CANCELLED)
    except DestinationLost as error:
        _end(run, recorder, Run.Status.FAILED, error=str(error))
    except Suspended as suspended:
        _suspend(run, recorder, suspended)
    except resuming.Changed as error:
        _end(run, recorder, Run.Status.FAILED, error=str(error), changed_since=True)
    except (EngineError, Refused) as error:
        _end(run, recorder, Run.Status.FAILED, error=str(error))
    except BaseException as error:
        logger.exception("%s failed", run)
        _end(
            run,
            recorder,
            Run.Status.FAILED,
            error=in_words(
                error,
                "Once it does, resume the run; or start it anew, if it had not wiped anything.",
            ),
            traceback=traceback.format_exc(),
        )
        if not isinstance(error, Exception):
            raise
    else:
        _succeed(run, recorder)


@patiently
def _take(run: Run, holder: str) -> bool:
    """Make this worker the run's; False where another one is on it."""
    now = timezone.now()
    taken: dict[str, Any] = {"holder": holder, "heartbeat_at": ControlClock(), "slowed": ""}
    if run.status != Run.Status.CANCELLING:
        started = run.started_at or now
        # Not in the phase any more that the last worker was in: others take part in a load.
        begins: dict[str, Any] = {"phase": Run.Phase.PREFLIGHT, "started_at": started}
        moved = move(run.pk, Run.Status.RUNNING, who=WORKER, **begins, **taken)
        run.refresh_from_db()
        return moved
    # A cancelled run without a worker, of which something is still to be put back.
    unheld = Run.objects.filter(pk=run.pk, status=run.status, heartbeat_at=None)
    return bool(unheld.update(**taken))


def _clear_up(run: Run, links: Links) -> None:
    """Put back what a run took off that was cancelled while nobody was on it."""
    for problem in restored(run, links):
        logger.warning("%s: %s", run, problem)
    raise Cancelled("The run was cancelled.")


def _stop(recorder: Recorder, links: Links) -> None:
    """End what this worker does for the run in this moment: statements, and the audit at its end.

    Of a run that another worker has taken over, the audit is that one's.
    """
    links.interrupt()
    mine = Audit.objects.filter(run__pk=recorder.run_id, run__holder=recorder.holder)
    for audit in mine.filter(status__in=Audit.ACTIVE):
        auditing.cancel(audit.pk)


def _suspend(run: Run, recorder: Recorder, why: Suspended) -> None:
    """Leave the run to who goes on with it; one that another worker has taken is not touched."""
    held = {"holder": recorder.holder}
    if Run.objects.filter(pk=run.pk, status=Run.Status.PAUSING, **held).exists():
        recorder.wait_for_others()
    free: dict[str, Any] = {
        "heartbeat_at": None,
        "doing": "",
        "slowed": "",
        "rows_per_second": None,
    }
    what = str(why)
    if not (
        move(run.pk, Run.Status.PAUSED, who=WORKER, only=held, **free)
        or move(
            run.pk,
            Run.Status.QUEUED,
            who=WORKER,
            why=what,
            only_from=Run.Status.RUNNING,
            only=held,
            **free,
        )
    ):
        Run.objects.filter(pk=run.pk, status=Run.Status.CANCELLING, **held).update(**free)
    logger.info("%s is left: %s", run, what)


def _succeed(run: Run, recorder: Recorder) -> None:
    """A run with rejected rows, a step that failed, or no audit is never green."""
    if error := outcomes.wanting(run):
        _end(run, recorder, Run.Status.INCOMPLETE, error=error)
        return
    declared = run.transforms and "All rows that the transforms leave have arrived, as declared."
    _end(run, recorder, Run.Status.SUCCEEDED, why=declared or "")


def _end(run: Run, recorder: Recorder, status: str, why: str = "", **fields: Any) -> None:
    """Bring a run to its end, unless another worker has taken it, and say so in the log."""
    why = why or fields.get("error", "")
    held = {"holder": recorder.holder}
    if not move(
        run.pk, status, who=WORKER, why=why, only=held, finished_at=timezone.now(), **fields
    ):
        logger.warning("%s is another worker's by now; here it ended: %s %s", run, status, why)
        return
    claims.release(run.pk)
    run.tables.filter(status__in=UNFINISHED).update(status=TableCopy.Status.CANCELLED)
    logger.info("%s %s %s", run, status, why)


def _steps(run: Run, recorder: Recorder, links: Links) -> None:
    """Preflight, transfer, verify; from where it stands, where it was begun before."""
    if run.newer_only:
        catching_up.bring_newer(run, recorder, links)
        return
    if run.mode == Run.Mode.CATCH_UP:
        found, same = catching_up.repair(run, recorder, links)
        _whole_and_verified(run, recorder, links, found, same)
        return
    recorder.phase(Run.Phase.PREFLIGHT)
    found = persist(recorder, lambda: ready(run, recorder, links))
    recorder.layouts = {layout.label: layout for layout in found}
    Transfer(
        found,
        links.open,
        recorder,
        dict(run.tables.values_list("label", "source_rows")),
        workers=run.workers,
        allowance=SharedAllowance(recorder, run.reject_limit),
    ).run()
    _whole_and_verified(run, recorder, links, found)


def ready(run: Run, recorder: Recorder, links: Links) -> list[Layout]:
    """The tables as both databases have them, when everything is as it should be."""
    labels = list(run.tables.values_list("label", flat=True))
    begun = recorder.begun
    found = resuming.layouts_of(run, labels) if begun else preflight(run, labels, recorder, links)
    positions.note(run, "start", recorder)
    with links.open() as (source, dest):
        found = transformed(found, map(parse, run.transforms), source)
        if begun:
            recorder.wait_for_others()  # the last worker's may still be at it for a moment
            resuming.check(run, found, source, dest)
            recorder.settle()
        else:
            # What an earlier run could not put back would be unknown to this one, and lost.
            journal.restore(run.dest["identity"], dest)
    return found


def _whole_and_verified(
    run: Run,
    recorder: Recorder,
    links: Links,
    found: Sequence[Layout],
    known: Mapping[str, Comparison] | None = None,
) -> None:
    """Put back what is still missing, do the steps, and audit the run's tables."""
    # What the rows that were there kept from being put back before the wipe.
    if problems := persist(recorder, lambda: restored(run, links)):
        raise EngineError("The destination is not whole. " + " ".join(problems))
    recorder.phase(Run.Phase.STEPS)
    known = untouched(known, steps.do_all(run, recorder.check))
    positions.note(run, "end", recorder)
    recorder.phase(Run.Phase.VERIFY)
    verify(run, recorder, found, known)


def restored(run: Run, links: Links) -> list[str]:
    """Put back what is missing on the run's destination; what could not be, in words."""
    with links.open() as (_, dest):
        return journal.restore(run.dest["identity"], dest)


def untouched(
    known: Mapping[str, Comparison] | None, movement: Movement
) -> Mapping[str, Comparison] | None:
    """What is still known of tables that were compared before the steps; nothing when in doubt."""
    if known is None or movement.state is State.UNCHANGED:
        return known
    if movement.changed and movement.tables:
        return {label: one for label, one in known.items() if label not in movement.tables}
    return None


def look_at_values(
    check_id: int, ends: Ends | None = None, stop: Callable[[], object] = lambda: None
) -> Exception | None:
    """Do a queued look at the source's values, as `datachecks.execute`; what went wrong."""
    return datachecks.execute(
        check_id, lambda tables, reverse: plans.check(tables, reverse=reverse), ends, stop
    )


def preflight(run: Run, labels: Sequence[str], recorder: Recorder, links: Links) -> list[Layout]:
    """Count and check everything again; stop unless it is what the operator confirmed."""
    counting.count_exactly(chosen_tables(labels), links)
    make = partial(plans.make_plan, labels, reverse=run.reverse, transforms=run.transforms)
    so_far = resuming.so_far(run)
    plan = plans.insist_on(make, so_far)
    if plan.checked is None or datachecks.is_outdated(plan.checked):
        check = DataCheck.objects.create(labels=labels, operator=run.operator, reverse=run.reverse)
        if wrong := look_at_values(check.pk, links, recorder.check):
            raise wrong
        plan = plans.insist_on(make, so_far)
    if blockers := plan.blockers_beyond(run.reject_limit):
        raise Refused(" ".join([so_far, *map(str, blockers)]))
    tables = resuming.as_confirmed(run, plan.tables)
    now = plans.fingerprint(plan.source, plan.dest, tables, plan.transforms)
    if now != run.fingerprint:
        shown = dict(run.tables.values_list("label", "dest_rows_before"))
        what = "; ".join(plans.changes(shown, tables)) or "it is not the same database"
        raise Refused(
            f"{so_far} The destination is not what was confirmed ({what}). Somebody writes to it; "
            "find out who, then confirm again."
        )
    for row in plan.tables:
        run.tables.filter(label=row.label).update(source_rows=row.source_rows)
    return list(plan.layouts)


def verify(
    run: Run,
    recorder: Recorder,
    found: Sequence[Layout],
    known: Mapping[str, Comparison] | None = None,
) -> None:
    """Audit the run's tables, but compare no more what is `known` by label.

    A difference that isn't a row set aside fails the run.
    """
    report = audited(run, [layout.table for layout in found], known, recorder)
    if report.status == Audit.Status.CANCELLED:
        recorder.tick()
        recorder.check()
    if problem := outcomes.problem_of(run, report):
        raise EngineError(problem)


def audited(
    run: Run,
    tables: Sequence[Table],
    known: Mapping[str, Comparison] | None = None,
    recorder: Recorder | None = None,
) -> Audit:
    """An audit of these tables, in the run's name, that has ended."""
    report = auditing.new_audit(tables, run.operator, reverse=run.reverse, run=run)
    auditing.audit(report.pk, known, recorder.throttle if recorder else None)
    report.refresh_from_db()
    return report
