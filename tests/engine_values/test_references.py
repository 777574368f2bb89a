"""Rows that lead nowhere: by the foreign keys that the destination really has, and by no others."""

from __future__ import annotations

import pytest

from tests.engine_values.conftest import MakeSides, Sides

PG, MY, SQ = "postgresql", "mysql", "sqlite"
DIRECTIONS = [(source, dest) for source in (PG, MY, SQ) for dest in (PG, MY, SQ)]


def family(
    between: Sides, child_of: str = "", *, key: str = "integer", constraint: bool = True
) -> tuple[str, str]:
    """Parents on both sides and their children; only the destination has the foreign key."""
    parent = between.create(f"id {key} NOT NULL PRIMARY KEY")
    child = f"id integer NOT NULL PRIMARY KEY, v {key}"
    bound = f"{child}, FOREIGN KEY (v) REFERENCES {parent} (id)" if constraint else child
    return parent, between.create(child, bound)


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_children_without_a_parent_are_found(source: str, dest: str, sides: MakeSides) -> None:
    between = sides(source, dest)
    parent, child = family(between)
    between.fill(parent, [(1,), (2,)])
    between.fill(child, [(1, 1), (2, 2), (3, None)])
    assert between.check(parent, child) == []
    between.fill(child, [(4, 7), (5, 8), (6, 7)])
    (found,) = between.check(parent, child)
    assert (found.code, found.table, found.column, found.rows) == ("orphans", child, "v", 3)
    assert found.sample_keys == ("4", "5", "6")
    assert f"{parent}.id" in found.message
    assert found.transforms == ("skip-orphans",)


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_a_reference_without_a_constraint_may_lead_nowhere(
    source: str, dest: str, sides: MakeSides
) -> None:
    between = sides(source, dest)
    parent, child = family(between, constraint=False)
    between.fill(child, [(1, 7)])
    assert between.check(parent, child) == []


def test_postgresql_is_not_asked_for_what_its_own_constraint_guarantees(sides: MakeSides) -> None:
    between = sides(PG, MY)
    parent = between.create("id integer PRIMARY KEY")
    child = between.create(
        f"id integer PRIMARY KEY, v integer, FOREIGN KEY (v) REFERENCES {parent} (id)"
    )
    asked = between.listen()
    assert between.check(parent, child) == []
    assert [sql for sql in asked if "NOT EXISTS" in sql] == []


def test_a_constraint_that_was_never_validated_guarantees_nothing(sides: MakeSides) -> None:
    between = sides(PG, PG)
    parent, child = family(between)
    between.fill(child, [(1, 7)])
    between.source.execute(
        f"ALTER TABLE {child} ADD FOREIGN KEY (v) REFERENCES {parent} (id) NOT VALID"
    )
    (found,) = between.check(parent, child)
    assert (found.code, found.rows, found.sample_keys) == ("orphans", 1, ("1",))


@pytest.mark.parametrize("source", [MY, SQ])
def test_a_constraint_that_was_switched_off_guarantees_nothing(
    source: str, sides: MakeSides
) -> None:
    between = sides(source, PG)
    parent = between.create("id integer NOT NULL PRIMARY KEY")
    child = between.create(
        f"id integer NOT NULL PRIMARY KEY, v integer, FOREIGN KEY (v) REFERENCES {parent} (id)"
    )
    off, on = {
        MY: ("SET SESSION foreign_key_checks=0", "SET SESSION foreign_key_checks=1"),
        SQ: ("PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys = ON"),
    }[source]
    between.source.execute(off)
    between.fill(child, [(1, 7)])
    between.source.execute(on)
    (found,) = between.check(parent, child)
    assert (found.code, found.rows, found.sample_keys) == ("orphans", 1, ("1",))


def test_a_key_that_mysql_finds_in_another_case_is_an_orphan_elsewhere(sides: MakeSides) -> None:
    between = sides(MY, PG)
    parent, child = family(between, key="varchar(9)")
    between.fill(parent, [("abc",), ("é",)])
    between.fill(child, [(1, "abc"), (2, "ABC"), (3, "é")])
    (found,) = between.check(parent, child)
    assert (found.code, found.rows, found.sample_keys) == ("orphans", 1, ("2",))


def test_a_key_in_another_case_is_no_orphan_in_mysql(sides: MakeSides) -> None:
    between = sides(MY, MY)
    parent, child = family(between, key="varchar(9)")
    between.fill(parent, [("abc",)])
    between.fill(child, [(1, "ABC")])
    assert between.check(parent, child) == []


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_a_row_may_refer_to_its_own_table(source: str, dest: str, sides: MakeSides) -> None:
    between = sides(source, dest)
    name = f"tree_{source}_{dest}"
    columns = "id integer NOT NULL PRIMARY KEY, v integer"
    between.create(columns, f"{columns}, FOREIGN KEY (v) REFERENCES {name} (id)", name)
    between.fill(name, [(1, 1), (2, 1), (3, None)])
    assert between.check(name) == []
    between.fill(name, [(4, 9)])
    (found,) = between.check(name)
    assert (found.code, found.rows, found.sample_keys) == ("orphans", 1, ("4",))


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_a_parent_that_is_not_copied_must_be_in_the_destination(
    source: str, dest: str, sides: MakeSides
) -> None:
    between = sides(source, dest)
    parent, child = family(between)
    between.fill(parent, [(1,), (2,)])
    between.fill(child, [(1, 1), (2, 2), (3, 2), (4, None)])
    between.dest.execute(f"INSERT INTO {parent} VALUES (1)")
    (found,) = between.check(child)
    assert (found.code, found.table, found.column, found.rows) == (
        "parent-not-copied",
        child,
        "v",
        2,
    )
    assert found.sample_keys == ("2", "3")
    assert f"Copy {parent}" in found.remedy
    between.dest.execute(f"INSERT INTO {parent} VALUES (2)")
    assert between.check(child) == []


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_a_child_that_is_not_copied_must_keep_its_parent(
    source: str, dest: str, sides: MakeSides
) -> None:
    between = sides(source, dest)
    parent, child = family(between)
    between.fill(parent, [(1,)])
    between.dest.execute(f"INSERT INTO {parent} VALUES (1), (2)")
    between.dest.execute(f"INSERT INTO {child} VALUES (1, 1), (2, NULL)")
    assert between.check(parent) == []
    between.dest.execute(f"INSERT INTO {child} VALUES (3, 2)")
    (found,) = between.check(parent)
    assert (found.code, found.table, found.rows) == ("child-left-behind", parent, 1)
    assert found.sample_keys == ("2",)
    assert child in found.message
