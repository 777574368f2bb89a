from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from migrations_ui import services
from migrations_ui.engine.databases.base import Column
from migrations_ui.engine.databases.sqlite.database import Database
from tests.views.conftest import Files, endpoint

Text = Callable[[Any], str]

USUAL = [table.label for table in services.host_tables() if not table.left_out]


@pytest.fixture
def page(sign_in: Callable[[Any], Client], bob: Any, files: Files, text: Text) -> Callable[[], str]:
    client = sign_in(bob)
    return lambda: text(client.get("/preflight/"))


def test_two_good_databases_have_no_findings(page: Callable[[], str]) -> None:
    assert "Servers and schemas are in order. The values have not been looked at yet." in page()


def test_a_missing_table_blocks_and_the_page_says_what_to_do(
    page: Callable[[], str], files: Files
) -> None:
    files.execute("dest", "DROP TABLE registry_proxy")

    found = page()

    assert "Not every table can be copied as it is." in found
    assert "registry.Proxy" in found
    assert "What to do:" in found
    assert "Select tables</a>" in found


def test_the_same_database_twice_blocks(page: Callable[[], str], settings: Settings) -> None:
    settings.ENDPOINTS = {
        "source": settings.ENDPOINTS["source"],
        "dest": settings.ENDPOINTS["source"],
    }

    found = page()

    assert "same-database" in found
    assert "Something has to be put right before a copy can start." in found
    assert "Select tables</a>" not in found


def found_in_the_values(*findings: dict[str, Any]) -> None:
    """What the last look at the values has found: blockers with these fields."""
    usual = {
        "code": "nul-in-text",
        "severity": "blocker",
        "message": "2 values have a NUL.",
        "remedy": "Remove it.",
        "label": "auth.Group",
        "column": "name",
        "rows": 2,
        "sample_keys": ["1", "2"],
        "transforms": [],
    }
    check = services.check_data_now(None, "alice")
    check.findings = [usual | finding for finding in findings]
    check.save()


def test_what_can_be_decided_on_the_confirmation_does_not_stop_here(
    page: Callable[[], str],
) -> None:
    found_in_the_values({"refused": True, "transforms": ["strip-nul"]})

    found = page()

    assert "the confirmation asks what to do with them" in found
    assert "Select tables</a>" in found
    assert "<select" not in found


def test_a_transform_of_another_column_that_gets_past_it_is_for_the_confirmation_too(
    page: Callable[[], str],
) -> None:
    overcome_by = ["auth.Permission.name=strip-nul"]
    found_in_the_values({"code": "parent-refused", "overcome_by": overcome_by})

    found = page()

    assert "the confirmation asks what to do with them" in found
    assert "Select tables</a>" in found


def test_what_only_leaving_its_table_out_gets_past_leads_to_the_tables(
    page: Callable[[], str],
) -> None:
    found_in_the_values({"code": "parent-refused"}, {"refused": True})

    found = page()

    assert "Not every table can be copied as it is." in found
    assert "there you leave out those that can’t be copied" in found
    assert "Select tables</a>" in found


def test_where_each_table_would_have_to_be_left_out_something_is_put_right_first(
    page: Callable[[], str],
) -> None:
    """There would be nothing left to copy."""
    found_in_the_values(*[{"label": label} for label in USUAL])

    found = page()

    assert "Something has to be put right before a copy can start." in found
    assert "Select tables</a>" not in found


@pytest.mark.parametrize("scheme", ["postgres", "mysql"])
def test_an_unreachable_server_is_said_without_its_password(
    page: Callable[[], str], settings: Settings, scheme: str
) -> None:
    unreachable = endpoint(f"{scheme}://shop:s3cret-word@127.0.0.1:1/shop")
    settings.ENDPOINTS = settings.ENDPOINTS | {"source": unreachable}

    found = page()

    assert "severity-blocker" in found
    assert "127.0.0.1" in found
    assert "s3cret-word" not in found


@pytest.mark.parametrize("path", ["/preflight/", "/runs/new/", "/runs/catch-up/"])
def test_a_table_that_somebody_alters_is_said_to_be_so(
    sign_in: Callable[[Any], Client],
    alice: Any,
    files: Files,
    text: Text,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    client = sign_in(alice)
    client.post("/runs/select/", {"label": ["auth.Group"]})
    read = Database.columns

    def columns(self: Database, tables: Iterable[str]) -> dict[str, dict[str, Column]]:
        return read(self, set(tables) - {"auth_group"})

    monkeypatch.setattr(Database, "columns", columns)
    said = "shows no columns of auth_group at this moment"
    assert said in text(client.get(path, follow=True))
