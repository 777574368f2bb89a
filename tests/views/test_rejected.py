from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from migrations_ui.models import Audit, Event, Run
from tests.views.conftest import Reject

Text = Callable[[Any], str]
MakeRun = Callable[..., Run]

HOSTILE = "<script>alert('x')</script>`<b>`"
RETRY = "Try the rejected rows again</button>"


@pytest.fixture
def operator(sign_in: Callable[[Any], Client], alice: Any) -> Client:
    return sign_in(alice)


@pytest.fixture
def run(make_run: MakeRun) -> Run:
    """A run that has ended with rows set aside."""
    return make_run("incomplete", error="3 rows were refused.", finished_at=timezone.now())


def show(client: Client, run: Run, text: Text) -> str:
    return text(client.get(f"/runs/{run.pk}/"))


# The run's page


def test_the_runs_page_lists_what_was_refused(
    operator: Client, run: Run, reject: Reject, text: Text
) -> None:
    reject(run, "16", arrived_at=timezone.now(), column="")
    reject(run, "17")

    page = show(operator, run, text)

    assert '<h2 id="rejected">2 rejected rows</h2>' in page
    assert "By table: shop.<wbr>Table0 2 (1 still set aside)." in page
    assert '<th scope="row">17</th> <td><span class="status status-rejected">set aside' in page
    assert "<td>name</td>" in page
    # What is still to be done comes first.
    assert page.index('<th scope="row">17</th>') < page.index('<th scope="row">16</th>')
    assert "Data too long for column &#x27;name&#x27;" in page
    assert '<span class="status status-arrived">arrived</span> <time' in page
    assert f'href="/runs/{run.pk}/rejected.csv"' in page
    assert f'href="/runs/{run.pk}/rejected.json"' in page


def test_a_run_without_rejected_rows_says_nothing_of_them(
    operator: Client, make_run: MakeRun, text: Text
) -> None:
    run = make_run("succeeded")

    assert "rejected" not in show(operator, run, text)
    assert "No row was rejected in this run." in text(operator.get(f"/runs/{run.pk}/rejected/"))


def test_an_incomplete_run_is_never_shown_as_a_success(
    operator: Client, run: Run, reject: Reject, text: Text
) -> None:
    reject(run, "17")
    run.tables.filter(position=0).update(copied_rows=997)

    page = show(operator, run, text)

    assert '<span class="status status-incomplete">incomplete</span>' in page
    assert '<div class="note note-warning"> <p class="error-text">3 rows were refused.</p>' in page
    assert "note-success" not in page
    assert "succeeded" not in page
    assert '<progress max="1000" value="997" aria-label="Rows of shop.Table0">' in page
    # The table that has rejected rows is not "done" either.
    assert page.count('<span class="status status-done">done</span>') == 2


def test_a_run_whose_rows_have_all_arrived_since_is_still_incomplete(
    operator: Client, run: Run, reject: Reject, text: Text
) -> None:
    reject(run, "17", arrived_at=timezone.now())

    page = show(operator, run, text)

    assert "The 1 row that was refused at first has arrived since." in page
    assert '<span class="status status-incomplete">incomplete</span>' in page
    assert "note-success" not in page
    assert RETRY not in page


@pytest.mark.parametrize(
    ("verdict", "after", "fields", "said"),
    [
        ("identical", 1, {}, "has compared every cell after that: identical."),
        ("differs", 1, {}, "has compared every cell after that: differs."),
        ("identical", -1, {}, "Cells were not compared after that."),
        ("counts-only", 1, {"counts_only": True}, "Cells were not compared after that."),
        ("not-checked", 1, {"status": "running"}, "Cells were not compared after that."),
    ],
)
def test_what_the_audit_after_the_last_arrival_has_compared_is_said(
    operator: Client,
    run: Run,
    reject: Reject,
    make_audit: Callable[..., Audit],
    text: Text,
    verdict: str,
    after: int,
    fields: dict[str, Any],
    said: str,
) -> None:
    arrived = timezone.now()
    reject(run, "17", arrived_at=arrived - timedelta(seconds=9))
    reject(run, "18", arrived_at=arrived)
    make_audit(verdict, run=run, started_at=arrived + timedelta(seconds=after), **fields)
    assert said in show(operator, run, text)


def test_rejected_rows_of_a_failed_run_are_told_from_tables_copied_in_full(
    operator: Client, make_run: MakeRun, reject: Reject, text: Text
) -> None:
    run = make_run("failed")
    run.tables.exclude(position=2).update(status="done", wiped=True)
    reject(run, "17")

    page = show(operator, run, text)

    assert "1 table copied in full" in page
    assert "Copied but for its rejected rows:</strong> shop.Table0." in page
    assert RETRY in page


def test_while_the_run_is_active_only_their_number_is_told(
    operator: Client, make_run: MakeRun, reject: Reject, text: Text
) -> None:
    run = make_run("running", reject_limit=1234)
    reject(run, "17")

    page = show(operator, run, text)

    assert "1 rejected row</h2>" in page
    assert "up to 1,234 refused rows" in page
    assert "Data too long" not in page
    assert RETRY not in page


def test_what_does_not_fit_on_the_runs_page_has_pages_of_its_own(
    operator: Client, run: Run, reject: Reject, text: Text
) -> None:
    for key in range(101):
        reject(run, f"key {key}!")

    page = show(operator, run, text)
    assert "key 99!" in page
    assert "key 100!" not in page
    assert f'<a href="/runs/{run.pk}/rejected/">All 101 rejected rows</a>' in page

    first = text(operator.get(f"/runs/{run.pk}/rejected/"))
    second = text(operator.get(f"/runs/{run.pk}/rejected/?page=2"))
    assert "key 99!" in first
    assert "key 100!" in second
    assert '<a href="?page=2">Next</a>' in first


@pytest.mark.parametrize("path", ["", "rejected/"])
@pytest.mark.parametrize("rows", [3, 90])
def test_the_number_of_rows_does_not_change_the_number_of_queries(
    operator: Client,
    run: Run,
    reject: Reject,
    django_assert_num_queries: DjangoAssertNumQueries,
    path: str,
    rows: int,
) -> None:
    for key in range(rows):
        reject(run, str(key))
    operator.get(f"/runs/{run.pk}/{path}")

    with django_assert_num_queries(10 if path else 18):
        operator.get(f"/runs/{run.pk}/{path}")


@pytest.mark.parametrize("path", ["", "live/", "rejected/"])
def test_hostile_values_are_shown_as_text(
    operator: Client, run: Run, reject: Reject, text: Text, path: str
) -> None:
    reject(run, HOSTILE, column=HOSTILE, message=HOSTILE, label=HOSTILE)

    page = text(operator.get(f"/runs/{run.pk}/{path}"))

    assert "<script>alert" not in page
    assert "<b>" not in page
    assert page.count("&lt;script&gt;alert(&#x27;x&#x27;)") >= 4


def test_the_newest_audit_comes_first(
    operator: Client, run: Run, make_audit: Callable[..., Audit], text: Text
) -> None:
    first, second, third = (
        make_audit(verdict, run=run) for verdict in ("differs", "differs", "counts-only")
    )

    page = show(operator, run, text)

    assert f"Read audit {third.pk}</a>" in page
    assert f'<dt>Newest audit</dt> <dd> <a href="/audits/{third.pk}/">Audit {third.pk}</a>' in page
    earlier = f'<a href="/audits/{second.pk}/">{second.pk}</a>, <a href="/audits/{first.pk}/">'
    assert f"before it: {earlier}{first.pk}</a>" in page
    assert "differs" not in page


# Trying again


def test_rejected_rows_can_be_tried_again(
    operator: Client, run: Run, reject: Reject, text: Text
) -> None:
    reject(run, "17")
    assert RETRY in show(operator, run, text)

    response = operator.post(f"/runs/{run.pk}/rejected/retry/", follow=True)

    page = text(response)
    assert response.redirect_chain == [(f"/runs/{run.pk}/", 302)]
    assert "Asked to try 1 rejected row again." in page
    assert re.search(rf'hx-get="/runs/{run.pk}/live/\?seen=[^"]+" hx-trigger="every 2s"', page)
    assert "to try them again. A worker is on it or will be." in page
    assert RETRY not in page


def test_the_polling_ends_when_the_worker_has_answered(
    operator: Client, run: Run, reject: Reject, make_audit: Callable[..., Audit], text: Text
) -> None:
    reject(run, "17")
    operator.post(f"/runs/{run.pk}/rejected/retry/")
    audit = make_audit("differs", run=run)
    outcome = "Rejected rows tried again: 0 have arrived, 1 were refused."
    Event.objects.create(run=run, who="worker", what=outcome)

    fragment = text(operator.get(f"/runs/{run.pk}/live/"))

    assert "hx-get" not in fragment
    assert outcome in fragment
    assert f"Read audit {audit.pk}</a>" in fragment
    assert RETRY in fragment


def test_a_worker_that_never_answers_is_said_and_may_be_asked_again(
    operator: Client, run: Run, reject: Reject, text: Text
) -> None:
    reject(run, "17")
    long_ago = timezone.now() - timedelta(minutes=2)
    Event.objects.create(run=run, who="alice", what="Asked.", at=long_ago)

    page = show(operator, run, text)

    assert "no worker has answered yet" in page
    assert "hx-trigger" not in page
    assert RETRY in page


@pytest.mark.parametrize("status", ["incomplete", "running"])
def test_where_there_is_nothing_to_try_again_the_page_says_so(
    operator: Client, make_run: MakeRun, reject: Reject, text: Text, status: str
) -> None:
    run = make_run(status)
    reject(run, "17", arrived_at=timezone.now())

    response = operator.post(f"/runs/{run.pk}/rejected/retry/", follow=True)

    assert f'<li class="error">Run {run.pk} has no rows to try again.' in text(response)
    assert not run.events.exists()


def test_bob_sees_no_button_to_try_again(
    sign_in: Callable[[Any], Client], bob: Any, run: Run, reject: Reject, text: Text
) -> None:
    reject(run, "17")

    assert RETRY not in show(sign_in(bob), run, text)


def test_amber_is_declared_for_what_is_incomplete_and_green_is_not() -> None:
    with open(str(finders.find("cutover/cutover.css")), encoding="utf-8") as file:
        rules = re.findall(r"([^{}]+)\{([^{}]*)\}", file.read())
    colours = {
        match
        for selectors, body in rules
        if ".status-incomplete" in selectors
        for match in re.findall(r"color: var\((--\S+)\)", body)
    }
    assert colours == {"--cutover-warn"}
