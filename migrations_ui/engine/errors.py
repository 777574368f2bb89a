"""What can go wrong, in words for the operator: what happened, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migrations_ui.engine.databases.indexing import Index


class EngineError(Exception):
    """`str(error)` is a sentence or two that can be shown as they are; it holds no credential.

    `transient` where the same thing, done again over a new connection, may well succeed.
    """

    def __init__(self, message: str = "", *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class Unreachable(EngineError):
    """A database that can't be opened."""


class ServerError(EngineError):
    """A server refused a statement."""


class Cancelled(EngineError):
    """The operator asked to stop."""


class Suspended(EngineError):
    """The work stops here, and goes on later from where it stands."""


class RowRefused(EngineError):
    """The destination refused a row, or a row can't be written without altering it.

    `line` counts the rows of the batch from 1, None where the server does not tell.
    """

    def __init__(self, message: str, *, line: int | None = None, column: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


class IndexRefused(EngineError):
    """`indexes` can't hold the rows, and are off; all others of the table are back."""

    def __init__(self, message: str, indexes: Sequence[Index]) -> None:
        super().__init__(message)
        self.indexes = tuple(indexes)
