"""The operators' tables follow the host's models, and the operators stay."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import MakeDatabase, RunManage
from tests.hosts.site import PASSWORD, Site

OPERATORS = """
import json
from django.contrib.auth import get_user_model
print(json.dumps(list(get_user_model().objects.values_list("email", "full_name", "is_staff"))))
"""
SQL = """
from django.db import connection
with connection.cursor() as cursor:
    for statement in {statements!r}:
        cursor.execute(statement)
"""


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def clinic(
    run_manage: RunManage,
    make_database: MakeDatabase,
    monkeypatch: pytest.MonkeyPatch,
    request: Any,
) -> Site:
    """The clinic's dashboard with an operator, on a control database of any vendor."""
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    site = Site(
        run_manage,
        {
            "HOST_SETTINGS": "tests.hosts.clinic.settings.production",
            "CLINIC_NAME": "St. Luke's",
            "SOURCE_DATABASE_URL": make_database("sqlite"),
            "DEST_DATABASE_URL": make_database("sqlite"),
            "CONTROL_DATABASE_URL": make_database(request.param),
        },
    )
    site.manage("migrate")
    site.manage("createsuperuser", "--noinput", "--email", "alice@example.org")
    return site


def test_a_second_migrate_has_nothing_to_make(clinic: Site) -> None:
    done = clinic.manage("migrate")
    assert "Made" not in done.stdout


def test_when_the_user_model_has_changed_migrate_makes_its_tables_again_and_keeps_operators(
    clinic: Site,
) -> None:
    """As if full_name were new in the model, and nickname no longer there."""
    clinic.shell(
        SQL.format(
            statements=[
                "ALTER TABLE people_user DROP COLUMN full_name",
                "ALTER TABLE people_user ADD COLUMN nickname varchar(9) NOT NULL DEFAULT 'al'",
            ]
        )
    )
    done = clinic.manage("migrate")
    assert "Made people_user again: its model has changed." in done.stdout
    assert clinic.shell(OPERATORS) == [["alice@example.org", "", True]]
    clinic.manage("createsuperuser", "--noinput", "--email", "bob@example.org")
    assert clinic.sign_in("alice@example.org")["signed in"]


def test_a_new_column_that_no_operator_has_a_value_for_stops_migrate_before_anything_is_dropped(
    clinic: Site,
) -> None:
    """As if password were new in the model."""
    clinic.shell(SQL.format(statements=["ALTER TABLE people_user DROP COLUMN password"]))
    done = clinic.manage("migrate", fails=True)
    assert "people.User.password is new in the user model and has no default" in done.stderr
