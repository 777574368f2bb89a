"""Databases that are as `migrate` makes them: nothing to warn of."""

from __future__ import annotations

import pytest

from migrations_ui.engine.findings import Severity
from tests.engine_preflight.conftest import VENDORS, Check, Make, alarms


@pytest.mark.parametrize("dest", VENDORS)
@pytest.mark.parametrize("source", VENDORS)
def test_two_clean_databases_raise_no_alarm(
    source: str, dest: str, shop: Make, check: Check
) -> None:
    report = check(shop(source), shop(dest))
    assert alarms(report) == []
    assert {layout.label for layout in report.layouts} >= {"shop.Order", "shop.Customer_friends"}
    assert {found.severity for found in report.findings} <= {Severity.INFO}
