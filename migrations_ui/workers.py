"""Who would pick up what is asked for: the processes that take tasks, and the queue between.

A worker writes a row every two seconds, from a thread of its own, so that a long task does not
silence it.  The row goes when the process ends in order; of one that was killed it stays, and its
age tells.  Ages are taken by the control database's clock.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.db import Error, connection
from django.db.models import DurationField, ExpressionWrapper, F, Q
from huey.contrib.djhuey import HUEY

from migrations_ui.engine.databases.access import BUSY_TIMEOUT
from migrations_ui.health_models import ControlClock
from migrations_ui.models import Worker
from migrations_ui.sides import Refused
from migrations_ui.ticker import Ticker

BEAT = 2.0  # seconds
# Seconds without a sign of life after which a worker counts as dead: more than a live one on a
# busy machine waits until a control database in SQLite lets it write.
DEAD_AFTER = BUSY_TIMEOUT + 10
# After so long nobody wants to read of a dead one any more, unless it was the last.
FORGOTTEN_AFTER = timedelta(minutes=5)
# The key under which the queue itself keeps its name: two URLs may lead to one queue.
QUEUE_NAME = "cutover.queue"
START_ONE = "Start one with `manage.py run_huey`"


def _version() -> str:
    """The release, and a digest of the code: a worker may have been left running on older code."""
    folder = Path(__file__).parent
    code = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        code.update(path.read_bytes())
    release = "0"
    with suppress(PackageNotFoundError):  # the code was copied here, not installed
        release = version("cutover")
    return f"{release}+{code.hexdigest()[:8]}"


# Of the code as this process has loaded it, so it is taken now and not when somebody asks.
VERSION = _version()
# The digest alone: one machine may have the release installed, and another only its code.
CODE = VERSION.rpartition("+")[2]


def here() -> str:
    """This process, as pages and timelines name it."""
    return str(Worker(host=socket.gethostname(), pid=os.getpid()))


def new_holder() -> str:
    """A name under which this process holds runs and chunks; it ends with the code's digest."""
    return f"{uuid4().hex}+{CODE}"


def of_this_code() -> Q:
    """What is true of whatever is held by a process that runs the same code as this one."""
    return Q(holder__endswith=f"+{CODE}")


# -- What a worker says of itself -----------------------------------------------------------------


class Pulse:
    """The signs of life of this process."""

    def __init__(self) -> None:
        self._pk = 0
        self._tasks: dict[str, str] = {}
        self._lock = threading.Lock()

    def beat(self) -> None:
        """Write a sign of life, into a new row where there is none (any more)."""
        with self._lock:
            doing = ", ".join(self._tasks.values())[:255]
        now = {"heartbeat_at": ControlClock(), "queue": _queue_name_or_blank(), "doing": doing}
        if not Worker.objects.filter(pk=self._pk).update(**now):
            self._pk = Worker.objects.create(
                host=socket.gethostname(), pid=os.getpid(), version=VERSION, **now
            ).pk
        Worker.objects.filter(heartbeat_at__lt=ControlClock() - FORGOTTEN_AFTER).delete()

    def begin(self, task: Any) -> None:
        """huey begins a task.

        Its end is noted by the task itself: huey says nothing of one that ends while its queue is
        away.
        """
        execute = task.execute
        doing = " ".join([task.name.replace("_", " "), *map(str, task.args)])

        def told() -> Any:
            with self.busy(doing, task.id):
                return execute()

        task.execute = told

    @contextmanager
    def busy(self, doing: str, key: str = "") -> Iterator[None]:
        """This process does something: a task, or what `doing` alone tells from all others."""
        with self._lock:
            self._tasks[key or doing] = doing
        try:
            yield
        finally:
            with self._lock:
                del self._tasks[key or doing]

    @property
    def is_idle(self) -> bool:
        """Whether it has nothing to do just now."""
        with self._lock:
            return not self._tasks

    def forget(self) -> None:
        """Take the row away."""
        Worker.objects.filter(pk=self._pk).delete()


@contextmanager
def present() -> Iterator[Pulse]:
    """Let everybody know that this process takes tasks, for as long as it does."""
    pulse = Pulse()
    HUEY.pre_execute(name="pulse")(pulse.begin)
    with suppress(Error):  # it is tried again
        # Left by a process that has replaced itself by this one.
        Worker.objects.filter(host=socket.gethostname(), pid=os.getpid()).delete()
        pulse.beat()
    connection.close()  # huey forks or starts threads; this one only waits
    ticker = Ticker(pulse.beat, BEAT)
    ticker.start()
    try:
        yield pulse
    finally:
        ticker.end(within=BEAT)
        HUEY.unregister_pre_execute("pulse")
        with suppress(Error):  # then its silence tells
            pulse.forget()
        connection.close()


# -- What everybody else sees ---------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """A worker as it is seen from here; `silent` in seconds."""

    name: str
    version: str
    doing: str
    silent: float
    reaches_queue: bool
    listens: bool  # to the queue that this process writes to

    @property
    def alive(self) -> bool:
        return self.silent < DEAD_AFTER

    @property
    def other_version(self) -> bool:
        return self.version != VERSION


@dataclass(frozen=True)
class Health:
    """The workers, and the queue: how many tasks wait, or what is wrong with it."""

    workers: list[Seen]
    waiting: int | None
    trouble: str = ""
    version: str = VERSION

    @property
    def alive(self) -> list[Seen]:
        return [worker for worker in self.workers if worker.alive]

    @cached_property
    def nobody(self) -> str:
        """Why nobody would pick up what is asked for, and what to do; "" if somebody would."""
        if HUEY.immediate:
            return ""
        if self.trouble:
            return f"The queue can't be reached, so no worker would hear of it: {self.trouble}"
        if any(worker.listens for worker in self.alive):
            return ""
        if self.alive and not self.alive[0].reaches_queue:
            return f"The worker ({self.alive[0].name}) can't reach the queue. Its log says why."
        if self.alive:
            return (
                f"The worker ({self.alive[0].name}) takes from another queue than this dashboard "
                "writes to. Give both the same HUEY_URL, or without one the same CUTOVER_VAR."
            )
        if self.workers:
            last = min(self.workers, key=lambda worker: worker.silent)
            return f"The last worker ({last.name}) is silent for {last.silent:,.0f} s. {START_ONE}."
        return f"No worker is running. {START_ONE}."


def look() -> Health:
    """The workers and the queue, now.  One query, and two questions to the queue."""
    try:
        queue, waiting, trouble = _queue_name(), int(HUEY.pending_count()), ""
    except Exception as error:  # noqa: BLE001  # whatever SQLite or Redis raises
        queue, waiting, trouble = "", None, f"{type(error).__name__}: {error}"
    age = ExpressionWrapper(ControlClock() - F("heartbeat_at"), output_field=DurationField())
    workers = [
        Seen(
            name=str(worker),
            version=worker.version,
            doing=worker.doing,
            silent=max(0.0, worker.age.total_seconds()),
            reaches_queue=bool(worker.queue),
            listens=bool(queue) and worker.queue == queue,
        )
        for worker in Worker.objects.annotate(age=age)
    ]
    return Health(_remembered(workers), waiting, trouble)


def _remembered(workers: list[Seen]) -> list[Seen]:
    """Without those of long ago, whose rows no live worker has taken away; but the last of all."""
    recent = [worker for worker in workers if worker.silent < FORGOTTEN_AFTER.total_seconds()]
    return recent or sorted(workers, key=lambda worker: worker.silent)[:1]


def require() -> None:
    """Refuse, with the reason, what nobody would pick up."""
    if reason := look().nobody:
        raise Refused(f"{reason} Nothing was started.")


def _queue_name() -> str:
    """What the queue calls itself; it gets a name when it is first asked."""
    name = HUEY.get(QUEUE_NAME, peek=True)
    if name is None:
        HUEY.put_if_empty(QUEUE_NAME, uuid4().hex)
        name = HUEY.get(QUEUE_NAME, peek=True)
    return str(name or "")


def _queue_name_or_blank() -> str:
    try:
        return _queue_name()
    except Exception:  # noqa: BLE001  # whatever SQLite or Redis raises
        return ""
