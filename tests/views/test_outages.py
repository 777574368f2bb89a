"""Pages while the control database is away."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.test import Client

from dashboard import errors
from migrations_ui.engine.databases import access

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client(sign_in: Callable[[Any], Client], alice: Any) -> Client:
    found = sign_in(alice)
    found.raise_request_exception = False  # as a web server answers
    return found


@pytest.fixture
def away(client: Client) -> Iterator[None]:
    """The control database can't be opened any more."""

    def refuse(self: DatabaseWrapper, params: Any) -> Any:
        raise sqlite3.OperationalError("could not connect as cutover:secret")

    connection.close()
    with pytest.MonkeyPatch.context() as patch:  # gone before the database is tidied up
        patch.setattr(DatabaseWrapper, "get_new_connection", refuse)
        yield


@pytest.mark.parametrize("path", ["/", "/runs/", "/runs/1/", "/admin/login/", "/tables/"])
def test_a_page_says_what_is_away_and_what_to_do(client: Client, away: None, path: str) -> None:
    response = client.get(path)
    page = response.content.decode()
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert "Content-Security-Policy" in response
    assert f"It is the file {connection.settings_dict['NAME']}." in page
    assert "What to do next" in page
    assert "secret" not in page


def test_a_poll_leaves_its_page_standing(client: Client, away: None) -> None:
    response = client.get("/runs/1/live/", headers={"HX-Request": "true"})
    assert (response.status_code, response["Content-Type"]) == (503, "text/plain")
    assert b"<" not in response.content


def test_the_server_is_named_without_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"NAME": "control", "HOST": "db.example", "PORT": 5432, "PASSWORD": "secret"}
    ours = SimpleNamespace(settings_dict=config | {"USER": "cutover"}, vendor="postgresql")
    monkeypatch.setattr(errors, "connection", ours)
    assert errors.where() == "control on db.example:5432"


def test_any_other_error_is_one_of_the_dashboard(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (RuntimeError("no"), OperationalError("another database is away")):

        def fail(*_: Any, error: Exception = error, **__: Any) -> None:
            raise error

        monkeypatch.setattr("migrations_ui.services.tables_page", fail)
        response = client.get("/tables/")
        assert response.status_code == 500
        assert b"The dashboard has hit an error" in response.content


def test_a_control_database_that_does_not_even_refuse_is_not_waited_for_long() -> None:
    config = {"ENGINE": "django.db.backends.postgresql", "NAME": "control"}
    assert access.control(config)["OPTIONS"] == {"connect_timeout": 5}
    own = config | {"OPTIONS": {"connect_timeout": 1, "sslmode": "require"}}
    assert access.control(own)["OPTIONS"] == own["OPTIONS"]


def test_a_page_waits_for_locks_of_the_two_sides_for_seconds_only(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int | None] = []

    def look(*_: Any, **__: Any) -> None:
        seen.append(access.hurry.get())
        raise RuntimeError

    monkeypatch.setattr("migrations_ui.services.tables_page", look)
    client.get("/tables/")
    assert (seen, access.hurry.get()) == ([3], None)
