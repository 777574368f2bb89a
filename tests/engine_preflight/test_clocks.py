"""MySQL's timestamps, which the site reads in the time zone of its session."""

from __future__ import annotations

import pytest

from migrations_ui.engine.databases.access import Config
from migrations_ui.engine.findings import Severity
from tests.engine_preflight.conftest import Check, Make, alarms, execute

ORDERS = "the Orders"
TIMESTAMP = f"ALTER TABLE `{ORDERS}` MODIFY placed_at timestamp(6) NOT NULL DEFAULT NOW(6)"


def in_zone(config: Config, zone: str) -> Config:
    """A server is in one for all tests: it is the site's own setting that differs."""
    return config | {"OPTIONS": config["OPTIONS"] | {"init_command": f"SET time_zone = '{zone}'"}}


def test_a_timestamp_that_the_site_reads_in_another_zone_blocks(shop: Make, check: Check) -> None:
    source, dest = shop("mysql"), shop("postgresql")
    execute(source, TIMESTAMP)
    assert alarms(check(source, dest)) == []
    assert alarms(check(in_zone(source, "+00:00"), dest)) == []

    (found,) = alarms(check(in_zone(source, "+02:00"), dest))
    assert (found.code, found.severity) == ("timestamp-shifted", Severity.BLOCKER)
    assert (found.table, found.column) == (ORDERS, "placed_at")
    assert "on the source" in found.message
    assert "+02:00" in found.message
    assert f"ALTER TABLE `{ORDERS}` MODIFY `placed_at` datetime(6) NOT NULL" in found.remedy
    assert "SET GLOBAL" not in found.remedy  # it would change what the site reads now


def test_so_does_one_of_the_destination(shop: Make, check: Check) -> None:
    source, dest = shop("postgresql"), shop("mysql")
    execute(dest, TIMESTAMP)
    (found,) = alarms(check(source, in_zone(dest, "-03:30")))
    assert (found.code, found.table, found.column) == ("timestamp-shifted", ORDERS, "placed_at")
    assert "on the destination" in found.message
    assert "SET GLOBAL time_zone = '+00:00'" in found.remedy


def test_after_its_remedy_none_is_left(shop: Make, check: Check) -> None:
    source, dest = in_zone(shop("mysql"), "+02:00"), shop("mysql")
    execute(source, TIMESTAMP)
    (found,) = alarms(check(source, dest))
    execute(source, found.remedy.partition(": ")[2].rstrip("."))
    assert alarms(check(source, dest)) == []


@pytest.mark.parametrize(("here", "findings"), [("+02:00", 0), ("+05:30", 2), ("+00:00", 1)])
def test_between_timestamps_only_different_zones_matter(
    here: str, findings: int, shop: Make, check: Check
) -> None:
    source, dest = shop("mysql"), shop("mysql")
    for config in (source, dest):
        execute(config, TIMESTAMP)
    found = alarms(check(in_zone(source, "+02:00"), in_zone(dest, here)))
    assert [each.code for each in found] == ["timestamp-shifted"] * findings
