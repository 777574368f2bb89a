"""Credentials in what others have written: the page of an error with DEBUG, a step's output."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from django.test import Client, RequestFactory
from django.utils.html import escape
from django.views.debug import technical_500_response
from pytest_django import Settings

from migrations_ui.concealing import cleaned

PASSWORD = """it's "50%" of C:\\temp & <é@/#>"""


PARTS = ("50%", "temp", "redis@", "of ", "services")  # of these and of what is set here:


@pytest.fixture(autouse=True)
def _secrets(settings: Settings) -> None:
    settings.ENDPOINTS = {"source": {"PASSWORD": PASSWORD}, "dest": {"PASSWORD": "pa55"}}
    settings.HUEY = {"url": "redis://:of%40redis@127.0.0.1/0"}
    settings.NOTIFY_WEBHOOK_URL = "https://hooks.example.org/services/T0/B1"
    settings.NOTIFY_WEBHOOK_SECRET = "of the hook"
    settings.METRICS_TOKEN = "of Prometheus"
    settings.EMAIL_HOST_PASSWORD = "of the mail server"


@pytest.mark.parametrize(
    "spelt",
    [
        PASSWORD,
        repr(PASSWORD),
        json.dumps(PASSWORD),
        escape(repr(PASSWORD)),
        f"mysql://shop:{quote(PASSWORD, safe='')}@db/shop",
        "redis://:of%40redis@127.0.0.1/0",
        "of@redis",
        "https://hooks.example.org/services/T0/B1",
        "of the hook",
        "of Prometheus",
        "of the mail server",
    ],
)
def test_a_secret_is_found_however_it_is_spelt(spelt: str) -> None:
    told = cleaned(f"before {spelt} after")
    assert told.startswith("before ")
    assert told.endswith(" after")
    assert not any(part in told for part in PARTS)


def fail(password: str) -> None:
    url = f"mysql://shop:{quote(password)}@db/shop"
    connect = {"user": "shop", "passwd": password, "url": url}
    raise RuntimeError(f"could not connect with {connect}")


@pytest.mark.parametrize("accept", ["text/html", "text/plain"])
def test_the_page_of_an_error_shows_where_it_was_and_no_credential(
    rf: RequestFactory, settings: Settings, accept: str
) -> None:
    settings.DEBUG = True
    request = rf.get("/", headers={"Accept": accept})
    try:
        fail(PASSWORD)
    except RuntimeError as error:
        raised = error
    answer = technical_500_response(request, RuntimeError, raised, raised.__traceback__)
    page = answer.content.decode()
    assert "test_debugging.py" in page
    assert "could not connect with" in page
    assert not any(part in page for part in ("50%", "é@", "C:", "of%40redis", "services/T0"))


@pytest.mark.django_db
def test_a_password_that_was_typed_is_not_on_it(client: Client, settings: Settings) -> None:
    settings.DEBUG = True
    settings.AUTHENTICATION_BACKENDS = ["dashboard.nowhere"]
    client.raise_request_exception = False
    form = {"username": "alice", "password": "typed just now"}
    page = client.post("/admin/login/", form).content.decode()
    assert "dashboard.nowhere" in page
    assert "typed just now" not in page
