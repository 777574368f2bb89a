"""What a worker does with a run: all of it, or it says what became of the data."""

from __future__ import annotations

import threading
from shutil import copy

import pytest
from django.test import Client
from django.utils import timezone

from migrations_ui import datachecks, execution, services
from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.crew import Stopped
from migrations_ui.engine.errors import RowRefused
from migrations_ui.models import DroppedConstraint, Run, TableCopy
from migrations_ui.recorder import Recorder
from tests.services.conftest import (
    CRAWLING_SQLITE,
    GROUPS,
    PATIENCE,
    SLOW_POSTGRES,
    SLOW_ROWS,
    SLOW_SQLITE,
    STALE,
    Postgres,
    Shop,
    confirm,
    ended,
    in_a_worker,
    much_to_copy,
    start,
)

pytestmark = pytest.mark.django_db(transaction=True)

LOG = ("auth.Group", "auth.User", "admin.LogEntry", "registry.Policy")


def wait_for_rows(run: Run) -> None:
    """Until some rows of the log are loaded, and not all."""
    log = run.tables.filter(label="admin.LogEntry", copied_rows__gt=0)
    deadline = timezone.now().timestamp() + PATIENCE
    while not log.exists():
        assert timezone.now().timestamp() < deadline
        threading.Event().wait(0.05)


def test_a_run_replaces_the_rows_and_says_so(shop: Shop) -> None:
    run = ended(start("auth.Group"))

    assert run.status == Run.Status.SUCCEEDED, run.error
    groups = "SELECT id, name FROM auth_group ORDER BY id"
    assert shop.rows("dest", groups) == shop.rows("source", groups)
    table = run.tables.get()
    assert (table.status, table.copied_rows, table.dest_rows_after) == ("done", GROUPS, GROUPS)
    assert table.wiped
    assert [event.what for event in run.events.all()] == [
        "Confirmed: wipe shop.sqlite3 (2 rows) and copy 1 table (7 rows).",
        "A worker has taken the run.",
        "The destination's tables of the selection are empty.",
        "All rows have arrived, and the audit has found no difference.",
    ]
    assert run.active_dest is None
    assert run.audits.get().verdict == "identical"


def test_after_a_run_its_tables_are_known_exactly(shop: Shop) -> None:
    ended(start("auth.Group"))
    row = next(row for row in services.tables_page().rows if row.label == "auth.Group")
    assert (row.source_rows, row.dest_rows, row.difference) == (GROUPS, GROUPS, 0)


def test_a_reverse_run_copies_the_other_way(shop: Shop) -> None:
    run = ended(start("auth.Group", reverse=True))
    assert run.status == Run.Status.SUCCEEDED, run.error
    assert shop.rows("source", "SELECT count(*) FROM auth_group") == [(STALE,)]


# What moved between the confirmation and the wipe


def test_a_row_that_came_after_the_confirmation_stops_the_run_before_the_wipe(shop: Shop) -> None:
    run = start("auth.Group", "auth.Permission")
    shop.execute("dest", "INSERT INTO auth_group (name) VALUES ('of somebody else')")
    before = shop.dump("dest")

    ended(run)

    assert run.status == Run.Status.FAILED
    assert "Nothing was wiped" in run.error
    assert "auth.Group had 2 rows and has 3" in run.error
    assert "Permission" not in run.error
    assert run.traceback == ""
    assert shop.dump("dest") == before
    assert not run.tables.filter(wiped=True).exists()
    assert run.active_dest is None


def test_another_database_under_the_same_name_stops_the_run_before_the_wipe(shop: Shop) -> None:
    run = start("auth.Group")
    copy(shop.dest, other := shop.dest.with_name("other"))
    other.replace(shop.dest)
    before = shop.dump("dest")

    ended(run)

    assert run.status == Run.Status.FAILED
    assert "Nothing was wiped. The destination is not what was confirmed" in run.error
    assert "not the same database" in run.error
    assert shop.dump("dest") == before


def test_a_table_that_vanished_stops_the_run_before_the_wipe(shop: Shop) -> None:
    run = start("auth.Group", "registry.Proxy")
    shop.execute("source", "DROP TABLE registry_proxy")
    before = shop.dump("dest")

    ended(run)

    assert run.status == Run.Status.FAILED
    assert "Nothing was wiped" in run.error
    assert "registry_proxy is missing in the source" in run.error
    assert shop.dump("dest") == before


def test_a_table_that_inherits_since_the_confirmation_stops_the_run_before_the_wipe(
    shop: Shop, postgres: Postgres
) -> None:
    run = start("auth.Group")
    postgres.execute("CREATE TABLE old_group () INHERITS (auth_group)")
    ended(run)
    assert run.status == Run.Status.FAILED
    assert "Nothing was wiped" in run.error
    assert "other tables inherit from auth_group: old_group" in run.error
    assert postgres.execute("SELECT count(*) FROM auth_group") == [(STALE,)]


def test_rows_that_the_source_got_meanwhile_are_copied_too(shop: Shop) -> None:
    run = start("auth.Group")
    shop.execute("source", "INSERT INTO auth_group (name) VALUES ('new')")
    ended(run)
    assert run.status == Run.Status.SUCCEEDED, run.error
    assert run.tables.get().source_rows == GROUPS + 1
    assert shop.rows("dest", "SELECT count(*) FROM auth_group") == [(GROUPS + 1,)]


def test_a_row_that_is_refused_fails_the_run_with_table_key_and_value(
    shop: Shop, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = postgres.constraints()
    run = start("auth.Group", "registry.Policy")
    shop.execute("source", f"UPDATE auth_group SET name = '{'x' * 200}' WHERE id = 3")
    monkeypatch.setattr(datachecks, "is_outdated", lambda check: False)  # nobody looks again
    ended(run)

    assert run.status == Run.Status.FAILED
    table = run.tables.get(label="auth.Group")
    assert table.status == TableCopy.Status.FAILED
    assert "auth_group" in table.error
    assert "key 3" in table.error
    assert "xxx" in table.error
    assert postgres.execute("SELECT count(*) FROM auth_group") == [(0,)]
    assert postgres.constraints() == before
    assert not DroppedConstraint.objects.filter(restored_at=None).exists()


def test_a_table_has_failed_even_where_another_worker_takes_its_chunk_up_before_it_hears_of_it(
    shop: Shop, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed(recorder: Recorder, chunk: Chunk, error: BaseException) -> None:
        tell(recorder, chunk, error)
        if isinstance(error, RowRefused):
            again = recorder.claim()
            assert again
            tell(recorder, again, Stopped("Another worker has failed."))

    tell = Recorder.failed
    monkeypatch.setattr(Recorder, "failed", failed)
    run = start("auth.Group")
    shop.execute("source", f"UPDATE auth_group SET name = '{'x' * 200}' WHERE id = 3")
    monkeypatch.setattr(datachecks, "is_outdated", lambda check: False)  # nobody looks again
    ended(run)

    table = run.tables.get()
    assert (run.status, table.status) == (Run.Status.FAILED, TableCopy.Status.FAILED)
    assert "key 3" in table.error
    assert postgres.execute("SELECT count(*) FROM auth_group") == [(0,)]


# Who does it


def test_a_run_is_done_once_however_often_a_worker_is_woken(shop: Shop) -> None:
    run = ended(start("auth.Group"))
    events, finished = run.events.count(), run.finished_at
    shop.execute("dest", "DELETE FROM auth_group")

    ended(run)

    assert (run.events.count(), run.finished_at) == (events, finished)
    assert shop.rows("dest", "SELECT count(*) FROM auth_group") == [(0,)]


def test_of_two_workers_one_does_the_run_and_the_other_leaves_it_alone(shop: Shop) -> None:
    run = start("auth.Group")
    with in_a_worker(run), in_a_worker(run):
        pass
    run.refresh_from_db()
    assert run.status == Run.Status.SUCCEEDED, run.error
    taken = run.events.filter(what="A worker has taken the run.")
    assert taken.count() == 1
    assert run.audits.count() == 1


# Cancelling


def test_a_queued_run_is_cancelled_at_once_and_never_done(shop: Shop) -> None:
    run = start("auth.Group")
    before = shop.dump("dest")
    services.cancel(run, "alice")
    ended(run)

    assert run.status == Run.Status.CANCELLED
    assert run.started_at is None
    assert run.finished_at is not None
    assert shop.dump("dest") == before


def test_a_running_copy_stops_within_a_chunk_and_its_table_is_empty(
    shop: Shop, admin_client: Client
) -> None:
    much_to_copy(shop)
    shop.execute("dest", CRAWLING_SQLITE)
    run = start(*LOG)
    with in_a_worker(run):
        wait_for_rows(run)
        services.cancel(run, "alice")
        assert "cancelling" in admin_client.get(f"{run.get_absolute_url()}live/").content.decode()
    run.refresh_from_db()

    assert run.status == Run.Status.CANCELLED
    assert run.finished_at is not None
    statuses = dict(run.tables.values_list("label", "status"))
    assert statuses == {
        "auth.Group": "cancelled",
        "auth.User": "cancelled",
        "admin.LogEntry": "cancelled",
        "registry.Policy": "cancelled",
    }
    assert shop.rows("dest", "SELECT count(*) FROM django_admin_log") == [(0,)]
    assert shop.rows("dest", "SELECT count(*) FROM auth_group") == [(0,)]  # the largest comes first


def test_a_cancelled_run_puts_the_foreign_keys_back_and_its_page_says_what_is_empty(
    shop: Shop, postgres: Postgres, admin_client: Client
) -> None:
    before = postgres.constraints()
    much_to_copy(shop)
    postgres.execute(SLOW_POSTGRES)
    run = start(*LOG)
    with in_a_worker(run):
        wait_for_rows(run)
        assert postgres.constraints() != before
        services.cancel(run, "alice")
    run.refresh_from_db()

    assert run.status == Run.Status.CANCELLED
    assert postgres.constraints() == before
    dropped = DroppedConstraint.objects.filter(run=run)
    assert dropped.count() > 0
    assert not dropped.filter(restored_at=None).exists()
    page = " ".join(admin_client.get(run.get_absolute_url()).content.decode().split())
    assert "This run was cancelled before it was done." in page
    wiped = page.partition("and empty:")[2].partition("</li>")[0]
    assert "LogEntry" in wiped
    assert "Constraints that are still missing" not in page
    assert "hx-get" not in page


def test_a_cancel_that_comes_when_all_is_loaded_waits_until_the_foreign_keys_are_back(
    shop: Shop, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AskedLate(Recorder):
        """The operator cancels between the last row and the constraints."""

        def phase(self, name: str) -> None:
            if name == Run.Phase.CONSTRAINTS:
                services.cancel(run, "alice")
                self.tick()
            super().phase(name)

    monkeypatch.setattr(execution, "Recorder", AskedLate)
    before = postgres.constraints()
    run = start("auth.Group", "registry.Policy")
    ended(run)

    assert run.status == Run.Status.CANCELLED
    assert set(run.tables.values_list("status", flat=True)) == {"done"}
    assert not run.audits.exists()
    assert postgres.constraints() == before
    assert not DroppedConstraint.objects.filter(restored_at=None).exists()


def test_a_slow_copy_shows_its_progress_and_its_worker_is_alive(shop: Shop) -> None:
    much_to_copy(shop)
    shop.execute("dest", SLOW_SQLITE)
    run = start(*LOG)
    with in_a_worker(run):
        wait_for_rows(run)
        run.refresh_from_db()
        progress = services.run_progress(run)
    assert run.phase == Run.Phase.LOAD
    assert 0 < progress.rows < progress.total == SLOW_ROWS + GROUPS + 1
    assert progress.percent is not None
    assert 0 < progress.percent < 100
    assert progress.stalled_for is None
    run.refresh_from_db()
    assert services.run_progress(run).percent == 100


def test_the_page_of_a_confirmed_run_can_be_planned_while_it_runs(shop: Shop) -> None:
    """Looking at the tables while a copy is under way is no reason to wait."""
    start("auth.Group")
    assert confirm(["auth.Group"]).fingerprint
