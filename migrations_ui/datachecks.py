"""Looking at the source's values before a run: made by a worker, kept, and good for an hour."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from migrations_ui.engine import values
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.databases.positions import Position, State
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.preflight import Report
from migrations_ui.health_models import ControlClock
from migrations_ui.models import DataCheck
from migrations_ui.sides import Ends, available_cores, chosen_tables, endpoints
from migrations_ui.ticker import Ticker

logger = logging.getLogger(__name__)

# A check that is older, or of another schema, says nothing about a run that starts now.
FRESH = timedelta(hours=1)
# Where a server does not tell whether it was written since, a run looks again after this.
RECENT = timedelta(minutes=10)
# A worker that has been silent for so long has died, or there is none.
SILENCE = timedelta(seconds=60)

Look = Callable[[Sequence[Table], bool], Report]


def schemas_of(report: Report) -> dict[str, str]:
    """Of each table, SHA-256 of what a check depends on: the databases and its columns."""
    identities = (
        f"{report.source and report.source.identity} {report.dest and report.dest.identity}"
    )
    return {
        layout.label: hashlib.sha256(f"{identities} {layout.columns}".encode()).hexdigest()
        for layout in report.layouts
    }


def latest(report: Report, *, reverse: bool) -> DataCheck | None:
    """The newest check that is good for the tables of this report as they are now."""
    if not report.layouts:
        return None
    finished = DataCheck.objects.filter(
        status=DataCheck.Status.FINISHED,
        reverse=reverse,
        finished_at__gt=timezone.now() - FRESH,
    )[:20]
    schemas = schemas_of(report).items() if finished else ()
    return next((check for check in finished if schemas <= check.schemas.items()), None)


def pending(*, reverse: bool) -> QuerySet[DataCheck]:
    """Checks that a worker has not finished yet, and that are worth waiting for.

    One that was asked for before the newest that is finished is not: it would say nothing new.
    """
    finished = DataCheck.objects.filter(status=DataCheck.Status.FINISHED, reverse=reverse)
    newest = finished.values_list("pk", flat=True).first() or 0
    return DataCheck.objects.filter(
        status__in=(DataCheck.Status.QUEUED, DataCheck.Status.RUNNING),
        reverse=reverse,
        heartbeat_at__gt=ControlClock() - SILENCE,
        pk__gt=newest,
    )


def findings_of(check: DataCheck, report: Report) -> list[Finding]:
    """What was found in the tables of the report, as findings again."""
    labels = {layout.label for layout in report.layouts}
    return [
        Finding(
            **found
            | {
                "severity": Severity(found["severity"]),
                "sample_keys": tuple(found["sample_keys"]),
                "transforms": tuple(found["transforms"]),
                "overcome_by": tuple(found.get("overcome_by", ())),
            }
        )
        for found in check.findings
        if found["label"] in labels
    ]


def is_outdated(check: DataCheck) -> bool:
    """Whether the source has been written since the look began, or may have been meanwhile."""
    if (state := moved_since(check)) is not State.UNKNOWN:
        return state is State.CHANGED
    return check.finished_at is None or check.finished_at < timezone.now() - RECENT


def moved_since(check: DataCheck) -> State:
    """Whether the source has been written since the look began, as far as its server tells."""
    if not check.position:
        return State.UNKNOWN
    before = Position.from_json(check.position)
    with endpoints(reverse=check.reverse).open_source() as source:
        return source.moved(before, source.position(before.tables or ())).state


def execute(
    check_id: int, look: Look, ends: Ends | None = None, stop: Callable[[], object] = lambda: None
) -> Exception | None:
    """Look at the values, table by table; `look` is the preflight of servers and schemas.

    What went wrong is kept with the check, and returned.  Who may interrupt the statements of
    `ends` says by what `stop` raises that the look is to end.
    """
    check = DataCheck.objects.get(pk=check_id)
    same = DataCheck.objects.filter(pk=check_id)
    same.update(status=DataCheck.Status.RUNNING, heartbeat_at=ControlClock())
    ticker = Ticker(lambda: same.update(heartbeat_at=ControlClock(), doing=check.doing))
    ticker.start()
    try:
        tables = chosen_tables(check.labels)
        report = look(tables, check.reverse)
        check.schemas = schemas_of(report)
        found = _values(check, report, ends or endpoints(reverse=check.reverse), stop)
        check.findings = [asdict(each) for each in found]
    except Exception as error:
        wrong: Exception | None = error
        check.status, check.error = DataCheck.Status.FAILED, str(error)
        if not isinstance(error, EngineError):
            logger.exception("%s failed", check)
    else:
        wrong, check.status = None, DataCheck.Status.FINISHED
    ticker.stop()
    check.doing, check.finished_at = "", timezone.now()
    check.save()
    return wrong


def _values(
    check: DataCheck, report: Report, ends: Ends, stop: Callable[[], object]
) -> list[Finding]:
    """All findings about values; none where a database can't be reached, as is told elsewhere."""
    if not (report.source and report.dest):
        return []

    def doing(label: str) -> None:
        stop()
        check.doing = label  # written with the next heartbeat

    names = [layout.source_name for layout in report.layouts]
    with ends.open_source() as source:
        check.position = source.position(names, settled=True).as_json()
    try:
        return values.check(report.layouts, ends.open, doing, workers=available_cores())
    finally:
        stop()  # else a table whose statement was interrupted would count as one looked at
