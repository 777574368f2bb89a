from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries, Settings

from migrations_ui import metrics, workers
from migrations_ui.models import Audit, Chunk, Run, Worker
from tests.views.conftest import DEST

TOKEN = "t0ken-of-prometheus"

Labels = tuple[tuple[str, str], ...]


@pytest.fixture
def figures(db: None) -> Callable[[], dict[tuple[str, Labels], float]]:
    """The exposition as Prometheus reads it: of each name and labels, the figure."""

    def read() -> dict[tuple[str, Labels], float]:
        families = text_string_to_metric_families(metrics.exposition().decode())
        samples = [sample for family in families for sample in family.samples]
        return {(s.name, tuple(sorted(s.labels.items()))): s.value for s in samples}

    return read


Figures = Callable[[], dict[tuple[str, Labels], float]]


def of(run: Run, **labels: str) -> Labels:
    found = {"run": str(run.pk), "source": "shop", "dest": "shop_mysql"} | labels
    return tuple(sorted(found.items()))


# Who may read them


def ask(client: Client, token: str) -> Any:
    return client.get("/metrics", headers={"Authorization": token})


@pytest.mark.django_db
def test_the_token_lets_prometheus_in(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN
    response = ask(client, f"Bearer {TOKEN}")

    assert response.status_code == 200
    assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"cutover_workers_alive 0.0" in response.content


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("configured", "sent"),
    [
        pytest.param(TOKEN, "Bearer another", id="wrong"),
        pytest.param(TOKEN, f"Basic {TOKEN}", id="not a bearer's"),
        pytest.param("", "Bearer ", id="empty"),
        pytest.param("", f"Bearer {TOKEN}", id="none is set"),
        pytest.param(TOKEN, "Bearer töken", id="not ASCII"),
    ],
)
def test_any_other_token_does_not(
    client: Client, settings: Settings, configured: str, sent: str
) -> None:
    settings.METRICS_TOKEN = configured
    response = ask(client, sent)

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert b"cutover_" not in response.content


def test_staff_who_may_look_need_no_token(sign_in: Callable[[Any], Client], bob: Any) -> None:
    assert b"cutover_runs" in sign_in(bob).get("/metrics").content


def test_a_wrong_token_is_not_made_good_by_a_session(
    sign_in: Callable[[Any], Client], bob: Any
) -> None:
    assert ask(sign_in(bob), "Bearer wrong").status_code == 401


# What they say


def test_a_run_under_way_is_told_in_rows_chunks_and_lag(
    figures: Figures, make_run: Callable[..., Run]
) -> None:
    run = make_run(
        "running",
        rows_per_second=12.5,
        retries=3,
        heartbeat_at=timezone.now() - timedelta(seconds=30),
    )
    table = run.tables.earliest("position")
    for position, status in enumerate(("waiting", "waiting", "copying", "done")):
        Chunk.objects.create(table=table, position=position, status=status, size=1)
    run.tables.filter(position=1).update(error="too long", status="failed", rejected_rows=2)
    found = figures()

    assert found["cutover_run_rows_copied", of(run)] == 1000
    assert found["cutover_run_rows_expected", of(run)] == 3000
    assert found["cutover_run_rows_rejected", of(run)] == 2
    assert found["cutover_run_rows_per_second", of(run)] == 12.5
    assert found["cutover_run_retries", of(run)] == 3
    assert found["cutover_run_tables_failed", of(run)] == 1
    assert 30 <= found["cutover_run_heartbeat_age_seconds", of(run)] < 60
    assert found["cutover_run_chunks", of(run, status="waiting")] == 2
    assert found["cutover_run_chunks", of(run, status="copying")] == 1
    assert found["cutover_run_chunks", of(run, status="done")] == 1


def test_runs_are_counted_by_status_and_the_newest_is_told_after_its_end(
    figures: Figures, make_run: Callable[..., Run]
) -> None:
    make_run("failed")
    run = make_run("succeeded")
    found = figures()

    assert found["cutover_runs", (("status", "failed"),)] == 1
    assert found["cutover_runs", (("status", "succeeded"),)] == 1
    assert found["cutover_runs", (("status", "paused"),)] == 0
    assert [key for key in found if key[0] == "cutover_run_rows_copied"] == [
        ("cutover_run_rows_copied", of(run))
    ]
    assert not [key for key in found if key[0] == "cutover_run_heartbeat_age_seconds"]


def test_workers_and_the_queue_are_told(figures: Figures) -> None:
    workers.Pulse().beat()
    workers.Pulse().beat()
    dead = Worker.objects.latest("pk")
    Worker.objects.filter(pk=dead.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=60))
    found = figures()

    assert found["cutover_workers_alive", ()] == 1
    assert found["cutover_workers_silent", ()] == 1
    assert found["cutover_queue_up", ()] == 1
    assert ("cutover_queue_length", ()) in found


def test_a_queue_that_is_away_has_no_length(
    figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = workers.Health([], None, "ConnectionError: refused")
    monkeypatch.setattr(workers, "look", lambda: gone)
    found = figures()

    assert found["cutover_queue_up", ()] == 0
    assert ("cutover_queue_length", ()) not in found


def test_the_last_audit_that_has_ended_tells_its_verdict(
    figures: Figures, make_audit: Callable[..., Audit]
) -> None:
    make_audit("identical", finished_at=timezone.now())
    make_audit("differs", finished_at=timezone.now())
    make_audit("identical", status="running")
    found = figures()

    assert found["cutover_last_audit_verdict", (("verdict", "differs"),)] == 1
    assert found["cutover_last_audit_verdict", (("verdict", "identical"),)] == 0
    assert ("cutover_last_audit_timestamp_seconds", ()) in found


def test_a_hostile_name_is_escaped(figures: Figures, make_run: Callable[..., Run]) -> None:
    hostile = 'shop"} 1\ncutover_workers_alive 99\\'
    run = make_run("running", dest=DEST | {"name": hostile})
    found = figures()

    assert found["cutover_run_rows_copied", of(run, dest=hostile)] == 1000
    assert found["cutover_workers_alive", ()] == 0


def test_no_host_and_no_operator_is_told(figures: Figures, make_run: Callable[..., Run]) -> None:
    make_run("running")
    text = metrics.exposition().decode()

    assert "db2.example.org" not in text
    assert "alice" not in text


@pytest.mark.parametrize("history", [1, 12])
def test_no_history_changes_the_number_of_queries(
    make_run: Callable[..., Run],
    make_audit: Callable[..., Audit],
    django_assert_num_queries: DjangoAssertNumQueries,
    history: int,
) -> None:
    for number in range(history):
        make_run("running", active_dest=str(number))
        make_audit("identical", "differs")

    with django_assert_num_queries(8):
        metrics.exposition()
