"""A run in the process of a command: its progress on a terminal, and Ctrl-C to cancel it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from signal import SIGINT, SIGTERM
from threading import Event, Thread, current_thread, main_thread
from types import FrameType
from typing import Any, TextIO

from django.db import connections

from migrations_ui import services
from migrations_ui.models import Run

REFRESH = 0.5  # seconds between two looks at the run
CLEAR_LINE = "\r\033[K"


def execute(run: Run, operator: str, terminal: TextIO | None) -> None:
    """Do a queued run and wait for its end; `terminal` is where its progress is shown, if anywhere.

    The run works in a thread of its own, so that this one is free to show progress and to answer
    Ctrl-C or SIGTERM by asking the run to stop.
    """
    ended = Event()
    thread = Thread(target=_execute, args=(run.pk, ended), name="run")
    with asked_to_stop() as asked:
        thread.start()
        while not ended.wait(REFRESH):
            if asked.is_set():
                asked.clear()
                with suppress(services.Refused):  # it has just ended
                    services.cancel(run, operator)
            if terminal:
                run.refresh_from_db()
                terminal.write(f"{CLEAR_LINE}{line(run)}")
                terminal.flush()
    thread.join()
    if terminal:
        terminal.write(CLEAR_LINE)
    run.refresh_from_db()


def _execute(run_id: int, ended: Event) -> None:
    try:
        services.execute(run_id)
    finally:
        connections.close_all()
        ended.set()


def line(run: Run) -> str:
    """How far the run is."""
    progress = services.run_progress(run)
    percent = "" if progress.percent is None else f" {progress.percent} %"
    parts = [f"{run.phase or run.status}{percent}", f"{progress.rows:,} of {progress.total:,} rows"]
    if progress.rate:
        parts.append(f"{progress.rate:,.0f} rows/s")
    if progress.eta:
        parts.append(f"about {progress.eta:,.0f} s left")
    if progress.stalled_for:
        parts.append(f"no progress for {progress.stalled_for:,.0f} s")
    return " · ".join(parts)


@contextmanager
def asked_to_stop() -> Iterator[Event]:
    """An event that the first Ctrl-C or SIGTERM sets; a second one has its ordinary effect.

    Not an exception: one that is raised while a thread is waited for may leave it in a muddle.
    """
    asked = Event()
    before: dict[int, Any] = {}

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(number, before[number])

    if current_thread() is main_thread():  # no other thread may set handlers
        before |= {number: signal.signal(number, ask) for number in (SIGINT, SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
