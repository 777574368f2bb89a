"""What waits in the control tables, and of which the queue has lost its word."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from huey.contrib.djhuey import HUEY

from migrations_ui import services
from migrations_ui.models import Audit, Run
from tests.services.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)

LONG_AGO = timedelta(seconds=60)


@pytest.fixture(autouse=True)
def _empty_queue() -> Iterator[None]:
    HUEY.flush()
    yield
    HUEY.flush()


def waiting() -> list[tuple[str, int]]:
    return [(task.name, *task.args) for task in HUEY.pending()]


@pytest.fixture
def audit(shop: Shop) -> Audit:
    """One that was asked for long ago, by a queue that has been emptied since."""
    found = services.request_audit(["auth.Group"], "alice")
    HUEY.flush()
    Audit.objects.update(created_at=timezone.now() - LONG_AGO)
    return found


def test_an_audit_that_the_queue_has_lost_is_asked_for_again_once(audit: Audit) -> None:
    for _ in range(2):
        services.recover()
    assert waiting() == [("execute_audit", audit.pk)]


@pytest.mark.parametrize(
    "fields", [{"status": "running"}, {"status": "cancelled"}, {"created_at": timezone.now}]
)
def test_one_that_somebody_is_at_or_that_has_just_been_asked_for_is_not(
    audit: Audit, fields: dict[str, object]
) -> None:
    given = {name: value() if callable(value) else value for name, value in fields.items()}
    Audit.objects.update(**given)
    services.recover()
    assert waiting() == []


def test_a_runs_own_audit_is_its_workers(audit: Audit) -> None:
    Audit.objects.update(
        run=Run.objects.create(operator="alice", status="failed", source={}, dest={})
    )
    services.recover()
    assert waiting() == []


@pytest.mark.parametrize(("run", "ended"), [(None, True), ("incomplete", True), ("running", False)])
def test_an_audit_whose_worker_has_vanished_is_ended_unless_its_run_goes_on(
    audit: Audit, run: str | None, ended: bool
) -> None:
    if run:
        Audit.objects.update(
            run=Run.objects.create(operator="alice", status=run, source={}, dest={})
        )
    Audit.objects.update(status="running", heartbeat_at=timezone.now())
    services.recover()
    assert Audit.objects.get().status == "running"

    Audit.objects.update(heartbeat_at=timezone.now() - LONG_AGO - LONG_AGO)
    services.recover()
    assert Audit.objects.get().status == ("failed" if ended else "running")


def test_a_step_that_the_queue_has_lost_is_asked_for_again() -> None:
    run = Run.objects.create(operator="alice", status="incomplete", source={}, dest={})
    started = timezone.now() - LONG_AGO
    step = run.steps.create(position=0, words=["check"], status="queued", started_at=started)
    services.recover()
    assert waiting() == [("retry_step", step.pk)]
