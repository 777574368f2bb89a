"""The engine's listener that writes an audit's progress and findings into the control tables."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque

from django.db import transaction
from django.db.models import F, QuerySet

from migrations_ui.engine.comparing import Comparison
from migrations_ui.engine.errors import Cancelled, EngineError, Suspended
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.persisting import PAUSES, pause
from migrations_ui.health_models import ControlClock
from migrations_ui.models import Audit, AuditedTable, Difference, Run
from migrations_ui.throttle import Throttle
from migrations_ui.ticker import patiently

logger = logging.getLogger(__name__)

# Seconds over which the rate is taken.
RATE_WINDOW = 10.0


class AuditRecorder:
    """Keeps progress in memory, writes it at most twice a second, and hears when it is to stop.

    `leaving` is set when this process is to stop.
    """

    def __init__(
        self, audit: Audit, throttle: Throttle, leaving: threading.Event | None = None
    ) -> None:
        self.audit_id = audit.pk
        self.throttle = throttle
        self.leaving = leaving or threading.Event()
        self.run_id = audit.run_id
        self._rows: Counter[str] = Counter()  # by label: rows not written yet
        self._ended: deque[tuple[Layout, Comparison | EngineError]] = deque()
        self._total = 0
        self._samples: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        self._stop: EngineError | None = None
        self._lock = threading.Lock()
        self._writing = threading.Lock()

    # -- What the engine's threads tell -----------------------------------------------------------

    def progress(self, layout: Layout, rows: int) -> None:
        with self._lock:
            self._rows[layout.label] += rows
            self._total += rows
        self.check()
        self.throttle.more(max(0, rows), self.check)

    def compared(self, layout: Layout, found: Comparison) -> None:
        self._ended.append((layout, found))

    def failed(self, layout: Layout, error: EngineError) -> None:
        self._ended.append((layout, error))

    def check(self) -> None:
        """Raise `Cancelled`, or `Suspended`, when it is to stop."""
        if self._stop:
            raise self._stop

    def again(self, error: EngineError, attempt: int) -> bool:
        if attempt > len(PAUSES):
            return False
        self._note(error)
        pause(attempt, self.check)
        return True

    @patiently
    def _note(self, error: EngineError) -> None:
        """Say that something has to be tried again; the run whose audit it is counts it."""
        logger.warning("audit %s: tried again after: %s", self.audit_id, error)
        self._mine().update(doing=f"trying again after: {error}"[:255])
        if self.run_id:
            runs = Run.objects.filter(pk=self.run_id)
            runs.update(retries=F("retries") + 1, last_retry=str(error))

    # -- What is written --------------------------------------------------------------------------

    def tick(self) -> None:
        """Write the heartbeat, the progress and what was found; look whether to stop."""
        with self._writing:
            with self._lock:
                rows, self._rows = self._rows, Counter()
            for label, compared in rows.items():
                self._table(label).update(
                    compared_rows=F("compared_rows") + compared,
                    status=AuditedTable.Status.COMPARING,
                )
            while self._ended:
                self._keep(*self._ended[0])
                self._ended.popleft()
            self._mine().update(heartbeat_at=ControlClock(), rows_per_second=self._rate())
        if self._is_cancelled():
            self._stop = Cancelled("The audit was cancelled.")
        elif self.leaving.is_set():
            self._stop = Suspended("The worker was stopped. The next one begins anew.")

    def doing(self, what: str) -> None:
        """Say what the audit is at."""
        self.check()
        self._mine().update(doing=what)

    def event(self, what: str) -> None:
        """An audit has no timeline."""
        logger.info("audit %s: %s", self.audit_id, what)

    def slowed(self, why: str) -> None:
        """Say why rows are read more slowly just now, if they are."""
        what = f"comparing every cell, more slowly: {why}" if why else "comparing every cell"
        self._mine().update(doing=what[:255])

    def _is_cancelled(self) -> bool:
        if self._mine().filter(status=Audit.Status.CANCELLING).exists():
            return True
        if self.run_id is None:
            return False
        return Run.objects.filter(pk=self.run_id, status=Run.Status.CANCELLING).exists()

    def _keep(self, layout: Layout, found: Comparison | EngineError) -> None:
        """Write what was found of a table; its verdict has to wait for the look at the rest."""
        table = self._table(layout.label).get()
        table.status = AuditedTable.Status.DONE
        if isinstance(found, EngineError):
            table.problem = table.other_problem = f"It could not be compared: {found}"
            table.save()
            return
        table.source_rows, table.dest_rows = found.rows_source, found.rows_dest
        table.missing, table.extra = found.missing, found.extra
        table.different, table.rejected = found.different, found.rejected
        table.computed = found.computed
        table.source_digest, table.dest_digest = found.digest_source, found.digest_dest
        if not found.is_identical:
            table.verdict = Audit.Verdict.DIFFERS
        with transaction.atomic():
            table.save()
            Difference.objects.bulk_create(
                (
                    Difference(table=table, **vars(one))
                    for one in (*found.differences, *found.computed_differences)
                ),
                batch_size=200,
            )

    def _rate(self) -> float | None:
        """Rows a second over the last seconds; None before there is anything to tell."""
        now = time.monotonic()
        self._samples.append((now, self._total))
        while len(self._samples) > 2 and self._samples[1][0] < now - RATE_WINDOW:
            self._samples.popleft()
        then, rows = self._samples[0]
        return (self._total - rows) / (now - then) if self._total > rows and now > then else None

    def _mine(self) -> QuerySet[Audit]:
        return Audit.objects.filter(pk=self.audit_id)

    def _table(self, label: str) -> QuerySet[AuditedTable]:
        return AuditedTable.objects.filter(audit_id=self.audit_id, label=label)
