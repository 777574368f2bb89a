"""Which tables there are, by which names, and what comes before what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import models
from django.test.utils import isolate_apps

from migrations_ui.engine import catalog
from migrations_ui.engine.catalog import Table
from tests.engine.conftest import table_of

DJANGOS = (
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
)
APP = "migrations_ui"


@pytest.fixture
def shop() -> Iterator[None]:
    """Models that are made in a test are known in that test only."""
    with isolate_apps(APP):
        yield


def model(
    name: str,
    /,
    parent: type[models.Model] = models.Model,
    *,
    meta: dict[str, Any] | None = None,
    **attributes: Any,
) -> Any:
    """A model of the app, with what its Meta says besides."""
    options = type("Meta", (), {"app_label": APP, **(meta or {})})
    return type(name, (parent,), {"__module__": __name__, "Meta": options, **attributes})


def table(label: str, *references: str) -> Table:
    return replace(table_of(label.lower(), label=label), references=frozenset(references))


def ordered(*tables: Table) -> list[str]:
    return [found.label for found in catalog.in_order({t.label: t for t in tables})]


def test_what_is_referenced_comes_first() -> None:
    found = [t.label for t in catalog.tables(DJANGOS)]
    assert found[:3] == ["contenttypes.ContentType", "auth.Permission", "auth.Group"]
    for t in catalog.tables(DJANGOS):
        for reference in t.references:
            assert found.index(reference) < found.index(t.label), (reference, t.label)


def test_a_chain_comes_in_the_order_of_its_links() -> None:
    assert ordered(table("c", "b"), table("b", "a"), table("a")) == ["a", "b", "c"]


def test_a_cycle_is_entered_where_it_is_met_first() -> None:
    found = ordered(table("a", "b"), table("b", "c"), table("c", "a"), table("d", "b"))
    assert sorted(found) == ["a", "b", "c", "d"]
    assert found[-1] == "d"
    assert found == ["c", "b", "a", "d"]


def test_a_table_that_refers_to_itself_or_to_one_outside_comes_once() -> None:
    assert ordered(table("tree", "tree"), table("leaf", "tree", "elsewhere")) == ["tree", "leaf"]


def test_a_very_long_chain_is_no_problem() -> None:
    chain = [table(f"t{number}", f"t{number + 1}") for number in range(3_000)]
    assert ordered(*chain)[0] == "t2999"


def test_who_refers_to_a_selection_from_outside_is_known() -> None:
    everything = [table("a"), table("b", "a"), table("c", "a", "b"), table("d", "x")]
    assert catalog.referring({"a"}, everything) == {"a": ["b", "c"]}
    assert catalog.referring({"a", "b"}, everything) == {"a": ["c"], "b": ["c"]}
    assert catalog.referring({"a", "b", "c"}, everything) == {}


def test_through_tables_that_django_made_are_tables() -> None:
    (found,) = [t for t in catalog.tables(DJANGOS) if t.label == "auth.User_groups"]
    assert found.name == "Users: groups"
    assert found.names[0] == "auth_user_groups"
    assert found.references == {"auth.User", "auth.Group"}
    assert found.key == ("id",)


def test_the_dashboards_own_tables_are_none_of_the_hosts() -> None:
    assert all(t.app_label != "migrations_ui" for t in catalog.tables(DJANGOS))
    assert "migrations_ui" in {model._meta.app_label for model in apps.get_models()}


def test_sessions_are_left_out_and_it_is_said_why() -> None:
    left_out = {t.label: t.left_out for t in catalog.tables(DJANGOS) if t.left_out}
    assert left_out == {Session._meta.label: catalog.SESSIONS}


@pytest.mark.parametrize("model", [ContentType, Permission, Group, User, Group.permissions.through])
def test_ordinary_models_are_copied(model: type[models.Model]) -> None:
    assert catalog.is_copied(model, DJANGOS)
    assert not catalog.is_copied(model, ["another.app"])


@pytest.mark.usefixtures("shop")
def test_what_has_no_table_of_its_own_is_not_copied() -> None:
    item = model("Item")
    seen = model("Seen", item, meta={"proxy": True})
    view = model("View", meta={"managed": False})
    person = model("Person", meta={"swappable": "AUTH_USER_MODEL"})
    copied = [m for m in (item, seen, view, person) if catalog.is_copied(m, [APP])]
    assert copied == [item]


@pytest.mark.usefixtures("shop")
def test_a_child_has_its_own_columns_and_refers_to_its_parent() -> None:
    place = model("Place", name=models.CharField(max_length=10))
    bar = model("Bar", place, beers=models.IntegerField(db_column="Bé ers"))
    found = catalog.make_table(bar)
    assert [field.column for field in found.fields] == ["place_ptr_id", "Bé ers"]
    assert found.references == {"migrations_ui.Place"}
    assert found.key == ("place_ptr_id",)
    assert found.auto_column is None
    assert catalog.make_table(place).auto_column == "id"


@pytest.mark.usefixtures("shop")
def test_a_reference_to_a_proxy_leads_to_its_table() -> None:
    item = model("Item")
    seen = model("Seen", item, meta={"proxy": True})
    note = model("Note", seen=models.ForeignKey(seen, models.CASCADE))
    assert catalog.make_table(note).references == {"migrations_ui.Item"}


@pytest.mark.usefixtures("shop")
def test_a_composite_key_has_all_its_columns() -> None:
    line = model(
        "Line",
        pk=models.CompositePrimaryKey("order", "number"),
        order=models.IntegerField(),
        number=models.IntegerField(db_column="no"),
    )
    found = catalog.make_table(line)
    assert found.key == ("order", "no")
    assert [field.column for field in found.fields] == ["order", "no"]
    assert found.auto_column is None


@pytest.mark.usefixtures("shop")
def test_a_name_that_django_shortened_is_known_in_full() -> None:
    long = "a" * 50
    owner = model("Owner", meta={"db_table": f"things_{long}"})
    book = model(
        "Book", meta={"db_table": f"books_{long}"}, owners_of_it=models.ManyToManyField(owner)
    )
    through = book._meta.get_field("owners_of_it").remote_field.through
    names = catalog.make_table(through).names
    assert f"books_{long}_owners_of_it" in names
    assert through._meta.db_table in names
