"""Something that is done again and again, and a control database that is not always there."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import (
    DEFAULT_DB_ALIAS,
    Error,
    InterfaceError,
    OperationalError,
    connection,
    connections,
)
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

TICK = 0.5  # seconds
# Seconds for which a control database may be locked or away before that is an error; and where
# this process is to stop, whose supervisor won't wait so long: what it leaves, others find.
PATIENCE, HASTE = 180.0, 5.0
# What MySQL says of a column that is not there, as of a server that is away.
UNKNOWN_COLUMN = 1054
# Set when this process is to stop: its runs are left to the next one.
leaving = threading.Event()

# What Django raises when it is locked or away.
AWAY = (OperationalError, InterfaceError)


def patiently(ask: Callable[P, T]) -> Callable[P, T]:
    """Ask the control database again, over a new connection, while it is locked or away.

    What it is asked must be harmless when it is asked twice.  Inside a transaction of somebody
    else's it is asked once.
    """

    @wraps(ask)
    def asked(*args: P.args, **kwargs: P.kwargs) -> T:
        began = time.monotonic()
        while True:
            try:
                return ask(*args, **kwargs)
            except AWAY as error:
                patience = HASTE if leaving.is_set() else PATIENCE
                late = time.monotonic() > began + patience
                if late or connection.in_atomic_block or not passes(error):
                    raise
                logger.warning("The control database does not answer: %s", error)
                connection.close()
                time.sleep(TICK)

    return asked


def passes(error: Error) -> bool:
    """Whether it may pass; a table or a column that is not there is as bad in three minutes."""
    if getattr(error.__cause__, "sqlite_errorname", "") == "SQLITE_ERROR":
        return False
    return error.args[:1] != (UNKNOWN_COLUMN,)


def in_words(error: BaseException, what_next: str) -> str:
    """What to tell of work that ended by an error that nobody foresaw; or because of an outage."""
    if isinstance(error, AWAY):
        return f"The control database did not answer ({str(error).strip()}). {what_next}"
    return f"{type(error).__name__}: {error}"


@contextmanager
def outlasting() -> Iterator[None]:
    """Let each query of this process's threads be asked patiently, wherever it is written.

    For processes that do what was asked for.  Not for pages, which nobody would wait for.  A
    transaction begins on a connection that is there; what is lost in the middle of one is an error,
    and `patiently` does such a thing as a whole.
    """
    make, mine = connections.create_connection, connections[DEFAULT_DB_ALIAS]

    def create_connection(alias: str) -> BaseDatabaseWrapper:
        made = make(alias)
        if alias == DEFAULT_DB_ALIAS:
            be_patient(made)
        return made

    # Connections belong to threads: other threads' are made when they first ask.
    connections.create_connection = create_connection  # type: ignore[method-assign]
    be_patient(mine)
    try:
        yield
    finally:
        del connections.create_connection
        for name in ("ensure_connection", "cursor", "set_autocommit"):
            delattr(mine, name)
        mine.execute_wrappers.remove(_ask_again)


def be_patient(made: Any) -> None:
    """Let a connection to the control database be made, and asked, as long as it takes."""
    set_autocommit = made.set_autocommit

    def on_a_living_one(autocommit: bool, *args: Any, **kwargs: Any) -> None:
        # What begins with a transaction could not be asked again by itself.
        if not (autocommit or made.is_usable()):
            made.close()
            made.ensure_connection()
        set_autocommit(autocommit, *args, **kwargs)

    made.set_autocommit = on_a_living_one
    made.ensure_connection = patiently(made.ensure_connection)
    made.cursor = patiently(made.cursor)
    made.execute_wrappers.append(_ask_again)


def _ask_again(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """A query, and again by the same cursor over the connection that takes the lost one's place."""
    database, cursor = context["connection"], context["cursor"]

    @patiently
    def ask() -> Any:
        if database.connection is None:
            cursor.cursor = database.cursor().cursor
        return execute(sql, params, many, context)

    return ask()


@contextmanager
def closed_at_the_end() -> Iterator[None]:
    """Close what a thread has opened to the control database; the main thread's stays open."""
    try:
        yield
    finally:
        if threading.current_thread() is not threading.main_thread():
            connection.close()


class Ticker(threading.Thread):
    """Calls `tick` every half second, and once more at the end, from a thread of its own.

    A thread, because a heartbeat must not stop while a server works on one long statement.
    """

    def __init__(self, tick: Callable[[], object], every: float = TICK) -> None:
        super().__init__(name="ticker", daemon=True)
        self._tick = tick
        self._every = every
        self._stop_asked = threading.Event()

    def run(self) -> None:
        try:
            while not self._stop_asked.wait(self._every):
                self._try()
        finally:
            connection.close()

    def _try(self) -> None:
        """One tick; a control database that is busy or away for a moment is asked again later."""
        try:
            self._tick()
        except Error as error:  # a driver that knows its connection to be lost: InterfaceError
            logger.warning("The control database could not be asked: %s", error)
            connection.close()

    def stop(self) -> None:
        """Stop and flush what is left."""
        self.end()
        patiently(self._tick)()

    def end(self, within: float | None = None) -> None:
        """Stop without a last tick; wait so many seconds for one that is under way."""
        self._stop_asked.set()
        self.join(within)
