"""What an account may not do is known before the run, table by table."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from migrations_ui.engine import databases
from migrations_ui.engine.databases.access import Config
from migrations_ui.engine.databases.inspecting import inspect
from migrations_ui.engine.databases.mysql.inspecting import GRANT, granted, parsed
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.preflight import Report
from tests.engine_preflight.conftest import Check, Make, alarms, codes, execute, somebody
from tests.engine_preflight.owned import (
    PASSWORD,
    as_root,
    as_superuser,
    running,
    shop_on,
    through,
)
from tests.servers import PrivateMariaDB, PrivatePostgres

ORDERS = "the Orders"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivatePostgres]:
    with running(PrivatePostgres) as server:
        yield server


@pytest.fixture(scope="module")
def mariadb() -> Iterator[PrivateMariaDB]:
    with running(PrivateMariaDB) as server:
        yield server


def lacks(report: Report, role: str) -> dict[str, str]:
    """The messages about missing privileges, by table."""
    found: list[Finding] = [
        finding for finding in alarms(report) if finding.code == f"privilege-missing-{role}"
    ]
    assert all(finding.severity is Severity.BLOCKER and finding.label for finding in found)
    assert len({finding.table for finding in found}) == len(found)
    return {finding.table: finding.message for finding in found}


def database_name(request: pytest.FixtureRequest) -> str:
    """A name that no other test takes."""
    return "cutover_" + re.sub(r"\W", "_", str(request.node.name)).lower()[:50]


# PostgreSQL


@pytest.fixture
def owner(
    postgres: PrivatePostgres, request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker
) -> Iterator[Config]:
    """A PostgreSQL database of the test's own, with a role `eve` that may do nothing yet."""
    with django_db_blocker.unblock():
        config = shop_on(postgres, "postgresql", database_name(request))
    as_superuser(postgres, "postgres", f"CREATE ROLE eve LOGIN PASSWORD '{PASSWORD}'")
    yield config
    as_superuser(postgres, config["NAME"], "DROP OWNED BY eve", "DROP ROLE eve")


def test_a_reader_may_read_the_source(owner: Config, shop: Make, check: Check) -> None:
    execute(
        owner,
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO eve",
        "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO eve",
    )
    assert alarms(check(through(owner, "eve"), shop("postgresql"))) == []


def test_a_foreign_key_whose_triggers_are_off_is_not_valid(
    postgres: PrivatePostgres, owner: Config, shop: Make, check: Check
) -> None:
    """As a load leaves it that a superuser has cut short."""
    triggers = f'ALTER TABLE "{ORDERS}" {{}} TRIGGER ALL'
    as_superuser(postgres, owner["NAME"], triggers.format("DISABLE"))
    assert "constraint-not-valid" in codes(check(shop("postgresql"), owner))
    as_superuser(postgres, owner["NAME"], triggers.format("ENABLE"))
    assert alarms(check(shop("postgresql"), owner)) == []


def test_a_key_is_not_valid_whose_triggers_are_off_in_one_partition_that_it_leads_to(
    postgres: PrivatePostgres, owner: Config
) -> None:
    execute(
        owner,
        "CREATE TABLE visit (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE visit_low PARTITION OF visit FOR VALUES FROM (0) TO (100)",
        "CREATE TABLE note (visit_id int REFERENCES visit)",
    )
    with databases.connect(owner, read_only=True) as database:
        assert inspect(database).invalid_foreign_keys(["note"]) == []
        as_superuser(postgres, owner["NAME"], "ALTER TABLE visit_low DISABLE TRIGGER ALL")
        assert inspect(database).invalid_foreign_keys(["note"]) != []


def test_rows_that_another_table_has_by_inheritance_block_on_either_side(
    shop: Make, check: Check
) -> None:
    source, dest = shop("postgresql"), shop("postgresql")
    execute(source, f'CREATE TABLE "old ones" () INHERITS ("{ORDERS}")')
    execute(
        dest,
        "CREATE TABLE old_parcel () INHERITS (shop_parcel)",
        "CREATE TABLE lost_parcel () INHERITS (shop_parcel)",
    )
    found = alarms(check(source, dest))
    assert [(one.code, one.severity, one.label, one.table) for one in found] == [
        ("inheritance-source", Severity.BLOCKER, "shop.Order", ORDERS),
        ("inheritance-destination", Severity.BLOCKER, "shop.Parcel", "shop_parcel"),
    ]
    assert "lost_parcel, old_parcel" in found[1].message


def test_a_partitioned_table_blocks_nothing(shop: Make, check: Check) -> None:
    dest = shop("postgresql")
    execute(
        dest,
        "DROP TABLE shop_parcel",
        "CREATE TABLE shop_parcel (order_number int, box smallint, PRIMARY KEY (order_number, box))"
        " PARTITION BY RANGE (order_number)",
        "CREATE TABLE every_parcel PARTITION OF shop_parcel DEFAULT",
    )
    assert alarms(check(shop("postgresql"), dest)) == []


def test_what_a_reader_lacks_is_named(owner: Config, shop: Make, check: Check) -> None:
    execute(
        owner,
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO eve",
        f'REVOKE SELECT ON "{ORDERS}" FROM eve',
        "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO eve",
        "REVOKE SELECT ON SEQUENCE shop_customer_id_seq FROM eve",
    )
    found = lacks(check(through(owner, "eve"), shop("postgresql")), "source")
    assert found.keys() == {ORDERS, "shop_customer"}
    assert found[ORDERS].endswith(": SELECT.")
    assert found["shop_customer"].endswith(": SELECT on its sequence.")


def test_a_reader_of_every_single_column_is_a_reader(
    owner: Config, shop: Make, check: Check
) -> None:
    execute(
        owner,
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO eve",
        "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO eve",
        "REVOKE SELECT ON shop_invoice FROM eve",
        "GRANT SELECT (order_id, payer_id, paid, token) ON shop_invoice TO eve",
    )
    assert alarms(check(through(owner, "eve"), shop("postgresql"))) == []


def test_a_schema_that_may_not_be_used_is_said_for_every_table(
    owner: Config, postgres: PrivatePostgres, shop: Make, check: Check
) -> None:
    as_superuser(postgres, owner["NAME"], "REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    found = alarms(check(through(owner, "eve"), shop("postgresql")))
    assert found
    assert [finding for finding in found if finding.severity is not Severity.BLOCKER] == []


def test_every_step_of_a_run_is_asked_of_the_destination(
    owner: Config, shop: Make, check: Check
) -> None:
    execute(
        owner,
        "GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO eve",
        "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO eve",
    )
    found = lacks(check(shop("postgresql"), through(owner, "eve")), "destination")
    assert found.keys() == {
        ORDERS,
        "shop_customer",
        "shop_customer_friends",
        "shop_invoice",
        "shop_parcel",
    }
    assert "TRUNCATE, UPDATE on its sequence, ownership" in found[ORDERS]
    assert found["shop_parcel"].endswith(": TRUNCATE.")


def test_a_member_of_the_owner_may_do_what_the_owner_may(
    owner: Config, postgres: PrivatePostgres, shop: Make, check: Check
) -> None:
    as_superuser(postgres, "postgres", "GRANT cutover TO eve")
    assert alarms(check(shop("postgresql"), through(owner, "eve"))) == []


def test_rows_that_policies_hide_block_on_either_side(
    owner: Config, shop: Make, check: Check
) -> None:
    execute(
        owner,
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO eve",
        "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO eve",
        "ALTER TABLE shop_invoice ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY paid_ones ON shop_invoice USING (paid)",
    )
    (found,) = alarms(check(through(owner, "eve"), shop("postgresql")))
    assert (found.code, found.table) == ("row-security-source", "shop_invoice")
    assert alarms(check(owner, shop("postgresql"))) == [], "the owner sees them all"


# MariaDB


@pytest.fixture
def schema(
    mariadb: PrivateMariaDB, request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker
) -> Iterator[Config]:
    """A MariaDB database of the test's own, with an account `eve` that may do nothing yet."""
    with django_db_blocker.unblock():
        config = shop_on(mariadb, "mysql", name := database_name(request))
    as_root(mariadb, f"CREATE USER eve@127.0.0.1 IDENTIFIED BY '{PASSWORD}'")
    yield config
    as_root(mariadb, "DROP USER eve@127.0.0.1", f"DROP DATABASE {name}")


@pytest.mark.parametrize(
    "grants",
    [
        ["GRANT SELECT ON {0}.* TO eve@127.0.0.1"],
        ["GRANT SELECT ON *.* TO eve@127.0.0.1"],
        [r"GRANT SELECT ON `cutover\_%`.* TO eve@127.0.0.1"],
        [
            "CREATE OR REPLACE ROLE reader",
            "GRANT SELECT ON {0}.* TO reader",
            "GRANT reader TO eve@127.0.0.1",
            "SET DEFAULT ROLE reader FOR eve@127.0.0.1",
        ],
        ["GRANT SELECT ON {0}.* TO PUBLIC"],
    ],
    ids=["schema", "everywhere", "wildcard", "role", "public"],
)
def test_whoever_may_read_by_whatever_grant_may_read(
    grants: list[str], schema: Config, mariadb: PrivateMariaDB, shop: Make, check: Check
) -> None:
    as_root(mariadb, *(statement.format(schema["NAME"]) for statement in grants))
    assert alarms(check(through(schema, "eve"), shop("mysql"))) == []
    if "PUBLIC" in grants[0]:
        as_root(mariadb, f"REVOKE SELECT ON {schema['NAME']}.* FROM PUBLIC")


def test_what_an_account_of_mariadb_lacks_is_named(
    schema: Config, mariadb: PrivateMariaDB, shop: Make, check: Check
) -> None:
    name = schema["NAME"]
    as_root(
        mariadb,
        f"GRANT SELECT, INSERT, ALTER ON {name}.* TO eve@127.0.0.1",
        f"GRANT DROP ON {name}.shop_parcel TO eve@127.0.0.1",
    )
    found = lacks(check(shop("mysql"), through(schema, "eve")), "destination")
    assert found.keys() == {ORDERS, "shop_customer", "shop_customer_friends", "shop_invoice"}
    assert all(message.endswith(": DROP.") for message in found.values())


def test_an_account_that_may_only_write_can_not_be_a_source(
    schema: Config, mariadb: PrivateMariaDB, shop: Make, check: Check
) -> None:
    as_root(mariadb, f"GRANT INSERT ON {schema['NAME']}.* TO eve@127.0.0.1")
    assert ORDERS in lacks(check(through(schema, "eve"), shop("mysql")), "source")


def test_an_open_transaction_is_seen_by_whoever_may_see_it(
    schema: Config, mariadb: PrivateMariaDB, shop: Make, check: Check
) -> None:
    source, dest = shop("mysql"), through(schema, "eve")
    as_root(
        mariadb,
        f"GRANT ALL PRIVILEGES ON {schema['NAME']}.* TO eve@127.0.0.1",
        "GRANT PROCESS ON *.* TO eve@127.0.0.1",
    )
    with somebody(schema, "INSERT INTO shop_parcel VALUES (1, 1)"):
        (found,) = alarms(check(source, dest))
    assert found.code == "destination-in-use"
    assert "cutover from 127.0.0.1" in found.message
    assert alarms(check(source, dest)) == []


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["GRANT ALL PRIVILEGES ON *.* TO `eve`@`%` WITH GRANT OPTION"], True),
        (["GRANT USAGE ON *.* TO `eve`@`%`"], False),
        (["GRANT SELECT (`id`, `a b`), INSERT ON `shop`.`orders` TO `eve`@`%`"], True),
        (["GRANT SELECT ON `sho_`.* TO `eve`@`%`"], True),
        ([r"GRANT SELECT ON `sho\_`.* TO `eve`@`%`"], False),
        (["GRANT SELECT ON `shop`.`ord``ers` TO `eve`@`%`"], False),
        (["GRANT EXECUTE ON PROCEDURE `shop`.`orders` TO `eve`@`%`"], False),
        (["GRANT `reader`@`%` TO `eve`@`%`"], False),
        (["GRANT SELECT ON *.* TO `eve`@`%`", "REVOKE SELECT ON `shop`.* FROM `eve`@`%`"], False),
        (["GRANT SELECT ON *.* TO `eve`@`%`", "REVOKE SELECT ON `cms`.* FROM `eve`@`%`"], True),
    ],
)
def test_grants_are_read_as_the_server_means_them(lines: list[str], expected: bool) -> None:
    """Also those of MySQL 8, which takes privileges back in part."""
    grants = [parsed(found) for line in lines if (found := GRANT.match(line))]
    about = [grant for grant in grants if grant.covers("shop", "orders")]
    assert granted(about, "SELECT") == expected
