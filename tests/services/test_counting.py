"""Exact counts: kept for a physical database, asked for once, forgotten when nobody answers."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path
from shutil import copy

import pytest
from django.utils import timezone
from pytest_django import Settings

from migrations_ui import counting, services, tasks
from migrations_ui.engine.errors import EngineError
from migrations_ui.models import CountRequest, Run, TableCount
from migrations_ui.recorder import Recorder
from migrations_ui.services import Refused, TableRow
from migrations_ui.states import move
from migrations_ui.tables import pending_counts
from tests.services.conftest import GROUPS, PATIENCE, STALE, Shop, confirm, endpoint, start

GROUP = ["auth.Group"]


def row(label: str = "auth.Group") -> TableRow:
    return next(row for row in services.tables_page().rows if row.label == label)


def test_before_anybody_counts_there_are_only_estimates(shop: Shop) -> None:
    assert (row().source_exact, row().dest_exact) == (False, False)
    assert row().difference is None
    assert services.tables_page().counted_at is None


def test_what_was_counted_is_exact_until_it_is_counted_again(shop: Shop) -> None:
    services.count_now(GROUP)
    assert (row().source_rows, row().dest_rows) == (GROUPS, STALE)
    assert row().difference == STALE - GROUPS
    assert not row("auth.User").source_exact

    shop.execute("dest", "DELETE FROM auth_group")
    assert row().dest_rows == STALE
    services.count_now(GROUP)
    assert row().dest_rows == 0
    assert TableCount.objects.filter(table="auth_group").count() == 2


def test_a_count_holds_for_the_database_however_it_is_reached(
    shop: Shop, settings: Settings, tmp_path: Path
) -> None:
    services.count_now(GROUP)
    os.link(shop.dest, tmp_path / "alias.sqlite3")
    settings.ENDPOINTS = settings.ENDPOINTS | {
        "dest": endpoint(f"sqlite:///{tmp_path}/alias.sqlite3")
    }
    assert (row().dest_rows, row().dest_exact) == (STALE, True)


def test_a_count_says_nothing_of_another_database_of_the_same_name(
    shop: Shop, settings: Settings, tmp_path: Path
) -> None:
    services.count_now(GROUP)
    (folder := tmp_path / "elsewhere").mkdir()
    copy(shop.dest, folder)
    settings.ENDPOINTS = settings.ENDPOINTS | {
        "dest": endpoint(f"sqlite:///{folder}/{shop.dest.name}")
    }
    assert not row().dest_exact
    assert row().source_exact


def test_a_reverse_look_knows_the_counts_of_both_sides(shop: Shop) -> None:
    services.count_now(GROUP)
    plan = services.plan(GROUP, reverse=True)
    assert (plan.total_source_rows, plan.total_dest_rows) == (STALE, GROUPS)
    assert not plan.counting


# Requests


def test_counts_that_somebody_waits_for_are_not_asked_for_twice(shop: Shop) -> None:
    services.request_counts(["auth"])
    for labels in (["auth"], GROUP, ["auth.User", "auth.Group"]):
        services.request_counts(labels)
    assert CountRequest.objects.count() == 1
    assert services.tables_page().counting

    services.request_counts(["registry"])
    services.request_counts(GROUP, reverse=True)
    assert CountRequest.objects.count() == 3


def test_no_labels_at_all_means_every_table(shop: Shop) -> None:
    services.request_counts()
    assert CountRequest.objects.get().labels == [table.label for table in services.host_tables()]


def test_an_unknown_label_is_refused_and_nobody_is_asked(shop: Shop) -> None:
    with pytest.raises(Refused, match="Did you mean"):
        services.request_counts(["auth.Gruop"])
    assert not CountRequest.objects.exists()


def test_an_answered_request_may_be_made_again(shop: Shop) -> None:
    services.request_counts(GROUP)
    counting.answer(CountRequest.objects.get().pk)
    assert not services.tables_page().counting
    assert row().difference == STALE - GROUPS

    services.request_counts(GROUP)
    assert CountRequest.objects.count() == 2


def test_a_request_whose_worker_died_holds_nothing_up_for_good(shop: Shop) -> None:
    confirm(GROUP)
    services.request_counts(GROUP)
    assert services.plan(GROUP).counting
    CountRequest.objects.update(requested_at=timezone.now() - timedelta(minutes=11))

    assert services.plan(GROUP).fingerprint
    assert not services.tables_page().counting
    services.request_counts(GROUP)
    assert CountRequest.objects.count() == 2


@pytest.mark.django_db(transaction=True)  # the heartbeat is written by a thread of its own
def test_one_that_a_worker_counts_is_under_way_for_as_long_as_it_gives_signs_of_life(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirm(GROUP)
    services.request_counts(GROUP)
    request = CountRequest.objects.get()
    long_ago = timezone.now() - timedelta(minutes=11)

    def killed(request_id: int) -> None:
        """A worker is at it for longer than anybody would wait for one to come, and is killed."""
        CountRequest.objects.update(requested_at=long_ago, heartbeat_at=long_ago)
        deadline = time.monotonic() + PATIENCE
        while not pending_counts().exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    monkeypatch.setattr(counting, "answer", killed)
    tasks.answer_count_request.call_local(request.pk)
    CountRequest.objects.update(requested_at=timezone.now())
    services.request_counts(GROUP)
    assert CountRequest.objects.count() == 1

    CountRequest.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=61))
    assert not services.plan(GROUP).counting
    services.request_counts(GROUP)
    assert CountRequest.objects.count() == 2
    assert services.tables_page().counting


def test_a_side_that_does_not_answer_is_told_and_the_other_is_counted(shop: Shop) -> None:
    services.request_counts(GROUP)
    shop.dest.rename(shop.dest.with_name("gone"))
    request = CountRequest.objects.get()

    with pytest.raises(EngineError):
        counting.answer(request.pk)

    request.refresh_from_db()
    assert request.finished_at is not None
    assert "shop.sqlite3 can't be opened" in request.error
    page = services.tables_page()
    assert "can't be opened" in page.dest.error
    assert page.source.error == ""
    assert (row().source_rows, row().source_exact) == (GROUPS, True)
    assert (row().dest_rows, row().problem) == (None, "")


def test_what_was_counted_is_forgotten_at_the_wipe(shop: Shop) -> None:
    """A run that is cancelled after it must not leave counts of rows that are gone."""
    run = start(*GROUP)
    assert (row().source_exact, row().dest_exact) == (True, True)
    recorder = Recorder(run)
    move(run.pk, Run.Status.RUNNING, who="worker", holder=recorder.holder)
    recorder.wiped()
    assert (row().source_exact, row().dest_exact) == (True, False)
