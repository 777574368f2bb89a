"""Steps after a copy: on the destination, in a process of their own, kept with what they said."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from migrations_ui import holding, services, steps
from migrations_ui.engine.databases.positions import Movement, State
from migrations_ui.engine.errors import Cancelled
from migrations_ui.execution import untouched
from migrations_ui.models import Event, Run, Step
from migrations_ui.sides import Refused
from migrations_ui.steps import Output
from tests.services.conftest import Postgres, Shop, ended, start

pytestmark = pytest.mark.django_db(transaction=True)

GROUPS = "auth.Group"
HERE = "tests.services.stepping"


def nothing() -> None:
    """Nobody wants the run to stop."""


def planned(settings: Settings, *lines: list[str], reverse: bool = False) -> Run:
    """A queued run with these steps."""
    settings.CUTOVER_STEPS = list(lines)
    return start(GROUPS, reverse=reverse)


def done(run: Run) -> list[Step]:
    steps.do_all(run, nothing)
    return list(run.steps.all())


def end(run: Run) -> Run:
    """The run as if it had ended, incomplete."""
    Run.objects.filter(pk=run.pk).update(status=Run.Status.INCOMPLETE, active_dest=None)
    run.refresh_from_db()
    return run


def alive(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_default_is_the_destination_and_the_arguments_are_passed_as_they_are(
    shop: Shop, settings: Settings
) -> None:
    run = planned(settings, [f"{HERE}.where", "a b", "$HOME; rm"])

    (step,) = done(run)

    assert (step.status, step.exit_status, step.error) == (Step.Status.SUCCEEDED, 0, "")
    assert step.output == f"{shop.dest} ('a b', '$HOME; rm')\n"


def test_on_the_way_back_default_is_the_old_source(shop: Shop, settings: Settings) -> None:
    run = planned(settings, [f"{HERE}.where"], reverse=True)

    (step,) = done(run)

    assert step.output.startswith(str(shop.source))


def test_a_command_of_the_host_writes_to_the_destination_only(
    shop: Shop, postgres: Postgres, settings: Settings
) -> None:
    postgres.execute(
        "INSERT INTO django_session VALUES ('old', '', '2001-01-01'), ('new', '', '2999-01-01')"
    )
    before = shop.dump("source")
    run = planned(settings, ["clearsessions"])

    (step,) = done(run)

    assert step.status == Step.Status.SUCCEEDED, step.output
    assert postgres.execute("SELECT session_key FROM django_session") == [("new",)]
    assert shop.dump("source") == before


def test_what_a_step_writes_is_named(shop: Shop, postgres: Postgres, settings: Settings) -> None:
    run = planned(settings, [f"{HERE}.add_group", "born"], ["check"])

    first, second = done(run)

    assert (first.changed, second.changed) == ([GROUPS], [])
    what = f"The step `{first}` succeeded. It has written {GROUPS}."
    assert Event.objects.filter(who="worker", what=what).exists()


def test_after_a_step_that_fails_the_others_wait_and_the_copy_is_not_undone(
    shop: Shop, settings: Settings
) -> None:
    run = planned(settings, ["no_such_command"], ["check"])

    first, second = done(run)

    assert (first.status, second.status) == (Step.Status.FAILED, Step.Status.WAITING)
    assert first.exit_status == 1
    assert "Unknown command: 'no_such_command'" in first.output
    assert "The step `no_such_command` failed: It ended with status 1." in steps.unfinished(run)
    assert "1 more was not begun" in steps.unfinished(run)
    assert "It does not undo the copy" in steps.unfinished(run)


def test_a_function_that_raises_has_failed_and_its_traceback_is_kept(
    shop: Shop, settings: Settings, tmp_path: Path
) -> None:
    run = planned(settings, [f"{HERE}.add_group_once", "late", str(tmp_path / "mended")])

    (step,) = done(run)

    assert step.status == Step.Status.FAILED
    assert "RuntimeError: not mended yet" in step.output


def test_a_step_that_is_tried_again_goes_on_with_those_that_wait(
    shop: Shop, settings: Settings, tmp_path: Path
) -> None:
    mended = tmp_path / "mended"
    run = planned(
        settings, ["check"], [f"{HERE}.add_group_once", "late", str(mended)], ["clearsessions"]
    )
    _, failed, _ = done(run)
    end(run)

    mended.touch()
    services.retry_step(failed, "alice")
    assert run.steps.get(pk=failed.pk).status == Step.Status.QUEUED
    steps.retry(failed.pk, nothing)

    assert [step.status for step in run.steps.all()] == [Step.Status.SUCCEEDED] * 3
    assert [step.attempts for step in run.steps.all()] == [1, 2, 1]
    assert steps.unfinished(run) == ""
    assert Event.objects.filter(who="alice", what__contains="Asked to do the step").exists()


def test_a_step_is_not_done_by_two_workers(
    shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = end(planned(settings, ["check"]))
    step = run.steps.get()
    services.retry_step(step, "alice")
    begun: list[Step] = []

    def begin(step: Step, check: object) -> bool:
        begun.append(step)
        return False

    monkeypatch.setattr(steps, "do", begin)

    steps.retry(step.pk, nothing)
    steps.retry(step.pk, nothing)

    assert len(begun) == 1


def test_a_step_is_not_tried_again_while_its_run_or_another_is_active(
    shop: Shop, settings: Settings
) -> None:
    run = planned(settings, ["check"])
    with pytest.raises(Refused, match="is still active"):
        services.retry_step(run.steps.get(), "alice")
    end(run)
    other = start(GROUPS)

    with pytest.raises(Refused, match=f"{other} is active"):
        services.retry_step(run.steps.get(), "alice")


def test_a_step_that_is_done_is_not_done_again(shop: Shop, settings: Settings) -> None:
    run = planned(settings, ["check"])
    (step,) = done(run)
    end(run)

    with pytest.raises(Refused, match="has succeeded, or a worker is at it"):
        services.retry_step(Step.objects.get(pk=step.pk), "alice")


def test_a_step_whose_worker_has_died_can_be_tried_again(shop: Shop, settings: Settings) -> None:
    run = end(planned(settings, ["check"]))
    step = run.steps.get()
    hold = holding.take(run, "trying its step `check` again")
    run.steps.update(status=Step.Status.RUNNING, started_at=timezone.now())
    services.recover()
    with pytest.raises(Refused, match=f"{run} keeps shop.sqlite3 to itself: it is trying its step"):
        services.retry_step(step, "alice")
    assert run.steps.get().status == Step.Status.RUNNING

    with hold:
        pass  # and nothing was written of the step
    services.recover()
    step = run.steps.get()
    assert (step.status, step.error) == (Step.Status.FAILED, steps.VANISHED)
    services.retry_step(step, "alice")


def test_only_the_beginning_and_the_end_of_a_long_output_are_kept(
    shop: Shop, settings: Settings
) -> None:
    run = planned(settings, [f"{HERE}.chatter", "20000"])

    (step,) = done(run)

    assert step.status == Step.Status.SUCCEEDED
    assert step.output.startswith("line 0 ")
    assert "bytes are left out" in step.output
    assert step.output.rstrip().splitlines()[-1].startswith("line 19999 ")
    assert len(step.output) < 100_000


def test_the_beginning_of_an_output_is_kept_however_much_comes_at_once() -> None:
    output = Output()
    output.add(b"first\n" * 10_000)
    output.add(b"middle\n" * 10_000)
    output.add(b"last\n" * 10_000)

    text = output.text()

    assert text.startswith("first\n" * 2_000)
    assert "bytes are left out" in text
    assert text.endswith("last\n" * 9_000)


def test_no_credential_is_kept_and_no_other_database_is_named_to_a_step(
    shop: Shop, postgres: Postgres, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTROL_DATABASE_URL", "sqlite:////control")
    run = planned(settings, [f"{HERE}.tell_secrets"])
    secret = settings.ENDPOINTS["dest"]["PASSWORD"]

    (step,) = done(run)

    assert step.status == Step.Status.SUCCEEDED, step.output
    assert "password: …" in step.output
    assert secret not in step.output
    assert "hunter2" not in step.output
    for name in ("SOURCE_DATABASE_URL", "CONTROL_DATABASE_URL", "CUTOVER_STEP_DATABASE"):
        assert name not in step.output


def test_an_alias_of_the_host_that_leads_to_the_source_leads_to_the_destination(
    shop: Shop, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_settings.py").write_text(
        "from dashboard.demo.project import *\n"
        f"OLD = {{'ENGINE': 'django.db.backends.sqlite3', 'NAME': {str(shop.source)!r}}}\n"
        "DATABASES = {'default': OLD, 'replica': dict(OLD)}\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    settings.HOST_SETTINGS = "own_settings"
    before = shop.dump("source")
    run = planned(settings, [f"{HERE}.write_elsewhere", "replica"])

    (step,) = done(run)

    assert step.status == Step.Status.SUCCEEDED, step.output
    assert shop.dump("source") == before
    assert shop.rows("dest", "SELECT 1 FROM auth_group WHERE name = 'elsewhere'") == [(1,)]


def test_a_step_that_takes_too_long_is_stopped_with_all_that_it_has_started(
    shop: Shop, settings: Settings, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    settings.CUTOVER_STEP_TIMEOUT = 0
    run = planned(settings, [f"{HERE}.sleep_with_a_child", str(pids)])

    def until_it_sleeps() -> None:
        while not pids.exists():
            time.sleep(0.01)

    steps.do_all(run, until_it_sleeps)

    step = run.steps.get()
    assert step.status == Step.Status.FAILED
    assert "longer than 0 seconds" in step.error
    assert not any(alive(int(pid)) for pid in pids.read_text().split())


def test_a_run_that_is_cancelled_stops_its_step(
    shop: Shop, settings: Settings, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    run = planned(settings, [f"{HERE}.sleep_with_a_child", str(pids)])

    def cancelled() -> None:
        if pids.exists():
            raise Cancelled("The run was cancelled.")

    with pytest.raises(Cancelled):
        steps.do_all(run, cancelled)

    step = run.steps.get()
    assert (step.status, step.error) == (
        Step.Status.FAILED,
        "It was stopped: The run was cancelled.",
    )
    assert not any(alive(int(pid)) for pid in pids.read_text().split())


def test_a_step_ends_when_its_worker_is_killed(
    shop: Shop, settings: Settings, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    run = planned(settings, ["check"])
    worker = os.fork()
    if not worker:
        try:
            steps.run_process(
                steps.environment(run), [f"{HERE}.sleep_with_a_child", str(pids)], 60, nothing
            )
        finally:
            os._exit(1)
    while not pids.exists():
        time.sleep(0.01)

    os.kill(worker, 9)
    os.waitpid(worker, 0)

    while any(alive(int(pid)) for pid in pids.read_text().split()):
        time.sleep(0.05)


def test_what_has_succeeded_is_not_done_again_when_a_run_goes_on(
    shop: Shop, settings: Settings
) -> None:
    run = planned(settings, ["check"])
    done(run)

    done(run)

    assert run.steps.get().attempts == 1


def test_a_run_does_its_steps_before_its_audit(shop: Shop, settings: Settings) -> None:
    run = ended(planned(settings, ["check"], [f"{HERE}.where"]))

    assert run.status == Run.Status.SUCCEEDED
    finished = run.steps.latest("position").finished_at
    audit = run.audits.get()
    assert audit.is_green
    assert finished
    assert audit.started_at
    assert finished < audit.started_at
    assert steps.unfinished(run) == ""


def test_a_step_that_fails_leaves_a_run_incomplete_whose_copy_is_whole(
    shop: Shop, settings: Settings
) -> None:
    run = ended(planned(settings, ["no_such_command"]))

    assert run.status == Run.Status.INCOMPLETE
    assert "All rows have arrived. The step `no_such_command` failed" in run.error
    assert run.audits.get().is_green
    assert shop.rows("dest", "SELECT count(*) FROM auth_group") == [(7,)]


def test_the_audit_tells_what_a_step_has_done_to_the_rows(shop: Shop, settings: Settings) -> None:
    run = ended(planned(settings, [f"{HERE}.add_group", "born"]))

    assert run.status == Run.Status.FAILED
    assert f"{GROUPS}: 1 row is extra" in run.error


def test_the_steps_are_those_that_were_configured_when_the_run_was_confirmed(
    shop: Shop, settings: Settings
) -> None:
    run = planned(settings, ["check"])
    settings.CUTOVER_STEPS = [["no_such_command"]]

    assert ended(run).status == Run.Status.SUCCEEDED


def test_what_was_compared_before_the_steps_is_known_only_as_far_as_they_did_not_write() -> None:
    known: Any = {GROUPS: 1, "auth.User": 2}

    assert untouched(known, Movement(State.UNCHANGED)) == known
    left: Any = untouched(known, Movement(State.CHANGED, (GROUPS,)))
    assert left == {"auth.User": 2}
    assert untouched(known, Movement(State.CHANGED)) is None
    assert untouched(known, Movement(State.UNKNOWN)) is None
    assert untouched(None, Movement(State.CHANGED, (GROUPS,))) is None
