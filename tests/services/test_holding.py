"""The destination of a run that has ended, while something of the run is done once more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from huey.contrib.djhuey import HUEY
from pytest_django import Settings

from migrations_ui import auditing, holding, retrying, services, steps, trying_again
from migrations_ui.engine.errors import EngineError
from migrations_ui.models import Audit, Event, Run, Step
from migrations_ui.services import Options, Refused
from migrations_ui.starting import prepare_run
from tests.services.conftest import Shop, confirm, ended, start
from tests.services.test_steps import GROUPS, HERE, planned

pytestmark = pytest.mark.django_db(transaction=True)

LONG_AGO = timedelta(hours=1)
REFUSING = (
    "CREATE TRIGGER refuse BEFORE INSERT ON auth_group WHEN NEW.name = 'a' "
    "BEGIN SELECT RAISE(ABORT, 'no a here'); END"
)


@pytest.fixture(autouse=True)
def _empty_queue() -> None:
    HUEY.flush()


def with_a_failed_step(settings: Settings, marker: Path) -> tuple[Run, Step]:
    run = ended(planned(settings, [f"{HERE}.add_group_once", "late", str(marker)], ["check"]))
    assert run.status == Run.Status.INCOMPLETE
    return run, run.steps.earliest("position")


@pytest.fixture
def rejecting(shop: Shop) -> Run:
    """A run that has ended with a row set aside, which the destination would take by now."""
    shop.execute("source", "UPDATE auth_group SET name = 'a' WHERE id = 1")
    shop.execute("dest", REFUSING)
    plan = confirm([GROUPS])
    options = Options(reject_limit=5)
    run = ended(prepare_run([GROUPS], plan.dest.name, plan.fingerprint, "alice", options=options))
    assert (run.status, run.rejected.count()) == (Run.Status.INCOMPLETE, 1)
    shop.execute("dest", "DROP TRIGGER refuse")
    return run


def vanish(run: Run, doing: str) -> None:
    """Something is done with an ended run once more, by a worker that is killed in it."""
    holding.take(run, doing)
    Run.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - LONG_AGO)


def waiting() -> list[int]:
    """The runs of which a worker is asked to end what another has begun."""
    return [task.args[0] for task in HUEY.pending() if task.name == "settle_run"]


# -- One after the other --------------------------------------------------------------------------


def test_a_step_that_was_asked_for_before_a_run_began_is_not_done_in_its_middle(
    shop: Shop, settings: Settings, tmp_path: Path
) -> None:
    marker = tmp_path / "mended"
    run, step = with_a_failed_step(settings, marker)
    error, audits = run.error, run.audits.count()
    services.retry_step(step, "alice")
    other = start(GROUPS)
    marker.touch()

    trying_again.retry_step(step.pk)

    step.refresh_from_db()
    run.refresh_from_db()
    assert (step.status, step.attempts) == (Step.Status.FAILED, 1)
    assert (run.status, run.error, run.audits.count()) == ("incomplete", error, audits)
    assert run.active_dest is None
    assert run.events.last().what == (  # type: ignore[union-attr]
        f"The step `{step}` was not tried again. {other} is active on shop.sqlite3. Wait until it "
        "has ended."
    )
    assert not shop.rows("dest", "SELECT 1 FROM auth_group WHERE name = 'late'")


def test_rejected_rows_that_were_asked_for_before_a_run_began_are_left_alone(
    shop: Shop, rejecting: Run
) -> None:
    services.retry_rejected(rejecting, "alice")
    other = start(GROUPS)
    reason = rejecting.rejected.get().message

    retrying.retry(rejecting.pk)

    row = rejecting.rejected.get()
    assert (row.arrived_at, row.message) == (None, reason)
    assert rejecting.audits.count() == 1
    last = rejecting.events.last()
    assert last
    assert last.what.startswith(f"The rejected rows could not be tried again: {other} is active")


def test_while_rejected_rows_are_tried_again_nobody_else_gets_the_destination(
    shop: Shop, rejecting: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = confirm([GROUPS])
    step = rejecting.steps.create(position=0, words=["check"])
    said: list[str] = []

    def ask(what: Callable[[], object]) -> None:
        with pytest.raises(Refused) as refused:
            what()
        said.append(str(refused.value))

    def meanwhile(*arguments: object, **named: object) -> Audit:
        ask(lambda: prepare_run([GROUPS], plan.dest.name, plan.fingerprint, "bob"))
        ask(lambda: services.retry_rejected(rejecting, "bob"))
        ask(lambda: services.retry_step(step, "bob"))
        return new_audit(*arguments, **named)  # type: ignore[arg-type]

    new_audit = auditing.new_audit
    rejecting.rejected.create(label=GROUPS, key="9", message="no", row=b"", signature=[])
    monkeypatch.setattr(auditing, "new_audit", meanwhile)
    retrying.retry(rejecting.pk)

    held = f"{rejecting} keeps shop.sqlite3 to itself: it is trying its rejected rows again."
    assert said == [f"{held} Wait until it has ended."] * 3
    rejecting.refresh_from_db()
    assert (rejecting.active_dest, rejecting.held_by, rejecting.doing) == (None, "", "")
    start(GROUPS)


def test_a_run_is_not_gone_on_with_while_something_of_it_is_done_once_more(shop: Shop) -> None:
    run = start(GROUPS)
    Run.objects.update(status=Run.Status.FAILED, active_dest=None)
    run.tables.update(wiped=True)
    run.refresh_from_db()
    with (
        holding.take(run, "putting back what is missing"),
        pytest.raises(Refused, match=r"it is putting back what is missing\. Look again"),
    ):
        services.resume(run, "alice")
    services.resume(run, "alice")
    assert Run.objects.get().status == Run.Status.QUEUED


def test_the_confirmation_says_what_is_in_the_way(shop: Shop) -> None:
    run = ended(start(GROUPS))
    with holding.take(run, "trying its rejected rows again"):
        assert services.in_the_way(run.dest["identity"]) == (run, False)
        Run.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - LONG_AGO)
        assert services.in_the_way(run.dest["identity"]) == (None, False)


# -- Workers that vanish --------------------------------------------------------------------------


def test_an_audit_after_a_step_that_a_worker_did_not_live_to_finish_is_made_by_the_next(
    shop: Shop, settings: Settings, tmp_path: Path
) -> None:
    run = planned(settings, ["check"])
    settings.CUTOVER_STEP_TIMEOUT = 0
    assert ended(run).status == Run.Status.INCOMPLETE
    run.steps.update(status=Step.Status.SUCCEEDED, error="")
    dead = auditing.new_audit(services.chosen_tables([GROUPS]), "alice", reverse=False, run=run)
    never_begun = auditing.new_audit(
        services.chosen_tables([GROUPS]), "alice", reverse=False, run=run
    )
    long_ago = timezone.now() - LONG_AGO
    Audit.objects.filter(pk=dead.pk).update(status="running", heartbeat_at=long_ago)
    run.refresh_from_db()
    vanish(run, "trying its step `check` again")

    for _ in range(2):
        services.recover()
    assert waiting() == [run.pk]
    dead.refresh_from_db()
    assert (dead.status, dead.error) == (Audit.Status.FAILED, auditing.VANISHED)

    trying_again.settle(run.pk)
    run.refresh_from_db()
    assert (run.status, run.error, run.active_dest) == ("succeeded", "", None)
    never_begun.refresh_from_db()
    assert never_begun.status == Audit.Status.CANCELLED
    assert Event.objects.filter(
        what="The worker has vanished. It was trying its step `check` again."
    ).exists()
    HUEY.flush()
    services.recover()
    assert waiting() == []


def test_a_step_that_a_worker_did_not_live_to_finish_has_failed_and_the_run_says_so(
    shop: Shop, settings: Settings, tmp_path: Path
) -> None:
    run, step = with_a_failed_step(settings, tmp_path / "mended")
    vanish(run, f"trying its step `{step}` again")
    run.steps.filter(pk=step.pk).update(status=Step.Status.RUNNING, error="")

    trying_again.settle(run.pk)

    step.refresh_from_db()
    run.refresh_from_db()
    assert (step.status, step.error) == (Step.Status.FAILED, steps.VANISHED)
    assert f"The step `{step}` failed: {steps.VANISHED}" in run.error
    assert run.active_dest is None
    services.retry_step(step, "alice")


def test_one_that_lives_is_left_to_it(shop: Shop, settings: Settings, tmp_path: Path) -> None:
    run, step = with_a_failed_step(settings, tmp_path / "mended")
    with holding.take(run, "trying again"):
        run.steps.filter(pk=step.pk).update(status=Step.Status.RUNNING)
        services.recover()
        assert waiting() == []
        trying_again.settle(run.pk)
        assert run.steps.get(pk=step.pk).status == Step.Status.RUNNING


def test_after_so_many_workers_in_a_row_it_is_left(shop: Shop) -> None:
    run = ended(start(GROUPS))
    vanish(run, "trying again")
    for _ in range(5):
        services.recover()
        assert waiting() == [run.pk]
        HUEY.flush()
        vanish(run, "ending it")
    services.recover()
    run.refresh_from_db()
    assert (waiting(), run.active_dest) == ([], None)


def test_a_new_run_does_not_wait_for_a_worker_that_has_vanished(shop: Shop) -> None:
    run = ended(start(GROUPS))
    vanish(run, "trying its rejected rows again")
    other = start(GROUPS)
    assert other.active_dest == run.dest["identity"]


def test_a_worker_that_was_given_up_stops(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ended(start(GROUPS))
    with holding.take(run, "trying again") as hold:
        hold.check()
        Run.objects.filter(pk=run.pk).update(active_dest=None, held_by="")
        start(GROUPS)
        monkeypatch.setattr(holding, "DOUBTFUL", 0.0)
        with pytest.raises(EngineError, match="was silent for too long"):
            hold.check()
    assert Run.objects.exclude(active_dest=None).exists()  # it is the other's
