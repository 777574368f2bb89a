"""A real worker: it takes what the pages queue, and leaves no lie behind when it dies."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copy

import pytest

from tests.conftest import manage
from tests.services.conftest import (
    CRAWLING_SQLITE,
    GROUPS,
    Shop,
    much_to_copy,
)
from tests.services.deployment import Deployment, Worker

LOG = ("auth.Group", "auth.User", "admin.LogEntry", "registry.Policy")

StartWorker = Callable[[Deployment], Worker]


@pytest.fixture(scope="module")
def control_with_alice(
    migrated_control: Path, tables: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A control database with an operator."""
    copy(migrated_control, var := tmp_path_factory.mktemp("alice"))
    env = {f"{side}_DATABASE_URL": f"sqlite:///{tables}" for side in ("SOURCE", "DEST")}
    env["DJANGO_SUPERUSER_PASSWORD"] = "alice"
    who = ("--username=alice", "--email=alice@example.org")
    done = manage(var, env, "createsuperuser", "--noinput", *who)
    assert done.returncode == 0, done.stderr
    return var / "control.sqlite3"


@pytest.fixture
def deployment(shop: Shop, control_with_alice: Path, tmp_path: Path) -> Deployment:
    env = {
        "SOURCE_DATABASE_URL": f"sqlite:///{shop.source}",
        "DEST_DATABASE_URL": f"sqlite:///{shop.dest}",
    }
    (var := tmp_path / "var").mkdir()
    copy(control_with_alice, var)
    return Deployment(var, env)


@pytest.fixture
def worker() -> Iterator[StartWorker]:
    started: list[Worker] = []

    def start(deployment: Deployment) -> Worker:
        started.append(Worker(deployment))
        return started[-1]

    yield start
    for worker in started:
        worker.stop(signal.SIGKILL)


def groups(shop: Shop) -> list[tuple[int]]:
    return shop.rows("dest", "SELECT count(*) FROM auth_group")


ASK_FOR_ALL = """
import json
from migrations_ui import services
services.request_counts()
answer = services.request_audit(["auth.Group"], "alice").pk
"""


@pytest.mark.parametrize("queue", ["sqlite", "redis"])
def test_a_worker_does_what_was_queued_before_it_came(
    deployment: Deployment,
    worker: StartWorker,
    shop: Shop,
    request: pytest.FixtureRequest,
    queue: str,
) -> None:
    if queue == "redis":
        url = request.getfixturevalue("redis_url")
        deployment = Deployment(deployment.var, {**deployment.env, "HUEY_URL": url})
    run = deployment.start("auth.Group")
    assert (deployment.status(run), groups(shop)) == ("queued", [(2,)])

    worker(deployment)
    deployment.wait_for_status(run, "succeeded")
    assert groups(shop) == [(GROUPS,)]
    assert (deployment.var / "huey.sqlite3").exists() == (queue == "sqlite")

    audit = deployment.shell(ASK_FOR_ALL)
    for table, key, wanted in (
        ("audit", f"id = {audit}", "status = 'finished' AND verdict = 'identical'"),
        ("countrequest", "1", "finished_at IS NOT NULL AND error = ''"),
    ):
        query = f"SELECT 1 FROM migrations_ui_{table} WHERE {key} AND {wanted}"
        deployment.wait_for(query)


def test_while_developing_too_a_run_is_left_to_the_worker(
    deployment: Deployment, worker: StartWorker, shop: Shop
) -> None:
    """huey runs tasks inside the web request where DEBUG is on, unless it is told otherwise."""
    deployment = Deployment(deployment.var, {**deployment.env, "DEBUG": "1"})
    run = deployment.start("auth.Group")
    assert (deployment.status(run), groups(shop)) == ("queued", [(2,)])
    assert deployment.shell(
        "import json\nfrom django.conf import settings\nfrom huey.contrib.djhuey import HUEY\n"
        "answer = [settings.DEBUG, HUEY.immediate, HUEY.pending_count()]"
    ) == [True, False, 1]

    worker(deployment)
    deployment.wait_for_status(run, "succeeded")


def test_a_cancel_is_acknowledged_and_takes_effect_within_a_chunk(
    deployment: Deployment, worker: StartWorker, shop: Shop
) -> None:
    much_to_copy(shop)
    shop.execute("dest", CRAWLING_SQLITE)
    worker(deployment)
    run = deployment.start(*LOG)
    deployment.wait_for_rows(run)

    assert deployment.cancel(run) == 302
    deployment.wait_for_status(run, "cancelled")

    events = deployment.rows(
        f"SELECT what, who FROM migrations_ui_event WHERE run_id = {run} ORDER BY id DESC"
    )
    assert events[:2] == [("The worker has stopped.", "worker"), ("Asked to stop.", "alice")]
    assert shop.rows("dest", "SELECT count(*) FROM django_admin_log") == [(0,)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_worker_stops_when_it_is_asked(
    deployment: Deployment, worker: StartWorker, number: int
) -> None:
    stopped = worker(deployment)
    assert stopped.stop(number) == 0
    assert "Traceback" not in stopped.said()
