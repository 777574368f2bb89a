"""A command on a terminal, where a person types and interrupts it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import ROOT
from tests.hosts.site import Site


class Terminal:
    """manage.py on a terminal of its own, where a person types."""

    def __init__(self, site: Site, tmp_path: Path, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(  # noqa: S603  # our own command line
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=os.environ
            | {"DJANGO_SETTINGS_MODULE": "dashboard.settings", "CUTOVER_VAR": f"{tmp_path}/var"}
            | dict(site.env),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.text = ""

    def read(self, until: str = "", seconds: float = 30) -> str:
        """What is on the terminal by the time that it says this, or that the process has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not (until and until in self.text):
            if not select.select([self.master], [], [], 0.1)[0]:
                continue
            try:
                self.text += os.read(self.master, 4096).decode()
            except OSError:  # the process has left the terminal
                break
        return self.text

    def type(self, line: str) -> None:
        os.write(self.master, f"{line}\n".encode())

    def ended(self) -> int:
        self.read()
        os.close(self.master)
        return self.process.wait(30)
