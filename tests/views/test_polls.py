"""What a run's page asks for again and again, and how that stays small."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from migrations_ui.models import Run
from migrations_ui.views import watching

Text = Callable[[Any], str]
MakeRun = Callable[..., Run]

SIGNED_IN = 4  # queries: the session, the account, its permissions and its groups'


@pytest.fixture
def operator(sign_in: Callable[[Any], Client], alice: Any) -> Client:
    return sign_in(alice)


@pytest.fixture
def a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that happens in the test happens in the same second."""
    monkeypatch.setattr(watching, "_moment", lambda: 0)


def test_a_poll_brings_only_the_tables_in_which_something_moves(
    operator: Client, make_run: MakeRun, text: Text
) -> None:
    run = make_run(tables=500)
    begun, ended, *rest = run.tables.all()
    now = timezone.now()
    run.tables.filter(pk__in=[table.pk for table in rest]).update(finished_at=None)
    run.tables.filter(pk=begun.pk).update(status="copying", started_at=now - timedelta(hours=1))
    run.tables.filter(pk=ended.pk).update(status="done", finished_at=now)

    response = operator.get(f"/runs/{run.pk}/live/")

    rows = re.findall(r'<template> ?<tr id="table-(\d+)" hx-swap-oob="true">', text(response))
    assert {int(pk) for pk in rows} == {begun.pk, ended.pk}
    assert len(response.content) < 10_000


def test_a_poll_brings_what_has_ended_since_the_page_was_made(
    operator: Client, make_run: MakeRun, text: Text
) -> None:
    """A tab in the background asks once a minute."""
    run = make_run(tables=3)
    now = timezone.now()
    ended = run.tables.all()[2]
    run.tables.update(finished_at=now - timedelta(hours=1), started_at=None)
    run.tables.filter(pk=ended.pk).update(finished_at=now - timedelta(seconds=50))

    seen = f"running- {now.timestamp() - 60:.0f}"
    fragment = text(operator.get(f"/runs/{run.pk}/live/", {"seen": seen}))

    assert re.findall(r'<tr id="table-(\d+)"', fragment) == [str(ended.pk)]


def test_who_asks_at_the_same_moment_gets_the_same_without_more_queries_than_a_sign_in_takes(
    operator: Client,
    make_run: MakeRun,
    django_assert_num_queries: DjangoAssertNumQueries,
    a_moment: None,
) -> None:
    run = make_run("running")
    first = operator.get(f"/runs/{run.pk}/live/")

    with django_assert_num_queries(SIGNED_IN):
        second = operator.get(f"/runs/{run.pk}/live/")

    assert second.content == first.content


def test_what_is_shared_has_nothing_of_who_asked_first(
    operator: Client, bob: Any, make_run: MakeRun, text: Text, a_moment: None
) -> None:
    run = make_run("running")
    first = text(operator.get(f"/runs/{run.pk}/live/"))
    operator.force_login(bob)
    second = text(operator.get(f"/runs/{run.pk}/live/"))

    assert first == second
    assert '<div id="steering" hx-preserve></div>' in first
    assert "csrf" not in first
    assert "<form" not in first


def test_what_is_shared_is_for_nobody_who_may_not_look(
    operator: Client, charlie: Any, make_run: MakeRun, a_moment: None
) -> None:
    run = make_run("running")
    operator.get(f"/runs/{run.pk}/live/")
    operator.force_login(charlie)

    assert operator.get(f"/runs/{run.pk}/live/").status_code == 403


def test_a_moment_later_a_poll_shows_what_has_come(
    operator: Client,
    make_run: MakeRun,
    text: Text,
    a_moment: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_run("running", tables=4)
    assert "1,000 of 4,000 rows" in text(operator.get(f"/runs/{run.pk}/live/"))
    run.tables.filter(position=1).update(copied_rows=500)

    monkeypatch.setattr(watching, "_moment", lambda: 1)
    assert "1,500 of 4,000 rows" in text(operator.get(f"/runs/{run.pk}/live/"))


def test_who_has_asked_a_run_to_pause_is_shown_at_once_that_it_was_asked(
    operator: Client, make_run: MakeRun, text: Text, a_moment: None
) -> None:
    run = make_run("running", phase=Run.Phase.LOAD)
    operator.get(f"/runs/{run.pk}/live/", {"seen": "running-load 1795349717"})

    operator.post(f"/runs/{run.pk}/pause/")
    (seen,) = re.findall(r'live/\?seen=([^"]+)"', text(operator.get(f"/runs/{run.pk}/")))
    fragment = text(operator.get(f"/runs/{run.pk}/live/", {"seen": unquote(seen)}))

    assert '<span class="status status-pausing">pausing</span>' in fragment


@pytest.mark.parametrize(("seen", "buttons"), [("running-wipe", False), ("queued-", True)])
def test_buttons_come_with_a_poll_where_the_status_is_another(
    operator: Client, make_run: MakeRun, text: Text, seen: str, buttons: bool
) -> None:
    run = make_run("running", phase=Run.Phase.LOAD)

    fragment = text(operator.get(f"/runs/{run.pk}/live/", {"seen": f"{seen} 1795349717"}))

    assert ("Pause run" in fragment) == buttons
    assert '<div id="run-tables" hx-swap-oob="true"' in fragment


def test_tables_that_end_all_at_once_come_a_few_at_a_time_and_none_is_left_out(
    operator: Client, make_run: MakeRun, text: Text
) -> None:
    run = make_run(tables=30)
    now = timezone.now()
    run.tables.update(status="done", started_at=None)
    for number, table in enumerate(run.tables.all()):
        ended = now - timedelta(seconds=100 - 3 * number)
        run.tables.filter(pk=table.pk).update(finished_at=ended)

    seen, brought = f"running- {now.timestamp() - 110:.0f}", set()
    for _ in range(10):
        fragment = text(operator.get(f"/runs/{run.pk}/live/", {"seen": seen}))
        assert len(fragment) < 10_000
        brought |= {int(pk) for pk in re.findall(r'<tr id="table-(\d+)"', fragment)}
        (seen,) = (unquote(found) for found in re.findall(r'live/\?seen=([^"]+)"', fragment))
    assert brought == {table.pk for table in run.tables.all()}


@pytest.mark.parametrize("status", ["cancelled", "failed", "succeeded"])
def test_a_run_in_another_state_brings_all_of_its_tables(
    operator: Client, make_run: MakeRun, text: Text, status: str
) -> None:
    run = make_run(status, tables=30)
    seen = "pausing-load 1795349717"
    fragment = text(operator.get(f"/runs/{run.pk}/live/", {"seen": seen}))
    assert '<div id="run-tables" hx-swap-oob="true"' in fragment
    assert len(re.findall(r'<tr id="table-\d+"', fragment)) == 30


@pytest.mark.parametrize(("age", "every"), [(3, "every 1s"), (60, "every 2s"), (3600, "every 5s")])
def test_a_page_asks_less_often_the_longer_the_run_goes_on(
    operator: Client, make_run: MakeRun, age: int, every: str
) -> None:
    run = make_run(Run.Status.RUNNING, started_at=timezone.now() - timedelta(seconds=age))
    fragment = operator.get(f"/runs/{run.pk}/live/").content.decode()
    assert re.findall(r'id="run"[^>]*hx-trigger="([^"]+)"', fragment) == [every]


@pytest.mark.parametrize("tables", [5, 500])
def test_the_number_of_tables_does_not_change_the_number_of_queries(
    operator: Client,
    make_run: MakeRun,
    django_assert_num_queries: DjangoAssertNumQueries,
    tables: int,
) -> None:
    run = make_run("running", tables=tables)
    operator.get(f"/runs/{run.pk}/live/")
    watching._shared.cache_clear()

    with django_assert_num_queries(13):
        operator.get(f"/runs/{run.pk}/live/")
