"""What preflight finds in the values, and the two ways past it: a transform, and a reject limit."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import psycopg2
import pytest

from tests.conftest import MakeDatabase, RunManage
from tests.servers import Servers
from tests.services.conftest import migrate

COLUMN = "registry.Target.uri"

Command = Callable[..., "CompletedProcess[str]"]


@pytest.fixture(scope="module")
def empty_postgres(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL database with the demo's tables, to be copied."""
    url, drop = servers.create_database("postgresql")
    migrate(tmp_path_factory.mktemp("empty"), url)
    yield url
    drop()


@pytest.fixture
def postgres_url(empty_postgres: str, clone_postgres: MakeDatabase) -> str:
    return clone_postgres(empty_postgres)


@pytest.fixture
def spoilt(template: Path, tmp_path: Path) -> str:
    """The demo in SQLite; three of its targets have a NUL, which PostgreSQL can't hold."""
    path = shutil.copy(template / "source.sqlite3", tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE registry_target SET uri = uri || char(0) || 'x' "
            "WHERE id IN (SELECT id FROM registry_target ORDER BY id LIMIT 3)"
        )
    return f"sqlite:///{path}"


@pytest.fixture
def command(
    spoilt: str, postgres_url: str, template: Path, tmp_path: Path, run_manage: RunManage
) -> Command:
    """manage.py, from the spoilt source to a PostgreSQL that holds a row of its own."""
    shutil.copy(template / "var" / "control.sqlite3", tmp_path / "var")
    rows(postgres_url, "INSERT INTO auth_group (name) VALUES ('stale') RETURNING id")
    env = {"SOURCE_DATABASE_URL": spoilt, "DEST_DATABASE_URL": postgres_url}
    return lambda *arguments: run_manage(env, *arguments)


def rows(url: str, query: str) -> list[Any]:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def copy(command: Command, url: str, *options: str) -> tuple[int, dict[str, Any], str]:
    name = url.rpartition("/")[2]
    done = command("copydata", "--all", "--wipe", name, "--json", *options)
    return done.returncode, json.loads(done.stdout), done.stderr


def target_of(answer: dict[str, Any]) -> dict[str, Any]:
    (found,) = (table for table in answer["tables"] if table["label"] == "registry.Target")
    return dict(found)


def test_preflight_names_table_column_count_and_keys_and_nothing_else(command: Command) -> None:
    done = command("preflight", "--json")
    answer = json.loads(done.stdout)
    (found,) = (f for f in answer["findings"] if f["severity"] != "info")
    assert done.returncode == 1
    assert (found["code"], found["severity"]) == ("nul-in-text", "blocker")
    assert (found["label"], found["column"]) == ("registry.Target", "uri")
    assert (found["rows"], len(found["sample_keys"])) == (3, 3)
    assert f"--transform {COLUMN}=strip-nul" in found["remedy"]


def test_the_copy_stops_before_the_wipe(command: Command, postgres_url: str) -> None:
    status, _, message = copy(command, postgres_url)
    assert status == 1
    assert "registry.Target.uri: In 3 rows" in message
    assert rows(postgres_url, "SELECT name FROM auth_group") == [("stale",)]


def test_a_limit_that_is_too_low_stops_it_as_well(command: Command, postgres_url: str) -> None:
    assert copy(command, postgres_url, "--reject-limit=2")[0] == 1
    assert rows(postgres_url, "SELECT name FROM auth_group") == [("stale",)]


def test_with_a_transform_every_row_arrives(command: Command, postgres_url: str) -> None:
    status, answer, message = copy(command, postgres_url, f"--transform={COLUMN}=strip-nul")
    assert (status, answer["status"]) == (0, "succeeded"), message
    found = target_of(answer)
    assert found["source_rows"] == found["dest_rows"] == found["copied_rows"]
    uris = rows(postgres_url, "SELECT uri FROM registry_target ORDER BY id LIMIT 3")
    assert all(uri.endswith("x") for (uri,) in uris)


def test_with_a_limit_all_other_rows_arrive_and_it_is_not_green(
    command: Command, postgres_url: str
) -> None:
    status, answer, message = copy(command, postgres_url, "--reject-limit=3")
    assert (status, answer["status"]) == (1, "incomplete"), message
    found = target_of(answer)
    assert found["rejected_rows"] == 3
    assert found["dest_rows"] == found["copied_rows"] == found["source_rows"] - 3
    assert found["verdict"] == "differs"
    assert "3 rows were refused by the destination and set aside" in message


def test_what_leads_to_a_row_that_is_left_out_must_be_left_out_as_well(
    spoilt: str, command: Command, postgres_url: str
) -> None:
    with closing(sqlite3.connect(spoilt.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute(
            "UPDATE registry_pid SET domain_id = 999 "
            "WHERE id IN (SELECT pid_id FROM registry_target ORDER BY id DESC LIMIT 1)"
        )
    found = json.loads(command("preflight", "--json").stdout)["findings"]
    seen = {(f["code"], f["label"], f["column"]) for f in found if f["severity"] == "blocker"}
    assert seen == {
        ("nul-in-text", "registry.Target", "uri"),
        ("orphans", "registry.Pid", "domain_id"),
        ("parent-left-out", "registry.Target", "pid_id"),
    }

    declared = [
        f"--transform={COLUMN}=strip-nul",
        "--transform=registry.Pid.domain_id=skip-orphans",
    ]
    status, _, message = copy(command, postgres_url, *declared)
    assert status == 1
    assert "registry.Target.pid_id: In" in message
    assert rows(postgres_url, "SELECT name FROM auth_group") == [("stale",)]

    declared.append("--transform=registry.Target.pid_id=skip-orphans")
    status, answer, message = copy(command, postgres_url, *declared)
    assert (status, answer["status"]) == (0, "succeeded"), message
    assert rows(postgres_url, "SELECT 1 FROM registry_pid WHERE domain_id = 999") == []


@pytest.mark.parametrize("option", ["--transform=nonsense", "--transform=a.b=strip-nul"])
def test_a_transform_that_fits_nothing_is_wrong_usage(
    command: Command, postgres_url: str, option: str
) -> None:
    name = postgres_url.rpartition("/")[2]
    assert command("copydata", "--all", "--wipe", name, option).returncode == 2
    assert rows(postgres_url, "SELECT name FROM auth_group") == [("stale",)]
