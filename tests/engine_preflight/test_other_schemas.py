"""A source with a schema for each tenant: only that of the search path is copied."""

from __future__ import annotations

from migrations_ui.engine import databases
from migrations_ui.engine.databases.access import Config
from migrations_ui.engine.findings import Severity
from tests.engine.conftest import Witness, transfer
from tests.engine_preflight.conftest import Check, Make, alarms, execute, make_tables

CUSTOMER = (
    "(email, name, slug, note, is_active, data) VALUES ('a@b.example', 'A', 'a', '', true, '{}')"
)


def within(config: Config, schema: str) -> Config:
    """As `?options=-csearch_path%3D…` at the end of a URL."""
    return config | {"OPTIONS": config["OPTIONS"] | {"options": f"-csearch_path={schema}"}}


def test_tables_of_models_in_other_schemas_are_a_warning_with_a_way_to_copy_them(
    shop: Make, empty: Make, check: Check
) -> None:
    source, dest = shop("postgresql"), shop("postgresql")
    for schema in ("acme", "beta", "idle"):
        execute(source, f"CREATE SCHEMA {schema}")
        make_tables(within(source, schema))
    # No model's, and so no matter of a warning.
    execute(source, "CREATE TABLE idle.unknown (id int)", "INSERT INTO idle.unknown VALUES (1)")
    assert alarms(check(source, dest)) == []

    for schema in ("acme", "beta"):
        execute(source, f"INSERT INTO {schema}.shop_customer {CUSTOMER}")
    (found,) = alarms(check(source, dest))
    assert (found.code, found.severity) == ("tables-in-other-schemas", Severity.WARNING)
    assert found.message.startswith(
        "The schemas acme, beta of the source hold rows in 2 tables that are called as those of "
        'models are: "acme"."shop_customer", "beta"."shop_customer".'
    )
    assert "?options=-csearch_path%3Dacme at the end of both URLs" in found.remedy


def test_each_schema_is_copied_by_its_own_search_path(
    shop: Make, empty: Make, check: Check
) -> None:
    source, dest = empty("postgresql"), shop("postgresql")
    for config in (source, dest):
        execute(config, "CREATE SCHEMA acme")
        make_tables(within(config, "acme"))
    execute(source, f"INSERT INTO acme.shop_customer {CUSTOMER}")
    there, here = within(source, "acme"), within(dest, "acme")
    report = check(there, here)
    assert alarms(report) == []
    with (
        databases.connect(there, read_only=True) as one,
        databases.connect(here, read_only=False) as other,
    ):
        transfer(report.layouts, one, other, Witness())
        assert other.query("SELECT email FROM acme.shop_customer") == [("a@b.example",)]
        assert other.query("SELECT count(*) FROM public.shop_customer") == [(0,)]
