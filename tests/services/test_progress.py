"""Progress: its arithmetic, and how seldom it is written."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from migrations_ui import copies, services
from migrations_ui.engine import chunks as parts
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.layout import Layout
from migrations_ui.models import RejectedRow, Run, TableCopy
from migrations_ui.progress import Progress
from migrations_ui.recorder import Recorder
from migrations_ui.ticker import TICK, Ticker

ROWS = st.integers(min_value=0, max_value=10**12)


@given(ROWS, ROWS)
def test_a_table_is_at_100_percent_only_when_it_is_done(rows: int, total: int) -> None:
    percent = Progress(rows, total).percent
    assert percent is not None
    assert 0 <= percent <= 99
    assert Progress(rows, total, finished=True).percent == 100


def test_where_the_total_is_unknown_there_is_no_percentage() -> None:
    assert Progress(5, None).percent is None
    assert Progress(5, None).text == "5 rows"


def test_rows_over_the_expected_total_are_said_to_be_so() -> None:
    assert Progress(1_200, 1_000).text == "1,200 rows (expected 1,000)"
    assert Progress(98_230, 98_231).text == "98,230 of 98,231 rows"


def make_run(status: str = "running", copied: int = 250, total: int = 1000, **fields: Any) -> Run:
    now = timezone.now()
    times = {"started_at": now - timedelta(seconds=10), "heartbeat_at": now}
    run = Run.objects.create(
        **{"status": status, "operator": "alice", "source": {}, "phase": "load"}
        | {"dest": {"identity": "sqlite:1:1"}}
        | times
        | fields
    )
    TableCopy.objects.create(
        run=run, position=0, label="auth.Group", table="auth_group", status="copying",
        source_rows=total, dest_rows_before=0, copied_rows=copied,
    )  # fmt: skip
    return run


@pytest.mark.django_db
def test_a_runs_progress_adds_up_its_tables() -> None:
    run = make_run(rows_per_second=50.0)
    TableCopy.objects.create(
        run=run, position=1, label="auth.User", table="auth_user", source_rows=1000,
        dest_rows_before=0,
    )  # fmt: skip
    progress = services.run_progress(run)
    assert (progress.rows, progress.total, progress.percent) == (250, 2000, 12)
    assert progress.rate == 50.0
    assert progress.eta == 35.0  # 1,750 rows at 50 a second
    assert progress.elapsed == pytest.approx(10, abs=1)
    assert progress.stalled_for is None


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["running", "cancelling", "failed", "cancelled", "interrupted"])
def test_a_run_is_at_100_percent_only_when_it_has_succeeded(status: str) -> None:
    assert services.run_progress(make_run(status, copied=1000)).percent == 99
    assert services.run_progress(make_run(status, copied=1001)).percent == 99
    assert services.run_progress(make_run("succeeded", copied=1000)).percent == 100
    assert services.run_progress(make_run("succeeded", copied=0, total=0)).percent == 100


@pytest.mark.django_db
def test_there_is_no_time_left_before_it_means_something_or_after_the_load() -> None:
    assert services.run_progress(make_run(rows_per_second=None)).eta is None
    assert services.run_progress(make_run(rows_per_second=9.0, copied=1000)).eta is None
    assert services.run_progress(make_run(rows_per_second=9.0, phase="verify")).eta is None
    assert services.run_progress(make_run("failed", rows_per_second=9.0)).eta is None
    assert services.run_progress(make_run("failed", rows_per_second=9.0)).rate is None


@pytest.mark.django_db
def test_a_worker_that_is_silent_is_stalled_while_its_run_is_active() -> None:
    long_ago = timezone.now() - timedelta(seconds=30)
    stalled = services.run_progress(make_run(heartbeat_at=long_ago)).stalled_for
    assert stalled == pytest.approx(30, abs=1)
    assert services.run_progress(make_run("failed", heartbeat_at=long_ago)).stalled_for is None


@pytest.mark.django_db
def test_the_time_of_a_run_that_has_ended_stands_still() -> None:
    began = timezone.now() - timedelta(hours=1)
    run = make_run("succeeded", started_at=began, finished_at=began + timedelta(seconds=90))
    assert services.run_progress(run).elapsed == 90


# The recorder


LAYOUT = Layout(next(t for t in services.host_tables() if t.label == "auth.Group"), "", "", ())


def test_the_layout_of_these_tests_is_of_a_real_table() -> None:
    assert isinstance(LAYOUT.table, Table)


def claimed(run: Run) -> tuple[Recorder, parts.Chunk]:
    """A recorder that holds the only chunk of the run's table."""
    recorder = Recorder(run)
    Run.objects.filter(pk=run.pk).update(holder=recorder.holder)
    recorder.layouts = {LAYOUT.label: LAYOUT}
    recorder.planned([parts.Chunk(LAYOUT)])
    chunk = recorder.claim()
    assert chunk is not None
    return recorder, chunk


@pytest.mark.django_db
def test_what_is_emptied_is_to_be_loaded_again() -> None:
    recorder, chunk = claimed(make_run(copied=0))
    assert recorder.unfinished() == {LAYOUT.label}
    recorder.finished(chunk, 10, [])
    assert recorder.unfinished() == set()
    recorder.emptied(LAYOUT)
    assert recorder.unfinished() == {LAYOUT.label}


@pytest.mark.django_db
def test_rows_set_aside_are_those_of_the_tables_run_and_columns() -> None:
    older, newer = make_run(copied=0), make_run(copied=0)
    signature = LAYOUT.signature
    for run, row, columns, arrived in (
        (newer, b"1\n", signature, None),
        (older, b"2\n", signature, None),
        (newer, b"3\n", ["other"], None),
        (newer, b"4\n", signature, timezone.now()),
    ):
        RejectedRow.objects.create(
            run=run, label=LAYOUT.label, row=row, signature=columns, arrived_at=arrived
        )
    runs = {LAYOUT.label: newer, "auth.User": older}
    assert copies.rejected(runs, [LAYOUT]) == {LAYOUT.label: [b"1"], "auth.User": []}


@pytest.mark.django_db
def test_progress_costs_no_query_until_the_next_tick(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    run = make_run(copied=0)
    recorder, chunk = claimed(run)
    with django_assert_num_queries(0):
        for rows in range(1, 1001):
            recorder.progress(chunk, rows)
    # The heartbeats, the chunk, its table three times, the rate twice, a look at what is wanted.
    with django_assert_num_queries(9):
        recorder.tick()
    assert run.tables.get().copied_rows == 1000
    with django_assert_num_queries(5):
        recorder.tick()


@pytest.mark.django_db
def test_the_end_of_a_table_is_written_at_once_and_nothing_overwrites_it() -> None:
    run = make_run(copied=0)
    recorder, chunk = claimed(run)
    recorder.progress(chunk, 500)
    recorder.finished(chunk, 1000, [])
    recorder.tick()
    table = run.tables.get()
    assert (table.status, table.copied_rows) == ("done", 1000)


@pytest.mark.django_db
def test_a_sum_that_the_ticker_made_before_the_last_chunk_overwrites_nothing() -> None:
    """The ticker adds up, the chunk ends, and only then the ticker writes what it has added up."""
    run = make_run(copied=0)
    recorder, chunk = claimed(run)
    recorder.progress(chunk, 424)
    add_up = recorder._sum_up

    def slowly(table: TableCopy, **only: str) -> None:
        stale = TableCopy.objects.filter(pk=table.pk, **only)
        recorder._sum_up = add_up  # type: ignore[method-assign]  # from here on as it is
        recorder.finished(chunk, 1000, [])
        stale.update(copied_rows=424)

    recorder._sum_up = slowly  # type: ignore[method-assign]  # once
    recorder.tick()
    table = run.tables.get()
    assert (table.status, table.copied_rows) == ("done", 1000)


@pytest.mark.django_db
def test_a_table_that_failed_has_no_rows() -> None:
    run = make_run(copied=0)
    recorder, chunk = claimed(run)
    recorder.progress(chunk, 500)
    recorder.tick()
    recorder.failed(chunk, ValueError("no"))
    recorder.tick()
    table = run.tables.get()
    assert (table.status, table.copied_rows, table.error) == ("failed", 0, "no")


@pytest.mark.django_db(transaction=True)
def test_the_ticker_writes_at_most_twice_a_second_and_once_more_at_the_end() -> None:
    times: list[float] = []
    ticker = Ticker(lambda: times.append(time.monotonic()))
    ticker.start()
    time.sleep(1.7)
    ticker.stop()

    *regular, last = times
    assert len(regular) == 3
    gaps = [after - before for before, after in pairwise(regular)]
    assert min(gaps) >= TICK * 0.9
    assert last - regular[-1] < TICK


@pytest.mark.django_db(transaction=True)
def test_a_control_database_that_is_busy_for_a_moment_does_not_silence_the_worker() -> None:
    answers = iter([OperationalError("busy"), None, None])
    ticks: list[object] = []

    def tick() -> None:
        ticks.append(answer := next(answers, None))
        if answer:
            raise answer

    ticker = Ticker(tick)
    ticker.start()
    time.sleep(TICK * 3.5)
    ticker.stop()
    assert len(ticks) >= 3
