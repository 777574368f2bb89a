"""A look from time to time, by every worker, at what nobody is on and what goes faster with help.

Not one of huey's periodic tasks: those come once a minute, and would wait behind long ones.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from django.db import connection

from migrations_ui import services
from migrations_ui.models import Run
from migrations_ui.ticker import Ticker
from migrations_ui.workers import Pulse

logger = logging.getLogger(__name__)

EVERY = 3.0  # seconds


@contextmanager
def on_patrol(pulse: Pulse) -> Iterator[None]:
    """Look at once, and then every few seconds as long as this process takes tasks."""
    patrol = Patrol(pulse)
    ticker = Ticker(patrol.look, EVERY)
    ticker.start()
    try:
        yield
    finally:
        ticker.end(within=EVERY)
        if patrol.helper:
            patrol.helper.join(EVERY)


class Patrol:
    """What a worker process does besides its tasks; `pulse` knows whether there are any."""

    def __init__(self, pulse: Pulse) -> None:
        self.pulse = pulse
        self.helper: Thread | None = None

    def look(self) -> None:
        """Have runs gone on with that nobody is on; help with one if nothing else is to do."""
        try:
            services.recover()
            if self.pulse.is_idle and (run := services.in_need()):
                self.help(run)
        except Exception as error:  # noqa: BLE001  # whatever the queue or the control database raises
            logger.warning("Could not look for runs that nobody is on: %s", error)
            connection.close()  # it may be lost, and would be asked again for ever

    def help(self, run: Run) -> None:
        """Take part in a run's load, in a thread of its own: tasks may come meanwhile."""
        self.helper = Thread(target=self._help, args=(run,), name="assistant", daemon=True)
        self.helper.start()

    def _help(self, run: Run) -> None:
        try:
            with self.pulse.busy(f"help with run {run.pk}"):
                services.assist(run)
        except Exception:
            logger.exception("%s: this worker could not help", run)
        finally:
            connection.close()
