"""The page of an unexpected error: it is shown when anything else may be broken."""

from __future__ import annotations

from pathlib import Path

from django.contrib.staticfiles import finders
from django.test import RequestFactory
from django.views.defaults import server_error


def test_it_says_what_is_not_certain_and_asks_no_database(rf: RequestFactory) -> None:
    response = server_error(rf.post("/runs/start/"))  # without a database, which would fail

    page = " ".join(response.content.decode().split())
    assert response.status_code == 500
    assert "It is not certain whether what you asked for was done. Look at" in page
    assert '<a href="/runs/">Runs</a> before you try again.' in page
    assert '<meta name="viewport"' in page
    assert "/static/cutover/error.css" in page


def test_it_has_a_dark_side() -> None:
    found = finders.find("cutover/error.css")
    assert "prefers-color-scheme: dark" in Path(str(found)).read_text()
