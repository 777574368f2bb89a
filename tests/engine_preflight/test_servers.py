"""What the servers are set to, who else is connected, and whether the source can be written."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from migrations_ui.engine import databases
from migrations_ui.engine.checks import servers
from migrations_ui.engine.checks.sides import Side
from migrations_ui.engine.databases.access import Config
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.databases.inspecting import Settings, inspect
from migrations_ui.engine.databases.postgresql.inspecting import collation_of
from migrations_ui.engine.findings import Severity
from tests.conftest import MakeDatabase
from tests.engine.conftest import config_of
from tests.engine_preflight.conftest import VENDORS, Check, Make, alarms, execute, somebody


@contextmanager
def sides(source: Config, dest: Config) -> Iterator[tuple[Side, Side]]:
    with (
        databases.connect(source, read_only=True) as there,
        databases.connect(dest, read_only=False) as here,
    ):
        yield Side.of("source", there, []), Side.of("destination", here, [])


def snapshot(database: Database) -> set[str]:
    return set(database.estimates())


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_source_is_proved_read_only_and_nothing_is_left_behind(vendor: str, shop: Make) -> None:
    config = shop(vendor)
    with databases.connect(config, read_only=True) as database:
        before = snapshot(database)
        assert inspect(database).could_write() == ""
        assert snapshot(database) == before


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_source_that_takes_writes_blocks(vendor: str, shop: Make) -> None:
    """As behind a connection pool that drops what makes the session read-only."""
    config = shop(vendor)
    with databases.connect(config, read_only=False) as database:
        before = snapshot(database)
        (found,) = servers.read_only(Side.of("source", database, []))
        assert (found.code, found.severity) == ("source-writable", Severity.BLOCKER)
        assert snapshot(database) == before


def test_a_proof_works_while_the_source_is_being_written(shop: Make) -> None:
    config = shop("sqlite")
    with closing(sqlite3.connect(config["NAME"], isolation_level=None)) as site:
        site.execute("BEGIN IMMEDIATE")
        with databases.connect(config, read_only=True) as database:
            assert inspect(database).could_write() == ""


@pytest.mark.parametrize("vendor", ["postgresql", "sqlite"])
def test_a_session_in_a_transaction_on_the_destination_is_named(
    vendor: str, shop: Make, check: Check
) -> None:
    """MariaDB tells this to accounts with a privilege only: test_privileges.py."""
    source, dest = shop("postgresql"), shop(vendor)
    with somebody(dest, "INSERT INTO shop_parcel VALUES (1, 1)"):
        (found,) = alarms(check(source, dest))
    assert (found.code, found.severity) == ("destination-in-use", Severity.WARNING)
    assert ("another process" if vendor == "sqlite" else "cutover from 127.0.0.1") in found.message
    assert alarms(check(source, dest)) == []


@pytest.mark.parametrize("vendor", ["postgresql", "mysql"])
def test_an_idle_session_is_only_mentioned(vendor: str, shop: Make, check: Check) -> None:
    source, dest = shop("postgresql"), shop(vendor)
    with somebody(dest):
        report = check(source, dest)
    assert alarms(report) == []
    (found,) = (f for f in report.findings if f.code == "destination-connected")
    assert found.severity is Severity.INFO
    assert "cutover from 127.0.0.1" in found.message


def test_a_session_that_only_read_but_holds_a_lock_is_in_the_way(shop: Make, check: Check) -> None:
    source, dest = shop("postgresql"), shop("postgresql")
    with somebody(dest, "SELECT * FROM shop_parcel"):
        (found,) = alarms(check(source, dest))
    assert found.code == "destination-in-use"


@pytest.mark.parametrize("vendor", ["postgresql", "mysql"])
def test_sessions_of_our_own_are_nobody_elses(vendor: str, shop: Make, check: Check) -> None:
    source, dest = shop("postgresql"), shop(vendor)
    with databases.connect(dest, read_only=False) as another:
        another.execute("BEGIN")
        another.execute("INSERT INTO shop_parcel VALUES (1, 1)")
        seen = {finding.code for finding in check(source, dest).findings}
    assert seen & {"destination-in-use", "destination-connected"} == set()


def test_a_destination_that_is_read_only_blocks(shop: Make, check: Check) -> None:
    source, dest = shop("postgresql"), shop("postgresql")
    execute(dest, f"ALTER DATABASE {dest['NAME']} SET default_transaction_read_only = on")
    assert "destination-read-only" in [finding.code for finding in alarms(check(source, dest))]


def test_a_sqlite_file_that_is_read_only_blocks(shop: Make) -> None:
    with databases.connect(shop("sqlite"), read_only=True) as database:
        (found,) = servers.writable(inspect(database).settings())
    assert found.severity is Severity.BLOCKER


def test_a_disk_that_is_too_small_is_a_warning(
    shop: Make, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, dest = shop("sqlite"), shop("sqlite")
    assert alarms(check(source, dest)) == []
    usage = shutil.disk_usage("/")._replace(free=1000)
    with sqlite3.connect(source["NAME"]) as connection:  # larger than all of the destination
        connection.execute("CREATE TABLE ballast (b blob)")
        connection.execute("INSERT INTO ballast VALUES (zeroblob(1000000))")
    connection.close()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    (found,) = alarms(check(source, dest))
    assert (found.code, found.severity) == ("disk-space", Severity.WARNING)


@pytest.mark.parametrize(
    ("changes", "code", "severity"),
    [
        ({"packet": 65_536}, "packet-too-small", Severity.BLOCKER),
        ({"is_read_only": True}, "destination-read-only", Severity.BLOCKER),
        ({"encoding": "LATIN1", "holds_unicode": False}, "encoding-not-unicode", Severity.WARNING),
        ({"writes_unasked": False}, "transactions-read-only", Severity.WARNING),
        ({"is_strict": False}, "sql-mode-not-strict", Severity.INFO),
        ({"loads_from_file": False}, "local-infile-off", Severity.INFO),
        ({"knows_time_zones": False}, "time-zones-missing", Severity.INFO),
        ({"folds_case": True}, "collation-folds-case", Severity.INFO),
        ({"collation": "de_DE"}, "collation-differs", Severity.INFO),
    ],
)
def test_a_setting_that_matters_is_a_finding(
    changes: dict[str, object],
    code: str,
    severity: Severity,
    shop: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Settings that tests may not change on a server that others use."""
    plain = Settings(packet=16 << 20)
    with sides(shop("sqlite"), shop("sqlite")) as (source, dest):
        monkeypatch.setattr(source.inspector, "settings", lambda: plain)
        monkeypatch.setattr(dest.inspector, "settings", lambda: plain)
        assert list(servers.settings(source, dest)) == []
        changed = replace(plain, **changes)  # type: ignore[arg-type]  # one of its fields
        monkeypatch.setattr(dest.inspector, "settings", lambda: changed)
        (found,) = servers.settings(source, dest)
    assert (found.code, found.severity) == (code, severity)


@pytest.mark.parametrize(
    ("product", "program"),
    [("MySQL", "mysql_tzinfo_to_sql"), ("MariaDB", "mariadb-tzinfo-to-sql")],
)
def test_time_zones_are_loaded_by_a_program_that_the_server_has(
    product: str, program: str, shop: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sides(shop("sqlite"), shop("sqlite")) as (_, dest):
        monkeypatch.setattr(dest.database, "product", product)
        (found,) = servers.habits(dest, Settings(knows_time_zones=False))
    assert found.remedy.startswith(f"Load them: {program} ")


def test_the_collation_of_postgresql_may_be_that_of_a_library(make_database: MakeDatabase) -> None:
    url = make_database("postgresql")
    name = f"{url.rpartition('/')[2]}_icu"
    with databases.connect(config_of(url), read_only=False) as database:
        assert "(" not in inspect(database).settings().collation
        database.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu"
            " ICU_LOCALE 'de-AT'"
        )
        try:
            with databases.connect(config_of(f"{url}_icu"), read_only=True) as other:
                assert inspect(other).settings().collation == "de-AT (ICU)"
        finally:
            database.execute(f"DROP DATABASE {name}")


@pytest.mark.parametrize(
    ("provider", "locale", "collation"),
    [
        (None, None, "en_GB.UTF-8"),  # before PostgreSQL 15
        ("c", None, "en_GB.UTF-8"),
        ("i", "en-GB", "en-GB (ICU)"),
        ("b", "C.UTF-8", "C.UTF-8 (built in)"),  # since 17
    ],
)
def test_which_collation_a_database_of_postgresql_has(
    provider: str | None, locale: str | None, collation: str
) -> None:
    assert collation_of("en_GB.UTF-8", provider, locale) == collation


def test_a_source_that_does_not_check_its_encoding_is_a_warning(
    shop: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sides(shop("sqlite"), shop("sqlite")) as (source, dest):
        careless = Settings(encoding="SQL_ASCII", checks_encoding=False, collation="BINARY")
        monkeypatch.setattr(source.inspector, "settings", lambda: careless)
        (found,) = servers.settings(source, dest)
    assert (found.code, found.severity) == ("encoding-unchecked", Severity.WARNING)


@pytest.mark.parametrize("side", ["source", "destination"])
def test_a_file_in_utf_16_blocks_until_it_is_made_anew(
    side: str, shop: Make, check: Check, tmp_path: Path
) -> None:
    wide, dump = tmp_path / "wide.sqlite3", tmp_path / "anew.sqlite3"
    config = shop("sqlite")
    with closing(sqlite3.connect(config["NAME"])) as there:
        script = "\n".join(there.iterdump())
    with closing(sqlite3.connect(wide)) as connection:
        connection.executescript(f"PRAGMA encoding = 'UTF-16le';\n{script}")
    ends = [config | {"NAME": str(wide)}, shop("postgresql")]
    (found,) = alarms(check(*(ends if side == "source" else ends[::-1])))
    assert (found.code, found.severity) == ("encoding-utf-16", Severity.BLOCKER)
    assert f"the {side}'s file are encoded in UTF-16le" in found.message

    with closing(sqlite3.connect(wide)) as old, closing(sqlite3.connect(dump)) as new:
        new.executescript("\n".join(old.iterdump()))
    ends[0] = config | {"NAME": str(dump)}
    assert alarms(check(*(ends if side == "source" else ends[::-1]))) == []


def test_a_destination_in_latin_1_is_a_warning(shop: Make, check: Check) -> None:
    """A real one: the encoding is the database's, whatever the server's is."""
    source, dest = shop("postgresql"), shop("postgresql")
    name = f"{dest['NAME']}_latin1"
    execute(dest, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        report = check(source, dest | {"NAME": name})
    finally:
        execute(dest, f"DROP DATABASE {name}")
    assert "encoding-not-unicode" in [finding.code for finding in report.findings]


def test_a_table_without_transactions_is_a_warning(shop: Make, check: Check) -> None:
    source, dest = shop("mysql"), shop("mysql")
    execute(dest, "ALTER TABLE shop_parcel ENGINE = MyISAM")
    (found,) = alarms(check(source, dest))
    assert (found.code, found.table) == ("table-not-transactional", "shop_parcel")


@pytest.mark.mariadb
def test_a_versioned_table_is_copied_from_but_not_onto(shop: Make, check: Check) -> None:
    versioned, other = shop("mysql"), shop("postgresql")
    execute(versioned, "ALTER TABLE shop_parcel ADD SYSTEM VERSIONING")
    (found,) = alarms(check(versioned, other))
    assert (found.code, found.severity) == ("history-source", Severity.WARNING)
    assert (found.label, found.table) == ("shop.Parcel", "shop_parcel")

    (found,) = alarms(check(other, versioned))
    assert (found.code, found.severity) == ("history-destination", Severity.BLOCKER)
    assert (found.label, found.table) == ("shop.Parcel", "shop_parcel")
    statement = "ALTER TABLE `shop_parcel` DROP SYSTEM VERSIONING"
    assert statement in found.remedy
    execute(versioned, statement)
    assert alarms(check(other, versioned)) == []
