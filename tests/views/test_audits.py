from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from migrations_ui import services
from migrations_ui.models import Audit
from tests.views.conftest import Files

Text = Callable[[Any], str]
MakeAudit = Callable[..., Audit]


@pytest.fixture
def operator(sign_in: Callable[[Any], Client], alice: Any) -> Client:
    return sign_in(alice)


def show(client: Client, audit: Audit, text: Text) -> str:
    return text(client.get(f"/audits/{audit.pk}/"))


def test_mismatches_come_first(operator: Client, make_audit: MakeAudit, text: Text) -> None:
    audit = make_audit("counts-only", "not-checked", "differs")

    page = show(operator, audit, text)

    places = [page.index(f"shop.<wbr>Table{number}") for number in (2, 1, 0)]
    assert places == sorted(places)
    assert "1 of 3 tables differs. 1 could not be checked." in page
    assert '<td class="number differs">\N{MINUS SIGN}3</td>' in page


def test_counts_alone_are_never_green(operator: Client, make_audit: MakeAudit, text: Text) -> None:
    page = show(operator, make_audit("counts-only"), text)

    assert "Cells were not compared" in page
    assert "note-success" not in page
    assert "status-done" not in page


def test_what_was_not_checked_is_never_green(
    operator: Client, make_audit: MakeAudit, text: Text
) -> None:
    page = show(operator, make_audit("counts-only", "not-checked"), text)

    assert "1 of 2 tables could not be checked" in page
    assert "note-success" not in page


def test_a_failed_audit_says_why(operator: Client, make_audit: MakeAudit, text: Text) -> None:
    page = show(operator, make_audit("counts-only", status="failed", error="It hung up."), text)

    assert "It hung up." in page
    assert "The counts of all" not in page


@pytest.mark.parametrize("status", Audit.Status.values)
def test_polling_ends_with_the_audit(
    operator: Client, make_audit: MakeAudit, text: Text, status: str
) -> None:
    audit = make_audit("counts-only", status=status)

    fragment = text(operator.get(f"/audits/{audit.pk}/live/"))

    assert (f'hx-get="/audits/{audit.pk}/live/"' in fragment) == (status in ("queued", "running"))


def test_all_tables_are_audited_where_none_is_named(operator: Client, files: Files) -> None:
    response = operator.post("/audits/start/")

    audit = Audit.objects.get()
    assert response["Location"] == f"/audits/{audit.pk}/"
    assert audit.operator == "alice"
    assert audit.tables.count() == len(services.host_tables()) - 1  # without sessions


def test_the_selection_can_be_audited(operator: Client, files: Files) -> None:
    operator.post("/audits/start/", {"label": ["auth.Group"]})

    assert [table.label for table in Audit.objects.get().tables.all()] == ["auth.Group"]


def test_an_unknown_label_is_refused(operator: Client, files: Files, text: Text) -> None:
    response = operator.post("/audits/start/", {"label": ["auth.Gone"]}, follow=True)

    assert "There is no table or app" in text(response)
    assert not Audit.objects.exists()


def test_the_newest_audit_comes_first(operator: Client, make_audit: MakeAudit, text: Text) -> None:
    first, second = make_audit("counts-only"), make_audit("differs")

    page = text(operator.get("/audits/"))

    assert page.index(f"Audit {second.pk}</a>") < page.index(f"Audit {first.pk}</a>")


def test_bob_sees_no_button_to_audit(
    sign_in: Callable[[Any], Client], bob: Any, text: Text
) -> None:
    page = text(sign_in(bob).get("/audits/"))

    assert "No audit yet." in page
    assert "Audit all tables" not in page


@pytest.mark.parametrize("tables", [5, 500])
def test_the_number_of_tables_does_not_change_the_number_of_queries(
    operator: Client,
    make_audit: MakeAudit,
    django_assert_num_queries: DjangoAssertNumQueries,
    tables: int,
) -> None:
    audit = make_audit(*["counts-only"] * tables)
    operator.get(f"/audits/{audit.pk}/live/")

    with django_assert_num_queries(6):
        operator.get(f"/audits/{audit.pk}/live/")
