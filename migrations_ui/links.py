"""The connections that a worker has open for a run, and its hold on the destination."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import TracebackType
from typing import Self

from migrations_ui.claims import lease
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import EngineError, Suspended
from migrations_ui.engine.persisting import persist
from migrations_ui.engine.preflight import Endpoints
from migrations_ui.models import Run
from migrations_ui.recorder import Recorder
from migrations_ui.sides import Refused
from migrations_ui.ticker import closed_at_the_end

logger = logging.getLogger(__name__)

# What the worker of a run holds in its destination, whichever dashboard it belongs to.
NAME = "cutover-run"
# Seconds between two looks whether the hold is still there.
LOOK_AGAIN = 5.0
# Seconds between two tries to take hold.
SOON = 0.2


class Links:
    """Opens source and destination, and can interrupt whatever is at work on them."""

    holder = ""  # whose hold on the destination its sessions end with; "" before there is one

    def __init__(self, ends: Endpoints) -> None:
        self.ends = ends
        self._open: set[Database] = set()
        self._lock = threading.Lock()

    def open_source(self) -> AbstractContextManager[Database]:
        """The source, on a connection that can't write."""
        return self._watched(self.ends.open_source)

    def open_dest(self) -> AbstractContextManager[Database]:
        """The destination, on a connection that can."""
        return self._watched(self._dest_of_the_holder)

    def _dest_of_the_holder(self) -> Database:
        database = self.ends.open_dest()
        try:
            if self.holder:
                database.join(self.holder)
        except BaseException:
            database.close()
            raise
        return database

    @contextmanager
    def open(self) -> Iterator[tuple[Database, Database]]:
        """The source and the destination, for a thread that may use the control tables as well."""
        with closed_at_the_end(), self.open_source() as source, self.open_dest() as dest:
            yield source, dest

    @contextmanager
    def _watched(self, connect: Callable[[], Database]) -> Iterator[Database]:
        with connect() as database:
            with self._lock:
                self._open.add(database)
            try:
                yield database
            finally:
                with self._lock:
                    self._open.discard(database)

    def interrupt(self) -> None:
        """End the statements that are under way."""
        with self._lock:
            busy = list(self._open)
        for database in busy:
            with suppress(EngineError, database.driver_error):  # it is gone, or has just ended
                database.interrupt()


class Reservation:
    """The destination, held by a session of its own as long as a worker is on the run.

    So no other dashboard's run can wipe it, whose control database does not know of this one.  The
    sessions of a worker that was given up, `before`, are ended: what they have not committed is
    undone, and should it only have been suspended, it can't go on with a wipe.
    A hold that a restart of the server took is taken again; where another was faster, the run ends.
    """

    def __init__(self, links: Links, run: Run, recorder: Recorder, before: str) -> None:
        self.links = links
        self.run = run
        self.recorder = recorder
        self.before = before
        self.database: Database | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="reservation", daemon=True)

    def __enter__(self) -> Self:
        deadline = time.monotonic() + 2 * lease().total_seconds()
        while not persist(self.recorder, self._hold):
            self.recorder.check()
            if time.monotonic() > deadline:
                self._refuse()
            time.sleep(SOON)
        self.links.holder = self.recorder.holder
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        if self.database:
            self.database.close()

    def _hold(self) -> bool:
        """Take hold of the destination; False when somebody else has it."""
        database, self.database = self.database, None
        if database is None:
            database = self.links.ends.open_dest()
        try:
            given_up = self.before if self.before != self.recorder.holder else ""
            if self.before:
                database.evict(self.before)
            held = database.reserve(NAME, self.recorder.holder)
            if given_up and database.evict_joined(given_up):
                held = False  # not yet ended
        except EngineError:
            database.close()  # the next try needs a new one
            raise
        self.database = database
        return held

    def _refuse(self) -> None:
        """Say who may have it: the worker that was given up, or somebody of whom we don't know."""
        if self.before:
            raise Suspended(
                "The worker that was silent for too long still has the destination's file open. It "
                "may be suspended: end its process. The run goes on when it is gone."
            )
        raise Refused(
            f"Nothing was wiped: another Cutover is at work in {self.run.dest['name']}, with a "
            "control database of its own. Wait until it has ended."
        )

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_AGAIN):
            try:
                self._look()
            except EngineError as error:
                logger.warning("%s: the hold on the destination is lost: %s", self.run, error)

    def _look(self) -> None:
        """Take hold again, where the session was lost."""
        if self.database is not None:
            try:
                self.database.query("SELECT 1")
            except EngineError:
                self.database.close()
                self.database = None
            else:
                return
        # The server may not have noticed yet that the lost session has ended.
        self.before = self.recorder.holder
        deadline = time.monotonic() + LOOK_AGAIN
        while not self._hold():
            if time.monotonic() > deadline:
                self.recorder.give_way()
                return
            time.sleep(SOON)
