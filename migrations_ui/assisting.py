"""Taking part in the load of a run that another process leads, on this machine or another.

1. The patrol of a worker that has nothing else to do finds a run that is being loaded, of which a
   chunk waits that nobody has begun with, and whose worker runs the same code.
2. It looks at both databases itself: they must be those that were confirmed, with the same columns.
3. It claims chunks and copies them as the run's own worker does, with as many threads.  It does
   nothing else: it wipes nothing, builds no index, and ends no run.
4. It stops as soon as the run is another worker's, is not running, or is not being loaded any more.
   A chunk that it can't copy it gives up; the run's own worker tries that one next.
"""

from __future__ import annotations

import logging
from threading import Lock

from django.db.models import QuerySet

from migrations_ui import claims, execution, resuming, workers
from migrations_ui.allowance import SharedAllowance
from migrations_ui.engine import chunks as parts
from migrations_ui.engine.databases import class_of
from migrations_ui.engine.errors import EngineError, Suspended
from migrations_ui.engine.loading import Assistance
from migrations_ui.engine.transforms import parse, transformed
from migrations_ui.health_models import ControlClock
from migrations_ui.links import Links
from migrations_ui.models import Chunk, Run
from migrations_ui.participant import Participant
from migrations_ui.sides import Refused, endpoints
from migrations_ui.ticker import Ticker, leaving

logger = logging.getLogger(__name__)

# The runs, each with its worker, in which this process was of no use.
_useless: set[tuple[int, str]] = set()


class Assistant(Participant):
    """The part of a process that only copies chunks of a run."""

    def __init__(self, run: Run) -> None:
        super().__init__(run, leaving)
        self.leader = run.holder
        self._joined = False
        self._joining = Lock()

    def _mine(self) -> QuerySet[Run]:
        return loading().filter(pk=self.run_id, holder=self.leader)

    def _is_mine(self) -> bool:
        return self._mine().exists()

    def no_more_mine(self) -> EngineError:
        return Suspended("The run is not being loaded by that worker any more.")

    def _heed(self) -> None:
        self._limit(self._mine().values_list("rate_limit", flat=True).first())
        if self.leaving.is_set():
            self._stop = Suspended("This process is to stop.")
            self.on_stop()

    def claim(self) -> parts.Chunk | None:
        """A chunk, as long as the run's own worker loads at full speed; the first is an event."""
        if not self._mine().filter(slowed="").exists():
            return None
        chunk = super().claim()
        with self._joining:
            if chunk and not self._joined:
                self._joined = True
                self.event(f"The worker {workers.here()} takes part.")
        return chunk

    def leave(self, why: str) -> None:
        """Say what has become of it, if it had taken part."""
        if self._joined:
            done = claims.of_run(self.run_id).filter(holder=self.holder, status=Chunk.Status.DONE)
            chunks = done.count()
            noun = "chunk" if chunks == 1 else "chunks"
            self.event(
                f"The worker {workers.here()} has copied {chunks:,} {noun} and takes part no more."
                f"{why and f' {why}'}"
            )


def loading() -> QuerySet[Run]:
    """Runs whose chunks are being copied."""
    return Run.objects.filter(status=Run.Status.RUNNING, phase=Run.Phase.LOAD)


def in_need() -> Run | None:
    """A run in whose load this process can take part."""
    alive = loading().filter(slowed="", heartbeat_at__gte=ControlClock() - claims.lease())
    # Two releases may convert a value, or keep a chunk, in different ways.
    alike = alive.filter(workers.of_this_code())
    for run in alike.exclude(pk__in=execution.leading).order_by("pk"):
        if (
            (run.pk, run.holder) not in _useless
            and not is_alone(run)
            and claims.untried(run.pk).exists()
        ):
            return run
    return None


def is_alone(run: Run) -> bool:
    """Whether nobody can help: a file is on one machine only."""
    ends = endpoints(reverse=run.reverse)
    return any(class_of(config).is_a_file for config in (ends.source, ends.dest))


def assist(run: Run) -> None:
    """Copy chunks of a run until there is none to take, or the run goes on without this process."""
    assistant = Assistant(run)
    links = Links(endpoints(reverse=run.reverse))
    assistant.on_stop = links.interrupt
    ticker = Ticker(assistant.tick)
    logger.info("%s is being loaded by another worker: this one looks whether it can help", run)
    why = ""
    try:
        prepared = _prepared(run, assistant, links)
        ticker.start()
        try:
            prepared.run()
        finally:
            ticker.stop()
    except Suspended as suspended:
        logger.info("%s: %s", run, suspended)
    except (EngineError, Refused) as error:
        _useless.add((run.pk, run.holder))
        logger.warning("%s can't be helped: %s", run, error)
        why = str(error)
    finally:
        assistant.leave(why)


def _prepared(run: Run, assistant: Assistant, links: Links) -> Assistance:
    """What is to be copied, as this process sees both databases."""
    labels = list(run.tables.values_list("label", flat=True))
    found = resuming.layouts_of(run, labels)
    with links.open() as (source, _):
        found = transformed(found, map(parse, run.transforms), source)
    resuming.check_columns(run, found)
    assistant.layouts = {layout.label: layout for layout in found}
    return Assistance(
        links.open,
        assistant,
        assistant.leader,
        workers=run.workers,
        allowance=SharedAllowance(assistant, run.reject_limit),
    )
