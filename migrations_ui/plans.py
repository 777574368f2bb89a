"""What the operator confirms: which rows are wiped where, bound together by a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from django.conf import settings

from migrations_ui import datachecks, journal, routing
from migrations_ui.engine import catalog, preflight
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.errors import EngineError, ServerError
from migrations_ui.engine.findings import Finding, Severity, insist, status
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.preflight import Report
from migrations_ui.engine.transforms import parse, transformed, with_labels
from migrations_ui.models import DataCheck
from migrations_ui.sides import (
    Refused,
    Side,
    chosen_tables,
    endpoints,
    host_app_labels,
    host_tables,
)
from migrations_ui.tables import (
    TableRow,
    catalog_referring,
    glances,
    is_counting,
    kept_counts,
    make_row,
    oldest_count,
)


@dataclass(frozen=True)
class PreflightReport:
    """Both sides and everything that was found."""

    source: Side
    dest: Side
    findings: tuple[Finding, ...]
    status: str  # "ok", "warnings" or "blockers"
    checked: DataCheck | None  # the look at the values that the findings include
    comparable: bool  # there are tables on both sides whose values can be looked at


class Stale(Refused):
    """What was confirmed is not what would be done now."""

    def __init__(self, message: str, now: Plan) -> None:
        super().__init__(message)
        self.now = now


@dataclass(frozen=True)
class Plan:
    """A run that could be started, as the confirmation page shows it.

    `fingerprint` is empty while exact counts are missing: what isn't known can't be confirmed.
    """

    source: Side
    dest: Side
    reverse: bool
    tables: tuple[TableRow, ...]
    reach: tuple[str, ...]
    findings: tuple[Finding, ...]
    fingerprint: str
    counting: bool
    checking: bool  # the values have not been looked at yet
    checked: DataCheck | None = None  # the look at the values that the findings include
    transforms: tuple[str, ...] = ()  # declared: label.column=name
    layouts: tuple[Layout, ...] = ()  # the tables as both databases have them

    @property
    def namesakes(self) -> bool:
        """Whether source and destination have the same name: it does not tell which is wiped."""
        return self.source.name == self.dest.name

    @property
    def waiting(self) -> bool:
        """Whether a worker has to finish something before this can be confirmed."""
        return self.counting or self.checking

    @property
    def blockers(self) -> list[Finding]:
        return [found for found in self.findings if found.severity is Severity.BLOCKER]

    @property
    def refused_rows(self) -> int:
        """Rows that the destination would refuse, at most: one may be counted for two reasons."""
        return sum(found.rows or 0 for found in self.open_blockers if found.refused)

    def blockers_beyond(self, reject_limit: int) -> list[Finding]:
        """The blockers that setting so many rows aside does not overcome."""
        enough = self.refused_rows <= reject_limit
        return [found for found in self.open_blockers if not (found.refused and enough)]

    def spoilt(self, reject_limit: int) -> list[str]:
        """The labels of the tables without which those blockers would not be there."""
        about = {found.label for found in self.blockers_beyond(reject_limit)}
        return [row.label for row in self.tables if row.label in about]

    @property
    def open_blockers(self) -> list[Finding]:
        """The blockers that no declared transform overcomes."""
        return [found for found in self.blockers if not overcome(found, self.transforms)]

    @property
    def total_source_rows(self) -> int:
        return sum(row.source_rows or 0 for row in self.tables)

    @property
    def total_dest_rows(self) -> int:
        return sum(row.dest_rows or 0 for row in self.tables)

    @property
    def with_rows(self) -> list[TableRow]:
        """The tables that have rows, or may have: first those of which some are wiped."""
        found = [row for row in self.tables if not row.is_empty]
        return sorted(found, key=lambda row: row.dest_rows == 0)

    @property
    def without_rows(self) -> list[TableRow]:
        return [row for row in self.tables if row.is_empty]

    @property
    def labels(self) -> list[str]:
        return [row.label for row in self.tables]


def run_preflight(labels: Iterable[str] | None = None, *, reverse: bool = False) -> PreflightReport:
    """Check servers and schemas for the tables of the labels (None: all but those left out).

    What the newest look at the values found is added; `checked` is None where there is none.
    """
    tables = chosen_tables(labels)
    report = check(tables, reverse=reverse)
    data = datachecks.latest(report, reverse=reverse)
    ends = endpoints(reverse=reverse)
    findings = (*report.findings, *(datachecks.findings_of(data, report) if data else ()))
    return PreflightReport(
        source=_side("source", ends.source, report),
        dest=_side("dest", ends.dest, report),
        findings=findings,
        status=status(findings),
        checked=data,
        comparable=bool(report.layouts),
    )


def _side(role: str, config: dict[str, object], report: Report) -> Side:
    server = report.source if role == "source" else report.dest
    return Side.of(role, server) if server else Side.unknown(role, config, "can't be reached")


def check(tables: Sequence[Table], *, reverse: bool) -> Report:
    """The engine's preflight with this process's configuration."""
    report = preflight.check(endpoints(reverse=reverse), tables, host_app_labels())
    if report.source and report.dest:
        report.findings += local_times(report.source.vendor, report.dest.vendor)
    if report.source:
        report.findings += left_elsewhere(tables, reverse=reverse)
    if report.dest:
        report.findings = journal.explained(report.findings, report.dest.identity)
    return report


def left_elsewhere(tables: Sequence[Table], *, reverse: bool) -> list[Finding]:
    """Rows of tables that are not among these, and that the site keeps in another database."""
    others = [
        table
        for table in host_tables()
        if table.left_out == routing.ELSEWHERE and table not in tables
    ]
    if not others:
        return []
    try:
        with endpoints(reverse=reverse).open_source() as source:
            return list(routing.left_behind(source, others))
    except EngineError as error:
        return [preflight.not_checked(error)]


def local_times(source: str, dest: str) -> Iterator[Finding]:
    """That the site's DATABASES name a TIME_ZONE, in which MySQL and SQLite keep its datetimes."""
    zone, keeps_moments = settings.HOST_TIME_ZONE, "postgresql"
    if not zone or zone == "UTC" or source == dest == keeps_moments:
        return
    if keeps_moments in (source, dest):
        first = (
            ""
            if source == keeps_moments
            else "While the site is off, turn these datetimes into UTC, column by column. "
        )
        yield Finding(
            code="time-zone-of-database",
            severity=Severity.BLOCKER,
            message=f"The site's DATABASES say TIME_ZONE = {zone!r}: MySQL and SQLite keep its "
            "datetimes as local times of that zone, PostgreSQL does not. Each would be read as "
            "another moment after the copy.",
            remedy=f"{first}Take TIME_ZONE out of DATABASES, then copy.",
        )
    else:
        yield Finding(
            code="time-zone-of-database",
            severity=Severity.WARNING,
            message=f"The site's DATABASES say TIME_ZONE = {zone!r}: its datetimes are local times "
            "of that zone, and cross as they are.",
            remedy="Let the settings of the new database say the same TIME_ZONE.",
        )


def make_plan(
    labels: Iterable[str], *, reverse: bool = False, transforms: Iterable[str] = ()
) -> Plan:
    """The plan for these labels, from kept counts.

    `Refused` when it would copy nothing, or where a transform fits no column.
    """
    tables = chosen_tables(labels)
    if not tables:
        raise Refused("No table is selected. Select at least one.")
    source, dest = glances(tables, reverse=reverse)
    counts = kept_counts(source, dest)
    referring = catalog_referring(host_tables())
    rows = tuple(make_row(table, source, dest, counts, referring) for table in tables)
    report = check(tables, reverse=reverse)
    declared = declared_transforms(transforms, report, reverse=reverse)
    data = datachecks.latest(report, reverse=reverse)
    findings = (*report.findings, *(datachecks.findings_of(data, report) if data else ()))
    exact = all(row.source_exact and row.dest_exact for row in rows)
    counting = not exact or is_counting(oldest_count(tables, source, dest, counts))
    blocked = any(
        found.severity is Severity.BLOCKER and not found.refused and not overcome(found, declared)
        for found in findings
    )
    looking = data is None or datachecks.pending(reverse=reverse).filter(pk__gt=data.pk).exists()
    waiting = counting or looking
    return Plan(
        source=source.side,
        dest=dest.side,
        reverse=reverse,
        tables=rows,
        reach=reach(tables),
        findings=findings,
        fingerprint=""
        if waiting or blocked
        else fingerprint(source.side, dest.side, rows, declared),
        counting=counting and not blocked,
        checking=looking and not blocked,
        checked=data,
        transforms=declared,
        layouts=tuple(report.layouts),
    )


def insist_on(make: Callable[[], Plan], before: str) -> Plan:
    """A plan of which everything could be looked at; raise what prevented it and passes by itself.

    `before` is said before it.
    """
    try:
        plan = make()
    except Refused as refused:
        cause = refused.__cause__
        if isinstance(cause, EngineError) and cause.transient:
            raise cause from None
        raise
    for side in (plan.source, plan.dest):
        if side.error:
            raise ServerError(f"{before} {side.error}", transient=True)
    insist(plan.findings, before)
    return plan


def declared_transforms(
    transforms: Iterable[str], report: Report, *, reverse: bool
) -> tuple[str, ...]:
    """The transforms with the tables' labels, in order; `Refused` where one fits no column."""
    try:
        choices = with_labels([parse(text) for text in transforms], report.layouts)
        if choices:
            with endpoints(reverse=reverse).open_source() as source:
                transformed(report.layouts, choices, source)
    except EngineError as error:
        raise Refused(str(error)) from error
    return tuple(str(choice) for choice in sorted(choices))


def overcome(found: Finding, declared: Iterable[str]) -> bool:
    """Whether a declared transform overcomes the finding."""
    return any(choice in declared for choice in (*found.choices, *found.overcome_by))


def fingerprint(
    source: Side, dest: Side, rows: Sequence[TableRow], transforms: Sequence[str]
) -> str:
    """SHA-256 of what the operator is shown: databases, tables, rows to be wiped, transforms.

    The source's counts are left out: a rehearsal runs while the site is still in use.
    """
    facts = {
        "source": asdict(source),
        "dest": asdict(dest),
        "tables": sorted([row.label, row.table, row.dest_rows] for row in rows),
        "transforms": list(transforms),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def reach(tables: Sequence[Table]) -> tuple[str, ...]:
    """Sentences about tables outside the selection that refer into it."""
    chosen = {table.label for table in tables}
    return tuple(
        f"{label} is replaced, and {' and '.join(sorted(others))} "
        f"{'refers' if len(others) == 1 else 'refer'} to it without being copied: rows there that "
        "refer to keys the source does not have would lead nowhere, and the run would fail."
        for label, others in sorted(catalog.referring(chosen, host_tables()).items())
    )


def changes(shown: Mapping[str, int], now: Sequence[TableRow]) -> list[str]:
    """What differs between the rows that the operator was shown and those that are there now."""
    return [
        f"{row.label} had {shown[row.label]:,} {'row' if shown[row.label] == 1 else 'rows'} "
        f"and has {row.dest_rows:,}"
        for row in now
        if row.dest_rows is not None and shown.get(row.label, row.dest_rows) != row.dest_rows
    ]
