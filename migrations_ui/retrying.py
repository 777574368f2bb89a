"""Trying rejected rows again, after what refused them was mended in the destination."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.utils import timezone

from migrations_ui import auditing, holding, journal, plans
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.databases.triggers import Trigger
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.rejecting import load
from migrations_ui.engine.transfer import set_sequences
from migrations_ui.engine.triggers import without_triggers
from migrations_ui.models import Event, RejectedRow, Run
from migrations_ui.sides import Refused, chosen_tables, endpoints

logger = logging.getLogger(__name__)


class Ledger:
    """Keeps in the run's journal which triggers are off meanwhile; nothing is tried twice."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id

    def check(self) -> None: ...

    def again(self, error: EngineError, attempt: int) -> bool:
        return False

    def switching_off(self, triggers: Sequence[Trigger]) -> None:
        journal.note_triggers(self.run_id, triggers)

    def switched_on(self, trigger: Trigger) -> None:
        journal.strike_trigger(self.run_id, trigger)


def retry(run_id: int) -> None:
    """Load each row that is still set aside, in a transaction of its own, and audit the run again.

    Foreign keys are looked at this time.  A row that is refused again stays, with the new reason.
    """
    run = Run.objects.get(pk=run_id)
    try:
        with holding.take(run, "trying its rejected rows again") as hold:
            arrived, waiting = _load(run, hold)
    except Exception as error:
        what = f"The rejected rows could not be tried again: {error}"
        if not isinstance(error, EngineError | Refused):
            logger.exception("%s: a try of its rejected rows failed", run)
    else:
        what = f"Rejected rows tried again: {arrived:,} have arrived, {waiting:,} were refused."
    Event.objects.create(run=run, who="worker", what=what)


def _load(run: Run, hold: holding.Hold) -> tuple[int, int]:
    """How many rows have arrived, and how many were refused again."""
    tables = chosen_tables(run.tables.values_list("label", flat=True))
    found = {layout.label: layout for layout in plans.check(tables, reverse=run.reverse).layouts}
    ends = endpoints(reverse=run.reverse)
    arrived = 0
    rows = list(run.rejected.filter(arrived_at=None))
    with ends.open_source() as source, ends.open_dest() as dest:
        dest.prepare_load(check_foreign_keys=True)
        with without_triggers(list(found.values()), dest, Ledger(run.pk)):
            for row in rows:
                hold.check()
                arrived += _load_row(row, found.get(row.label), dest)
        hold.check()
        set_sequences(list(found.values()), source, dest)
    report = auditing.new_audit(tables, run.operator, reverse=run.reverse, run=run)
    auditing.audit(report.pk)
    return arrived, len(rows) - arrived


def _load_row(row: RejectedRow, layout: Layout | None, dest: Database) -> bool:
    """Load one row, or keep why it was refused, unless another try has loaded it meanwhile."""
    waiting = RejectedRow.objects.filter(pk=row.pk, arrived_at=None)
    try:
        if layout is None or layout.signature != row.signature:
            raise Refused("The table's columns are not what they were; copy the table again.")
        with dest.transaction():
            load(dest, layout, bytes(row.row))
    except (EngineError, Refused) as error:
        waiting.update(message=str(error))
        return False
    return bool(waiting.update(arrived_at=timezone.now()))
