"""What a worker does with a queued run or audit, in its own process."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta

from django.utils import timezone

from migrations_ui import counting, plans
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.databases.base import Database, ForeignKey
from migrations_ui.engine.errors import Cancelled, EngineError
from migrations_ui.engine.layout import Layout, layouts
from migrations_ui.engine.transfer import SequenceState, sequence_states, transfer
from migrations_ui.models import Audit, AuditedTable, DroppedConstraint, Run, TableCopy
from migrations_ui.recorder import Recorder, Ticker
from migrations_ui.sides import Refused, chosen_tables, endpoints
from migrations_ui.states import move
from migrations_ui.tables import glances

logger = logging.getLogger(__name__)

WORKER = "worker"


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
        _end(run, Run.Status.SUCCEEDED)


def _end(run: Run, status: str, **fields: str) -> None:
    """Bring a run to its end, and say so in the log."""
    why = fields.get("error", "")
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
        transfer(found, source, dest, recorder)
    recorder.phase(Run.Phase.VERIFY)
    verify(run, found)


def preflight(run: Run, labels: Sequence[str]) -> list[Layout]:
    """Count and check everything again; stop unless it is what the operator confirmed."""
    tables = chosen_tables(labels)
    counting.count_exactly(tables, reverse=run.reverse)
    plan = plans.make_plan(labels, reverse=run.reverse)
    if plan.blockers:
        raise Refused(
            "Nothing was wiped. "
            + " ".join(f"{found.message} {found.remedy}" for found in plan.blockers)
        )
    now = plans.fingerprint(plan.source, plan.dest, plan.tables)
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


# -- Audit ----------------------------------------------------------------------------------------


def new_audit(
    tables: Sequence[Table], operator: str, *, reverse: bool, run: Run | None = None
) -> Audit:
    """Record an audit of these tables, with the counts before the run where there was one."""
    source, dest = glances(tables, reverse=reverse)
    audit = Audit.objects.create(
        run=run,
        operator=operator,
        reverse=reverse,
        source=asdict(source.side),
        dest=asdict(dest.side),
    )
    before = {copy.label: copy for copy in run.tables.all()} if run else {}
    AuditedTable.objects.bulk_create(
        AuditedTable(
            audit=audit,
            position=position,
            label=table.label,
            table=dest.names.get(table.label, table.names[0]),
            source_rows_before=before[table.label].source_rows if run else None,
            dest_rows_before=before[table.label].dest_rows_before if run else None,
        )
        for position, table in enumerate(tables)
    )
    return audit


def verify(run: Run, found: Sequence[Layout]) -> None:
    """Audit the run's tables; a difference fails the run."""
    report = new_audit(
        [layout.table for layout in found], run.operator, reverse=run.reverse, run=run
    )
    audit(report.pk)
    report.refresh_from_db()
    for table in report.tables.all():
        run.tables.filter(label=table.label).update(dest_rows_after=table.dest_rows)
    if report.status == Audit.Status.FAILED:
        raise EngineError(f"All rows were copied, but the audit failed: {report.error}")
    problems = [f"{table.label}: {table.problem}" for table in report.tables.exclude(problem="")]
    if problems:
        raise EngineError(f"The audit found differences. {'; '.join(problems)}.")


def audit(audit_id: int) -> None:
    """Count both sides, look at the sequences, and write the verdicts."""
    report = Audit.objects.get(pk=audit_id)
    Audit.objects.filter(pk=audit_id).update(status=Audit.Status.RUNNING)
    try:
        _compare(report)
    except Exception as error:
        report.status, report.error = Audit.Status.FAILED, str(error)
        if not isinstance(error, EngineError):
            logger.exception("%s failed", report)
    else:
        report.status = Audit.Status.FINISHED
    verdicts = set(report.tables.values_list("verdict", flat=True))
    report.verdict = worst(verdicts)
    report.finished_at = timezone.now()
    report.save()


def worst(verdicts: set[str]) -> str:
    """An audit's verdict: its worst table's."""
    for verdict in (Audit.Verdict.DIFFERS, Audit.Verdict.NOT_CHECKED, Audit.Verdict.COUNTS_ONLY):
        if verdict in verdicts:
            return verdict
    return Audit.Verdict.NOT_CHECKED


def _compare(report: Audit) -> None:
    """Fill in each table of the audit."""
    rows = {row.label: row for row in report.tables.all()}
    tables = chosen_tables(list(rows))
    ends = endpoints(reverse=report.reverse)
    with ends.open_source() as source, ends.open_dest() as dest:
        found, findings = layouts(tables, source, dest)
        states = sequence_states(found, source, dest)
        for layout in found:
            compare_table(rows[layout.label], layout, states.get(layout.label), source, dest)
    for finding in findings:
        row = rows[finding.label]
        if finding.code.startswith("table-missing"):
            row.verdict, row.problem = Audit.Verdict.DIFFERS, finding.message
            row.save()


def compare_table(
    row: AuditedTable,
    layout: Layout,
    state: SequenceState | None,
    source: Database,
    dest: Database,
) -> None:
    """Count one table on both sides and judge."""
    row.source_rows = source.count(layout.source_name)
    row.dest_rows = dest.count(layout.dest_name)
    counting.keep(report_identity(row, "source"), layout.source_name, row.source_rows)
    counting.keep(report_identity(row, "dest"), layout.dest_name, row.dest_rows)
    problems = []
    if row.difference:
        problems.append(
            f"{row.source_rows:,} rows in the source and {row.dest_rows:,} in the destination"
        )
    if state:
        row.max_key, row.next_source = state.max_key, state.next_source
        row.next_dest = state.next_dest
        problems += [state.problem] if state.problem else []
    row.problem = "; ".join(problems)
    row.verdict = Audit.Verdict.DIFFERS if problems else Audit.Verdict.COUNTS_ONLY
    row.save()


def report_identity(row: AuditedTable, side: str) -> str:
    """The physical identity of a side of the audit that the row belongs to."""
    return str(getattr(row.audit, side)["identity"])


# -- After a worker that has vanished -------------------------------------------------------------


def recover(dest_identity: str, silence: timedelta) -> None:
    """End the run of a worker that died on this destination, and put its constraints back."""
    dead = Run.objects.filter(
        active_dest=dest_identity, heartbeat_at__lt=timezone.now() - silence
    ).first()
    if dead is None or not move(
        dead.pk,
        Run.Status.INTERRUPTED,
        who=WORKER,
        finished_at=timezone.now(),
        error="The worker has vanished. Tables that were not finished are empty; start a new run.",
    ):
        return
    with suppress(EngineError), endpoints(reverse=dead.reverse).open_dest() as dest:
        restore_constraints(dead, dest)


def restore_constraints(run: Run, dest: Database) -> list[str]:
    """Put back what the journal says was dropped and not restored; what could not be."""
    problems = []
    for entry in DroppedConstraint.objects.filter(run=run, restored_at=None):
        key = ForeignKey(entry.table, entry.name, (), "", (), entry.definition)
        try:
            dest.restore_foreign_key(key)
        except EngineError as error:
            problems.append(str(error))
        else:
            DroppedConstraint.objects.filter(pk=entry.pk).update(restored_at=timezone.now())
    return problems
