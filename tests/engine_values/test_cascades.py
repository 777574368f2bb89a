"""What leads to rows that are left out or refused is known before the copy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import RowFilter
from migrations_ui.engine.findings import Finding
from migrations_ui.engine.rejecting import Allowance, Rejects
from migrations_ui.engine.transfer import taken_off
from migrations_ui.engine.transforms import nested
from tests.engine.conftest import DIRECTIONS, VENDORS
from tests.engine_values.conftest import MakeSides, Sides

NUMBER = "id integer NOT NULL PRIMARY KEY"


def child_of(between: Sides, *parents: str, name: str = "", more: str = "") -> str:
    """A table with a column v0, v1 … for each parent, "" being itself; then more columns."""
    columns = ", ".join([NUMBER, *(f"v{n} integer" for n, _ in enumerate(parents))]) + more
    bound = "".join(
        f", FOREIGN KEY (v{n}) REFERENCES {parent or name} (id)" for n, parent in enumerate(parents)
    )
    return between.create(columns, columns + bound, name)


def seen(findings: list[Finding]) -> set[tuple[str, str, str, int | None, tuple[str, ...]]]:
    return {(f.code, f.table, f.column, f.rows, f.sample_keys) for f in findings}


def orphans(between: Sides, *names: str, findings: list[Finding]) -> list[int]:
    """Copy, with the transforms that the findings offer; how many rows lead nowhere afterwards."""
    keys = [key for key in between.dest.foreign_keys(names) if key.table in names]
    offered = {(found.table, found.column) for found in findings if found.transforms}
    chosen: dict[str, list[RowFilter]] = {}
    for key in keys:
        if (key.table, key.columns[0]) in offered:
            chosen.setdefault(key.table, []).append(RowFilter(key.columns[0], key.parent, "id"))
    between.dest.prepare_load()
    for key in taken_off(keys):
        between.dest.drop_foreign_key(key)
    for layout in between.layouts(*names):
        filtered = replace(layout, filters=nested(chosen, layout.source_name))
        rejects = Rejects(Allowance(100))
        copy_chunk(between.source, between.dest, Chunk(filtered), lambda rows: None, rejects)
    return [between.dest.orphans(key)[0] for key in keys]


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_all_that_is_below_an_orphan_is_found_at_once(
    source: str, dest: str, sides: MakeSides
) -> None:
    between = sides(source, dest)
    top = between.create(NUMBER)
    parent = child_of(between, top)
    child = child_of(between, parent, top)
    grandchild = child_of(between, child)
    between.fill(top, [(1,)])
    between.fill(parent, [(1, 1), (2, 9), (3, 9), (4, None)])
    between.fill(child, [(1, 1, 1), (2, 2, 1), (3, 3, 8), (4, None, 1), (5, 4, None), (6, 2, None)])
    between.fill(grandchild, [(1, 1), (2, 2), (3, 5), (4, None)])
    found = between.check(top, parent, child, grandchild)
    assert seen(found) == {
        ("orphans", parent, "v0", 2, ("2", "3")),
        ("orphans", child, "v1", 1, ("3",)),
        # Row 3 leads to one that is left out as well, and is left out itself already.
        ("parent-left-out", child, "v0", 2, ("2", "6")),
        ("parent-left-out", grandchild, "v0", 1, ("2",)),
    }
    assert all(one.transforms == ("skip-orphans",) for one in found)
    assert orphans(between, top, parent, child, grandchild, findings=found) == [0, 0, 0, 0]


@pytest.mark.parametrize("source", VENDORS)
def test_a_tree_below_an_orphan_is_found(source: str, sides: MakeSides) -> None:
    between = sides(source, "postgresql")
    tree = child_of(between, "", name=f"wood_{source}")
    between.fill(tree, [(1, None), (2, 1), (3, 9), (4, 3), (5, 4), (6, 7), (7, 6)])
    found = between.check(tree)
    assert seen(found) == {
        ("orphans", tree, "v0", 1, ("3",)),
        ("parent-left-out", tree, "v0", 2, ("4", "5")),
    }
    assert orphans(between, tree, findings=found) == [0]


@pytest.mark.parametrize("source", VENDORS)
def test_two_keys_to_the_own_table_are_followed_together(source: str, sides: MakeSides) -> None:
    between = sides(source, "mysql")
    tree = child_of(between, "", "", name=f"forest_{source}")
    between.fill(tree, [(1, None, 1), (2, 9, 1), (3, 1, 2), (4, 3, 1), (5, 1, 1), (6, None, 4)])
    found = between.check(tree)
    assert {one[:4] for one in seen(found)} == {
        ("orphans", tree, "v0", 1),
        ("parent-left-out", tree, "v0", 1),
        ("parent-left-out", tree, "v1", 2),
    }
    assert orphans(between, tree, findings=found) == [0, 0]
    assert between.dest.query(f"SELECT id FROM {tree} ORDER BY id") == [(1,), (5,)]


@pytest.mark.parametrize("source", VENDORS)
def test_tables_in_a_circle_are_followed(source: str, sides: MakeSides) -> None:
    between = sides(source, "sqlite")
    one, two = f"egg_{source}", f"hen_{source}"
    columns = f"{NUMBER}, v0 integer"
    for name, other in ((one, two), (two, one)):
        between.create(columns, f"{columns}, FOREIGN KEY (v0) REFERENCES {other} (id)", name)
    between.fill(one, [(1, 1), (2, 9), (3, None)])
    between.fill(two, [(1, 1), (2, 2), (3, 3)])
    found = between.check(one, two)
    assert seen(found) == {
        ("orphans", one, "v0", 1, ("2",)),
        ("parent-left-out", two, "v0", 1, ("2",)),
    }
    assert orphans(between, one, two, findings=found) == [0, 0]


@pytest.mark.parametrize("source", VENDORS)
def test_a_child_that_is_not_copied_misses_what_is_left_out(source: str, sides: MakeSides) -> None:
    between = sides(source, "sqlite")
    top = between.create(NUMBER)
    parent = child_of(between, top)
    child = child_of(between, parent)
    between.fill(parent, [(1, 9), (2, None)])
    between.dest.execute("PRAGMA foreign_keys = OFF")
    between.dest.execute(f"INSERT INTO {child} VALUES (1, 1), (2, 2)")
    found = between.check(top, parent)
    assert seen(found) == {
        ("orphans", parent, "v0", 1, ("1",)),
        ("child-left-behind", parent, "v0", 1, ("1",)),
    }


@pytest.mark.parametrize("source", ["mysql", "sqlite"])
def test_what_leads_to_a_row_that_will_be_refused_is_found(source: str, sides: MakeSides) -> None:
    between = sides(source, "postgresql")
    parent = between.create(f"{NUMBER}, t varchar(9)", f"{NUMBER}, t varchar(3)")
    child = child_of(between, parent)
    between.fill(parent, [(1, "abc"), (2, "abcd"), (3, "a\0"), (4, "abcd")])
    between.fill(child, [(1, 1), (2, 2), (3, 2), (4, 3), (5, None)])
    found = between.check(parent, child)
    assert seen(found) == {
        ("nul-in-text", parent, "t", 1, ("3",)),
        ("text-too-long", parent, "t", 2, ("2", "4")),
        ("parent-refused", child, "v0", 1, ("4",)),
        ("parent-refused", child, "v0", 2, ("2", "3")),
    }
    below = {one.rows: one for one in found if one.code == "parent-refused"}
    assert f"to rows of {parent}.id that the destination would refuse for their t (nul" in str(
        below[1]
    )
    assert below[1].overcome_by == (f"shop.{parent}.t=strip-nul", f"shop.{parent}.t=replace-nul")
    assert below[2].overcome_by == ()
    assert sum(orphans(between, parent, child, findings=[])) == 3


def test_nothing_is_asked_about_children_where_nothing_is_left_out(sides: MakeSides) -> None:
    between = sides("mysql", "postgresql")
    parent = between.create(f"{NUMBER}, t text")
    child = child_of(between, parent)
    between.fill(parent, [(1, "a")])
    between.fill(child, [(1, 1)])
    asked = between.listen()
    assert between.check(parent, child) == []
    # Once whether there is an orphan at all, and that is it.
    assert [sql for sql in asked if " child " in sql and not sql.endswith("LIMIT 1")] == []
