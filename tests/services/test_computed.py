"""Columns that both databases compute: what two vendors compute differently is nobody's loss."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import RequestFactory

from migrations_ui import services, signing
from migrations_ui.models import Audit, AuditedTable, Run
from migrations_ui.services import Refused
from migrations_ui.verdicts import COLUMNS
from tests.services.conftest import Postgres, Shop, ended, start
from tests.services.test_full_audits import audited, table

pytestmark = pytest.mark.django_db(transaction=True)

GROUP = "auth.Group"
LOUD = "ALTER TABLE auth_group ADD loud text GENERATED ALWAYS AS (upper(name))"


@pytest.fixture
def run(shop: Shop, postgres: Postgres) -> Run:
    """A run of groups in whose names SQLite knows two characters less to be small letters."""
    shop.execute(
        "source",
        f"{LOUD} VIRTUAL",
        "UPDATE auth_group SET name = 'café' WHERE id = 1",
        "UPDATE auth_group SET name = 'Öl für alle' WHERE id = 2",
    )
    postgres.execute(f"{LOUD} STORED")
    return ended(start(GROUP))


def noted(found: AuditedTable) -> list[str]:
    return [line["message"] for line in found.structure if line["what"] == COLUMNS]


def test_what_two_vendors_compute_differently_is_told_and_does_not_fail_the_run(run: Run) -> None:
    assert (run.status, run.error) == ("succeeded", "")
    audit = run.audits.get()
    assert (audit.verdict, audit.is_green) == ("identical-but-for-computed", True)
    found = table(audit)
    assert (found.missing, found.extra, found.different, found.computed) == (0, 0, 0, 2)
    (said,) = noted(found)
    assert said == (
        "Each database computes loud itself, and 2 rows are computed differently. All that was "
        "copied is the same there."
    )
    assert [(one.what, one.key, one.column, one.source, one.dest, one.is_whole_row) for one in
            found.differences.all()] == [
        ("computed", "1", "loud", "CAFé", "CAFÉ", False),
        ("computed", "2", "loud", "ÖL FüR ALLE", "ÖL FÜR ALLE", False),
    ]  # fmt: skip


def test_a_row_that_differs_in_what_was_copied_too_is_different(
    run: Run, postgres: Postgres
) -> None:
    postgres.execute("UPDATE auth_group SET name = 'thé' WHERE id = 1")
    audit = audited(GROUP)
    found = table(audit)
    assert (audit.verdict, found.different, found.computed) == ("differs", 1, 1)
    assert [(one.what, one.key, one.column) for one in found.differences.all()] == [
        ("different", "1", "name"),
        ("different", "1", "loud"),
        ("computed", "2", "loud"),
    ]


def test_who_signs_it_off_answers_for_it(run: Run, alice: User) -> None:
    request = RequestFactory().post("/")
    request.user = alice
    audit = run.audits.get()
    with pytest.raises(Refused, match=r"auth\.Group: Each database computes loud itself"):
        signing.sign(request, audit, "alice")
    record = signing.sign(request, audit, "alice", answers=True).contents
    assert (
        "of columns that each database computes itself, some values differ" in record["statement"]
    )
    assert record["answered_for"][0].startswith("auth.Group: Each database computes loud itself")
    assert record["tables"][0]["computed"] == 2


def test_a_catch_up_has_nothing_to_put_right_about_it(run: Run, postgres: Postgres) -> None:
    postgres.execute("UPDATE auth_group SET name = 'thé' WHERE id = 3")
    plan = services.catch_up_plan([GROUP])
    fingerprint = services.catch_up_fingerprint(plan)
    caught_up = services.prepare_catch_up([GROUP], plan.dest.name, fingerprint, "alice")
    services.execute(caught_up.pk)
    caught_up.refresh_from_db()
    assert (caught_up.status, caught_up.error) == ("succeeded", "")
    assert [one.changed_rows for one in caught_up.tables.all()] == [1]
    assert caught_up.audits.get().verdict == "identical-but-for-computed"


def test_one_vendor_computes_alike_or_has_another_expression(shop: Shop) -> None:
    """So it stays red: a migration is missing, or was altered."""
    shop.execute("source", f"{LOUD} VIRTUAL")
    shop.execute("dest", f"{LOUD.replace('upper', 'lower')} VIRTUAL")
    ended_run = ended(start(GROUP))
    found = table(ended_run.audits.get())
    assert (ended_run.status, found.verdict, found.computed) == ("failed", "differs", 0)
    assert found.different == Audit.objects.get().tables.get().source_rows
