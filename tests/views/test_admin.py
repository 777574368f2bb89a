"""The admin of operators, for those who may edit them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

Text = Callable[[Any], str]


@pytest.fixture
def root(sign_in: Callable[[Any], Client], db: None) -> Client:
    return sign_in(get_user_model().objects.create_superuser("root", password="root"))


@pytest.mark.parametrize(
    "url",
    ["/admin/", "/admin/auth/user/", "/admin/auth/user/add/", "/admin/auth/group/add/"],
)
def test_a_superuser_edits_operators_in_the_look_of_the_pages(
    root: Client, text: Text, url: str
) -> None:
    page = text(root.get(url))

    assert '<nav class="sections" aria-label="Sections">' in page
    assert "cutover/cutover.css" in page


def test_an_operator_is_made_and_given_a_permission(root: Client) -> None:
    form = {"username": "dora", "password1": "long-enough-1", "password2": "long-enough-1"}
    assert root.post("/admin/auth/user/add/", form | {"usable_password": "true"}).status_code == 302

    dora = get_user_model().objects.get(username="dora")
    page = root.get(f"/admin/auth/user/{dora.pk}/change/")

    assert "Can confirm the wipe of the destination" in page.content.decode()


def test_who_may_not_edit_operators_sees_no_way_there(
    sign_in: Callable[[Any], Client], bob: Any, text: Text
) -> None:
    client = sign_in(bob)

    assert "Operators</a>" not in text(client.get("/runs/"))
    assert client.get("/admin/auth/user/").status_code == 403


def test_neither_runs_nor_the_hosts_tables_can_be_edited(root: Client, text: Text) -> None:
    page = text(root.get("/admin/"))

    assert "/admin/migrations_ui/" not in page
    assert "/admin/registry/" not in page
