"""What the workers of a transfer do next: load a chunk, or build the indexes of a loaded table."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.databases.indexing import Index

# Seconds after which a worker without a job looks again: other processes may have loaded a table,
# or left a chunk.
LOOK_AGAIN = 0.5

Build = list[Index]


class Jobs:
    """Index builds of loaded tables first, since one keeps a worker busy for long; then chunks.

    `claim_chunk` gives a worker its next chunk, or None when there is none just now.  `unfinished`
    tells the tables of the destination of which chunks are still to be loaded, by whomever.
    `builds` are the jobs of index building: indexes of one table each, which can be built at once.
    `all_loaded` is called once, when nothing but these is left.
    """

    def __init__(
        self,
        claim_chunk: Callable[[], Chunk | None],
        unfinished: Callable[[], Collection[str]],
        builds: Iterable[Build],
        all_loaded: Callable[[], None] = lambda: None,
    ) -> None:
        self._claim_chunk = claim_chunk
        self._unfinished = unfinished
        self._builds = list(builds)
        self._ready: deque[Build] = deque()
        self._all_loaded: list[Callable[[], None]] = [all_loaded]
        self._ended = 0  # chunks that workers here are through with
        self._changed = threading.Condition()

    def claim(self) -> Chunk | Build | None:
        """The next job; None when there is nothing left to load, and no index to begin with."""
        while True:
            ended = self._ended
            if self._builds:
                self._look()
            if build := self._next_build():
                return build
            if chunk := self._claim_chunk():
                return chunk
            if not self._look() and not self._ready:
                return None
            self._wait(ended)

    def _wait(self, ended: int) -> None:
        """Until there is an index to begin with, or a chunk has ended since there were `ended`."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._ended != ended, LOOK_AGAIN)

    def _next_build(self) -> Build | None:
        with self._changed:
            return self._ready.popleft() if self._ready else None

    def _look(self) -> Collection[str]:
        """The tables that are not loaded yet; the indexes of all others can be built now."""
        left = self._unfinished()
        with self._changed:
            self._ready.extend(build for build in self._builds if build[0].table not in left)
            self._builds = [build for build in self._builds if build[0].table in left]
            told = [] if left else self._all_loaded
            if told:
                self._all_loaded = []
        for tell in told:
            tell()
        return left

    def done(self) -> None:
        """A worker is through with its chunk, however that went."""
        with self._changed:
            self._ended += 1
            self._changed.notify_all()
