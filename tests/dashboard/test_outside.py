"""Mail servers, webhooks and addresses: read, or refused by name without a secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from dashboard import outside
from tests.conftest import RunManage

SECRET = "s3kr1t"


def refusal(read: Callable[[], Any]) -> str:
    with pytest.raises(ImproperlyConfigured) as caught:
        read()
    # Else a traceback would show it.
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is somebody to write to."""
    monkeypatch.setenv("NOTIFY_EMAILS", "a@example.org")


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("url", "host", "port", "security"),
    [
        ("smtp://mail.example.org", "mail.example.org", 25, {}),
        ("smtp+tls://mail.example.org", "mail.example.org", 587, {"EMAIL_USE_TLS": True}),
        ("smtps://mail.example.org", "mail.example.org", 465, {"EMAIL_USE_SSL": True}),
        ("smtp+ssl://mail.example.org", "mail.example.org", 465, {"EMAIL_USE_SSL": True}),
        ("smtp://mail.example.org:2525", "mail.example.org", 2525, {}),
    ],
)
def test_a_mail_server_is_read_from_its_url(
    monkeypatch: pytest.MonkeyPatch, url: str, host: str, port: int, security: dict[str, bool]
) -> None:
    monkeypatch.setenv("EMAIL_URL", url)
    found = outside.mail_server()

    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == (host, port)
    assert {name: value for name, value in found.items() if "_USE_" in name} == security


@pytest.mark.usefixtures("told")
def test_its_user_and_password_may_hold_any_character(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_URL", "smtps://a%40b:p%2F%3Aw@mail.example.org")
    found = outside.mail_server()

    assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == ("a@b", "p/:w")


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    "url",
    [
        f"imap://user:{SECRET}@host",
        f"user:{SECRET}@host",
        f"smtp://user:{SECRET}@host:port",
        f"smtp://user:{SECRET}@",
        f"smtp://[user:{SECRET}@host",
    ],
)
def test_what_is_no_mail_server_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("EMAIL_URL", url)

    assert refusal(outside.mail_server).startswith("EMAIL_URL is not a mail server. Use smtp+tls")


def test_a_url_in_a_form_of_the_hosts_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_URL", "dummymail://")
    assert outside.mail_server() == {}


def test_addresses_without_a_server_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_EMAILS", "a@example.org, b@example.org")
    assert "EMAIL_URL" in refusal(outside.addresses)

    monkeypatch.setenv("EMAIL_URL", "smtp://host")
    assert outside.addresses() == ["a@example.org", "b@example.org"]


@pytest.mark.parametrize("address", ["night", "night@", "a b@example.org", "a@b\nc: d"])
def test_what_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("EMAIL_URL", "smtp://host")
    monkeypatch.setenv("NOTIFY_EMAILS", address)

    assert refusal(outside.addresses).startswith("NOTIFY_EMAILS")


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{SECRET}@host/",
        f"file:///etc/{SECRET}",
        SECRET,
        f"https:///{SECRET}",
        f"https://host:port/{SECRET}",
        f"https://host/a b{SECRET}",
        f"https://host/ä{SECRET}",
    ],
)
def test_what_is_no_web_address_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("NOTIFY_WEBHOOK_URL", "PUBLIC_URL"):
        monkeypatch.setenv(name, url)
    monkeypatch.setenv("NOTIFY_WEBHOOK_SECRET", "x")

    assert refusal(outside.webhook).startswith("NOTIFY_WEBHOOK_URL")
    assert refusal(outside.public_url).startswith("PUBLIC_URL")


def test_a_webhook_without_a_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_WEBHOOK_URL", f"https://host/{SECRET}")
    assert "NOTIFY_WEBHOOK_SECRET is not" in refusal(outside.webhook)

    monkeypatch.setenv("NOTIFY_WEBHOOK_SECRET", "x")
    assert outside.webhook() == (f"https://host/{SECRET}", "x")


def test_nothing_is_told_by_default() -> None:
    assert outside.addresses() == []
    assert outside.mail_server() == {}
    assert outside.webhook() == ("", "")
    assert outside.public_url() == ""


def test_a_command_says_it_without_a_traceback(run_manage: RunManage, tmp_path: Path) -> None:
    for side in ("source", "dest"):
        (tmp_path / side).touch()
    done = run_manage(
        {
            "SOURCE_DATABASE_URL": f"sqlite:///{tmp_path}/source",
            "DEST_DATABASE_URL": f"sqlite:///{tmp_path}/dest",
            "EMAIL_URL": f"odd://user:{SECRET}@host",
            "NOTIFY_EMAILS": "a@example.org",
        },
        "preflight",
    )

    assert done.returncode == 2
    assert done.stderr.startswith("EMAIL_URL is not a mail server.")
    assert SECRET not in done.stderr
