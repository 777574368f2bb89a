"""Preflight asks once for each kind of thing, not once for each table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from migrations_ui.engine import catalog, preflight
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.databases import access
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.preflight import Endpoints
from tests.engine_preflight.conftest import APP, Make


@pytest.mark.parametrize("vendor", ["postgresql", "mysql"])
def test_five_tables_take_as_many_queries_as_one(
    vendor: str, shop: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In SQLite a query has no way to go, and its pragmas are about one table each."""
    endpoints = Endpoints(shop(vendor), shop(vendor), access.endpoint(shop("sqlite")))
    asked: list[str] = []
    query = Database.query

    def spy(self: Database, sql: str, parameters: Sequence[Any] | None = None) -> Any:
        asked.append(sql)
        return query(self, sql, parameters)

    monkeypatch.setattr(Database, "query", spy)

    def queries(tables: Sequence[Table]) -> int:
        asked.clear()
        assert preflight.check(endpoints, tables, ["shop"]).status == "ok"
        return len(asked)

    everything = catalog.tables({APP})
    one = [table for table in everything if table.label == "shop.Customer"]
    assert len(everything) == 5
    assert queries(everything) == queries(one) < 50
