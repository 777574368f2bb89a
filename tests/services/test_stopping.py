"""Stopping a run before its first row is copied: nothing is wiped, and nothing passes as done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import psycopg2
import pytest
from django.utils import timezone

from migrations_ui import auditing, counting, execution, services
from migrations_ui.links import Links
from migrations_ui.models import DataCheck, Run
from migrations_ui.recorder import Recorder
from migrations_ui.sides import chosen_tables, endpoints
from tests.services.conftest import PATIENCE, STALE, Postgres, Shop, in_a_worker, start

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def locked(postgres: Postgres, *tables: str) -> Iterator[None]:
    """Nobody can read these tables meanwhile."""
    with closing(psycopg2.connect(postgres.url)) as session:
        session.cursor().execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.fixture
def for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement waits for a lock as long as it takes."""
    monkeypatch.setattr("migrations_ui.engine.databases.postgresql.sessions.LOCK_TIMEOUT", 600)


def wait_for_a_lock(postgres: Postgres) -> None:
    waits = (
        "SELECT 1 FROM pg_stat_activity "
        f"WHERE wait_event_type = 'Lock' AND datname = '{postgres.name}'"
    )
    deadline = timezone.now().timestamp() + PATIENCE
    while not postgres.execute(waits):
        assert timezone.now().timestamp() < deadline
        threading.Event().wait(0.05)


def test_a_run_is_cancelled_while_it_counts(shop: Shop, postgres: Postgres, for_ever: None) -> None:
    run = start("auth.Group")
    with locked(postgres, "auth_group"):
        with in_a_worker(run):
            wait_for_a_lock(postgres)
            services.cancel(run, "alice")
        run.refresh_from_db()
    assert (run.status, run.phase, run.retries) == ("cancelled", "preflight", 0)
    assert postgres.execute("SELECT count(*) FROM auth_group") == [(STALE,)]


@pytest.mark.parametrize("ask", [services.cancel, services.pause])
def test_a_run_is_stopped_while_it_looks_at_the_values(
    shop: Shop,
    postgres: Postgres,
    for_ever: None,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[Run, str], object],
) -> None:
    run = start("registry.Target", reverse=True)
    DataCheck.objects.all().delete()
    counted = counting.count_exactly
    before = shop.dump("source")
    with ExitStack() as stack:

        def count(*arguments: Any) -> None:
            counted(*arguments)
            stack.enter_context(locked(postgres, "registry_target"))

        monkeypatch.setattr(counting, "count_exactly", count)
        with in_a_worker(run):
            wait_for_a_lock(postgres)
            ask(run, "alice")
        run.refresh_from_db()
    stopped = "cancelled" if ask is services.cancel else "paused"
    assert (run.status, run.phase, run.retries) == (stopped, "preflight", 0)
    (look,) = DataCheck.objects.all()
    assert (look.status, look.findings) == ("failed", [])
    assert "The run was cancelled." in look.error or "paused" in look.error
    assert shop.dump("source") == before


def test_a_late_worker_leaves_the_audit_to_who_has_taken_the_run_over(shop: Shop) -> None:
    run = start("auth.Group")
    late, other = Recorder(run), Recorder(run)
    audit = auditing.new_audit(chosen_tables(["auth.Group"]), "alice", reverse=False, run=run)
    links = Links(endpoints())
    for holder, status in ((other.holder, "queued"), (late.holder, "cancelled")):
        Run.objects.update(holder=holder)
        execution._stop(late, links)
        audit.refresh_from_db()
        assert audit.status == status
