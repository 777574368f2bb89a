"""The nasty project's indexes go and come back exactly as `migrate` made them."""

from __future__ import annotations

import pytest

from migrations_ui.engine.transfer import taken_off
from tests.conformance.conftest import Host
from tests.conftest import MakeDatabase
from tests.engine.conftest import VENDORS, OpenDatabase, open_database
from tests.engine.schemas import schema

__all__ = ["open_database"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_migrate_made_is_back_after_a_drop(
    vendor: str, host: Host, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    url = make_database(vendor)
    host(url, "fill", vendor, vendor)
    database = open_database(url)
    tables = list(database.estimates())
    before = schema(database)
    indexes = database.secondary_indexes(tables)
    keys = taken_off(database.defined(database.foreign_keys(tables), indexes))
    assert bool(keys) is (vendor != "sqlite")
    assert len(indexes) > len(tables)
    for key in keys:
        database.drop_foreign_key(key)
    for table in tables:
        database.drop_indexes(table, [index for index in indexes if index.table == table])
    left = database.secondary_indexes(tables)
    if database.product == "MySQL":  # what a key referred to could go only now
        left = [index for index in left if index in indexes]
    assert left == []
    for table in tables:
        database.restore_indexes(table, [index for index in indexes if index.table == table])
    for key in keys:
        database.restore_foreign_key(key)
    assert schema(database) == before
