"""run_huey, for Cutover's own tasks only."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from huey.contrib.djhuey.management.commands import run_huey

from migrations_ui import notifications, patrol, services, ticker, workers
from migrations_ui.memory import use_one_heap


class Command(run_huey.Command):
    help = "Run the worker: it copies, counts and audits what the pages ask for."

    def handle(self, *args: Any, **options: Any) -> None:
        """Without huey's own discovery: the host's `tasks` modules are not ours to run."""
        import_module("migrations_ui.tasks")
        use_one_heap(services.vendors())
        with (
            workers.present() as pulse,
            ticker.outlasting(),  # only now: a worker need not wait for it to start
            notifications.courier(),
            patrol.on_patrol(pulse),
        ):
            super().handle(*args, **(options | {"disable_autoload": True}))
