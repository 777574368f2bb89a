"""Something that is done twice a second as long as some work goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import DatabaseError, connection

logger = logging.getLogger(__name__)

TICK = 0.5  # seconds


class Ticker(threading.Thread):
    """Calls `tick` every half second, and once more at the end, from a thread of its own.

    A thread, because a heartbeat must not stop while a server works on one long statement.
    """

    def __init__(self, tick: Callable[[], object]) -> None:
        super().__init__(name="ticker", daemon=True)
        self._tick = tick
        self._stop_asked = threading.Event()

    def run(self) -> None:
        try:
            while not self._stop_asked.wait(TICK):
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
        self._stop_asked.set()
        self.join()
        self._tick()
