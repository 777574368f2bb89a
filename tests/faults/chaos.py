"""Faults at random, one after the other, while runs are under way.

Two dashboards take turns, one from PostgreSQL to MariaDB, one back, on two servers of their own.
Every run has to end as succeeded, after a click on Resume where one is offered, and the audit of
every cell has to find both sides identical.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from threading import Timer
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

import MySQLdb  # noqa: E402  # what is below needs the settings
import psycopg2  # noqa: E402  # same

from tests.conftest import ROOT, manage  # noqa: E402  # same
from tests.faults.conftest import LEASE, LOG, Scene, fill  # noqa: E402  # same
from tests.faults.mortal import SLOW_ON, Mortal, execute, mortal  # noqa: E402  # same
from tests.services.conftest import Shop, migrate, much_to_copy  # noqa: E402  # same
from tests.services.deployment import AS_IF, Worker  # noqa: E402  # same
from tests.settings import VARIABLES  # noqa: E402  # same

WORKERS = 2
RESUMED = ("failed", "cancelled", "interrupted", "paused")
# Seconds that a run has for its end when nothing is broken any more.
PATIENCE = 300
OTHERS = {
    "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "mysql": "SELECT CONCAT('KILL ', id) FROM information_schema.processlist"
    " WHERE db = DATABASE() AND id <> CONNECTION_ID()",
}
# Answers one request after the other, since each process of its own takes seconds to start.
CONSOLE = f"""
import json, sys, traceback
from django.db import connection
{AS_IF}
for line in sys.stdin:
    names = {{}}
    try:
        exec(json.loads(line), names)
    except Exception:
        names["answer"] = {{"error": traceback.format_exc()}}
    connection.close()
    sys.__stdout__.write(json.dumps(names["answer"]) + "\\n")
    sys.__stdout__.flush()
"""


class Console:
    """The same as `Deployment.shell`, in one process that stays."""

    def __init__(self, var: Path, given: Mapping[str, str]) -> None:
        env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        env |= {"DJANGO_SETTINGS_MODULE": "dashboard.settings", "CUTOVER_VAR": str(var)}
        self.process = subprocess.Popen(  # noqa: S603  # our own command line
            [sys.executable, "manage.py", "shell", "-v0", "-c", CONSOLE],
            cwd=ROOT,
            env=env | dict(given),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, code: str) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True)
class Stage(Scene):
    """A dashboard with a console; its servers may die."""

    machines: Mapping[str, Mortal]  # by vendor
    console: Console

    def shell(self, code: str) -> Any:
        return self.console.ask(code)

    def machine(self, side: str) -> tuple[str, Mortal]:
        """The URL of the source or the destination, and the server that it is on."""
        url = self.env[f"{side}_DATABASE_URL"]
        return url, self.machines[vendor_of(url)]


def vendor_of(url: str) -> str:
    return "postgresql" if url.startswith("postgres") else "mysql"


class Storm:
    """A dashboard with its workers, and somebody who breaks what can be broken."""

    def __init__(self, scene: Stage, dice: random.Random, faults: Counter[str]) -> None:
        self.scene = scene
        self.dice = dice
        self.faults = faults
        self.workers: list[Worker] = []
        self.run = 0

    def break_something(self) -> None:
        """One fault, noted down."""
        side = self.dice.choice(("SOURCE", "DEST"))
        faults: dict[str, Callable[[], object]] = {
            "worker killed": lambda: self.a_worker().stop(signal.SIGKILL),
            "worker stopped": lambda: self.a_worker().stop(signal.SIGTERM),
            "worker suspended": self.suspend,
            "cancelled": lambda: self.ask("cancel"),
            "paused": lambda: self.ask("pause"),
            f"{side.lower()}'s sessions ended": lambda: self.end_sessions(side),
            f"{side.lower()}'s server crashed": lambda: self.crash(side),
        }
        name = self.dice.choice(list(faults))
        self.faults[name] += 1
        faults[name]()

    def man(self) -> None:
        """Have as many workers as there should be."""
        self.workers = [worker for worker in self.workers if worker.process.poll() is None]
        while len(self.workers) < WORKERS:
            self.workers.append(Worker(self.scene))

    def a_worker(self) -> Worker:
        return self.dice.choice(self.workers)

    def suspend(self) -> None:
        """For longer than a lease."""
        process = self.a_worker().process
        process.send_signal(signal.SIGSTOP)
        wakes = Timer(LEASE + 2, process.send_signal, [signal.SIGCONT])
        wakes.daemon = True
        wakes.start()

    def end_sessions(self, side: str) -> None:
        url, _ = self.scene.machine(side)
        for (kill,) in execute(url, OTHERS[vendor_of(url)]):
            if isinstance(kill, str):
                with suppress(MySQLdb.Error):  # it has ended meanwhile
                    execute(url, kill)

    def crash(self, side: str) -> None:
        _, machine = self.scene.machine(side)
        machine.die()
        time.sleep(self.dice.uniform(0, 2))
        machine.come_back()

    def ask(self, what: str) -> None:
        """As an operator would; that it may have ended by now is no fault."""
        self.scene.shell(
            "from contextlib import suppress\nfrom migrations_ui import services\n"
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
        deadline = max(until, time.monotonic()) + PATIENCE
        while (status := self.scene.status(self.run)) != "succeeded":
            if time.monotonic() > deadline:
                return f"it is still {status}: {self.scene.told(self.run)[-3:]}"
            if status in RESUMED:
                if status != "paused" and not self.scene.rows(
                    f"SELECT 1 FROM migrations_ui_tablecopy WHERE run_id = {self.run} AND wiped"
                ):
                    return ""  # it was ended before it had touched anything
                self.scene.resume(self.run)
            elif time.monotonic() < until:
                self.break_something()
            self.man()
            time.sleep(self.dice.uniform(0.1, 1))
        found = self.scene.audit()
        return "" if found[:2] == ["finished", "identical"] else f"the audit says {found}"

    def close(self) -> None:
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.process.send_signal(signal.SIGCONT)
            worker.stop(signal.SIGKILL)
        self.scene.console.close()


def storm(seconds: int, seed: int | None) -> int:
    """Break things for so many seconds; 0 when every run has survived."""
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    say(f"seed {seed} (make chaos SEED={seed} SECONDS={seconds})")
    dice, faults = random.Random(seed), Counter[str]()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cutover-chaos-")))
        machines = {
            vendor: stack.enter_context(mortal(vendor)) for vendor in ("postgresql", "mysql")
        }
        storms = []
        for scene in stages(machines, folder):
            storms.append(Storm(scene, dice, faults))
            stack.callback(storms[-1].close)
        return weather(storms, seconds, faults)


def weather(storms: list[Storm], seconds: int, faults: Counter[str]) -> int:
    until = time.monotonic() + seconds
    survived = lost = 0
    while time.monotonic() < until:
        storms.append(found := storms.pop(0))
        before = faults.total()
        try:
            problem = found.one_run(until)
        except (psycopg2.Error, MySQLdb.Error, OSError) as error:
            problem = f"chaos itself failed: {error}"
        told = f"run {found.run} onto {vendor_of(found.scene.env['DEST_DATABASE_URL'])}"
        if problem:
            lost += 1
            say(f"{told} was lost: {problem}")
        else:
            survived += 1
            say(f"{told} survived {faults.total() - before} faults")
    kinds = ", ".join(f"{count} × {name}" for name, count in sorted(faults.items()))
    say(f"{faults.total()} faults ({kinds}); {survived} runs survived, {lost} were lost")
    return 1 if lost else 0


def stages(machines: Mapping[str, Mortal], folder: Path) -> list[Stage]:
    """Two dashboards whose sources have much to copy, each onto the other's server."""
    shop = Shop(folder / "old.sqlite3", folder / "unused.sqlite3")
    shop.source.touch()
    migrate(folder, f"sqlite:///{shop.source}")
    much_to_copy(shop)
    env = {"SOURCE_DATABASE_URL": f"sqlite:///{shop.source}", "CUTOVER_LEASE": str(LEASE)}
    (first := folder / "prepared").mkdir()
    done = manage(first, env | {"DEST_DATABASE_URL": env["SOURCE_DATABASE_URL"]}, "migrate", "-v0")
    if done.returncode:
        raise RuntimeError(done.stderr)
    sources, dests = {}, {}
    for vendor, machine in machines.items():
        sources[vendor], dests[vendor] = (machine.create_database(vendor) for _ in range(2))
        copytree(first, folder / f"filling-{vendor}")
        fill(sources[vendor], folder / f"filling-{vendor}", env)
        migrate(first, dests[vendor])
        execute(dests[vendor], SLOW_ON[vendor])
    found = []
    for source, dest in (("postgresql", "mysql"), ("mysql", "postgresql")):
        copytree(first, var := folder / f"onto-{dest}")
        urls = {"SOURCE_DATABASE_URL": sources[source], "DEST_DATABASE_URL": dests[dest]}
        found.append(Stage(var, env | urls, machines, Console(var, env | urls)))
    return found


def say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()
