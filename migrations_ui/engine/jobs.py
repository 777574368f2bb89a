"""What the workers of a transfer do next: load a chunk, build indexes, put foreign keys back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.databases.base import ForeignKey
from migrations_ui.engine.databases.indexing import Index

# Seconds after which a worker without a job looks again: other processes may have loaded a table,
# or left a chunk.
LOOK_AGAIN = 0.5


@dataclass(frozen=True)
class Build:
    """Indexes of one table, which can be built at once when it is loaded."""

    indexes: Sequence[Index]

    @property
    def table(self) -> str:
        """The table in the destination."""
        return self.indexes[0].table


@dataclass(frozen=True)
class Validation:
    """Foreign keys that can be put back and validated when some tables are loaded, some whole.

    A table is whole when it is loaded and its indexes are built.
    """

    keys: Sequence[ForeignKey]
    whole: frozenset[str]
    loaded: frozenset[str] = frozenset()

    @property
    def table(self) -> str:
        """The table in the destination that they belong to."""
        return self.keys[0].table


Job = Chunk | Build | Validation
Waiting = TypeVar("Waiting", Build, Validation)


class Jobs:
    """Hands out jobs in an order in which the last workers end at about the same time.

    Building indexes is one long statement.  So the longest of all is begun as soon as it can be,
    while another worker loads, and the shorter ones when everything is loaded.  Foreign keys come
    last, and fill what time a worker has to wait.

    `claim_chunk` gives a worker its next chunk, or None when there is none just now.  `unfinished`
    tells the tables of the destination of which chunks are still to be loaded, by whomever.
    `builds` and `validations` are given with the longest first.  `loaded` is called once when no
    chunk is left, `built` once when no index is left to be built either.
    """

    def __init__(
        self,
        claim_chunk: Callable[[], Chunk | None],
        unfinished: Callable[[], Collection[str]],
        builds: Iterable[Build] = (),
        validations: Iterable[Validation] = (),
        *,
        loaded: Callable[[], object] = lambda: None,
        built: Callable[[], object] = lambda: None,
    ) -> None:
        self._claim_chunk = claim_chunk
        self._unfinished = unfinished
        self._builds = list(builds)
        self._validations = list(validations)
        self._milestones = [loaded, built]  # those that are still ahead
        self._under_way: list[Job] = []
        self._ended = 0  # jobs that workers here are through with
        self._changed = threading.Condition()

    def claim(self) -> Job | None:
        """The next job; None when there is nothing left to begin with."""
        while True:
            ended, left = self._ended, self._unfinished()
            self._tell(left)
            if self._is_loading() and (build := self._build(left, self._builds[:1])):
                return build
            if left and (chunk := self._claim_chunk()):
                return self._begin(chunk)
            if job := self._build(left, self._builds) or self._validation(left):
                return job
            if not (left or self._builds or self._validations):
                return None
            self._wait(ended)

    def done(self, job: Job) -> None:
        """A worker has done its job; of one that failed nobody tells, since all stop then."""
        with self._changed:
            self._under_way.remove(job)
            self._ended += 1
            self._changed.notify_all()

    def _wait(self, ended: int) -> None:
        """Until a job has ended since `ended` had, or for a moment."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended != ended, LOOK_AGAIN)

    def _tell(self, left: Collection[str]) -> None:
        """Tell of the milestones that are behind us by now."""
        with self._changed:
            behind = 0 if left else 1 if self._unbuilt() else 2
            ahead = len(self._milestones)
            told = self._milestones[: max(0, behind - (2 - ahead))]
            del self._milestones[: len(told)]
        for tell in told:
            tell()

    def _is_loading(self) -> bool:
        """Whether another worker here is at a chunk."""
        with self._changed:
            return any(isinstance(job, Chunk) for job in self._under_way)

    def _unbuilt(self) -> set[str]:
        """The tables whose indexes are not all there."""
        builds = [job for job in self._under_way if isinstance(job, Build)]
        return {build.table for build in (*builds, *self._builds)}

    def _build(self, left: Collection[str], builds: Sequence[Build]) -> Build | None:
        """The first of these builds whose table is loaded."""
        with self._changed:
            ready = (build for build in builds if build.table not in left)
            return self._take(self._builds, ready)

    def _validation(self, left: Collection[str]) -> Validation | None:
        """The first foreign keys whose tables are as far as they must be."""
        with self._changed:
            partial = self._unbuilt().union(left)
            ready = (
                job
                for job in self._validations
                if job.loaded.isdisjoint(left) and job.whole.isdisjoint(partial)
            )
            return self._take(self._validations, ready)

    def _take(self, waiting: list[Waiting], ready: Iterable[Waiting]) -> Waiting | None:
        """The first that is ready and still waits; it is under way from now on."""
        for job in ready:
            if job in waiting:
                waiting.remove(job)
                self._under_way.append(job)
                return job
        return None

    def _begin(self, chunk: Chunk) -> Chunk:
        with self._changed:
            self._under_way.append(chunk)
        return chunk
