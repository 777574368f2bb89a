"""The engine's ledger in the control tables: phases, plans and journals of a run."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from migrations_ui import claims, journal
from migrations_ui.engine import chunks as parts
from migrations_ui.engine.crew import Stopped
from migrations_ui.engine.databases.base import ForeignKey
from migrations_ui.engine.databases.indexing import Index
from migrations_ui.engine.databases.triggers import Trigger
from migrations_ui.engine.errors import Cancelled, Suspended
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.ledger import Begun
from migrations_ui.health_models import ControlClock
from migrations_ui.models import (
    Chunk,
    DroppedConstraint,
    DroppedIndex,
    RejectedRow,
    Run,
    TableCopy,
    TableCount,
)
from migrations_ui.participant import Participant
from migrations_ui.ticker import patiently

# Seconds over which the rate is taken.
RATE_WINDOW = 10.0
# Seconds between two looks whether other processes are still at work.
LOOK_AGAIN = 0.1
# When all rows are there, a cancel would save no time: the constraints are put back in any case.
FINISHING = {Run.Phase.CONSTRAINTS, Run.Phase.SEQUENCES}


class DestinationLost(Suspended):
    """Another dashboard's run has the destination: nothing may be touched there any more."""


class Recorder(Participant):
    """The part of the worker that a run is on: it plans, wipes, puts back and decides."""

    leads = True

    def __init__(
        self,
        run: Run,
        leaving: threading.Event | None = None,
        on_stop: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(run, leaving, on_stop)
        self.dest_identity: str = run.dest["identity"]
        self._samples: deque[tuple[float, int]] = deque()
        self._phase = ""
        self._is_loaded = False

    # -- What the ticker does ---------------------------------------------------------------------

    def _is_mine(self) -> bool:
        """Write the run's heartbeat; False when another worker has it."""
        return bool(self._mine().update(heartbeat_at=ControlClock()))

    def _mine(self) -> QuerySet[Run]:
        return Run.objects.filter(pk=self.run_id, holder=self.holder, status__in=Run.AT_WORK)

    def _heed(self) -> None:
        self._mine().update(rows_per_second=self._rate())
        if self._phase == Run.Phase.RESTORE:
            return
        status, limit = self._mine().values_list("status", "rate_limit").first() or ("", None)
        self._limit(limit)
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
        late = isinstance(self._stop, Cancelled) and self._phase in FINISHING
        return super()._is_to_stop() and not late

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

    def slowed(self, why: str) -> None:
        """Say why rows are read more slowly just now, if they are."""
        self._mine().exclude(slowed=why).update(slowed=why)

    # -- What the engine tells --------------------------------------------------------------------

    @patiently
    def phase(self, name: str) -> None:
        self._phase = name
        self.check()
        if not self._mine().update(phase=name, doing="", heartbeat_at=ControlClock()):
            raise self.no_more_mine()

    def gives_up(self, error: BaseException) -> bool:
        if isinstance(error, Suspended) or isinstance(self._stop, Suspended):
            return False
        self._stop = None
        self.phase(Run.Phase.RESTORE)
        self.wait_for_others()
        return True

    def wait_for_others(self) -> None:
        """Until no other process that gives signs of life is at a chunk of the run.

        They stop by themselves when it is not loaded any more; of those that can't, the lease ends.
        """
        while claims.others_at_work(self.run_id, self.holder):
            time.sleep(LOOK_AGAIN)

    def abandoned(self) -> list[parts.Chunk]:
        return [self._part(chunk) for chunk in claims.held_by_others(self.run_id, self.holder)]

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
    def switching_off(self, triggers: Sequence[Trigger]) -> None:
        journal.note_triggers(self.run_id, triggers)

    @patiently
    def switched_on(self, trigger: Trigger) -> None:
        journal.strike_trigger(self.run_id, trigger)

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
                raise self.no_more_mine()
            tables = TableCopy.objects.filter(run_id=self.run_id)
            tables.update(wiped=True)
            # What was counted there is gone; nothing stands in its place until it is counted again.
            TableCount.objects.filter(
                database=self.dest_identity, table__in=tables.values("table")
            ).delete()
            self.event("The destination's tables of the selection are empty.")

    @patiently
    def emptied(self, layout: Layout) -> None:
        self._is_loaded = False
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

    @patiently
    def unfinished(self) -> set[str]:
        if self._is_loaded:
            return set()
        chunks = claims.of_run(self.run_id).exclude(status=Chunk.Status.DONE)
        labels = set(chunks.values_list("table__label", flat=True).distinct())
        if not labels:
            self.settle()
            self._is_loaded = True
        return labels

    def settle(self) -> None:
        """Mark the tables whose worker died after their last chunk, before it could mark them."""
        copied = TableCopy.objects.filter(run_id=self.run_id, chunks__isnull=False)
        for table in copied.exclude(status=TableCopy.Status.DONE).distinct():
            self._complete(table.label)

    @patiently
    def failed(self, chunk: parts.Chunk, error: BaseException) -> None:
        if not isinstance(error, Cancelled | Suspended | Stopped):
            self._table(chunk.layout.label).update(
                status=TableCopy.Status.FAILED, error=str(error), finished_at=timezone.now()
            )
        super().failed(chunk, error)
