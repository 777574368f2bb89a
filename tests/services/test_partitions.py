"""A destination of PostgreSQL's whose tables somebody has partitioned."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from migrations_ui import restoring
from migrations_ui.models import DroppedConstraint, Run
from migrations_ui.sides import endpoints
from tests.services.conftest import Postgres, Shop, ended, start

pytestmark = pytest.mark.django_db(transaction=True)

LOG = "django_admin_log"
KEYS = (("user_id", "auth_user"), ("content_type_id", "django_content_type"))


@pytest.fixture
def partitioned(shop: Shop, postgres: Postgres) -> Postgres:
    """The log is partitioned on the destination, and has a row on the source."""
    shop.execute(
        "source",
        "INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email,"
        " is_staff, is_active, date_joined) VALUES"
        " (1, '', 0, 'alice', '', '', '', 1, 1, '2026-01-01 00:00:00')",
        "INSERT INTO django_admin_log VALUES (1, NULL, 'pid', 1, '', NULL, 1, '2026-01-01 00:00')",
    )
    postgres.execute(
        f"CREATE TABLE parts (LIKE {LOG} INCLUDING ALL) PARTITION BY RANGE (id)",
        "CREATE TABLE part PARTITION OF parts DEFAULT",
        *(f"ALTER TABLE parts ADD FOREIGN KEY ({own}) REFERENCES {other}" for own, other in KEYS),
        f"DROP TABLE {LOG}",
        f"ALTER TABLE parts RENAME TO {LOG}",
    )
    return postgres


def test_a_partitioned_table_is_whole_after_a_run(partitioned: Postgres) -> None:
    before = partitioned.constraints()
    run = ended(start("auth.User", "admin.LogEntry"))
    assert run.status == Run.Status.SUCCEEDED, run.error
    assert run.audits.get().verdict == "identical"
    assert partitioned.constraints() == before
    assert partitioned.execute(f"SELECT id, user_id FROM {LOG}") == [(1, 1)]


def test_what_a_dead_run_has_left_off_of_it_is_put_back(partitioned: Postgres) -> None:
    before = partitioned.constraints()
    run = ended(start("auth.User", "admin.LogEntry"))
    with endpoints().open_dest() as dest:
        keys = dest.foreign_keys([LOG])
        for key in keys:
            DroppedConstraint.objects.create(
                run=run, table=key.table, name=key.name, facts=asdict(key)
            )
            dest.drop_foreign_key(key)
    assert len(before) == len(partitioned.constraints()) + 2 * len(keys)

    restored = restoring.restore(reverse=False)
    assert (restored.missing, restored.problems) == (len(KEYS), [])
    assert partitioned.constraints() == before
