"""Who keeps what a transfer does, and hands out its chunks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.databases.base import ForeignKey
from migrations_ui.engine.databases.indexing import Index
from migrations_ui.engine.databases.triggers import Trigger
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.persisting import Patience
from migrations_ui.engine.rejecting import Rejected


@dataclass(frozen=True)
class Begun:
    """What an earlier attempt at the same transfer has left."""

    unfinished: frozenset[str]  # labels of the tables of which there are chunks to copy
    # What it took off the destination, and what is not known to be back.
    keys: Sequence[ForeignKey] = ()
    indexes: Sequence[Index] = ()
    triggers: Sequence[Trigger] = ()


class ChunkLedger(Patience, Protocol):
    """Who hands out the chunks of a transfer, and may stop it by an exception.

    Workers call it from several threads.
    """

    def claim(self) -> Chunk | None:
        """A chunk for a worker, which holds it from now on; None when there is none just now."""

    def confirm(self, chunk: Chunk) -> None:
        """Raise unless the chunk is still this worker's, now that it has the destination's lock."""

    def progress(self, chunk: Chunk, rows: int) -> None:
        """So many rows of the chunk are read, not yet committed."""

    def finished(self, chunk: Chunk, rows: int, rejected: Sequence[Rejected]) -> None:
        """The chunk is loaded and committed, but for the rejected rows."""

    def failed(self, chunk: Chunk, error: BaseException) -> None:
        """The chunk is as it was before its load."""


class Ledger(ChunkLedger, Protocol):
    """The same, who also keeps what the process does that leads the transfer."""

    @property
    def begun(self) -> Begun | None:
        """What an earlier attempt has left, where the destination was wiped: go on from there."""

    def gives_up(self, error: BaseException) -> bool:
        """Whether the transfer ends with this error, so that what was taken off is put back.

        Else it goes on later, or elsewhere.
        """

    def phase(self, name: str) -> None:
        """A phase begins: wipe, load, indexes, constraints, sequences."""

    def planned(self, chunks: Sequence[Chunk]) -> None:
        """These are the chunks to copy."""

    def dropping(self, keys: Sequence[ForeignKey], indexes: Sequence[Index]) -> None:
        """These foreign keys and indexes are about to be dropped: note them down first."""

    def switching_off(self, triggers: Sequence[Trigger]) -> None:
        """These triggers are about to be switched off: note them down first."""

    def switched_on(self, trigger: Trigger) -> None:
        """This trigger is on again."""

    def restored(self, key: ForeignKey) -> None:
        """This foreign key is back and valid."""

    def building(self, indexes: Sequence[Index]) -> None:
        """These indexes are being built."""

    def built(self, indexes: Sequence[Index]) -> None:
        """These indexes are back."""

    def wiped(self) -> None:
        """All tables of the selection are empty now."""

    def emptied(self, layout: Layout) -> None:
        """A row of the table was refused, so it is empty again, as before its load."""

    def unfinished(self) -> Collection[str]:
        """Labels of the tables of which chunks are still to be copied, here or elsewhere."""

    def abandoned(self) -> Sequence[Chunk]:
        """Chunks that other processes had and did not give up before they fell silent."""
