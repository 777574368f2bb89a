"""Preflight: what would go wrong, found before anything is wiped.

This looks at servers, identities, migrations and schemas.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from django.db.migrations.loader import MigrationLoader

from migrations_ui.engine import databases
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.databases.access import Config
from migrations_ui.engine.databases.base import Database, Server
from migrations_ui.engine.errors import EngineError, Unreachable
from migrations_ui.engine.findings import Finding, Severity, status
from migrations_ui.engine.layout import Layout, layouts

RECORDER = "django_migrations"
Migration = tuple[str, str]


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
    finally:
        for database in opened.values():
            database.close()
    return report


def compare(
    report: Report,
    source: Database,
    dest: Database,
    tables: Sequence[Table],
    app_labels: Collection[str],
) -> None:
    """Compare migrations and schemas of two databases that can be reached."""
    applied = {side: recorded(database) for side, database in (("source", source), ("dest", dest))}
    if applied["dest"] is None and not dest.estimates():
        report.findings.append(not_migrated())
        return
    report.findings += unapplied(applied["source"], applied["dest"], app_labels)
    report.layouts, findings = layouts(tables, source, dest)
    report.findings += findings


def unreachable(side: str, error: EngineError) -> Finding:
    return Finding(
        code="unreachable" if isinstance(error, Unreachable) else "server-error",
        severity=Severity.BLOCKER,
        message=str(error),
        remedy=f"Set {'SOURCE' if side == 'source' else 'DEST'}_DATABASE_URL to a database that "
        "this machine reaches.",
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
        table=RECORDER,
        message="The destination has no tables yet.",
        remedy="Run `manage.py migrate --database dest`.",
    )


def recorded(database: Database) -> set[Migration] | None:
    """The migrations that the database says were applied; None where it records none."""
    if RECORDER not in database.estimates():
        return None
    return {
        (app, name)
        for app, name in database.query(f"SELECT app, name FROM {database.quote(RECORDER)}")
    }


def unapplied(
    source: set[Migration] | None, dest: set[Migration] | None, app_labels: Collection[str]
) -> Iterator[Finding]:
    """Migrations of the code that a side has not applied."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    known = {
        key: set(migration.replaces)
        for key, migration in loader.disk_migrations.items()
        if key[0] in app_labels
    }
    replaced = set().union(*known.values())
    for side, applied in (("destination", dest), ("source", source)):
        missing = [
            f"{app}.{name}"
            for (app, name), replaces in sorted(known.items())
            if (app, name) not in replaced
            and (app, name) not in (applied or set())
            and not (replaces and replaces <= (applied or set()))
        ]
        if missing:
            yield unapplied_on(side, missing)


def unapplied_on(side: str, missing: list[str]) -> Finding:
    names = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
    if side == "destination":
        return Finding(
            code="migrations-unapplied-destination",
            severity=Severity.BLOCKER,
            table=RECORDER,
            message=f"The destination has not applied {names}.",
            remedy="Run `manage.py migrate --database dest`.",
        )
    return Finding(
        code="migrations-unapplied-source",
        severity=Severity.WARNING,
        table=RECORDER,
        message=f"The source has not applied {names}.",
        remedy="Run the code that the source runs, or migrate the source with its own site first.",
    )
