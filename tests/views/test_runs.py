from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from migrations_ui.models import Run

Text = Callable[[Any], str]


@pytest.fixture
def viewer(sign_in: Callable[[Any], Client], bob: Any) -> Client:
    return sign_in(bob)


def test_without_runs_the_page_says_where_to_start(viewer: Client, text: Text) -> None:
    assert "Nothing has been copied yet." in text(viewer.get("/runs/"))


def test_the_newest_run_comes_first(
    viewer: Client, make_run: Callable[..., Run], text: Text
) -> None:
    first, second = make_run("succeeded"), make_run("failed")

    page = text(viewer.get("/runs/"))

    assert page.index(f"Run {second.pk}</a>") < page.index(f"Run {first.pk}</a>")
    assert '<td class="number">3,000</td>' in page
    assert "shop_mysql" in page


def test_a_run_with_rejected_rows_says_so_in_the_history(
    viewer: Client, make_run: Callable[..., Run], text: Text
) -> None:
    run = make_run("incomplete")
    run.tables.update(rejected_rows=2)

    page = text(viewer.get("/runs/"))

    assert '<span class="status status-incomplete">incomplete</span>' in page
    assert '<span class="rejected">6 rejected</span>' in page
    assert "succeeded" not in page


def test_the_history_is_shown_in_pages(
    viewer: Client,
    make_run: Callable[..., Run],
    text: Text,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    runs = [make_run("succeeded", tables=1) for _ in range(26)]
    viewer.get("/runs/")

    assert f"Run {runs[0].pk}</a>" in text(viewer.get("/runs/?page=2"))
    with django_assert_num_queries(6):
        page = text(viewer.get("/runs/"))
    assert f"Run {runs[0].pk}</a>" not in page
    assert "Page 1 of 2" in page
