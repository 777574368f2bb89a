"""The engine's listener that writes a run's progress into the control tables."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from migrations_ui.engine.databases.base import ForeignKey
from migrations_ui.engine.errors import Cancelled
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.rejecting import Rejected
from migrations_ui.models import DroppedConstraint, Event, RejectedRow, Run, TableCopy, TableCount

logger = logging.getLogger(__name__)

# Seconds over which the rate is taken.
RATE_WINDOW = 10.0
# When all rows are there, stopping would save no time: the constraints are put back in any case.
FINISHING = {Run.Phase.CONSTRAINTS, Run.Phase.SEQUENCES, Run.Phase.VERIFY}


class Recorder:
    """Keeps progress in memory, writes it at most twice a second, and hears of a cancel."""

    def __init__(self, run: Run) -> None:
        self.run_id = run.pk
        self.dest_identity: str = run.dest["identity"]
        self._rows: dict[str, int] = {}  # by label: rows not written yet
        self._total = 0
        self._samples: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        self._finished = 0
        self._cancelled = threading.Event()
        self._lock = threading.Lock()

    # -- What the ticker does ---------------------------------------------------------------------

    def tick(self) -> None:
        """Write the heartbeat and the progress; look whether somebody wants the run to stop."""
        with self._lock:
            rows, self._rows = self._rows, {}
        for label, copied in rows.items():
            self._table(label).filter(status=TableCopy.Status.COPYING).update(copied_rows=copied)
        Run.objects.filter(pk=self.run_id).update(
            heartbeat_at=timezone.now(), rows_per_second=self._rate()
        )
        if Run.objects.filter(pk=self.run_id, status=Run.Status.CANCELLING).exists():
            self._cancelled.set()

    def _rate(self) -> float | None:
        """Rows a second over the last seconds; None before there is anything to tell."""
        now = time.monotonic()
        self._samples.append((now, self._total))
        while len(self._samples) > 2 and self._samples[1][0] < now - RATE_WINDOW:
            self._samples.popleft()
        then, rows = self._samples[0]
        return (self._total - rows) / (now - then) if self._total > rows and now > then else None

    # -- What the engine tells --------------------------------------------------------------------

    def phase(self, name: str) -> None:
        if name not in FINISHING:
            self.check()
        Run.objects.filter(pk=self.run_id).update(phase=name, heartbeat_at=timezone.now())

    def check(self) -> None:
        """Raise `Cancelled` when the operator has asked to stop."""
        if self._cancelled.is_set():
            raise Cancelled("The run was cancelled.")

    def dropping(self, keys: Sequence[ForeignKey]) -> None:
        DroppedConstraint.objects.bulk_create(
            DroppedConstraint(
                run_id=self.run_id, table=key.table, name=key.name, definition=key.definition
            )
            for key in keys
        )

    def restored(self, key: ForeignKey) -> None:
        DroppedConstraint.objects.filter(
            run_id=self.run_id, table=key.table, name=key.name, restored_at=None
        ).update(restored_at=timezone.now())

    def wiped(self) -> None:
        with transaction.atomic():
            tables = TableCopy.objects.filter(run_id=self.run_id)
            tables.update(wiped=True)
            # What was counted there is gone; nothing stands in its place until it is counted again.
            TableCount.objects.filter(
                database=self.dest_identity, table__in=tables.values("table")
            ).delete()
            self.event("The destination's tables of the selection are empty.")

    def table_started(self, layout: Layout) -> None:
        self.check()
        self._table(layout.label).update(status=TableCopy.Status.COPYING, started_at=timezone.now())

    def table_progress(self, layout: Layout, rows: int) -> None:
        with self._lock:
            self._rows[layout.label] = rows
            self._total = self._finished + rows
        self.check()

    def table_finished(self, layout: Layout, rows: int, rejected: Sequence[Rejected]) -> None:
        with self._lock:
            self._rows.pop(layout.label, None)
            self._finished += rows + len(rejected)
            self._total = self._finished
        with transaction.atomic():
            RejectedRow.objects.bulk_create(
                RejectedRow(run_id=self.run_id, label=layout.label, **vars(row)) for row in rejected
            )
            self._table(layout.label).update(
                status=TableCopy.Status.DONE,
                copied_rows=rows,
                rejected_rows=len(rejected),
                finished_at=timezone.now(),
            )

    def table_failed(self, layout: Layout, error: Exception) -> None:
        with self._lock:
            self._rows.pop(layout.label, None)
        cancelled = isinstance(error, Cancelled)
        self._table(layout.label).update(
            status=TableCopy.Status.CANCELLED if cancelled else TableCopy.Status.FAILED,
            copied_rows=0,
            error="" if cancelled else str(error),
            finished_at=timezone.now(),
        )

    def event(self, what: str) -> None:
        """Write a line of the run's timeline."""
        Event.objects.create(run_id=self.run_id, who="worker", what=what)

    def _table(self, label: str) -> QuerySet[TableCopy]:
        return TableCopy.objects.filter(run_id=self.run_id, label=label)
