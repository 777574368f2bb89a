"""Child processes that never outlive the demo, however it is asked to stop."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent.parent
# Seconds that a child gets to finish by itself, and between two looks at the children.
PATIENCE = 10.0
GLANCE = 0.1


class AskedToStop(Exception):
    """Ctrl-C, SIGTERM, or the terminal was closed."""


class ChildFailed(Exception):
    """A child ended that should not have; the message says which, and how."""


class Children:
    """Python processes in sessions of their own, so that a Ctrl-C reaches them only through us.

    A signal sets a flag and nothing else: an exception raised in the middle of starting a process
    could lose the process.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.asked_to_stop = False

    def __enter__(self) -> Children:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.asked_to_stop = True

    def start(self, name: str, arguments: Sequence[str], **environment: str) -> None:
        """Start Python with these arguments, and these changes to the environment."""
        self.running[name] = subprocess.Popen(  # noqa: S603  # our own Python and our own arguments
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def run(self, name: str, arguments: Sequence[str], **environment: str) -> None:
        """The same, until it ends well.  Raises ChildFailed or AskedToStop."""
        self.start(name, arguments, **environment)
        while self.running[name].poll() is None:
            self.glance()
        if status := self.running.pop(name).returncode:
            raise ChildFailed(f"{name} failed (exit status {status}); its message is above")

    def glance(self) -> None:
        """Let a moment pass.  Raises AskedToStop."""
        time.sleep(GLANCE)
        if self.asked_to_stop:
            raise AskedToStop

    def watch(self) -> None:
        """Let a moment pass.  Raises AskedToStop, or ChildFailed when one has ended."""
        self.glance()
        for name, child in self.running.items():
            if child.poll() is not None:
                raise ChildFailed(f"{name} has ended by itself (exit status {child.returncode})")

    def stop(self) -> None:
        """Stop all of them and wait until they are gone; the impatient way where need be."""
        for child in self.running.values():
            child.terminate()
        deadline = time.monotonic() + PATIENCE
        for child in self.running.values():
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.running.clear()
