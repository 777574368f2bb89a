"""Machines whose clocks do not agree: the control database's alone tells who is silent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from migrations_ui import metrics, notifications, services
from migrations_ui.health_models import ControlClock
from migrations_ui.models import Audit, Run

pytestmark = pytest.mark.django_db(transaction=True)

SIDE = {"name": "shop", "vendor": "sqlite", "host": "", "product": "SQLite", "identity": "x"}


@pytest.fixture(autouse=True)
def _ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's clock is an hour ahead."""
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(hours=1))


def alive(model: type[Run | Audit], **fields: Any) -> Any:
    """A run or an audit whose worker, on another machine, has just given a sign of life."""
    found = model._default_manager.create(
        operator="alice", status="running", source=SIDE, dest=SIDE, **fields
    )
    model._default_manager.update(heartbeat_at=ControlClock())
    found.refresh_from_db()
    return found


def test_a_run_is_not_called_silent(settings: Settings, admin_client: Client) -> None:
    settings.NOTIFY_EMAILS = ["dba@example.org"]
    run = alive(Run)
    notifications.deliver_all()
    assert mail.outbox == []
    assert services.run_progress(run).stalled_for is None
    assert "No progress for" not in admin_client.get(run.get_absolute_url()).content.decode()
    (lag,) = (
        line
        for line in metrics.exposition().decode().splitlines()
        if line.startswith("cutover_run_heartbeat_age_seconds{")
    )
    assert float(lag.rpartition(" ")[2]) < 60


@pytest.mark.parametrize(
    "look", [services.end_dead_audits, services.recover, lambda: services.prepare_audit(None, "b")]
)
def test_an_audit_is_not_given_up(look: Callable[[], object]) -> None:
    audit = alive(Audit)
    look()
    assert not services.end_audit_if_dead(audit)
    audit.refresh_from_db()
    assert audit.status == Audit.Status.RUNNING
    assert services.audit_progress(audit, []).stalled_for is None
