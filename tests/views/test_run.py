from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from migrations_ui.models import Audit, DroppedConstraint, Event, Run, TableCopy

Text = Callable[[Any], str]
MakeRun = Callable[..., Run]


@pytest.fixture
def operator(sign_in: Callable[[Any], Client], alice: Any) -> Client:
    return sign_in(alice)


def show(client: Client, run: Run, text: Text) -> str:
    return text(client.get(f"/runs/{run.pk}/"))


@pytest.mark.parametrize("status", Run.Status.values)
def test_every_status_has_a_page_and_a_word(
    operator: Client, make_run: MakeRun, text: Text, status: str
) -> None:
    page = show(operator, make_run(status), text)

    assert f'<span class="status status-{status}">{status}</span>' in page


@pytest.mark.parametrize("status", Run.Status.values)
def test_the_page_includes_what_the_poll_returns(
    operator: Client, make_run: MakeRun, text: Text, status: str
) -> None:
    run = make_run(status, created_at=timezone.now() - timedelta(days=1))

    page = show(operator, run, text)
    fragment = text(operator.get(f"/runs/{run.pk}/live/", {"seen": "another-state"}))

    assert lasting(fragment.partition(' <div id="run-tables"')[0]) in lasting(page)


def lasting(html: str) -> str:
    """The HTML without what ticks, and without the token that each form masks anew."""
    ticks = r'\b\d+ s\b|seen=[^"]+|name="csrfmiddlewaretoken" value="\w+"'
    return re.sub(ticks, "", html)


@pytest.mark.parametrize("status", Run.Status.values)
def test_polling_ends_with_the_run(
    operator: Client, make_run: MakeRun, text: Text, status: str
) -> None:
    run = make_run(status)

    fragment = text(operator.get(f"/runs/{run.pk}/live/"))

    assert (f'hx-get="/runs/{run.pk}/live/?seen=' in fragment) == (status in Run.ACTIVE)


def test_the_numbers_stand_beside_the_bars(operator: Client, make_run: MakeRun, text: Text) -> None:
    page = show(operator, make_run("running", tables=4), text)

    assert "1,000 of 4,000 rows · 25 %" in page
    assert '<progress max="100" value="25" aria-label="Rows copied in this run">' in page
    assert "<span>0 of 1,000 rows</span>" in page


def test_the_rate_and_the_time_left_are_shown_while_rows_are_copied(
    operator: Client, make_run: MakeRun, text: Text
) -> None:
    run = make_run("running", tables=4, phase=Run.Phase.LOAD, rows_per_second=1234.5)

    page = show(operator, run, text)

    assert "1,234 rows/s" in page
    assert "<dt>Time left to load</dt><dd>about 2 s</dd>" in page


@pytest.mark.parametrize(
    ("status", "percent"), [("running", " · 99 %"), ("failed", ""), ("succeeded", " · 100 %")]
)
def test_a_run_that_has_ended_shows_no_percentage_that_was_kept_below_its_rows(
    operator: Client, make_run: MakeRun, text: Text, status: str, percent: str
) -> None:
    run = make_run(status)
    run.tables.update(copied_rows=1000)

    assert f'"run-rows">3,000 of 3,000 rows{percent}</span>' in show(operator, run, text)


def test_the_limit_that_is_set_stands_in_its_field_as_a_number(
    operator: Client, make_run: MakeRun, text: Text
) -> None:
    """A browser empties a number's field that has a comma; sent like that, the limit is gone."""
    limited = show(operator, make_run("running", rate_limit=3000), text)
    unlimited = show(operator, make_run("running"), text)

    assert 'id="limit-rows" min="1" value="3000"' in limited
    assert 'id="limit-rows" min="1" value=""' in unlimited


def test_a_queued_run_says_when_no_worker_comes(
    operator: Client, make_run: MakeRun, text: Text
) -> None:
    soon = make_run("queued")
    late = make_run("queued", created_at=timezone.now() - timedelta(seconds=11))

    assert "Waiting for a worker." in show(operator, soon, text)
    assert "No worker has taken this run. Start one with" in show(operator, late, text)


def test_a_worker_that_is_silent_is_said(operator: Client, make_run: MakeRun, text: Text) -> None:
    run = make_run("running", heartbeat_at=timezone.now() - timedelta(seconds=42))

    page = show(operator, run, text)

    assert "No progress for 42 s: there is no sign of life from the worker." in page
    assert "start one with <code>manage.py run_huey</code>" in page


def test_a_failure_says_what_happened_to_the_data_and_what_to_do(
    operator: Client, make_run: MakeRun, text: Text
) -> None:
    error = "The server <went> away. Run `manage.py x`."
    run = make_run("failed", tables=4, error=error, traceback="T<B>")
    run.tables.filter(position=0).update(status="done", wiped=True)
    run.tables.filter(position=1).update(status="failed", wiped=True, error="too long")
    run.tables.filter(position=3).update(status="failed", wiped=True, copied_rows=700)

    page = show(operator, run, text)

    assert "The server &lt;went&gt; away. Run <code>manage.py x</code>." in page
    assert "<strong>shop.Table1</strong> (table shop_table1): too long" in page
    assert "1 table copied in full" in page
    assert "Wiped in shop_mysql and empty:</strong> shop.Table1." in page
    assert "Copied in part:</strong> <ul><li>shop.Table3: 700 of 1,000 rows" in page
    assert "Not touched in shop_mysql: shop.Table2." in page
    assert "What to do next" in page
    assert '<pre tabindex="0">T&lt;B&gt;</pre>' in page


def test_constraints_that_are_still_missing_are_named(
    operator: Client, make_run: MakeRun, text: Text
) -> None:
    run = make_run("failed")
    lost, back = (
        DroppedConstraint.objects.create(run=run, table="t", name=name, definition=f"ADD {name}")
        for name in ("lost", "back")
    )
    DroppedConstraint.objects.filter(pk=back.pk).update(restored_at=timezone.now())

    page = show(operator, run, text)

    assert lost.definition in page
    assert back.definition not in page


def test_rejected_rows_are_shown(operator: Client, make_run: MakeRun, text: Text) -> None:
    run = make_run("succeeded")
    run.tables.filter(position=0).update(rejected_rows=1234)

    assert "1,234 rejected" in show(operator, run, text)


def test_a_success_leads_to_its_audit_and_claims_no_more_than_was_compared(
    operator: Client, make_run: MakeRun, make_audit: Callable[..., Audit], text: Text
) -> None:
    run = make_run("succeeded", compares_cells=False)
    audit = make_audit("counts-only", run=run)

    page = show(operator, run, text)

    assert f'<a href="/audits/{audit.pk}/">Read audit {audit.pk}</a>' in page
    assert "Cells were not compared." in page
    assert "every cell" in show(operator, make_run("succeeded"), text)


def test_a_reverse_run_is_said(operator: Client, make_run: MakeRun, text: Text) -> None:
    assert "source and destination are exchanged" in show(operator, make_run(reverse=True), text)


def test_events_are_shown_newest_first(operator: Client, make_run: MakeRun, text: Text) -> None:
    run = make_run()
    for what in ("it began", "it went on"):
        Event.objects.create(run=run, who="worker", what=what)

    page = show(operator, run, text)

    assert page.index("it went on") < page.index("it began")


def test_a_queued_run_can_be_cancelled(operator: Client, make_run: MakeRun) -> None:
    run = make_run("queued")

    response = operator.post(f"/runs/{run.pk}/cancel/")

    run.refresh_from_db()
    assert response["Location"] == f"/runs/{run.pk}/"
    assert run.status == Run.Status.CANCELLED


def test_a_running_run_is_asked_to_stop(operator: Client, make_run: MakeRun) -> None:
    run = make_run("running")

    operator.post(f"/runs/{run.pk}/cancel/")

    run.refresh_from_db()
    assert run.status == Run.Status.CANCELLING


def test_what_has_ended_cannot_be_cancelled(
    operator: Client, make_run: MakeRun, text: Text
) -> None:
    run = make_run("succeeded")

    response = operator.post(f"/runs/{run.pk}/cancel/", follow=True)

    assert "not active any more" in text(response)


def test_bob_sees_no_button_to_cancel(
    sign_in: Callable[[Any], Client], bob: Any, make_run: MakeRun, text: Text
) -> None:
    assert "Cancel" not in show(sign_in(bob), make_run("running"), text)


def test_names_and_messages_are_escaped(operator: Client, make_run: MakeRun, text: Text) -> None:
    run = make_run("failed", operator="<i>eve</i>", error="<script>alert(1)</script>")
    TableCopy.objects.filter(run=run).update(error="<b>`x`</b>")

    page = show(operator, run, text)

    assert "<i>eve" not in page
    assert "<script>alert" not in page
    assert "<b>" not in page


def test_a_paused_run_says_what_it_has_wiped_and_not_filled(
    sign_in: Callable[[Any], Client],
    bob: Any,
    make_run: Callable[..., Run],
    text: Callable[..., str],
) -> None:
    run = make_run(Run.Status.PAUSED)
    run.tables.filter(position=0).update(wiped=True)

    page = text(sign_in(bob).get(run.get_absolute_url()))

    assert "What happened to the data" in page
    assert f"Wiped in {run.dest['name']} and empty:" in page


@pytest.mark.parametrize(
    ("status", "statuses", "took"),
    [
        ("paused", ["paused", "waiting"], "—"),
        ("queued", ["waiting", "waiting"], "—"),
        ("running", ["copying", "waiting"], "2 h 00 min"),
        ("pausing", ["copying", "waiting"], "2 h 00 min"),
    ],
)
def test_nothing_moves_in_a_run_that_nobody_is_on(
    operator: Client,
    make_run: MakeRun,
    text: Text,
    status: str,
    statuses: list[str],
    took: str,
) -> None:
    run = make_run(status, tables=2)
    begun = timezone.now() - timedelta(hours=2)
    run.tables.update(status="waiting", finished_at=None, started_at=None)
    run.tables.filter(position=0).update(status="copying", started_at=begun)

    assert shown(page := show(operator, run, text)) == statuses
    assert f'<td class="number">{took}</td>' in page
    assert ("Elapsed" in page) == (status != "paused")


def test_that_something_stays_off_is_said_of_a_paused_run_only_where_something_is(
    operator: Client, make_run: MakeRun, text: Text
) -> None:
    run = make_run("paused")
    assert "stay off" not in show(operator, run, text)
    run.dropped_indexes.create(table="shop_table0", name="by_name", facts="{}")
    assert "stay off until it goes on" in show(operator, run, text)


def test_the_tables_of_a_stopped_run_say_which_were_begun_and_how_long_they_took(
    operator: Client, make_run: MakeRun, text: Text
) -> None:
    ended = timezone.now() - timedelta(hours=5)
    run = make_run("failed", tables=2, finished_at=ended)
    run.tables.update(status="cancelled", finished_at=None, started_at=None)
    run.tables.filter(position=0).update(started_at=ended - timedelta(minutes=3))

    assert shown(page := show(operator, run, text)) == ["stopped", "not begun"]
    assert '<td class="number">3 min 00 s</td>' in page


def shown(page: str) -> list[str]:
    """The statuses of the tables."""
    return re.findall(r'<td><span class="status status-[a-z-]+">([a-z ]+)</span></td>', page)


@pytest.mark.parametrize("at", ["9" * 12, "9" * 400, "-62135596800", "nan", "x"])
def test_a_poll_is_answered_whatever_moment_it_says_that_it_has_seen(
    sign_in: Callable[[Any], Client], alice: Any, make_run: Callable[..., Run], at: str
) -> None:
    run = make_run("running")

    assert sign_in(alice).get(f"/runs/{run.pk}/live/", {"seen": f" {at}"}).status_code == 200
