"""Preflight of identities, reach, migrations and schemas; the data's own checks are elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from django.db import models

from migrations_ui.engine import preflight
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.findings import Finding, Severity, status
from migrations_ui.engine.preflight import Endpoints, Report
from tests.conftest import MakeDatabase
from tests.engine.conftest import OpenDatabase, config_of, named, run, table_of

RECORDER = "CREATE TABLE django_migrations (app varchar(255), name varchar(255))"
LATEST = "0012_alter_user_first_name_max_length"
THING = "CREATE TABLE thing (id integer NOT NULL PRIMARY KEY, name varchar(20) NOT NULL)"
FIELDS = [named(models.IntegerField, "id"), named(models.CharField, "name", max_length=20)]

Check = Callable[..., Report]


@pytest.fixture
def check(make_database: MakeDatabase) -> Check:
    """`check(source_url, dest_url)`: preflight of the table `thing`, with a control database."""
    control_url = make_database("sqlite")

    def run_it(
        source: str,
        dest: str,
        control: str = control_url,
        tables: Sequence[Table] = (table_of("thing", fields=FIELDS),),
        apps: Sequence[str] = (),
    ) -> Report:
        endpoints = Endpoints(config_of(source), config_of(dest), config_of(control))
        return preflight.check(endpoints, tables, apps)

    return run_it


@pytest.fixture
def thing(make_database: MakeDatabase, open_database: OpenDatabase) -> Callable[..., str]:
    """`thing(vendor, *statements)`: the URL of a database with the table."""

    def make(vendor: str = "sqlite", *statements: str, table: str = THING) -> str:
        url = make_database(vendor)
        run(open_database(url), RECORDER, table, *statements)
        return url

    return make


def found(report: Report, code: str) -> Finding:
    """The one finding with this code, which says something and what to do."""
    (finding,) = [finding for finding in report.findings if finding.code == code]
    assert finding.message
    assert finding.remedy
    return finding


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.blockers}


@pytest.mark.parametrize("source", ["postgresql", "mysql", "sqlite"])
@pytest.mark.parametrize("dest", ["postgresql", "mysql", "sqlite"])
def test_nothing_blocks_two_equal_schemas(
    source: str, dest: str, check: Check, thing: Callable[..., str]
) -> None:
    report = check(thing(source), thing(dest))
    assert report.blockers == []
    assert [layout.label for layout in report.layouts] == ["shop.thing"]
    assert report.source
    assert report.dest
    assert (report.source.vendor, report.dest.vendor) == (source, dest)


@pytest.mark.parametrize("vendor", ["postgresql", "mysql", "sqlite"])
def test_the_same_database_twice_is_a_blocker(
    vendor: str, check: Check, thing: Callable[..., str]
) -> None:
    url = thing(vendor)
    again = url.replace("127.0.0.1", "127.1")
    assert "destination is the same physical database as the source" in (
        found(check(url, again), "same-database").message
    )


def test_a_link_to_the_source_is_the_same_database(
    check: Check, thing: Callable[..., str], tmp_path: Path
) -> None:
    url = thing()
    (link := tmp_path / "link.sqlite3").symlink_to(url.removeprefix("sqlite:///"))
    assert "same-database" in codes(check(url, f"sqlite:///{link}"))


@pytest.mark.parametrize("side", ["source", "destination"])
def test_the_control_database_as_a_side_is_a_blocker(
    side: str, check: Check, thing: Callable[..., str]
) -> None:
    one, other = thing(), thing()
    report = check(one, other, control=one if side == "source" else other)
    assert f"The {side} is the same physical database as the control" in (
        found(report, "same-database").message
    )


@pytest.mark.parametrize("side", ["source", "dest"])
@pytest.mark.parametrize(
    "url",
    [
        "postgres://alice:hunter2@127.0.0.1:1/shop",
        "mysql://alice:hunter2@127.0.0.1:1/shop",
        "sqlite:////nowhere/shop.sqlite3",
    ],
)
def test_a_side_that_cannot_be_reached_is_a_blocker_without_its_password(
    side: str, url: str, check: Check, thing: Callable[..., str]
) -> None:
    other = thing()
    report = check(url, other) if side == "source" else check(other, url)
    finding = found(report, "unreachable")
    assert finding.severity is Severity.BLOCKER
    assert f"{side.upper()}_DATABASE_URL" in finding.remedy
    assert "hunter2" not in str(report)
    assert (report.source is None, report.dest is None) == (side == "source", side == "dest")


def test_both_sides_that_cannot_be_reached_are_both_said(check: Check) -> None:
    report = check("sqlite:////nowhere/a.sqlite3", "sqlite:////nowhere/b.sqlite3")
    assert [finding.code for finding in report.findings] == ["unreachable", "unreachable"]
    assert report.status == "blockers"


def test_a_destination_that_was_never_migrated_is_a_blocker(
    check: Check, thing: Callable[..., str], make_database: MakeDatabase
) -> None:
    report = check(thing(), make_database("sqlite"))
    finding = found(report, "destination-not-migrated")
    assert "migrate --database dest" in finding.remedy
    assert codes(report) == {"destination-not-migrated"}


def test_migrations_that_a_side_lacks_are_named(
    check: Check, thing: Callable[..., str], open_database: OpenDatabase
) -> None:
    from django.db.migrations.loader import MigrationLoader

    names = [name for app, name in MigrationLoader(None).disk_migrations if app == "auth"]
    rows = [f"INSERT INTO django_migrations VALUES ('auth', '{name}')" for name in names]
    most = [row for row in rows if LATEST not in row]
    report = check(thing("sqlite", *rows), thing("sqlite", *most), apps=["auth"])
    finding = found(report, "migrations-unapplied-destination")
    assert finding.severity is Severity.BLOCKER
    assert f"auth.{LATEST}" in finding.message

    report = check(thing("sqlite", *most), thing("sqlite", *rows), apps=["auth"])
    finding = found(report, "migrations-unapplied-source")
    assert finding.severity is Severity.WARNING
    assert f"auth.{LATEST}" in finding.message

    report = check(thing("sqlite", *rows), thing("sqlite", *rows), apps=["auth"])
    assert not [f for f in report.findings if f.code.startswith("migrations-unapplied")]


BROKEN = [
    # what is done to the source, to the destination, and what is found
    ("DROP TABLE thing", "", "table-missing-source", ""),
    ("", "DROP TABLE thing", "table-missing-destination", ""),
    ("DROP TABLE thing", "DROP TABLE thing", "table-missing-both", ""),
    ("ALTER TABLE thing DROP COLUMN name", "", "column-missing-source", "name"),
    ("", "ALTER TABLE thing DROP COLUMN name", "column-missing-destination", "name"),
    (
        "",
        f"DROP TABLE thing; {THING[:-1]}, extra text NOT NULL)",
        "column-extra-destination",
        "extra",
    ),
    ("ALTER TABLE thing ADD COLUMN later text", "", "column-extra-source", "later"),
    (
        "DROP TABLE thing; CREATE TABLE thing (id integer PRIMARY KEY, name point)",
        "DROP TABLE thing; CREATE TABLE thing (id integer PRIMARY KEY, name blob)",
        "type-unknown",
        "name",
    ),
]


@pytest.mark.parametrize("case", BROKEN, ids=[case[2] for case in BROKEN])
def test_a_schema_that_does_not_fit_is_found(
    case: tuple[str, str, str, str], check: Check, thing: Callable[..., str]
) -> None:
    there, here, code, column = case
    source = thing("sqlite", *filter(None, there.split("; ")))
    dest = thing("sqlite", *filter(None, here.split("; ")))
    finding = found(check(source, dest), code)
    assert (finding.label, finding.table, finding.column) == ("shop.thing", "thing", column)
    expected = Severity.WARNING if code == "column-extra-source" else Severity.BLOCKER
    assert finding.severity is expected


def test_what_is_no_table_is_not_called_missing(check: Check, thing: Callable[..., str]) -> None:
    virtual = "CREATE VIRTUAL TABLE thing USING fts5(name)"
    source = thing("sqlite", "DROP TABLE thing", virtual)
    dest = thing("sqlite", "DROP TABLE thing", "CREATE VIEW thing AS SELECT 1 AS id")
    report = check(source, dest)
    for code in ("table-missing-source", "table-missing-destination"):
        assert "a view or a virtual table of that name" in found(report, code).message
    assert "a view" not in found(check(source, thing("sqlite", "DROP TABLE thing")), code).message


def test_a_search_vector_is_made_anew_by_the_site(check: Check, thing: Callable[..., str]) -> None:
    source = thing("sqlite")
    dest = thing("postgresql", "ALTER TABLE thing ALTER name TYPE tsvector USING NULL")
    finding = found(check(source, dest), "type-unknown")
    assert "let the site make it anew" in finding.remedy


@pytest.mark.parametrize(
    ("severities", "expected"),
    [
        ([], "ok"),
        ([Severity.INFO], "ok"),
        ([Severity.INFO, Severity.WARNING], "warnings"),
        ([Severity.WARNING, Severity.BLOCKER, Severity.INFO], "blockers"),
    ],
)
def test_the_worst_finding_is_the_status(severities: list[Severity], expected: str) -> None:
    findings = [Finding("code", severity, "message", "remedy") for severity in severities]
    assert status(findings) == expected
    assert Report(findings=findings).status == expected
