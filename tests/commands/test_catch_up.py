"""copydata --catch-up: nothing is wiped, what differs is put right, and the audit proves it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import FILES, site
from tests.conftest import RunManage, manage
from tests.hosts.site import Site

CHANGES = (
    "UPDATE registry_pid SET name = 'renamed' WHERE id % 50 = 1",
    "DELETE FROM registry_target WHERE id % 40 = 3",
    "INSERT INTO auth_group (name) VALUES ('born in the freeze')",
)


def change(registry: Site, side: str, *statements: str) -> None:
    path = registry.env[f"{side}_DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)


@pytest.fixture(scope="module")
def copied_template(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The registry's databases after a copy."""
    folder = tmp_path_factory.mktemp("copied") / "registry"
    shutil.copytree(template, folder)
    made = site(folder, lambda *arguments: manage(folder / "var", *arguments))
    made.manage("copydata", "--all", "--wipe", "dest.sqlite3", "--no-verify")
    return folder


@pytest.fixture
def copied(copied_template: Path, tmp_path: Path, run_manage: RunManage) -> Site:
    for name in FILES:
        shutil.copy(copied_template / name, tmp_path / name)
    return site(tmp_path, run_manage)


STATUSES = """
import json
from migrations_ui.models import TableCopy
print(json.dumps(sorted(set(TableCopy.objects.values_list("status", flat=True)))))
"""


def answer(done: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_what_has_changed_since_the_copy_is_put_right(copied: Site) -> None:
    change(copied, "SOURCE", *CHANGES)
    change(copied, "DEST", "INSERT INTO auth_group (name) VALUES ('of the rehearsal')")
    assert answer(copied.manage("auditdata", "--json", fails=True))["status"] == "differs"

    done = answer(copied.manage("copydata", "--all", "--catch-up", "--json"))
    assert done["status"] == "succeeded"
    assert {table["verdict"] for table in done["tables"]} == {"identical"}
    assert done["rows"] == sum(table["source_rows"] for table in done["tables"])
    written = {table["label"]: table["copied_rows"] for table in done["tables"]}
    assert written["auth.Group"] == 1
    assert 0 < written["registry.Pid"] < 100
    assert written["registry.Domain"] == 0
    assert answer(copied.manage("auditdata", "--json"))["status"] == "identical"


def test_where_nothing_has_changed_it_says_so(copied: Site) -> None:
    done = answer(copied.manage("copydata", "--all", "--catch-up", "--json"))
    assert done["status"] == "succeeded"
    assert {table["copied_rows"] for table in done["tables"]} == {0}
    assert {table["verdict"] for table in done["tables"]} == {"identical"}


def test_it_is_done_as_the_copy_was_that_it_follows(copied: Site) -> None:
    """Rows that the copy left out by a declared transform are not brought in."""
    change(
        copied,
        "SOURCE",
        "PRAGMA foreign_keys = OFF",
        "UPDATE registry_target SET pid_id = -id WHERE id % 40 = 5",
    )
    skip = "registry.Target.pid_id=skip-orphans"
    copied.manage("copydata", "--all", "--wipe", "dest.sqlite3", "--transform", skip)
    change(copied, "SOURCE", *CHANGES[:1])
    done = answer(copied.manage("copydata", "--all", "--catch-up", "--json"))
    assert done["status"] == "succeeded"
    verdicts = {table["label"]: table["verdict"] for table in done["tables"]}
    assert verdicts["registry.Target"] == "identical-but-for-transforms"
    assert verdicts["registry.Pid"] == "identical"


@pytest.mark.parametrize(
    "more",
    [
        ["--wipe", "source.sqlite3"],
        ["--transform", "registry.Pid.name=strip-nul"],
        ["--reject-limit", "1"],
        ["--no-verify"],
    ],
)
def test_wrong_usage_is_2_and_changes_nothing(copied: Site, more: list[str]) -> None:
    change(copied, "SOURCE", *CHANGES)
    done = copied.manage("copydata", "--all", "--catch-up", *more, fails=True)
    assert done.returncode == 2
    audit = answer(copied.manage("auditdata", "auth.Group", "--json", fails=True))
    assert audit["tables"][0]["missing"] == 1


def test_who_still_writes_to_the_source_is_said(copied: Site) -> None:
    path = copied.env["SOURCE_DATABASE_URL"].removeprefix("sqlite:///")
    quiet = copied.manage("copydata", "auth.Group", "--catch-up")
    assert "writes" not in quiet.stderr
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO auth_group (name) VALUES ('not committed')")
        done = copied.manage("copydata", "auth.Group", "--catch-up")
    assert "In source.sqlite3, somebody is inside a transaction that writes." in done.stderr


def test_the_steps_are_done_after_it_and_the_audit_sees_what_they_did(copied: Site) -> None:
    """Of tables in which nothing differed, too, which are not compared twice without steps."""
    step = "tests.services.stepping.add_group born"
    done = copied.with_env(CUTOVER_STEPS=step).manage(
        "copydata", "auth.Group", "--catch-up", "--json", fails=True
    )
    assert answer(done)["status"] == "failed"
    assert answer(done)["tables"][0]["verdict"] == "differs"


def test_newer_rows_come_first_and_prove_nothing(copied: Site) -> None:
    change(
        copied,
        "SOURCE",
        CHANGES[2],
        "UPDATE registry_pid SET name = 'past save()' WHERE id = 1",
        "UPDATE registry_pid SET name = 'saved', updated_at = '2099-01-01 00:00:00' WHERE id = 2",
    )
    done = copied.manage("copydata", "--all", "--catch-up", "--newer-only", "--json", fails=True)
    assert (done.returncode, answer(done)["status"]) == (1, "incomplete")
    assert {table["verdict"] for table in answer(done)["tables"]} == {"not-checked"}
    written = {table["label"]: table["copied_rows"] for table in answer(done)["tables"]}
    assert (written["auth.Group"], written["registry.Pid"]) == (1, 1)
    assert sum(written.values()) == 2
    assert copied.shell(STATUSES) == ["done"]

    whole = answer(copied.manage("copydata", "--all", "--catch-up", "--json"))
    assert whole["status"] == "succeeded"
    assert sum(table["copied_rows"] for table in whole["tables"]) == 1


def test_newer_rows_of_tables_that_do_not_tell_them_are_refused(copied: Site) -> None:
    done = copied.manage("copydata", "sessions.Session", "--catch-up", "--newer-only", fails=True)
    assert done.returncode == 2
    assert "Catch up completely." in done.stderr
