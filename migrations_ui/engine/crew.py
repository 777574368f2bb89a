"""Several workers, each a thread with connections of its own, that share one kind of job."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from typing import TypeVar

from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import EngineError

Job = TypeVar("Job")
# Opens the source and the destination, for one thread, and closes them again.
Connect = Callable[[], AbstractContextManager[tuple[Database, Database]]]


class Stopped(EngineError):
    """Another worker has failed: what this one does is of no use any more."""


class Crew:
    """`size` workers; once one has failed, the others stop at their next `check`."""

    def __init__(self, size: int, connect: Connect) -> None:
        self.size = size
        self._connect = connect
        self._errors: list[BaseException] = []

    def check(self) -> None:
        """Raise `Stopped` when another worker has failed."""
        if self._errors:
            raise Stopped("Another worker has failed.")

    def share(
        self, claim: Callable[[], Job | None], work: Callable[[Job, Database, Database], None]
    ) -> None:
        """Do what `claim` hands out until that is None; the first error is raised at the end."""
        threads = [
            threading.Thread(target=self._work, args=(claim, work), name=f"worker-{n}", daemon=True)
            for n in range(self.size)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _work(
        self, claim: Callable[[], Job | None], work: Callable[[Job, Database, Database], None]
    ) -> None:
        try:
            with self._connect() as (source, dest):
                while not self._errors and (job := claim()) is not None:
                    work(job, source, dest)
        except Stopped:
            pass
        except BaseException as error:  # noqa: BLE001  # raised again where the crew is waited for
            self._errors.append(error)


def one_of(jobs: Iterable[Job]) -> Callable[[], Job | None]:
    """Hands out the jobs, each to one worker, and None after the last."""
    waiting = deque(jobs)

    def claim() -> Job | None:
        with suppress(IndexError):  # another worker has taken the last one meanwhile
            return waiting.popleft()
        return None

    return claim
