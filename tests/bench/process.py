"""A process and all that it starts: how long they took, how much memory each had at most."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import clean_environment

ROOT = Path(__file__).resolve().parent.parent.parent

# Seconds between two looks at the memory; each sees the highest so far, and takes milliseconds.
LOOK = 0.25


class Failed(Exception):
    """A contestant did not finish; in its own words."""


@dataclass
class Measured:
    """What a command took."""

    seconds: float
    cpu_seconds: float
    peak_rss: dict[str, int] = field(default_factory=dict)  # bytes by process, "name pid"
    output: str = ""
    # Ours only: seconds by phase, and those from the wipe to the end of the sequences.
    phases: dict[str, float] = field(default_factory=dict)
    load_seconds: float | None = None

    @property
    def largest_rss(self) -> int:
        """Bytes of the largest of its processes."""
        return max(self.peak_rss.values(), default=0)


def measure(
    command: Sequence[str],
    folder: Path,
    env: Mapping[str, str] | None = None,
    *,
    patience: float = 3600,
) -> Measured:
    """Run a command to its end; `output` is what it wrote to stdout.

    CPU seconds are those of the process and of its children, not of the servers.  Raises `Failed`
    with the last lines of stderr for an exit status other than 0.
    """
    out, err = folder / "stdout", folder / "stderr"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        began = time.monotonic()
        process = subprocess.Popen(  # noqa: S603  # the contestants' own command lines
            command,
            cwd=ROOT,
            env=environment(env or {}),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        try:
            measured = watch(process, began, patience)
        finally:
            if process.returncode is None:  # it is us who were interrupted
                process.kill()
    measured.output = out.read_text(errors="replace")
    if process.returncode:
        said = (err.read_text(errors="replace").strip() or measured.output.strip()).splitlines()
        raise Failed(" | ".join(said[-3:]) or f"exit status {process.returncode}")
    return measured


def watch(process: subprocess.Popen[bytes], began: float, patience: float) -> Measured:
    """Wait for the process, looking at the memory of its family meanwhile."""
    peaks: dict[int, tuple[str, int]] = {}
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        for member in family(process.pid):
            note_peak(member, peaks)
        if time.monotonic() - began > patience:
            process.kill()
        time.sleep(LOOK)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    by_name = {f"{name} {pid}": peak for pid, (name, peak) in peaks.items()}
    return Measured(seconds, usage.ru_utime + usage.ru_stime, by_name)


def family(pid: int) -> list[int]:
    """The process and its descendants that run at this moment."""
    found = [pid]
    for parent in found:
        try:
            threads = os.listdir(f"/proc/{parent}/task")
            for thread in threads:
                children = Path(f"/proc/{parent}/task/{thread}/children").read_text()
                found += map(int, children.split())
        except OSError:  # it has just ended
            continue
    return found


def note_peak(pid: int, peaks: dict[int, tuple[str, int]]) -> None:
    """Note the name of the process and the highest resident size that it has had so far.

    The kernel keeps the highest.  So the last look is the one that counts: what an earlier one saw
    may have been from before the exec, when name and memory were still those of the parent.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has just ended
        return
    facts = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    if "VmHWM" in facts:  # not a zombie
        peaks[pid] = facts["Name"].strip(), int(facts["VmHWM"].split()[0]) * 1024


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command: nothing of the shell's that a contestant would listen to."""
    home = {"HOME": os.environ.get("HOME", "/")}
    return {**clean_environment(), **home, "DJANGO_SETTINGS_MODULE": "dashboard.settings", **ours}


def manage(*arguments: str) -> list[str]:
    return [sys.executable, "manage.py", *arguments]
