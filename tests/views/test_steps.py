"""The steps after a copy, on the run's page and before its confirmation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from migrations_ui import steps
from migrations_ui.models import Audit, Run, Step
from tests.views.conftest import Files

Text = Callable[[Any], str]


@pytest.fixture
def operator(sign_in: Callable[[Any], Client], alice: Any) -> Client:
    return sign_in(alice)


def with_steps(run: Run, *statuses: str, **fields: Any) -> Run:
    for position, status in enumerate(statuses):
        Step.objects.create(
            run=run, position=position, words=["step", f"-{position}"], status=status, **fields
        )
    return run


def show(client: Client, run: Run, text: Text) -> str:
    return text(client.get(run.get_absolute_url()))


def test_each_step_has_its_output_its_error_and_a_button(
    operator: Client, make_run: Callable[..., Run], text: Text
) -> None:
    run = with_steps(make_run("incomplete"), "failed", output="<b>not found</b>", error="Status 3.")

    page = show(operator, run, text)

    assert '<code>step -0</code> <span class="status status-failed">failed</span>' in page
    assert "&lt;b&gt;not found&lt;/b&gt;" in page
    assert "Status 3." in page
    assert reverse("step_retry", args=(run.pk, 0)) in page
    assert "hx-get" not in page.partition('id="steps"')[2].partition("</section>")[0]


def test_a_step_of_an_active_run_has_no_button_and_is_polled_with_the_run(
    operator: Client, make_run: Callable[..., Run], text: Text
) -> None:
    run = with_steps(make_run("running"), "running", "waiting")

    page = show(operator, run, text)

    assert reverse("step_retry", args=(run.pk, 0)) not in page
    assert reverse("run_steps", args=(run.pk,)) not in page


def test_trying_again_queues_the_step_and_its_section_is_polled_until_it_has_ended(
    operator: Client, make_run: Callable[..., Run], text: Text
) -> None:
    run = with_steps(make_run("incomplete"), "failed")

    page = text(operator.post(reverse("step_retry", args=(run.pk, 0)), follow=True))

    assert run.steps.get().status == Step.Status.QUEUED
    assert f'hx-get="{reverse("run_steps", args=(run.pk,))}"' in page
    run.steps.update(status=Step.Status.SUCCEEDED)
    fragment = text(operator.get(reverse("run_steps", args=(run.pk,))))
    assert "hx-get" not in fragment
    assert "All of them have succeeded by now." in fragment


def test_what_can_not_be_tried_again_is_refused_with_the_reason(
    operator: Client, make_run: Callable[..., Run], text: Text
) -> None:
    run = with_steps(make_run("incomplete"), "succeeded")

    page = text(operator.post(reverse("step_retry", args=(run.pk, 0)), follow=True))

    assert "has succeeded, or a worker is at it" in page


@pytest.mark.parametrize(
    ("after", "fields", "told"),
    [
        (-1, {}, True),
        (1, {}, False),
        (1, {"status": "failed"}, True),
        (None, {}, True),
    ],
)
def test_that_an_audit_is_wanting_is_said_only_where_none_was_made_after_the_steps(
    operator: Client,
    make_run: Callable[..., Run],
    make_audit: Callable[..., Audit],
    text: Text,
    after: int | None,
    fields: dict[str, str],
    told: bool,
) -> None:
    ended = timezone.now()
    run = with_steps(make_run("incomplete"), "succeeded", "succeeded", finished_at=ended)
    if after:
        started = ended + timedelta(seconds=after)
        make_audit("identical", run=run, started_at=started, **fields)

    assert ("All of them have succeeded by now." in show(operator, run, text)) is told

    Run.objects.update(active_dest="held by who makes it")
    assert "All of them have succeeded by now." not in show(operator, run, text)


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_step_that_somebody_is_at_or_will_be_has_no_button(
    operator: Client, make_run: Callable[..., Run], text: Text, status: str
) -> None:
    run = with_steps(make_run("incomplete"), status)
    assert reverse("step_retry", args=(run.pk, 0)) not in show(operator, run, text)


def test_bob_sees_the_steps_but_no_button(
    sign_in: Callable[[Any], Client], bob: Any, make_run: Callable[..., Run], text: Text
) -> None:
    run = with_steps(make_run("incomplete"), "failed")

    page = show(sign_in(bob), run, text)

    assert "Steps after the copy" in page
    assert "Try it again" not in page


def test_a_step_that_does_not_exist_is_not_found(
    operator: Client, make_run: Callable[..., Run]
) -> None:
    run = make_run("incomplete")

    assert operator.post(reverse("step_retry", args=(run.pk, 7))).status_code == 404
    assert operator.get(reverse("run_steps", args=(99,))).status_code == 404


def test_the_confirmation_says_what_will_be_done_after_the_copy(
    operator: Client, files: Files, settings: Settings, text: Text
) -> None:
    settings.CUTOVER_STEPS = [["clearsessions"], ["shop.hooks.warm", "all"]]
    operator.post(reverse("select"), {"label": ["auth.Group"]})

    page = text(operator.get(reverse("run_new")))

    assert "2 steps will be run against the destination" in page
    assert "<code>shop.hooks.warm all</code>" in page


def test_a_step_that_was_not_begun_can_be_done_by_its_own_button(
    operator: Client, make_run: Callable[..., Run], text: Text
) -> None:
    run = with_steps(make_run("incomplete"), "failed", "waiting", error="Status 3.")

    assert "1 more was not begun" in steps.unfinished(run)
    assert show(operator, run, text).count("Do it now") == 1
