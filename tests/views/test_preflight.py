from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from migrations_ui import services
from tests.views.conftest import Files, endpoint

Text = Callable[[Any], str]


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

    assert "Something has to be put right before a copy can start." in found
    assert "registry.Proxy" in found
    assert "What to do:" in found
    assert "Select tables</a>" not in found


def test_the_same_database_twice_blocks(page: Callable[[], str], settings: Settings) -> None:
    settings.ENDPOINTS = {
        "source": settings.ENDPOINTS["source"],
        "dest": settings.ENDPOINTS["source"],
    }

    assert "same-database" in page()


def test_what_can_be_decided_on_the_confirmation_does_not_stop_here(
    page: Callable[[], str],
) -> None:
    check = services.check_data_now(None, "alice")
    check.findings = [
        {
            "code": "nul-in-text",
            "severity": "blocker",
            "message": "2 values have a NUL.",
            "remedy": "Remove it.",
            "label": "auth.Group",
            "column": "name",
            "rows": 2,
            "sample_keys": ["1", "2"],
            "refused": True,
            "transforms": ["strip-nul"],
        }
    ]
    check.save()

    found = page()

    assert "the confirmation asks what to do with them" in found
    assert "Select tables</a>" in found
    assert "<select" not in found


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
