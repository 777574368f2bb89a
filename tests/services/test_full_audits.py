"""Audits of every cell: their verdicts, what they apply, and how they end."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from migrations_ui import auditing, services
from migrations_ui.audit_recorder import AuditRecorder
from migrations_ui.engine.comparing import Comparison, Pair
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.layout import Layout
from migrations_ui.models import Audit, AuditedTable, Difference, Run
from tests.services.conftest import GROUPS, Shop, confirm, count, ended, start

pytestmark = pytest.mark.django_db(transaction=True)

LABELS = ["auth.Group", "registry.Policy"]


def audited(*labels: str) -> Audit:
    audit = services.request_audit(labels or LABELS, "alice")
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


def test_a_run_ends_with_an_audit_of_every_cell(copied: Shop) -> None:
    audit = Audit.objects.get()
    assert audit.run is not None
    assert (audit.counts_only, audit.verdict) == (False, "identical")


def test_no_thread_leaves_its_connection_to_the_control_database_open(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made = connections.create_connection, list[BaseDatabaseWrapper]()

    def create_connection(alias: str) -> BaseDatabaseWrapper:
        made.append(make(alias))
        made[-1].inc_thread_sharing()
        return made[-1]

    monkeypatch.setattr(connections, "create_connection", create_connection)
    assert ended(start(*LABELS)).status == "succeeded"
    assert audited().verdict == "identical"
    of_threads = [each for each in made if each is not connections[each.alias]]
    assert of_threads
    assert [each.connection for each in of_threads] == [None] * len(of_threads)


def test_a_cell_that_differs_is_kept_with_both_values(copied: Shop) -> None:
    copied.execute("dest", "UPDATE auth_group SET name = 'Other' WHERE id = 3")
    found = table(audited())
    assert (found.verdict, found.different, found.difference) == ("differs", 1, 0)
    assert found.problem == "1 row is different"
    (one,) = found.differences.all()
    assert (one.what, one.key, one.column) == ("different", "3", "name")
    assert (one.source, one.dest) == ("source 2", "Other")


def test_an_index_that_is_missing_makes_the_table_differ(copied: Shop) -> None:
    indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ((name, _), *_) = copied.rows("dest", f"{indexes} AND tbl_name = 'auth_group_permissions'")
    copied.execute("dest", f"DROP INDEX {name}")
    found = table(audited("auth.Group_permissions"), "auth.Group_permissions")
    assert (found.verdict, found.missing, found.extra, found.different) == ("differs", 0, 0, 0)
    (line,) = (line for line in found.structure if line["verdict"] == "differs")
    assert line["message"] in found.problem


def test_an_index_that_neither_side_has_is_not_lost(copied: Shop) -> None:
    """Such as those that django-mptt adds to models, and no migration makes."""
    indexes = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    for side in ("source", "dest"):
        for (name,) in copied.rows(side, f"{indexes} AND tbl_name = 'auth_group_permissions'"):
            if "uniq" not in name:
                copied.execute(side, f"DROP INDEX {name}")
    assert "index-missing" in [found.code for found in services.preflight(None).findings]
    assert audited("auth.Group_permissions").verdict == "identical"


def test_a_column_that_is_computed_on_one_side_and_empty_on_the_other_is_noted(
    copied: Shop,
) -> None:
    """It is not compared, and the audit says so."""
    copied.execute("source", "ALTER TABLE auth_group ADD search text")
    computed = "ALTER TABLE auth_group ADD search text GENERATED ALWAYS AS (upper(name)) VIRTUAL"
    copied.execute("dest", computed)
    found = table(audited())
    (line,) = (line for line in found.structure if line["what"] == "columns")
    assert "The destination computes search, in which the source has no value" in line["message"]
    assert found.verdict == "identical"
    copied.execute("source", "UPDATE auth_group SET search = 'x' WHERE id = 1")
    found = table(audited())
    assert (found.verdict, found.different) == ("differs", GROUPS)
    assert "columns" not in [line["what"] for line in found.structure]


def test_a_row_that_leads_nowhere_makes_the_table_differ(copied: Shop) -> None:
    for side in ("source", "dest"):
        copied.execute(
            side, "INSERT INTO auth_group_permissions (group_id, permission_id) VALUES (1, 98765)"
        )
    found = table(audited("auth.Group_permissions"), "auth.Group_permissions")
    assert (found.verdict, found.difference) == ("differs", 0)
    assert "1 row leads nowhere: permission_id has no match" in found.problem
    assert "98765" in found.problem


def test_migrations_that_only_one_side_has_applied_make_the_audit_differ(copied: Shop) -> None:
    copied.execute("source", "DELETE FROM django_migrations WHERE app = 'registry'")
    audit = audited()
    (line,) = audit.structure
    assert (line["what"], line["verdict"]) == ("django_migrations", "differs")
    assert (audit.verdict, table(audit).verdict) == ("differs", "identical")


# -- Declared transforms ---------------------------------------------------------------------------


def test_an_audit_by_hand_applies_the_transforms_of_the_last_run(shop: Shop) -> None:
    shop.execute("source", "UPDATE auth_group SET name = 'nul' || char(0) || '!' WHERE id = 1")
    count(LABELS)
    options = services.Options(transforms=("auth.Group.name=strip-nul",))
    plan = services.plan(LABELS, transforms=options.transforms)
    run = ended(services.start(LABELS, plan.dest.name, plan.fingerprint, "alice", options=options))
    assert run.status == "succeeded", run.error
    audit = audited()
    assert audit.transforms == ["auth.Group.name=strip-nul"]
    assert (audit.verdict, audit.is_green) == ("identical-but-for-transforms", True)
    assert table(audit).transforms == ["name=strip-nul"]
    assert table(audit, "registry.Policy").verdict == "identical"

    shop.execute("dest", "UPDATE auth_group SET name = 'nul?' WHERE id = 1")
    assert audited().verdict == "differs"


def test_of_several_runs_the_last_one_says_which_transforms_apply(shop: Shop) -> None:
    count(LABELS)
    options = services.Options(transforms=("auth.Group.name=strip-nul",))
    plan = services.plan(LABELS, transforms=options.transforms)
    run = services.start(LABELS, plan.dest.name, plan.fingerprint, "alice", options=options)
    assert ended(run).transforms == ["auth.Group.name=strip-nul"]
    assert ended(start("auth.Group")).status == "succeeded"
    assert audited().transforms == []
    plan = services.catch_up_plan(LABELS)
    assert plan.transforms == ()


# -- Rows that were set aside ----------------------------------------------------------------------


def test_rows_that_were_set_aside_are_no_other_problem_but_not_green(shop: Shop) -> None:
    refuse = "CREATE TRIGGER no BEFORE INSERT ON auth_group WHEN NEW.id = 2 BEGIN"
    shop.execute("dest", f"{refuse} SELECT RAISE(ABORT, 'no'); END")
    plan = confirm(LABELS)
    options = services.Options(reject_limit=5)
    run = ended(services.start(LABELS, plan.dest.name, plan.fingerprint, "alice", options=options))
    assert run.status == "incomplete", run.error
    for audit in (Audit.objects.get(), audited()):
        found = table(audit)
        assert (found.rejected, found.missing, found.other_problem) == (1, 0, "")
        assert (found.verdict, audit.verdict) == ("differs", "differs")
        assert "1 row is set aside" in found.problem

    shop.execute("dest", "DELETE FROM auth_group WHERE id = 4")
    found = table(audited())
    assert (found.rejected, found.missing) == (1, 1)
    assert found.other_problem == "1 row is missing"


# -- How audits end --------------------------------------------------------------------------------


def test_a_cancelled_audit_stops_and_has_no_verdict(
    copied: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = services.request_audit(LABELS, "alice")
    doing = AuditRecorder.doing

    def cancel_then(self: AuditRecorder, what: str) -> None:
        services.cancel_audit(audit)
        self.tick()
        doing(self, what)

    monkeypatch.setattr(AuditRecorder, "doing", cancel_then)
    services.execute_audit(audit.pk)
    audit.refresh_from_db()
    assert (audit.status, audit.verdict, audit.is_green) == ("cancelled", "not-checked", False)
    with pytest.raises(services.Refused, match="not active"):
        services.cancel_audit(audit)


def test_an_audit_whose_worker_is_asked_to_stop_is_begun_anew_by_the_next(
    copied: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied.execute("dest", "UPDATE auth_group SET name = 'x' WHERE id = 1")
    audit = services.request_audit(LABELS, "alice")
    compared, leaving = AuditRecorder.compared, threading.Event()

    def leave_then(self: AuditRecorder, layout: Layout, found: Comparison) -> None:
        compared(self, layout, found)
        leaving.set()
        self.tick()

    with monkeypatch.context() as patch:
        patch.setattr(AuditRecorder, "compared", leave_then)
        auditing.audit(audit.pk, leaving=leaving)
    audit.refresh_from_db()
    assert (audit.status, audit.verdict, audit.doing) == ("queued", "not-checked", "")
    assert {table.status for table in audit.tables.all()} == {"waiting"}
    assert [table.label for table in audit.tables.all()] == LABELS
    assert not Difference.objects.exists()

    auditing.audit(audit.pk, leaving=threading.Event())
    audit.refresh_from_db()
    assert (audit.status, audit.verdict) == ("finished", "differs")
    assert Difference.objects.count() == 1


def test_an_audit_whose_worker_died_does_not_run_for_ever(copied: Shop) -> None:
    audit = services.request_audit(LABELS, "alice")
    long_ago = timezone.now() - timedelta(minutes=5)
    Audit.objects.filter(pk=audit.pk).update(status="running", heartbeat_at=long_ago)
    audited()
    audit.refresh_from_db()
    assert (audit.status, audit.verdict) == ("failed", "not-checked")
    assert "The worker has vanished" in audit.error


def test_a_table_that_can_not_be_compared_does_not_keep_the_others_from_it(
    copied: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_dest = Pair.read_dest

    def failing(self: Pair, *arguments: Any, **options: Any) -> None:
        if self.layout.label == "auth.Group":
            raise EngineError("the disk is on fire")
        read_dest(self, *arguments, **options)

    monkeypatch.setattr(Pair, "read_dest", failing)
    audit = audited()
    assert (audit.status, audit.verdict) == ("finished", "not-checked")
    assert "could not be compared: the disk is on fire" in table(audit).problem
    assert not audit.is_green
    assert table(audit, "registry.Policy").verdict == "identical"


def test_progress_is_written_while_tables_are_compared(
    copied: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []
    compared = AuditRecorder.compared

    def look(self: AuditRecorder, layout: Layout, found: Comparison) -> None:
        self.tick()
        row = AuditedTable.objects.get(audit=self.audit_id, label=layout.label)
        seen.append((row.label, row.compared_rows))
        compared(self, layout, found)

    monkeypatch.setattr(AuditRecorder, "compared", look)
    audit = audited()
    assert ("auth.Group", GROUPS) in seen
    assert table(audit).progress.percent == 100
    assert audit.heartbeat_at is not None


def test_a_run_whose_audit_finds_a_difference_fails(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_audit = auditing.audit

    def meddle(*arguments: Any) -> None:
        shop.execute("dest", "UPDATE auth_group SET name = 'x' WHERE id = 1")
        run_audit(*arguments)

    monkeypatch.setattr(auditing, "audit", meddle)
    run: Run = ended(start(*LABELS))
    assert run.status == "failed"
    assert "auth.Group: 1 row is different" in run.error
