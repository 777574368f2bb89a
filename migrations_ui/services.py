"""What pages and commands may ask for; the only place where a run is started or stopped.

Whatever is asked for wrongly is `Refused` with a sentence for the operator, and nothing is touched.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from migrations_ui import (
    auditing,
    catching_up,
    counting,
    datachecks,
    execution,
    holding,
    journal,
    restoring,
    steps,
    tasks,
    workers,
)
from migrations_ui.assisting import assist, in_need
from migrations_ui.engine.databases.positions import State
from migrations_ui.models import (
    Audit,
    CountRequest,
    DataCheck,
    Event,
    Run,
    Step,
)
from migrations_ui.pace import RunProgress, audit_progress, run_progress
from migrations_ui.plans import Plan, PreflightReport, Stale, make_plan, run_preflight
from migrations_ui.sides import (
    Refused,
    Side,
    available_cores,
    chosen_tables,
    endpoints,
    host_tables,
    vendors,
)
from migrations_ui.starting import (
    Options,
    prepare_catch_up,
    prepare_run,
    start,
    start_catch_up,
)
from migrations_ui.steering import (
    at_work,
    cancel,
    in_the_way,
    is_resumable,
    last_heard_of,
    leave,
    left_behind,
    limit,
    pause,
    recover,
    resume,
    wait_until_silent,
)
from migrations_ui.tables import TableRow, TablesPage, pending_counts, tables_page

__all__ = [
    "Options",
    "Plan",
    "PreflightReport",
    "Refused",
    "RunProgress",
    "Side",
    "Stale",
    "TableRow",
    "TablesPage",
    "assist",
    "at_work",
    "audit_progress",
    "available_cores",
    "cancel",
    "cancel_audit",
    "catch_up_blockers",
    "catch_up_fingerprint",
    "catch_up_newer_by",
    "catch_up_plan",
    "check_data_now",
    "chosen_tables",
    "count_now",
    "end_audit_if_dead",
    "end_dead_audits",
    "execute",
    "execute_audit",
    "host_tables",
    "in_need",
    "in_the_way",
    "is_resumable",
    "last_heard_of",
    "leave",
    "left_behind",
    "limit",
    "look_is_due",
    "pause",
    "pending_data_check",
    "plan",
    "preflight",
    "prepare_audit",
    "prepare_catch_up",
    "prepare_run",
    "recover",
    "request_audit",
    "request_counts",
    "request_data_check",
    "request_restore",
    "restore_missing",
    "resume",
    "retry_rejected",
    "retry_step",
    "run_progress",
    "start",
    "start_catch_up",
    "tables_page",
    "vendors",
    "wait_until_silent",
]

plan = make_plan
catch_up_plan = catching_up.plan
catch_up_newer_by = catching_up.newer_by
catch_up_blockers = catching_up.blockers
catch_up_fingerprint = catching_up.fingerprint
preflight = run_preflight
execute = execution.execute
restore_missing = restoring.restore
execute_audit = auditing.audit
end_dead_audits = auditing.end_dead
end_audit_if_dead = auditing.end_if_dead


# -- Counts ---------------------------------------------------------------------------------------


def request_counts(labels: Iterable[str] | None = None, *, reverse: bool = False) -> None:
    """Ask a worker for exact counts of these tables (None: of all), unless one is at it already."""
    workers.require()
    chosen = [table.label for table in (chosen_tables(labels) if labels else host_tables())]
    pending = pending_counts().filter(reverse=reverse)
    if any(set(chosen) <= set(request.labels) for request in pending):
        return
    request = CountRequest.objects.create(labels=chosen, reverse=reverse)
    transaction.on_commit(lambda: tasks.answer_count_request(request.pk))


def count_now(labels: Iterable[str], *, reverse: bool = False) -> None:
    """Make exact counts in this process."""
    counting.count_exactly(chosen_tables(labels), endpoints(reverse=reverse))


# -- The look at the values ------------------------------------------------------------------------


def request_data_check(
    labels: Iterable[str] | None, operator: str, *, reverse: bool = False
) -> None:
    """Ask a worker to look at the source's values, unless one is at it already."""
    workers.require()
    chosen = {table.label for table in chosen_tables(labels)}
    if any(chosen <= set(check.labels) for check in datachecks.pending(reverse=reverse)):
        return
    check = _new_data_check(chosen, operator, reverse=reverse)
    transaction.on_commit(lambda: tasks.execute_data_check(check.pk))


def pending_data_check(*, reverse: bool = False) -> DataCheck | None:
    """The look at the values that a worker has not finished yet, if any."""
    return datachecks.pending(reverse=reverse).first()


def check_data_now(
    labels: Iterable[str] | None, operator: str, *, reverse: bool = False
) -> DataCheck:
    """Look at the source's values in this process."""
    chosen = {table.label for table in chosen_tables(labels)}
    check = _new_data_check(chosen, operator, reverse=reverse)
    execution.look_at_values(check.pk)
    check.refresh_from_db()
    return check


def look_is_due(plan: Plan) -> bool:
    """Whether to look at the values again, before a plan is confirmed that nobody has seen yet.

    Unless it is certain that they are the same, and that nothing which stood in the way of a run
    may have been mended since.
    """
    known = plan.checked and datachecks.moved_since(plan.checked) is State.UNCHANGED
    return not known or any(found.rows for found in plan.open_blockers)


def _new_data_check(labels: set[str], operator: str, *, reverse: bool) -> DataCheck:
    return DataCheck.objects.create(labels=sorted(labels), operator=operator, reverse=reverse)


# -- Runs -----------------------------------------------------------------------------------------


def request_restore(run: Run, operator: str) -> None:
    """Ask a worker to put back the indexes and constraints that an ended run has left off."""
    workers.require()
    if run.is_active:
        raise Refused(f"{run} is active; it puts back what it took off itself.")
    if not journal.missing(run.dest["identity"]):
        raise Refused(f"Nothing that a run took off is missing in {run.dest['name']}.")
    Event.objects.create(
        run=run, who=operator, what="Asked to put the missing indexes and constraints back."
    )
    transaction.on_commit(lambda: tasks.restore_indexes(run.pk))


def retry_rejected(run: Run, operator: str) -> None:
    """Ask a worker to load the rows of an ended run that are still set aside."""
    workers.require()
    rows = run.rejected.filter(arrived_at=None).count()
    if run.is_active or not rows:
        raise Refused(f"{run} has no rows to try again.")
    if held := holding.by_whom(run.dest["identity"], run.dest["name"]):
        raise Refused(f"{held} Wait until it has ended.")
    noun = "row" if rows == 1 else "rows"
    Event.objects.create(
        run=run, who=operator, what=f"Asked to try {rows:,} rejected {noun} again."
    )
    transaction.on_commit(lambda: tasks.retry_rejected_rows(run.pk))


def retry_step(step: Step, operator: str) -> None:
    """Ask a worker to do a step of an ended run again, and those after it that wait."""
    workers.require()
    steps.ask(step, operator)
    transaction.on_commit(lambda: tasks.retry_step(step.pk))


# -- Audits ---------------------------------------------------------------------------------------


def request_audit(
    labels: Iterable[str] | None,
    operator: str,
    *,
    reverse: bool = False,
    counts_only: bool = False,
) -> Audit:
    """Queue a comparison of both sides for the worker."""
    workers.require()
    audit = prepare_audit(labels, operator, reverse=reverse, counts_only=counts_only)
    transaction.on_commit(lambda: tasks.execute_audit(audit.pk))
    return audit


def prepare_audit(
    labels: Iterable[str] | None,
    operator: str,
    *,
    reverse: bool = False,
    counts_only: bool = False,
) -> Audit:
    """Record an audit as queued: of every cell, or only of counts and next keys."""
    tables = chosen_tables(labels)
    if not tables:
        raise Refused("No table is selected. Select at least one.")
    auditing.end_dead()
    return auditing.new_audit(
        tables, operator, reverse=reverse, counts_only=counts_only, workers=available_cores()
    )


def cancel_audit(audit: Audit) -> None:
    """Ask an audit to stop."""
    if not auditing.cancel(audit.pk):
        raise Refused(f"{audit} is not active any more, so there is nothing to cancel.")
