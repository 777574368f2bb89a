"""Runs and audits know as of when they are true, and whether anything was written since."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import psycopg2
import pytest
from pytest_django import Settings

from migrations_ui import positions, services
from migrations_ui.engine.databases.positions import Movement, State
from migrations_ui.engine.errors import EngineError
from migrations_ui.models import Audit, Run
from migrations_ui.recall import memory
from tests.servers import free_port
from tests.services.conftest import Postgres, Shop, ended, endpoint, start

pytestmark = pytest.mark.django_db(transaction=True)

GROUPS = "auth.Group"
NEW_GROUP = "INSERT INTO auth_group (name) VALUES ('new')"
UNCHANGED, CHANGED = Movement(State.UNCHANGED), Movement(State.CHANGED)


OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid()"
)
NEW_PERMISSION = (
    "WITH t AS (INSERT INTO django_content_type (app_label, model) VALUES ('a', 'b') RETURNING id)"
    " INSERT INTO auth_permission (name, codename, content_type_id) SELECT 'x', 'y', id FROM t"
)


class Impatient:
    """Nothing is tried again."""

    def check(self) -> None: ...

    def again(self, error: EngineError, attempt: int) -> bool:
        return False


def wait_for_counters(postgres: Postgres) -> None:
    """The counters of a session arrive when it has ended, which closing it does not wait for."""
    while postgres.execute(OTHERS) != [(0,)]:
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    memory.clear()


def audited(*labels: str) -> Audit:
    audit = services.prepare_audit(labels, "alice")
    services.execute_audit(audit.pk)
    audit.refresh_from_db()
    return audit


def moved(report: Audit | Run, *, fresh: bool = True) -> dict[str, Movement]:
    return {found.role: found.movement for found in positions.since(report, fresh=fresh)}


def test_an_audit_is_as_of_its_start_and_stays_true_while_nothing_is_written(shop: Shop) -> None:
    audit = audited(GROUPS)

    source, dest = positions.since(audit, fresh=True)

    assert (source.word, dest.word) == ("source", "destination")
    assert audit.started_at
    assert audit.finished_at
    assert audit.started_at <= source.as_of <= audit.finished_at
    assert (source.movement, dest.movement) == (UNCHANGED, UNCHANGED)


def test_what_a_page_remembers_from_before_an_audit_is_not_held_against_it(shop: Shop) -> None:
    earlier = audited(GROUPS)
    assert moved(earlier, fresh=False)["source"] == UNCHANGED  # remembered from here on
    shop.execute("source", NEW_GROUP)

    later = audited(GROUPS)

    assert moved(later, fresh=False) == {"source": UNCHANGED, "dest": UNCHANGED}


@pytest.mark.parametrize(("written", "other"), [("source", "dest"), ("dest", "source")])
def test_a_write_to_one_side_is_seen_on_that_side_only(
    shop: Shop, written: str, other: str
) -> None:
    audit = audited(GROUPS)

    shop.execute(written, NEW_GROUP)

    assert moved(audit) == {written: CHANGED, other: UNCHANGED}


def test_a_server_says_which_of_the_tables_was_written(shop: Shop, postgres: Postgres) -> None:
    audit = audited(GROUPS, "auth.Permission")

    postgres.execute(
        NEW_GROUP, "INSERT INTO django_content_type (app_label, model) VALUES ('', '')"
    )
    wait_for_counters(postgres)

    assert moved(audit)["dest"] == Movement(State.CHANGED, (GROUPS,))


def test_a_write_to_other_tables_of_a_server_does_not_touch_the_verdict(
    shop: Shop, postgres: Postgres
) -> None:
    audit = audited(GROUPS)

    postgres.execute("INSERT INTO django_content_type (app_label, model) VALUES ('', '')")

    assert moved(audit)["dest"] == UNCHANGED


def test_what_a_run_itself_writes_is_no_change(shop: Shop, postgres: Postgres) -> None:
    run = ended(start(GROUPS))

    assert run.status == run.Status.SUCCEEDED
    assert moved(run) == {"source": UNCHANGED, "dest": UNCHANGED}
    assert moved(run.audits.get()) == {"source": UNCHANGED, "dest": UNCHANGED}


def test_what_is_written_while_a_run_copies_is_a_change(shop: Shop) -> None:
    run = start(GROUPS)
    ended(run)
    run.positions["source"]["start"]["mark"] = "counter 0"
    run.positions["source"]["end"] = run.positions["source"]["start"]

    assert moved(run)["source"] == CHANGED


def test_counters_that_arrive_late_are_taken_from_the_end_of_an_audit(
    shop: Shop, postgres: Postgres
) -> None:
    """Nothing was written between its start and its end, so both looked at the same state."""
    audit = audited(GROUPS)
    audit.positions["dest"]["start"]["tables"][GROUPS][0] -= 1
    postgres.execute("SELECT txid_current()")  # any transaction, so that the server's mark moves

    assert moved(audit)["dest"] == UNCHANGED


def test_a_side_that_cannot_be_asked_is_not_called_unchanged(
    shop: Shop, settings: Settings
) -> None:
    audit = audited(GROUPS)
    nobody = endpoint(f"postgres://cutover:secret@127.0.0.1:{free_port()}/shop")
    settings.ENDPOINTS = settings.ENDPOINTS | {"dest": nobody}

    found = moved(audit)["dest"]

    assert found.state is State.UNKNOWN
    assert "secret" not in found.why


def test_another_database_in_its_place_is_not_called_unchanged(
    shop: Shop, settings: Settings, postgres: Postgres
) -> None:
    audit = audited(GROUPS)
    settings.ENDPOINTS = settings.ENDPOINTS | {"dest": endpoint(f"sqlite:///{shop.dest}")}

    assert moved(audit)["dest"].why == "It is not the same database any more."


def test_a_page_asks_once_in_a_few_seconds(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = audited(GROUPS)
    assert moved(audit, fresh=False) == {"source": UNCHANGED, "dest": UNCHANGED}
    monkeypatch.setattr(positions, "position_of", None)  # it must not be called

    assert moved(audit, fresh=False) == {"source": UNCHANGED, "dest": UNCHANGED}


def test_a_page_does_not_wait_again_for_a_side_that_did_not_answer(
    shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = audited(GROUPS)
    shop.dest.unlink()
    assert moved(audit, fresh=False)["dest"].state is State.UNKNOWN
    monkeypatch.setattr(positions, "position_of", None)

    assert moved(audit, fresh=False)["dest"].state is State.UNKNOWN


def test_the_freeze_check_finds_nobody_where_nobody_writes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "PAUSE", 0)

    assert [(side.role, side.is_still) for side in positions.stillness()] == [
        ("source", True),
        ("dest", True),
    ]


def test_the_freeze_check_sees_a_write_between_its_two_looks(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: shop.execute("source", NEW_GROUP))

    source, dest = positions.stillness()

    assert (source.is_still, source.movement) == (False, CHANGED)
    assert dest.is_still


def test_the_freeze_check_sees_a_transaction_that_has_written(
    shop: Shop, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "PAUSE", 0)
    with closing(psycopg2.connect(postgres.url)) as connection:
        connection.cursor().execute(NEW_GROUP)
        source, dest = positions.stillness()

    assert source.is_still
    assert not dest.is_still
    assert dest.movement == UNCHANGED
    assert "is writing auth_group" in dest.others.writing[0]


def test_the_freeze_check_of_the_way_back_exchanges_the_sides(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "PAUSE", 0)
    with closing(sqlite3.connect(shop.dest)) as connection:
        connection.execute(NEW_GROUP)
        source, dest = positions.stillness(reverse=True)

    assert (source.name, source.is_still) == ("shop.sqlite3", False)
    assert (dest.name, dest.is_still) == ("old.sqlite3", True)


@pytest.mark.parametrize("looks", [0, 1])
def test_the_freeze_check_tells_of_the_side_that_answers(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    """Whether the other one does not answer the first look, or goes away before the second."""
    if looks == 0:
        shop.source.unlink()
    monkeypatch.setattr(time, "sleep", lambda seconds: shop.source.unlink(missing_ok=True))

    source, dest = positions.stillness()

    assert (source.name, source.is_still, dest.is_still) == ("old.sqlite3", False, True)
    assert "old.sqlite3" in source.error
    assert source.sentences == [
        f"Whether anyone writes to old.sqlite3 can't be told. {source.error}"
    ]


def catch_up_audit(postgres: Postgres, *, between: str) -> Audit:
    """An audit of a run that has compared the groups already, after whose start this happened."""
    labels = [GROUPS, "auth.Permission"]
    run = ended(start(*labels))
    run.positions = {}
    positions.note(run, "start", Impatient())
    postgres.execute(between)
    wait_for_counters(postgres)
    audit = run.audits.get()
    audit.positions = {}
    positions.note(audit, "start", Impatient(), known=[GROUPS])
    return audit


def test_what_was_compared_before_an_audit_is_as_of_then(shop: Shop, postgres: Postgres) -> None:
    audit = catch_up_audit(postgres, between=NEW_GROUP)

    assert moved(audit)["dest"] == Movement(State.CHANGED, (GROUPS,))


def test_what_a_run_has_repaired_before_its_audit_is_no_change(
    shop: Shop, postgres: Postgres
) -> None:
    audit = catch_up_audit(postgres, between=NEW_PERMISSION)

    assert moved(audit)["dest"] == UNCHANGED


def test_a_source_that_does_not_tell_its_tables_is_as_of_the_first_look(shop: Shop) -> None:
    run = ended(start(GROUPS))
    audit = run.audits.get()
    audit.positions = {}
    shop.execute("source", NEW_GROUP)
    positions.note(audit, "start", Impatient(), known=[GROUPS])

    assert moved(audit)["source"] == CHANGED
