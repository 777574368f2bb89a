"""What a model's own constraints are against, where the destination alone has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.apps.registry import Apps
from django.db import models
from django.db.models import CheckConstraint, F, Func, Q, UniqueConstraint
from django.db.models.constraints import BaseConstraint
from django.db.models.functions import Lower

from migrations_ui.engine.findings import Finding, Severity
from tests.engine_values.conftest import MakeSides, Sides

# Django quotes a value for MySQL on a connection of its own.
pytestmark = pytest.mark.django_db

PG, MY, SQ = "postgresql", "mysql", "sqlite"
COLUMNS = "id integer NOT NULL PRIMARY KEY, v varchar(9){}, n integer, yes boolean"
FIELDS: dict[str, Any] = {
    "v": models.CharField,
    "n": models.IntegerField,
    "yes": models.BooleanField,
}


class Unwritable(Func):
    """An expression of a host's, which fails."""

    def as_sql(self, *arguments: Any, **options: Any) -> Any:
        raise AttributeError("only where the host's start-up code has run")


@dataclass
class Thing:
    """A table without constraints, but for what `add` makes on one side."""

    between: Sides
    constraint: BaseConstraint

    def __post_init__(self) -> None:
        # As MySQL does by default; the destination is left as Django makes it.
        folds = " COLLATE NOCASE" if self.between.source.vendor == SQ else ""
        self.name = self.between.create(COLUMNS.format(folds), COLUMNS.format(""))
        self.rule = self.constraint.name = f"{self.name}_rule"
        options = {"apps": Apps(), "app_label": "shop", "db_table": self.name}
        self.model = type(
            "Thing",
            (models.Model,),
            {
                "__module__": __name__,
                "Meta": type("Meta", (), options | {"constraints": [self.constraint]}),
                **{name: kind(null=True) for name, kind in FIELDS.items()},
            },
        )

    def add(self, statement: str, side: str = "dest") -> None:
        getattr(self.between, side).execute(statement.format(table=self.name, rule=self.rule))

    def add_check(self, condition: str, side: str = "dest") -> None:
        column = "COLUMN extra integer " if getattr(self.between, side).vendor == SQ else ""
        self.add(f"ALTER TABLE {{table}} ADD {column}CONSTRAINT {{rule}} CHECK ({condition})", side)

    def fill(self, rows: Sequence[Sequence[Any]]) -> None:
        self.between.fill(self.name, rows)

    def check(self) -> list[Finding]:
        (layout,) = self.between.layouts(self.name, **FIELDS)
        return self.between.look([replace(layout, table=replace(layout.table, model=self.model))])


def unique(what: str, condition: str = "") -> str:
    """A statement that makes the unique index of the rule."""
    where = f" WHERE {condition}" if condition else ""
    return f"CREATE UNIQUE INDEX {{rule}} ON {{table}} ({what}){where}"


@pytest.mark.parametrize("dest", [PG, SQ])
@pytest.mark.parametrize("source", [PG, MY, SQ])
def test_duplicates_among_the_rows_of_a_condition(source: str, dest: str, sides: MakeSides) -> None:
    thing = Thing(
        sides(source, dest), UniqueConstraint(fields=["v"], condition=Q(yes=True), name="x")
    )
    thing.add(unique("v", "yes"))
    rows: list[tuple[Any, ...]] = [
        ("a", 1, True),
        ("a", 2, True),
        ("a", 3, False),
        ("b", 1, True),
        ("B", 1, True),
    ]
    rows += [(None, 1, True), (None, 1, True), ("a", 1, None)]
    thing.fill([(number, *row) for number, row in enumerate(rows, 1)])
    (found,) = thing.check()
    assert (found.code, found.severity, found.rows) == ("duplicate-in-part", Severity.BLOCKER, 2)
    assert (found.column, found.sample_keys) == ("v, yes", ("1", "2"))
    assert thing.rule in found.message
    assert not thing.between.survives(thing.name, **FIELDS)
    thing.between.source.execute(f"DELETE FROM {thing.name} WHERE id = 2")
    assert thing.check() == []
    assert thing.between.survives(thing.name, **FIELDS)


@pytest.mark.parametrize("source", [PG, MY, SQ])
def test_texts_of_a_condition_are_compared_as_the_destination_does(
    source: str, sides: MakeSides
) -> None:
    condition = Q(v__in=["x", "100%", "it's"])
    thing = Thing(sides(source, PG), UniqueConstraint(fields=["n"], condition=condition, name="x"))
    thing.add(unique("n", "v IN ('x', '100%', 'it''s')"))
    texts = ["x", "X", "x ", "100%", "100%%", "it's"]
    thing.fill([(number, text, 1 + (number > 3), True) for number, text in enumerate(texts, 1)])
    (found,) = thing.check()
    assert (found.severity, found.sample_keys) == (Severity.BLOCKER, ("4", "6"))
    assert not thing.between.survives(thing.name, **FIELDS)
    thing.between.source.execute(f"DELETE FROM {thing.name} WHERE id = 6")
    assert thing.check() == []
    assert thing.between.survives(thing.name, **FIELDS)


@pytest.mark.parametrize("source", [PG, MY, SQ])
def test_duplicates_by_an_expression_are_a_warning(source: str, sides: MakeSides) -> None:
    expressions = (Lower("v"), F("n").desc())
    thing = Thing(sides(source, PG), UniqueConstraint(*expressions, name="x"))
    thing.add(unique("lower(v), n DESC"))
    rows = [("Ann", 1), ("ann", 1), ("ANN", 2), ("bob", 1), (None, 1), (None, 1)]
    thing.fill([(number, *row, True) for number, row in enumerate(rows, 1)])
    (found,) = thing.check()
    assert (found.code, found.severity, found.rows) == ("duplicate-in-part", Severity.WARNING, 2)
    assert (found.column, found.sample_keys) == ("v, n", ("1", "2"))
    assert "as the source's server judges" in found.message


@pytest.mark.parametrize("dest", [PG, MY, SQ])
@pytest.mark.parametrize("source", [PG, MY, SQ])
def test_rows_that_a_check_is_against(source: str, dest: str, sides: MakeSides) -> None:
    condition = Q(n__gte=0) | Q(yes=True)
    thing = Thing(sides(source, dest), CheckConstraint(condition=condition, name="x"))
    rows = [(1, "a", 0, False), (2, "b", -1, True), (3, "c", -1, False), (4, "d", None, False)]
    thing.fill(rows)
    thing.add_check("n >= 0 OR yes")
    (found,) = thing.check()
    assert (found.code, found.severity, found.rows) == ("check-violated", Severity.BLOCKER, 1)
    assert (found.column, found.sample_keys) == ("n, yes", ("3",))
    assert not thing.between.survives(thing.name, **FIELDS)
    thing.between.source.execute(f"DELETE FROM {thing.name} WHERE id = 3")
    assert thing.check() == []
    assert thing.between.survives(thing.name, **FIELDS)


@pytest.mark.parametrize("source", [PG, SQ])
def test_a_text_that_the_destination_folds_is_a_warning(source: str, sides: MakeSides) -> None:
    thing = Thing(sides(source, MY), CheckConstraint(condition=Q(v__in=["a", "b"]), name="x"))
    thing.fill([(1, "a", 0, False), (2, "B", 0, False)])
    thing.add_check("v IN ('a', 'b')")
    (found,) = thing.check()
    assert (found.code, found.severity) == ("check-violated", Severity.WARNING)
    assert found.sample_keys == ("2",)
    assert thing.between.survives(thing.name, **FIELDS)


@pytest.mark.parametrize(
    ("constraint", "code"),
    [
        (UniqueConstraint(Unwritable("v"), name="x"), "unique-not-looked-at"),
        (UniqueConstraint(fields=["v"], condition=Q(v__nope=1), name="x"), "unique-not-looked-at"),
        (CheckConstraint(condition=Q(v=Unwritable("v")), name="x"), "check-not-looked-at"),
    ],
)
def test_what_django_can_not_write_is_told(
    constraint: BaseConstraint, code: str, sides: MakeSides
) -> None:
    thing = Thing(sides(MY, PG), constraint.clone())
    thing.fill([(1, "a", 0, False)])
    if isinstance(constraint, UniqueConstraint):
        thing.add(unique("lower(v)"))
    else:
        thing.add_check("v <> ''")
    (found,) = thing.check()
    assert (found.code, found.severity) == (code, Severity.INFO)
    assert thing.rule in found.message


@pytest.mark.parametrize("source", [PG, SQ])
def test_what_the_source_keeps_as_well_is_not_looked_at(source: str, sides: MakeSides) -> None:
    in_part = UniqueConstraint(fields=["n"], condition=Q(yes=True), name="x")
    things = [
        Thing(between := sides(source, PG), in_part),
        Thing(between, CheckConstraint(condition=Q(n__gte=0), name="x")),
    ]
    for side in ("source", "dest"):
        things[0].add(unique("n", "yes"), side)
        things[1].add_check("n >= 0", side)
    asked = between.listen()
    assert [found for thing in things for found in thing.check()] == []
    assert [sql for sql in asked if "exact_texts" in sql] == []


@pytest.mark.parametrize("source", [PG, MY, SQ])
def test_what_the_destination_folds_under_a_condition_is_not_judged(
    source: str, sides: MakeSides
) -> None:
    """'b' and 'B' are two texts where the source's server compares their characters."""
    thing = Thing(
        sides(source, SQ), UniqueConstraint(fields=["v"], condition=Q(yes=True), name="x")
    )
    thing.add(unique("v COLLATE NOCASE", "yes"))
    thing.fill([(1, "b", 1, True), (2, "B", 1, True)])
    (found,) = thing.check()
    assert (found.code, found.severity) == ("unique-not-looked-at", Severity.INFO)
    assert not thing.between.survives(thing.name, **FIELDS)
