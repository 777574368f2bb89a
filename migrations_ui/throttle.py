"""Holding a worker back to so many rows a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

LOOK_AGAIN = 0.1  # seconds


class Throttle:
    """For all threads of a worker together; None is no limit, and limits may change at any time.

    `limit` is the operator's, `cap` what a busy source is spared (`backing_off.py`).
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.cap: float | None = None
        self.rows = 0  # read so far
        self._read: dict[int, int] = {}  # the same by chunk
        self._held_to: float | None = None
        self._free_at = 0.0  # when all that was read is within the limit
        self._lock = threading.Lock()

    @property
    def rate(self) -> float | None:
        """Rows a second that may be read."""
        return min((limit for limit in (self.limit, self.cap) if limit is not None), default=None)

    def read(self, chunk: int, rows: int, check: Callable[[], object]) -> None:
        """So many rows of a chunk are read: wait until they are within the limit, or it changes.

        `check` is called meanwhile, and ends that by what it raises.
        """
        with self._lock:
            new = max(0, rows - self._read.get(chunk, 0))
            self._read[chunk] = rows
        self.more(new, check)

    def more(self, rows: int, check: Callable[[], object]) -> None:
        """The same for so many more rows, of whatever."""
        rate = self.rate
        with self._lock:
            self.rows += rows
            if rate != self._held_to:  # what another limit has put off is not waited for
                self._held_to, self._free_at = rate, 0.0
            if rate is None:
                return
            self._free_at = max(self._free_at, time.monotonic()) + rows / rate
            until = self._free_at
        while (left := until - time.monotonic()) > 0 and self.rate == rate:
            check()
            time.sleep(min(left, LOOK_AGAIN))
