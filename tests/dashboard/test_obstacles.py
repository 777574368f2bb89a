"""Which fields keep a host's user model out of the control database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.test.utils import isolate_apps

from dashboard.operators import field_problem, model_problems


class CitextField(models.TextField):
    """A third-party field with a column type of its own."""

    def db_type(self, connection: Any) -> str:
        return "citext"


class ShortTextField(models.CharField):
    """A third-party field whose column is an ordinary one."""


@pytest.fixture(autouse=True)
def isolated() -> Iterator[None]:
    """The models of these tests are no app's."""
    with isolate_apps("tests"):
        yield


def problem(field: models.Field[Any, Any]) -> str:
    """What is in the way of a user model with this field."""

    class Member(models.Model):  # noqa: DJ008  # nobody prints it
        class Meta:
            app_label = "tests"

    field.contribute_to_class(Member, "field")
    return field_problem(field)


def tenant(**options: Any) -> type[models.Model]:
    class Tenant(models.Model):  # noqa: DJ008  # nobody prints it
        id = options.get("key", models.AutoField(primary_key=True))

        class Meta:
            app_label = "tests"

    return Tenant


@pytest.mark.parametrize(
    "field",
    [
        models.EmailField(unique=True),
        models.UUIDField(),
        models.JSONField(),
        models.ImageField(),
        models.GenericIPAddressField(),
        ShortTextField(max_length=9),
    ],
    ids=lambda field: type(field).__name__,
)
def test_djangos_own_types_can_live_anywhere(field: models.Field[Any, Any]) -> None:
    assert problem(field) == ""


@pytest.mark.parametrize(
    "field",
    [ArrayField(models.IntegerField()), CitextField()],
    ids=lambda field: type(field).__name__,
)
def test_types_that_some_vendor_lacks_are_named(field: models.Field[Any, Any]) -> None:
    assert problem(field) == (
        f"tests.Member.field is a {type(field).__name__}, not one of Django's own field types"
    )


def test_a_row_that_must_lead_to_another_of_the_hosts_tables_cannot_be_made() -> None:
    found = problem(models.ForeignKey(tenant(), models.CASCADE))
    assert found == "tests.Member.field needs a row of tests.Tenant"


def test_one_that_may_lead_there_can() -> None:
    assert problem(models.ForeignKey(tenant(), models.CASCADE, null=True)) == ""


def test_one_that_must_lead_to_a_table_of_the_control_database_can() -> None:
    assert problem(models.ForeignKey(Group, models.CASCADE)) == ""


def test_the_key_that_a_relation_refers_to_counts_as_well() -> None:
    odd = tenant(key=CitextField(primary_key=True))
    assert "not one of Django's own" in problem(models.ForeignKey(odd, models.CASCADE, null=True))


def test_an_unmanaged_model_and_one_in_another_schema_are_named() -> None:
    class Member(models.Model):  # noqa: DJ008  # nobody prints it
        class Meta:
            app_label = "tests"
            managed = False
            db_table = '"staff"."member"'

    assert model_problems(Member) == [
        "tests.Member is unmanaged",
        "tests.Member names a schema in its db_table",
    ]
