"""A dashboard whose processes are real: commands, and a worker that can be killed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, manage
from tests.settings import VARIABLES

PATIENCE = 120  # seconds: a busy machine may need one for a process to start

AS_IF = """
from migrations_ui import workers
workers.Health.nobody = ""
"""

START = """
import json
from migrations_ui import services
labels = {labels!r}
services.count_now(labels)
services.check_data_now(labels, "alice")
plan = services.plan(labels)
try:
    options = services.Options(**{options!r})
    run = services.start(labels, plan.dest.name, plan.fingerprint, "alice", options=options)
    answer = run.pk
except services.Refused as refusal:
    answer = str(refusal)
"""

CANCEL = """
import json
from django.contrib.auth import get_user_model
from django.test import Client
browser = Client(SERVER_NAME="localhost")
browser.force_login(get_user_model().objects.get(username="alice"))
answer = browser.post("/runs/{run}/cancel/").status_code
"""


@dataclass(frozen=True)
class Deployment:
    """`env` is the environment of every process; `var` the folder of what they keep."""

    var: Path
    env: Mapping[str, str]

    def shell(self, code: str) -> Any:
        """What Python code leaves in `answer`, in a process of its own.

        As if a worker were there: a test starts it when it wants.
        """
        code = f"{AS_IF}{code}\nprint(json.dumps(answer))"
        done = manage(self.var, self.env, "shell", "-v0", "-c", code)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def start(self, *labels: str, **options: Any) -> Any:
        """The number of the run that was started, or why it was refused."""
        return self.shell(START.format(labels=list(labels), options=options))

    def cancel(self, run: int) -> Any:
        """Click on the button; the answer's status."""
        return self.shell(CANCEL.format(run=run))

    def rows(self, query: str) -> list[Any]:
        """What the control database says."""
        with closing(sqlite3.connect(self.var / "control.sqlite3", timeout=20)) as control:
            return control.execute(query).fetchall()

    def execute(self, statement: str) -> None:
        """Change the control database behind the dashboard's back."""
        path = self.var / "control.sqlite3"
        with closing(sqlite3.connect(path, timeout=20)) as control, control:
            control.execute(statement)

    def status(self, run: int) -> str:
        return str(self.rows(f"SELECT status FROM migrations_ui_run WHERE id = {run}")[0][0])

    def wait_for_status(self, run: int, status: str) -> None:
        wait_until(lambda: self.status(run) == status)

    def wait_for_rows(self, run: int) -> None:
        """Until the log is being loaded, and some of its rows are there."""
        query = (
            f"SELECT 1 FROM migrations_ui_tablecopy WHERE run_id = {run} "
            "AND label = 'admin.LogEntry' AND copied_rows > 0"
        )
        self.wait_for(query)

    def wait_for(self, query: str) -> None:
        """Until the control database has a row for it."""
        wait_until(lambda: bool(self.rows(query)))


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Worker:
    """A running `manage.py run_huey`."""

    def __init__(self, deployment: Deployment) -> None:
        self.log = deployment.var / f"worker-{time.monotonic_ns()}.log"
        env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        env |= {"DJANGO_SETTINGS_MODULE": "dashboard.settings", "CUTOVER_VAR": str(deployment.var)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(  # our own command line
                [sys.executable, "manage.py", "run_huey"],
                cwd=ROOT,
                env=env | dict(deployment.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until(lambda: "Huey consumer started" in self.said())
        wait_until(lambda: catches(self.process.pid, signal.SIGTERM))  # it says so a little early

    def said(self) -> str:
        return self.log.read_text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal, and wait for its end; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def catches(process: int, number: int) -> bool:
    """Whether a process has a handler for a signal."""
    status = Path(f"/proc/{process}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> (number - 1) & 1)
