"""The pages of a catch-up: what is confirmed, and that nothing starts without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from migrations_ui.models import Audit, AuditedTable, Run
from tests.views.conftest import Files

Text = Callable[[Any], str]
NAME = "shop.sqlite3"


@pytest.fixture
def operator(sign_in: Callable[[Any], Client], alice: Any, files: Files) -> Client:
    return sign_in(alice)


def page_of(client: Client, *labels: str, **fields: str) -> Any:
    return client.post("/runs/catch-up/choose/", {"label": labels} | fields, follow=True)


def start(client: Client, *labels: str, **fields: Any) -> Any:
    """Post what the page for these tables would post."""
    context = page_of(client, *labels).context
    filled = {"name": NAME, "fingerprint": context["fingerprint"], "label": context["plan"].labels}
    return client.post("/runs/catch-up/start/", filled | fields, follow=True)


def test_the_page_says_what_becomes_of_rows_that_only_the_destination_has(
    operator: Client, text: Text
) -> None:
    response = page_of(operator, "auth.Group")
    page, dest = text(response), response.context["plan"].dest
    assert "Rows that only the destination has are deleted" in page
    assert "Nothing is wiped" in page
    assert f"Bring 1 table of {NAME} ({dest.where}) up to date</button>" in page


def test_two_databases_of_one_name_are_told_apart(
    operator: Client, namesakes: Files, text: Text
) -> None:
    page = text(page_of(operator, "auth.Group"))
    here, there = namesakes.dest.parent, namesakes.source.parent

    assert f"Both databases are called {NAME}:</strong> the one on SQLite" in page
    lead = page.partition('class="lead"')[2].partition("</p>")[0]
    assert lead.index(f"{here})") < lead.index(f"{there})")


def test_without_a_choice_it_is_about_all_tables(operator: Client) -> None:
    labels = page_of(operator).context["plan"].labels
    assert "auth.Group" in labels
    assert len(labels) > 10


def test_the_typed_name_starts_a_run_that_wipes_nothing(operator: Client, files: Files) -> None:
    files.execute("dest", "INSERT INTO auth_group (name) VALUES ('old')")
    response = start(operator, "auth.Group", "auth.Permission")
    run = Run.objects.get()
    assert response.redirect_chain[-1][0] == f"/runs/{run.pk}/"
    assert (run.mode, run.status, run.operator) == ("catch-up", "queued", "alice")
    assert set(run.tables.values_list("label", "wiped")) == {
        ("auth.Group", False),
        ("auth.Permission", False),
    }


def test_while_the_site_is_on_newer_rows_can_be_brought_over(operator: Client, text: Text) -> None:
    assert 'href="/runs/catch-up/?chosen=1&amp;newer=1"' in text(page_of(operator, "auth.Group"))
    response = operator.get("/runs/catch-up/", {"newer": "1"})
    page, context = text(response), response.context
    assert "Nothing else is read, so nothing is proved." in page
    assert {"auth.Group", "registry.Pid"} <= set(context["plan"].labels)
    assert "sessions.Session" not in context["plan"].labels
    assert tuple(context["newer_by"]["registry.Pid"]) == ("id", "updated_at")
    fields = {"name": NAME, "fingerprint": context["fingerprint"], "newer": "1"}
    operator.post("/runs/catch-up/start/", fields | {"label": context["plan"].labels})
    run = Run.objects.get()
    assert (run.mode, run.newer_only, run.compares_cells) == ("catch-up", True, False)


def test_tables_that_do_not_tell_newer_rows_lead_back_to_the_complete_catch_up(
    operator: Client, text: Text
) -> None:
    response = page_of(operator, "sessions.Session", newer="1")
    assert response.redirect_chain[-1][0] == "/runs/catch-up/?chosen=1"
    assert "nothing tells which of its rows are newer" in text(response)
    assert "bring over newer rows only" not in text(response)


def test_a_run_over_newer_rows_leads_to_the_complete_catch_up(
    operator: Client, make_run: Callable[..., Run], text: Text
) -> None:
    fields = {"mode": "catch-up", "newer_only": True, "compares_cells": False}
    run = make_run("incomplete", error="Only newer rows were read.", **fields)
    page = text(operator.get(run.get_absolute_url()))
    assert "Only newer rows were read." in page
    assert '<a href="/runs/catch-up/">Catch up completely</a>' in page
    assert "Catch up completely" in text(operator.get("/"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "source.sqlite3"}, "is not that of the destination"),
        ({"name": ""}, "is not that of the destination"),
        ({"fingerprint": "0" * 64}, "Something has changed since the confirmation"),
        ({"label": ["auth.Group", "auth.User"]}, "Something has changed since the confirmation"),
        ({"label": []}, "No table is selected"),
        ({"label": ["no.Such"]}, "There is no table or app"),
    ],
)
def test_what_was_not_shown_or_confirmed_does_not_start(
    operator: Client, text: Text, wrong: dict[str, Any], said: str
) -> None:
    response = start(operator, "auth.Group", **wrong)
    assert said in text(response)
    assert not Run.objects.exists()


def test_the_choice_of_hundreds_of_tables_is_in_no_address_which_a_server_would_refuse(
    operator: Client, text: Text
) -> None:
    labels = page_of(operator).context["plan"].labels
    response = page_of(operator, *labels)
    assert response.context["plan"].labels == labels
    response = start(operator, *labels, name="source.sqlite3")
    addresses = [address for address, _ in response.redirect_chain]
    assert addresses == ["/runs/catch-up/?chosen=1"]
    assert "is not that of the destination" in text(response)


def test_a_second_run_on_the_destination_is_refused(operator: Client, text: Text) -> None:
    start(operator, "auth.Group")
    assert "is active on shop.sqlite3" in text(start(operator, "auth.Permission"))
    assert Run.objects.count() == 1


def test_the_run_that_keeps_the_destination_is_named_beforehand(
    operator: Client, text: Text
) -> None:
    start(operator, "auth.Group")
    page = text(page_of(operator, "auth.Group"))
    run = Run.objects.get()
    assert f"Run {run.pk}</a> is queued and keeps {NAME} to itself" in page


def test_an_audit_that_differs_leads_to_the_repair_of_just_these_tables(
    operator: Client, make_audit: Callable[..., Audit], text: Text
) -> None:
    audit = make_audit("differs")
    AuditedTable.objects.filter(audit=audit).update(verdict="identical")
    AuditedTable.objects.filter(pk=audit.tables.all()[0].pk).update(
        label="auth.Group", verdict="differs"
    )
    page = text(operator.get(f"/audits/{audit.pk}/"))
    assert "Repair the 1 table that differs…</button>" in page
    assert page.count('name="label"') == 1


def test_bob_who_may_only_look_is_not_offered_a_repair(
    sign_in: Callable[[Any], Client],
    bob: Any,
    files: Files,
    make_audit: Callable[..., Audit],
    text: Text,
) -> None:
    audit = make_audit("differs")
    assert "Repair the" not in text(sign_in(bob).get(f"/audits/{audit.pk}/"))
