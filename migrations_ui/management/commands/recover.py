"""recover: have runs gone on with whose worker has vanished."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from migrations_ui import services
from migrations_ui.management.base import CutoverCommand


class Command(CutoverCommand):
    help = (
        "Hand over the runs of workers that have vanished, and tell a worker of every run that "
        "waits for one. Workers do the same by themselves every few seconds."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--wait",
            action="store_true",
            help="wait until it is certain of each worker whether it has vanished",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["wait"]:
            for run in services.at_work():
                if services.wait_until_silent(run, self.stdout.write):
                    continue
                self.stdout.write(f"The worker of {run} gives signs of life.")
        found = services.recover()
        for run in found:
            self.stdout.write(f"{run} waits for a worker, which has been told.")
        busy = [] if options["wait"] else list(services.at_work())
        for run in busy:
            self.stdout.write(services.last_heard_of(run))
        if not found and not busy:
            self.stdout.write("No run waits for a worker.")
