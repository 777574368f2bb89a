"""The nasty project's processes, and the dashboard's beside them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, RunManage, manage

HOST_SETTINGS = "tests.conformance.host_settings"

Host = Callable[..., Any]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def host() -> Host:
    """`host(url, step, source, dest)`: a step of tests/conformance/host.py, and what it printed."""

    def run(url: str, step: str, source: str, dest: str) -> Any:
        done = subprocess.run(  # noqa: S603  # our own command line
            [sys.executable, "-W", "error", "-m", "tests.conformance.host", step, source, dest],
            cwd=ROOT,
            env={**os.environ, "NASTY_DATABASE_URL": url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{step} on {source}: {done.stderr[-3000:]}"
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def migrated_control(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A control database that is ready, made once and copied for every test."""
    var = tmp_path_factory.mktemp("control")
    for name in ("source", "dest"):
        (var / f"{name}.sqlite3").touch()
    env = {
        "HOST_SETTINGS": HOST_SETTINGS,
        "SOURCE_DATABASE_URL": f"sqlite:///{var}/source.sqlite3",
        "DEST_DATABASE_URL": f"sqlite:///{var}/dest.sqlite3",
    }
    done = manage(var, env, "migrate", "--verbosity=0")
    assert done.returncode == 0, done.stderr
    return var / "control.sqlite3"


@pytest.fixture
def cutover(run_manage: RunManage, migrated_control: Path, tmp_path: Path) -> Command:
    """`cutover(source_url, dest_url, *arguments)`: manage.py of the dashboard, for this project."""
    shutil.copy(migrated_control, tmp_path / "var" / "control.sqlite3")

    def run(source: str, dest: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = {
            "HOST_SETTINGS": HOST_SETTINGS,
            "SOURCE_DATABASE_URL": source,
            "DEST_DATABASE_URL": dest,
        }
        return run_manage(env, *arguments)

    return run
