"""The engine's ledger in the control tables: progress, claims and journals of a run."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from uuid import uuid4

from django.db import transaction
from django.db.models import F, QuerySet, Sum
from django.utils import timezone

from migrations_ui import claims, journal
from migrations_ui.engine import chunks as parts
from migrations_ui.engine.crew import Stopped
from migrations_ui.engine.databases.base import ForeignKey
from migrations_ui.engine.databases.indexing import Index
from migrations_ui.engine.errors import Cancelled, EngineError, Suspended
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.ledger import Begun
from migrations_ui.engine.persisting import PAUSES, pause
from migrations_ui.engine.rejecting import Rejected
from migrations_ui.models import (
    Chunk,
    DroppedConstraint,
    DroppedIndex,
    Event,
    RejectedRow,
    Run,
    TableCopy,
    TableCount,
)
from migrations_ui.throttle import Throttle
from migrations_ui.ticker import patiently

logger = logging.getLogger(__name__)

# Seconds over which the rate is taken.
RATE_WINDOW = 10.0
# Seconds between two looks for a chunk that another process has abandoned.
LOOK_AGAIN = 0.5
# When all rows are there, a cancel would save no time: the constraints are put back in any case.
FINISHING = {Run.Phase.CONSTRAINTS, Run.Phase.SEQUENCES}


class LeaseLost(Suspended):
    """Another worker has taken over what this one was at, because it was silent for too long."""


class DestinationLost(Suspended):
    """Another dashboard's run has the destination: nothing may be touched there any more."""


class Recorder:
    """Keeps progress in memory, writes it at most twice a second, and hears of a cancel.

    The engine calls it from several threads, the ticker from one more.  `leaving` is set when this
    process is to stop; `on_stop` is called with every tick while something that works for the run
    has to end.
    """

    def __init__(
        self,
        run: Run,
        leaving: threading.Event | None = None,
        on_stop: Callable[[], object] = lambda: None,
    ) -> None:
        self.run_id = run.pk
        self.leaving = leaving or threading.Event()
        self.on_stop = on_stop
        self.dest_identity: str = run.dest["identity"]
        self.holder = uuid4().hex
        self.layouts: dict[str, Layout] = {}  # what is copied, by label
        self._rows: dict[int, int] = {}  # by chunk: rows not written yet
        self._keys: dict[tuple[str, int], int] = {}  # the chunks that are held here
        self._samples: deque[tuple[float, int]] = deque()
        self._stop: EngineError | None = None
        self.throttle = Throttle(run.rate_limit)
        self._phase = ""
        self._lock = threading.Lock()
        self._claiming = threading.Lock()

    # -- What the ticker does ---------------------------------------------------------------------

    def tick(self) -> None:
        """Write the heartbeat and the progress; look whether somebody wants the run to stop."""
        if not self._is_mine():
            self._stop = LeaseLost(f"Run {self.run_id}: another worker has taken over.")
            self.on_stop()
            return
        with self._lock:
            rows, self._rows = self._rows, {}
        held = Chunk.objects.filter(holder=self.holder, status=Chunk.Status.COPYING)
        for pk, copied in rows.items():
            held.filter(pk=pk).update(copied_rows=copied)
        claims.keep(self.holder)
        for table in TableCopy.objects.filter(run_id=self.run_id, chunks__pk__in=rows).distinct():
            self._sum_up(table, status=TableCopy.Status.COPYING)
        self._mine().update(rows_per_second=self._rate())
        if self._phase != Run.Phase.RESTORE:
            self._heed()

    def _is_mine(self) -> bool:
        """Write the run's heartbeat; False when another worker has it."""
        return bool(self._mine().update(heartbeat_at=timezone.now()))

    def _mine(self) -> QuerySet[Run]:
        return Run.objects.filter(pk=self.run_id, holder=self.holder, status__in=Run.AT_WORK)

    def _heed(self) -> None:
        """Take note of what the operator or the process wants, once."""
        asked = self._mine().values_list("status", "rate_limit").first()
        status, self.throttle.limit = asked or ("", None)
        if self._stop:
            pass
        elif status == Run.Status.CANCELLING:
            self._stop = Cancelled("The run was cancelled.")
        elif status == Run.Status.PAUSING:
            self._stop = Suspended("The worker has paused.")
        elif self.leaving.is_set():
            self._stop = Suspended("The worker was stopped. The next one goes on from there.")
        else:
            return
        if self._is_to_stop():
            self.on_stop()

    def give_way(self) -> None:
        """Another dashboard's run has taken the destination."""
        self._stop = DestinationLost(
            "Another Cutover, with a control database of its own, has taken the destination while "
            "its server was away. What is in the tables of this run is not certain any more."
        )

    def _is_to_stop(self) -> bool:
        """Whether to stop at this very point."""
        late = isinstance(self._stop, Cancelled) and self._phase in FINISHING
        return self._stop is not None and not late

    def _sum_up(self, table: TableCopy, **only: str) -> None:
        """Let the table have the rows of its chunks, if it is still as `only` says."""
        TableCopy.objects.filter(pk=table.pk, **only).update(
            **table.chunks.aggregate(
                copied_rows=Sum("copied_rows", default=0),
                rejected_rows=Sum("rejected_rows", default=0),
            )
        )

    def _rate(self) -> float | None:
        """Rows a second over the last seconds; None before there is anything to tell."""
        sums = TableCopy.objects.filter(run_id=self.run_id).aggregate(rows=Sum("copied_rows"))
        total = sums["rows"] or 0
        now = time.monotonic()
        self._samples.append((now, total))
        while len(self._samples) > 2 and self._samples[1][0] < now - RATE_WINDOW:
            self._samples.popleft()
        then, rows = self._samples[0]
        return (total - rows) / (now - then) if total > rows and now > then else None

    # -- What the engine tells --------------------------------------------------------------------

    def check(self) -> None:
        """Raise `Cancelled`, or `Suspended`, when the run is to stop here."""
        if self._stop and self._is_to_stop():
            raise self._stop

    @patiently
    def phase(self, name: str) -> None:
        self._phase = name
        self.check()
        now = timezone.now()
        if not self._mine().update(phase=name, doing="", heartbeat_at=now):
            raise LeaseLost(f"Run {self.run_id}: another worker has taken over.")

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

    def gives_up(self, error: BaseException) -> bool:
        if isinstance(error, Suspended) or isinstance(self._stop, Suspended):
            return False
        self._stop = None
        self.phase(Run.Phase.RESTORE)
        return True

    @patiently
    def dropping(self, keys: Sequence[ForeignKey], indexes: Sequence[Index]) -> None:
        """Each once, even where an earlier attempt has noted it down."""
        noted = {
            (table, name)
            for model in (DroppedConstraint, DroppedIndex)
            for table, name in model.objects.filter(
                run_id=self.run_id, restored_at=None
            ).values_list("table", "name")
        }
        keys = [key for key in keys if (key.table, key.name) not in noted]
        indexes = [index for index in indexes if (index.table, index.name) not in noted]
        with transaction.atomic():
            DroppedConstraint.objects.bulk_create(
                DroppedConstraint(
                    run_id=self.run_id,
                    table=key.table,
                    name=key.name,
                    definition=key.definition,
                    facts=asdict(key),
                )
                for key in keys
            )
            DroppedIndex.objects.bulk_create(
                DroppedIndex(
                    run_id=self.run_id, table=index.table, name=index.name, facts=index.to_json()
                )
                for index in indexes
            )

    @patiently
    def restored(self, key: ForeignKey) -> None:
        DroppedConstraint.objects.filter(
            run_id=self.run_id, table=key.table, name=key.name, restored_at=None
        ).update(restored_at=timezone.now())

    def building(self, indexes: Sequence[Index]) -> None:
        what = f"{len(indexes)} index{'es' * (len(indexes) > 1)} of {indexes[0].table}"
        Run.objects.filter(pk=self.run_id).update(doing=what[:255])

    @patiently
    def built(self, indexes: Sequence[Index]) -> None:
        for index in indexes:
            DroppedIndex.objects.filter(
                run_id=self.run_id, table=index.table, name=index.name, restored_at=None
            ).update(restored_at=timezone.now())

    @patiently
    def wiped(self) -> None:
        with transaction.atomic():
            if not self._is_mine():
                raise LeaseLost(f"Run {self.run_id}: another worker has taken over.")
            tables = TableCopy.objects.filter(run_id=self.run_id)
            tables.update(wiped=True)
            # What was counted there is gone; nothing stands in its place until it is counted again.
            TableCount.objects.filter(
                database=self.dest_identity, table__in=tables.values("table")
            ).delete()
            self.event("The destination's tables of the selection are empty.")

    @patiently
    def emptied(self, layout: Layout) -> None:
        claims.reset(Chunk.objects.filter(table__run=self.run_id, table__label=layout.label))
        self._table(layout.label).update(copied_rows=0, rejected_rows=0)
        RejectedRow.objects.filter(run_id=self.run_id, label=layout.label).delete()

    # -- Chunks -----------------------------------------------------------------------------------

    @property
    def begun(self) -> Begun | None:
        """A run that was wiped and cut before goes on from there."""
        wiped = TableCopy.objects.filter(run_id=self.run_id, wiped=True)
        if not (wiped.exists() and claims.of_run(self.run_id).exists()):
            return None
        unfinished = claims.of_run(self.run_id).exclude(status=Chunk.Status.DONE)
        labels = unfinished.values_list("table__label", flat=True).distinct()
        return Begun(frozenset(labels), *journal.taken_off(self.run_id))

    @patiently
    def planned(self, chunks: Sequence[parts.Chunk]) -> None:
        tables = dict(TableCopy.objects.filter(run_id=self.run_id).values_list("label", "pk"))
        with transaction.atomic():
            for label, layout in self.layouts.items():
                self._table(label).update(signature=layout.signature)
            claims.of_run(self.run_id).delete()
            Chunk.objects.bulk_create(
                Chunk(
                    table_id=tables[chunk.layout.label],
                    position=chunk.position,
                    keys=chunk.keys and chunk.keys._asdict(),
                    size=chunk.size,
                )
                for chunk in chunks
            )

    def claim(self) -> parts.Chunk | None:
        """The next chunk; None when none is left, not even one that another process may lose."""
        while True:
            self.check()
            with self._claiming:
                found = claims.claim(self.run_id, self.holder)
            if found:
                return self._begin(found)
            if not claims.held_by_others(self.run_id, self.holder):
                return None
            time.sleep(LOOK_AGAIN)

    @patiently
    def _begin(self, found: Chunk) -> parts.Chunk:
        table = found.table
        TableCopy.objects.filter(pk=table.pk, started_at=None).update(started_at=timezone.now())
        others = TableCopy.objects.exclude(status=TableCopy.Status.FAILED)  # these stay so
        others.filter(pk=table.pk).update(status=TableCopy.Status.COPYING)
        self._keys[table.label, found.position] = found.pk
        return parts.Chunk(
            layout=self.layouts[table.label],
            position=found.position,
            keys=claims.key_range(found.keys),
            size=found.size,
            again=found.attempts > 0,
        )

    def progress(self, chunk: parts.Chunk, rows: int) -> None:
        pk = self._pk(chunk)
        with self._lock:
            self._rows[pk] = rows
        self.check()
        self.throttle.read(pk, rows, self.check)

    def confirm(self, chunk: parts.Chunk) -> None:
        if not (self._holds(chunk) and self._is_mine()):
            raise LeaseLost(f"{chunk.name}: another worker has taken over.")

    @patiently
    def _holds(self, chunk: parts.Chunk) -> bool:
        return claims.holds(self._pk(chunk), self.holder)

    def finished(self, chunk: parts.Chunk, rows: int, rejected: Sequence[Rejected]) -> bool:
        self._done(chunk, rows, rejected)
        return self._is_complete(chunk.layout.label)

    @patiently
    def _done(self, chunk: parts.Chunk, rows: int, rejected: Sequence[Rejected]) -> None:
        """Mark the chunk as done; by itself, because it can't be marked a second time."""
        pk, label = self._pk(chunk), chunk.layout.label
        with self._lock:
            self._rows.pop(pk, None)
        with transaction.atomic():
            if not claims.done(pk, self.holder, rows, len(rejected)):
                raise LeaseLost(f"{chunk.name}: another worker has taken over.")
            RejectedRow.objects.bulk_create(
                RejectedRow(run_id=self.run_id, label=label, **vars(row)) for row in rejected
            )

    @patiently
    def _is_complete(self, label: str) -> bool:
        """Whether this worker's chunk was the table's last: of several at once, one hears so.

        After the commit, because two that end in the same moment do not see each other before.
        """
        left = Chunk.objects.filter(table__run=self.run_id, table__label=label)
        complete = not left.exclude(status=Chunk.Status.DONE).exists() and bool(
            self._table(label)
            .exclude(status=TableCopy.Status.DONE)
            .update(status=TableCopy.Status.DONE, error="", finished_at=timezone.now())
        )
        # Only now: the ticker, which may have added up before the last chunk, writes no more then.
        self._sum_up(self._table(label).get())
        return complete

    def settle(self) -> None:
        """Mark the tables whose worker died after their last chunk, before it could mark them."""
        for table in TableCopy.objects.filter(run_id=self.run_id, chunks__isnull=False).distinct():
            self._is_complete(table.label)

    @patiently
    def failed(self, chunk: parts.Chunk, error: BaseException) -> None:
        pk = self._pk(chunk)
        with self._lock:
            self._rows.pop(pk, None)
        table = self._table(chunk.layout.label)
        if not isinstance(error, Cancelled | Suspended | Stopped):
            now = timezone.now()
            table.update(status=TableCopy.Status.FAILED, error=str(error), finished_at=now)
        claims.give_up(pk, self.holder)
        self._sum_up(table.get())

    def _pk(self, chunk: parts.Chunk) -> int:
        return self._keys[chunk.layout.label, chunk.position]

    # -- The rest ---------------------------------------------------------------------------------

    def event(self, what: str) -> None:
        """Write a line of the run's timeline."""
        Event.objects.create(run_id=self.run_id, who="worker", what=what)

    def _table(self, label: str) -> QuerySet[TableCopy]:
        return TableCopy.objects.filter(run_id=self.run_id, label=label)
