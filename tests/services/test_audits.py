"""Audits: what they find, what they say of it, and that they are kept."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_django import Settings

from migrations_ui import services
from migrations_ui.models import Audit, AuditedTable, TableCount
from migrations_ui.services import Refused
from tests.servers import free_port, mysql_connection
from tests.services.conftest import GROUPS, STALE, Postgres, Shop, ended, endpoint, migrate, start

pytestmark = pytest.mark.django_db(transaction=True)

LABELS = ["auth.Group", "registry.Policy"]


def audited(*labels: str, reverse: bool = False, counts_only: bool = False) -> Audit:
    audit = services.request_audit(
        labels or LABELS, "alice", reverse=reverse, counts_only=counts_only
    )
    assert (audit.status, audit.verdict) == ("queued", "not-checked")
    services.execute_audit(audit.pk)
    audit.refresh_from_db()
    return audit


def table(audit: Audit, label: str = "auth.Group") -> AuditedTable:
    return audit.tables.get(label=label)


@pytest.fixture
def copied(shop: Shop) -> Shop:
    """The shop after a run of these tables."""
    run = ended(start(*LABELS))
    assert run.status == "succeeded", run.error
    return shop


def test_equal_counts_are_called_just_that(copied: Shop) -> None:
    audit = audited(counts_only=True)
    assert (audit.status, audit.verdict, audit.error) == ("finished", "counts-only", "")
    assert (audit.operator, audit.run) == ("alice", None)
    assert not audit.is_green
    found = table(audit)
    assert (found.source_rows, found.dest_rows, found.difference) == (GROUPS, GROUPS, 0)
    assert (found.missing, found.extra, found.different) == (None, None, None)
    assert (found.max_key, found.next_source, found.next_dest) == (GROUPS, GROUPS + 1, GROUPS + 1)
    assert found.problem == ""


@pytest.mark.parametrize("counts_only", [True, False])
def test_keys_that_are_used_up_have_no_next_one(counts_only: bool, copied: Shop) -> None:
    last = 2**63 - 1
    for side in ("source", "dest"):
        copied.execute(side, f"INSERT INTO auth_group VALUES ({last}, 'the last')")
    audit = audited(counts_only=counts_only)
    assert (audit.status, audit.error) == ("finished", "")
    found = table(audit)
    assert (found.max_key, found.next_source, found.next_dest) == (last, None, None)
    assert found.problem == ""


def test_the_audit_of_a_run_has_the_counts_before_it(copied: Shop) -> None:
    found = table(Audit.objects.get())
    assert (found.source_rows_before, found.dest_rows_before) == (GROUPS, STALE)
    assert (found.source_rows, found.dest_rows) == (GROUPS, GROUPS)


def test_equal_cells_are_called_identical(copied: Shop) -> None:
    audit = audited()
    assert (audit.status, audit.verdict, audit.error) == ("finished", "identical", "")
    assert audit.is_green
    found = table(audit)
    assert (found.missing, found.extra, found.different, found.rejected) == (0, 0, 0, 0)
    assert found.source_digest == found.dest_digest != ""
    assert {line["verdict"] for line in found.structure} == {"identical"}


@pytest.mark.parametrize("counts_only", [True, False])
def test_the_counts_of_an_audit_are_kept_for_the_tables_page(
    counts_only: bool, copied: Shop
) -> None:
    TableCount.objects.all().delete()
    audited(counts_only=counts_only)
    kept = TableCount.objects.filter(table="auth_group")
    assert sorted(kept.values_list("rows", flat=True)) == [GROUPS, GROUPS]
    assert TableCount.objects.count() == 2 * len(LABELS)


@pytest.mark.parametrize("counts_only", [True, False])
@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("DELETE FROM auth_group WHERE id = 3", -1),
        ("INSERT INTO auth_group (name) VALUES ('extra')", 1),
    ],
)
def test_a_row_too_few_or_too_many_makes_the_audit_differ(
    copied: Shop, change: str, difference: int, counts_only: bool
) -> None:
    copied.execute("dest", change)
    audit = audited(counts_only=counts_only)
    assert (audit.status, audit.verdict) == ("finished", "differs")
    found = table(audit)
    assert (found.verdict, found.difference) == ("differs", difference)
    words = "1 row is missing" if difference < 0 else "1 row is extra"
    counts = f"{GROUPS} rows in the source and {GROUPS + difference} in the destination"
    assert found.problem == (counts if counts_only else words)
    other = "counts-only" if counts_only else "identical"
    assert table(audit, "registry.Policy").verdict == other


def test_a_sequence_that_is_behind_makes_the_audit_differ(copied: Shop) -> None:
    copied.execute("dest", "UPDATE sqlite_sequence SET seq = 3 WHERE name = 'auth_group'")
    audit = audited()
    assert audit.verdict == "differs"
    assert table(audit).problem == "the next key 4 is not above the largest key 7"


def test_a_sequence_below_the_sources_makes_the_audit_differ(copied: Shop) -> None:
    """Keys that the source gave away and deleted again must not be given away a second time."""
    copied.execute("source", "UPDATE sqlite_sequence SET seq = 99 WHERE name = 'auth_group'")
    assert table(audited()).problem == "the next key 8 is below the source's 100"


def test_a_sequence_of_postgresql_that_is_behind_makes_the_audit_differ(
    shop: Shop, postgres: Postgres
) -> None:
    assert ended(start(*LABELS)).status == "succeeded"
    postgres.execute("SELECT setval(pg_get_serial_sequence('auth_group', 'id'), 2, true)")
    audit = audited()
    assert audit.verdict == "differs"
    assert table(audit).problem == "the next key 3 is not above the largest key 7"


def test_a_sequence_of_mysql_that_is_behind_makes_the_audit_differ(
    shop: Shop, mysql_url: str, settings: Settings, tmp_path: Path
) -> None:
    shop.execute("source", "UPDATE sqlite_sequence SET seq = 99 WHERE name = 'auth_group'")
    migrate(tmp_path, mysql_url)
    settings.ENDPOINTS = settings.ENDPOINTS | {"dest": endpoint(mysql_url)}
    run = ended(start(*LABELS))
    assert run.status == "succeeded", run.error
    found = table(Audit.objects.get())
    assert (found.max_key, found.next_source, found.next_dest) == (GROUPS, 100, 100)

    with closing(mysql_connection(mysql_url)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("ALTER TABLE auth_group AUTO_INCREMENT = 50")
    audit = audited()
    assert audit.verdict == "differs"
    assert table(audit).problem == "the next key 50 is below the source's 100"


def test_a_table_that_is_missing_makes_the_audit_differ(copied: Shop) -> None:
    copied.execute("dest", "DROP TABLE registry_policy")
    audit = audited()
    assert (audit.status, audit.verdict) == ("finished", "differs")
    assert (
        "registry_policy is missing in the destination" in table(audit, "registry.Policy").problem
    )
    assert table(audit).verdict == "identical"


@pytest.mark.parametrize("side", ["source", "dest"])
def test_a_side_that_does_not_answer_fails_the_audit_and_nothing_is_called_checked(
    copied: Shop, settings: Settings, impatient: None, side: str
) -> None:
    url = f"postgres://cutover:geheim@127.0.0.1:{free_port()}/shop"
    settings.ENDPOINTS = settings.ENDPOINTS | {side: endpoint(url)}
    audit = audited()
    assert (audit.status, audit.verdict) == ("failed", "not-checked")
    assert "can't be reached" in audit.error
    assert "geheim" not in audit.error
    assert set(audit.tables.values_list("verdict", flat=True)) == {"not-checked"}


def test_a_side_that_goes_away_in_the_middle_fails_the_audit(
    copied: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """At once: a file that is not there does not come by itself."""
    audit = services.request_audit(LABELS, "alice")
    copied.dest.rename(copied.dest.with_name("gone"))
    services.execute_audit(audit.pk)
    audit.refresh_from_db()
    assert "tried again" not in caplog.text
    assert (audit.status, audit.verdict) == ("failed", "not-checked")
    assert "can't be opened" in audit.error
    assert audit.dest["name"] == "shop.sqlite3"


def facts(audit: Audit) -> list[object]:
    return [
        *Audit.objects.filter(pk=audit.pk).values_list("verdict", "status", "finished_at"),
        *AuditedTable.objects.filter(audit=audit).order_by("id").values_list(),
    ]


def test_what_an_audit_found_stays_whatever_happens_later(copied: Shop) -> None:
    of_the_run = Audit.objects.get()
    audit = audited()
    before = facts(audit), facts(of_the_run)

    copied.execute("dest", "DELETE FROM auth_group")
    assert audited().verdict == "differs"
    services.execute_audit(audit.pk)  # a wake-up that is delivered twice
    assert ended(start("auth.Group")).status == "succeeded"

    assert (facts(audit), facts(of_the_run)) == before


def test_an_audit_outlives_its_run(copied: Shop) -> None:
    audit = Audit.objects.get()
    assert audit.run is not None
    audit.run.delete()
    audit.refresh_from_db()
    assert not Audit.objects.filter(run__isnull=False).exists()
    assert (audit.verdict, table(audit).dest_rows) == ("identical", GROUPS)


def test_a_reverse_audit_exchanges_the_sides(copied: Shop) -> None:
    copied.execute("dest", "DELETE FROM auth_group WHERE id = 1")
    found = table(audited(reverse=True))
    assert (found.source_rows, found.dest_rows) == (GROUPS - 1, GROUPS)


def test_an_audit_of_all_tables_leaves_the_sessions_out(copied: Shop) -> None:
    audit = services.request_audit(None, "alice")
    labels = set(audit.tables.values_list("label", flat=True))
    assert len(labels) == len(services.host_tables()) - 1
    assert "sessions.Session" not in labels


def test_an_audit_of_nothing_or_of_the_unknown_is_refused(copied: Shop) -> None:
    before = Audit.objects.count()
    for labels, why in (([], "No table is selected"), (["auth.Gruop"], "Did you mean")):
        with pytest.raises(Refused, match=why):
            services.request_audit(labels, "alice")
    assert Audit.objects.count() == before


def test_an_audit_names_the_databases_as_they_were(copied: Shop) -> None:
    audit = audited()
    shown = services.tables_page().dest
    assert audit.dest == {**vars(replace(shown)), "role": "dest"}
    assert audit.dest["name"] == "shop.sqlite3"
