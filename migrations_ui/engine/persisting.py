"""Doing something again, over new connections, after an error that passes by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Protocol, TypeVar

from migrations_ui.engine.crew import Connect
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import EngineError

Result = TypeVar("Result")

# Seconds before the first, second … further try.
PAUSES = (1, 2, 4, 8, 16)
# Seconds between two looks whether to stop meanwhile.
LOOK_AGAIN = 0.1


class Patience(Protocol):
    """Who says whether something is tried again, and may stop it by an exception."""

    def check(self) -> None:
        """Raise what makes the work stop, if anything does."""

    def again(self, error: EngineError, attempt: int) -> bool:
        """Wait, and say whether to do it once more after this error, which passes by itself."""


def persist(patience: Patience, work: Callable[[], Result], *databases: Database) -> Result:
    """Do it, and again over new connections after errors that pass, as long as there is patience.

    Whatever was done before the error must be harmless when it is done twice.
    """
    for attempt in count(1):
        try:
            if attempt > 1:
                reconnect(databases)
            return work()
        except EngineError as error:
            patience.check()  # an interrupted statement fails because of what it raises
            if not error.transient or not patience.again(error, attempt):
                raise
    raise AssertionError("counting has no end")


def pause(attempt: int, check: Callable[[], object]) -> None:
    """Wait before another try; `check` ends that by what it raises."""
    deadline = time.monotonic() + PAUSES[attempt - 1]
    while time.monotonic() < deadline:
        check()
        time.sleep(LOOK_AGAIN)


@contextmanager
def connected(
    patience: Patience, connect: Connect, *, loading: bool = False
) -> Iterator[tuple[Database, Database]]:
    """Source and destination, once they can be reached; `loading`: set up for it."""
    with ExitStack() as closing:

        def opened() -> tuple[Database, Database]:
            source, dest = closing.enter_context(connect())
            if loading:
                dest.prepare_load()
            return source, dest

        yield persist(patience, opened)


def reconnect(databases: Sequence[Database]) -> None:
    """New connections in the place of those that may be lost."""
    for database in databases:
        database.reconnect()
        if not database.read_only:
            database.prepare_load()
