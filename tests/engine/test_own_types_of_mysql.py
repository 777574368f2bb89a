"""Types that only MySQL and MariaDB have: they cross between two of them as the server has them."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from migrations_ui.engine.databases.base import Database, TypedColumn
from migrations_ui.engine.databases.mysql.columns import make_column
from migrations_ui.engine.databases.mysql.rows import RowForm, insert_form, load_targets
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.verifying import compare_table
from tests.engine.conftest import OpenPair, Witness, plain_layout, run, transfer

GEOMETRY = "id int NOT NULL PRIMARY KEY, p point NOT NULL, g geometry, l linestring"
FROM = "ST_GeomFromText"
SHAPES = (
    f"(1, {FROM}('POINT(1 2)'), NULL, {FROM}('LINESTRING(0 0, 1 1, 2.5 1e300)'))",
    f"(2, {FROM}('POINT(-0.1 1e-9)', 4326), {FROM}('POLYGON((0 0,4 0,4 4,0 0))'), NULL)",
    f"(3, {FROM}('POINT(9 10)'), {FROM}('GEOMETRYCOLLECTION(POINT(1 1))'), NULL)",
)
TEXTS = "SELECT id, ST_AsText(p), ST_SRID(p), ST_AsText(g), ST_AsText(l) FROM shapes ORDER BY id"
VECTOR = make_column("v", "vector", "vector(3)", 1, "", None, None, None, 12, None, 0, None)


def filled(open_pair: OpenPair) -> tuple[Database, Database, Layout]:
    source, dest = open_pair("mysql", "mysql")
    for database in (source, dest):
        run(database, f"CREATE TABLE shapes ({GEOMETRY})")
    run(source, *(f"INSERT INTO shapes VALUES {row}" for row in SHAPES))
    return source, dest, plain_layout(source, dest, "shapes")


@pytest.mark.parametrize("from_file", [True, False])
def test_geometries_cross(
    from_file: bool, open_pair: OpenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, dest, layout = filled(open_pair)
    monkeypatch.setattr(type(dest), "loads_from_file", from_file)
    transfer([layout], source, dest, Witness())
    assert dest.query(TEXTS) == source.query(TEXTS)
    assert compare_table(layout, lambda: nullcontext((source, dest))).is_identical


def test_a_geometry_that_differs_is_seen(open_pair: OpenPair) -> None:
    source, dest, layout = filled(open_pair)
    transfer([layout], source, dest, Witness())
    run(dest, "UPDATE shapes SET p = ST_GeomFromText('POINT(9 11)') WHERE id = 3")
    assert not compare_table(layout, lambda: nullcontext((source, dest))).is_identical


def test_vectors_are_bytes_as_well() -> None:
    """Which MariaDB has since 11.7, and MySQL since 9.0."""
    column = TypedColumn(Kind.NATIVE, VECTOR)
    form = RowForm.of([(column, "`v`", "`v`")])
    assert form.block([(bytes([0, 9, 255]),), (None,)]) == b"0009ff\n\\N\n"
    assert load_targets([column], "`{}`".format) == (["@c0"], ["`v` = UNHEX(@c0)"])
    assert insert_form(column) == b"UNHEX('%b')"
