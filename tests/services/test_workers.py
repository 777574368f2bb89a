"""Who would pick up what is asked for, as the pages see it and as the services refuse it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from huey.contrib.djhuey import HUEY

from migrations_ui import services, workers
from migrations_ui.models import Audit, CountRequest, DataCheck, Event, Run, Worker
from migrations_ui.services import Refused
from tests.services.conftest import Shop, confirm

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def somebody_would_do_it() -> None:
    """Nobody would: these tests say who is there."""


@pytest.fixture
def pulse() -> workers.Pulse:
    found = workers.Pulse()
    found.beat()
    return found


def silence(seconds: int) -> None:
    Worker.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=seconds))


def test_without_any_worker_nobody_would_do_it() -> None:
    assert workers.look().nobody == ("No worker is running. Start one with `manage.py run_huey`.")


def test_a_worker_that_gives_signs_of_life_would_do_it(pulse: workers.Pulse) -> None:
    [worker] = workers.look().workers

    assert workers.look().nobody == ""
    assert worker.alive
    assert worker.listens
    assert not worker.other_version
    assert worker.silent < workers.DEAD_AFTER


def test_a_worker_that_is_silent_counts_as_dead(pulse: workers.Pulse) -> None:
    silence(40)
    [worker] = workers.look().workers

    assert not worker.alive
    assert "is silent for 40 s. Start one with" in workers.look().nobody


def test_a_silence_while_the_control_database_is_locked_is_no_death(pulse: workers.Pulse) -> None:
    silence(22)

    assert workers.look().nobody == ""


def test_the_next_sign_of_life_ends_the_silence(pulse: workers.Pulse) -> None:
    silence(40)
    pulse.beat()

    assert workers.look().nobody == ""
    assert Worker.objects.count() == 1


def test_a_row_that_was_lost_is_written_again(pulse: workers.Pulse) -> None:
    Worker.objects.all().delete()
    pulse.beat()

    assert workers.look().nobody == ""


def test_the_dead_are_forgotten_after_five_minutes(pulse: workers.Pulse) -> None:
    silence(310)
    other = workers.Pulse()
    other.beat()

    assert Worker.objects.count() == 1
    assert workers.look().nobody == ""


def test_where_all_are_dead_for_long_only_the_last_one_is_remembered(pulse: workers.Pulse) -> None:
    silence(4000)
    Worker.objects.create(host="later", pid=7, heartbeat_at=timezone.now() - timedelta(seconds=350))

    assert [worker.name for worker in workers.look().workers] == ["later, process 7"]
    assert "The last worker (later, process 7) is silent for 350 s" in workers.look().nobody


def test_a_worker_of_another_queue_would_not_hear_of_it(pulse: workers.Pulse) -> None:
    Worker.objects.update(queue="another")

    assert "takes from another queue" in workers.look().nobody
    assert "HUEY_URL" in workers.look().nobody


def test_a_worker_that_cannot_reach_its_queue_would_not_either(
    monkeypatch: pytest.MonkeyPatch, pulse: workers.Pulse
) -> None:
    def lost(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("Connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(HUEY.storage, "peek_data", lost)
        pulse.beat()

    assert "can't reach the queue" in workers.look().nobody


def test_a_queue_that_does_not_answer_is_said_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, pulse: workers.Pulse
) -> None:
    def lost(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("Connection refused")

    monkeypatch.setattr(HUEY.storage, "queue_size", lost)
    health = workers.look()

    assert health.waiting is None
    assert health.nobody.startswith("The queue can't be reached")
    assert "Connection refused" in health.nobody


def test_other_code_is_seen(pulse: workers.Pulse) -> None:
    Worker.objects.update(version="0.0.1+00000000")

    assert workers.look().workers[0].other_version
    assert workers.look().nobody == ""


def test_where_tasks_are_done_at_once_nobody_else_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(HUEY, "_immediate", True)

    assert workers.look().nobody == ""


@pytest.mark.django_db(transaction=True)  # huey closes the connection after a task
@pytest.mark.parametrize("error", [None, RuntimeError("it has failed")])
@pytest.mark.parametrize("queue_is_away", [False, True])
def test_the_tasks_that_it_is_at_are_named_until_they_end(
    pulse: workers.Pulse,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception | None,
    queue_is_away: bool,
) -> None:
    from migrations_ui import execution, tasks

    seen: list[str] = []

    def execute(run_id: int) -> None:
        pulse.beat()
        seen.append(workers.look().workers[0].doing)
        assert not pulse.is_idle
        if error:
            raise error

    def delete(key: str) -> None:
        if queue_is_away:
            raise ConnectionError("the queue is away")

    monkeypatch.setattr(execution, "execute", execute)
    monkeypatch.setattr(HUEY, "delete", delete)
    monkeypatch.setitem(HUEY._pre_execute, "pulse", pulse.begin)
    with suppress(ConnectionError):
        HUEY.execute(tasks.execute_run.s(7))

    assert seen == ["execute run 7"]
    assert pulse.is_idle
    pulse.beat()
    assert workers.look().workers[0].doing == ""


def test_what_waits_in_the_queue_is_counted(pulse: workers.Pulse) -> None:
    from migrations_ui import tasks

    before = workers.look().waiting
    assert before is not None
    tasks.execute_run(0)

    assert workers.look().waiting == before + 1


# What the services say


@pytest.fixture
def plan(shop: Shop) -> services.Plan:
    return confirm(["auth.Group"])


@pytest.fixture
def run(shop: Shop) -> Run:
    """An ended run with a rejected row and a missing index, which could be resumed."""
    side = {"name": "shop", "vendor": "sqlite", "identity": "x"}
    found = Run.objects.create(status="failed", operator="alice", source=side, dest=side)
    found.rejected.create(label="auth.Group", key="1", message="no", row=b"", signature=[])
    found.dropped_indexes.create(table="auth_group", name="by_name", facts="{}")
    found.tables.create(
        position=0, label="auth.Group", source_rows=1, dest_rows_before=0, wiped=True
    )
    return found


def test_a_run_that_nobody_would_pick_up_is_refused(plan: services.Plan) -> None:
    with pytest.raises(Refused, match=r"No worker is running.*run_huey.*Nothing was started"):
        services.start(plan.labels, plan.dest.name, plan.fingerprint, "alice")

    assert not Run.objects.exists()


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda run: services.request_audit(None, "alice"), id="audit"),
        pytest.param(lambda run: services.request_counts(), id="counts"),
        pytest.param(lambda run: services.request_data_check(None, "alice"), id="data check"),
        pytest.param(lambda run: services.retry_rejected(run, "alice"), id="rejected rows"),
        pytest.param(lambda run: services.request_restore(run, "alice"), id="restore"),
        pytest.param(lambda run: services.resume(run, "alice"), id="resume"),
    ],
)
def test_nothing_else_is_started_either(run: Run, ask: Callable[[Run], object]) -> None:
    before = Event.objects.count()

    with pytest.raises(Refused, match="No worker is running"):
        ask(run)

    assert not Audit.objects.exists()
    assert not CountRequest.objects.exists()
    assert not DataCheck.objects.exists()
    assert Event.objects.count() == before
    run.refresh_from_db()
    assert run.status == Run.Status.FAILED


@pytest.mark.django_db(transaction=True)
def test_what_a_command_does_itself_needs_no_worker(plan: services.Plan) -> None:
    run = services.prepare_run(plan.labels, plan.dest.name, plan.fingerprint, "alice")
    services.execute(run.pk)

    run.refresh_from_db()
    assert run.status == Run.Status.SUCCEEDED
