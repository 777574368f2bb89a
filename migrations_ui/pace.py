"""How far a whole run or audit is, how fast it goes, and when it will be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import DurationField, ExpressionWrapper, F, QuerySet, Sum
from django.utils import timezone

from migrations_ui.health_models import ControlClock
from migrations_ui.models import Audit, AuditedTable, Run

# Seconds without a heartbeat after which the page says so.
STALLED_AFTER = 10


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
    silent: float | None = None  # since the last sign of life of the worker, if one is on it


def silences(jobs: QuerySet[Run] | QuerySet[Audit]) -> dict[int, float]:
    """Seconds since each was last heard of, by the clock that wrote it: the control database's."""
    age = ExpressionWrapper(ControlClock() - F("heartbeat_at"), output_field=DurationField())
    heard = jobs.exclude(heartbeat_at=None).annotate(silence=age)
    return {pk: max(0.0, age.total_seconds()) for pk, age in heard.values_list("pk", "silence")}


def silence(job: Run | Audit) -> float | None:
    """The same of one; None where nobody was on it yet."""
    same: QuerySet[Run] | QuerySet[Audit] = type(job)._default_manager.filter(pk=job.pk)
    return silences(same).get(job.pk)


def run_progress(run: Run) -> RunProgress:
    """What the run's page shows above its tables: one query, which adds up in the database."""
    done_rows = "compared_rows" if run.mode == Run.Mode.CATCH_UP else "copied_rows"
    sums = run.tables.aggregate(rows=Sum(done_rows, default=0), total=Sum("source_rows", default=0))
    rows, total = sums["rows"], sums["total"]
    now = run.finished_at or timezone.now()
    done = run.status == Run.Status.SUCCEEDED
    left = max(0, total - rows)
    silent = silence(run) if run.status in Run.AT_WORK else None
    stalled = silent is not None and silent >= STALLED_AFTER
    rate = run.rows_per_second if run.is_active and not stalled else None
    return RunProgress(
        rows=rows,
        total=total,
        percent=100 if done else min(99, rows * 100 // total) if total else None,
        rate=rate,
        eta=left / min(rate, run.rate_limit or rate)
        if rate and left and run.phase == Run.Phase.LOAD
        else None,
        elapsed=(now - run.started_at).total_seconds() if run.started_at else None,
        stalled_for=silent if stalled else None,
        silent=silent,
    )


def audit_progress(audit: Audit, tables: Sequence[AuditedTable]) -> RunProgress:
    """What the audit's page shows above its tables."""
    rows = sum(table.compared_rows for table in tables)
    total = sum(table.expected_rows or table.compared_rows for table in tables)
    now = audit.finished_at or timezone.now()
    silent = silence(audit) if audit.is_active else None
    stalled = silent is not None and silent >= STALLED_AFTER
    rate = audit.rows_per_second if audit.is_active and not stalled else None
    left = max(0, total - rows)
    done = audit.status == Audit.Status.FINISHED
    return RunProgress(
        rows=rows,
        total=total,
        percent=100 if done else min(99, rows * 100 // total) if total else None,
        rate=rate,
        eta=left / rate if rate and left else None,
        elapsed=(now - audit.started_at).total_seconds() if audit.started_at else None,
        stalled_for=silent if stalled else None,
        silent=silent,
    )
