"""What the workers of a transfer do next: load a chunk, or build the indexes of a loaded table."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.databases.indexing import Index

# Seconds after which a worker without a job looks again, whoever should have woken it.
LOOK_AGAIN = 0.5

Build = list[Index]


class Jobs:
    """Index builds of loaded tables first, since one keeps a worker busy for long; then chunks.

    `claim_chunk` gives a worker its next chunk, or None when there is no other.  `builds` are the
    jobs of index building: indexes of one table each, which can be built at once.
    """

    def __init__(self, claim_chunk: Callable[[], Chunk | None], builds: Iterable[Build]) -> None:
        self._claim_chunk = claim_chunk
        self._builds = list(builds)
        self._ready: deque[Build] = deque()
        self._loading = 0  # chunks that workers have, or are about to get
        self._changed = threading.Condition()

    def claim(self) -> Chunk | Build | None:
        """The next job; None when there is nothing to load, and nothing being loaded here."""
        while True:
            with self._changed:
                if self._ready:
                    return self._ready.popleft()
                self._loading += 1  # so that no other worker leaves meanwhile
            chunk = None
            try:
                chunk = self._claim_chunk()
            finally:
                if chunk is None:
                    self.done()
            if chunk is not None:
                return chunk
            with self._changed:
                if not self._ready and not self._loading:
                    return None
                self._changed.wait_for(lambda: self._ready, LOOK_AGAIN)

    def loaded(self, table: str) -> None:
        """The last chunk of this table of the destination is loaded: its indexes can be built."""
        with self._changed:
            self._ready.extend(build for build in self._builds if build[0].table == table)
            self._builds = [build for build in self._builds if build[0].table != table]

    def done(self) -> None:
        """A worker is through with its chunk, however that went."""
        with self._changed:
            self._loading -= 1
            self._changed.notify_all()

    def rest(self) -> list[Build]:
        """The builds of tables whose last chunk was loaded elsewhere, or before."""
        return [*self._ready, *self._builds]
