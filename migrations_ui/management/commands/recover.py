"""recover: have runs gone on with whose worker has vanished."""

from __future__ import annotations

from typing import Any

from migrations_ui import services
from migrations_ui.management.base import CutoverCommand


class Command(CutoverCommand):
    help = (
        "Hand over the runs of workers that have vanished, and tell a worker of every run that "
        "waits for one. Workers do the same by themselves every few seconds."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        found = services.recover()
        for run in found:
            self.stdout.write(f"{run} waits for a worker, which has been told.")
        if not found:
            self.stdout.write("No run waits for a worker.")
