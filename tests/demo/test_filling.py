"""`filldemo` on every vendor."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.conftest import MakeDatabase, RunManage

VENDORS = ("postgresql", "mysql", "sqlite")
MODELS = ("registry", "auth.user", "auth.group", "admin.logentry")

Manage = Callable[..., Any]


@pytest.fixture
def manage(run_manage: RunManage, tmp_path: Path) -> Manage:
    """`manage(url, *arguments)`: manage.py with that destination; fails where it fails."""

    def run(url: str, *arguments: str, status: int = 0) -> Any:
        env = {"SOURCE_DATABASE_URL": f"sqlite:///{tmp_path}/none.sqlite3"}
        done = run_manage(env | {"DEST_DATABASE_URL": url}, *arguments)
        assert done.returncode == status, done.stderr
        return done

    return run


@pytest.fixture
def migrated(manage: Manage, make_database: MakeDatabase) -> Callable[[str], str]:
    def make(vendor: str) -> str:
        manage(url := make_database(vendor), "migrate", "--database=dest", "-v0")
        return url

    return make


def sqlite_rows(url: str, query: str) -> list[Any]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        return database.execute(query).fetchall()


def postgres_rows(url: str, query: str) -> list[Any]:
    with closing(psycopg2.connect(url)) as database, database.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_every_vendor_gets_the_same_rows(manage: Manage, migrated: Callable[[str], str]) -> None:
    dumps = {}
    for vendor in VENDORS:
        manage(url := migrated(vendor), "filldemo", "--rows=2500")
        dumps[vendor] = json.loads(manage(url, "dumpdata", "--database=dest", *MODELS).stdout)
    assert len(dumps["sqlite"]) > 2300
    assert dumps["postgresql"] == dumps["sqlite"]
    assert dumps["mysql"] == dumps["sqlite"]


def test_the_foreign_keys_lead_somewhere_and_a_second_fill_is_refused(
    manage: Manage, migrated: Callable[[str], str]
) -> None:
    manage(url := migrated("sqlite"), "filldemo", "--pids=50", "--targets=170", "--log-entries=9")
    assert sqlite_rows(url, "PRAGMA foreign_key_check") == []
    counts = "SELECT (SELECT count(*) FROM registry_pid), (SELECT count(*) FROM registry_target)"
    assert sqlite_rows(url, counts) == [(50, 170)]
    assert sqlite_rows(url, "SELECT count(*) FROM django_admin_log") == [(9,)]

    again = manage(url, "filldemo", status=1)
    assert "auth_group has rows already" in again.stderr
    assert sqlite_rows(url, counts) == [(50, 170)]


def test_sqlite_keeps_every_index(manage: Manage, migrated: Callable[[str], str]) -> None:
    indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name"
    before = sqlite_rows(url := migrated("sqlite"), indexes)
    manage(url, "filldemo", "--rows=500")
    assert sqlite_rows(url, indexes) == before


def test_postgresql_keeps_every_index_and_constraint(
    manage: Manage, migrated: Callable[[str], str]
) -> None:
    indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexdef"
    constraints = (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated "
        "FROM pg_constraint WHERE contype IN ('f', 'u', 'p', 'c') ORDER BY 1, 2"
    )
    url = migrated("postgresql")
    before = postgres_rows(url, indexes), postgres_rows(url, constraints)
    manage(url, "filldemo", "--rows=500")
    assert (postgres_rows(url, indexes), postgres_rows(url, constraints)) == before


def test_on_postgresql_the_next_key_comes_after_the_last(
    manage: Manage, migrated: Callable[[str], str]
) -> None:
    manage(url := migrated("postgresql"), "filldemo", "--rows=500")
    for table in ("registry_pid", "registry_domain_curators", "auth_user", "django_admin_log"):
        [[next_key, last_key]] = postgres_rows(
            url, f"SELECT nextval(pg_get_serial_sequence('{table}', 'id')), max(id) FROM {table}"
        )
        assert next_key == last_key + 1


def test_where_local_infile_is_off_mysql_is_filled_all_the_same(
    manage: Manage, migrated: Callable[[str], str]
) -> None:
    """The setting is the whole server's, so the answer to the question is changed instead."""
    url = migrated("mysql")
    script = (
        "from django.core.management import call_command; from dashboard.demo import filling; "
        "filling.way_in = lambda connection, cursor: (filling.insert, list); "
        "call_command('filldemo', rows=400)"
    )
    manage(url, "shell", "--no-imports", "-c", script)
    inserted = manage(url, "dumpdata", "--database=dest", *MODELS).stdout
    manage(url := migrated("mysql"), "filldemo", "--rows=400")
    assert manage(url, "dumpdata", "--database=dest", *MODELS).stdout == inserted


def test_a_destination_that_is_not_migrated_is_named_as_such(
    manage: Manage, make_database: MakeDatabase
) -> None:
    done = manage(make_database("sqlite"), "filldemo", "--rows=100", status=1)
    assert "migrate --database dest" in done.stderr


@pytest.mark.parametrize("rows", ["0", "-5", "many"])
def test_a_number_of_rows_that_makes_no_sense_is_refused(manage: Manage, rows: str) -> None:
    done = manage("sqlite:///unused.sqlite3", "filldemo", f"--rows={rows}", status=2)
    assert "is not a positive whole number" in done.stderr
