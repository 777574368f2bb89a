"""Wake-ups for a worker; the control tables are the truth about what there is to do."""

from __future__ import annotations

from typing import Any

from huey.contrib.djhuey import HUEY, db_task

from migrations_ui import auditing, counting, execution, restoring, retrying, trying_again
from migrations_ui.tables import being_counted
from migrations_ui.ticker import leaving


@db_task()
def execute_run(run_id: int) -> None:
    """Do a queued run."""
    execution.execute(run_id)


@db_task()
def answer_count_request(request_id: int) -> None:
    """Make exact counts."""
    with being_counted(request_id):
        counting.answer(request_id)


@db_task()
def execute_audit(audit_id: int) -> None:
    """Do a queued audit; where this process is asked to stop, the next one does it."""
    auditing.audit(audit_id, leaving=leaving)


@db_task()
def retry_rejected_rows(run_id: int) -> None:
    """Try the rejected rows of a run again."""
    retrying.retry(run_id)


@db_task()
def retry_step(step_id: int) -> None:
    """Do a step after a copy again."""
    trying_again.retry_step(step_id)


@db_task()
def settle_run(run_id: int) -> None:
    """End what was begun with an ended run by a worker that has vanished."""
    trying_again.settle(run_id)


@db_task()
def execute_data_check(check_id: int) -> None:
    """Look at the source's values."""
    execution.look_at_values(check_id)


@db_task()
def restore_indexes(run_id: int) -> None:
    """Put back what an ended run has left off."""
    restoring.restore_after(run_id)


def wake(task: Any, pk: int) -> None:
    """Let a worker do this task, unless one will in any case."""
    name = task.task_class.__name__
    if not any(waits.name == name and waits.args == (pk,) for waits in HUEY.pending()):
        task(pk)
