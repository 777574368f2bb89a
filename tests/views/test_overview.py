from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from migrations_ui import services
from migrations_ui.models import Audit, DataCheck, Run, SignOff
from tests.views.conftest import Files, Reject, endpoint

Text = Callable[[Any], str]

USUAL = [table.label for table in services.host_tables() if not table.left_out]


@pytest.fixture
def page(sign_in: Callable[[Any], Client], bob: Any, files: Files, text: Text) -> Callable[[], str]:
    client = sign_in(bob)
    return lambda: text(client.get("/"))


def test_both_databases_are_named(page: Callable[[], str], files: Files) -> None:
    found = page()

    assert "source.sqlite3" in found
    assert "shop.sqlite3" in found
    assert str(files.dest.parent) in found


def test_before_anything_was_copied_preflight_comes_next(page: Callable[[], str]) -> None:
    assert "Nothing has been copied yet." in page()


def test_after_a_look_at_the_values_the_tables_come_next(page: Callable[[], str]) -> None:
    services.check_data_now(None, "alice")

    found = page()

    assert 'href="/tables/">Select tables</a>' in found
    assert "found nothing in the way of a copy" in found


def test_a_blocker_is_to_be_read_before_any_table_is_selected(
    page: Callable[[], str], files: Files
) -> None:
    files.execute("dest", "DROP TABLE registry_proxy")
    services.check_data_now(None, "alice")

    assert 'href="/preflight/">Read preflight</a>' in page()


@pytest.mark.parametrize("labels", [["auth.Group"], None])
def test_a_look_that_is_too_old_or_at_some_tables_only_is_not_enough(
    page: Callable[[], str], labels: list[str] | None
) -> None:
    services.check_data_now(labels, "alice")
    if labels is None:
        DataCheck.objects.update(finished_at=timezone.now() - timedelta(hours=2))

    assert 'href="/preflight/">Run preflight</a>' in page()


def test_a_run_under_way_comes_next(page: Callable[[], str], make_run: Callable[..., Run]) -> None:
    run = make_run("running")

    assert f'href="/runs/{run.pk}/">Watch run {run.pk}</a>' in page()


def test_a_failed_run_is_to_be_read(page: Callable[[], str], make_run: Callable[..., Run]) -> None:
    run = make_run("failed")

    assert f"Read run {run.pk}</a>" in page()


def test_rows_that_are_set_aside_come_before_any_audit(
    page: Callable[[], str],
    make_run: Callable[..., Run],
    make_audit: Callable[..., Audit],
    reject: Reject,
) -> None:
    run = make_run("incomplete", finished_at=timezone.now())
    make_audit("differs", run=run)
    reject(run, "1")

    found = page()

    assert f'href="/runs/{run.pk}/#rejected">Look at the rejected rows</a>' in found
    assert f"Run {run.pk} is incomplete: 1 row is set aside" in found
    assert '<span class="status status-incomplete">incomplete</span>' in found


def test_after_the_last_rejected_row_has_arrived_the_audit_is_to_be_read(
    page: Callable[[], str],
    make_run: Callable[..., Run],
    make_audit: Callable[..., Audit],
    reject: Reject,
) -> None:
    run = make_run("incomplete", finished_at=timezone.now())
    reject(run, "1", arrived_at=timezone.now())
    make_audit("differs", run=run)
    audit = make_audit(*["counts-only"] * len(USUAL), labels=USUAL, run=run)

    assert f"Read audit {audit.pk}</a>" in page()


@pytest.mark.parametrize("labels", [USUAL, USUAL[:1]])
def test_once_all_is_signed_off_the_site_can_be_pointed_at_the_destination(
    page: Callable[[], str],
    make_run: Callable[..., Run],
    make_audit: Callable[..., Audit],
    labels: list[str],
) -> None:
    run = make_run("succeeded", finished_at=timezone.now())
    audit = make_audit(*["identical"] * len(labels), labels=labels, run=run)
    SignOff.objects.create(audit=audit, operator="alice", digest="0" * 64)

    told = f"The site can be pointed at {audit.dest['name']} and opened again." in page()
    assert told == (labels == USUAL)


def test_after_a_copy_comes_an_audit(
    page: Callable[[], str], make_run: Callable[..., Run], make_audit: Callable[..., Audit]
) -> None:
    make_audit("counts-only", created_at=timezone.now() - timedelta(hours=1))
    make_run("succeeded", finished_at=timezone.now())

    assert "Audit the copy</a>" in page()


def test_the_audit_of_the_last_run_is_to_be_read(
    page: Callable[[], str], make_run: Callable[..., Run], make_audit: Callable[..., Audit]
) -> None:
    run = make_run("succeeded", finished_at=timezone.now())
    earlier = timezone.now() - timedelta(minutes=1)
    verdicts = ["counts-only"] * len(USUAL)
    audit = make_audit(*verdicts, labels=USUAL, run=run, created_at=earlier)

    assert f"Read audit {audit.pk}</a>" in page()


def test_a_paused_run_is_not_said_to_be_under_way(
    page: Callable[[], str], make_run: Callable[..., Run]
) -> None:
    run = make_run("paused")

    found = page()

    assert f"Run {run.pk} is paused" in found
    assert "A run is under way" not in found


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("identical", "identical. {} Read it; there it is signed off."),
        ("differs", "differs. {} It shows what differs"),
        ("counts-only", "counts only. {} Cells were not compared"),
    ],
)
def test_what_comes_after_an_audit_goes_by_its_verdict(
    page: Callable[[], str],
    make_run: Callable[..., Run],
    make_audit: Callable[..., Audit],
    verdict: str,
    said: str,
) -> None:
    run = make_run("succeeded", finished_at=timezone.now())
    audit = make_audit(*[verdict] * len(USUAL), labels=USUAL, run=run)

    found = page()

    covers = f"covers {len(USUAL)} of the project’s {len(USUAL) + 1} tables"
    said = said.format("Not in it: sessions.Session.")
    assert f"Audit {audit.pk} {covers}: {said}" in found
    assert f">Read audit {audit.pk}</a>" in found


@pytest.mark.parametrize(
    ("verdict", "next_step"),
    [
        ("identical", "Audit all tables</a>"),
        ("counts-only", "Audit all tables</a>"),
        ("differs", "Read audit"),
    ],
)
def test_an_audit_that_leaves_tables_aside_says_so_and_is_followed_by_one_of_all(
    page: Callable[[], str],
    make_run: Callable[..., Run],
    make_audit: Callable[..., Audit],
    verdict: str,
    next_step: str,
) -> None:
    run = make_run("succeeded", finished_at=timezone.now())
    audit = make_audit(verdict, labels=["auth.Group"], run=run)

    found = page()

    covers = f"1 of the project’s {len(USUAL) + 1} tables"
    assert f"Audit {audit.pk} covers {covers}: {audit.get_verdict_display()}. Not in it: " in found
    assert "and 10 more." in found
    assert f"Audit {audit.pk}</a>, {covers}, " in found
    assert next_step in found


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"status": "running"}, "is under way."),
        ({"status": "failed"}, "was not finished: it is failed."),
    ],
)
def test_an_audit_that_has_no_verdict_is_not_said_to_have_one(
    page: Callable[[], str],
    make_run: Callable[..., Run],
    make_audit: Callable[..., Audit],
    fields: dict[str, str],
    said: str,
) -> None:
    run = make_run("succeeded", finished_at=timezone.now())
    audit = make_audit("not-checked", run=run, **fields)

    assert f"Audit {audit.pk} {said}" in page()


def test_an_audit_from_before_the_last_run_says_that_it_is(
    page: Callable[[], str], make_run: Callable[..., Run], make_audit: Callable[..., Audit]
) -> None:
    audit = make_audit("identical", created_at=timezone.now() - timedelta(minutes=1))
    run = make_run("running")

    found = page()

    assert f"Audit {audit.pk}</a>, 1 of the project’s {len(USUAL) + 2} tables" in found
    assert f"before run {run.pk}, of which it tells nothing" in found


def test_an_unreachable_server_is_said_without_its_password(
    page: Callable[[], str], settings: Settings
) -> None:
    unreachable = endpoint("postgres://shop:s3cret-word@127.0.0.1:1/shop")
    settings.ENDPOINTS = settings.ENDPOINTS | {"dest": unreachable}

    found = page()

    assert "note-error" in found
    assert "127.0.0.1" in found
    assert "A database can’t be used as it is." in found.replace("&#x27;", "’")
    assert "s3cret-word" not in found


# -- An overview that is left open -----------------------------------------------------------------


@pytest.fixture
def poll(page: Callable[[], str], client: Client, text: Text) -> Callable[[str], str]:
    """`poll(before)`: what a page or fragment asks for next."""

    def poll(before: str) -> str:
        address = re.search(r'id="health"[^>]*hx-get="([^"]+)"', before)
        assert address
        return text(client.get(unescape(address[1])))

    return poll


def test_an_overview_that_is_open_tells_what_has_come_meanwhile(
    page: Callable[[], str], poll: Callable[[str], str], make_run: Callable[..., Run]
) -> None:
    """The fragment of the workers brings what is next and the steps, where they have changed."""
    run = make_run("running")
    shown = page()
    Run.objects.update(status="paused")

    shown = poll(shown)
    assert f"Run {run.pk} is paused" in shown
    assert '<section id="next" class="next" hx-swap-oob="true">' in shown
    assert '<section id="standing" hx-swap-oob="true"> <h2>Steps</h2>' in shown
    assert '<span class="status status-paused">paused</span>' in shown

    assert 'id="next"' not in poll(shown)


def test_an_open_overview_follows_a_run_while_a_worker_is_on_it(
    page: Callable[[], str], poll: Callable[[str], str], make_run: Callable[..., Run]
) -> None:
    run = make_run("running", tables=2)
    shown = page()
    run.tables.update(copied_rows=900)

    assert "1,800 rows, 90 %" in poll(shown)


@pytest.mark.parametrize(
    "change",
    ["an audit", "a signature", "a rejected row that has arrived", "a look at the values"],
)
def test_an_open_overview_tells_of_everything_that_is_next(
    page: Callable[[], str],
    poll: Callable[[str], str],
    make_run: Callable[..., Run],
    make_audit: Callable[..., Audit],
    make_sign_off: Callable[..., SignOff],
    reject: Reject,
    change: str,
) -> None:
    run = make_run("incomplete", finished_at=timezone.now())
    row = reject(run, "1")
    make_audit("identical", run=run, status="running")
    shown = page()

    if change == "an audit":
        Audit.objects.update(status="finished")
    elif change == "a signature":
        make_sign_off(Audit.objects.get())
    elif change == "a look at the values":
        services.check_data_now(None, "alice")
    else:
        type(row).objects.update(arrived_at=timezone.now())

    assert 'id="next"' in poll(shown)


@pytest.mark.parametrize("status", ["running", "succeeded", None])
def test_an_open_overview_asks_neither_database_while_nothing_changes(
    page: Callable[[], str],
    poll: Callable[[str], str],
    make_run: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    status: str | None,
) -> None:
    if status:
        make_run(status)
    shown = page()
    calls: list[bool] = []
    monkeypatch.setattr(services, "tables_page", lambda: calls.append(True))

    assert "in the queue." in poll(shown)
    assert calls == []
