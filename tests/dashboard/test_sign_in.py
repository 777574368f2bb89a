"""Signing in, where operators live in the control database."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from dashboard import operators
from dashboard.routers import ThreeDatabases
from migrations_ui.models import Run


def sign_in(client: Client, name: str) -> bool:
    """Whether the person, whose password is the name, gets in."""
    answer = client.post(reverse("admin:login"), {"username": name, "password": name})
    return answer.status_code == 302


def test_the_demos_operators_live_in_the_control_database() -> None:
    assert operators.live_in_control()
    assert operators.obstacles() == ()


def test_staff_sign_in_and_the_time_is_noted(client: Client, alice: User) -> None:
    assert sign_in(client, "alice")
    alice.refresh_from_db()
    assert alice.last_login is not None


def test_people_who_are_not_staff_do_not_sign_in(client: Client, charlie: User) -> None:
    assert not sign_in(client, "charlie")
    charlie.refresh_from_db()
    assert charlie.last_login is None


def test_permissions_are_djangos(alice: User, bob: User) -> None:
    wipe = "migrations_ui.wipe_destination"
    assert alice.has_perm(wipe)
    assert not bob.has_perm(wipe)
    assert bob.has_perm("migrations_ui.view_run")


def test_an_object_that_was_read_from_the_source_is_not_saved(bob: User) -> None:
    bob._state.db = "source"
    with pytest.raises(PermissionDenied, match="The source is never written"):
        bob.save()


@pytest.mark.parametrize(
    ("database", "app_label", "allowed"),
    [
        ("default", "migrations_ui", True),
        ("default", "auth", True),
        ("default", "registry", False),
        ("dest", "migrations_ui", False),
        ("dest", "auth", True),
        ("dest", "registry", True),
        ("dest", "staticfiles", False),
        ("source", "registry", False),
        ("source", "migrations_ui", False),
        ("elsewhere", "registry", False),
    ],
)
def test_each_database_is_migrated_with_what_belongs_there(
    database: str, app_label: str, allowed: bool
) -> None:
    assert ThreeDatabases().allow_migrate(database, app_label) is allowed


@pytest.mark.django_db
def test_runs_are_read_and_written_in_the_control_database() -> None:
    assert Run.objects.db == "default"


@pytest.mark.parametrize(
    ("public", "host", "by_tls", "secure"),
    [
        ("", "testserver", True, True),
        ("", "testserver", False, False),
        ("https://TestServer/", "testserver", False, True),  # a proxy has ended the TLS
        ("https://cutover.example.org", "testserver", False, False),
        ("http://testserver", "testserver", False, False),
    ],
)
def test_who_has_come_by_tls_sends_the_cookies_by_tls_only(
    client: Client,
    alice: User,
    settings: Settings,
    public: str,
    host: str,
    by_tls: bool,
    secure: bool,
) -> None:
    settings.PUBLIC_URL = public
    form = {"username": "alice", "password": "alice"}
    answer = client.post(reverse("admin:login"), form, headers={"Host": host}, secure=by_tls)
    cookies = {name: bool(cookie["secure"]) for name, cookie in answer.cookies.items()}
    assert cookies == {"cutover_session": secure, "cutover_csrf": secure}
