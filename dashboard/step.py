"""A step after a copy, in a process of its own: `python -m dashboard.step COMMAND [ARGUMENT …]`.

COMMAND is a management command of the host project's, or the dotted path of a function that takes
the arguments as texts.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence

import django
from django.core.management import execute_from_command_line
from django.utils.module_loading import import_string


def main(words: Sequence[str]) -> None:
    """Do the step; any exception is its failure."""
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    if "." not in words[0]:
        execute_from_command_line(["manage.py", *words])
        return
    django.setup()
    result = import_string(words[0])(*words[1:])
    if result is not None:
        sys.stdout.write(f"{result}\n")


def end_with(worker: int) -> None:
    """End the step and its children when the worker that started it is gone: nobody would know."""
    while os.getppid() == worker:
        time.sleep(0.5)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
