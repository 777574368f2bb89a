"""Which run copied a table last from this source onto this destination, and what it set aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from migrations_ui.engine.layout import Layout
from migrations_ui.models import Audit, RejectedRow, Run, TableCopy


def last_runs(report: Audit, labels: Sequence[str]) -> dict[str, Run]:
    """For each table the run that copied it last, if any: that of the audit, if it did."""
    own = report.run if report.run and report.run.mode == Run.Mode.COPY else None
    return last_copies(report.source["identity"], report.dest["identity"], labels, own)


def last_copies(
    source: str, dest: str, labels: Sequence[str], own: Run | None = None
) -> dict[str, Run]:
    """For each table the run that copied it last from this source onto this destination."""
    copies = TableCopy.objects.filter(
        label__in=labels,
        status=TableCopy.Status.DONE,
        run__mode=Run.Mode.COPY,
        run__source__identity=source,
        run__dest__identity=dest,
    )
    if own:
        copies = copies.filter(run=own)
    last = dict(copies.order_by("run_id").values_list("label", "run_id"))
    runs = Run.objects.in_bulk(set(last.values()))  # each once: what a run keeps of tables is large
    return {label: runs[run] for label, run in last.items()}


def rejected(runs: Mapping[str, Run], found: Sequence[Layout]) -> dict[str, list[bytes]]:
    """For each table the rows that its run has set aside and that have not arrived since."""
    signatures = {layout.label: layout.signature for layout in found}
    aside: dict[str, list[bytes]] = {label: [] for label in runs}
    rows = RejectedRow.objects.filter(arrived_at=None, run__in=set(runs.values()))
    for row in rows.iterator():
        run = runs.get(row.label)
        if run and run.pk == row.run_id and row.signature == signatures.get(row.label):
            aside[row.label].append(bytes(row.row).rstrip(b"\n"))
    return aside
