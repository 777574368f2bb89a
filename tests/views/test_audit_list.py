"""The list of audits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from migrations_ui.models import Audit

Text = Callable[[Any], str]
MakeAudit = Callable[..., Audit]


@pytest.fixture
def operator(sign_in: Callable[[Any], Client], alice: Any) -> Client:
    return sign_in(alice)


def test_the_newest_audit_comes_first(operator: Client, make_audit: MakeAudit, text: Text) -> None:
    first, second = make_audit("counts-only"), make_audit("differs")

    page = text(operator.get("/audits/"))

    assert page.index(f"Audit {second.pk}</a>") < page.index(f"Audit {first.pk}</a>")


def test_each_audit_is_listed_with_its_tables(operator: Client, make_audit: MakeAudit) -> None:
    make_audit()
    make_audit("identical", "identical")
    make_audit("differs", "identical", "differs")

    listed = operator.get("/audits/").context["page"]

    assert [(audit.table_count, audit.differing) for audit in listed] == [(3, 2), (2, 0), (0, 0)]


def test_bob_sees_no_button_to_audit(
    sign_in: Callable[[Any], Client], bob: Any, text: Text
) -> None:
    page = text(sign_in(bob).get("/audits/"))

    assert "No audit yet." in page
    assert "Audit all tables" not in page
