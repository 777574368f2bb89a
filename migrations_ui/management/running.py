"""A run in the process of a command: its progress on a terminal, and Ctrl-C to cancel it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread, current_thread, main_thread
from typing import TextIO

from django.db import connections

from migrations_ui import services
from migrations_ui.models import Run

REFRESH = 0.5  # seconds between two looks at the run
CLEAR_LINE = "\r\033[K"


def execute(run: Run, operator: str, terminal: TextIO | None) -> None:
    """Do a queued run and wait for its end; `terminal` is where its progress is shown, if anywhere.

    The run works in a thread of its own, so that this one is free to show progress and to answer
    Ctrl-C or SIGTERM by asking the run to stop.  A second Ctrl-C does not wait for that.
    """
    thread = Thread(target=_execute, args=(run.pk,), name="run")
    with sigterm_as_interrupt():
        thread.start()
        try:
            watch(thread, run, terminal)
        except KeyboardInterrupt:
            with suppress(services.Refused):  # it has just ended
                services.cancel(run, operator)
            watch(thread, run, terminal)
    run.refresh_from_db()


def _execute(run_id: int) -> None:
    try:
        services.execute(run_id)
    finally:
        connections.close_all()


def watch(thread: Thread, run: Run, terminal: TextIO | None) -> None:
    """Wait for the thread, with a line of progress that is written over and over."""
    while thread.is_alive():
        thread.join(REFRESH)
        if terminal:
            run.refresh_from_db()
            terminal.write(f"{CLEAR_LINE}{line(run)}")
            terminal.flush()
    if terminal:
        terminal.write(CLEAR_LINE)


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
def sigterm_as_interrupt() -> Iterator[None]:
    """A polite kill cancels the run like Ctrl-C; only the main thread is asked by signals."""
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
