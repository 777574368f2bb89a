"""A control database that goes away for a while, and what a process that works makes of it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import dj_database_url
import psycopg2
import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.utils import ConnectionHandler

from migrations_ui import positions, services, steps, ticker
from migrations_ui.models import Run
from migrations_ui.patrol import Patrol
from migrations_ui.ticker import Ticker, outlasting, patiently
from migrations_ui.workers import Pulse
from tests.conftest import MakeDatabase
from tests.faults.mortal import execute
from tests.services.conftest import Shop, ended, start

EndSession = Callable[[], None]

SESSION = {"postgresql": "SELECT pg_backend_pid()", "mysql": "SELECT connection_id()"}
END = {"postgresql": "SELECT pg_terminate_backend({})", "mysql": "KILL {}"}


@pytest.fixture(params=SESSION)
def end_session(
    request: pytest.FixtureRequest, make_database: MakeDatabase
) -> Iterator[EndSession]:
    """This thread's control database is on a server; `end_session()` ends its session there."""
    vendor, url = request.param, make_database(request.param)
    before = connections["default"]
    handler = ConnectionHandler({"default": dict(dj_database_url.parse(url))})
    connections["default"] = handler.create_connection("default")

    def end() -> None:
        execute(url, END[vendor].format(answer(SESSION[vendor])))

    yield end
    connections["default"].close()
    connections["default"] = before


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticker, "TICK", 0)


def answer(query: str = "SELECT 1") -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def in_a_thread(work: Callable[[], Any]) -> Any:
    """What another thread, which has no connection yet, finds."""

    def run() -> Any:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


def stub_clock(
    monkeypatch: pytest.MonkeyPatch,
    sleep: Callable[[float], object],
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """What waits for the control database has another clock."""
    clock = SimpleNamespace(sleep=sleep, monotonic=monotonic)
    monkeypatch.setattr("migrations_ui.ticker.time", clock)


def fail_once(monkeypatch: pytest.MonkeyPatch, message: str = "database is locked") -> list[str]:
    """Let the control database in SQLite refuse one connection; what was refused."""
    refused: list[str] = []
    connect = DatabaseWrapper.get_new_connection

    def refuse(self: DatabaseWrapper, params: Any) -> Any:
        if not refused:
            refused.append(message)
            raise sqlite3.OperationalError(message)
        return connect(self, params)

    monkeypatch.setattr(DatabaseWrapper, "get_new_connection", refuse)
    return refused


# -- What is done again and again -----------------------------------------------------------------


def test_the_patrol_goes_on_after_its_connection_was_lost(
    end_session: EndSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Any] = []
    monkeypatch.setattr(services, "recover", lambda: answers.append(answer()))
    monkeypatch.setattr(services, "in_need", lambda: None)
    patrol = Patrol(Pulse())
    end_session()
    for _ in range(3):
        patrol.look()
    assert answers == [1, 1]


def test_a_ticker_goes_on_after_its_connection_was_lost(end_session: EndSession) -> None:
    answers: list[Any] = []
    beat = Ticker(lambda: answers.append(answer()))
    end_session()
    with pytest.raises(OperationalError):
        answer()  # and the connection is not closed: from now on the driver knows that it is lost
    for _ in range(3):
        beat._try()
    assert answers == [1, 1]


# -- What is asked for once -----------------------------------------------------------------------


def test_a_query_outlasts_the_loss_of_its_connection(
    end_session: EndSession, no_pause: None
) -> None:
    with outlasting():
        end_session()
        assert answer() == 1
        with connection.cursor() as cursor:
            end_session()
            cursor.execute("SELECT 2")
            assert cursor.fetchone() == (2,)


def test_a_transaction_begins_on_a_connection_that_is_there(end_session: EndSession) -> None:
    with outlasting():
        end_session()
        with transaction.atomic():
            assert answer() == 1


def test_in_the_middle_of_a_transaction_nothing_is_asked_again(
    end_session: EndSession, no_pause: None
) -> None:
    tries: list[int] = []

    @patiently
    def work() -> Any:
        tries.append(1)
        with transaction.atomic():
            answer()
            if len(tries) == 1:
                end_session()
            return answer()

    with outlasting():
        assert work() == 1
    assert len(tries) == 2


def test_a_connection_that_is_known_to_be_lost_is_replaced(
    end_session: EndSession, no_pause: None
) -> None:
    end_session()
    with pytest.raises(OperationalError):
        answer()
    with outlasting():
        assert answer() == 1


@pytest.mark.django_db(transaction=True)
def test_every_thread_outlasts_that_there_is_no_connection_to_be_had(
    monkeypatch: pytest.MonkeyPatch, no_pause: None
) -> None:
    def begin() -> Any:
        with transaction.atomic():
            return answer()

    for work in (answer, begin):
        with outlasting(), monkeypatch.context() as patch:
            refused = fail_once(patch)
            assert in_a_thread(work) == 1
        assert len(refused) == 1


@pytest.mark.django_db(transaction=True)
def test_pages_and_what_comes_after_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with outlasting():
        pass
    for ask in (answer, lambda: in_a_thread(answer)):
        connection.close()
        with monkeypatch.context() as patch:
            fail_once(patch)
            with pytest.raises(OperationalError):
                ask()


@pytest.mark.django_db(transaction=True)
def test_a_table_that_is_not_there_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stub_clock(monkeypatch, lambda _: pytest.fail("It was asked again."))
    with outlasting(), pytest.raises(OperationalError, match="no such table"):
        answer("SELECT 1 FROM missing")


@pytest.mark.django_db(transaction=True)
def test_a_process_that_is_to_stop_does_not_wait_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[float] = []
    stub_clock(monkeypatch, waited.append, lambda: sum(waited))
    monkeypatch.setattr(ticker, "leaving", leaving := threading.Event())

    @patiently
    def ask() -> None:
        raise OperationalError("away")

    for stopping, patience in ((False, ticker.PATIENCE), (True, ticker.HASTE)):
        waited.clear()
        leaving.set() if stopping else leaving.clear()
        with pytest.raises(OperationalError):
            ask()
        assert patience < sum(waited) <= patience + 2 * ticker.TICK


# -- What can't be asked again --------------------------------------------------------------------


def lost(*_: Any, **__: Any) -> None:
    raise OperationalError("server closed the connection\n") from psycopg2.OperationalError()


@pytest.mark.django_db(transaction=True)
def test_a_run_that_fails_by_an_outage_says_what_to_do(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start("auth.Group")
    with monkeypatch.context() as away:
        away.setattr(steps, "do_all", lost)
        assert ended(run).status == "failed"
    assert run.error == (
        "The control database did not answer (server closed the connection). "
        "Once it does, resume the run; or start it anew, if it had not wiped anything."
    )
    services.resume(run, "alice")
    assert ended(Run.objects.get(pk=run.pk)).status == "succeeded"


@pytest.mark.django_db(transaction=True)
def test_an_audit_that_fails_by_an_outage_says_what_to_do(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = services.prepare_audit(["auth.Group"], "alice")
    monkeypatch.setattr(positions, "note", lost)
    services.execute_audit(audit.pk)
    audit.refresh_from_db()
    assert (audit.status, audit.error) == (
        "failed",
        "The control database did not answer (server closed the connection). Start another audit.",
    )
