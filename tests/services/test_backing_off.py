"""A source that has other work to do is read more slowly, and the page says why."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from types import MappingProxyType
from typing import Any

import MySQLdb
import psycopg2
import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from migrations_ui import auditing, backing_off, services
from migrations_ui.engine import databases
from migrations_ui.models import Audit, Run
from migrations_ui.throttle import Throttle
from tests.conftest import MakeDatabase
from tests.servers import mysql_connection
from tests.services.conftest import (
    SLOW_ROWS,
    Postgres,
    Shop,
    ended,
    endpoint,
    much_to_copy,
    start,
)
from tests.services.deployment import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

LOG = ("auth.User", "admin.LogEntry")
SLEEP = MappingProxyType({"postgresql": "SELECT pg_sleep(300)", "mysql": "SELECT SLEEP(300)"})


@pytest.fixture
def source(shop: Shop, postgres: Postgres, settings: Settings) -> str:
    """The URL of a PostgreSQL source that has much to copy, onto a SQLite file."""
    much_to_copy(shop)
    assert ended(start(*LOG)).status == Run.Status.SUCCEEDED
    settings.ENDPOINTS = {
        "source": endpoint(postgres.url),
        "dest": endpoint(f"sqlite:///{shop.dest}"),
    }
    return postgres.url


@contextmanager
def at_work(url: str, sessions: int) -> Iterator[Callable[[], None]]:
    """So many sessions of somebody else's that do something, until they are ended."""
    opened = [opened_by_somebody(url) for _ in range(sessions)]
    threads = [threading.Thread(target=sleep) for sleep, _ in opened]

    def end() -> None:
        for _, wake in opened:
            with suppress(psycopg2.InterfaceError):  # it is closed already
                wake()
        for thread in threads:
            thread.join()

    for thread in threads:
        thread.start()
    try:
        yield end
    finally:
        end()


def opened_by_somebody(url: str) -> tuple[Callable[[], None], Callable[[], None]]:
    """What sleeps in a session, and what ends that."""
    if url.startswith("postgres"):
        postgres = psycopg2.connect(url)
        return partial(sleep, postgres, SLEEP["postgresql"]), postgres.cancel
    mysql = mysql_connection(url)
    return partial(sleep, mysql, SLEEP["mysql"]), partial(kill, url, mysql.thread_id())


def sleep(session: Any, sql: str) -> None:
    with closing(session), suppress(psycopg2.Error, MySQLdb.Error):  # it is ended
        session.cursor().execute(sql)


def kill(url: str, number: int) -> None:
    with closing(mysql_connection(url)) as other, suppress(MySQLdb.Error):  # it has ended
        other.cursor().execute(f"KILL {number}")


def test_a_busy_source_is_read_more_slowly_until_it_is_less_busy(
    source: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    admin_client: Client,
) -> None:
    settings.CUTOVER_BUSY_SESSIONS = 2
    monkeypatch.setattr(backing_off, "EVERY", 0.2)
    run = start(*LOG)
    Run.objects.filter(pk=run.pk).update(rate_limit=2_000)  # so that it takes some seconds
    with at_work(source, 3) as end, doing(lambda: services.execute(run.pk)):
        wait_until(lambda: bool(reread(run).slowed))
        page = admin_client.get(f"{run.get_absolute_url()}live/").content.decode()
        end()
        services.limit(run, "alice", None)
    assert reread(run).status == Run.Status.SUCCEEDED, run.error
    assert run.tables.get(label="admin.LogEntry").copied_rows == SLOW_ROWS
    told = list(run.events.values_list("what", flat=True))
    assert "Slowed down: the source has 3 other active sessions (limit 2)." in told
    assert "No longer slowed down: the source is less busy." in told
    assert "the source has 3 other active sessions (limit 2)" in page


def reread(run: Run) -> Run:
    run.refresh_from_db()
    return run


@contextmanager
def doing(what: Callable[[], object]) -> Iterator[None]:
    """Does it meanwhile, and has done it in the end."""

    def work() -> None:
        try:
            what()
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@pytest.mark.parametrize("vendor", SLEEP)
def test_somebody_elses_sessions_make_a_source_busy_and_our_own_do_not(
    vendor: str, make_database: MakeDatabase
) -> None:
    url = make_database(vendor)
    config = endpoint(url)
    with (
        databases.connect(config, read_only=True) as asking,
        databases.connect(config, read_only=True) as reading,
    ):
        thread = threading.Thread(target=suppressed(reading.query, SLEEP[vendor]))
        thread.start()
        with at_work(url, 2):
            wait_until(lambda: asking.busy_sessions() == 2)
        wait_until(lambda: asking.busy_sessions() == 0)
        assert thread.is_alive()
        reading.interrupt()
        thread.join()


def suppressed(query: Callable[[str], object], sql: str) -> Callable[[], None]:
    def ask() -> None:
        with suppress(Exception):
            query(sql)

    return ask


def test_a_limit_that_is_changed_is_not_waited_for_any_more() -> None:
    throttle = Throttle(1)
    with pytest.raises(StopIteration):
        throttle.read(1, 1_000, iter([None] * 3).__next__)  # a quarter of an hour
    throttle.limit = 1_000_000
    throttle.read(1, 1_001, iter([]).__next__)  # needs not even one look


RATE = 8_000  # rows a second


def seconds(job: Run | Audit) -> float:
    """How long it took."""
    assert job.started_at
    assert job.finished_at
    return (job.finished_at - job.started_at).total_seconds()


def test_a_runs_limit_holds_its_audit_back_as_well(shop: Shop) -> None:
    much_to_copy(shop)
    run = start(*LOG)
    services.limit(run, "alice", RATE)
    assert ended(run).status == Run.Status.SUCCEEDED, run.error
    assert seconds(run.audits.get()) > SLOW_ROWS / RATE / 2


def test_a_catch_up_keeps_to_its_limit(shop: Shop) -> None:
    much_to_copy(shop)
    ended(start(*LOG))
    plan = services.catch_up_plan(LOG)
    confirmed = (plan.dest.name, services.catch_up_fingerprint(plan), "alice")
    run = services.start_catch_up(LOG, *confirmed)
    services.limit(run, "alice", RATE)
    assert ended(run).status == Run.Status.SUCCEEDED, run.error
    assert seconds(run) > SLOW_ROWS / RATE / 2


def test_an_audit_of_its_own_gives_way_to_a_busy_source_and_says_so(
    source: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CUTOVER_BUSY_SESSIONS = 2
    monkeypatch.setattr(backing_off, "EVERY", 0.2)
    throttle = Throttle(2_000)  # so that it takes some seconds
    monkeypatch.setattr(auditing, "Throttle", lambda limit: throttle)
    audit = services.prepare_audit(LOG, "alice")
    with at_work(source, 3) as end, doing(lambda: services.execute_audit(audit.pk)):
        wait_until(lambda: "more slowly" in Audit.objects.get(pk=audit.pk).doing)
        told = Audit.objects.get(pk=audit.pk).doing
        end()
        throttle.limit = None
    assert told == (
        "comparing every cell, more slowly: the source has 3 other active sessions (limit 2)"
    )
    assert Audit.objects.get(pk=audit.pk).status == Audit.Status.FINISHED
