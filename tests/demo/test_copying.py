"""The demo's data copied by `copydata --all`, and read on both sides through the ORM.

`DEMO_SEED_SIZE=1` does it with the counts of the application that Cutover started from (542,835
pids, 554,311 targets, 876,642 log entries) and prints the times.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import dj_database_url
import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import connections
from django.db.models import Count, Max, Min, Model, Sum

from dashboard.demo.models import Domain, Pid, Target
from migrations_ui.engine.databases import access
from tests.conftest import MakeDatabase, RunManage

SEED_SIZE = bool(os.environ.get("DEMO_SEED_SIZE"))
ROWS = (
    ["--pids=542835", "--targets=554311", "--log-entries=876642"] if SEED_SIZE else ["--rows=4000"]
)
DIRECTIONS = (
    ("postgresql", "mysql"),
    ("mysql", "postgresql"),
    ("postgresql", "sqlite"),
    ("sqlite", "postgresql"),
)
EVERY = 997  # of the large tables, every so manieth row is compared, with the first and the last


@pytest.fixture
def using(django_db_blocker: Any) -> Iterator[Callable[[str, str], str]]:
    """`using(alias, url)`: let the ORM reach that database."""
    aliases = []

    def add(alias: str, url: str) -> str:
        config = access.endpoint(dict(dj_database_url.parse(url)))
        connections.settings[alias] = connections.configure_settings(
            {"default": {}, alias: config}
        )[alias]
        aliases.append(alias)
        return alias

    yield add
    for alias in aliases:
        connections[alias].close()
        del connections[alias], connections.settings[alias]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_the_demo_arrives_whole(
    source: str,
    dest: str,
    make_database: MakeDatabase,
    run_manage: RunManage,
    tmp_path: Path,
    using: Callable[[str, str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    source_url, dest_url = make_database(source), make_database(dest)
    nowhere = {"SOURCE_DATABASE_URL": f"sqlite:///{tmp_path}/none.sqlite3"}
    filling = nowhere | {"DEST_DATABASE_URL": source_url}
    copying = {"SOURCE_DATABASE_URL": source_url, "DEST_DATABASE_URL": dest_url}
    for env, arguments in (
        (filling, ["migrate", "--database=dest", "-v0"]),
        (filling, ["filldemo", *ROWS]),
        (copying, ["migrate", "--database=dest", "-v0"]),
        (copying, ["migrate", "-v0"]),
    ):
        done = run_manage(env, *arguments, timeout=600)
        assert done.returncode == 0, done.stderr

    name = dest_url.rpartition("/")[2]
    done = run_manage(copying, "copydata", "--all", "--wipe", name, "--json", timeout=600)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    if SEED_SIZE:
        with capsys.disabled():
            seconds = {t["label"]: t["seconds"] for t in report["tables"] if t["source_rows"] > 1e5}
            print(f"\n{source} → {dest}: {report['seconds']:.1f} s, {seconds}")  # noqa: T201  # asked for
    for table in report["tables"]:
        assert table["source_rows"] == table["dest_rows"] == table["copied_rows"], table

    assert_same_through_the_orm(using("spot_source", source_url), using("spot_dest", dest_url))


def assert_same_through_the_orm(source: str, dest: str) -> None:
    """Counts of everything, sums and ends of the large tables, and a sample of whole rows."""
    models = [
        m
        for label in ("registry", "auth", "admin")
        for m in apps.get_app_config(label).get_models(include_auto_created=True)
    ]
    for model in models:
        assert count(model, source) == count(model, dest), model
    totals = {
        Pid: [Sum("size"), Min("created_at"), Max("updated_at")],
        Target: [Min("uri"), Max("pk"), Count("pid", distinct=True)],
        LogEntry: [Min("action_time"), Max("action_time"), Sum("action_flag")],
    }
    for model, aggregates in totals.items():
        there = model._base_manager.using(source).aggregate(*aggregates)
        assert there == model._base_manager.using(dest).aggregate(*aggregates), model
    # Not by the server: SQLite adds decimals up as floats.
    assert costs(source) == costs(dest)
    for model in (Pid, Target, LogEntry, Domain, User, Group):
        assert sample(model, source) == sample(model, dest), model


def count(model: type[Model], alias: str) -> int:
    return model._base_manager.using(alias).count()


def costs(alias: str) -> Decimal:
    rows = Pid._base_manager.using(alias).values_list("storage_cost", flat=True)
    return sum((cost for cost in rows.iterator() if cost is not None), Decimal(0))


def sample(model: type[Model], alias: str) -> list[dict[str, Any]]:
    rows = model._base_manager.using(alias).order_by("pk")
    keys = list(rows.values_list("pk", flat=True))
    return list(rows.filter(pk__in=[*keys[::EVERY], keys[-1]][:900]).values())
