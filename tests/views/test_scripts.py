"""What the small scripts and htmx do in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from migrations_ui import services, workers
from migrations_ui.models import Run, TableCopy
from tests.views.conftest import GROUPS, POLL, Files, Open, count_everything, expect

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from pytest_django import Settings


def test_the_selection_is_summed_and_what_refers_to_it_is_named(open_page: Open) -> None:
    count_everything()
    page = open_page("/tables/")

    page.check("[value='auth.Group']")

    expect(page, "#selection-sum", f"1 table selected: {GROUPS} rows to copy, 0 rows to wipe.")
    expect(page, "#selection-reach", "auth.Group_permissions, auth.User_groups")


def test_all_tables_are_selected_but_those_left_out(open_page: Open) -> None:
    count_everything()
    page = open_page("/tables/")

    page.check("[data-app='*']")

    assert not page.is_checked("[value='sessions.Session']")
    expect(page, "#selection-sum", f"{len(services.host_tables()) - 1} tables selected")


def test_an_app_is_selected_as_far_as_it_is_shown(open_page: Open) -> None:
    count_everything()
    page = open_page("/tables/")

    page.fill("#q", "auth group")
    page.check("input[data-app='auth']")

    assert page.locator("#tables tr.row:visible").count() == 2 + 1  # with the groups of users
    expect(page, "#selection-sum", "3 tables selected")
    page.fill("#q", "permission")
    expect(page, "#selection-sum", r"3 tables selected \(2 not shown\)")


def test_a_poll_keeps_the_selection_and_the_focus(open_page: Open) -> None:
    page = open_page("/tables/")
    page.wait_for_selector("#tables[hx-get]")

    page.check("[value='auth.Group']")
    page.focus("[value='auth.Group']")
    count_everything()

    page.wait_for_selector("#tables:not([hx-get])", timeout=POLL)
    assert page.is_checked("[value='auth.Group']")
    assert page.evaluate("document.activeElement.value") == "auth.Group"
    expect(page, "#selection-sum", f"1 table selected: {GROUPS} rows to copy")


def test_the_button_waits_for_the_destinations_name(open_page: Open) -> None:
    page = open_page("/tables/")
    page.check("[value='auth.Group']")
    page.click("text=Review the wipe and the copy")
    page.wait_for_selector("#plan[hx-get]")
    count_everything()
    page.wait_for_selector("#name", timeout=POLL)

    assert page.is_disabled("#confirm button")
    page.fill("#name", "shop")
    assert page.is_disabled("#confirm button")
    page.fill("#name", "shop.sqlite3")
    page.click("#confirm button")

    page.wait_for_url("**/runs/*/")
    assert Run.objects.get().status == Run.Status.QUEUED


def test_a_worker_that_comes_back_frees_the_buttons_and_nothing_typed_is_lost(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page("/tables/")
    page.check("[value='auth.Group']")
    page.click("text=Review the wipe and the copy")
    page.wait_for_selector("#plan[hx-get]")
    count_everything()
    page.wait_for_selector("#name", timeout=POLL)
    with monkeypatch.context() as patch:
        patch.setattr(workers.Health, "nobody", "No worker is running.")
        page.reload()
        page.fill("#reject_limit", "7")
        page.fill("#name", "shop.sqlite3")
        assert page.is_disabled("text=Wipe shop.sqlite3")
        assert page.is_disabled("text=Look again")

    expect(page, "#nobody", "A worker is there now.")
    assert page.is_enabled("text=Wipe shop.sqlite3")
    assert page.is_enabled("text=Look again")
    assert page.input_value("#name") == "shop.sqlite3"
    assert page.input_value("#reject_limit") == "7"
    assert page.evaluate("document.activeElement.id") == "name"
    page.fill("#name", "another")
    assert page.is_disabled("text=Wipe shop.sqlite3")


def test_a_worker_that_comes_back_frees_no_button_that_waits_for_a_selection(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_everything()
    with monkeypatch.context() as patch:
        patch.setattr(workers.Health, "nobody", "No worker is running.")
        page = open_page("/tables/")
        assert page.is_disabled("text=Count exactly")

    expect(page, "#nobody", "A worker is there now.")
    assert page.is_enabled("text=Count exactly")
    assert page.is_disabled("text=Review the wipe and the copy")
    page.check("[value='auth.Group']")
    assert page.is_enabled("text=Review the wipe and the copy")


def test_a_choice_that_is_not_applied_holds_the_button(open_page: Open, files: Files) -> None:
    files.execute("source", "INSERT INTO auth_user_groups (user_id, group_id) VALUES (999, 1)")
    files.execute("source", "INSERT INTO auth_user_groups (user_id, group_id) VALUES (998, 1)")
    page = open_page("/tables/")
    for label in ("auth.User", "auth.Group", "auth.User_groups"):
        page.check(f"[value='{label}']")
    page.click("text=Review the wipe and the copy")
    count_everything()
    page.wait_for_selector("#transforms select", timeout=POLL)
    assert page.is_hidden("#unapplied")

    page.select_option("#transforms select", "auth.User_groups.user_id=skip-orphans")
    assert page.is_visible("#unapplied")
    page.click("text=Apply the choices")

    page.wait_for_selector("#declared")
    page.fill("#name", "shop.sqlite3")
    assert page.is_enabled("#confirm button")
    page.select_option("#transforms select", "")
    assert page.is_disabled("#confirm button")
    page.select_option("#transforms select", "auth.User_groups.user_id=skip-orphans")
    page.click("#confirm button")
    page.wait_for_url("**/runs/*/")
    assert Run.objects.get().transforms == ["auth.User_groups.user_id=skip-orphans"]


@pytest.fixture
def running(make_run: Callable[..., Run], transactional_db: None) -> Run:
    return make_run("running", tables=4, phase=Run.Phase.LOAD)


def test_the_title_and_the_announcement_follow_the_run(open_page: Open, running: Run) -> None:
    page = open_page(f"/runs/{running.pk}/")
    assert page.title() == f"25 % · Run {running.pk} | Cutover"

    TableCopy.objects.filter(run=running).update(copied_rows=1000, status="done")
    Run.objects.update(status=Run.Status.SUCCEEDED)

    page.wait_for_selector("#run:not([hx-get])", timeout=POLL)
    assert page.title() == f"Run {running.pk} succeeded | Cutover"
    expect(page, "#announcement", f"Run {running.pk} is succeeded.")


def test_a_poll_does_not_close_what_was_opened(open_page: Open, running: Run) -> None:
    page = open_page(f"/runs/{running.pk}/")

    page.click("#cancel summary")
    page.focus("#cancel button")
    with page.expect_response("**/live/*"):
        pass
    TableCopy.objects.filter(run=running).update(copied_rows=500)
    expect(page, ".run-rows", "2,000 of 4,000 rows")

    assert page.evaluate("document.activeElement.textContent") == f"Cancel run {running.pk}"
    page.click("#cancel button")
    expect(page, ".run-state", "cancelling")


POLL_TWICE = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  const ask = (elt) =>
    elt.dispatchEvent(
      new CustomEvent("htmx:beforeRequest", { bubbles: true, cancelable: true, detail: { elt } }),
    );
  const polled = document.createElement("div");
  polled.id = `polled-${hidden}`;
  polled.setAttribute("hx-trigger", "every 1s");
  document.body.append(polled);
  return [ask(polled), ask(polled), ask(document.body)];
}"""


def test_a_tab_that_nobody_sees_polls_less_often_and_sends_all_else(open_page: Open) -> None:
    page = open_page("/tables/")

    assert page.evaluate(POLL_TWICE, True) == [True, False, True]
    assert page.evaluate(POLL_TWICE, False) == [True, True, True]


def test_a_lost_connection_is_said_and_the_last_state_stays(open_page: Open, running: Run) -> None:
    page = open_page(f"/runs/{running.pk}/")

    page.route("**/live/*", lambda route: route.abort())
    expect(page, "#connection", "Not updated since .* does not need this page")
    assert page.is_visible("text=1,000 of 4,000 rows")
    page.unroute("**/live/*")

    page.wait_for_selector("#connection", state="hidden", timeout=POLL)


def test_a_session_that_ended_leads_to_the_sign_in_page(open_page: Open, running: Run) -> None:
    page = open_page(f"/runs/{running.pk}/")

    page.context.clear_cookies()

    page.wait_for_url(f"**/admin/login/?next=%2Fruns%2F{running.pk}%2F", timeout=POLL)


@pytest.mark.parametrize("path", ["/", "/preflight/", "/tables/", "/runs/", "/audits/"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_window(
    open_page: Open, make_run: Callable[..., Run], path: str, width: int
) -> None:
    make_run("failed")
    page = open_page(path)
    page.set_viewport_size({"width": width, "height": 800})

    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("path", ["/freeze/", "/runs/catch-up/", "/runs/new/", "/runs/1/"])
def test_a_long_name_makes_no_page_wider_than_a_small_window(
    open_page: Open, files: Files, settings: Settings, make_run: Callable[..., Run], path: str
) -> None:
    long = files.dest.with_name("customers_of_the_northern_region_in_production_v3.sqlite3")
    files.dest.rename(long)
    settings.ENDPOINTS["dest"]["NAME"] = str(long)
    side = {"name": long.name, "product": "SQLite", "host": str(long.parent), "identity": "x"}
    make_run("succeeded", pk=1, source=side, dest=side)
    page = open_page("/tables/")
    page.set_viewport_size({"width": 375, "height": 800})
    page.check("[value='auth.Group']")
    page.click("text=Review the wipe and the copy")
    page.wait_for_selector("#plan[hx-get]")
    count_everything()
    page.wait_for_selector("#name", timeout=POLL)
    page.goto(page.url.replace("/runs/new/", path))

    assert long.name in page.inner_text(".cutover")
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


# In the place of the browser's own, which would show it to nobody here.
NOTIFICATION = """
window.told = [];
window.asked = 0;
window.Notification = class {
  constructor(title, options) { window.told.push([title, options.body]); }
  static requestPermission() { window.asked += 1; return Promise.resolve("%s"); }
};
"""


def end(run: Run) -> None:
    now = timezone.now()
    Run.objects.filter(pk=run.pk).update(status="cancelled", active_dest=None, finished_at=now)


def test_who_asked_for_it_is_notified_once_when_the_run_ends(
    open_page: Open, page: Page, running: Run
) -> None:
    run = running
    page.add_init_script(NOTIFICATION % "granted")
    open_page(f"/runs/{run.pk}/")
    assert page.evaluate("asked") == 0

    page.click("text=Notify me when it ends")
    expect(page, "#notify-answer", "You will be notified")
    assert page.locator("#notify-button").count() == 0
    assert page.evaluate("told") == []

    end(run)
    page.wait_for_selector("#notify", state="hidden", timeout=POLL)
    [[title, body]] = page.evaluate("told")
    assert f"Run {run.pk}" in title
    assert body == f"Run {run.pk} is cancelled."


def test_nobody_is_notified_who_has_refused(open_page: Open, page: Page, running: Run) -> None:
    run = running
    page.add_init_script(NOTIFICATION % "denied")
    open_page(f"/runs/{run.pk}/")
    page.click("text=Notify me when it ends")
    expect(page, "#notify-answer", "does not allow this page")

    end(run)
    page.wait_for_selector("#notify", state="hidden", timeout=POLL)
    assert page.evaluate("told") == []


def test_an_ended_run_offers_no_notification(open_page: Open, page: Page, running: Run) -> None:
    end(running)
    open_page(f"/runs/{running.pk}/")

    assert page.is_hidden("#notify")
