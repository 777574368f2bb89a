"""What the pages say and offer while workers are there, are silent, or are not there at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from migrations_ui import services, workers
from migrations_ui.models import Audit, CountRequest, DataCheck, Notification, Run, Worker
from tests.views.conftest import Files, Reject

Text = Callable[[Any], str]

NOBODY = "No worker is running. Start one with <code>manage.py run_huey</code>."


@pytest.fixture(autouse=True)
def somebody_would_do_it() -> None:
    """Nobody would: these tests say who is there."""


@pytest.fixture
def operator(sign_in: Callable[[Any], Client], alice: Any, files: Files) -> Client:
    return sign_in(alice)


@pytest.fixture
def beat() -> Callable[[], None]:
    return workers.Pulse().beat


def button(page: str, text: str) -> str:
    """The start tag of the button with this text."""
    found = re.search(rf"<button[^>]*>(?={text})", page)
    assert found
    return found[0]


# The overview


def test_the_overview_says_that_nobody_works_and_what_to_do(operator: Client, text: Text) -> None:
    page = text(operator.get("/"))

    assert NOBODY in page
    assert "<code>manage.py copydata</code> needs no worker" in page


def test_the_overview_shows_a_worker_and_polls(
    operator: Client, text: Text, beat: Callable[[], None]
) -> None:
    beat()
    Worker.objects.update(doing="execute run 7")

    for page in (text(operator.get("/")), text(operator.get("/live/"))):
        assert "alive</span>" in page
        assert "execute run 7" in page
        assert workers.VERSION in page
        assert "in the queue." in page
        assert 'hx-get="/live/?seen=' in page
        assert "No worker is running" not in page


def test_a_silent_worker_is_said_with_its_age(
    operator: Client, text: Text, beat: Callable[[], None]
) -> None:
    beat()
    Worker.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=40))
    page = text(operator.get("/"))

    assert "silent for 40 s" in page
    assert "alive</span>" not in page


def test_other_code_than_the_pages_is_said(
    operator: Client, text: Text, beat: Callable[[], None]
) -> None:
    beat()
    Worker.objects.update(version="0.0.9+cafe")
    page = text(operator.get("/"))

    assert "0.0.9+cafe" in page
    assert f"These pages run <code>{workers.VERSION}</code>" in page


def test_what_could_not_be_delivered_is_listed_and_escaped(
    operator: Client, text: Text, beat: Callable[[], None]
) -> None:
    contents = {"subject": "Audit 3 finished: differs (a → b)"}
    for status, error in (("failed", "HTTP Error <b>500</b>."), ("sent", "")):
        Notification.objects.create(
            about=status,
            channel="webhook",
            event="audit.finished",
            status=status,
            error=error,
            contents=contents,
        )
    page = text(operator.get("/"))

    assert page.count("Audit 3 finished: differs") == 1
    assert "HTTP Error &lt;b&gt;500&lt;/b&gt;." in page


# The buttons


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/audits/", "Audit all tables"),
        ("/audits/", "Compare counts only"),
        ("/preflight/", "Look at the values"),
        ("/tables/", "Count exactly"),
        ("/tables/", "Review the wipe and the copy"),
        ("/tables/", "Audit the selection"),
    ],
)
def test_a_button_that_nobody_would_follow_is_off_and_says_why(
    operator: Client, text: Text, beat: Callable[[], None], path: str, label: str
) -> None:
    page = text(operator.get(path))
    assert " disabled" in button(page, label)
    assert 'aria-describedby="nobody"' in button(page, label)
    assert page.count('id="nobody"') == 1
    assert NOBODY in page

    beat()
    page = text(operator.get(path))
    assert " disabled" not in button(page, label)
    assert 'id="nobody"' not in page


def test_the_confirmation_is_off_until_somebody_would_do_it(
    operator: Client, text: Text, beat: Callable[[], None]
) -> None:
    labels = ["auth.Group"]
    session = operator.session
    session["selection"] = labels
    session.save()
    services.count_now(labels)
    services.check_data_now(labels, "alice")

    page = text(operator.get("/runs/new/"))
    assert " disabled" in button(page, "Wipe shop.sqlite3")
    assert ' href="">Refresh</a></noscript>' in page
    assert NOBODY in page

    beat()
    page = text(operator.get("/runs/new/"))
    assert " disabled" not in button(page, "Wipe shop.sqlite3")


def test_the_note_asks_again_until_somebody_would_do_it(
    operator: Client, text: Text, beat: Callable[[], None]
) -> None:
    url = "/workers/nobody/nobody-retry/"
    assert f'hx-get="{url}"' in (note := text(operator.get(url)))
    assert NOBODY in note

    beat()
    note = text(operator.get(url))
    assert 'id="nobody-retry"' in note
    assert "data-worker-is-back" in note
    assert "hx-get" not in note


def test_a_catch_up_is_off_and_refused(operator: Client, text: Text) -> None:
    page = text(operator.get("/runs/catch-up/"))
    assert " disabled" in button(page, "Bring ")
    assert NOBODY in page

    page = text(operator.post("/runs/catch-up/start/", {"name": "shop.sqlite3"}, follow=True))
    assert f"{NOBODY} Nothing was started." in page
    assert not Run.objects.exists()


def test_rejected_rows_and_missing_indexes_wait_for_a_worker(
    operator: Client, text: Text, make_run: Callable[..., Run], reject: Reject
) -> None:
    run = make_run("failed", error="no")
    reject(run, "1")
    run.dropped_indexes.create(table="shop_table0", name="by_name", facts="{}")
    page = text(operator.get(f"/runs/{run.pk}/"))

    assert 'aria-describedby="nobody-retry"' in button(page, "Try the rejected rows again")
    assert 'aria-describedby="nobody-restore"' in button(page, "Put them back")
    assert 'id="nobody-retry"' in page
    assert 'id="nobody-restore"' in page


def test_no_count_is_asked_for_by_a_page_that_is_only_looked_at(
    operator: Client, text: Text, beat: Callable[[], None]
) -> None:
    assert 'hx-trigger="load"' not in text(operator.get("/tables/"))

    beat()
    assert 'hx-trigger="load"' in text(operator.get("/tables/"))


# The answers to who asks all the same


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/tables/count/", {}),
        ("/runs/select/", {"label": ["auth.Group"]}),
        ("/audits/start/", {}),
        ("/preflight/check/", {}),
    ],
)
def test_a_plain_post_is_refused_with_the_reason(
    operator: Client, text: Text, path: str, data: dict[str, Any]
) -> None:
    page = text(operator.post(path, data, follow=True))

    assert f'<li class="error">{NOBODY} Nothing was started.</li>' in page
    assert not Audit.objects.exists()
    assert not CountRequest.objects.exists()
    assert not DataCheck.objects.exists()


def test_a_confirmed_run_is_refused_and_nothing_is_recorded(operator: Client, text: Text) -> None:
    labels = ["auth.Group"]
    session = operator.session
    session["selection"] = labels
    session.save()
    services.count_now(labels)
    services.check_data_now(labels, "alice")
    plan = services.plan(labels)
    data = {"name": plan.dest.name, "fingerprint": plan.fingerprint}
    page = text(operator.post("/runs/start/", data, follow=True))

    assert f"{NOBODY} Nothing was started." in page
    assert not Run.objects.exists()
