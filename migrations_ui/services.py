"""What pages and commands may ask for; the only place where a run is started or stopped.

Whatever is asked for wrongly is `Refused` with a sentence for the operator, and nothing is touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from migrations_ui import auditing, counting, datachecks, execution, tasks
from migrations_ui.models import Audit, CountRequest, DataCheck, Event, Run, TableCopy
from migrations_ui.plans import Plan, PreflightReport, make_plan, run_preflight
from migrations_ui.sides import Refused, Side, chosen_tables, host_tables
from migrations_ui.states import move
from migrations_ui.tables import TableRow, TablesPage, pending_counts, tables_page

__all__ = [
    "Plan",
    "PreflightReport",
    "Refused",
    "RunProgress",
    "Side",
    "TableRow",
    "TablesPage",
    "cancel",
    "check_data_now",
    "chosen_tables",
    "count_now",
    "execute",
    "execute_audit",
    "host_tables",
    "pending_data_check",
    "plan",
    "preflight",
    "prepare_audit",
    "prepare_run",
    "request_audit",
    "request_counts",
    "request_data_check",
    "retry_rejected",
    "run_progress",
    "start",
    "tables_page",
]

# A worker writes its heartbeat twice a second; one that is silent for so long has died.
SILENCE = timedelta(seconds=60)
# Seconds without a heartbeat after which the page says so.
STALLED_AFTER = 10

plan = make_plan
preflight = run_preflight
execute = execution.execute
execute_audit = auditing.audit


# -- Counts ---------------------------------------------------------------------------------------


def request_counts(labels: Iterable[str] | None = None, *, reverse: bool = False) -> None:
    """Ask a worker for exact counts of these tables (None: of all), unless one is at it already."""
    chosen = [table.label for table in (chosen_tables(labels) if labels else host_tables())]
    pending = pending_counts().filter(reverse=reverse)
    if any(set(chosen) <= set(request.labels) for request in pending):
        return
    request = CountRequest.objects.create(labels=chosen, reverse=reverse)
    transaction.on_commit(lambda: tasks.answer_count_request(request.pk))


def count_now(labels: Iterable[str], *, reverse: bool = False) -> None:
    """Make exact counts in this process."""
    counting.count_exactly(chosen_tables(labels), reverse=reverse)


# -- The look at the values ------------------------------------------------------------------------


def request_data_check(
    labels: Iterable[str] | None, operator: str, *, reverse: bool = False
) -> None:
    """Ask a worker to look at the source's values, unless one is at it already."""
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


def _new_data_check(labels: set[str], operator: str, *, reverse: bool) -> DataCheck:
    return DataCheck.objects.create(labels=sorted(labels), operator=operator, reverse=reverse)


# -- Runs -----------------------------------------------------------------------------------------


def start(
    labels: Iterable[str],
    typed_name: str,
    fingerprint: str,
    operator: str,
    *,
    reverse: bool = False,
    reject_limit: int = 0,
    transforms: Iterable[str] = (),
) -> Run:
    """Queue a run for the worker: all of what was shown and confirmed, or nothing."""
    run = prepare_run(
        labels,
        typed_name,
        fingerprint,
        operator,
        reverse=reverse,
        reject_limit=reject_limit,
        transforms=transforms,
    )
    transaction.on_commit(lambda: tasks.execute_run(run.pk))
    return run


def prepare_run(
    labels: Iterable[str],
    typed_name: str,
    fingerprint: str,
    operator: str,
    *,
    reverse: bool = False,
    reject_limit: int = 0,
    transforms: Iterable[str] = (),
) -> Run:
    """Record a confirmed run as queued, after checking the confirmation once more."""
    current = make_plan(labels, reverse=reverse, transforms=transforms)
    confirmed(current, typed_name, fingerprint, reject_limit)
    execution.recover(current.dest.identity, SILENCE)
    try:
        with transaction.atomic():
            return record(current, operator, reject_limit)
    except IntegrityError:
        active = Run.objects.filter(active_dest=current.dest.identity).first()
        raise Refused(
            f"{active or 'Another run'} is active on {current.dest.name}. Wait until it has ended, "
            "or cancel it."
        ) from None


def confirmed(current: Plan, typed_name: str, fingerprint: str, reject_limit: int) -> None:
    """Refuse what the operator has not been shown, or has not confirmed."""
    if blockers := current.blockers_beyond(reject_limit):
        raise Refused(
            "Preflight has found what would make the run fail: "
            + " ".join(str(found) for found in blockers)
        )
    if typed_name != current.dest.name:
        raise Refused(
            f"The name {typed_name!r} is not that of the destination, {current.dest.name!r}. "
            "Nothing was wiped."
        )
    if current.counting:
        raise Refused("The rows are still being counted. Wait for the counts and confirm again.")
    if current.checking:
        raise Refused("The values have not been looked at yet. Wait for that and confirm again.")
    if fingerprint != current.fingerprint:
        raise Refused(
            "Something has changed since the confirmation was shown: the databases, the tables or "
            "their rows. Nothing was wiped. Look at what it says now, and confirm again."
        )


def record(current: Plan, operator: str, reject_limit: int) -> Run:
    """Write the run and its tables."""
    run = Run.objects.create(
        operator=operator,
        reverse=current.reverse,
        source=asdict(current.source),
        dest=asdict(current.dest),
        active_dest=current.dest.identity,
        fingerprint=current.fingerprint,
        reject_limit=reject_limit,
        transforms=list(current.transforms),
    )
    TableCopy.objects.bulk_create(
        TableCopy(
            run=run,
            position=position,
            label=row.label,
            table=row.table,
            source_rows=row.source_rows or 0,
            dest_rows_before=row.dest_rows or 0,
        )
        for position, row in enumerate(current.tables)
    )
    tables = len(current.tables)
    Event.objects.create(
        run=run,
        who=operator,
        what=f"Confirmed: wipe {current.dest.name} ({current.total_dest_rows:,} rows) and copy "
        f"{tables} {'table' if tables == 1 else 'tables'} ({current.total_source_rows:,} rows)."
        + (f" Up to {reject_limit:,} refused rows are set aside." if reject_limit else "")
        + "".join(f" Declared transform: {transform}." for transform in current.transforms),
    )
    return run


def cancel(run: Run, operator: str) -> None:
    """Ask a run to stop; one that no worker has taken yet, or whose worker died, ends at once."""
    if run.active_dest and execution.recover(run.active_dest, SILENCE):
        return
    now = timezone.now()
    if move(
        run.pk, Run.Status.CANCELLED, who=operator, finished_at=now, only_from=Run.Status.QUEUED
    ):
        return
    if not move(run.pk, Run.Status.CANCELLING, who=operator):
        raise Refused(f"{run} is not active any more, so there is nothing to cancel.")


def retry_rejected(run: Run, operator: str) -> None:
    """Ask a worker to load the rows of an ended run that are still set aside."""
    rows = run.rejected.filter(arrived_at=None).count()
    if run.is_active or not rows:
        raise Refused(f"{run} has no rows to try again.")
    active = Run.objects.filter(active_dest=run.dest["identity"]).first()
    if active:
        raise Refused(f"{active} is active on {run.dest['name']}. Wait until it has ended.")
    noun = "row" if rows == 1 else "rows"
    Event.objects.create(
        run=run, who=operator, what=f"Asked to try {rows:,} rejected {noun} again."
    )
    transaction.on_commit(lambda: tasks.retry_rejected_rows(run.pk))


@dataclass(frozen=True)
class RunProgress:
    """The progress of a whole run; `eta` is None until it means something. Times in seconds."""

    rows: int
    total: int
    percent: int | None
    rate: float | None
    eta: float | None
    elapsed: float | None
    stalled_for: float | None


def run_progress(run: Run) -> RunProgress:
    """What the run's page shows above its tables: one query, none where `tables` is prefetched."""
    tables = list(run.tables.all())
    rows, total = sum(t.copied_rows for t in tables), sum(t.source_rows for t in tables)
    now = run.finished_at or timezone.now()
    done = run.status == Run.Status.SUCCEEDED
    left = max(0, total - rows)
    silent = (now - run.heartbeat_at).total_seconds() if run.heartbeat_at and run.is_active else 0
    stalled = silent >= STALLED_AFTER
    rate = run.rows_per_second if run.is_active and not stalled else None
    return RunProgress(
        rows=rows,
        total=total,
        percent=100 if done else min(99, rows * 100 // total) if total else None,
        rate=rate,
        eta=left / rate if rate and left and run.phase == Run.Phase.LOAD else None,
        elapsed=(now - run.started_at).total_seconds() if run.started_at else None,
        stalled_for=silent if stalled else None,
    )


# -- Audits ---------------------------------------------------------------------------------------


def request_audit(labels: Iterable[str] | None, operator: str, *, reverse: bool = False) -> Audit:
    """Queue a comparison of both sides' counts and sequences for the worker."""
    audit = prepare_audit(labels, operator, reverse=reverse)
    transaction.on_commit(lambda: tasks.execute_audit(audit.pk))
    return audit


def prepare_audit(labels: Iterable[str] | None, operator: str, *, reverse: bool = False) -> Audit:
    """Record an audit as queued."""
    tables = chosen_tables(labels)
    if not tables:
        raise Refused("No table is selected. Select at least one.")
    return auditing.new_audit(tables, operator, reverse=reverse)
