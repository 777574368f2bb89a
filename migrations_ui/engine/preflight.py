"""Preflight: what would go wrong, found before anything is wiped, all of it at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from migrations_ui.engine import databases
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.checks import (
    clocks,
    columns,
    constraints,
    migrations,
    privileges,
    servers,
    triggers,
)
from migrations_ui.engine.checks import tables as tables_
from migrations_ui.engine.checks.sides import Side
from migrations_ui.engine.databases.access import Config
from migrations_ui.engine.databases.base import Database, Server
from migrations_ui.engine.errors import EngineError, Unreachable
from migrations_ui.engine.findings import Finding, Severity, status
from migrations_ui.engine.layout import Layout, matched


@dataclass
class Report:
    """What preflight saw; `source` and `dest` are None where they can't be reached."""

    source: Server | None = None
    dest: Server | None = None
    layouts: list[Layout] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def status(self) -> str:
        return status(self.findings)

    @property
    def blockers(self) -> list[Finding]:
        return [found for found in self.findings if found.severity is Severity.BLOCKER]


@dataclass(frozen=True)
class Endpoints:
    """The configurations of the databases, and the time zone of naive datetimes."""

    source: Config
    dest: Config
    control: Config
    time_zone: str = "UTC"

    def open_source(self) -> Database:
        """The source, on a connection that can't write."""
        return databases.connect(self.source, read_only=True, time_zone=self.time_zone)

    def open_dest(self) -> Database:
        """The destination, on a connection that can."""
        return databases.connect(self.dest, read_only=False, time_zone=self.time_zone)

    def open_dest_to_read(self) -> Database:
        """The destination, on a connection that can't write: an audit changes nothing."""
        return databases.connect(self.dest, read_only=True, time_zone=self.time_zone)

    @contextmanager
    def open(self) -> Iterator[tuple[Database, Database]]:
        """Both, for one thread."""
        with self.open_source() as source, self.open_dest() as dest:
            yield source, dest


def check(endpoints: Endpoints, tables: Sequence[Table], app_labels: Collection[str]) -> Report:
    """Check everything that can be checked, and report all of it at once."""
    report = Report()
    opened: dict[str, Database] = {}
    for side, opener in (("source", endpoints.open_source), ("dest", endpoints.open_dest)):
        try:
            opened[side] = opener()
            setattr(report, side, opened[side].server())
        except EngineError as error:
            report.findings.append(unreachable(side, error))
    try:
        if report.source and report.dest:
            report.findings += same_database(report.source, report.dest, endpoints.control)
            compare(report, opened["source"], opened["dest"], tables, app_labels)
    except EngineError as error:
        report.findings.append(not_checked(error))
    finally:
        for database in opened.values():
            database.close()
    return report


def compare(
    report: Report,
    source_db: Database,
    dest_db: Database,
    tables: Sequence[Table],
    app_labels: Collection[str],
) -> None:
    """Compare two databases that can be reached."""
    source = Side.of("source", source_db, tables)
    dest = Side.of("destination", dest_db, tables)
    report.findings += every(
        lambda: servers.read_only(source),
        lambda: servers.settings(source, dest),
        lambda: servers.others(dest),
        lambda: servers.room(source, dest),
    )
    if not dest.existing:
        report.findings.append(not_migrated())
        return
    report.findings += every(
        lambda: privileges.privileges(source, dest),
        lambda: privileges.hidden_rows(source, dest),
        lambda: privileges.inheritance(source, dest),
        lambda: privileges.not_transactional(dest),
        lambda: privileges.versioned(source, dest),
        lambda: migrations.migrations(source, dest, app_labels),
        lambda: match(report, source, dest, tables),
        lambda: triggers.triggers(report.layouts, source, dest),
        lambda: columns.columns(report.layouts, source, dest),
        lambda: columns.widths(source, dest),
        lambda: clocks.timestamps(report.layouts, source, dest),
        lambda: constraints.constraints(tables, dest),
        lambda: tables_.without_model(source, dest, app_labels),
        lambda: tables_.referred_from_elsewhere(dest),
        lambda: tables_.unmanaged(source, app_labels),
        lambda: tables_.of_another_vendor(dest, app_labels),
    )


def match(report: Report, source: Side, dest: Side, tables: Sequence[Table]) -> Iterator[Finding]:
    """Find the layouts of the tables; what is wrong with the others are findings."""
    report.layouts, findings = matched(tables, source, dest)
    yield from findings


def every(*checks: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What all of the checks find; one that a server refuses does not keep the others from it."""
    for single in checks:
        try:
            yield from single()
        except EngineError as error:
            yield not_checked(error)


def not_checked(error: EngineError) -> Finding:
    return Finding(
        code="not-checked",
        severity=Severity.BLOCKER,
        message=f"A part of preflight could not be done: {error}",
        remedy="What is not known can't be confirmed. Mend what the server complains about, then "
        "run preflight again.",
        passing=error.transient,
    )


def unreachable(side: str, error: EngineError) -> Finding:
    return Finding(
        code="unreachable" if isinstance(error, Unreachable) else "server-error",
        severity=Severity.BLOCKER,
        message=str(error),
        remedy=f"Set {'SOURCE' if side == 'source' else 'DEST'}_DATABASE_URL to a database that "
        "this machine reaches.",
        passing=error.transient,
    )


def same_database(source: Server, dest: Server, control: Config) -> Iterator[Finding]:
    """No two of the three databases may be the same, by physical identity."""
    try:
        with databases.connect(control, read_only=True) as database:
            identities = {"the control database": database.server().identity}
    except EngineError:
        identities = {}  # the control database may be of an age that copies don't support
    for name, identity in (("the source", source.identity), *identities.items()):
        if identity == dest.identity:
            yield same("destination", name)
    for name, identity in identities.items():
        if identity == source.identity:
            yield same("source", name)


def same(what: str, name: str) -> Finding:
    return Finding(
        code="same-database",
        severity=Severity.BLOCKER,
        message=f"The {what} is the same physical database as {name}.",
        remedy="Nothing is ever copied onto itself. Check SOURCE_DATABASE_URL, DEST_DATABASE_URL "
        "and CONTROL_DATABASE_URL; they must name three databases.",
    )


def not_migrated() -> Finding:
    return Finding(
        code="destination-not-migrated",
        severity=Severity.BLOCKER,
        table=migrations.RECORDER,
        message="The destination has no tables yet.",
        remedy="Run `manage.py migrate --database dest`.",
    )
