"""The destination of a run that has ended, held while something of the run is done once more.

Rejected rows and steps that are tried again write to the destination, and so does what puts indexes
and constraints back.  Who does that takes `Run.active_dest` as an active run does: it is unique, so
of two that want one destination the second is refused, whichever of them is a run.  The hold is
kept by a heartbeat; one that is silent for longer than a lease is a dead worker's.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from migrations_ui.claims import lease
from migrations_ui.engine.errors import EngineError
from migrations_ui.health_models import ControlClock
from migrations_ui.models import Run
from migrations_ui.sides import Refused
from migrations_ui.ticker import Ticker, patiently
from migrations_ui.workers import new_holder

# Seconds without a heartbeat after which it is looked whether the hold is still there.
DOUBTFUL = 5.0


def ended() -> QuerySet[Run]:
    """Runs that are not active, so that nobody but a hold keeps their destination."""
    return Run.objects.exclude(status__in=Run.ACTIVE)


def dead() -> QuerySet[Run]:
    """Ended runs whose destination is held by somebody who is silent for longer than a lease."""
    return ended().filter(active_dest__isnull=False, heartbeat_at__lt=ControlClock() - lease())


def end_dead(dest_identity: str) -> None:
    """Give a destination free that only a dead worker holds, for a run that has ended."""
    dead().filter(active_dest=dest_identity).update(active_dest=None, held_by="", doing="")


def by_whom(dest_identity: str, name: str) -> str:
    """Who has a destination, in a sentence; "" where nobody has."""
    run = Run.objects.filter(active_dest=dest_identity).first()
    if run is None:
        return ""
    if run.is_active:
        return f"{run} is active on {name}."
    return f"{run} keeps {name} to itself: it is {run.doing}."


def take(run: Run, doing: str) -> Hold:
    """Take the destination of an ended run, to be used in a `with`; `Refused` where it is not free.

    `doing` says what for, after "it is".
    """
    hold = Hold(run)
    if not hold.take(doing):
        held = by_whom(run.dest["identity"], run.dest["name"])
        raise Refused(f"{held or f'{run} has changed in this moment.'} Wait until it has ended.")
    return hold


class Hold:
    """The hold, kept until the end of the `with`."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.holder = new_holder()
        self.lost = False
        self._beaten = time.monotonic()
        self._ticker = Ticker(self.beat)

    @patiently
    def take(self, doing: str) -> bool:
        """Whether the destination is this hold's now; one that a dead worker has left is taken."""
        fields: dict[str, Any] = {
            "active_dest": self.run.dest["identity"],
            "held_by": self.holder,
            "heartbeat_at": ControlClock(),
            "doing": doing[:255],
        }
        try:
            with transaction.atomic():
                same = ended().filter(pk=self.run.pk)
                return bool(
                    same.filter(active_dest=None).update(takeovers=0, **fields)
                    or dead().filter(pk=self.run.pk).update(takeovers=F("takeovers") + 1, **fields)
                    # Where the answer to an earlier try was lost.
                    or same.filter(held_by=self.holder).exists()
                )
        except IntegrityError:
            return False

    def beat(self) -> None:
        """Write a sign of life, and learn whether the hold was given to somebody else."""
        mine = ended().filter(pk=self.run.pk, held_by=self.holder)
        self.lost = not mine.update(heartbeat_at=ControlClock())
        self._beaten = time.monotonic()

    def check(self) -> None:
        """Raise where somebody else may have the destination by now.

        A process that was suspended asks before it does anything: it may have been given up.
        """
        if time.monotonic() - self._beaten > DOUBTFUL:
            self.beat()
        if self.lost:
            raise EngineError(
                f"This worker was silent for too long, and {self.run.dest['name']} was given free."
            )

    def __enter__(self) -> Self:
        self._ticker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ticker.end()
        self._give_free()

    @patiently
    def _give_free(self) -> None:
        mine = ended().filter(pk=self.run.pk, held_by=self.holder)
        mine.update(active_dest=None, held_by="", doing="")
