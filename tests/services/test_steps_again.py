"""What a run is after a step of it was tried again."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from migrations_ui import services, trying_again
from migrations_ui.models import Run
from tests.services.conftest import Shop, ended
from tests.services.test_steps import GROUPS, HERE, planned

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_a_step_does_at_a_later_try_is_audited(
    shop: Shop, settings: Settings, tmp_path: Path
) -> None:
    mended = tmp_path / "mended"
    run = planned(settings, [f"{HERE}.add_group_once", "late", str(mended)])
    assert ended(run).status == Run.Status.INCOMPLETE
    step = run.steps.get()
    services.retry_step(step, "alice")
    trying_again.retry_step(step.pk)
    run.refresh_from_db()
    assert run.status == Run.Status.INCOMPLETE
    assert "failed" in run.error

    mended.touch()
    services.retry_step(step, "alice")
    trying_again.retry_step(step.pk)
    run.refresh_from_db()
    # What the step has written makes the two sides differ, and that is what the run says now.
    assert run.status == Run.Status.INCOMPLETE
    assert f"The audit found differences. {GROUPS}: 1 row is extra" in run.error
    assert run.audits.count() == 2


def test_a_run_whose_last_step_succeeds_later_has_succeeded(
    shop: Shop, settings: Settings, tmp_path: Path
) -> None:
    run = planned(settings, ["check"])
    settings.CUTOVER_STEP_TIMEOUT = 0
    assert ended(run).status == Run.Status.INCOMPLETE
    settings.CUTOVER_STEP_TIMEOUT = 60
    step = run.steps.get()
    services.retry_step(step, "alice")
    trying_again.retry_step(step.pk)
    run.refresh_from_db()
    assert (run.status, run.error) == (Run.Status.SUCCEEDED, "")
    assert run.audits.count() == 2
