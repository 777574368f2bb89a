"""Wake-ups for a worker; the control tables are the truth about what there is to do."""

from __future__ import annotations

from huey.contrib.djhuey import db_task

from migrations_ui import auditing, counting, execution, retrying


@db_task()
def execute_run(run_id: int) -> None:
    """Do a queued run."""
    execution.execute(run_id)


@db_task()
def answer_count_request(request_id: int) -> None:
    """Make exact counts."""
    counting.answer(request_id)


@db_task()
def execute_audit(audit_id: int) -> None:
    """Do a queued audit."""
    auditing.audit(audit_id)


@db_task()
def retry_rejected_rows(run_id: int) -> None:
    """Try the rejected rows of a run again."""
    retrying.retry(run_id)


@db_task()
def execute_data_check(check_id: int) -> None:
    """Look at the source's values."""
    execution.look_at_values(check_id)
