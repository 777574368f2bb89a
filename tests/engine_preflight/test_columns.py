"""The columns of both sides against one another and against the models."""

from __future__ import annotations

import pytest

from migrations_ui.engine import databases
from migrations_ui.engine.databases.inspecting import Width, inspect
from migrations_ui.engine.errors import ServerError
from migrations_ui.engine.findings import Severity
from tests.engine_preflight.conftest import Check, Make, alarms, execute, places

CUSTOMER, ORDERS = "shop_customer", "the Orders"

NARROWER = {
    "postgresql": (
        (CUSTOMER, "name", 'ALTER TABLE shop_customer ALTER "name" TYPE varchar(40)'),
        (CUSTOMER, "credit", "ALTER TABLE shop_customer ALTER credit TYPE smallint"),
        (ORDERS, "total", f'ALTER TABLE "{ORDERS}" ALTER total TYPE numeric(8,2)'),
    ),
    "mysql": (
        (CUSTOMER, "name", "ALTER TABLE shop_customer MODIFY `name` varchar(40) NOT NULL"),
        (CUSTOMER, "credit", "ALTER TABLE shop_customer MODIFY credit smallint NOT NULL DEFAULT 5"),
        (CUSTOMER, "note", "ALTER TABLE shop_customer MODIFY note text NOT NULL"),
    ),
}


@pytest.mark.parametrize(
    ("vendor", "table", "column", "statement"),
    [(vendor, *planted) for vendor, several in NARROWER.items() for planted in several],
    ids=lambda value: value if len(value) < 12 else "",
)
def test_a_narrower_column_is_named_with_both_types(
    vendor: str, table: str, column: str, statement: str, shop: Make, check: Check
) -> None:
    source, dest = shop("postgresql"), shop(vendor)
    execute(dest, statement)
    (found,) = (
        finding for finding in alarms(check(source, dest)) if finding.code == "column-narrower"
    )
    assert (found.table, found.column) == (table, column)
    assert found.severity is Severity.WARNING
    assert " in the source and " in found.message


def test_a_wider_column_is_no_finding(shop: Make, check: Check) -> None:
    source, dest = shop("postgresql"), shop("postgresql")
    execute(
        dest,
        'ALTER TABLE shop_customer ALTER "name" TYPE text',
        "ALTER TABLE shop_customer ALTER credit TYPE bigint",
    )
    assert alarms(check(source, dest)) == []


def test_null_that_only_one_side_takes(shop: Make, check: Check) -> None:
    source, dest = shop("postgresql"), shop("postgresql")
    execute(
        source,
        "ALTER TABLE shop_customer ALTER note DROP NOT NULL",
    )
    execute(dest, "ALTER TABLE shop_customer ALTER slug DROP NOT NULL")
    assert places(check(source, dest)) == {
        ("column-not-nullable", CUSTOMER, "note"),
        ("column-nullable-destination", CUSTOMER, "slug"),
    }


def test_a_key_is_never_null_whatever_sqlite_calls_it(shop: Make, check: Check) -> None:
    source, dest = shop("sqlite"), shop("sqlite")
    execute(
        source,
        "DROP TABLE shop_invoice",
        "CREATE TABLE shop_invoice (order_id integer PRIMARY KEY, payer_id varchar(254) NOT NULL,"
        " paid bool NOT NULL, token char(32))",
    )
    assert alarms(check(source, dest)) == []


def test_a_column_shorter_than_the_model_on_both_sides(shop: Make, check: Check) -> None:
    source, dest = shop("mysql"), shop("mysql")
    for config in (source, dest):
        execute(config, "ALTER TABLE shop_customer MODIFY slug varchar(10) NOT NULL")
    assert places(check(source, dest)) == {("column-shorter-than-model", CUSTOMER, "slug")}


def test_a_column_of_another_type_than_the_field_on_both_sides(shop: Make, check: Check) -> None:
    source, dest = shop("mysql"), shop("mysql")
    for config in (source, dest):
        execute(config, "ALTER TABLE shop_invoice MODIFY paid varchar(10) NOT NULL")
    assert places(check(source, dest)) == {("type-differs-from-model", "shop_invoice", "paid")}


def test_a_default_that_the_destination_lost(shop: Make, check: Check) -> None:
    source, dest = shop("postgresql"), shop("postgresql")
    execute(dest, "ALTER TABLE shop_customer ALTER credit DROP DEFAULT")
    assert places(check(source, dest)) == {("default-missing-destination", CUSTOMER, "credit")}


def test_a_computed_column_that_became_a_plain_one(shop: Make, check: Check) -> None:
    source, dest = shop("postgresql"), shop("postgresql")
    execute(dest, f'ALTER TABLE "{ORDERS}" ALTER large DROP EXPRESSION')
    assert places(check(source, dest)) == {("generated-missing-destination", ORDERS, "large")}


@pytest.mark.parametrize(("source", "told"), [("sqlite", [ORDERS]), ("postgresql", [])])
def test_a_column_that_another_vendor_may_compute_otherwise_is_told(
    source: str, told: list[str], shop: Make, check: Check
) -> None:
    found = check(shop(source), shop("postgresql")).findings
    assert [f.table for f in found if f.code == "generated-compared"] == told


def test_a_plain_column_that_the_destination_computes_blocks_once_it_has_values(
    shop: Make, check: Check
) -> None:
    source, dest = shop("mysql"), shop("postgresql")
    execute(
        dest,
        "ALTER TABLE shop_invoice DROP token",
        "ALTER TABLE shop_invoice ADD token tsvector GENERATED ALWAYS AS (''::tsvector) STORED",
    )
    execute(
        source, "SET foreign_key_checks = 0", "INSERT INTO shop_invoice VALUES (1, 'a', 1, NULL)"
    )
    (found,) = (f for f in alarms(check(source, dest)) if f.column == "token")
    assert (found.code, found.severity) == ("generated-not-copied", Severity.WARNING)
    execute(source, "UPDATE shop_invoice SET token = REPEAT('a', 32)")
    (found,) = (f for f in alarms(check(source, dest)) if f.column == "token")
    assert (found.code, found.severity) == ("generated-destination", Severity.BLOCKER)


def test_a_column_that_only_the_source_computes_may_stay_empty(shop: Make, check: Check) -> None:
    source, dest = shop("postgresql"), shop("mysql")
    execute(
        source,
        "ALTER TABLE shop_invoice DROP token",
        "ALTER TABLE shop_invoice ADD token tsvector GENERATED ALWAYS AS (''::tsvector) STORED",
    )
    execute(dest, "ALTER TABLE shop_invoice MODIFY token longtext")
    found = check(source, dest)
    (token,) = (f for f in alarms(found) if f.column == "token")
    assert (token.code, token.severity) == ("generated-not-copied", Severity.WARNING)
    execute(dest, "ALTER TABLE shop_invoice MODIFY token longtext NOT NULL")
    (token,) = (f for f in alarms(check(source, dest)) if f.code == "type-unknown")
    assert (token.column, token.severity) == ("token", Severity.BLOCKER)


@pytest.mark.mariadb
@pytest.mark.parametrize(
    ("vendor", "change"), [("mysql", "MODIFY token"), ("postgresql", "ALTER token TYPE")]
)
def test_uuids_that_django_would_not_find(
    vendor: str, change: str, shop: Make, check: Check
) -> None:
    source, dest = shop("sqlite"), shop(vendor)
    execute(dest, f"ALTER TABLE shop_invoice {change} char(32)")
    assert ("uuid-as-text", "shop_invoice", "token") in places(check(source, dest))


def test_missing_and_extra_columns_of_both_sides(shop: Make, check: Check) -> None:
    source, dest = shop("postgresql"), shop("postgresql")
    execute(
        source,
        "ALTER TABLE shop_invoice DROP paid",
        "ALTER TABLE shop_invoice ADD old_note text",
    )
    execute(
        dest,
        "ALTER TABLE shop_customer DROP note",
        "ALTER TABLE shop_customer ADD imposed int NOT NULL",
    )
    assert places(check(source, dest)) == {
        ("column-missing-source", "shop_invoice", "paid"),
        ("column-extra-source", "shop_invoice", "old_note"),
        ("column-missing-destination", CUSTOMER, "note"),
        ("column-extra-destination", CUSTOMER, "imposed"),
    }


@pytest.mark.parametrize(
    ("charset", "code", "severity"),
    [
        ("utf8mb3", "charset-utf8mb3", Severity.INFO),
        ("latin1", "charset-not-unicode", Severity.WARNING),
    ],
)
def test_a_character_set_that_lacks_characters(
    charset: str, code: str, severity: Severity, shop: Make, check: Check
) -> None:
    source, dest = shop("postgresql"), shop("mysql")
    execute(
        dest,
        f"ALTER TABLE shop_customer MODIFY slug varchar(60) CHARACTER SET {charset} NOT NULL",
    )
    found = [f for f in check(source, dest).findings if f.code.startswith("charset")]
    assert [(f.code, f.severity, f.table, f.column) for f in found] == [
        (code, severity, CUSTOMER, "slug")
    ]


def test_a_character_set_that_both_sides_have_loses_nothing(shop: Make, check: Check) -> None:
    source, dest = shop("mysql"), shop("mysql")
    for config in (source, dest):
        execute(
            config,
            "ALTER TABLE shop_customer MODIFY slug varchar(60) CHARACTER SET latin1 NOT NULL",
        )
    assert [f for f in check(source, dest).findings if f.code.startswith("charset")] == []


def test_a_nullable_column_of_mariadb_has_no_default(shop: Make) -> None:
    """MariaDB says that its default is NULL, in so many letters."""
    with databases.connect(shop("mysql"), read_only=True) as database:
        columns = database.columns([CUSTOMER, ORDERS])
    assert not columns[ORDERS]["voucher"].has_default
    assert columns[CUSTOMER]["credit"].has_default


# Values that take as many bytes of a row as one of their type can.
FILLED = {
    "text": "'abcdefghijklmnopqrstuvw'",
    "jsonb": "'\"abcdefghijklmno\"'",
    "varchar(7)": "'abcdefg'",
    "numeric(10, 2)": "12345678.12",
    "bigint": "1",
    "boolean": "true",
}


@pytest.mark.parametrize(
    ("types", "fitting"),
    [
        (["text"], 339),
        (["jsonb"], 339),
        (["varchar(7)"], 1017),
        (["numeric(10, 2)"], 904),
        (["bigint"], 1017),
        (["boolean", "text", "bigint"], 610),
    ],
    ids=str,
)
def test_a_row_is_too_wide_when_the_server_says_so(
    types: list[str], fitting: int, empty: Make
) -> None:
    with databases.connect(empty("postgresql"), read_only=False) as database:

        def wide(count: int) -> list[Width]:
            database.execute("DROP TABLE IF EXISTS wide")
            columns = ", ".join(f"c{n} {types[n % len(types)]}" for n in range(count))
            database.execute(f"CREATE TABLE wide ({columns})")
            return inspect(database).too_wide(["wide"])

        def fill(count: int) -> None:
            values = ", ".join(FILLED[types[n % len(types)]] for n in range(count))
            database.execute(f"INSERT INTO wide VALUES ({values})")

        assert wide(fitting) == []
        fill(fitting)
        (found,) = wide(fitting + 1)
        assert (found.table, found.columns, found.room) == ("wide", fitting + 1, 8160)
        with pytest.raises(ServerError, match=f"row is too big: size {found.size}, maximum size"):
            fill(fitting + 1)


@pytest.mark.parametrize(("vendor", "warned"), [("sqlite", True), ("postgresql", False)])
def test_a_table_whose_rows_may_not_fit_into_a_page_is_told(
    vendor: str, warned: bool, shop: Make, check: Check
) -> None:
    """But for rows that lie in such a page already."""
    source, dest = shop(vendor), shop("postgresql")
    for config in (source, dest):
        execute(config, *(f"ALTER TABLE shop_customer ADD c{n} varchar(100)" for n in range(400)))
    found = [finding for finding in alarms(check(source, dest)) if finding.table == CUSTOMER]
    assert [(finding.code, finding.severity) for finding in found] == (
        [("row-too-wide", Severity.WARNING)] if warned else []
    )
    assert all("408 columns" in finding.message for finding in found)
