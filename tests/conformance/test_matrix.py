"""The nasty project has whatever Django has: a field that Django adds is missed here first."""

from __future__ import annotations

import inspect

import pytest
from django.db import models

from tests.conformance.conftest import Host
from tests.conftest import MakeDatabase

# Classes that are no fields of a model: the base class, and those that Django kept for migrations.
NO_FIELDS = {"Field", "CommaSeparatedIntegerField", "IPAddressField", "NullBooleanField"}
RELATIONS = {
    "AutoField",
    "BigAutoField",
    "CompositePrimaryKey",
    "ForeignKey",
    "ForeignObject",
    "GeneratedField",
    "ManyToManyField",
    "OneToOneField",
    "OrderWrt",
    "SmallAutoField",
}
# Which of the built-in fields a variant can't have, as Django itself says.
LACKS = {
    "Plain": set(),
    "Everything": set(),
    "Chosen": {"BinaryField", "JSONField"},
    "Commented": set(),
    "Defaulted": set(),
    "Derived": set(),
    "Generated": set(),
    "Indexed": {"BinaryField", "JSONField"},
}


def classes(module: object) -> set[str]:
    return {
        name
        for name, found in vars(module).items()
        if inspect.isclass(found) and issubclass(found, models.Field)
    }


@pytest.fixture
def present(host: Host, make_database: MakeDatabase) -> dict[str, set[str]]:
    found = host(make_database("sqlite"), "fields", "sqlite", "sqlite")
    return {model: set(names) for model, names in found.items()}


def test_every_field_class_of_djangos_has_a_column_or_a_relation(
    present: dict[str, set[str]],
) -> None:
    assert classes(models) - NO_FIELDS - set().union(*present.values()) == set()


def test_every_variant_has_every_built_in_field(present: dict[str, set[str]]) -> None:
    columns = classes(models) - NO_FIELDS - RELATIONS
    missing = {
        variant: {name for name in columns - lacks if not {name, f"Own{name}"} & present[variant]}
        for variant, lacks in LACKS.items()
    }
    assert missing == {variant: set() for variant in LACKS}
