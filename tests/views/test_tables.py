from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from migrations_ui import services
from migrations_ui.models import CountRequest
from migrations_ui.services import TablesPage
from tests.views.conftest import GROUPS, Files, endpoint

Text = Callable[[Any], str]


@pytest.fixture
def operator(sign_in: Callable[[Any], Client], alice: Any, files: Files) -> Client:
    return sign_in(alice)


@pytest.fixture
def viewer(sign_in: Callable[[Any], Client], bob: Any, files: Files) -> Client:
    return sign_in(bob)


def row(page: str, label: str) -> str:
    """The HTML of one table's row."""
    return page.partition(f'data-label="{label}"')[2].partition("</tr>")[0]


def test_estimates_are_marked_until_rows_are_counted(operator: Client, text: Text) -> None:
    before = row(text(operator.get("/tables/")), "auth.Group")
    services.count_now(["auth.Group"])
    after = row(text(operator.get("/tables/")), "auth.Group")

    assert f"≈ {GROUPS}" in before
    assert f'<td class="number">{GROUPS}</td>' in after
    assert f'<td class="number">\N{MINUS SIGN}{GROUPS}</td>' in after


def test_the_page_asks_the_worker_for_exact_counts_by_itself(operator: Client, text: Text) -> None:
    assert 'hx-post="/tables/count/"' in text(operator.get("/tables/"))


def test_an_operator_who_may_only_look_asks_for_nothing(viewer: Client, text: Text) -> None:
    page = text(viewer.get("/tables/"))

    assert "hx-post" not in page
    assert "checkbox" not in page
    assert "Count exactly" not in page


def test_counted_tables_are_not_counted_again_at_every_look(operator: Client, text: Text) -> None:
    services.count_now(table.label for table in services.host_tables())

    page = text(operator.get("/tables/"))

    assert "hx-post" not in page
    assert "Count exactly</button>" in page


def test_the_page_is_polled_while_the_worker_counts(operator: Client, text: Text) -> None:
    assert operator.post("/tables/count/").status_code == 302
    assert 'hx-get="/tables/live/"' in text(operator.get("/tables/live/"))

    CountRequest.objects.update(finished_at=CountRequest.objects.get().requested_at)
    services.count_now(table.label for table in services.host_tables())
    assert "hx-get" not in text(operator.get("/tables/live/"))


def test_a_count_that_failed_is_said_and_not_asked_for_by_the_poll(
    operator: Client, text: Text
) -> None:
    now = timezone.now()
    CountRequest.objects.create(labels=[], finished_at=now, error="The server `db` hung up.")

    page = text(operator.get("/tables/live/"))

    assert "The last count failed: The server <code>db</code> hung up." in page
    assert "hx-" not in page


def test_htmx_gets_the_polled_fragment_for_its_request_to_count(
    operator: Client, text: Text
) -> None:
    response = operator.post("/tables/count/", headers={"HX-Request": "true"})

    assert text(response).startswith('<div id="tables" hx-get="/tables/live/"')


def test_counting_goes_back_only_to_our_own_pages(operator: Client) -> None:
    ours = operator.post("/tables/count/", {"next": "/runs/new/"})
    foreign = operator.post("/tables/count/", {"next": "https://example.org/"})

    assert ours["Location"] == "/runs/new/"
    assert foreign["Location"] == "/tables/"


def test_sessions_are_left_out_and_the_page_says_so(operator: Client, text: Text) -> None:
    page = text(operator.get("/tables/"))

    assert "Left out unless you select it: sessions.Session." in page
    assert "data-left-out" in page.partition('data-label="sessions.Session"')[0][-200:]


def test_a_table_that_is_missing_cannot_be_selected(
    operator: Client, files: Files, text: Text
) -> None:
    files.execute("dest", "DROP TABLE registry_proxy")

    found = row(text(operator.get("/tables/")), "registry.Proxy")

    assert "disabled" in found
    assert "missing in the destination" in found


def test_what_is_left_out_anyway_and_missing_is_no_alarm(
    operator: Client, files: Files, text: Text
) -> None:
    files.execute("dest", "DROP TABLE django_session")

    found = row(text(operator.get("/tables/")), "sessions.Session")

    assert "disabled" in found
    assert "signs in again. It is missing in the destination." in found
    assert "Can’t be selected" not in found


def test_the_search_works_without_a_script(operator: Client, text: Text) -> None:
    page = text(operator.get("/tables/", {"q": "auth group"}))

    assert row(page, "auth.Group")
    assert row(page, "auth.Group_permissions")
    assert not row(page, "auth.Permission")


def test_a_search_without_a_hit_says_so(operator: Client, text: Text) -> None:
    page = text(operator.get("/tables/", {"q": "<b>nothing"}))

    assert "No table matches “&lt;b&gt;nothing”." in page


def test_the_selection_leads_to_the_confirmation_and_is_counted(operator: Client) -> None:
    response = operator.post("/runs/select/", {"label": ["auth.Group", "auth.User"]})

    assert response["Location"] == "/runs/new/"
    assert operator.session["selection"] == ["auth.Group", "auth.User"]
    assert CountRequest.objects.get().labels == ["auth.Group", "auth.User"] or set(
        CountRequest.objects.get().labels
    ) == {"auth.Group", "auth.User"}


def test_the_selection_is_still_ticked_on_the_way_back(operator: Client, text: Text) -> None:
    operator.post("/runs/select/", {"label": ["auth.Group"]})

    page = text(operator.get("/tables/"))

    assert "checked" in row(page, "auth.Group")
    assert "checked" not in row(page, "auth.User")


def test_selecting_nothing_is_refused(operator: Client, text: Text) -> None:
    response = operator.post("/runs/select/", follow=True)

    assert response.redirect_chain[-1][0] == "/tables/"
    assert "Nothing is selected." in text(response)


def test_a_label_that_does_not_exist_is_refused(operator: Client, text: Text) -> None:
    response = operator.post("/runs/select/", {"label": ["auth.Grupo"]}, follow=True)

    assert "There is no table or app" in text(response)
    assert not CountRequest.objects.exists()


def test_without_a_script_a_whole_app_can_be_selected(operator: Client) -> None:
    operator.post("/runs/select/", {"app": ["auth"]})

    selected = operator.session["selection"]
    assert "auth.User_groups" in selected
    assert {label.partition(".")[0] for label in selected} == {"auth"}


def test_without_a_script_all_tables_can_be_selected_but_those_left_out(operator: Client) -> None:
    operator.post("/runs/select/", {"app": ["*"]})

    everything = {table.label for table in services.host_tables()}
    assert set(operator.session["selection"]) == everything - {"sessions.Session"}


def test_without_a_script_all_that_the_search_found_can_be_selected(operator: Client) -> None:
    operator.post("/runs/select/", {"app": ["*"], "q": "registry_p"})

    assert set(operator.session["selection"]) == {
        "registry.Policy",
        "registry.Pid",
        "registry.Proxy",
    }


def test_an_unreachable_side_is_said_without_its_password(
    operator: Client, settings: Settings, text: Text
) -> None:
    unreachable = endpoint("postgres://shop:s3cret-word@127.0.0.1:1/shop")
    settings.ENDPOINTS = settings.ENDPOINTS | {"dest": unreachable}

    page = text(operator.get("/tables/"))

    assert "<strong>Destination:</strong>" in page
    assert "hx-post" not in page
    assert "s3cret-word" not in page


def many(page: TablesPage) -> TablesPage:
    """The page of a host with 500 tables."""
    return replace(
        page, rows=tuple(replace(page.rows[0], label=f"shop.Table{n}") for n in range(500))
    )


def test_500_tables_cost_no_more_queries_than_a_few(
    operator: Client,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    # A host of 500 tables can't be had otherwise.
    page = many(services.tables_page())
    monkeypatch.setattr(services, "tables_page", lambda: page)

    with django_assert_max_num_queries(6):
        response = operator.get("/tables/")

    assert response.content.count(b'name="label"') == 500
