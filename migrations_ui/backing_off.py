"""Reading more slowly while a source has other work to do, and saying so.

1. While rows are read, the source is asked every few seconds how many sessions of others are at
   work: one query, over a connection of its own.
2. More than `CUTOVER_BUSY_SESSIONS`: the rate is halved, and halved again while that lasts.
3. Fewer: the rate grows by half each time, until it is what it was; then there is no limit.
"""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from types import TracebackType
from typing import Protocol, Self

from django.conf import settings
from django.db import Error, connection

from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.preflight import Endpoints
from migrations_ui.throttle import Throttle

logger = logging.getLogger(__name__)

# Seconds between two looks at the source, and between two looks whether anything is read.
EVERY, SOON = 3.0, 0.5
# Rows a second from which a rate is halved that is not known yet, and that are always left.
AT_FIRST, LEAST = 10_000.0, 100.0
SLOWER, FASTER = 0.5, 1.5


class Teller(Protocol):
    """Who says to the operator what is done here."""

    def event(self, what: str) -> None:
        """It begins or ends."""

    def slowed(self, why: str) -> None:
        """Why rows are read more slowly just now; "" where they are not."""


class BackingOff:
    """A context manager around work that reads a source, with a thread of its own."""

    def __init__(self, ends: Endpoints, throttle: Throttle, teller: Teller) -> None:
        self.ends = ends
        self.throttle = throttle
        self.teller = teller
        self.most: int = settings.CUTOVER_BUSY_SESSIONS
        self._before = 0.0  # rows a second when it began
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="backing-off", daemon=True)

    def __enter__(self) -> Self:
        if self.most:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _watch(self) -> None:
        throttle, seen = self.throttle, 0
        pause = SOON
        with ExitStack() as closing:
            closing.callback(connection.close)
            source: Database | None = None
            while not self._ended.wait(pause):
                rows, seen = throttle.rows - seen, throttle.rows
                if not rows and throttle.cap is None:
                    pause = SOON
                    continue
                try:
                    if source is None:
                        source = closing.enter_context(self.ends.open_source())
                    self.look(source.busy_sessions(), rows / pause)
                except (EngineError, Error) as error:
                    logger.warning("How busy the source is can't be told: %s", error)
                    connection.close()
                    source = None
                pause = EVERY

    def look(self, busy: int, rate: float) -> None:
        """Take note of so many busy sessions of others, while so many rows a second were read."""
        throttle = self.throttle
        if busy > self.most:
            if throttle.cap is None:
                self._before = rate or AT_FIRST
                self.teller.event(f"Slowed down: {self._reason(busy)}.")
            throttle.cap = max(LEAST, (throttle.cap or self._before) * SLOWER)
            self.teller.slowed(self._reason(busy))
        elif throttle.cap is not None:
            throttle.cap *= FASTER
            if throttle.cap >= self._before:
                throttle.cap = None
                self.teller.event("No longer slowed down: the source is less busy.")
            self.teller.slowed("" if throttle.cap is None else "the source was busy a moment ago")

    def _reason(self, busy: int) -> str:
        sessions = "session" if busy == 1 else "sessions"
        return f"the source has {busy:,} other active {sessions} (limit {self.most:,})"
