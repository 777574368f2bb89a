"""Loading chunks: by the process that leads a transfer, and by others that take part in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.crew import Connect, Crew
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import EngineError, RowRefused, ServerError
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.ledger import ChunkLedger
from migrations_ui.engine.persisting import connected, persist
from migrations_ui.engine.rejecting import Allowance, Rejects

Result = TypeVar("Result")


class Loading:
    """Copies the chunks that a ledger hands out, by several workers of this process."""

    def __init__(
        self,
        connect: Connect,
        ledger: ChunkLedger,
        *,
        workers: int = 1,
        allowance: Allowance | None = None,
    ) -> None:
        self.connect = connect
        self.ledger = ledger
        self.allowance = allowance or Allowance()
        self.crew = Crew(workers, self.pair)
        self.refused: list[Layout] = []

    @contextmanager
    def pair(self) -> Iterator[tuple[Database, Database]]:
        """Connections for one thread, the destination's set up for loading."""
        with connected(self, self.connect, loading=True) as databases:
            yield databases

    def check(self) -> None:
        """Raise what makes the transfer stop, if anything does."""
        self.crew.check()
        self.ledger.check()

    def again(self, error: EngineError, attempt: int) -> bool:
        """Wait, and say whether to do it once more."""
        return self.ledger.again(error, attempt)

    def claim(self) -> Chunk | None:
        """The next chunk for a worker, unless another one of the crew has failed."""
        self.crew.check()
        return self.ledger.claim()

    def copy(self, chunk: Chunk, source: Database, dest: Database) -> None:
        """Copy one chunk and say how it went."""

        def progress(rows: int) -> None:
            self.crew.check()
            self.entitled(dest)
            self.ledger.progress(chunk, rows)

        def attempt() -> tuple[int, Rejects]:
            nonlocal chunk
            part, chunk = chunk, replace(chunk, again=True)
            rejects = Rejects(self.allowance.of(chunk))
            try:
                return copy_chunk(source, dest, part, progress, rejects, confirm), rejects
            except BaseException:
                rejects.allowance.give_back(len(rejects.found))
                raise

        def confirm() -> None:
            self.entitled(dest)
            self.ledger.confirm(chunk)

        try:
            rows, rejects = persist(self, attempt, source, dest)
        except BaseException as error:
            if isinstance(error, RowRefused):
                self.refused.append(chunk.layout)
            self.ledger.failed(chunk, error)
            raise
        self.ledger.finished(chunk, rows, rejects.found)

    def entitled(self, dest: Database) -> None:
        """Raise unless this process may write to the destination just now; the one that leads may.

        Called before the first row of a chunk and after each batch, in its transaction.
        """


class Assistance(Loading):
    """Chunks of a transfer that another process leads.

    That one holds the destination under the name `leader`.  Where it holds it no more, somebody
    else may, and may be about to wipe it.  As this is looked for after each batch as well, with the
    table locked by the rows that were written, such a wipe either comes later, and takes these rows
    along, or the chunk is undone.
    """

    def __init__(
        self,
        connect: Connect,
        ledger: ChunkLedger,
        leader: str,
        *,
        workers: int,
        allowance: Allowance,
    ) -> None:
        super().__init__(connect, ledger, workers=workers, allowance=allowance)
        self.leader = leader

    def run(self) -> None:
        """Copy chunks until there is none to take; raise what went wrong."""
        self.crew.share(self.claim, self.copy)

    def entitled(self, dest: Database) -> None:
        if not dest.is_held(self.leader):
            raise ServerError(
                f"{dest.label}: the worker that leads the run does not hold the destination now.",
                transient=True,
            )
