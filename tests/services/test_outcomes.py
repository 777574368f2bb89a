"""What a run is called at its end: never more than is true."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import RequestFactory
from pytest_django import Settings

from migrations_ui import services, signing
from migrations_ui.models import Run
from migrations_ui.sides import Refused
from tests.services.conftest import GROUPS, Shop, confirm, count, ended, start
from tests.services.test_full_audits import table

pytestmark = pytest.mark.django_db(transaction=True)

GROUP = "auth.Group"


def caught_up() -> Run:
    plan = services.catch_up_plan([GROUP])
    fingerprint = services.catch_up_fingerprint(plan)
    run = services.prepare_catch_up([GROUP], plan.dest.name, fingerprint, "alice")
    services.execute(run.pk)
    run.refresh_from_db()
    return run


def test_a_catch_up_is_not_green_while_rows_are_missing_that_were_set_aside(shop: Shop) -> None:
    refuse = "CREATE TRIGGER no BEFORE INSERT ON auth_group WHEN NEW.id = 2 BEGIN"
    shop.execute("dest", f"{refuse} SELECT RAISE(ABORT, 'no'); END")
    plan = confirm([GROUP])
    options = services.Options(reject_limit=5)
    first = ended(
        services.start([GROUP], plan.dest.name, plan.fingerprint, "alice", options=options)
    )
    assert first.status == "incomplete", first.error
    shop.execute("source", "UPDATE auth_group SET name = 'renamed' WHERE id = 3")

    run = caught_up()
    assert run.status == "incomplete"
    assert run.error.startswith(
        "1 row of auth.Group that an earlier run has set aside is still missing; everything else "
        "is the same."
    )
    assert table(run.audits.get()).rejected == 1

    shop.execute("dest", "DROP TRIGGER no", "INSERT INTO auth_group SELECT 2, 'source 1'")
    assert caught_up().status == "succeeded"


def test_a_run_is_not_green_when_its_audit_is_not_for_what_belongs_to_no_table(shop: Shop) -> None:
    """The source lacks a migration: a warning before the copy, and red in the audit."""
    shop.execute("source", "DELETE FROM django_migrations WHERE app = 'registry'")
    run = ended(start(GROUP))
    audit = run.audits.get()
    assert (audit.verdict, audit.is_green) == ("differs", False)
    assert run.status == "incomplete"
    assert run.error.startswith("All rows have arrived. django_migrations: ")
    assert shop.rows("dest", "SELECT count(*) FROM auth_group") == [(GROUPS,)]


def test_not_all_rows_have_arrived_where_a_transform_leaves_some_out(
    shop: Shop, settings: Settings
) -> None:
    settings.CUTOVER_STEPS = [["no_such_command"]]
    shop.execute(
        "source", "INSERT INTO auth_group_permissions (group_id, permission_id) VALUES (999, 1)"
    )
    labels = [GROUP, "auth.Group_permissions"]
    count(labels)
    options = services.Options(transforms=("auth.Group_permissions.group_id=skip-orphans",))
    plan = services.plan(labels, transforms=options.transforms)
    run = ended(services.start(labels, plan.dest.name, plan.fingerprint, "alice", options=options))
    assert run.status == "incomplete"
    assert run.error.startswith(
        "All rows that the transforms leave have arrived. The step `no_such_command` failed"
    )


def test_who_signs_off_answers_for_a_step_that_failed(
    shop: Shop, settings: Settings, alice: User
) -> None:
    settings.CUTOVER_STEPS = [["no_such_command"]]
    run = ended(start(GROUP))
    request = RequestFactory().post("/")
    request.user = alice
    with pytest.raises(Refused, match=rf"{run}: The step `no_such_command` failed"):
        signing.sign(request, run.audits.get(), "alice")
