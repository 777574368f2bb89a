"""The system checks of the settings."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from pytest_django import Settings

from migrations_ui.engine.databases.access import place


def ours() -> list[str | None]:
    found: list[CheckMessage] = run_checks()
    return [message.id for message in found]


def test_settings_as_they_should_be_pass() -> None:
    assert ours() == []


def test_an_immediate_queue_is_an_error(settings: Settings) -> None:
    settings.HUEY = settings.HUEY | {"immediate": True}
    assert ours() == ["migrations_ui.E001"]


def test_a_queue_that_is_immediate_when_debugging_is_an_error(settings: Settings) -> None:
    settings.HUEY = {key: value for key, value in settings.HUEY.items() if key != "immediate"}
    settings.DEBUG = True
    assert "migrations_ui.E001" in ours()


def test_a_destination_that_is_the_source_is_a_warning(settings: Settings) -> None:
    endpoints = deepcopy(settings.ENDPOINTS)
    settings.ENDPOINTS = endpoints | {"dest": endpoints["source"]}
    assert ours() == ["migrations_ui.W001"]


def test_debugging_for_others_than_this_machine_is_a_warning(settings: Settings) -> None:
    settings.DEBUG = True
    settings.ALLOWED_HOSTS = ["localhost", "cutover.example.org"]
    assert ours() == ["migrations_ui.W002"]


def server(engine: str, **config: Any) -> dict[str, Any]:
    return {"ENGINE": f"django.db.backends.{engine}", "NAME": "shop"} | config


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (server("postgresql"), server("postgresql", HOST="localhost", PORT=5432), True),
        (server("mysql", HOST="127.0.0.1"), server("mysql", PORT="3306"), True),
        (server("mysql"), server("postgresql"), False),
        (server("postgresql"), server("postgresql", NAME="other"), False),
        (server("postgresql"), server("postgresql", HOST="db.example.org"), False),
        (server("postgresql"), server("postgresql", PORT="5433"), False),
        (server("sqlite3", NAME="/a/shop"), server("sqlite3", NAME="/a/b/../shop"), True),
        (server("sqlite3", NAME="/a/shop"), server("sqlite3", NAME="/b/shop"), False),
    ],
)
def test_configurations_are_compared_by_where_they_lead(
    one: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    assert (place(one) == place(other)) is same
