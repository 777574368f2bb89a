"""Comparing both sides: counts and sequences of each table, kept for good."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict

from django.utils import timezone

from migrations_ui import counting
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.layout import Layout, layouts
from migrations_ui.engine.transfer import SequenceState, sequence_states
from migrations_ui.engine.transforms import parse, transformed
from migrations_ui.models import Audit, AuditedTable, Run
from migrations_ui.sides import chosen_tables, endpoints
from migrations_ui.tables import glances

logger = logging.getLogger(__name__)


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


def audit(audit_id: int) -> None:
    """Count both sides, look at the sequences, and write the verdicts: once, then for good."""
    queued = Audit.objects.filter(pk=audit_id, status=Audit.Status.QUEUED)
    if not queued.update(status=Audit.Status.RUNNING):
        return
    report = Audit.objects.get(pk=audit_id)
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
        if report.run:
            found = transformed(found, map(parse, report.run.transforms), source)
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
    row.source_rows = source.count(layout.source_name, layout.filters)
    row.dest_rows = dest.count(layout.dest_name)
    if not layout.filters:
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
        row.sequence_problem = bool(state.problem)
        problems += [state.problem] if state.problem else []
    row.problem = "; ".join(problems)
    row.verdict = Audit.Verdict.DIFFERS if problems else Audit.Verdict.COUNTS_ONLY
    row.save()


def report_identity(row: AuditedTable, side: str) -> str:
    """The physical identity of a side of the audit that the row belongs to."""
    return str(getattr(row.audit, side)["identity"])
