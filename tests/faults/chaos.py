"""Faults at random, one after the other, while runs are under way.

Every run has to end as succeeded, after a click on Resume where one is offered, and the audit of
every cell has to find both sides identical.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from tests.conftest import manage  # noqa: E402  # needs the settings
from tests.faults.conftest import LEASE, LOG, SLOW, Scene  # noqa: E402  # same
from tests.servers import Servers  # noqa: E402  # same
from tests.services.conftest import Postgres, Shop, migrate, much_to_copy  # noqa: E402  # same
from tests.services.deployment import Worker  # noqa: E402  # same

WORKERS = 2
RESUMED = ("failed", "cancelled", "interrupted", "paused")
END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


class Storm:
    """A dashboard with its workers, and somebody who breaks what can be broken."""

    def __init__(self, scene: Scene, dest: Postgres, dice: random.Random) -> None:
        self.scene = scene
        self.dest = dest
        self.dice = dice
        self.workers: list[Worker] = []
        self.faults: Counter[str] = Counter()
        self.run = 0

    def break_something(self) -> None:
        """One fault, noted down."""
        faults: list[Callable[[], None]] = [
            self.kill,
            self.stop,
            self.suspend,
            self.end_sessions,
            self.cancel,
            self.pause,
        ]
        fault = self.dice.choice(faults)
        self.faults[fault.__name__] += 1
        fault()

    def man(self) -> None:
        """Have as many workers as there should be."""
        self.workers = [worker for worker in self.workers if worker.process.poll() is None]
        while len(self.workers) < WORKERS:
            self.workers.append(Worker(self.scene))

    def kill(self) -> None:
        self.dice.choice(self.workers).stop(signal.SIGKILL)

    def stop(self) -> None:
        self.dice.choice(self.workers).stop(signal.SIGTERM)

    def suspend(self) -> None:
        """For longer than a lease."""
        worker = self.dice.choice(self.workers)
        worker.process.send_signal(signal.SIGSTOP)
        time.sleep(LEASE + 2)
        worker.process.send_signal(signal.SIGCONT)

    def end_sessions(self) -> None:
        self.dest.execute(END_SESSIONS)

    def cancel(self) -> None:
        self._ask("cancel")

    def pause(self) -> None:
        self._ask("pause")

    def _ask(self, what: str) -> None:
        """As an operator would; that it may have ended by now is no fault."""
        self.scene.shell(
            "import json\nfrom contextlib import suppress\nfrom migrations_ui import services\n"
            "from migrations_ui.models import Run\nwith suppress(services.Refused):\n"
            f"    services.{what}(Run.objects.get(pk={self.run}), 'alice')\nanswer = 0"
        )

    def one_run(self, until: float) -> str:
        """A run through faults; what is wrong with how it ended, or nothing."""
        self.man()
        started = self.scene.start(*LOG)
        if not isinstance(started, int):
            return f"it could not be started: {started}"
        self.run = started
        deadline = max(until, time.monotonic()) + 120
        while (status := self.scene.status(self.run)) != "succeeded":
            if time.monotonic() > deadline:
                return f"it is still {status}: {self.scene.told(self.run)[-3:]}"
            if status in RESUMED:
                if not self.scene.rows(
                    f"SELECT 1 FROM migrations_ui_tablecopy WHERE run_id = {self.run} AND wiped"
                ):
                    return ""  # it was ended before it had touched anything
                self.scene.resume(self.run)
            elif time.monotonic() < until:
                self.break_something()
            self.man()
            time.sleep(self.dice.uniform(0.2, 2))
        found = self.scene.audit()
        return "" if found[:2] == ["finished", "identical"] else f"the audit says {found}"


def storm(seconds: int, seed: int | None) -> int:
    """Break things for so many seconds; 0 when every run has survived."""
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    say(f"seed {seed} (make chaos SEED={seed} SECONDS={seconds})")
    with Servers() as servers, tempfile.TemporaryDirectory(prefix="cutover-chaos-") as name:
        found = Storm(*stage(servers, Path(name)), random.Random(seed))
        try:
            return weather(found, seconds)
        finally:
            for worker in found.workers:
                worker.process.send_signal(signal.SIGCONT)
                worker.stop(signal.SIGKILL)


def weather(found: Storm, seconds: int) -> int:
    until = time.monotonic() + seconds
    survived = lost = 0
    while time.monotonic() < until:
        if problem := found.one_run(until):
            lost += 1
            say(f"run {found.run} was lost: {problem}")
        else:
            survived += 1
            say(f"run {found.run} survived")
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(found.faults.items()))
    say(f"{found.faults.total()} faults ({kinds}); {survived} runs survived, {lost} were lost")
    return 1 if lost else 0


def stage(servers: Servers, folder: Path) -> tuple[Scene, Postgres]:
    """Source, destination and control database, with much to copy."""
    shop = Shop(folder / "old.sqlite3", folder / "unused.sqlite3")
    shop.source.touch()
    migrate(folder, f"sqlite:///{shop.source}")
    url, _ = servers.create_database("postgresql")
    migrate(folder, url)
    much_to_copy(shop)
    (dest := Postgres(url)).execute(SLOW)
    env = {
        "SOURCE_DATABASE_URL": f"sqlite:///{shop.source}",
        "DEST_DATABASE_URL": url,
        "CUTOVER_LEASE": str(LEASE),
    }
    (var := folder / "var").mkdir()
    done = manage(var, env, "migrate", "-v0")
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Scene(var, env), dest


def say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()
