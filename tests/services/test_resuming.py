"""A run that stops before its end, and goes on from there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from migrations_ui import counting, execution, services, workers
from migrations_ui.claims import LeaseLost
from migrations_ui.engine import chunks
from migrations_ui.engine.repairing import Repair
from migrations_ui.models import DroppedConstraint, DroppedIndex, Run
from migrations_ui.recorder import Recorder
from migrations_ui.ticker import TICK
from tests.services.conftest import (
    GROUPS,
    SLOW_POSTGRES,
    SLOW_ROWS,
    SLOW_SQLITE,
    STALE,
    Postgres,
    Shop,
    ended,
    in_a_worker,
    much_to_copy,
    start,
)
from tests.services.test_execution import LOG, wait_for_rows

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = "SELECT count(*), count(DISTINCT id) FROM django_admin_log"


@pytest.fixture
def slow(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop whose log is loaded slowly, in several chunks."""
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 8 * 1024 * 1024)
    much_to_copy(shop)
    shop.execute("dest", SLOW_SQLITE)
    return shop


def wait_for_chunks(run: Run) -> None:
    """Until a chunk of the log is done, and not all."""
    done = run.tables.get(label="admin.LogEntry").chunks.filter(status="done")
    deadline = timezone.now().timestamp() + 30
    while not done.exists():
        assert timezone.now().timestamp() < deadline
        threading.Event().wait(0.05)


def paused(run: Run) -> Run:
    """The run, paused while a chunk of its log is done and another is being copied."""
    with in_a_worker(run):
        wait_for_chunks(run)
        services.pause(run, "alice")
    run.refresh_from_db()
    assert run.status == Run.Status.PAUSED, run.error
    assert run.events.filter(what="The worker has paused.").exists()
    return run


def test_a_run_that_is_paused_goes_on_with_what_is_not_done(slow: Shop) -> None:
    run = paused(start(*LOG))
    log = run.tables.get(label="admin.LogEntry")
    done = dict(log.chunks.filter(status="done").values_list("pk", "attempts"))
    assert 0 < log.copied_rows < SLOW_ROWS
    assert slow.rows("dest", ROWS) == [(log.copied_rows, log.copied_rows)]
    assert run.active_dest

    services.resume(run, "bob")
    slow.execute("dest", "DROP TRIGGER slow")
    ended(run)

    assert run.status == Run.Status.SUCCEEDED, run.error
    assert slow.rows("dest", ROWS) == [(SLOW_ROWS, SLOW_ROWS)]
    assert run.audits.get().verdict == "identical"
    assert dict(log.chunks.filter(pk__in=done).values_list("pk", "attempts")) == done
    wiped = "The destination's tables of the selection are empty."
    assert run.events.filter(what=wiped).count() == 1


def test_what_a_paused_run_took_off_stays_off_until_it_is_cancelled(
    shop: Shop, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 8 * 1024 * 1024)
    much_to_copy(shop)
    before = postgres.constraints()
    postgres.execute(SLOW_POSTGRES)
    run = start(*LOG)
    with in_a_worker(run):
        wait_for_rows(run)
        services.pause(run, "alice")
    run.refresh_from_db()
    assert run.status == Run.Status.PAUSED, run.error
    assert postgres.constraints() != before

    services.cancel(run, "alice")
    run.refresh_from_db()
    assert run.status == Run.Status.CANCELLING
    ended(run)

    assert run.status == Run.Status.CANCELLED, run.error
    assert postgres.constraints() == before
    for journal in (DroppedConstraint, DroppedIndex):
        assert not journal.objects.filter(restored_at=None).exists()


def pausing(run: Run, work: Callable[..., object], *, before: bool = False) -> Callable[..., None]:
    """The same work, after or before which the run is paused."""

    def paused(*arguments: Any) -> None:
        if not before:
            work(*arguments)
        services.pause(run, "alice")
        threading.Event().wait(3 * TICK)
        if before:
            work(*arguments)

    return paused


def test_a_run_that_was_paused_before_its_wipe_goes_on(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, admin_client: Client
) -> None:
    run = start("auth.Group")
    with monkeypatch.context() as patch:
        patch.setattr(counting, "count_exactly", pausing(run, counting.count_exactly))
        ended(run)
    assert run.status == Run.Status.PAUSED, run.error
    assert shop.rows("dest", "SELECT count(*) FROM auth_group") == [(STALE,)]

    url = f"{run.get_absolute_url()}resume/"
    assert url in admin_client.get(run.get_absolute_url()).content.decode()
    admin_client.post(url)
    ended(run)
    assert run.status == Run.Status.SUCCEEDED, run.error
    assert shop.rows("dest", "SELECT count(*) FROM auth_group") == [(GROUPS,)]


def test_a_catch_up_that_was_paused_compares_anew(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(start("auth.Group"))
    shop.execute("source", "INSERT INTO auth_group (name) VALUES ('late')")
    plan = services.catch_up_plan(["auth.Group"])
    confirmed = (plan.dest.name, services.catch_up_fingerprint(plan), "alice")
    run = services.start_catch_up(["auth.Group"], *confirmed)
    with monkeypatch.context() as patch:
        work = pausing(run, Repair.repair, before=True)  # the comparison is done by then
        patch.setattr(Repair, "repair", work)
        ended(run)
    assert run.status == Run.Status.PAUSED, run.error
    assert run.tables.get().compared_rows == GROUPS + 1

    services.resume(run, "bob")
    ended(run)
    assert run.status == Run.Status.SUCCEEDED, run.error
    table = run.tables.get()
    assert (table.compared_rows, table.changed_rows) == (GROUPS + 1, 1)
    assert shop.rows("dest", "SELECT count(*) FROM auth_group") == [(GROUPS + 1,)]


class CutOff(Recorder):
    """A worker that loses its run in the moment in which the destination is wiped."""

    def wiped(self) -> None:
        raise LeaseLost("another worker has taken over")


def cut_off(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    with monkeypatch.context() as patch:
        patch.setattr(execution, "Recorder", CutOff)
        ended(run)
    assert run.status == Run.Status.QUEUED
    assert not run.tables.filter(wiped=True).exists()
    return run


def test_a_wipe_that_a_lost_worker_could_not_note_down_is_no_change_by_somebody_else(
    shop: Shop, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = postgres.constraints()
    run = cut_off(start("auth.Group", "registry.Policy"), monkeypatch)
    assert postgres.execute("SELECT count(*) FROM auth_group") == [(0,)]
    ended(run)
    assert run.status == Run.Status.SUCCEEDED, run.error
    assert run.tables.filter(wiped=True).count() == 2
    assert postgres.constraints() == before


def test_after_such_a_wipe_what_somebody_has_written_stops_the_run_and_it_says_what_it_did(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cut_off(start("auth.Group"), monkeypatch)
    shop.execute("dest", "INSERT INTO auth_group (name) VALUES ('late')")
    ended(run)
    assert run.status == Run.Status.FAILED
    assert "auth.Group had 2 rows and has 1" in run.error
    assert "A worker that is gone may have wiped the destination's tables already." in run.error
    assert "Nothing was wiped" not in run.error


def test_a_cancelled_run_says_how_much_is_there_and_is_resumed(
    slow: Shop, admin_client: Client
) -> None:
    run = start(*LOG)
    with in_a_worker(run):
        wait_for_chunks(run)
        services.cancel(run, "alice")
    run.refresh_from_db()
    assert run.status == Run.Status.CANCELLED
    log = run.tables.get(label="admin.LogEntry")
    page = " ".join(admin_client.get(run.get_absolute_url()).content.decode().split())
    assert f"admin.LogEntry: {log.copied_rows:,} of {SLOW_ROWS:,} rows" in page

    slow.execute("dest", "DROP TRIGGER slow")
    assert admin_client.post(f"{run.get_absolute_url()}resume/").status_code == 302
    ended(run)
    assert run.status == Run.Status.SUCCEEDED, run.error
    assert slow.rows("dest", ROWS) == [(SLOW_ROWS, SLOW_ROWS)]


def test_a_worker_that_is_told_to_leave_hands_its_run_on(
    slow: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaving = threading.Event()
    monkeypatch.setattr(execution, "leaving", leaving)
    run = start(*LOG)
    with in_a_worker(run):
        wait_for_rows(run)
        leaving.set()
    run.refresh_from_db()
    assert run.status == Run.Status.QUEUED
    told = "The worker was stopped. The next one goes on from there."
    assert run.events.filter(what=told).exists()
    leaving.clear()
    slow.execute("dest", "DROP TRIGGER slow")
    ended(run)
    assert run.status == Run.Status.SUCCEEDED, run.error


def test_a_command_goes_on_with_what_was_interrupted_where_no_worker_is(
    slow: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = paused(start(*LOG))
    Run.objects.update(status=Run.Status.INTERRUPTED, active_dest=None)
    monkeypatch.setattr(workers.Health, "nobody", "No worker is running.")
    slow.execute("dest", "DROP TRIGGER slow")
    found = services.left_behind(services.plan(LOG), lambda what: None)
    assert found == run
    ended(run)
    assert run.status == Run.Status.SUCCEEDED, run.error


def failing(slow: Shop) -> Run:
    """A run that has failed after a part of the log had arrived."""
    run = paused(start(*LOG))
    services.resume(run, "alice")
    return run


def test_a_run_is_not_resumed_where_the_columns_have_changed(slow: Shop) -> None:
    run = failing(slow)
    slow.execute("dest", "ALTER TABLE auth_group RENAME COLUMN name TO title")
    before = slow.dump("dest")
    ended(run)
    assert run.status == Run.Status.FAILED
    assert "The columns of auth.Group are not what they were" in run.error
    assert slow.dump("dest") == before


def test_a_run_is_not_resumed_where_somebody_else_has_written(slow: Shop) -> None:
    run = failing(slow)
    slow.execute("dest", "INSERT INTO auth_group (name) VALUES ('of somebody else')")
    before = slow.dump("dest")
    ended(run)
    assert run.status == Run.Status.FAILED
    assert "somebody else writes to it" in run.error
    assert slow.dump("dest") == before


def test_the_page_of_such_a_run_says_what_is_there_and_offers_what_works(
    slow: Shop, admin_client: Client
) -> None:
    run = failing(slow)
    slow.execute("dest", "INSERT INTO auth_group (name) VALUES ('of somebody else')")
    ended(run)
    page = " ".join(admin_client.get(run.get_absolute_url()).content.decode().split())
    assert "auth.Group: 1 row, 0 of them copied by this run" in page
    assert "Resume run" not in page
    assert "select tables" in page
    with pytest.raises(services.Refused, match="can't be gone on with"):
        services.resume(run, "alice")


def test_a_run_is_not_resumed_in_another_database_of_the_same_name(slow: Shop) -> None:
    run = failing(slow)
    copy(slow.dest, other := Path(f"{slow.dest}.other"))
    other.replace(slow.dest)
    before = slow.dump("dest")
    ended(run)
    assert run.status == Run.Status.FAILED
    assert "it is another database under the same address" in run.error
    assert slow.dump("dest") == before


def test_a_run_is_not_resumed_after_a_later_one_has_wiped_its_tables(slow: Shop) -> None:
    first = start(*LOG)
    with in_a_worker(first):
        wait_for_chunks(first)
        services.cancel(first, "alice")
    first.refresh_from_db()
    assert ended(start("auth.Group")).status == Run.Status.SUCCEEDED

    services.resume(first, "alice")
    before = slow.dump("dest")
    ended(first)
    assert first.status == Run.Status.FAILED
    assert "has wiped tables of this destination since" in first.error
    assert slow.dump("dest") == before


def test_a_run_is_not_resumed_while_another_is_active(slow: Shop) -> None:
    first = start("auth.Group")
    first.tables.update(wiped=True)
    Run.objects.filter(pk=first.pk).update(status="failed", active_dest=None)
    first.refresh_from_db()
    second = start("auth.Group")
    with pytest.raises(services.Refused, match=f"Run {second.pk} is active"):
        services.resume(first, "alice")


def test_a_limit_holds_a_run_back_and_is_lifted_while_it_runs(shop: Shop) -> None:
    much_to_copy(shop)
    run = start(*LOG)
    Run.objects.filter(pk=run.pk).update(rate_limit=1)  # 2,000 rows of a batch: half an hour
    with in_a_worker(run):
        wait_for_rows(run)
        run.refresh_from_db()
        assert services.run_progress(run).rows < SLOW_ROWS
        services.limit(run, "alice", None)
    run.refresh_from_db()
    assert run.status == Run.Status.SUCCEEDED, run.error
    assert shop.rows("dest", ROWS) == [(SLOW_ROWS, SLOW_ROWS)]


def test_a_run_that_is_held_back_hears_of_a_cancel(shop: Shop) -> None:
    much_to_copy(shop)
    run = start(*LOG)
    Run.objects.filter(pk=run.pk).update(rate_limit=1)
    with in_a_worker(run):
        wait_for_rows(run)
        services.cancel(run, "alice")
    run.refresh_from_db()
    assert run.status == Run.Status.CANCELLED, run.error


def test_a_table_whose_worker_died_before_it_was_marked_is_marked_by_the_next(slow: Shop) -> None:
    """All of its chunks are done: what is copied again is nothing, and its page tells the truth."""
    run = paused(start(*LOG))
    groups = run.tables.get(label="auth.Group")
    groups.chunks.update(status="done", copied_rows=groups.source_rows, holder="")
    run.tables.filter(pk=groups.pk).update(status="copying", copied_rows=0, error="once")
    names = "SELECT id, name FROM auth_group"
    for key, name in slow.rows("source", names):
        slow.execute("dest", f"INSERT OR IGNORE INTO auth_group VALUES ({key}, '{name}')")

    slow.execute("dest", "DROP TRIGGER slow")
    services.resume(run, "alice")
    ended(run)

    assert run.status == Run.Status.SUCCEEDED, run.error
    groups.refresh_from_db()
    assert (groups.status, groups.copied_rows, groups.error) == ("done", groups.source_rows, "")
