"""The states of a run: which changes are possible, and who may be the second to make one."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from migrations_ui import services
from migrations_ui.models import Event, Run
from migrations_ui.services import Refused
from migrations_ui.states import TRANSITIONS, move

Status = Run.Status

ALLOWED = {
    "queued": {"running", "cancelled"},
    "running": {"cancelling", "succeeded", "incomplete", "failed", "interrupted"},
    "cancelling": {"cancelled", "succeeded", "incomplete", "failed", "interrupted"},
    "succeeded": set(),
    "incomplete": set(),
    "failed": set(),
    "cancelled": set(),
    "interrupted": set(),
}


def make_run(status: str = "queued") -> Run:
    active = "sqlite:1:1" if status in Run.ACTIVE else None
    return Run.objects.create(
        status=status,
        operator="alice",
        source={},
        dest={"identity": "sqlite:1:1"},
        active_dest=active,
    )


@pytest.mark.django_db
@pytest.mark.parametrize("after", Status.values)
@pytest.mark.parametrize("before", Status.values)
def test_a_run_changes_as_the_table_of_transitions_says_and_never_otherwise(
    before: str, after: str
) -> None:
    run = make_run(before)
    allowed = after in ALLOWED[before]

    assert move(run.pk, after, who="alice") == allowed

    run.refresh_from_db()
    assert run.status == (after if allowed else before)
    assert Event.objects.filter(run=run).count() == allowed


@pytest.mark.django_db
def test_every_change_stands_in_the_timeline_with_its_reason() -> None:
    for (before, after), reason in TRANSITIONS.items():
        run = make_run(before)
        assert move(run.pk, after, who="alice")
        event = run.events.get()
        assert (event.who, event.what) == ("alice", reason)
        run.delete()


@pytest.mark.django_db
def test_only_an_active_run_holds_its_destination() -> None:
    for before, after in TRANSITIONS:
        run = make_run(before)
        move(run.pk, after, who="alice")
        run.refresh_from_db()
        assert bool(run.active_dest) == run.is_active
        run.delete()


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["succeeded", "incomplete", "failed", "interrupted"])
def test_a_run_that_has_ended_cannot_be_cancelled(status: str) -> None:
    run = make_run(status)
    with pytest.raises(Refused, match=f"Run {run.pk} is not active any more"):
        services.cancel(run, "alice")
    run.refresh_from_db()
    assert run.status == status


@pytest.mark.django_db
def test_a_run_is_asked_to_stop_once() -> None:
    run = make_run("running")
    services.cancel(run, "alice")
    with pytest.raises(Refused):
        services.cancel(run, "bob")
    assert [(event.who, event.what) for event in run.events.all()] == [("alice", "Asked to stop.")]


@pytest.mark.django_db(transaction=True)
def test_of_workers_that_reach_for_a_run_at_once_one_gets_it() -> None:
    run = make_run()
    together = threading.Barrier(4)
    got: list[bool] = []

    def reach() -> None:
        together.wait()
        got.append(move(run.pk, "running", who="worker"))
        connection.close()

    threads = [threading.Thread(target=reach) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(got) == [False, False, False, True]
    assert run.events.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["running", "cancelling"])
def test_a_cancel_ends_the_run_of_a_worker_that_died(status: str) -> None:
    run = make_run(status)
    Run.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=61))
    services.cancel(run, "alice")
    run.refresh_from_db()
    assert (run.status, run.active_dest) == ("interrupted", None)
