"""What can go wrong, in words for the operator: what happened, and what to do next."""

from __future__ import annotations


class EngineError(Exception):
    """`str(error)` is a sentence or two that can be shown as they are; it holds no credential."""


class Unreachable(EngineError):
    """A database that can't be opened."""


class ServerError(EngineError):
    """A server refused a statement."""


class Cancelled(EngineError):
    """The operator asked to stop."""


class RowRefused(EngineError):
    """The destination refused a row, or a row can't be written without altering it.

    `line` counts the rows of the batch from 1, None where the server does not tell.
    """

    def __init__(self, message: str, *, line: int | None = None, column: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
