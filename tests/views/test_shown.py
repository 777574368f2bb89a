"""What a confirmation shows of many tables and of namesakes, and what has changed since."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from migrations_ui import services
from migrations_ui.models import CountRequest, Run
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
    recount("auth.Group")
    return operator


def shown(client: Client) -> dict[str, str]:
    """What the form of the page would post, with the right name."""
    context = client.get("/runs/new/").context
    return {
        "name": context["plan"].dest.name,
        "fingerprint": context["plan"].fingerprint,
        "shown": context["shown"],
    }


def recount(*labels: str) -> None:
    services.count_now(labels)
    services.check_data_now(labels, "alice")
    CountRequest.objects.update(finished_at=timezone.now())


def test_two_databases_of_one_name_are_told_apart(
    operator: Client, namesakes: Files, text: Text
) -> None:
    page = text(operator.get("/runs/new/"))

    here, there = namesakes.dest.parent, namesakes.source.parent
    note = page.partition("Both databases are called shop.sqlite3:</strong>")[2].partition("</p>")[
        0
    ]
    assert f"{here}, is written;" in note
    assert f"{there}, is only read" in note


def test_tables_with_rows_to_wipe_come_first_and_empty_ones_are_folded(
    operator: Client, files: Files, text: Text
) -> None:
    labels = ["auth.Group", "auth.User", "auth.User_groups"]
    operator.post("/runs/select/", {"label": labels})
    unknown = operator.get("/runs/new/").context["plan"]
    assert (len(unknown.with_rows), unknown.without_rows) == (3, [])
    files.execute("dest", "INSERT INTO auth_user_groups (user_id, group_id) VALUES (1, 1)")
    services.count_now(labels)
    services.check_data_now(labels, "alice")
    CountRequest.objects.update(finished_at=timezone.now())

    page = text(operator.get("/runs/new/"))

    table, _, folded = page.partition("<tbody>")[2].partition("</table>")
    assert table.index("auth.<wbr>User_<wbr>groups <code") < table.index("auth.<wbr>Group <code")
    assert "auth.<wbr>User <code" not in table
    assert "<summary>1 table has no rows on either side</summary>" in folded
    assert "<li>auth.<wbr>User</li>" in folded


def test_what_is_wiped_where_is_said_once_more_above_the_name(
    counted: Client, files: Files, text: Text
) -> None:
    form = text(counted.get("/runs/new/")).partition('id="confirm"')[2]
    above = form.partition('<label for="name">')[0]

    assert "Wiped:</strong> 1 row of 1 table in <strong>shop.sqlite3</strong> (SQLite" in above
    assert f"Copied:</strong> {GROUPS} rows of 1 table from <strong>source.sqlite3" in above


def test_what_has_changed_since_the_confirmation_is_said(
    counted: Client, files: Files, namesakes: Files, text: Text, settings: Settings
) -> None:
    recount("auth.Group")
    form = shown(counted)

    files.execute("dest", "INSERT INTO auth_group (name) VALUES ('newer')")
    recount("auth.Group")
    page = text(counted.post("/runs/start/", form, follow=True))
    assert "confirmation was shown. auth.Group had 1 row and has 2. Nothing was wiped." in page

    counted.post("/runs/select/", {"label": ["auth.Permission", "auth.User"]})
    recount("auth.Permission", "auth.User")
    page = text(counted.post("/runs/start/", form, follow=True))
    said = page.partition("confirmation was shown. ")[2].partition(" Nothing was wiped")[0]
    assert said == (
        "The selection is now 2 tables; you confirmed 1 (auth.Permission, auth.User added, "
        "auth.Group left out)."
    )

    counted.post("/runs/select/", {"label": ["auth.Group"]})
    files.execute("dest", "DELETE FROM auth_group WHERE name = 'newer'")
    elsewhere = files.dest.with_name("elsewhere")
    elsewhere.mkdir()
    shutil.copy(files.dest, elsewhere / files.dest.name)
    settings.ENDPOINTS["dest"]["NAME"] = str(elsewhere / files.dest.name)
    recount("auth.Group")
    page = text(counted.post("/runs/start/", form, follow=True))
    assert "The destination is now shop.sqlite3 (SQLite" in page
    assert f"{elsewhere}); you confirmed shop.sqlite3 (SQLite" in page
    assert "The source is now" not in page
    assert not Run.objects.exists()
