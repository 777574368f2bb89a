"""huey's consumer, which lets a run be gone on with elsewhere when it is asked to stop."""

from __future__ import annotations

import signal
import sys
from types import ModuleType
from typing import Any

import huey
from huey.consumer import Consumer

# Seconds that tasks have for leaving their work in order.
LEAVING = 10

# Where a host has a `django_tasks`, as Wagtail does, huey offers itself to it when it is imported,
# and fails with versions before 0.9.  A host's tasks are not ours to run.
TASKS_BACKEND = "huey.contrib.djhuey.tasks_backend"
sys.modules.setdefault(TASKS_BACKEND, ModuleType(TASKS_BACKEND))


class GracefulConsumer(Consumer):
    """Asked to stop by SIGTERM or Ctrl-C, it tells its tasks so and waits for them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        given = {"graceful_signal": "TERM", "shutdown_timeout": LEAVING}
        super().__init__(*args, **(options | given))
        self._signal_actions[signal.SIGINT] = (False, True)

    def stop(self, graceful: bool = False) -> None:
        from migrations_ui import services

        services.leave()
        super().stop(graceful)


class SqliteHuey(huey.SqliteHuey):
    """The queue in a SQLite file."""

    def create_consumer(self, **options: Any) -> GracefulConsumer:
        return GracefulConsumer(self, **options)


class RedisHuey(huey.RedisHuey):
    """The queue in Redis."""

    def create_consumer(self, **options: Any) -> GracefulConsumer:
        return GracefulConsumer(self, **options)
