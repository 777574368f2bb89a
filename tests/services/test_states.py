"""The states of a run: which changes are possible, and who may be the second to make one."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from migrations_ui import services
from migrations_ui.claims import lease
from migrations_ui.models import Event, Run
from migrations_ui.services import Refused
from migrations_ui.states import TRANSITIONS, move

Status = Run.Status

ENDINGS = {"succeeded", "incomplete", "failed", "interrupted"}
ALLOWED = {
    "queued": {"running", "cancelled", "cancelling"},
    "running": {"queued", "pausing", "cancelling", *ENDINGS},
    "pausing": {"paused", "cancelling", *ENDINGS},
    "paused": {"queued", "cancelling"},
    "cancelling": {"cancelled", *ENDINGS},
    "succeeded": set(),
    "incomplete": {"succeeded"},  # its steps, at a later try
    "failed": {"queued"},
    "cancelled": {"queued"},
    "interrupted": {"queued"},
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
        again: dict[str, Any] = {} if before in Run.ACTIVE else {"active_dest": "sqlite:1:1"}
        move(run.pk, after, who="alice", **again)
        run.refresh_from_db()
        assert bool(run.active_dest) == run.is_active
        run.delete()


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(ENDINGS))
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


def silent_run(status: str, **fields: Any) -> Run:
    """A run whose worker has given no sign of life for longer than a lease."""
    run = make_run(status)
    long_ago = timezone.now() - lease() - timedelta(seconds=1)
    Run.objects.update(heartbeat_at=long_ago, holder="dead", **fields)
    run.refresh_from_db()
    return run


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "becomes"),
    [("running", "queued"), ("pausing", "paused"), ("cancelling", "cancelling")],
)
def test_the_run_of_a_silent_worker_is_left_to_the_next(status: str, becomes: str) -> None:
    run = silent_run(status)
    found = services.recover()
    run.refresh_from_db()
    assert (run.status, run.heartbeat_at, run.is_active) == (becomes, None, True)
    assert found == ([] if becomes == "paused" else [run])


@pytest.mark.django_db
def test_a_worker_that_gives_a_sign_of_life_keeps_its_run() -> None:
    run = make_run("running")
    Run.objects.update(heartbeat_at=timezone.now(), holder="alive")
    assert services.recover() == []
    run.refresh_from_db()
    assert run.status == "running"


@pytest.mark.django_db
def test_a_run_that_ends_every_worker_is_not_tried_for_ever() -> None:
    run = silent_run("running", takeovers=5)
    services.recover()
    run.refresh_from_db()
    assert (run.status, run.active_dest) == ("interrupted", None)
    assert "6 workers in a row" in run.error


@pytest.mark.django_db
def test_a_run_that_has_wiped_nothing_is_not_resumed() -> None:
    run = make_run("failed")
    with pytest.raises(Refused, match="had not wiped anything"):
        services.resume(run, "alice")
    run.refresh_from_db()
    assert run.status == "failed"


@pytest.mark.django_db
def test_only_a_running_run_is_paused() -> None:
    run = make_run("queued")
    with pytest.raises(Refused, match="only a running one"):
        services.pause(run, "alice")


@pytest.mark.django_db
def test_a_limit_stands_in_the_timeline_and_goes_again() -> None:
    run = make_run("running")
    services.limit(run, "alice", 500)
    assert Run.objects.get(pk=run.pk).rate_limit == 500
    services.limit(run, "alice", None)
    assert Run.objects.get(pk=run.pk).rate_limit is None
    assert [event.what for event in run.events.all()] == [
        "Limit: at most 500 rows a second.",
        "Limit: as many rows a second as it can.",
    ]
