"""A look from time to time at what nobody is on, by every worker.

Not one of huey's periodic tasks: those come once a minute, and would wait behind long ones.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from migrations_ui import services
from migrations_ui.ticker import Ticker

logger = logging.getLogger(__name__)

EVERY = 3.0  # seconds


@contextmanager
def on_patrol() -> Iterator[None]:
    """Look at once, and then every few seconds as long as this process takes tasks."""
    ticker = Ticker(look, EVERY)
    ticker.start()
    try:
        yield
    finally:
        ticker.end(within=EVERY)


def look() -> None:
    """Have runs gone on with whose worker has vanished, or of which the queue has lost the task."""
    try:
        services.recover()
    except Exception as error:  # noqa: BLE001  # whatever the queue or the control database raises
        logger.warning("Could not look for runs that nobody is on: %s", error)
