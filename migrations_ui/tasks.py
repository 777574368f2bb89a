"""Wake-ups for a worker; the control tables are the truth about what there is to do."""

from __future__ import annotations

from huey.contrib.djhuey import db_task

from migrations_ui import counting, execution


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
    execution.audit(audit_id)
