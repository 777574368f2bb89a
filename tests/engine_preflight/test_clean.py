"""Databases that are as `migrate` makes them: nothing to warn of."""

from __future__ import annotations

import pytest
from django.apps import apps

from migrations_ui.engine import catalog, databases
from migrations_ui.engine.checks.sides import Side
from migrations_ui.engine.checks.tables import of_another_vendor
from migrations_ui.engine.findings import Severity
from tests.engine_preflight.conftest import APP, VENDORS, Check, Make, alarms


@pytest.mark.parametrize("dest", VENDORS)
@pytest.mark.parametrize("source", VENDORS)
def test_two_clean_databases_raise_no_alarm(
    source: str, dest: str, shop: Make, check: Check
) -> None:
    report = check(shop(source), shop(dest))
    assert alarms(report) == []
    assert {layout.label for layout in report.layouts} >= {"shop.Order", "shop.Customer_friends"}
    assert {found.severity for found in report.findings} <= {Severity.INFO}


def test_a_table_that_only_another_vendor_has_is_merely_mentioned(
    empty: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = apps.get_model("shop", "Order")
    monkeypatch.setattr(order._meta, "required_db_vendor", "postgresql")
    (table,) = (t for t in catalog.tables({APP}, {"postgresql", "mysql"}) if t.model is order)
    assert table.left_out == "Only postgresql has this table."
    (table,) = (t for t in catalog.tables({APP}, {"postgresql"}) if t.model is order)
    assert table.left_out == ""

    for vendor, expected in (("mysql", [("shop.Order", Severity.INFO)]), ("postgresql", [])):
        with databases.connect(empty(vendor), read_only=False) as database:
            dest = Side.of("destination", database, [])
            found = list(of_another_vendor(dest, {"shop"}))
            assert [(one.label, one.severity) for one in found] == expected
            assert list(of_another_vendor(dest, {"auth"})) == []
