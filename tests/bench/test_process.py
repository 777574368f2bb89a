"""What a contestant's process is measured by."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.bench.process import Failed, measure

# Holds 64 MB for long enough to be looked at many times.
HOLDS = "import time; held = bytearray(64_000_000); held[::4096] = held[::4096]; time.sleep(1)"


def parent_of(script: str) -> str:
    """A script that has a child do it."""
    return f"import subprocess, sys; subprocess.run([sys.executable, '-c', {script!r}], check=True)"


def test_the_memory_of_each_process_counts_children_included(tmp_path: Path) -> None:
    measured = measure([sys.executable, "-c", parent_of(HOLDS)], tmp_path)
    assert len(measured.peak_rss) == 2
    assert measured.largest_rss > 64_000_000 > min(measured.peak_rss.values())


def test_what_a_process_was_before_its_exec_counts_no_more(tmp_path: Path) -> None:
    """It has the memory of its parent until then."""
    small = f"[sys.executable, '-c', {'import time; time.sleep(1)'!r}]"
    turning = f"{HOLDS}; import os, sys; os.execv(sys.executable, {small})"
    measured = measure([sys.executable, "-c", turning], tmp_path)
    assert measured.largest_rss < 64_000_000


def test_cpu_seconds_include_children(tmp_path: Path) -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    assert measure([sys.executable, "-c", parent_of(busy)], tmp_path).cpu_seconds > 0.3


def test_a_failure_is_told_in_the_commands_own_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such table')"]
    with pytest.raises(Failed, match="no such table"):
        measure(command, tmp_path)


def test_a_command_sees_nothing_of_the_shells_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATABASE_URL", "sqlite:///somebody's")
    show = "import os; print(os.environ.get('SOURCE_DATABASE_URL'), os.environ['GIVEN'])"
    measured = measure([sys.executable, "-c", show], tmp_path, {"GIVEN": "yes"})
    assert measured.output == "None yes\n"
