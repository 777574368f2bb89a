"""What the destination lacks of the indexes and constraints that the models have."""

from __future__ import annotations

import pytest

from migrations_ui.engine import databases
from migrations_ui.engine.databases.access import Config
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.databases.inspecting import inspect
from migrations_ui.engine.databases.sqlite.inspecting import checks_in
from migrations_ui.engine.findings import Severity
from tests.engine_preflight.conftest import VENDORS, Check, Make, alarms, execute, places

ORDERS = "the Orders"
REFERENCES = ' REFERENCES "shop_customer" ("id") DEFERRABLE INITIALLY DEFERRED'


def drop_index(database: Database, table: str, *columns: str, unique: bool) -> None:
    """Drop the index over exactly these columns, whatever Django called it."""
    (index,) = (
        index
        for index in inspect(database).indexes([table])
        if index.columns == columns and index.unique == unique and not index.name.endswith("_like")
    )
    quoted, on = database.quote(index.name), database.quote(table)
    if database.vendor == "mysql":
        database.execute("SET foreign_key_checks = 0")
        if unique:  # MySQL keeps what a foreign key needs until there is another index
            database.execute(f"CREATE INDEX plain ON {on} ({database.quoted(columns)})")
        database.execute(f"DROP INDEX {quoted} ON {on}")
    elif database.vendor == "postgresql" and unique:
        database.execute(f"ALTER TABLE {on} DROP CONSTRAINT {quoted} CASCADE")
    else:
        database.execute(f"DROP INDEX {quoted}")


def remade(database: Database, table: str, old: str, new: str) -> None:
    """SQLite changes a table's constraints only by changing the text of its definition."""
    database.execute("PRAGMA writable_schema = ON")
    ((sql,),) = database.query("SELECT sql FROM sqlite_master WHERE name = ?", [table])
    assert old in sql, sql
    text = sql.replace(old, new).replace("'", "''")
    database.execute(f"UPDATE sqlite_master SET sql = '{text}' WHERE name = '{table}'")
    database.execute("PRAGMA writable_schema = RESET")


@pytest.fixture(params=VENDORS)
def dest(request: pytest.FixtureRequest, shop: Make) -> Config:
    return shop(request.param)


@pytest.fixture
def source(shop: Make) -> Config:
    return shop("postgresql")


def test_a_dropped_unique_constraint_is_named(source: Config, dest: Config, check: Check) -> None:
    with databases.connect(dest, read_only=False) as database:
        drop_index(database, ORDERS, "customer_id", "number", unique=True)
    assert ("unique-missing", ORDERS, "customer_id, number") in places(check(source, dest))


def test_dropped_indexes_are_named_all_at_once(source: Config, dest: Config, check: Check) -> None:
    with databases.connect(dest, read_only=False) as database:
        drop_index(database, ORDERS, "placed_at", "customer_id", unique=False)
        drop_index(database, "shop_customer", "slug", unique=False)
    found = places(check(source, dest))
    assert ("index-missing", ORDERS, "placed_at, customer_id") in found
    assert ("index-missing", "shop_customer", "slug") in found


def test_the_statement_of_a_remedy_makes_what_is_missing(
    source: Config, dest: Config, check: Check
) -> None:
    with databases.connect(dest, read_only=False) as database:
        drop_index(database, ORDERS, "customer_id", "number", unique=True)
        drop_index(database, ORDERS, "placed_at", "customer_id", unique=False)
        drop_index(database, "shop_customer", "slug", unique=False)
    found = {finding.column: finding.remedy for finding in alarms(check(source, dest))}
    assert set(found) == {"customer_id, number", "placed_at, customer_id", "slug"}
    assert "sqlmigrate" in found.pop("placed_at, customer_id")  # it is in descending order
    execute(dest, *(remedy.partition(": ")[2] for remedy in found.values()))
    (left,) = alarms(check(source, dest))
    assert left.column == "placed_at, customer_id"


def test_no_plain_index_is_offered_for_a_constraint(shop: Make, check: Check) -> None:
    source, dest = shop("postgresql"), shop("postgresql")
    execute(dest, f'ALTER TABLE "{ORDERS}" DROP CONSTRAINT later')
    (found,) = alarms(check(source, dest))
    assert (found.code, found.column) == ("unique-missing", "placed_at, status")
    assert "sqlmigrate" in found.remedy


def test_an_index_of_another_name_does_as_well(source: Config, dest: Config, check: Check) -> None:
    with databases.connect(dest, read_only=False) as database:
        drop_index(database, "shop_customer", "slug", unique=False)
        database.execute("CREATE INDEX somebodys_own ON shop_customer (slug)")
        database.execute("CREATE INDEX one_more ON shop_customer (slug, credit)")
    assert alarms(check(source, dest)) == []


def test_a_unique_index_serves_as_an_index(source: Config, dest: Config, check: Check) -> None:
    with databases.connect(dest, read_only=False) as database:
        drop_index(database, "shop_customer", "slug", unique=False)
        database.execute("CREATE UNIQUE INDEX stricter ON shop_customer (slug)")
    assert alarms(check(source, dest)) == []


def test_a_partial_unique_index_is_no_substitute_for_a_whole_one(
    source: Config, shop: Make, check: Check
) -> None:
    dest = shop("sqlite")
    with databases.connect(dest, read_only=False) as database:
        drop_index(database, ORDERS, "customer_id", "number", unique=True)
        database.execute(
            f'CREATE UNIQUE INDEX half ON "{ORDERS}" (customer_id, number) WHERE number > 5'
        )
    assert ("unique-missing", ORDERS, "customer_id, number") in places(check(source, dest))


@pytest.mark.parametrize("vendor", ["postgresql", "sqlite"])
def test_a_condition_and_an_expression_are_missed_where_the_vendor_has_them(
    vendor: str, source: Config, shop: Make, check: Check
) -> None:
    dest = shop(vendor)
    execute(dest, "DROP INDEX one_active_of_a_name", "DROP INDEX email_in_any_case")
    found = alarms(check(source, dest))
    assert {finding.code for finding in found} == {"unique-missing"}
    assert [finding.column for finding in found] == ["", "name"]
    assert "email_in_any_case" in found[0].message


def test_a_dropped_foreign_key_is_named(source: Config, dest: Config, check: Check) -> None:
    with databases.connect(dest, read_only=False) as database:
        (key,) = (key for key in database.foreign_keys([ORDERS]) if key.columns == ("customer_id",))
        if database.vendor == "sqlite":
            remade(database, ORDERS, REFERENCES, "")
        else:
            word = "FOREIGN KEY" if database.vendor == "mysql" else "CONSTRAINT"
            database.execute(
                f"ALTER TABLE {database.quote(ORDERS)} DROP {word} {database.quote(key.name)}"
            )
    assert ("foreign-key-missing", ORDERS, "customer_id") in places(check(source, dest))


def test_a_dropped_check_is_named(source: Config, dest: Config, check: Check) -> None:
    with databases.connect(dest, read_only=False) as database:
        if database.vendor == "sqlite":
            remade(
                database,
                ORDERS,
                'CONSTRAINT "total_not_negative" CHECK ("total" >= \'0\')',
                "CHECK (1)",
            )
        else:
            database.execute(
                f"ALTER TABLE {database.quote(ORDERS)} DROP CONSTRAINT total_not_negative"
            )
    assert places(check(source, dest)) == {("check-missing", ORDERS, "total")}


def test_a_check_that_django_named_is_missed_too(source: Config, shop: Make, check: Check) -> None:
    dest = shop("postgresql")
    execute(dest, f'ALTER TABLE "{ORDERS}" DROP CONSTRAINT "{ORDERS}_number_check"')
    assert places(check(source, dest)) == {("check-missing", ORDERS, "number")}


def test_a_check_of_another_name_does_as_well(source: Config, shop: Make, check: Check) -> None:
    dest = shop("postgresql")
    execute(
        dest,
        f'ALTER TABLE "{ORDERS}" RENAME CONSTRAINT total_not_negative TO positive_or_nothing',
        f'ALTER TABLE "{ORDERS}" RENAME CONSTRAINT "{ORDERS}_number_check" TO counting_up',
    )
    assert alarms(check(source, dest)) == []


def test_a_key_that_nothing_counts_is_named(source: Config, shop: Make, check: Check) -> None:
    postgres, mariadb = shop("postgresql"), shop("mysql")
    execute(postgres, "ALTER TABLE shop_customer ALTER id DROP IDENTITY")
    execute(
        mariadb,
        "SET foreign_key_checks = 0",
        "ALTER TABLE shop_customer MODIFY id bigint NOT NULL",
    )
    for dest in (postgres, mariadb):
        assert places(check(source, dest)) == {("key-not-counted", "shop_customer", "id")}


def test_a_sequence_that_a_copy_would_not_set_is_named(
    source: Config, shop: Make, check: Check
) -> None:
    dest = shop("postgresql")
    execute(
        dest,
        "ALTER TABLE shop_customer ALTER id DROP IDENTITY",
        "CREATE SEQUENCE somebodys_own",
        "ALTER TABLE shop_customer ALTER id SET DEFAULT nextval('somebodys_own')",
    )
    assert places(check(source, dest)) == {("sequence-not-owned", "shop_customer", "id")}
    execute(dest, "ALTER SEQUENCE somebodys_own OWNED BY shop_customer.id")
    assert alarms(check(source, dest)) == []


def test_what_is_not_valid_is_not_there(source: Config, shop: Make, check: Check) -> None:
    """A foreign key and a check that were never validated, an index whose building failed."""
    dest = shop("postgresql")
    with databases.connect(dest, read_only=False) as database:
        (key,) = (key for key in database.foreign_keys([ORDERS]) if key.columns == ("customer_id",))
        database.drop_foreign_key(key)
        database.execute(
            f'ALTER TABLE "{ORDERS}" ADD CONSTRAINT customers {key.definition} NOT VALID'
        )
        database.execute(f'ALTER TABLE "{ORDERS}" DROP CONSTRAINT total_not_negative')
        database.execute(
            f'ALTER TABLE "{ORDERS}" ADD CONSTRAINT total_not_negative CHECK (total >= 0) NOT VALID'
        )
        database.execute("INSERT INTO shop_parcel VALUES (1, 1), (1, 2)")
        with pytest.raises(Exception, match="could not create unique index"):
            database.execute(
                "CREATE UNIQUE INDEX CONCURRENTLY broken ON shop_parcel (order_number)"
            )
    found = alarms(check(source, dest))
    assert {finding.code for finding in found} == {"constraint-not-valid"}
    messages = " ".join(finding.message for finding in found)
    assert all(name in messages for name in ("customers", "total_not_negative", "broken"))
    ways = ("VALIDATE CONSTRAINT", "ALTER CONSTRAINT … ENFORCED", "REINDEX", "ENABLE TRIGGER")
    assert all(way in finding.remedy for finding in found for way in ways)


def test_checks_are_found_in_the_text_of_a_table() -> None:
    sql = """CREATE TABLE "check (" ("a" int CHECK ("a" >= 0), -- CHECK (nothing)
        /* CHECK (nothing) */ "b" text DEFAULT 'CHECK (c)', [c] int NOT NULL check(c in (1, (2))),
        CONSTRAINT "its ""name" CHECK (("a" > 1 OR ')' = "b")), CONSTRAINT u UNIQUE ("a"))"""
    assert list(checks_in(sql)) == [
        ("", '"a" >= 0'),
        ("", "c in (1, (2))"),
        ('its ""name', '("a" > 1 OR \')\' = "b")'),
    ]


@pytest.mark.parametrize("rows", [0, 1])
def test_a_table_of_another_schema_that_a_wipe_would_orphan_is_named(
    rows: int, shop: Make, empty: Make, check: Check
) -> None:
    source, dest, elsewhere = shop("postgresql"), shop("mysql"), empty("mysql")
    execute(
        dest,
        "INSERT INTO shop_customer (id, email, name, slug, note, is_active, data)"
        " VALUES (7, 'a@example.org', 'a', 'a', '', 1, '{}')",
    )
    execute(
        elsewhere,
        "CREATE TABLE visit (id int PRIMARY KEY, who bigint, day date, CONSTRAINT visitor"
        f" FOREIGN KEY (who) REFERENCES {dest['NAME']}.shop_customer (id))",
        "INSERT INTO visit VALUES (1, NULL, NULL)",
        *["INSERT INTO visit VALUES (2, 7, NULL)"] * rows,
    )
    (found,) = alarms(check(source, dest))
    assert found.code == "referred-from-elsewhere"
    assert found.severity is (Severity.BLOCKER if rows else Severity.WARNING)
    assert (found.label, found.table) == ("shop.Customer", "shop_customer")
    assert f"{elsewhere['NAME']}.visit" in found.message
    assert f"ALTER TABLE `{elsewhere['NAME']}`.`visit` DROP FOREIGN KEY `visitor`" in found.remedy
    execute(elsewhere, "ALTER TABLE visit DROP FOREIGN KEY visitor")
    assert alarms(check(source, dest)) == []
