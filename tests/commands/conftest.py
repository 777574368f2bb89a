"""The demo's registry with a few rows, and two empty databases beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import RunManage, manage
from tests.hosts.site import Site

FILES = ("source.sqlite3", "dest.sqlite3", "var/control.sqlite3")


def site(folder: Path, run_manage: RunManage) -> Site:
    """A dashboard whose databases are files of the folder."""
    return Site(
        run_manage,
        {
            "SOURCE_DATABASE_URL": f"sqlite:///{folder}/source.sqlite3",
            "DEST_DATABASE_URL": f"sqlite:///{folder}/dest.sqlite3",
        },
    )


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the databases as every test finds them."""
    folder = tmp_path_factory.mktemp("registry")
    (folder / "var").mkdir()
    for name in FILES[:2]:
        (folder / name).touch()
    made = site(folder, lambda *arguments: manage(folder / "var", *arguments))
    made.exchanged().manage("migrate", "--database", "dest", "-v0")
    made.exchanged().manage("filldemo", "--rows", "2000")
    made.manage("migrate", "--database", "dest", "-v0")
    made.manage("migrate", "-v0")
    return folder


@pytest.fixture
def registry(template: Path, tmp_path: Path, run_manage: RunManage) -> Site:
    for name in FILES:
        shutil.copy(template / name, tmp_path / name)
    return site(tmp_path, run_manage)
