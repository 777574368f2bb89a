"""Declared transforms: chosen on the confirmation page, and told wherever the result is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from django.test import Client

from migrations_ui import services
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.transforms import Transform
from migrations_ui.models import Audit, CountRequest, DataCheck, Run
from migrations_ui.views.transforms import WORDS
from tests.views.conftest import Files

Text = Callable[[Any], str]

STRIP = "auth.Group.name=strip-nul"
REPLACE = "auth.Group.name=replace-nul"

NUL = Finding(
    code="nul-in-text",
    severity=Severity.BLOCKER,
    message="2 values have a NUL.",
    remedy="Remove it.",
    label="auth.Group",
    column="name",
    rows=2,
    sample_keys=("1", "2"),
    refused=True,
    transforms=("strip-nul", "replace-nul"),
)


@pytest.fixture
def operator(sign_in: Callable[[Any], Client], alice: Any, files: Files) -> Client:
    """Alice, who has selected the groups; two of their names are said to have a NUL."""
    client = sign_in(alice)
    client.post("/runs/select/", {"label": ["auth.Group"]})
    services.count_now(["auth.Group"])
    services.check_data_now(["auth.Group"], "alice")
    CountRequest.objects.update(finished_at=CountRequest.objects.get().requested_at)
    find(NUL)
    return client


def find(*findings: Finding) -> None:
    DataCheck.objects.update(findings=[asdict(finding) for finding in findings])


def choose(client: Client, *transforms: str) -> Any:
    return client.post("/runs/transforms/", {"transform": transforms}, follow=True)


def start(client: Client) -> Any:
    shown = client.get("/runs/new/").context["plan"].fingerprint
    form = {"name": "shop.sqlite3", "fingerprint": shown}
    return client.post("/runs/start/", form, follow=True)


@pytest.mark.parametrize("transform", Transform)
def test_every_transform_has_its_words(transform: Transform) -> None:
    assert WORDS[transform]


def test_a_finding_offers_what_would_overcome_it_and_nothing_is_chosen(
    operator: Client, text: Text
) -> None:
    page = text(operator.get("/runs/new/"))

    form = page.partition('action="/runs/transforms/"')[2].partition("</form>")[0]
    assert '<option value="" selected>don’t change anything</option>' in form
    assert f'<option value="{STRIP}">leave the NUL characters out</option>' in form
    assert f'<option value="{REPLACE}">replace each NUL character by U+FFFD' in form
    assert "Declared transforms" not in page
    assert "The destination would refuse 2 rows of the source." in page
    assert "with 1 declared transform" not in page


def test_the_worst_findings_come_first(operator: Client, text: Text) -> None:
    worst_last = reversed(Severity)
    find(*(Finding("x", one, f"A {one}.", "", "auth.Group", rows=1) for one in worst_last))

    page = text(operator.get("/runs/new/"))

    found = page.partition("Found by preflight")[2]
    assert found.index("A blocker.") < found.index("A warning.") < found.index("A info.")


def test_a_finding_without_a_transform_offers_no_choice(operator: Client, text: Text) -> None:
    find(Finding("text-too-long", Severity.BLOCKER, "Long.", "Shorten.", "auth.Group", rows=1))

    page = text(operator.get("/runs/new/"))

    assert "Long." in page
    assert "<select" not in page
    assert "Apply the choices" not in page


def test_a_choice_is_a_post_and_a_redirect_and_the_page_tells_it(
    operator: Client, text: Text
) -> None:
    response = choose(operator, STRIP)

    page = text(response)
    assert response.redirect_chain == [("/runs/new/", 302)]
    assert f'<option value="{STRIP}" selected>' in page
    assert "Declared transforms</h2>" in page
    assert "auth.<wbr>Group.<wbr>name</strong>: leave the NUL characters out." in page
    assert "The destination would refuse" not in page
    assert "copy 1 table with 1 declared transform</button>" in page


def test_the_fingerprint_is_that_of_the_plan_with_the_transforms(operator: Client) -> None:
    without = operator.get("/runs/new/").context["plan"].fingerprint

    plan = choose(operator, STRIP).context["plan"]

    assert plan.fingerprint not in ("", without)
    assert plan.fingerprint == services.plan(["auth.Group"], transforms=[STRIP]).fingerprint


def test_the_run_has_the_transforms_that_were_shown(operator: Client, text: Text) -> None:
    choose(operator, REPLACE)

    response = start(operator)

    assert Run.objects.get().transforms == [REPLACE]
    assert "transforms" not in operator.session
    assert "auth.<wbr>Group.<wbr>name</strong>: replace each NUL character" in text(response)


def test_without_a_choice_the_finding_still_stops_the_run(operator: Client, text: Text) -> None:
    assert "auth.Group.name: 2 values have a NUL." in text(start(operator))
    assert not Run.objects.exists()


def test_what_was_shown_before_the_choice_cannot_be_confirmed_after_it(
    operator: Client, text: Text
) -> None:
    find()
    shown = operator.get("/runs/new/").context["plan"].fingerprint
    choose(operator, STRIP)

    form = {"name": "shop.sqlite3", "fingerprint": shown}
    response = operator.post("/runs/start/", form, follow=True)

    assert "Something has changed since the confirmation was shown" in text(response)
    assert not Run.objects.exists()


def test_a_choice_can_be_taken_back(operator: Client, text: Text) -> None:
    choose(operator, STRIP)

    page = text(choose(operator, ""))

    assert operator.session["transforms"] == []
    assert "Declared transforms" not in page


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("nonsense", "is not a transform"),
        ("auth.Group.name=upper", "There is no transform"),
        ("auth.Group.nothing=strip-nul", "has no column nothing"),
        ("auth.User.email=strip-nul", "is not among those that are copied"),
        ("auth.Group.id=strip-nul", "the column is of the kind integer"),
        ("auth.Group.name=skip-orphans", "the column is no foreign key"),
        ("<b>\x00=strip-nul", "is not a transform"),
    ],
)
def test_a_transform_that_fits_nothing_is_refused_and_what_was_declared_stays(
    operator: Client, text: Text, asked: str, why: str
) -> None:
    choose(operator, STRIP)

    page = text(choose(operator, asked))

    assert why in page
    assert "<b>" not in page
    assert operator.session["transforms"] == [STRIP]


def test_two_transforms_of_one_column_are_refused(operator: Client, text: Text) -> None:
    assert "the column is to be transformed by" in text(choose(operator, STRIP, REPLACE))
    assert "transforms" not in operator.session


def test_two_findings_with_the_same_choice_offer_it_once(operator: Client, text: Text) -> None:
    find(NUL, NUL)

    page = text(choose(operator, STRIP))

    assert page.count("<select") == 1
    assert page.count("With this the finding is overcome") == 2


def test_rows_that_are_to_be_left_out_are_not_promised(
    sign_in: Callable[[Any], Client], alice: Any, files: Files, text: Text
) -> None:
    files.execute("source", "INSERT INTO auth_user_groups (user_id, group_id) VALUES (999, 1)")
    labels = ["auth.User", "auth.Group", "auth.User_groups"]
    services.count_now(labels)
    services.check_data_now(labels, "alice")
    client = sign_in(alice)
    client.post("/runs/select/", {"label": labels})
    CountRequest.objects.all().delete()
    assert "This can’t start: 1 finding" in text(client.get("/runs/new/"))

    page = text(choose(client, "auth.User_groups.user_id=skip-orphans"))

    assert "This can’t start" not in page
    assert "leave out the rows whose foreign key leads nowhere" in page
    assert "and replaced by up to <strong>" in page


def test_how_many_rows_were_left_out_is_told_on_the_run(
    sign_in: Callable[[Any], Client], bob: Any, text: Text, make_run: Callable[..., Run]
) -> None:
    run = make_run("succeeded", transforms=["shop.Table0.pid_id=skip-orphans"])
    run.tables.filter(position=0).update(copied_rows=996)

    page = text(sign_in(bob).get(f"/runs/{run.pk}/"))

    assert "<strong>4 rows were left out.</strong>" in page


def test_a_new_selection_resets_them(operator: Client) -> None:
    choose(operator, STRIP)

    operator.post("/runs/select/", {"label": ["auth.Group"]})

    assert "transforms" not in operator.session


def test_a_choice_without_a_selection_leads_to_the_tables(operator: Client) -> None:
    session = operator.session
    del session["selection"]
    session.save()

    assert choose(operator, STRIP).redirect_chain[-1][0] == "/tables/"


def test_while_a_worker_counts_no_choice_is_offered_that_the_poll_would_reset(
    operator: Client, text: Text
) -> None:
    services.request_counts(["auth.Group"])

    page = text(operator.get("/runs/new/"))

    assert 'hx-get="/runs/new/live/"' in page
    assert "2 values have a NUL." in page
    assert "<select" not in page


def test_choosing_needs_the_permission_to_copy(operator: Client, alice: Any, text: Text) -> None:
    alice.user_permissions.filter(codename="copy_run").first().user_set.remove(alice)

    response = choose(operator, STRIP)

    assert response.status_code == 403
    assert "transforms" not in operator.session


def test_a_run_and_its_audit_name_the_transforms_and_claim_counts_only(
    sign_in: Callable[[Any], Client],
    bob: Any,
    text: Text,
    make_run: Callable[..., Run],
    make_audit: Callable[..., Audit],
    files: Files,
) -> None:
    transforms = ["shop.Table0.name=strip-nul"]
    run = make_run("succeeded", transforms=transforms, compares_cells=False)
    audit = make_audit("counts-only", run=run, transforms=transforms, counts_only=True)
    client = sign_in(bob)

    for page in (text(client.get(f"/runs/{run.pk}/")), text(client.get(f"/audits/{audit.pk}/"))):
        assert "shop.<wbr>Table0.<wbr>name</strong>: leave the NUL characters out." in page
        assert "counts only" in page
        assert "with " in page.lower().partition("declared transforms")[0][-10:]
        assert "were not compared" in page
        assert "identical" not in page
        assert "Every row has arrived" not in page


def test_a_run_without_transforms_speaks_of_none(
    sign_in: Callable[[Any], Client],
    bob: Any,
    text: Text,
    make_run: Callable[..., Run],
    make_audit: Callable[..., Audit],
) -> None:
    run = make_run("succeeded")
    audit = make_audit("counts-only", run=run)
    client = sign_in(bob)

    for url in (f"/runs/{run.pk}/", f"/audits/{audit.pk}/"):
        assert "eclared transform" not in text(client.get(url))


def test_a_transform_that_this_version_does_not_know_is_told_by_its_name(
    sign_in: Callable[[Any], Client], bob: Any, text: Text, make_run: Callable[..., Run]
) -> None:
    run = make_run("succeeded", transforms=["shop.Table0.name=upper"])

    assert "name</strong>: upper." in text(sign_in(bob).get(f"/runs/{run.pk}/"))
