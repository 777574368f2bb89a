"""The way back: the opposite of a run, prepared by a button and confirmed like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from migrations_ui import services
from migrations_ui.models import CountRequest, DataCheck, Run
from tests.views.conftest import GROUPS, Files

Text = Callable[[Any], str]


@pytest.fixture
def operator(sign_in: Callable[[Any], Client], alice: Any) -> Client:
    return sign_in(alice)


@pytest.fixture
def ended(files: Files, make_run: Callable[..., Run]) -> Run:
    """A run of the groups that has succeeded."""
    run = make_run(Run.Status.SUCCEEDED, tables=1)
    run.tables.update(label="auth.Group", table="auth_group")
    return run


@pytest.fixture
def prepared(operator: Client, ended: Run) -> Client:
    """Alice, who has pressed the button, after the worker has counted and looked."""
    operator.post(reverse("run_back", args=(ended.pk,)))
    services.count_now(["auth.Group"], reverse=True)
    services.check_data_now(["auth.Group"], "alice", reverse=True)
    CountRequest.objects.update(finished_at=CountRequest.objects.get().requested_at)
    return operator


def test_the_button_asks_for_nothing_but_counts_and_a_look_in_the_other_direction(
    operator: Client, ended: Run, text: Text
) -> None:
    assert "Prepare the way back to shop" in text(operator.get(ended.get_absolute_url()))

    response = operator.post(reverse("run_back", args=(ended.pk,)))

    assert response["Location"] == reverse("run_new")
    assert CountRequest.objects.get().reverse is True
    assert DataCheck.objects.get().reverse is True
    assert Run.objects.get() == ended


def test_the_confirmation_says_in_capitals_of_its_own_what_is_wiped(
    prepared: Client, text: Text
) -> None:
    page = text(prepared.get(reverse("run_new")))

    assert "<h1>Confirm the way back: wipe source.sqlite3</h1>" in page
    assert "note note-error note-loud" in page.partition("This is the way back")[0]
    assert "<strong>This is the way back.</strong>" in page.partition('class="lead"')[0]
    assert "<strong>source.sqlite3</strong>" in page.partition("This is the way back")[2]
    assert "which was the source, is wiped and written" in page
    assert f"<strong>{GROUPS} rows</strong>" in page
    assert "Wipe source.sqlite3 (SQLite" in page


def test_an_ordinary_confirmation_has_no_such_banner(
    operator: Client, files: Files, text: Text
) -> None:
    operator.post(reverse("select"), {"label": ["auth.Group"]})

    assert "way back" not in text(operator.get(reverse("run_new")))


def test_the_name_of_the_old_source_starts_the_opposite_run(
    prepared: Client, ended: Run, text: Text
) -> None:
    fingerprint = prepared.get(reverse("run_new")).context["plan"].fingerprint
    form = {"fingerprint": fingerprint, "name": "shop.sqlite3", "reject_limit": "0"}

    refused = prepared.post(reverse("run_start"), form, follow=True)
    assert "is not that of the destination" in text(refused)
    prepared.post(reverse("run_start"), form | {"name": "source.sqlite3"})

    run = Run.objects.exclude(pk=ended.pk).get()
    assert (run.reverse, run.dest["name"]) == (True, "source.sqlite3")


def test_the_next_selection_goes_forward_again(prepared: Client, text: Text) -> None:
    prepared.post(reverse("select"), {"label": ["auth.Group"]})

    plan = prepared.get(reverse("run_new")).context["plan"]
    assert (plan.reverse, plan.dest.name) == (False, "shop.sqlite3")


def test_what_was_confirmed_forward_does_not_start_a_run_backwards(
    operator: Client, ended: Run, text: Text
) -> None:
    """Two tabs, one session: the fingerprint is of a direction."""
    operator.post(reverse("select"), {"label": ["auth.Group"]})
    services.count_now(["auth.Group"])
    services.check_data_now(["auth.Group"], "alice")
    CountRequest.objects.update(finished_at=CountRequest.objects.get().requested_at)
    shown = operator.get(reverse("run_new")).context
    assert shown["plan"].fingerprint
    operator.post(reverse("run_back", args=(ended.pk,)))
    services.count_now(["auth.Group"], reverse=True)
    services.check_data_now(["auth.Group"], "alice", reverse=True)
    CountRequest.objects.update(finished_at=CountRequest.objects.latest("id").requested_at)

    for name in ("shop.sqlite3", "source.sqlite3"):
        form = {
            "fingerprint": shown["plan"].fingerprint,
            "shown": shown["shown"],
            "name": name,
            "reject_limit": "0",
        }
        page = text(operator.post(reverse("run_start"), form, follow=True))
        assert "The destination is now source.sqlite3 (" in page
        assert "you confirmed shop.sqlite3 (" in page
        # Nobody is asked to type what was not meant to be wiped.
        assert "is not that of the destination" not in page

    assert Run.objects.get() == ended


def test_from_a_run_backwards_the_way_back_is_forward(operator: Client, ended: Run) -> None:
    Run.objects.update(reverse=True)

    operator.post(reverse("run_back", args=(ended.pk,)))

    assert CountRequest.objects.get().reverse is False


def test_asking_again_from_the_confirmation_keeps_the_direction(
    operator: Client, ended: Run
) -> None:
    operator.post(reverse("run_back", args=(ended.pk,)))
    CountRequest.objects.all().delete()
    DataCheck.objects.all().delete()

    operator.post(reverse("tables_count"), {"count": "auth.Group", "next": reverse("run_new")})

    assert CountRequest.objects.get().reverse is True
    assert DataCheck.objects.get().reverse is True


def test_there_is_no_way_back_from_a_run_that_is_active(
    operator: Client, make_run: Callable[..., Run], files: Files, text: Text
) -> None:
    run = make_run(Run.Status.RUNNING)

    assert "Prepare the way back" not in text(operator.get(run.get_absolute_url()))
    response = operator.post(reverse("run_back", args=(run.pk,)), follow=True)

    assert "is still active" in text(response)


def test_bob_is_not_offered_the_way_back(
    sign_in: Callable[[Any], Client], bob: Any, ended: Run, text: Text
) -> None:
    assert "way back" not in text(sign_in(bob).get(ended.get_absolute_url()))
