"""What preflight and an audit say of the destination's triggers."""

from __future__ import annotations

import pytest

from migrations_ui.engine import catalog, databases, structure
from migrations_ui.engine.databases.access import Config
from migrations_ui.engine.findings import Severity
from migrations_ui.engine.layout import layouts
from tests.engine_preflight.conftest import APP, VENDORS, Check, Make, alarms, execute

NOTHING = (
    "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$"
)
GUARD = "CREATE TRIGGER guard BEFORE {} ON shop_parcel FOR EACH ROW EXECUTE FUNCTION nothing()"


@pytest.mark.parametrize("vendor", VENDORS)
def test_those_that_fire_are_named_with_what_can_be_done(
    vendor: str, shop: Make, check: Check
) -> None:
    source, dest = shop("postgresql"), shop(vendor)
    statements, remedy = FIRING[vendor]
    execute(dest, *statements)
    (found,) = alarms(check(source, dest))
    assert (found.code, found.table) == ("trigger-destination", "shop_parcel")
    assert found.severity is Severity.WARNING
    assert "guard, late." in found.message.replace(": They", ".")
    assert remedy in found.remedy


FIRING = {
    "postgresql": (
        (
            "ALTER TABLE shop_parcel ADD computed int",
            NOTHING,
            GUARD.format("INSERT"),
            GUARD.replace("guard", "late").format("INSERT OR UPDATE"),
            GUARD.replace("guard", "never").format("UPDATE"),
        ),
        'ALTER TABLE "shop_parcel" DISABLE TRIGGER "guard"',
    ),
    "mysql": (
        (
            "CREATE TRIGGER guard BEFORE INSERT ON shop_parcel FOR EACH ROW SET NEW.box = 1",
            "CREATE TRIGGER late AFTER DELETE ON shop_parcel FOR EACH ROW SET @gone = OLD.box",
            "CREATE TRIGGER never BEFORE UPDATE ON shop_parcel FOR EACH ROW SET NEW.box = 1",
        ),
        "keep what SHOW CREATE TRIGGER `guard` says, DROP TRIGGER `guard` before",
    ),
    "sqlite": (
        (
            "CREATE TRIGGER guard AFTER INSERT ON shop_parcel BEGIN SELECT 1; END",
            "CREATE TRIGGER late AFTER DELETE ON shop_parcel BEGIN SELECT 1; END",
        ),
        'keep its statement (SELECT sql FROM sqlite_master), DROP TRIGGER "guard"',
    ),
}


def test_those_that_a_run_switches_off_are_no_matter_of_concern(shop: Make, check: Check) -> None:
    source, dest = shop("mysql"), shop("postgresql")
    execute(dest, NOTHING, GUARD.format("DELETE"), GUARD.replace("guard", "never").format("UPDATE"))
    report = check(source, dest)
    assert alarms(report) == []
    (found,) = (one for one in report.findings if one.code == "trigger-switched-off")
    assert (found.label, found.table) == ("shop.Parcel", "shop_parcel")
    assert "destination: guard. A run switches them off" in found.message


def lines(source: Config, dest: Config) -> dict[str, list[structure.Line]]:
    """What an audit says of the tables' triggers, by label."""
    with (
        databases.connect(source, read_only=True) as there,
        databases.connect(dest, read_only=False) as here,
    ):
        made, _ = layouts(catalog.tables({APP}), there, here)
        found = structure.look(made, there, here, ["shop"]).tables
    return {
        label: its_own
        for label, of_table in found.items()
        if (its_own := [line for line in of_table if line.what == "triggers"])
    }


def test_one_that_was_left_switched_off_is_told(shop: Make, check: Check) -> None:
    source, dest = shop("mysql"), shop("postgresql")
    execute(dest, NOTHING, GUARD.format("UPDATE"), GUARD.replace("guard", "late").format("INSERT"))
    assert lines(source, dest) == {"shop.Parcel": [structure.Line("triggers", ())]}

    execute(dest, "ALTER TABLE shop_parcel DISABLE TRIGGER guard")
    (found,) = alarms(check(source, dest))
    assert (found.code, found.severity) == ("trigger-disabled", Severity.WARNING)
    statement = 'ALTER TABLE "shop_parcel" ENABLE TRIGGER "guard"'
    assert found.remedy == f"{statement}."
    ((line,),) = lines(source, dest).values()
    assert line.problems == (f"the trigger guard is switched off on the destination ({statement})",)

    execute(dest, statement)
    assert alarms(check(source, dest)) == []


def test_one_that_is_off_on_both_sides_is_as_the_site_wants_it(shop: Make, check: Check) -> None:
    source, dest = shop("postgresql"), shop("postgresql")
    for config in (source, dest):
        execute(
            config, NOTHING, GUARD.format("UPDATE"), "ALTER TABLE shop_parcel DISABLE TRIGGER guard"
        )
    assert alarms(check(source, dest)) == []
    assert lines(source, dest) == {}
