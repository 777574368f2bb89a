"""A sign-off rests on a green audit of sides that stand still, and is written once."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, models
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils import timezone
from pytest_django import Settings

from migrations_ui import born, positions, services, signing
from migrations_ui.models import Audit, Event, SignOff, SignOffAttempt
from migrations_ui.recall import memory
from migrations_ui.sides import Refused
from migrations_ui.signing_models import WrittenOnceError
from tests.conftest import MakeDatabase
from tests.servers import mysql_connection
from tests.services.conftest import Postgres, Shop, ended, endpoint, migrate, start

pytestmark = pytest.mark.django_db(transaction=True)

GROUPS = "auth.Group"
NEW_GROUP = "INSERT INTO auth_group (name) VALUES ('new')"
Sign = Callable[..., SignOff]


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    memory.clear()


@pytest.fixture
def audit(shop: Shop) -> Audit:
    """The audit of a run that has copied everything."""
    return ended(start(GROUPS)).audits.get()


def request_of(user: User) -> HttpRequest:
    request = RequestFactory().post("/")
    request.user = user
    return request


@pytest.fixture
def sign(alice: User) -> Sign:
    """`sign(audit, password="alice", **options)`, as alice."""

    def sign(audit: Audit, password: str = "alice", **options: Any) -> SignOff:
        return signing.sign(request_of(alice), audit, password, **options)

    return sign


def test_the_record_names_the_run_that_has_put_rows_right_since_the_copy(
    audit: Audit, sign: Sign, shop: Shop
) -> None:
    shop.execute("source", "UPDATE auth_group SET name = 'renamed' WHERE id = 1")
    plan = services.catch_up_plan([GROUPS])
    fingerprint = services.catch_up_fingerprint(plan)
    run = services.prepare_catch_up([GROUPS], plan.dest.name, fingerprint, "alice")
    services.execute(run.pk)

    record = sign(run.audits.get()).contents

    assert [copy["number"] for copy in record["runs"]] == [audit.run_id]
    assert [repair["number"] for repair in record["catch_ups"]] == [run.pk]


def test_the_record_holds_what_the_signature_rests_on(audit: Audit, sign: Sign) -> None:
    record = sign(audit).contents

    assert record["signed"]["operator"] == "alice"
    assert record["audit"]["number"] == audit.pk
    assert [record[role]["name"] for role in ("source", "dest")] == ["old.sqlite3", "shop.sqlite3"]
    assert record["source"]["identity"].startswith("sqlite:")
    assert record["versions"].keys() >= {"cutover", "django", "python"}
    assert record["runs"][0]["number"] == audit.run_id
    assert record["catch_ups"] == record["transforms"] == []
    assert record["rejected"] == {"total": 0, "not_arrived": 0, "rows": []}
    (table,) = record["tables"]
    assert (table["label"], table["source_rows"], table["dest_rows"]) == (GROUPS, 7, 7)
    assert table["source_digest"] == table["dest_digest"] != ""
    assert "auth.Permission" in record["not_audited"]


def test_the_seal_is_the_sha_256_of_the_canonical_record(audit: Audit, sign: Sign) -> None:
    signed = SignOff.objects.get(pk=sign(audit).pk)

    assert signed.digest == hashlib.sha256(signed.record.encode()).hexdigest()
    again = json.dumps(signed.contents, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert again == signed.record
    assert signed.is_intact


@pytest.mark.parametrize(
    ("column", "value"),
    [("record", "record || ' '"), ("record", "'{}'"), ("operator", "'mallory'"), ("digest", "''")],
)
def test_a_record_that_was_tampered_with_is_told(
    audit: Audit, sign: Sign, column: str, value: str
) -> None:
    signed = sign(audit)

    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE migrations_ui_signoff SET {column} = {value}")

    signed.refresh_from_db()
    assert not signed.is_intact


@pytest.mark.parametrize(
    "change",
    [
        lambda signed: signed.save(),
        lambda signed: signed.delete(),
        lambda signed: SignOff.objects.update(operator="bob"),
        lambda signed: SignOff.objects.all().delete(),
        lambda signed: SignOff.objects.bulk_update([signed], ["operator"]),
        lambda signed: SignOff._base_manager.filter(pk=signed.pk).update(operator="bob"),
        lambda signed: SignOff.objects.bulk_create(
            [signed], update_conflicts=True, unique_fields=["id"], update_fields=["operator"]
        ),
        lambda signed: SignOff.objects.all()._raw_delete("default"),
    ],
)
def test_a_sign_off_is_never_changed_nor_deleted(
    audit: Audit, sign: Sign, change: Callable[[SignOff], object]
) -> None:
    signed = sign(audit)

    with pytest.raises(WrittenOnceError):
        change(signed)

    assert SignOff.objects.get(pk=signed.pk).is_intact


def test_neither_its_audit_nor_its_run_can_be_deleted(audit: Audit, sign: Sign) -> None:
    sign(audit)

    for thing in (audit, audit.run):
        assert thing
        with pytest.raises(models.ProtectedError):
            thing.delete()


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": Audit.Verdict.DIFFERS},
        {"verdict": Audit.Verdict.COUNTS_ONLY},
        {"verdict": Audit.Verdict.NOT_CHECKED},
        {"status": Audit.Status.RUNNING},
        {"status": Audit.Status.FAILED},
    ],
)
def test_only_a_green_audit_can_be_signed(audit: Audit, sign: Sign, change: dict[str, str]) -> None:
    for name, value in change.items():
        setattr(audit, name, value)

    with pytest.raises(Refused, match="finished and green"):
        sign(audit)

    assert not SignOffAttempt.objects.exists()


@pytest.mark.parametrize(
    ("side", "words"),
    [("source", r"The source, old\.sqlite3"), ("dest", r"The destination, shop\.sqlite3")],
)
def test_an_audit_of_what_has_changed_since_cannot_be_signed(
    shop: Shop, audit: Audit, sign: Sign, side: str, words: str
) -> None:
    shop.execute(side, NEW_GROUP)

    with pytest.raises(Refused, match=f"{words}, was written after this audit had begun"):
        sign(audit, answers=True)

    assert not SignOff.objects.exists()


def test_an_audit_without_positions_cannot_be_signed(audit: Audit, sign: Sign) -> None:
    audit.positions = {}

    with pytest.raises(Refused, match="Where the source stood was not kept"):
        sign(audit, answers=True)


def test_what_cannot_be_told_is_answered_for_and_kept(audit: Audit, sign: Sign) -> None:
    audit.positions["source"]["start"] |= {"mark": "log 1 1"}  # put away since
    audit.positions["source"]["end"] = audit.positions["source"]["start"]

    with pytest.raises(Refused, match="Say that you answer for it"):
        sign(audit)
    signed = sign(audit, answers=True)

    (sentence,) = signed.contents["answered_for"]
    assert "can't be told" in sentence


def test_a_column_that_was_not_compared_is_answered_for_and_kept(shop: Shop, sign: Sign) -> None:
    shop.execute("source", "ALTER TABLE auth_group ADD COLUMN motto varchar(9)")
    audit = ended(start(GROUPS)).audits.get()
    assert audit.is_green

    with pytest.raises(Refused, match="The source has a column motto"):
        sign(audit)
    signed = sign(audit, answers=True)

    (sentence,) = signed.contents["answered_for"]
    assert sentence.startswith("auth.Group: The source has a column motto that neither")


def test_a_wrong_password_signs_nothing_and_is_written_down_without_it(
    audit: Audit, sign: Sign, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), pytest.raises(Refused, match="not your password"):
        sign(audit, "hunter2")

    assert not SignOff.objects.exists()
    attempt = SignOffAttempt.objects.get()
    assert (attempt.operator, attempt.succeeded) == ("alice", False)
    last = Event.objects.latest("id")
    assert (last.who, last.what) == (
        "alice",
        f"Typed a wrong password to sign {audit} off.",
    )
    assert "wrong password" in caplog.text
    assert "hunter2" not in caplog.text + last.what


def test_the_password_of_somebody_else_is_wrong(audit: Audit, sign: Sign, bob: User) -> None:
    with pytest.raises(Refused, match="not your password"):
        sign(audit, "bob")


def test_after_five_wrong_passwords_the_right_one_is_not_looked_at(
    audit: Audit, sign: Sign
) -> None:
    for number in range(signing.MOST_WRONG):
        with pytest.raises(Refused, match="not your password"):
            sign(audit, f"guess {number}")

    with pytest.raises(Refused, match="Wait for a quarter of an hour"):
        sign(audit)
    SignOffAttempt.objects.update(at=timezone.now() - timedelta(minutes=16))

    assert sign(audit).is_intact


def test_an_operator_signs_an_audit_once_and_another_may_sign_it_too(
    audit: Audit, sign: Sign, bob: User
) -> None:
    sign(audit)

    with pytest.raises(Refused, match="alice has signed"):
        sign(audit)
    signing.sign(request_of(bob), audit, "bob")

    assert sorted(audit.sign_offs.values_list("operator", flat=True)) == ["alice", "bob"]


def test_of_two_clicks_at_once_one_signs(
    audit: Audit, sign: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    between: list[Callable[[], object]] = [lambda: None, lambda: sign(audit)]
    monkeypatch.setattr(signing, "verify", lambda *_: between.pop()())
    with pytest.raises(Refused, match="alice has signed"):
        sign(audit)
    assert audit.sign_offs.count() == 1


def test_the_timeline_of_the_run_says_who_signed_with_the_seal(audit: Audit, sign: Sign) -> None:
    signed = sign(audit)

    event = Event.objects.latest("id")

    assert (event.run, event.who) == (audit.run, "alice")
    assert signed.digest in event.what


def test_later_changes_are_told_of_each_side(shop: Shop, audit: Audit, sign: Sign) -> None:
    signed = sign(audit)
    assert not any(side.movement.changed for side in positions.since_signing(signed))
    memory.clear()

    shop.execute("dest", NEW_GROUP)

    changed = {side.word: side.movement.changed for side in positions.since_signing(signed)}
    assert changed == {"source": False, "destination": True}


def test_no_password_of_a_database_gets_into_the_record(
    shop: Shop, postgres: Postgres, sign: Sign
) -> None:
    secret = postgres.url.partition("@")[0].rpartition(":")[2]

    signed = sign(ended(start(GROUPS)).audits.get())

    assert "PostgreSQL" in signed.contents["dest"]["product"]
    assert secret not in signed.record


@pytest.fixture
def mysql(
    shop: Shop, make_database: MakeDatabase, settings: Settings, tmp_path: Path
) -> Callable[[str], None]:
    """The shop's destination is in MariaDB instead: what writes to it."""
    url = make_database("mysql")
    migrate(tmp_path, url)
    settings.ENDPOINTS = settings.ENDPOINTS | {"dest": endpoint(url)}

    def write(statement: str) -> None:
        with closing(mysql_connection(url)) as server:
            server.cursor().execute(statement)

    return write


def test_on_mysql_later_writes_are_told_by_table_and_rows_born_by_key(
    mysql: Callable[[str], None], sign: Sign
) -> None:
    signed = sign(ended(start(GROUPS, "auth.Permission")).audits.get())
    assert not any(side.movement.changed for side in positions.since_signing(signed))
    memory.clear()

    mysql(NEW_GROUP)

    dest = positions.since_signing(signed)[1]
    assert (dest.role, dest.movement.tables) == ("dest", (GROUPS,))
    (found,) = born.births(signed).tables
    assert (found.label, found.rows, found.keys) == (GROUPS, 1, ("8",))


def test_rows_born_since_are_found_by_their_keys(
    shop: Shop, postgres: Postgres, sign: Sign
) -> None:
    signed = sign(ended(start(GROUPS, "auth.Permission")).audits.get())
    assert born.births(signed).tables == []

    postgres.execute(*[f"INSERT INTO auth_group (name) VALUES ('born {n}')" for n in range(6)])

    (found,) = born.births(signed).tables
    assert (found.label, found.rows, found.more) == (GROUPS, 6, False)
    assert found.above == 7
    assert found.keys == ("8", "9", "10", "11", "12")


def test_rows_born_in_a_table_that_was_empty_are_found(shop: Shop, sign: Sign) -> None:
    shop.execute("source", "DELETE FROM auth_group")
    signed = sign(ended(start(GROUPS)).audits.get())

    shop.execute("dest", NEW_GROUP)

    (found,) = born.births(signed).tables
    assert (found.above, found.rows) == (None, 1)


def test_more_rows_than_a_page_may_count_are_not_counted(
    shop: Shop, audit: Audit, sign: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(born, "COUNTED", 2)
    signed = sign(audit)

    shop.execute("dest", *[f"INSERT INTO auth_group (name) VALUES ('{n}')" for n in range(5)])

    (found,) = born.births(signed).tables
    assert (found.rows, found.more) == (3, True)


def test_births_are_not_told_of_another_database(
    audit: Audit, sign: Sign, shop: Shop, settings: Settings
) -> None:
    signed = sign(audit)
    other = settings.ENDPOINTS["source"]
    settings.ENDPOINTS = {"source": endpoint(f"sqlite:///{shop.dest}"), "dest": other}

    with pytest.raises(Refused, match="not the database that was signed for"):
        born.births(signed)


def test_an_audit_of_the_way_back_can_be_signed(shop: Shop, sign: Sign) -> None:
    run = ended(start(GROUPS, reverse=True))
    services.execute(run.pk)

    record = sign(run.audits.get()).contents

    assert record["audit"]["reverse"] is True
    assert record["dest"]["name"] == "old.sqlite3"
