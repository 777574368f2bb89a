"""Starting a run: what is not just what was shown is refused, and nothing is touched."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copy

import pytest
from django.db import connection
from huey.contrib.djhuey import HUEY
from pytest_django import Settings

from migrations_ui import services
from migrations_ui.models import Event, Run, TableCopy
from migrations_ui.services import Refused
from migrations_ui.states import move
from tests.services.conftest import GROUPS, STALE, Postgres, Shop, confirm, count, endpoint, start

GROUP = ["auth.Group"]


@contextmanager
def nothing_touched(shop: Shop) -> Iterator[None]:
    """Neither database changes, no run is recorded, and no worker is woken."""
    before = shop.dump("source"), shop.dump("dest"), Run.objects.count(), HUEY.pending_count()
    yield
    after = shop.dump("source"), shop.dump("dest"), Run.objects.count(), HUEY.pending_count()
    assert after == before


def try_start(plan: services.Plan, labels: list[str] | None = None, name: str = "") -> Run:
    return services.start(
        plan.labels if labels is None else labels, name or plan.dest.name, plan.fingerprint, "alice"
    )


def test_what_was_confirmed_is_queued_with_who_and_what(shop: Shop) -> None:
    plan = confirm(GROUP)
    run = try_start(plan)

    assert (run.status, run.operator, run.fingerprint) == ("queued", "alice", plan.fingerprint)
    assert run.dest["name"] == "shop.sqlite3"
    table = TableCopy.objects.get(run=run)
    assert (table.label, table.source_rows, table.dest_rows_before) == ("auth.Group", GROUPS, STALE)
    said = Event.objects.get(run=run)
    assert said.who == "alice"
    assert said.what == "Confirmed: wipe shop.sqlite3 (2 rows) and copy 1 table (7 rows)."


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_woken_only_after_the_run_is_committed(shop: Shop) -> None:
    pending = HUEY.pending_count()
    try_start(confirm(GROUP))
    assert HUEY.pending_count() == pending + 1


@pytest.mark.parametrize("name", ["shop", "Shop.sqlite3", "shop.sqlite3 ", "old.sqlite3", "*"])
def test_any_other_name_than_the_destinations_is_refused(shop: Shop, name: str) -> None:
    plan = confirm(GROUP)
    with nothing_touched(shop), pytest.raises(Refused, match="is not that of the destination"):
        try_start(plan, name=name)


def test_no_name_at_all_is_refused(shop: Shop) -> None:
    plan = confirm(GROUP)
    with nothing_touched(shop), pytest.raises(Refused, match=r"not that .* 'shop\.sqlite3'"):
        services.start(plan.labels, "", plan.fingerprint, "alice")


def test_the_confirmation_is_stale_once_the_destination_was_counted_anew(shop: Shop) -> None:
    plan = confirm(GROUP)
    shop.execute("dest", "INSERT INTO auth_group (name) VALUES ('of somebody else')")
    count(GROUP)
    with nothing_touched(shop), pytest.raises(Refused, match="changed since the confirmation"):
        try_start(plan)


def test_the_confirmation_holds_for_its_tables_only(shop: Shop) -> None:
    plan = confirm(GROUP)
    count(["auth.Group", "auth.Permission"])
    for labels in (["auth.Group", "auth.Permission"], ["auth.Permission"]):
        with nothing_touched(shop), pytest.raises(Refused, match="changed since the confirmation"):
            try_start(plan, labels)


@pytest.mark.parametrize("side", ["source", "dest"])
def test_the_confirmation_holds_for_its_databases_only(
    shop: Shop, settings: Settings, tmp_path: Path, side: str
) -> None:
    """Even where the other database has the same name and the same rows."""
    plan = confirm(GROUP)
    path = getattr(shop, side)
    (folder := tmp_path / "elsewhere").mkdir()
    copy(path, other := folder / path.name)
    settings.ENDPOINTS = settings.ENDPOINTS | {side: endpoint(f"sqlite:///{other}")}
    count(GROUP)
    with nothing_touched(shop), pytest.raises(Refused, match="changed since the confirmation"):
        try_start(plan)


def test_a_confirmation_of_one_direction_is_none_of_the_other(shop: Shop) -> None:
    confirm(GROUP)
    plan = confirm(GROUP, reverse=True)
    assert plan.dest.name == "old.sqlite3"
    with nothing_touched(shop), pytest.raises(Refused, match="changed since the confirmation"):
        try_start(plan, name="shop.sqlite3")


def test_a_source_that_is_still_in_use_does_not_make_the_confirmation_stale(shop: Shop) -> None:
    plan = confirm(GROUP)
    shop.execute("source", "INSERT INTO auth_group (name) VALUES ('new')")
    count(GROUP)
    assert try_start(plan).status == "queued"


def test_what_is_not_counted_yet_cannot_be_confirmed(shop: Shop) -> None:
    plan = services.plan(GROUP)
    assert plan.counting
    assert plan.fingerprint == ""
    with nothing_touched(shop), pytest.raises(Refused, match="still being counted"):
        try_start(plan)


@pytest.mark.parametrize(
    ("label", "hint"),
    [
        ("auth.Gruop", "Did you mean auth.Group"),
        ("registry.Pids", "registry.Pid"),
        ("zzz", r"There are: admin(, [^,]+){11} and \d+ more\.$"),
        ("", "There is no table or app ''"),
    ],
)
def test_an_unknown_label_is_answered_with_those_that_come_near(
    shop: Shop, label: str, hint: str
) -> None:
    plan = confirm(GROUP)
    with nothing_touched(shop):
        with pytest.raises(Refused, match=hint):
            services.plan([label])
        with pytest.raises(Refused, match=hint):
            try_start(plan, ["auth.Group", label])


def test_an_empty_selection_is_refused(shop: Shop) -> None:
    plan = confirm(GROUP)
    with nothing_touched(shop):
        for ask in (services.plan, lambda labels: try_start(plan, labels)):
            with pytest.raises(Refused, match="No table is selected"):
                ask([])


# One run on a destination


@pytest.mark.parametrize("status", ["queued", "running", "cancelling"])
def test_a_second_run_on_a_destination_waits_for_the_first(shop: Shop, status: str) -> None:
    first = start("auth.Group")
    if status != "queued":
        move(first.pk, "running", who="worker")
    if status == "cancelling":
        move(first.pk, "cancelling", who="alice")
    plan = confirm(["auth.Permission"])
    with (
        nothing_touched(shop),
        pytest.raises(Refused, match=rf"Run {first.pk} is active on shop\.sqlite3"),
    ):
        try_start(plan)


def test_a_second_run_is_refused_also_through_another_path_of_the_same_file(
    shop: Shop, settings: Settings, tmp_path: Path
) -> None:
    start("auth.Group")
    os.link(shop.dest, tmp_path / "alias.sqlite3")
    settings.ENDPOINTS = settings.ENDPOINTS | {
        "dest": endpoint(f"sqlite:///{tmp_path}/alias.sqlite3")
    }
    plan = confirm(GROUP)
    assert plan.dest.name == "alias.sqlite3"
    with nothing_touched(shop), pytest.raises(Refused, match="is active on alias"):
        try_start(plan)


def test_a_second_run_is_refused_also_through_another_url_of_the_same_database(
    shop: Shop, postgres: Postgres, settings: Settings
) -> None:
    start("auth.Group")
    other = endpoint(postgres.url.replace("@127.0.0.1:", "@localhost:"))
    settings.ENDPOINTS = settings.ENDPOINTS | {"dest": other}
    plan = confirm(GROUP)
    assert plan.dest.host.startswith("localhost")
    with nothing_touched(shop), pytest.raises(Refused, match="is active on"):
        try_start(plan)


def test_a_run_that_has_ended_gives_its_destination_free(shop: Shop) -> None:
    services.cancel(start("auth.Group"), "alice")
    assert start("auth.Group").status == "queued"


@pytest.mark.django_db(transaction=True)
def test_of_two_operators_who_start_at_once_one_is_refused(shop: Shop) -> None:
    plan = confirm(GROUP)
    together = threading.Barrier(2)
    outcomes: list[str] = []

    def begin() -> None:
        together.wait()
        try:
            outcomes.append(try_start(plan).status)
        except Refused as refusal:
            outcomes.append(str(refusal))
        finally:
            connection.close()

    threads = [threading.Thread(target=begin) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Run.objects.count() == 1
    refused, queued = sorted(outcomes)
    assert queued == "queued"
    assert "is active on shop.sqlite3" in refused


# Blockers


def test_a_table_that_is_missing_blocks_the_run(shop: Shop) -> None:
    plan = confirm(GROUP)
    shop.execute("dest", "DROP TABLE auth_group")
    with nothing_touched(shop), pytest.raises(Refused, match=r"auth_group is missing .* migrate"):
        try_start(plan)


def test_a_destination_that_is_not_migrated_blocks_the_run(shop: Shop) -> None:
    shop.dest.unlink()
    shop.dest.touch()
    plan = services.plan(GROUP)
    with nothing_touched(shop), pytest.raises(Refused, match=r"manage\.py migrate --database dest"):
        try_start(plan)


def test_a_database_is_never_copied_onto_itself(shop: Shop, settings: Settings) -> None:
    os.link(shop.source, alias := shop.dest.with_name("alias.sqlite3"))
    settings.ENDPOINTS = settings.ENDPOINTS | {"dest": endpoint(f"sqlite:///{alias}")}
    count(GROUP)
    plan = services.plan(GROUP)
    with nothing_touched(shop), pytest.raises(Refused, match="same physical database"):
        try_start(plan)


def test_a_destination_that_does_not_answer_blocks_the_run(shop: Shop) -> None:
    plan = confirm(GROUP)
    shop.dest.rename(shop.dest.with_name("gone"))
    with pytest.raises(Refused, match="can't be opened"):
        try_start(plan)
    assert not shop.dest.exists()
    assert not Run.objects.exists()
