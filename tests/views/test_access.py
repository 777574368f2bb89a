"""Who gets in, and what every page has in common."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from migrations_ui import positions, urls
from migrations_ui.models import Audit, Run, SignOff
from tests.views.conftest import Files

Url = tuple[str, tuple[int | str, ...]]
SignIn = Callable[[Any], Client]

LOOK: list[Url] = [
    ("overview", ()),
    ("preflight", ()),
    ("tables", ()),
    ("tables_live", ()),
    ("runs", ()),
    ("run", (1,)),
    ("run_live", (1,)),
    ("audits", ()),
    ("audit", (1,)),
    ("audit_live", (1,)),
    ("run_rejected", (1,)),
    ("audited_table", (1, 1)),
    ("freeze", ()),
    ("run_steps", (1,)),
    ("sign_offs", ()),
    ("sign_off", (1,)),
    ("sign_off_since", (1,)),
    ("metrics", ()),
    ("overview_live", ()),
    ("preflight_live", ()),
    ("nobody", ("note",)),
]
DOWNLOAD: list[Url] = [
    ("run_rejected_csv", (1,)),
    ("run_rejected_json", (1,)),
    ("differences_csv", (1,)),
    ("differences_json", (1,)),
    ("sign_off_csv", (1,)),
    ("sign_off_json", (1,)),
    ("sign_off_html", (1,)),
]
CONFIRM: list[Url] = [("catch_up", ()), ("run_new", ()), ("run_new_live", ())]
ACT: list[Url] = [
    ("preflight_check", ()),
    ("tables_count", ()),
    ("select", ()),
    ("run_transforms", ()),
    ("run_leave_out", ()),
    ("run_start", ()),
    ("catch_up_choose", ()),
    ("catch_up_start", ()),
    ("run_cancel", (1,)),
    ("run_limit", (1,)),
    ("run_pause", (1,)),
    ("run_resume", (1,)),
    ("run_restore", (1,)),
    ("run_retry", (1,)),
    ("run_back", (1,)),
    ("step_retry", (1, 0)),
    ("audit_start", ()),
    ("audit_cancel", (1,)),
]
SIGN: list[Url] = [("audit_sign", (1,)), ("audit_sign_off", (1,))]
EVERYTHING = LOOK + DOWNLOAD + CONFIRM + ACT + SIGN
FOR_ANYBODY = {"healthz"}
WIPE: list[Url] = [
    *CONFIRM,
    ("run_start", ()),
    ("run_back", (1,)),
    ("catch_up_choose", ()),
    ("catch_up_start", ()),
]


@pytest.fixture(autouse=True)
def _things(
    make_run: Callable[..., Run],
    make_audit: Callable[..., Audit],
    make_sign_off: Callable[..., SignOff],
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The run, the audit and the sign-off that the addresses are about."""
    make_run(id=1)
    make_audit("counts-only", id=1).tables.update(id=1)
    make_sign_off(id=1)
    monkeypatch.setattr(positions, "PAUSE", 0)


def ask(client: Client, url: Url, **headers: str) -> Any:
    name, args = url
    method = client.post if url in [*ACT, SIGN[1]] else client.get
    return method(reverse(name, args=args), headers=headers)


def test_every_address_is_asked_here() -> None:
    names = {pattern.name for pattern in urls.urlpatterns}
    assert names == {name for name, _ in EVERYTHING} | FOR_ANYBODY


@pytest.mark.parametrize("url", EVERYTHING)
def test_nobody_is_sent_to_the_sign_in_page(client: Client, url: Url) -> None:
    response = ask(client, url)

    assert response.status_code == 302
    assert response["Location"].startswith(reverse("admin:login"))


@pytest.mark.parametrize("url", EVERYTHING)
def test_a_poll_without_a_session_leaves_the_page_instead_of_filling_it_with_a_sign_in_form(
    client: Client, url: Url
) -> None:
    current = "http://testserver/runs/1/"
    response = ask(client, url, **{"HX-Request": "true", "HX-Current-URL": current})

    assert response.status_code == 403
    assert response["HX-Redirect"] == f"{reverse('admin:login')}?next=%2Fruns%2F1%2F"


@pytest.mark.parametrize("url", EVERYTHING)
def test_who_is_not_staff_is_refused(
    sign_in: SignIn, charlie: Any, url: Url, text: Callable[[Any], str]
) -> None:
    response = ask(sign_in(charlie), url)

    assert response.status_code == 403
    assert "an account that is not staff" in text(response)


@pytest.mark.parametrize("url", LOOK + DOWNLOAD)
def test_bob_may_look(sign_in: SignIn, bob: Any, url: Url) -> None:
    assert ask(sign_in(bob), url).status_code == 200


@pytest.mark.parametrize("url", CONFIRM + ACT)
def test_bob_may_not_act_and_is_told_which_permission_he_lacks(
    sign_in: SignIn, bob: Any, url: Url, text: Callable[[Any], str]
) -> None:
    response = ask(sign_in(bob), url)

    assert response.status_code == 403
    assert "Can start and cancel runs" in text(response)
    assert Run.objects.get().status == Run.Status.RUNNING


@pytest.mark.parametrize("url", SIGN)
def test_signing_needs_a_permission_of_its_own(
    sign_in: SignIn, alice: Any, url: Url, text: Callable[[Any], str]
) -> None:
    alice.user_permissions.filter(codename="sign_off").first().user_set.remove(alice)

    response = ask(sign_in(alice), url)

    assert response.status_code == 403
    assert "Can sign off audits" in text(response)
    assert "Can start and cancel runs" not in text(response)


@pytest.mark.parametrize("url", WIPE)
def test_what_leads_to_a_wipe_needs_the_permission_to_wipe(
    sign_in: SignIn, alice: Any, url: Url, text: Callable[[Any], str]
) -> None:
    alice.user_permissions.filter(codename="wipe_destination").first().user_set.remove(alice)

    response = ask(sign_in(alice), url)

    assert response.status_code == 403
    assert "Can confirm the wipe of the destination" in text(response)
    assert "Can start and cancel runs" not in text(response)


@pytest.mark.parametrize("url", [*ACT, SIGN[1]])
def test_what_changes_something_can_only_be_posted(sign_in: SignIn, alice: Any, url: Url) -> None:
    name, args = url
    assert sign_in(alice).get(reverse(name, args=args)).status_code == 405


@pytest.mark.parametrize("url", [*LOOK, *DOWNLOAD, *CONFIRM, SIGN[0]])
def test_what_is_looked_at_cannot_be_posted(sign_in: SignIn, alice: Any, url: Url) -> None:
    name, args = url
    assert sign_in(alice).post(reverse(name, args=args)).status_code == 405


@pytest.mark.parametrize("url", [*ACT, SIGN[1]])
def test_a_post_needs_the_token_of_the_form(alice: Any, url: Url) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)

    response = ask(client, url)

    assert response.status_code == 403
    assert b"Nothing was changed." in response.content


@pytest.mark.parametrize("url", [*LOOK, SIGN[0]])
def test_pages_hold_no_inline_script_or_style(
    sign_in: SignIn, alice: Any, url: Url, text: Callable[[Any], str]
) -> None:
    response = ask(sign_in(alice), url)
    page = text(response)

    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert "style-src 'self'" in response["Content-Security-Policy"]
    assert not re.search(r"<style|<script(?![^>]* src=)|<[^>]* (style|on\w+)=", page)


@pytest.mark.parametrize("url", [*LOOK, *DOWNLOAD, *SIGN])
def test_pages_are_not_kept_by_caches(sign_in: SignIn, alice: Any, url: Url) -> None:
    assert "no-store" in ask(sign_in(alice), url)["Cache-Control"]


@pytest.mark.parametrize("url", [url for url in LOOK + DOWNLOAD if 1 in url[1]])
def test_what_does_not_exist_is_not_found(sign_in: SignIn, alice: Any, url: Url) -> None:
    name, args = url
    for number in (99, 10**30):
        there = reverse(name, args=[number] * len(args))
        assert sign_in(alice).get(there).status_code == 404


def test_signing_in_leads_to_the_page_that_was_asked_for(
    client: Client, bob: Any, text: Callable[[Any], str]
) -> None:
    sign_in_page = client.get(reverse("run", args=(1,)))["Location"]
    form = {"username": "bob", "password": "bob", "next": reverse("run", args=(1,))}

    assert "Cutover" in text(client.get(sign_in_page))
    assert client.post(sign_in_page, form)["Location"] == reverse("run", args=(1,))


def test_signing_in_leads_to_the_overview_otherwise(client: Client, bob: Any) -> None:
    response = client.get(reverse("admin:login"))

    assert response.context["next"] == reverse("overview")
