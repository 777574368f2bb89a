"""What is told outside of the pages, to whom, how often, and what never leaves."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from pytest_django import Settings

from migrations_ui import notifications
from migrations_ui.models import Audit, Event, Notification, Run
from migrations_ui.states import move
from tests.services.receiving import Receiver

SECRET = "s3kr1t-of-the-webhook"
SIDE = {
    "name": "shop",
    "vendor": "postgresql",
    "host": "db.internal.example:5432",
    "identity": "pg:1",
}


@pytest.fixture
def receiver(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    found = Receiver()
    settings.NOTIFY_WEBHOOK_URL = found.url
    settings.NOTIFY_WEBHOOK_SECRET = SECRET
    settings.PUBLIC_URL = "https://cutover.example.org/"
    yield found
    found.close()


@pytest.fixture
def readers(settings: Settings) -> list[str]:
    settings.NOTIFY_EMAILS = ["night@example.org", "day@example.org"]
    return list(settings.NOTIFY_EMAILS)


@pytest.fixture
def run(db: None) -> Run:
    found = Run.objects.create(
        status="running",
        operator="alice",
        source=SIDE,
        dest=SIDE | {"name": "shop_mysql", "vendor": "mysql"},
        heartbeat_at=timezone.now(),
    )
    found.tables.create(
        position=0,
        label="shop.Order",
        table="shop_order",
        status="failed",
        source_rows=10,
        copied_rows=7,
        dest_rows_before=0,
        error="Key K-4711: the value 'private' is too long",
    )
    return found


def fail(run: Run) -> None:
    assert move(run.pk, "failed", who="worker", error="the value 'private' of K-4711 is too long")


def hasten() -> None:
    """As if the time until the next try had passed."""
    Notification.objects.filter(status="waiting").update(due_at=timezone.now())


def told(run: Run) -> list[str]:
    texts = run.events.filter(what__contains="could not be delivered")
    return list(texts.values_list("what", flat=True))


# The webhook


def test_the_end_of_a_run_is_posted_once(receiver: Receiver, run: Run) -> None:
    fail(run)
    notifications.deliver_all()
    notifications.deliver_all()

    [message] = receiver.messages
    assert message["event"] == "run.failed"
    assert message["subject"] == f"Run {run.pk} has failed (shop → shop_mysql)"
    assert message["url"] == f"https://cutover.example.org/runs/{run.pk}/"
    assert message["run"]["failed_tables"] == ["shop.Order"]
    assert (message["run"]["rows"], message["run"]["expected_rows"]) == (7, 10)
    assert Notification.objects.get().status == "sent"
    assert told(run) == []


def test_the_signature_is_that_of_the_body_and_the_moment_is_inside(
    receiver: Receiver, run: Run
) -> None:
    fail(run)
    notifications.deliver_all()

    [(headers, body)] = receiver.got
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-Cutover-Signature"] == f"sha256={expected}"
    assert headers["X-Cutover-Delivery"] == json.loads(body)["id"]
    sent_at = datetime.fromisoformat(json.loads(body)["sent_at"])
    assert abs(timezone.now() - sent_at) < timedelta(minutes=1)


def test_no_host_no_value_and_no_secret_leaves(
    receiver: Receiver, readers: list[str], run: Run
) -> None:
    fail(run)
    notifications.deliver_all()

    [(headers, body)] = receiver.got
    [letter] = mail.outbox
    for text in (f"{headers}{body.decode()}", letter.message().as_string()):
        assert "private" not in text
        assert "K-4711" not in text
        assert "db.internal.example" not in text
        assert SECRET not in text


@pytest.mark.parametrize("answer", [500, 404, 302])
def test_an_answer_that_is_no_success_is_tried_again_and_told_on_the_runs_page(
    receiver: Receiver, run: Run, caplog: pytest.LogCaptureFixture, answer: int
) -> None:
    receiver.answers = [answer]
    fail(run)
    notifications.deliver_all()

    [text] = told(run)
    assert f"(try 1 of 5): HTTP Error {answer}" in text
    assert "tried again in 2 s" in text
    notifications.deliver_all()
    assert len(receiver.got) == 1  # not before it is due

    hasten()
    notifications.deliver_all()
    assert [message["id"] for message in receiver.messages] == 2 * [receiver.messages[0]["id"]]
    assert Notification.objects.get().status == "sent"
    run.refresh_from_db()
    assert run.status == "failed"
    for hidden in (SECRET, "t0ken"):
        assert hidden not in caplog.text
        assert not Event.objects.filter(what__contains=hidden).exists()


def test_after_five_tries_it_is_given_up(receiver: Receiver, run: Run) -> None:
    receiver.answers = [503] * 9
    fail(run)
    for _ in range(9):
        notifications.deliver_all()
        hasten()

    assert len(receiver.got) == 5
    assert told(run)[-1].endswith("It was given up.")
    assert Notification.objects.get().status == "failed"


def test_a_receiver_that_is_not_there_harms_nothing(
    receiver: Receiver, settings: Settings, run: Run
) -> None:
    settings.NOTIFY_WEBHOOK_URL = "http://127.0.0.1:1/hooks/t0ken"
    fail(run)
    notifications.deliver_all()

    [text] = told(run)
    assert "refused" in text
    assert "t0ken" not in text


def test_of_an_unknown_error_only_the_kind_is_told() -> None:
    assert notifications.reason(ValueError("https://host/t0ken")) == "ValueError"


# E-mail


def test_one_letter_goes_to_all(readers: list[str], run: Run) -> None:
    fail(run)
    notifications.deliver_all()

    [letter] = mail.outbox
    assert letter.to == readers
    assert letter.subject == f"[Cutover] Run {run.pk} has failed (shop → shop_mysql)"
    assert "failed_tables: shop.Order" in letter.body
    assert "dest: shop_mysql (mysql)" in letter.body


# Exactly once


def test_each_change_is_told_and_a_resumed_run_is_told_of_again(
    readers: list[str], run: Run
) -> None:
    fail(run)
    move(run.pk, "queued", who="alice")
    move(run.pk, "running", who="worker")
    fail(run)
    notifications.deliver_all()

    assert len(mail.outbox) == 2


def test_a_change_that_did_not_happen_is_not_told(readers: list[str], run: Run) -> None:
    fail(run)
    assert not move(run.pk, "succeeded", who="worker")
    notifications.deliver_all()

    assert len(mail.outbox) == 1


@pytest.mark.parametrize("status", ["pausing", "cancelling", "queued"])
def test_what_is_no_end_is_not_told(readers: list[str], run: Run, status: str) -> None:
    assert move(run.pk, status, who="worker")
    notifications.deliver_all()

    assert mail.outbox == []


def test_of_two_couriers_one_sends(readers: list[str], run: Run) -> None:
    fail(run)
    seen = Notification.objects.get()
    same = Notification.objects.get()

    assert notifications._claim(seen)
    assert not notifications._claim(same)


def test_a_claim_of_a_courier_that_died_runs_out(readers: list[str], run: Run) -> None:
    fail(run)
    assert notifications._claim(Notification.objects.get())
    notifications.deliver_all()
    assert mail.outbox == []

    Notification.objects.update(due_at=timezone.now())
    notifications.deliver_all()
    assert len(mail.outbox) == 1


def test_without_a_channel_nothing_is_noted(run: Run) -> None:
    fail(run)
    notifications.deliver_all()

    assert not Notification.objects.exists()


# Stalls and audits


def test_a_silence_is_told_once_and_the_next_one_again(readers: list[str], run: Run) -> None:
    for seconds in (60, 40):
        Run.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=seconds))
        notifications.deliver_all()
        notifications.deliver_all()

    assert [letter.subject for letter in mail.outbox] == 2 * [
        f"[Cutover] Run {run.pk} gives no sign of life (shop → shop_mysql)"
    ]


def test_a_run_that_is_alive_or_paused_is_no_stall(readers: list[str], run: Run) -> None:
    notifications.deliver_all()
    Run.objects.update(status="paused", heartbeat_at=timezone.now() - timedelta(hours=1))
    notifications.deliver_all()

    assert mail.outbox == []


def make_audit(**fields: Any) -> Audit:
    ended = {"status": "finished", "verdict": "differs", "finished_at": timezone.now()}
    return Audit.objects.create(operator="alice", source=SIDE, dest=SIDE, **ended | fields)


def test_an_audits_verdict_is_told_once(readers: list[str], run: Run) -> None:
    audit = make_audit()
    notifications.deliver_all()
    notifications.deliver_all()

    [letter] = mail.outbox
    assert letter.subject == f"[Cutover] Audit {audit.pk} finished: differs (shop → shop)"


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"status": "running", "finished_at": None}, id="under way"),
        pytest.param({"finished_at": timezone.now() - timedelta(days=2)}, id="long ago"),
    ],
)
def test_other_audits_are_not_told(readers: list[str], run: Run, fields: dict[str, Any]) -> None:
    make_audit(**fields)
    notifications.deliver_all()

    assert mail.outbox == []


def test_a_runs_own_audit_is_not_told_beside_its_run(readers: list[str], run: Run) -> None:
    make_audit(run=run)
    notifications.deliver_all()

    assert mail.outbox == []


# Commands


def test_a_command_tells_what_it_has_done_and_tries_again(
    receiver: Receiver, readers: list[str], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "WAITS", (0, 0, 0, 0))
    receiver.answers = [500]
    fail(run)
    notifications.settle(run)

    assert len(mail.outbox) == 1
    assert len(receiver.got) == 2
    assert set(Notification.objects.values_list("status", flat=True)) == {"sent"}


def test_a_command_leaves_to_a_worker_what_would_keep_it_too_long(
    receiver: Receiver, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "WAITS", (0, 3600))
    receiver.answers = [500] * 9
    fail(run)
    notifications.settle(run)

    assert len(receiver.got) == 2
    assert Notification.objects.get().status == "waiting"
