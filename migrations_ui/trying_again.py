"""Steps of a run that has ended, tried again, and what the run is called by afterwards."""

from __future__ import annotations

from migrations_ui import auditing, holding, outcomes, steps
from migrations_ui.execution import WORKER, audited
from migrations_ui.models import Audit, Event, Run, Step
from migrations_ui.sides import Refused, chosen_tables
from migrations_ui.states import move


def retry_step(step_id: int) -> None:
    """Do a queued step of an ended run again, and let the run's state be what is true then."""
    step = Step.objects.select_related("run").get(pk=step_id)
    if step.status != Step.Status.QUEUED:
        return  # another worker is at it, or has been
    try:
        hold = holding.take(step.run, f"trying its step `{step}` again")
    except Refused as refusal:
        steps.put_back(step, str(refusal))
        return
    with hold:
        steps.retry(step_id, hold.check)
        conclude(step.run)


def settle(run_id: int) -> None:
    """End what a worker has begun with an ended run and did not live to finish."""
    run = Run.objects.get(pk=run_id)
    try:
        hold = holding.take(run, "ending what a worker has begun that has vanished")
    except Refused:
        return  # somebody is at it already
    with hold:
        what = f"The worker has vanished. It was {run.doing}."
        Event.objects.create(run=run, who=WORKER, what=what)
        steps.end_dead(run.steps.all())
        for audit in run.audits.filter(status=Audit.Status.QUEUED):
            auditing.cancel(audit.pk)  # it was about to begin with it; nobody else would
        conclude(run)


def conclude(run: Run) -> None:
    """Let the state of a run that was incomplete be what is true now.

    When nothing but its steps was wanting, and all have succeeded now, it is audited once more,
    because they may have written since the last audit.
    """
    run.refresh_from_db()
    if run.status != Run.Status.INCOMPLETE:
        return
    error = ""
    if not steps.unfinished(run) and not run.newer_only:
        labels = list(run.tables.values_list("label", flat=True))
        error = outcomes.problem_of(run, audited(run, chosen_tables(labels)))
    if error := error or outcomes.wanting(run):
        Run.objects.filter(pk=run.pk, status=Run.Status.INCOMPLETE).update(error=error)
    else:
        move(
            run.pk,
            Run.Status.SUCCEEDED,
            who=WORKER,
            only_from=Run.Status.INCOMPLETE,
            error="",
        )
