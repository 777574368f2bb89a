"""Something that is done again and again, and a control database that is not always there."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

TICK = 0.5  # seconds
# Seconds for which a control database may be locked or away before that is an error.
PATIENCE = 180.0


def patiently(ask: Callable[P, T]) -> Callable[P, T]:
    """Ask the control database again, over a new connection, while it is locked or away.

    What it is asked must be harmless when it is asked twice.  Inside a transaction of somebody
    else's it is asked once.
    """

    @wraps(ask)
    def asked(*args: P.args, **kwargs: P.kwargs) -> T:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return ask(*args, **kwargs)
            except (OperationalError, InterfaceError) as error:
                if connection.in_atomic_block or time.monotonic() > deadline:
                    raise
                logger.warning("The control database does not answer: %s", error)
                connection.close()
                time.sleep(TICK)

    return asked


class Ticker(threading.Thread):
    """Calls `tick` every half second, and once more at the end, from a thread of its own.

    A thread, because a heartbeat must not stop while a server works on one long statement.
    """

    def __init__(self, tick: Callable[[], object], every: float = TICK) -> None:
        super().__init__(name="ticker", daemon=True)
        self._tick = tick
        self._every = every
        self._stop_asked = threading.Event()

    def run(self) -> None:
        try:
            while not self._stop_asked.wait(self._every):
                self._try()
        finally:
            connection.close()

    def _try(self) -> None:
        """One tick; a control database that is busy or away for a moment is asked again later."""
        try:
            self._tick()
        except DatabaseError as error:
            logger.warning("The progress could not be written: %s", error)
            connection.close()

    def stop(self) -> None:
        """Stop and flush what is left."""
        self.end()
        patiently(self._tick)()

    def end(self, within: float | None = None) -> None:
        """Stop without a last tick; wait so many seconds for one that is under way."""
        self._stop_asked.set()
        self.join(within)
