"""Steps after a copy: commands and functions of the host project's, run against the destination.

They run when everything is loaded and its keys are set, before the audit: what the audit says is
then true of the database that goes live, whatever a step has done to it.  Each is a process of its
own in which the host's `default` database is the destination; see `dashboard/settings_on_dest.py`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from migrations_ui import holding, positions
from migrations_ui.concealing import cleaned
from migrations_ui.engine.databases.access import place
from migrations_ui.engine.databases.positions import STOOD, Movement, Position, State
from migrations_ui.engine.errors import EngineError
from migrations_ui.models import Event, Run, Step
from migrations_ui.sides import Refused, endpoints

# Bytes of the output that are kept, of its beginning and of its end.
FIRST, LAST = 16_384, 49_152
# Seconds that a step gets to end in order when it is stopped, and between two looks at it.
GRACE, LOOK = 5, 0.1
# What a step must not inherit: the ways to the other databases.
OURS = re.compile(r"(SOURCE|DEST|CONTROL)_DATABASE_URL|HUEY_URL|CUTOVER_.*")
VANISHED = "The worker has vanished in the middle of it."

Check = Callable[[], object]


def plan(run: Run) -> None:
    """Write down, with the run, the steps that are configured now."""
    Step.objects.bulk_create(
        Step(run=run, position=position, words=words)
        for position, words in enumerate(settings.CUTOVER_STEPS)
    )


def do_all(run: Run, check: Check) -> Movement:
    """Do the run's steps that have not succeeded, in order, up to the first that fails.

    `check` is called often, and stops the step by an exception.  What has become of the run's
    tables meanwhile is returned.
    """
    steps = list(run.steps.exclude(status=Step.Status.SUCCEEDED))
    if not steps:
        return STOOD
    before = _position(run)
    for step in steps:
        Run.objects.filter(pk=run.pk).update(doing=str(step)[:255])
        if not do(step, check):
            break
    return _changes(run, before)


def unfinished(run: Run) -> str:
    """What is left of the run's steps, in a sentence; "" where all have succeeded."""
    left = list(run.steps.exclude(status=Step.Status.SUCCEEDED))
    failed = [step for step in left if step.status == Step.Status.FAILED]
    if not left:
        return ""
    waiting = len(left) - len(failed)
    return " ".join(
        [
            *(f"The step `{step}` failed: {step.error}" for step in failed),
            *(
                [f"{waiting} more {'was' if waiting == 1 else 'were'} not begun."]
                if waiting
                else []
            ),
            "It does not undo the copy. Mend what the step complains about and try it again.",
        ]
    )


def ask(step: Step, operator: str) -> None:
    """Queue a step of an ended run again, and those after it that wait; `Refused` if it can't be.

    The caller wakes a worker.
    """
    run = step.run
    if run.is_active:
        raise Refused(f"{run} is still active. Wait until it has ended.")
    if held := holding.by_whom(run.dest["identity"], run.dest["name"]):
        raise Refused(f"{held} Wait until it has ended.")
    with transaction.atomic():
        if not _free(step):
            raise Refused(f"The step {step} has succeeded, or a worker is at it.")
        Event.objects.create(run=run, who=operator, what=f"Asked to do the step `{step}` again.")


def _free(step: Step) -> bool:
    """Queue the step, if it is neither done nor asked for nor being done."""
    waits = Step.objects.filter(pk=step.pk, status__in=(Step.Status.FAILED, Step.Status.WAITING))
    return bool(waits.update(status=Step.Status.QUEUED, started_at=timezone.now()))


def put_back(step: Step, why: str) -> None:
    """Take back that a step was asked for, because it can't be done now."""
    status = Step.Status.FAILED if step.attempts else Step.Status.WAITING
    queued = Step.objects.filter(pk=step.pk, status=Step.Status.QUEUED)
    if queued.update(status=status, started_at=None):
        what = f"The step `{step}` was not tried again. {why}"
        Event.objects.create(run=step.run, who="worker", what=what)


def end_left() -> None:
    """Let the steps have failed that a worker was at which has vanished since.

    One that lives would be on an active run, or hold the destination of one that has ended.
    """
    end_dead(Step.objects.filter(run__active_dest=None))


def end_dead(found: QuerySet[Step]) -> None:
    """The same of those among these steps that are still called running."""
    for step in found.filter(status=Step.Status.RUNNING):
        # Unless it was ended and begun again in this moment.
        Step.objects.filter(pk=step.pk, status=step.status, started_at=step.started_at).update(
            status=Step.Status.FAILED, error=VANISHED, finished_at=timezone.now()
        )


def retry(step_id: int, check: Check) -> None:
    """Do a queued step, and when it succeeds those after it that wait.

    `check` is called often, and stops the step by an exception.
    """
    step = Step.objects.select_related("run").get(pk=step_id)
    if not Step.objects.filter(pk=step.pk, status=Step.Status.QUEUED).update(
        status=Step.Status.RUNNING
    ):
        return  # another worker is at it
    run = step.run
    while do(step, check):
        waiting = run.steps.filter(position__gt=step.position, status=Step.Status.WAITING)
        following = waiting.first()
        if following is None:
            return
        step = following


def do(step: Step, check: Check) -> bool:
    """Do a step and keep its output; whether it succeeded."""
    now = timezone.now()
    step.status, step.started_at, step.finished_at = Step.Status.RUNNING, now, None
    step.output = step.error = ""
    step.exit_status = None
    step.attempts += 1
    step.save()
    before = _position(step.run)
    try:
        step.exit_status, step.output, step.error = run_process(
            environment(step.run), step.words, settings.CUTOVER_STEP_TIMEOUT, check
        )
        step.status = Step.Status.FAILED if step.error else Step.Status.SUCCEEDED
    except BaseException as error:
        step.status, step.error = Step.Status.FAILED, f"It was stopped: {error}"
        raise
    finally:
        step.finished_at = timezone.now()
        step.changed = sorted(_changes(step.run, before).tables)
        step.save()
        _tell(step)
    return step.status == Step.Status.SUCCEEDED


def _tell(step: Step) -> None:
    how = "succeeded" if step.status == Step.Status.SUCCEEDED else f"failed: {step.error}"
    changed = f" It has written {', '.join(step.changed)}." if step.changed else ""
    Event.objects.create(
        run=step.run, who="worker", what=f"The step `{step}` {how.rstrip('.')}.{changed}"
    )


def _position(run: Run) -> Position | None:
    """Where the destination stands; None where it can't be told."""
    try:
        labels = run.tables.values_list("label", flat=True)
        config = positions.configs(reverse=run.reverse)["dest"]
        return positions.position_of(config, positions.tables_of(labels), settled=True)
    except EngineError:
        return None


def _changes(run: Run, before: Position | None) -> Movement:
    """Which of the run's tables were written since."""
    if before is None:
        return Movement(State.UNKNOWN)
    labels = run.tables.values_list("label", flat=True)
    config = positions.configs(reverse=run.reverse)["dest"]
    return positions.until_now(config, before, labels, fresh=True)[0]


# -- The process ----------------------------------------------------------------------------------


def environment(run: Run) -> dict[str, str]:
    """What a step's process sees: the host's settings, the destination, and no other database."""
    ends = endpoints(reverse=run.reverse)
    kept = {name: value for name, value in os.environ.items() if not OURS.fullmatch(name)}
    try:
        database = json.dumps(ends.dest)
    except TypeError as error:
        raise EngineError(
            f"The destination's configuration can't be given to a step: {error}. Set it by a URL."
        ) from error
    return kept | {
        "DJANGO_SETTINGS_MODULE": "dashboard.settings_on_dest",
        "HOST_SETTINGS": settings.HOST_SETTINGS,
        "CUTOVER_STEP_DATABASE": database,
        "CUTOVER_STEP_SOURCE": json.dumps(place(ends.source)),
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
        "PYTHONUNBUFFERED": "1",
    }


def run_process(
    env: Mapping[str, str], words: list[str], timeout: float, check: Check
) -> tuple[int | None, str, str]:
    """Do a step: its exit status, what it printed, and why it failed ("" where it did not)."""
    process = subprocess.Popen(  # noqa: S603  # what the operator has configured; no shell
        [sys.executable, "-m", "dashboard.step", *words],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    output = Output()
    reader = Thread(target=output.read, args=(process.stdout,), name="step", daemon=True)
    reader.start()
    deadline = time.monotonic() + timeout
    late = False
    try:
        while process.poll() is None and not late:
            check()
            time.sleep(LOOK)
            late = time.monotonic() > deadline
    finally:
        stop(process)
        reader.join(GRACE)
    if late:
        return None, output.text(), f"It took longer than {timeout:,.0f} seconds and was stopped."
    status = process.returncode
    return status, output.text(), f"It ended with status {status}." if status else ""


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the process, if it has not, and whatever it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)


class Output:
    """What a process prints: its beginning and its end."""

    def __init__(self) -> None:
        self.first, self.last, self.dropped = b"", b"", 0

    def read(self, stream: Any) -> None:
        with stream:
            while block := stream.read1(65_536):
                self.add(block)

    def add(self, block: bytes) -> None:
        room = FIRST - len(self.first)
        self.first += block[:room]
        self.last += block[room:]
        if len(self.last) > LAST:
            self.dropped += len(self.last) - LAST
            self.last = self.last[-LAST:]

    def text(self) -> str:
        """As it can be shown: no credential, no half of one where something was left out."""
        first, last = self.first, self.last
        if self.dropped:
            first = first[: first.rfind(b"\n") + 1]
            last = f"… {self.dropped:,} bytes are left out …\n".encode() + last.partition(b"\n")[2]
        return cleaned((first + last).decode(errors="backslashreplace").replace("\0", "\\0"))
