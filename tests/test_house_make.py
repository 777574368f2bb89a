"""The Makefile, the pinned versions, and what a build server runs."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT

PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if not line.startswith("#")
)


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """make with our Makefile in another folder, where it can do no harm."""
    return subprocess.run(  # noqa: S603  # our own command line
        ["make", "-f", str(ROOT / "Makefile"), *arguments],  # noqa: S607  # whichever make there is
        cwd=folder,
        env=without_make(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def without_make() -> dict[str, str]:
    """The environment without the flags of a make that runs these tests."""
    mine = ("MAKE", "MFLAGS")
    return {name: value for name, value in os.environ.items() if not name.startswith(mine)}


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A demo's folder, with a file in it and one beside it that are somebody's own."""
    (folder := tmp_path / "var" / "demo").mkdir(parents=True)
    for name in ("source.sqlite3", "control.sqlite3-wal", "demo.json", "mine.sqlite3"):
        (folder / name).touch()
    (tmp_path / "var" / "control.sqlite3").touch()
    return folder


def test_help_lists_every_target_with_what_it_does() -> None:
    targets = re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = dict(line.split(maxsplit=2)[1:] for line in make(ROOT, "help").stdout.splitlines())
    assert set(listed) == set(targets)
    assert {"demo", "demo-reset", "test", "lint", "types", "imports", "unit"} <= set(targets)


def test_the_tests_run_several_at_once_and_take_arguments() -> None:
    shown = make(ROOT, "--dry-run", "unit", "JOBS=7", "ARGS=-k audit").stdout.splitlines()[-1]
    assert shown.startswith(".venv/bin/pytest --numprocesses 7 ")
    assert shown.endswith(" -k audit")


def test_demo_clean_removes_the_demos_files_and_nothing_else(demo: Path) -> None:
    assert make(demo.parent.parent, "demo-clean").returncode == 0
    assert [path.name for path in demo.iterdir()] == ["mine.sqlite3"]
    assert (demo.parent / "control.sqlite3").exists()


def test_demo_clean_keeps_to_its_folder_whatever_the_environment_says(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUTOVER_VAR", str(tmp_path / "var"))
    assert make(tmp_path, "demo-clean").returncode == 0
    assert (tmp_path / "var" / "control.sqlite3").exists()


def test_demo_clean_without_a_demo_does_nothing(tmp_path: Path) -> None:
    assert make(tmp_path, "demo-clean").returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_demo_clean_refuses_while_the_demo_runs(demo: Path) -> None:
    with (demo / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = make(demo.parent.parent, "demo-clean")
    assert refused.returncode != 0
    assert "Stop it first" in refused.stderr
    assert (demo / "source.sqlite3").exists()


def test_without_a_python_the_message_says_what_to_install(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    refused = make(tmp_path, "demo", "PYTHON=")
    assert refused.returncode != 0
    assert "apt-get install python3-venv" in refused.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_python_that_is_too_old_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("python3.13", "python3.12", "python3.11", "python3"):
        (shim := tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert "No Python >= 3.11" in make(tmp_path, "--dry-run", "demo", *dated(tmp_path)).stdout


def dated(folder: Path) -> list[str]:
    """What make needs to believe that the packages are still to be installed."""
    for name in ("pyproject.toml", "constraints.txt"):
        (folder / name).touch()
    return ["--assume-new=pyproject.toml"]


# Stands in for the demo's server.
SERVE = """
import signal, sys
signal.signal(signal.SIGINT, lambda *context: sys.exit(0))
print("ready", flush=True)
signal.pause()
"""
# Runs a command in a terminal of its own, presses Ctrl-C once it says "ready", and ends as it does.
# A process apart, because forking this one would fork the threads of other tests.
IN_A_TERMINAL = """
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
print(os.read(terminal, 1000).decode().strip())
os.write(terminal, b"\\x03")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_ctrl_c_stops_the_demo_without_noise(tmp_path: Path) -> None:
    """make by itself would end as interrupted."""
    (stand_in := tmp_path / "dashboard" / "demo" / "serve.py").parent.mkdir(parents=True)
    stand_in.write_text(SERVE)
    dated(tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".installed").touch()
    bin_folder = Path(sys.executable).parent
    command = ("make", "-f", str(ROOT / "Makefile"), "demo", f"BIN={bin_folder}")
    done = subprocess.run(  # noqa: S603  # our own command line
        [sys.executable, "-c", IN_A_TERMINAL, *command],
        cwd=tmp_path,
        env=without_make(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ready\n", "")


def test_every_requirement_is_pinned_to_the_version_that_is_installed() -> None:
    wanted = [Requirement(text) for text in distribution("cutover").requires or []]
    names = {found.name for found in wanted if 'extra == "bench"' not in str(found.marker)}
    assert names
    assert {name: PINS.get(name) for name in names} == {name: version(name) for name in names}


def test_the_benchs_rivals_are_pinned() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    rivals = {Requirement(text).name for text in extras["bench"]}
    assert rivals
    assert rivals <= set(PINS)


def test_the_pins_are_plain_versions() -> None:
    assert all(re.fullmatch(r"[\w.]+", pin) for pin in PINS.values())


def test_the_build_servers_script_can_be_executed() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert os.access(ROOT / ".ci" / "packages", os.X_OK)


def test_nothing_is_installed_where_nothing_is_missing() -> None:
    done = subprocess.run(  # noqa: S603  # our own script
        [ROOT / ".ci" / "packages"],
        env={**os.environ, "PYTHON": "python3"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
