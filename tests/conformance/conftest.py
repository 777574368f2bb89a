"""The nasty project's processes, and the dashboard's beside them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, MakeDatabase, RunManage, manage

HOST_SETTINGS = "tests.conformance.host_settings"

Host = Callable[..., Any]
Move = Callable[..., "Moved"]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


def run_host(
    url: str, *arguments: str, settings: str = HOST_SETTINGS, other: str = ""
) -> subprocess.CompletedProcess[str]:
    """Python in the host project's own process; `other` is a second copy's URL."""
    env = {"NASTY_DATABASE_URL": url, "HOST_SETTINGS": settings, "DJANGO_SETTINGS_MODULE": settings}
    return subprocess.run(  # noqa: S603  # our own command line
        [sys.executable, "-W", "error", "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, **env, **({"NASTY_OTHER_URL": other} if other else {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def host() -> Host:
    """`host(url, step, source, dest)`: a step of tests/conformance/host.py, and what it printed.

    `settings` names another project than the nasty one.
    """

    def run(url: str, step: str, source: str, dest: str, **more: str) -> Any:
        done = run_host(url, "tests.conformance.host", step, source, dest, **more)
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
    """`cutover(source_url, dest_url, *arguments)`: manage.py of the dashboard, for this project.

    `settings` names another project than the nasty one.
    """
    shutil.copy(migrated_control, tmp_path / "var" / "control.sqlite3")

    def run(
        source: str, dest: str, *arguments: str, settings: str = HOST_SETTINGS
    ) -> subprocess.CompletedProcess[str]:
        env = {
            "HOST_SETTINGS": settings,
            "SOURCE_DATABASE_URL": source,
            "DEST_DATABASE_URL": dest,
        }
        return run_manage(env, *arguments)

    return run


@dataclass(frozen=True)
class Moved:
    """A project's data before its move and after, and what was said and done meanwhile."""

    source: str
    dest: str
    before: dict[str, Any]
    after: dict[str, Any]
    report: dict[str, Any]
    inserted: list[dict[str, Any]]  # rows of the time after the cutover


@pytest.fixture
def move(make_database: MakeDatabase, host: Host, cutover: Command) -> Move:
    """`move(source, dest)`: a project moved from one vendor to the other, stale rows and all.

    Without `try_out` no rows are inserted afterwards.
    """

    def run(
        source: str, dest: str, *, settings: str = HOST_SETTINGS, try_out: bool = True
    ) -> Moved:
        one, other = make_database(source), make_database(dest)
        before = host(one, "fill", source, dest, settings=settings)
        host(other, "stale", source, dest, settings=settings)
        # The destination's name as the operator types it; a SQLite file's is its base name.
        arguments = ("--all", "--wipe", other.rpartition("/")[2], "--json")
        copied = cutover(one, other, "copydata", *arguments, settings=settings)
        assert copied.returncode == 0, copied.stderr + copied.stdout
        after = host(other, "dump", source, dest, settings=settings)
        audited = cutover(one, other, "auditdata", "--json", settings=settings)
        assert audited.returncode == 0, audited.stderr + audited.stdout
        verdicts = {table["verdict"] for table in json.loads(audited.stdout)["tables"]}
        assert verdicts == {"identical"}, audited.stdout
        inserted = host(other, "insert", source, dest, settings=settings) if try_out else []
        return Moved(one, other, before, after, json.loads(copied.stdout), inserted)

    return run
