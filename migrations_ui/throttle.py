"""Holding a worker back to so many rows a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

LOOK_AGAIN = 0.1  # seconds


class Throttle:
    """For all threads of a worker together; `limit` may change at any time, None is no limit."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._read: dict[int, int] = {}  # by chunk: rows that were read so far
        self._free_at = 0.0  # when all that was read is within the limit
        self._lock = threading.Lock()

    def read(self, chunk: int, rows: int, check: Callable[[], object]) -> None:
        """So many rows of a chunk are read: wait until they are within the limit, or it changes.

        `check` is called meanwhile, and ends that by what it raises.
        """
        limit = self.limit
        with self._lock:
            new = max(0, rows - self._read.get(chunk, 0))
            self._read[chunk] = rows
            if limit is None:
                self._free_at = 0.0
                return
            self._free_at = max(self._free_at, time.monotonic()) + new / limit
            until = self._free_at
        while time.monotonic() < until and self.limit == limit:
            check()
            time.sleep(LOOK_AGAIN)
