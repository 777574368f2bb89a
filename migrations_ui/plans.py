"""What the operator confirms: which rows are wiped where, bound together by a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from django.conf import settings

from migrations_ui.engine import catalog, preflight
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.preflight import Report
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

    @property
    def blockers(self) -> list[Finding]:
        return [found for found in self.findings if found.severity is Severity.BLOCKER]

    @property
    def total_source_rows(self) -> int:
        return sum(row.source_rows or 0 for row in self.tables)

    @property
    def total_dest_rows(self) -> int:
        return sum(row.dest_rows or 0 for row in self.tables)

    @property
    def labels(self) -> list[str]:
        return [row.label for row in self.tables]


def run_preflight(labels: Iterable[str] | None = None, *, reverse: bool = False) -> PreflightReport:
    """Check both sides for the tables of the labels; None means all but those left out."""
    report = check(chosen_tables(labels), reverse=reverse)
    ends = endpoints(reverse=reverse)
    return PreflightReport(
        source=_side("source", ends.source, report),
        dest=_side("dest", ends.dest, report),
        findings=tuple(report.findings),
        status=report.status,
    )


def _side(role: str, config: dict[str, object], report: Report) -> Side:
    server = report.source if role == "source" else report.dest
    return Side.of(role, server) if server else Side.unknown(role, config, "can't be reached")


def check(tables: Sequence[Table], *, reverse: bool) -> Report:
    """The engine's preflight with this process's configuration."""
    return preflight.check(endpoints(reverse=reverse), tables, host_app_labels())


def make_plan(labels: Iterable[str], *, reverse: bool = False) -> Plan:
    """The plan for these labels, from kept counts; `Refused` when it would copy nothing."""
    tables = chosen_tables(labels)
    if not tables:
        raise Refused("No table is selected. Select at least one.")
    source, dest = glances(tables, reverse=reverse)
    counts = kept_counts(source, dest)
    referring = catalog_referring(host_tables())
    rows = tuple(make_row(table, source, dest, counts, referring) for table in tables)
    report = check(tables, reverse=reverse)
    exact = all(row.source_exact and row.dest_exact for row in rows)
    counting = not exact or is_counting(oldest_count(tables, source, dest, counts))
    blocked = report.status == "blockers"
    return Plan(
        source=source.side,
        dest=dest.side,
        reverse=reverse,
        tables=rows,
        reach=reach(tables),
        findings=tuple(report.findings),
        fingerprint="" if counting or blocked else fingerprint(source.side, dest.side, rows),
        counting=counting and not blocked,
    )


def fingerprint(source: Side, dest: Side, rows: Sequence[TableRow]) -> str:
    """SHA-256 of what the operator is shown: both databases, the tables, the rows to be wiped.

    The source's counts are left out: a rehearsal runs while the site is still in use.
    """
    facts = {
        "source": asdict(source),
        "dest": asdict(dest),
        "tables": sorted([row.label, row.table, row.dest_rows] for row in rows),
        "secret": hashlib.sha256(settings.SECRET_KEY.encode()).hexdigest(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def reach(tables: Sequence[Table]) -> tuple[str, ...]:
    """Sentences about tables outside the selection that refer into it."""
    names = {table.label: table.name for table in host_tables()}
    chosen = {table.label for table in tables}
    return tuple(
        f"{names[label]} is replaced, and {' and '.join(sorted(others))} "
        f"{'refers' if len(others) == 1 else 'refer'} to it without being copied: rows there that "
        "refer to keys the source does not have would lead nowhere, and the run would fail."
        for label, others in sorted(catalog.referring(chosen, host_tables()).items())
    )


def changes(shown: Mapping[str, int], now: Sequence[TableRow]) -> list[str]:
    """What differs between the rows that the operator was shown and those that are there now."""
    return [
        f"{row.label} had {shown[row.label]:,} rows and has {row.dest_rows:,}"
        for row in now
        if row.dest_rows is not None and shown.get(row.label, row.dest_rows) != row.dest_rows
    ]
