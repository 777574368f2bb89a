"""What every process that loads chunks of a run keeps in the control tables, and heeds."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from migrations_ui import claims, workers
from migrations_ui.claims import LeaseLost
from migrations_ui.engine import chunks as parts
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.persisting import PAUSES, pause
from migrations_ui.engine.rejecting import Rejected
from migrations_ui.models import Chunk, Event, RejectedRow, Run, TableCopy
from migrations_ui.throttle import Throttle
from migrations_ui.ticker import patiently

logger = logging.getLogger(__name__)


class Participant(ABC):
    """Keeps progress in memory, writes it at most twice a second, and hears when it is to stop.

    The engine calls it from several threads, the ticker from one more.  `leaving` is set when this
    process is to stop; `on_stop` is called with every tick while something that works for the run
    has to end.
    """

    leads = False  # it is the run's own worker, which decides what becomes of it

    def __init__(
        self,
        run: Run,
        leaving: threading.Event | None = None,
        on_stop: Callable[[], object] = lambda: None,
    ) -> None:
        self.run_id = run.pk
        self.leaving = leaving or threading.Event()
        self.on_stop = on_stop
        self.holder = workers.new_holder()
        self.layouts: dict[str, Layout] = {}  # what is copied, by label
        self._rows: dict[int, int] = {}  # by chunk: rows not written yet
        self._keys: dict[tuple[str, int], int] = {}  # of chunks that were begun here
        self._held: set[int] = set()  # of those that are not done
        self._stop: EngineError | None = None
        self.throttle = Throttle(run.rate_limit)
        self._lock = threading.Lock()
        self._claiming = threading.Lock()

    @abstractmethod
    def _mine(self) -> QuerySet[Run]:
        """The run, for as long as this process has to do with it."""

    @abstractmethod
    def _is_mine(self) -> bool:
        """Whether it still has."""

    @abstractmethod
    def _heed(self) -> None:
        """Take note of what the operator or the process wants."""

    # -- What the ticker does ---------------------------------------------------------------------

    def tick(self) -> None:
        """Write the heartbeats and the progress; look whether somebody wants it to stop."""
        if not self._is_mine():
            self._stop = self.no_more_mine()
            self.on_stop()
            return
        with self._lock:
            rows, self._rows = self._rows, {}
        held = Chunk.objects.filter(holder=self.holder, status=Chunk.Status.COPYING)
        for pk, copied in rows.items():
            held.filter(pk=pk).update(copied_rows=copied)
        claims.keep(self.holder, list(self._held))
        for table in TableCopy.objects.filter(run_id=self.run_id, chunks__pk__in=rows).distinct():
            self._sum_up(table, status=TableCopy.Status.COPYING)
        self._heed()

    def no_more_mine(self) -> EngineError:
        """What is to be said where the run is not this process's matter any more."""
        return LeaseLost(f"Run {self.run_id}: another worker has taken over.")

    def _limit(self, rows: int | None) -> None:
        """Keep to this process's share of so many rows a second for the run."""
        self.throttle.limit = rows and max(1, rows // max(1, claims.at_work(self.run_id)))

    def _is_to_stop(self) -> bool:
        """Whether to stop at this very point."""
        return self._stop is not None

    def _sum_up(self, table: TableCopy, **only: str) -> None:
        """Let the table have the rows of its chunks, if it is still as `only` says."""
        claims.sum_up(table, **only)

    # -- What the engine tells --------------------------------------------------------------------

    def check(self) -> None:
        """Raise `Cancelled`, or `Suspended`, when it is to stop here."""
        if self._stop and self._is_to_stop():
            raise self._stop

    def again(self, error: EngineError, attempt: int) -> bool:
        if attempt > len(PAUSES):
            return False
        self._note(error)
        pause(attempt, self.check)
        return True

    @patiently
    def _note(self, error: EngineError) -> None:
        """Count a try that has to be repeated."""
        logger.warning("run %s: tried again after: %s", self.run_id, error)
        self._mine().update(retries=F("retries") + 1, last_retry=str(error))

    def claim(self) -> parts.Chunk | None:
        """The next chunk; None when there is none to take just now."""
        self.check()
        with self._claiming:
            found = claims.claim(self.run_id, self.holder, leads=self.leads)
            if found:
                self._held.add(found.pk)
        return self._begin(found) if found else None

    @patiently
    def _begin(self, found: Chunk) -> parts.Chunk:
        table = found.table
        TableCopy.objects.filter(pk=table.pk, started_at=None).update(started_at=timezone.now())
        others = TableCopy.objects.exclude(status=TableCopy.Status.FAILED)  # these stay so
        others.filter(pk=table.pk).update(status=TableCopy.Status.COPYING)
        self._keys[table.label, found.position] = found.pk
        return self._part(found)

    def _part(self, found: Chunk) -> parts.Chunk:
        """A chunk of the control tables, as the engine has it."""
        return parts.Chunk(
            layout=self.layouts[found.table.label],
            position=found.position,
            keys=claims.key_range(found.keys),
            size=found.size,
            again=found.attempts > 0,
        )

    def progress(self, chunk: parts.Chunk, rows: int) -> None:
        pk = self.pk_of(chunk)
        with self._lock:
            self._rows[pk] = rows
        self.check()
        self.throttle.read(pk, rows, self.check)

    def confirm(self, chunk: parts.Chunk) -> None:
        if not (self._holds(chunk) and self._is_mine()):
            raise LeaseLost(f"{chunk.name}: another worker has taken over.")

    @patiently
    def _holds(self, chunk: parts.Chunk) -> bool:
        return claims.holds(self.pk_of(chunk), self.holder)

    def finished(self, chunk: parts.Chunk, rows: int, rejected: Sequence[Rejected]) -> None:
        self._done(chunk, rows, rejected)
        self._held.discard(self.pk_of(chunk))
        self._complete(chunk.layout.label)

    @patiently
    def _done(self, chunk: parts.Chunk, rows: int, rejected: Sequence[Rejected]) -> None:
        """Mark the chunk as done; by itself, because it can't be marked a second time."""
        pk, label = self.pk_of(chunk), chunk.layout.label
        with self._lock:
            self._rows.pop(pk, None)
        with transaction.atomic():
            if not claims.done(pk, self.holder, rows, len(rejected)):
                raise LeaseLost(f"{chunk.name}: another worker has taken over.")
            RejectedRow.objects.bulk_create(
                RejectedRow(run_id=self.run_id, label=label, **vars(row)) for row in rejected
            )

    @patiently
    def _complete(self, label: str) -> None:
        """Mark the table as done where its last chunk is.

        After the commit, because two that end in the same moment do not see each other before.
        """
        left = claims.of_run(self.run_id).filter(table__label=label)
        if not left.exclude(status=Chunk.Status.DONE).exists():
            self._table(label).exclude(status=TableCopy.Status.DONE).update(
                status=TableCopy.Status.DONE, error="", finished_at=timezone.now()
            )
        # Only now: the ticker, which may have added up before the last chunk, writes no more then.
        self._sum_up(self._table(label).get())

    @patiently
    def failed(self, chunk: parts.Chunk, error: BaseException) -> None:
        """The chunk is somebody else's to take; what the error means for the run, others say."""
        pk = self.pk_of(chunk)
        with self._lock:
            self._rows.pop(pk, None)
        claims.give_up(pk, self.holder)
        self._held.discard(pk)
        self._sum_up(self._table(chunk.layout.label).get())

    def pk_of(self, chunk: parts.Chunk) -> int:
        return self._keys[chunk.layout.label, chunk.position]

    # -- The rest ---------------------------------------------------------------------------------

    def event(self, what: str) -> None:
        """Write a line of the run's timeline."""
        Event.objects.create(run_id=self.run_id, who="worker", what=what)

    def _table(self, label: str) -> QuerySet[TableCopy]:
        return TableCopy.objects.filter(run_id=self.run_id, label=label)
