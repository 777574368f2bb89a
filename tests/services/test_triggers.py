"""PostgreSQL's triggers are off for a run, and on again whatever becomes of it."""

from __future__ import annotations

import pytest
from django.test import Client

from migrations_ui import restoring, retrying, services
from migrations_ui.models import DisabledTrigger, RejectedRow, Run
from tests.services.conftest import (
    GROUPS,
    SLOW_POSTGRES,
    Postgres,
    Shop,
    ended,
    in_a_worker,
    much_to_copy,
    start,
)
from tests.services.test_execution import wait_for_rows

pytestmark = pytest.mark.django_db(transaction=True)

GROUP = "auth.Group"
LOG = ["auth.User", "admin.LogEntry"]
# As django-pghistory's: each new row of one table is noted down in another.
NOTE = (
    "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql "
    "AS 'BEGIN INSERT INTO noted VALUES (TG_OP); RETURN NULL; END'"
)
TRIGGERS = (
    "CREATE TABLE noted (name text)",
    NOTE,
    "CREATE TRIGGER notes AFTER INSERT OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION note()",
    "CREATE TRIGGER always AFTER TRUNCATE ON {table} EXECUTE FUNCTION note()",
    "ALTER TABLE {table} ENABLE ALWAYS TRIGGER always",
)
STATES = [("always", "A"), ("notes", "O")]
OFF = [("always", "D"), ("notes", "D")]


def make(postgres: Postgres, table: str) -> None:
    postgres.execute(*(statement.format(table=table) for statement in TRIGGERS))


def states(postgres: Postgres) -> list[tuple[str, str]]:
    return postgres.execute(
        "SELECT tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
    )


def noted(postgres: Postgres) -> int:
    return int(postgres.execute("SELECT count(*) FROM noted")[0][0])


def left_off() -> list[str]:
    journal = DisabledTrigger.objects.filter(restored_at=None)
    return list(journal.order_by("name").values_list("name", flat=True))


def test_neither_a_run_nor_a_catch_up_fires_one(shop: Shop, postgres: Postgres) -> None:
    make(postgres, "auth_group")
    run = start(GROUP)
    ended(run)
    assert run.status == Run.Status.SUCCEEDED, run.error
    assert run.disabled_triggers.count() == 2

    shop.execute("source", "UPDATE auth_group SET name = 'changed' WHERE id = 2")
    plan = services.catch_up_plan([GROUP])
    confirmed = (plan.dest.name, services.catch_up_fingerprint(plan), "alice")
    again = services.start_catch_up([GROUP], *confirmed)
    ended(again)
    assert again.status == Run.Status.SUCCEEDED, again.error
    assert again.disabled_triggers.count() == 2
    assert (noted(postgres), states(postgres), left_off()) == (0, STATES, [])


def paused(shop: Shop, postgres: Postgres) -> Run:
    """A run that was paused while it loaded."""
    much_to_copy(shop)
    make(postgres, "django_admin_log")
    postgres.execute(SLOW_POSTGRES)
    run = start(*LOG)
    with in_a_worker(run):
        wait_for_rows(run)
        services.pause(run, "alice")
    run.refresh_from_db()
    return run


def test_those_of_a_paused_run_stay_off_until_it_is_cancelled(
    shop: Shop, postgres: Postgres, admin_client: Client
) -> None:
    run = paused(shop, postgres)
    assert run.status == Run.Status.PAUSED, run.error
    assert (states(postgres), left_off()) == (OFF, ["always", "notes"])
    page = admin_client.get(run.get_absolute_url()).content.decode()
    assert "Triggers that are still switched off" in page
    assert "<code>django_admin_log.notes</code>" in page

    services.cancel(run, "alice")
    ended(run)
    assert run.status == Run.Status.CANCELLED, run.error
    assert (noted(postgres), states(postgres), left_off()) == (0, STATES, [])
    page = admin_client.get(run.get_absolute_url()).content.decode()
    assert "still switched off" not in page


def test_a_paused_run_that_goes_on_switches_them_on_at_its_end(
    shop: Shop, postgres: Postgres
) -> None:
    run = paused(shop, postgres)
    services.resume(run, "alice")
    postgres.execute("ALTER TABLE django_admin_log DROP CONSTRAINT slow")
    ended(run)
    assert run.status == Run.Status.SUCCEEDED, run.error
    assert run.disabled_triggers.count() == 2
    assert (noted(postgres), states(postgres), left_off()) == (0, STATES, [])


def crashed(postgres: Postgres) -> Run:
    """A run whose worker and database went away when the triggers were off."""
    run = start(GROUP)
    ended(run)
    run.disabled_triggers.update(restored_at=None)
    for name in ("always", "notes"):
        postgres.execute(f"ALTER TABLE auth_group DISABLE TRIGGER {name}")
    return run


def test_after_a_crash_they_can_be_switched_on_as_often_as_one_likes(
    shop: Shop, postgres: Postgres
) -> None:
    make(postgres, "auth_group")
    crashed(postgres)
    assert states(postgres) == OFF
    done = restoring.restore(reverse=False)
    assert (done.missing, done.problems) == (2, [])
    assert str(done).startswith("2 of 2 missing indexes, constraints and triggers put back in ")
    assert (states(postgres), left_off()) == (STATES, [])
    assert restoring.restore(reverse=False).missing == 0


def test_the_next_run_switches_on_what_a_crash_has_left_off(shop: Shop, postgres: Postgres) -> None:
    make(postgres, "auth_group")
    crashed(postgres)
    again = start(GROUP)
    ended(again)
    assert again.status == Run.Status.SUCCEEDED, again.error
    assert (noted(postgres), states(postgres), left_off()) == (0, STATES, [])


def test_what_is_tried_again_fires_none(shop: Shop, postgres: Postgres) -> None:
    make(postgres, "auth_group")
    run = start(GROUP)
    ended(run)
    postgres.execute("DELETE FROM auth_group WHERE id = 2", "DELETE FROM noted")
    RejectedRow.objects.create(
        run=run,
        label=GROUP,
        key="2",
        message="refused",
        row=b"2\tsource 1\n",
        signature=run.tables.get().signature,
    )
    retrying.retry(run.pk)
    assert run.rejected.get().arrived_at, run.rejected.get().message
    assert postgres.execute("SELECT count(*) FROM auth_group") == [(GROUPS,)]
    assert (noted(postgres), states(postgres), left_off()) == (0, STATES, [])
