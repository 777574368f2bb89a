"""Real processes tell real receivers of what they have done, once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shutil import copy

import pytest

from tests.conftest import manage
from tests.services.conftest import Shop
from tests.services.deployment import Deployment, Worker, wait_until
from tests.services.receiving import Mailbox, Receiver

WEBHOOK = "s3kr1t-of-the-webhook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with closing(Receiver()) as found:
        yield found


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with closing(Mailbox()) as found:
        yield found


@pytest.fixture
def deployment(
    shop: Shop, migrated_control: Path, tmp_path: Path, receiver: Receiver, mailbox: Mailbox
) -> Deployment:
    env = {
        "SOURCE_DATABASE_URL": f"sqlite:///{shop.source}",
        "DEST_DATABASE_URL": f"sqlite:///{shop.dest}",
        "NOTIFY_EMAILS": "night@example.org,day@example.org",
        "EMAIL_URL": f"smtp://127.0.0.1:{mailbox.port}",
        "DEFAULT_FROM_EMAIL": "cutover@example.org",
        "NOTIFY_WEBHOOK_URL": receiver.url,
        "NOTIFY_WEBHOOK_SECRET": WEBHOOK,
        "PUBLIC_URL": "https://cutover.example.org",
        "no_proxy": "127.0.0.1",
    }
    (var := tmp_path / "var").mkdir()
    copy(migrated_control, var)
    return Deployment(var, env)


def statuses(deployment: Deployment) -> set[str]:
    return {row[0] for row in deployment.rows("SELECT status FROM migrations_ui_notification")}


def test_commands_tell_it_themselves_at_their_end(
    deployment: Deployment, shop: Shop, receiver: Receiver, mailbox: Mailbox
) -> None:
    arguments = ("auth.Group", "--wipe", shop.dest.name)
    done = manage(deployment.var, deployment.env, "copydata", *arguments)
    assert done.returncode == 0, done.stderr

    [message] = receiver.messages
    assert message["event"] == "run.succeeded"
    assert message["run"]["dest"] == {"name": shop.dest.name, "vendor": "sqlite"}
    [letter] = mailbox.letters
    assert "From: cutover@example.org" in letter
    assert "To: night@example.org, day@example.org" in letter
    assert "https://cutover.example.org/runs/1/" in letter
    assert WEBHOOK not in done.stdout + done.stderr

    done = manage(deployment.var, deployment.env, "auditdata", "auth.Group")
    assert done.returncode == 0, done.stderr
    assert [message["event"] for message in receiver.messages] == [
        "run.succeeded",
        "audit.finished",
    ]
    assert receiver.messages[1]["audit"]["verdict"] == "identical"


def test_of_two_workers_one_tells_it(
    deployment: Deployment, receiver: Receiver, mailbox: Mailbox
) -> None:
    workers = [Worker(deployment), Worker(deployment)]
    try:
        run = deployment.start("auth.Group")
        deployment.wait_for_status(run, "succeeded")
        wait_until(lambda: statuses(deployment) == {"sent"})
    finally:
        for worker in workers:
            worker.stop(signal.SIGTERM)

    assert [message["event"] for message in receiver.messages] == ["run.succeeded"]
    assert len(mailbox.letters) == 1
    assert all(WEBHOOK not in worker.said() for worker in workers)


def test_a_receiver_that_fails_leaves_the_run_and_its_worker_alone(
    deployment: Deployment, receiver: Receiver
) -> None:
    receiver.answers = [500]
    worker = Worker(deployment)
    try:
        run = deployment.start("auth.Group")
        deployment.wait_for_status(run, "succeeded")
        wait_until(lambda: statuses(deployment) == {"sent"})
    finally:
        worker.stop(signal.SIGTERM)

    told = f"SELECT what FROM migrations_ui_event WHERE run_id = {run} AND what LIKE '%deliver%'"
    [(text,)] = deployment.rows(told)
    assert "by webhook could not be delivered (try 1 of 5): HTTP Error 500" in text
    assert len(receiver.got) == 2
    assert "t0ken" not in worker.said() + text
