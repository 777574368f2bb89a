"""Which of several processes gets which chunk of a run, and what they share besides."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from migrations_ui import assisting, claims, services, workers
from migrations_ui.claims import LeaseLost
from migrations_ui.engine.errors import Suspended
from migrations_ui.engine.layout import Layout
from migrations_ui.models import Chunk, Run, TableCopy
from migrations_ui.recorder import Recorder
from tests.services.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run() -> Run:
    """A run that is being loaded, whose only table has three chunks."""
    run = Run.objects.create(
        operator="alice",
        source={},
        dest={"identity": "there"},
        status=Run.Status.RUNNING,
        phase=Run.Phase.LOAD,
        holder="leader",
        heartbeat_at=timezone.now(),
        reject_limit=2,
        rate_limit=100,
    )
    table = TableCopy.objects.create(
        run=run, position=0, label="a.B", table="a_b", source_rows=30, dest_rows_before=0
    )
    for position in range(3):
        Chunk.objects.create(table=table, position=position, size=1)
    return run


def position(chunk: Chunk | None) -> int | None:
    return None if chunk is None else chunk.position


def claim(run: Run, holder: str) -> Chunk:
    chunk = claims.claim(run.pk, holder, leads=holder == "leader")
    assert chunk is not None
    return chunk


def test_what_one_that_takes_part_gives_up_is_the_leaders_to_try(run: Run) -> None:
    given_up = claim(run, "other")
    claims.give_up(given_up.pk, "other")
    assert position(claim(run, "other")) == 1
    assert position(claim(run, "leader")) == given_up.position
    assert position(claim(run, "other")) == 2
    assert claims.claim(run.pk, "other", leads=False) is None


def test_what_one_that_died_was_at_is_taken_by_whoever_comes(run: Run) -> None:
    dead = claim(run, "dead")
    for _ in range(2):
        claim(run, "leader")
    assert claims.claim(run.pk, "other", leads=False) is None
    long_ago = timezone.now() - claims.lease() - timedelta(seconds=1)
    Chunk.objects.filter(pk=dead.pk).update(heartbeat_at=long_ago)
    assert position(claim(run, "other")) == dead.position


def test_a_claim_whose_answer_was_lost_is_not_kept_for_ever(run: Run) -> None:
    recorder = Recorder(run)
    Run.objects.filter(pk=run.pk).update(holder=recorder.holder)
    recorder.layouts = {"a.B": Layout(services.host_tables()[0], "a_b", "a_b", ())}
    lost = claims.claim(run.pk, recorder.holder, leads=True)
    known = recorder.claim()
    assert lost is not None
    assert known is not None
    long_ago = timezone.now() - 2 * claims.lease()
    Chunk.objects.filter(holder=recorder.holder).update(heartbeat_at=long_ago)
    recorder.tick()
    old = Chunk.objects.filter(heartbeat_at=long_ago)
    assert [chunk.pk for chunk in old] == [lost.pk]
    assert [position(claim(run, "other")) for _ in range(2)] == [2, lost.position]


def test_those_who_give_signs_of_life_are_waited_for(run: Run) -> None:
    chunk = claim(run, "other")
    claim(run, "leader")
    assert claims.others_at_work(run.pk, "leader")
    assert claims.at_work(run.pk) == 2
    Chunk.objects.filter(pk=chunk.pk).update(heartbeat_at=timezone.now() - 2 * claims.lease())
    assert not claims.others_at_work(run.pk, "leader")
    assert [c.pk for c in claims.held_by_others(run.pk, "leader")] == [chunk.pk]


def test_the_reject_limit_is_one_for_all(run: Run) -> None:
    one, other = claim(run, "leader"), claim(run, "other")
    assert claims.set_aside(run.pk, one.pk, "leader", 2)
    assert claims.set_aside(run.pk, other.pk, "other", 2)
    assert not claims.set_aside(run.pk, one.pk, "leader", 2)


def test_what_was_set_aside_in_a_chunk_that_is_undone_counts_no_more(run: Run) -> None:
    one, other = claim(run, "leader"), claim(run, "other")
    assert claims.set_aside(run.pk, other.pk, "other", 1)
    assert not claims.set_aside(run.pk, one.pk, "leader", 1)
    claims.give_up(other.pk, "other")
    assert claims.set_aside(run.pk, one.pk, "leader", 1)
    with pytest.raises(LeaseLost):
        claims.set_aside(run.pk, other.pk, "other", 2)


def test_a_limit_of_rows_a_second_is_shared(run: Run) -> None:
    assistant = assisting.Assistant(run)
    claim(run, assistant.holder)
    assistant.tick()
    assert assistant.throttle.limit == 100
    claim(run, "leader")
    assistant.tick()
    assert assistant.throttle.limit == 50


@pytest.mark.parametrize(
    "change", [{"holder": "next"}, {"phase": "indexes"}, {"status": Run.Status.PAUSING}]
)
def test_who_takes_part_stops_when_the_run_goes_on_without_it(
    run: Run, change: dict[str, str]
) -> None:
    assistant = assisting.Assistant(run)
    assistant.tick()
    assistant.check()
    Run.objects.update(**change)
    assert assistant.claim() is None
    assistant.tick()
    with pytest.raises(Suspended):
        assistant.check()


def test_with_a_run_from_or_into_a_file_nobody_helps(run: Run, shop: Shop) -> None:
    Run.objects.update(holder=workers.new_holder())
    assert claims.untried(run.pk).count() == 3
    assert assisting.is_alone(run)
    assert assisting.in_need() is None


def test_nobody_helps_a_worker_of_other_code(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assisting, "is_alone", lambda run: False)
    Run.objects.update(holder=Recorder(run).holder)
    assert assisting.in_need() == run
    monkeypatch.setattr(workers, "CODE", "01234567")
    assert assisting.in_need() is None
    Run.objects.update(holder=Recorder(run).holder)
    assert assisting.in_need() == run


def test_an_end_leaves_nobody_at_a_chunk_and_no_row_that_was_not_committed(run: Run) -> None:
    chunk = claim(run, "dead")
    Chunk.objects.filter(pk=chunk.pk).update(copied_rows=10, rejected_rows=1)
    run.tables.update(copied_rows=10)
    claims.release(run.pk)
    chunk.refresh_from_db()
    assert (chunk.status, chunk.holder, chunk.copied_rows) == ("waiting", "", 0)
    assert run.tables.get().copied_rows == 0
