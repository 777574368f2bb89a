from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from migrations_ui import services
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.models import CountRequest, DataCheck, Run
from tests.views.conftest import GROUPS, Files

Text = Callable[[Any], str]


@pytest.fixture
def operator(sign_in: Callable[[Any], Client], alice: Any, files: Files) -> Client:
    """Alice, who has selected the groups."""
    client = sign_in(alice)
    client.post("/runs/select/", {"label": ["auth.Group"]})
    return client


@pytest.fixture
def counted(operator: Client, files: Files) -> Client:
    """Alice, after the worker has counted; the destination has one row to lose."""
    files.execute("dest", "INSERT INTO auth_group (name) VALUES ('old')")
    services.count_now(["auth.Group"])
    services.check_data_now(["auth.Group"], "alice")
    CountRequest.objects.update(finished_at=CountRequest.objects.get().requested_at)
    return operator


def fingerprint(client: Client) -> str:
    found: str = client.get("/runs/new/").context["plan"].fingerprint
    return found


def test_without_a_selection_there_is_nothing_to_confirm(
    sign_in: Callable[[Any], Client], alice: Any, files: Files, text: Text
) -> None:
    response = sign_in(alice).get("/runs/new/", follow=True)

    assert response.redirect_chain[-1][0] == "/tables/"
    assert '<li class="error">No table is selected.' in text(response)


def test_without_a_selection_the_run_that_is_under_way_is_named(
    sign_in: Callable[[Any], Client], alice: Any, make_run: Callable[..., Run], text: Text
) -> None:
    """Somebody has gone back after starting it."""
    run = make_run("running", active_dest="x")
    client = sign_in(alice)

    page = text(client.get("/runs/new/"))

    assert f'<a href="/runs/{run.pk}/">Run {run.pk}</a> is under way' in page
    assert "it was started by alice" in page
    assert "No table is selected" not in page
    assert client.get("/runs/new/live/")["HX-Redirect"] == "/runs/new/"
    Run.objects.update(status=Run.Status.SUCCEEDED, active_dest=None)
    assert client.get("/runs/new/")["Location"] == "/tables/"


def test_nothing_can_be_confirmed_before_it_is_counted(operator: Client, text: Text) -> None:
    page = text(operator.get("/runs/new/"))

    assert 'hx-get="/runs/new/live/"' in page
    assert 'action="/runs/start/"' not in page
    assert "counting rows</span> A worker was asked to count these tables exactly." in page
    assert "The look at the values waits for a worker." in page


def test_the_table_that_is_looked_at_is_named(operator: Client, text: Text) -> None:
    services.count_now(["auth.Group"])
    CountRequest.objects.update(finished_at=timezone.now())
    DataCheck.objects.update(status="running", doing="auth.Group")

    page = text(operator.get("/runs/new/"))

    assert "looking at the values</span> A worker reads the source (table auth.<wbr>Group)" in page
    assert "counting rows" not in page


def test_when_no_worker_was_asked_nothing_is_said_to_be_under_way(
    operator: Client, text: Text
) -> None:
    CountRequest.objects.all().delete()
    DataCheck.objects.all().delete()

    page = text(operator.get("/runs/new/"))

    assert "The rows of these tables are not counted, and no worker is at it." in page
    assert "values of these tables have not been looked at, and no worker is at it." in page
    assert "status-running" not in page


def test_a_count_that_failed_is_said(operator: Client, text: Text) -> None:
    CountRequest.objects.update(finished_at=timezone.now(), error="It hung up.")

    page = text(operator.get("/runs/new/"))

    assert "The last count failed: It hung up." in page
    assert "Ask again</button>" in page


def test_a_look_at_the_values_that_failed_is_said(operator: Client, text: Text) -> None:
    services.count_now(["auth.Group"])
    CountRequest.objects.update(finished_at=timezone.now())
    DataCheck.objects.update(status="failed", finished_at=timezone.now(), error="It hung up.")

    page = text(operator.get("/runs/new/"))

    assert "The last look at the values failed: It hung up." in page
    assert 'action="/runs/start/"' not in page


def test_the_page_says_how_old_the_look_at_the_values_is_and_offers_another(
    counted: Client, text: Text
) -> None:
    DataCheck.objects.update(finished_at=timezone.now() - timedelta(minutes=12))

    page = text(counted.get("/runs/new/"))
    assert "The source’s values were looked at" in page
    assert " UTC</time>, 12 minutes ago." in page

    response = counted.post("/preflight/check/", {"next": "/runs/new/"})
    assert (response.status_code, response["Location"]) == (302, "/runs/new/")
    assert [check.labels for check in DataCheck.objects.all()[:1]] == [["auth.Group"]]
    assert 'action="/runs/start/"' not in text(counted.get("/runs/new/"))


def test_rows_that_would_be_refused_are_to_be_mended_or_set_aside(
    counted: Client, files: Files, text: Text
) -> None:
    finding = Finding(
        code="text-too-long",
        severity=Severity.BLOCKER,
        message="2 values are longer than the column.",
        remedy="Shorten them.",
        label="auth.Group",
        column="name",
        rows=2,
        sample_keys=("1", "2"),
        refused=True,
    )
    DataCheck.objects.update(findings=[asdict(finding)])

    page = text(counted.get("/runs/new/"))
    assert "The destination would refuse 2 rows of the source." in page
    assert "At least 2 here." in page
    assert "disabled" not in page.partition('id="confirm"')[2]

    form = {"name": "shop.sqlite3", "fingerprint": fingerprint(counted)}
    refusal = text(counted.post("/runs/start/", form | {"reject_limit": "1"}, follow=True))
    assert "2 rows would be refused, more than the 1 to set aside. Set at least 2." in refusal
    assert "Shorten them. Nothing" not in refusal
    assert not Run.objects.exists()

    counted.post("/runs/start/", form | {"reject_limit": "2"})
    assert Run.objects.get().reject_limit == 2


def test_the_poll_ends_with_the_form(counted: Client, text: Text) -> None:
    fragment = text(counted.get("/runs/new/live/"))

    assert "hx-get" not in fragment
    assert 'action="/runs/start/"' in fragment


def test_the_page_names_what_will_be_lost(counted: Client, files: Files, text: Text) -> None:
    page = text(counted.get("/runs/new/"))

    assert "<strong>1 row</strong> of 1 table will be <strong>deleted</strong>" in page
    assert f"<strong>{GROUPS} rows</strong> of source.sqlite3" in page
    assert "SQLite" in page
    assert str(files.dest.parent) in page
    where = f"SQLite {sqlite3.sqlite_version}, {files.dest.parent}"
    assert f"from <strong>shop.sqlite3</strong> ({where}) and replaced" in page
    assert f"the name of the destination, <strong>shop.sqlite3</strong> ({where}):</label>" in page
    assert f"Wipe shop.sqlite3 ({where}) and copy 1 table</button>" in page
    assert "Both databases are called" not in page
    assert '<a class="button close-link" href="/tables/">No, take me back</a>' in page


def test_the_page_names_what_the_wipe_reaches(counted: Client, text: Text) -> None:
    page = text(counted.get("/runs/new/"))

    assert "auth.User_groups" in page.partition("What it reaches")[2]


def test_the_right_name_starts_the_run(counted: Client) -> None:
    form = {"name": "shop.sqlite3", "fingerprint": fingerprint(counted)}

    response = counted.post("/runs/start/", form)

    run = Run.objects.get()
    assert response["Location"] == f"/runs/{run.pk}/"
    assert run.operator == "alice"
    assert [table.label for table in run.tables.all()] == ["auth.Group"]
    assert "selection" not in counted.session


def test_a_name_typed_wrong_is_refused(counted: Client, text: Text) -> None:
    form = {"name": "shop", "fingerprint": fingerprint(counted)}

    response = counted.post("/runs/start/", form, follow=True)

    assert response.redirect_chain[-1][0] == "/runs/new/"
    assert "is not that of the destination" in text(response)
    assert not Run.objects.exists()


def test_a_confirmation_of_other_counts_is_refused(
    counted: Client, files: Files, text: Text
) -> None:
    form = {"name": "shop.sqlite3", "fingerprint": fingerprint(counted)}
    files.execute("dest", "INSERT INTO auth_group (name) VALUES ('newer')")
    services.count_now(["auth.Group"])

    response = counted.post("/runs/start/", form, follow=True)

    assert "Something has changed since the confirmation was shown" in text(response)
    assert "It may be the databases, the tables or their rows. Nothing was wiped." in text(response)
    assert not Run.objects.exists()


def test_a_confirmation_of_another_selection_is_refused(counted: Client) -> None:
    form = {"name": "shop.sqlite3", "fingerprint": fingerprint(counted)}
    services.count_now(["auth.User"])
    session = counted.session
    session["selection"] = ["auth.User"]
    session.save()

    counted.post("/runs/start/", form)

    assert not Run.objects.exists()


def test_blockers_disable_the_button_and_say_what_to_do(
    counted: Client, files: Files, text: Text
) -> None:
    files.execute("dest", "ALTER TABLE auth_group RENAME TO elsewhere")

    page = text(counted.get("/runs/new/"))

    assert "This can’t start" in page
    assert "What to do:" in page
    assert 'class="button deletelink" disabled' in page


def test_tables_that_can_not_be_copied_are_left_out_by_a_click(
    operator: Client, files: Files, text: Text
) -> None:
    labels = ["auth.Group", "auth.Permission", "contenttypes.ContentType"]
    operator.post("/runs/select/", {"label": labels})
    files.execute("dest", "ALTER TABLE auth_permission RENAME TO elsewhere")
    assert "Leave out 1 table" in text(operator.get("/runs/new/"))

    page = operator.post("/runs/new/leave-out/", follow=True)

    assert [row.label for row in page.context["plan"].tables] == [labels[2], labels[0]]
    assert "Left out of the selection: auth.Permission." in text(page)
    assert "This can’t start" not in text(page)
    assert "Leave out" not in text(page)


def test_where_no_other_table_is_selected_none_is_left_out(
    counted: Client, files: Files, text: Text
) -> None:
    files.execute("dest", "ALTER TABLE auth_group RENAME TO elsewhere")
    assert "Leave out" not in text(counted.get("/runs/new/"))

    page = counted.post("/runs/new/leave-out/", follow=True)

    assert "None of the selected tables can be copied." in text(page)
    assert [row.label for row in page.context["plan"].tables] == ["auth.Group"]


def test_without_what_is_in_the_way_nothing_is_left_out(counted: Client, text: Text) -> None:
    page = counted.post("/runs/new/leave-out/", follow=True)

    assert "Left out" not in text(page)
    assert [row.label for row in page.context["plan"].tables] == ["auth.Group"]


@pytest.mark.parametrize(("typed", "limit"), [("", 0), ("0", 0), ("25", 25), ("100000", 100_000)])
def test_the_number_of_rows_to_set_aside_goes_with_the_run(
    counted: Client, typed: str, limit: int
) -> None:
    form = {"name": "shop.sqlite3", "fingerprint": fingerprint(counted), "reject_limit": typed}

    counted.post("/runs/start/", form)

    assert Run.objects.get().reject_limit == limit


def test_no_row_is_set_aside_unless_asked_for(counted: Client, text: Text) -> None:
    page = text(counted.get("/runs/new/"))

    assert "Set aside up to <input" in page
    assert 'name="reject_limit" class="reject-limit" value="0" min="0" max="100000"' in page


@pytest.mark.parametrize("typed", ["-1", "100001", "9" * 40, "many", "1.5", "1e3", "<b>", "\x00"])
def test_a_number_of_rows_to_set_aside_that_is_none_is_refused(
    counted: Client, text: Text, typed: str
) -> None:
    form = {"name": "shop.sqlite3", "fingerprint": fingerprint(counted), "reject_limit": typed}

    response = counted.post("/runs/start/", form, follow=True)

    assert response.redirect_chain[-1][0] == "/runs/new/"
    assert "How many rows to set aside is a number from 0 to 100,000." in text(response)
    assert not Run.objects.exists()


def test_a_name_typed_wrong_keeps_the_number_of_rows_to_set_aside(
    counted: Client, text: Text
) -> None:
    form = {"name": "shop", "fingerprint": fingerprint(counted), "reject_limit": "2500"}

    assert 'value="2500"' in text(counted.post("/runs/start/", form, follow=True))

    counted.post("/runs/select/", {"label": ["auth.Group"]})
    assert 'value="2500"' not in text(counted.get("/runs/new/"))


def test_a_second_run_on_the_same_destination_is_refused(counted: Client, text: Text) -> None:
    form = {"name": "shop.sqlite3", "fingerprint": fingerprint(counted)}
    counted.post("/runs/start/", form)
    session = counted.session
    session["selection"] = ["auth.Group"]
    session.save()

    response = counted.post("/runs/start/", form, follow=True)

    assert "is active on shop.sqlite3" in text(response)
    assert Run.objects.count() == 1


def test_a_run_that_keeps_the_destination_is_named_beforehand(
    counted: Client, text: Text, make_run: Callable[..., Run]
) -> None:
    identity = counted.get("/runs/new/").context["plan"].dest.identity
    run = make_run("paused", active_dest=identity)

    page = text(counted.get("/runs/new/"))
    assert f"Run {run.pk}</a> is paused and keeps shop.sqlite3 to itself" in page
    assert "resume or cancel it" in page

    long_ago = timezone.now() - timedelta(hours=1)
    Run.objects.update(status="running", heartbeat_at=long_ago)
    page = text(counted.get("/runs/new/"))
    assert "has vanished. Starting this run ends that one as interrupted" in page

    Run.objects.update(
        status="incomplete", heartbeat_at=timezone.now(), doing="trying its rejected rows again"
    )
    page = text(counted.get("/runs/new/"))
    assert f"Run {run.pk}</a> keeps shop.sqlite3 to itself: it is trying its rejected rows" in page

    Run.objects.update(status=Run.Status.SUCCEEDED, active_dest=None)
    assert f"un {run.pk}</a>" not in text(counted.get("/runs/new/"))


def test_a_selection_that_went_stale_is_refused(operator: Client, text: Text) -> None:
    session = operator.session
    session["selection"] = ["auth.Gone"]
    session.save()

    assert "There is no table or app" in text(operator.get("/runs/new/", follow=True))
    assert operator.get("/runs/new/live/")["HX-Redirect"] == "/tables/"
