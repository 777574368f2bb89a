"""What a worker does with a queued run or audit, in its own process."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from django.utils import timezone

from migrations_ui import auditing, counting, datachecks, plans
from migrations_ui.engine.databases.base import Database, ForeignKey
from migrations_ui.engine.errors import Cancelled, EngineError
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.rejecting import Rejects
from migrations_ui.engine.transfer import transfer
from migrations_ui.engine.transforms import parse, transformed
from migrations_ui.models import Audit, DataCheck, DroppedConstraint, Run, TableCopy
from migrations_ui.recorder import Recorder
from migrations_ui.sides import Refused, chosen_tables, endpoints
from migrations_ui.states import move
from migrations_ui.ticker import Ticker

logger = logging.getLogger(__name__)

WORKER = "worker"
# A dead worker's transaction is undone by the server, so a table is copied in full or not at all.
UNFINISHED = (TableCopy.Status.WAITING, TableCopy.Status.COPYING)


def execute(run_id: int) -> None:
    """Do a queued run from preflight to verify, unless another worker has taken it."""
    now = timezone.now()
    if not move(run_id, Run.Status.RUNNING, who=WORKER, started_at=now, heartbeat_at=now):
        return
    run = Run.objects.get(pk=run_id)
    recorder = Recorder(run)
    ticker = Ticker(recorder.tick)
    ticker.start()
    try:
        try:
            _steps(run, recorder)
        finally:
            ticker.stop()
    except Cancelled:
        _end(run, Run.Status.CANCELLED)
    except (EngineError, Refused) as error:
        _end(run, Run.Status.FAILED, error=str(error))
    except BaseException as error:
        logger.exception("%s failed", run)
        _end(
            run,
            Run.Status.FAILED,
            error=f"{type(error).__name__}: {error}",
            traceback=traceback.format_exc(),
        )
        if not isinstance(error, Exception):
            raise
    else:
        _succeed(run)


def _succeed(run: Run) -> None:
    """A run with rejected rows is never green."""
    rows = run.rejected.count()
    if not rows:
        declared = (
            run.transforms and "All rows that the transforms leave have arrived, as declared."
        )
        _end(run, Run.Status.SUCCEEDED, why=declared or "")
        return
    noun = "row was" if rows == 1 else "rows were"
    error = (
        f"{rows:,} {noun} refused by the destination and set aside; everything else has arrived. "
        "Mend what refuses them and try them again, or mend the source and copy these tables again."
    )
    _end(run, Run.Status.INCOMPLETE, error=error)


def _end(run: Run, status: str, why: str = "", **fields: str) -> None:
    """Bring a run to its end, and say so in the log."""
    why = why or fields.get("error", "")
    TableCopy.objects.filter(run=run, status=TableCopy.Status.WAITING).update(
        status=TableCopy.Status.CANCELLED
    )
    move(run.pk, status, who=WORKER, why=why, finished_at=timezone.now(), **fields)
    logger.info("%s %s %s", run, status, why)


def _steps(run: Run, recorder: Recorder) -> None:
    """Preflight, transfer, verify."""
    labels = list(run.tables.values_list("label", flat=True))
    ends = endpoints(reverse=run.reverse)
    recorder.phase(Run.Phase.PREFLIGHT)
    found = preflight(run, labels)
    with ends.open_source() as source, ends.open_dest() as dest:
        found = transformed(found, map(parse, run.transforms), source)
        # What an earlier run could not put back would be unknown to this one, and lost.
        restore_constraints(run.dest["identity"], dest)
        transfer(found, source, dest, recorder, Rejects(run.reject_limit))
    recorder.phase(Run.Phase.VERIFY)
    verify(run, found)


def look_at_values(check_id: int) -> None:
    """Do a queued look at the source's values."""
    datachecks.execute(check_id, lambda tables, reverse: plans.check(tables, reverse=reverse))


def preflight(run: Run, labels: Sequence[str]) -> list[Layout]:
    """Count and check everything again; stop unless it is what the operator confirmed."""
    tables = chosen_tables(labels)
    counting.count_exactly(tables, reverse=run.reverse)
    plan = plans.make_plan(labels, reverse=run.reverse, transforms=run.transforms)
    if plan.checking:  # what was looked at before the confirmation is too old by now
        check = DataCheck.objects.create(labels=labels, operator=run.operator, reverse=run.reverse)
        look_at_values(check.pk)
        plan = plans.make_plan(labels, reverse=run.reverse, transforms=run.transforms)
    if blockers := plan.blockers_beyond(run.reject_limit):
        raise Refused("Nothing was wiped. " + " ".join(str(found) for found in blockers))
    now = plans.fingerprint(plan.source, plan.dest, plan.tables, plan.transforms)
    if now != run.fingerprint:
        shown = dict(run.tables.values_list("label", "dest_rows_before"))
        what = "; ".join(plans.changes(shown, plan.tables)) or "it is not the same database"
        raise Refused(
            f"Nothing was wiped: the destination is not what was confirmed ({what}). Somebody "
            "writes to it; find out who, then confirm again."
        )
    for row in plan.tables:
        run.tables.filter(label=row.label).update(source_rows=row.source_rows)
    return plans.check(tables, reverse=run.reverse).layouts


def verify(run: Run, found: Sequence[Layout]) -> None:
    """Audit the run's tables; a difference that isn't a row set aside fails the run."""
    report = auditing.new_audit(
        [layout.table for layout in found], run.operator, reverse=run.reverse, run=run
    )
    auditing.audit(report.pk)
    report.refresh_from_db()
    if report.status == Audit.Status.FAILED:
        raise EngineError(f"All rows were copied, but the audit failed: {report.error}")
    problems = []
    for table in report.tables.all():
        copied = run.tables.get(label=table.label)
        copied.dest_rows_after = table.dest_rows
        copied.save(update_fields=["dest_rows_after"])
        set_aside = copied.rejected_rows and table.difference == -copied.rejected_rows
        if table.problem and not (set_aside and not table.sequence_problem):
            problems.append(f"{table.label}: {table.problem}")
    if problems:
        raise EngineError(f"The audit found differences. {'; '.join(problems)}.")


# -- After a worker that has vanished -------------------------------------------------------------


def recover(dest_identity: str, silence: timedelta) -> bool:
    """End the run of a worker that died on this destination; whether there was one."""
    dead = Run.objects.filter(
        active_dest=dest_identity, heartbeat_at__lt=timezone.now() - silence
    ).first()
    if dead is None or not move(
        dead.pk,
        Run.Status.INTERRUPTED,
        who=WORKER,
        finished_at=timezone.now(),
        error="The worker has vanished. Tables that were wiped and not finished are empty; start a "
        "new run.",
    ):
        return False
    dead.tables.filter(status__in=UNFINISHED).update(
        status=TableCopy.Status.CANCELLED, copied_rows=0
    )
    with suppress(EngineError), endpoints(reverse=dead.reverse).open_dest() as dest:
        restore_constraints(dest_identity, dest)
    return True


def restore_constraints(dest_identity: str, dest: Database) -> None:
    """Put back what the journal says is missing on this destination, whichever run dropped it.

    One that rows violate is there again afterwards, but not valid; the next run validates it.
    """
    for entry in DroppedConstraint.objects.filter(
        restored_at=None, run__dest__identity=dest_identity
    ):
        key = ForeignKey(entry.table, entry.name, (), "", (), entry.definition)
        try:
            dest.restore_foreign_key(key)
        except EngineError as error:
            logger.warning("%s is not restored: %s", entry, error)
        else:
            DroppedConstraint.objects.filter(pk=entry.pk).update(restored_at=timezone.now())
