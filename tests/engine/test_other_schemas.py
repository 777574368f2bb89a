"""Tables outside the search path, as Django projects spell them: `"schema"."table"`."""

from __future__ import annotations

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from tests.engine.conftest import OpenPair, layout_of, run

NAME = '"Sales Dept"."Order"'


def test_a_schema_whose_name_needs_quotes_is_found_with_its_keys(open_pair: OpenPair) -> None:
    source, dest = open_pair("postgresql", "postgresql")
    for database in (source, dest):
        run(
            database,
            'CREATE SCHEMA "Sales Dept"',
            f"CREATE TABLE {NAME} (id integer PRIMARY KEY, parent integer REFERENCES {NAME})",
        )
    run(source, f"INSERT INTO {NAME} VALUES (1, NULL), (2, 1)")
    assert NAME in source.estimates()
    (key,) = dest.foreign_keys([NAME])
    assert (key.table, key.parent) == (NAME, NAME)

    layout, findings = layout_of(source, dest, NAME)
    assert findings == []
    assert copy_chunk(source, dest, Chunk(layout), lambda rows: None) == 2
