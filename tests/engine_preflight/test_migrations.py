"""What django_migrations says on both sides; tables that no model has."""

from __future__ import annotations

import pytest

from migrations_ui.engine.checks.migrations import Code
from migrations_ui.engine.databases.access import Config
from migrations_ui.engine.findings import Finding
from migrations_ui.engine.preflight import Report
from tests.engine_preflight.conftest import Check, Make, execute

# An app of the demo's, which has one migration.
APP = "registry"
RECORDER = "CREATE TABLE django_migrations (app varchar(255), name varchar(255))"


def record(config: Config, *names: str) -> None:
    execute(
        config,
        RECORDER,
        *(f"INSERT INTO django_migrations VALUES ('{APP}', '{name}')" for name in names),
    )


def about(report: Report, word: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.code.startswith(word)]


@pytest.fixture
def sides(shop: Make) -> tuple[Config, Config]:
    return shop("sqlite"), shop("sqlite")


def test_what_the_code_has_must_be_applied(sides: tuple[Config, Config], check: Check) -> None:
    source, dest = sides
    record(source)
    record(dest)
    found = about(check(source, dest, [APP]), "migrations")
    assert [(f.code, f.severity.value) for f in found] == [
        ("migrations-unapplied-destination", "blocker"),
        ("migrations-unapplied-source", "warning"),
    ]
    assert all(f"{APP}.0001_initial" in f.message for f in found)


@pytest.mark.parametrize("ahead", ["source", "destination"])
def test_a_side_that_a_newer_version_migrated(
    ahead: str, sides: tuple[Config, Config], check: Check
) -> None:
    source, dest = sides
    record(source, "0001_initial", *(["0002_newer"] if ahead == "source" else []))
    record(dest, "0001_initial", *(["0002_newer"] if ahead == "destination" else []))
    (found,) = about(check(source, dest, [APP]), "migrations")
    assert (found.code, found.severity.value) == (f"migrations-unknown-{ahead}", "warning")
    assert f"{APP}.0002_newer" in found.message


def test_what_a_squash_left_behind_is_only_mentioned(
    sides: tuple[Config, Config], check: Check
) -> None:
    source, dest = sides
    record(source, "0001_initial", "0001_first_attempt")
    record(dest, "0001_initial")
    (found,) = about(check(source, dest, [APP]), "migrations")
    assert (found.code, found.severity.value) == ("migrations-left-source", "info")


def test_records_of_apps_that_are_gone_are_nobodys_business(
    sides: tuple[Config, Config], check: Check
) -> None:
    source, dest = sides
    record(source, "0001_initial")
    record(dest, "0001_initial")
    execute(source, "INSERT INTO django_migrations VALUES ('gone', '0001_initial')")
    assert about(check(source, dest, [APP]), "migrations") == []


def test_a_squashed_migration_stands_for_what_it_replaces() -> None:
    one, two, both = ("shop", "0001_one"), ("shop", "0002_two"), ("shop", "0001_squashed_0002_two")
    code = Code({one: frozenset(), two: frozenset(), both: frozenset({one, two})})
    assert code.unapplied({one, two}) == []
    assert code.unapplied({both}) == []
    assert code.unapplied({one}) == [both]
    assert code.knows(one)


def test_tables_that_no_model_has_are_mentioned_by_side(
    sides: tuple[Config, Config], check: Check
) -> None:
    source, dest = sides
    record(source, "0001_initial")
    record(dest, "0001_initial")
    execute(source, "CREATE TABLE legacy_log (id int)", "CREATE TABLE migrations_ui_run (id int)")
    execute(dest, *(f"CREATE TABLE spare_{number} (id int)" for number in range(7)))
    found = about(check(source, dest, [APP]), "tables-without-model")
    assert [(f.code, f.severity.value, f.table) for f in found] == [
        ("tables-without-model-source", "info", "legacy_log"),
        ("tables-without-model-destination", "info", ""),
    ]
    assert "and 2 more" in found[1].message


def test_rows_that_a_model_leaves_to_somebody_else_are_not_forgotten(
    sides: tuple[Config, Config], check: Check
) -> None:
    source, dest = sides
    assert about(check(source, dest), "table-unmanaged") == []
    execute(source, "CREATE TABLE shop_ledger (id int, entry varchar(20))")
    (found,) = about(check(source, dest), "table-unmanaged")
    assert (found.severity.value, found.label, found.table) == (
        "warning",
        "shop.Ledger",
        "shop_ledger",
    )
    assert about(check(source, dest), "tables-without-model") == []


def test_a_destination_without_a_table_is_one_finding(
    shop: Make, empty: Make, check: Check
) -> None:
    (found,) = check(shop("sqlite"), empty("sqlite")).findings
    assert found.code == "destination-not-migrated"
