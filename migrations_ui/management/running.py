"""A run or an audit in a command's own process: progress on a terminal, and what signals do."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from signal import SIGINT, SIGTERM
from threading import Event, Thread, current_thread, main_thread
from types import FrameType
from typing import Any, TextIO

from django.db import connections

from migrations_ui import notifications, services
from migrations_ui.models import Audit, Run
from migrations_ui.ticker import outlasting

REFRESH = 0.5  # seconds between two looks at it
CLEAR_LINE = "\r\033[K"


def execute(run: Run, operator: str, terminal: TextIO | None) -> None:
    """Do a queued run and wait for its end; `terminal` is where its progress is shown, if anywhere.

    It works in a thread of its own, so that this one is free to show progress and to answer
    signals.  Ctrl-C cancels it; SIGTERM leaves it to who goes on with it, as a worker does.
    """

    def stop(number: int) -> None:
        if number == SIGTERM:
            services.leave()
        else:
            services.cancel(run, operator)

    watch(
        lambda: services.execute(run.pk),
        stop,
        lambda: line(run),
        run,
        terminal,
    )


def execute_audit(audit: Audit, terminal: TextIO | None) -> None:
    """Do a queued audit in the same way."""
    watch(
        lambda: services.execute_audit(audit.pk),
        lambda number: services.cancel_audit(audit),
        lambda: audit_line(audit),
        audit,
        terminal,
    )


def watch(
    work: Callable[[], object],
    stop: Callable[[int], object],
    text: Callable[[], str],
    job: Run | Audit,
    terminal: TextIO | None,
) -> None:
    """Do the work in a thread; meanwhile show `text()`, and `stop(signal)` when that is sent."""
    ended = Event()
    thread = Thread(target=_work, args=(work, ended), name="work")
    with outlasting(), asked_to_stop() as asked:
        thread.start()
        while not ended.wait(REFRESH):
            while asked:
                with suppress(services.Refused):  # it has just ended
                    stop(asked.pop())
            if terminal:
                job.refresh_from_db()
                terminal.write(f"{CLEAR_LINE}{text()}")
                terminal.flush()
    thread.join()
    if terminal:
        terminal.write(CLEAR_LINE)
    notifications.settle(job)
    job.refresh_from_db()


def _work(work: Callable[[], object], ended: Event) -> None:
    try:
        work()
    finally:
        connections.close_all()
        ended.set()


def line(run: Run) -> str:
    """How far the run is."""
    return told(run.phase or run.status, services.run_progress(run))


def audit_line(audit: Audit) -> str:
    """How far the audit is."""
    progress = services.audit_progress(audit, list(audit.tables.all()))
    return told(audit.doing or audit.status, progress)


def told(what: str, progress: services.RunProgress) -> str:
    """Progress in a line."""
    percent = "" if progress.percent is None else f" {progress.percent} %"
    parts = [f"{what}{percent}", f"{progress.rows:,} of {progress.total:,} rows"]
    if progress.rate:
        parts.append(f"{progress.rate:,.0f} rows/s")
    if progress.eta:
        parts.append(f"about {progress.eta:,.0f} s left")
    if progress.stalled_for:
        parts.append(f"no progress for {progress.stalled_for:,.0f} s")
    return " · ".join(parts)


@contextmanager
def asked_to_stop() -> Iterator[list[int]]:
    """Where the first Ctrl-C and SIGTERM are put; a second one has its ordinary effect.

    Not an exception: one that is raised while a thread is waited for may leave it in a muddle.
    """
    asked: list[int] = []
    before: dict[int, Any] = {}

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        signal.signal(number, before[number])

    if current_thread() is main_thread():  # no other thread may set handlers
        before |= {number: signal.signal(number, ask) for number in (SIGINT, SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
