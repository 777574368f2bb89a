"""Rows as PostgreSQL gives them."""

from __future__ import annotations

import pytest

from migrations_ui.engine.databases.base import Database, TypedColumn
from migrations_ui.engine.databases.postgresql.columns import HAS_NULLS, TAKES_NULLS
from tests.conftest import MakeDatabase
from tests.engine.conftest import OpenDatabase, run

MOMENTS = (
    "0001-01-02 00:00:00",
    "2026-10-25 01:30:00",
    "2026-03-29 00:59:59",
    "9999-12-30 23:59:59",
)
FRACTIONS = ("", ".1", ".000001", ".10203", ".999995", ".123456", ".99")


def read(database: Database) -> list[bytes]:
    blocks: list[bytes] = []
    columns = database.columns(["t"])["t"].values()
    typed = [TypedColumn(column.storage, column) for column in columns if column.storage]
    database.read("t", typed, blocks.append)
    return b"".join(blocks).split(b"\n")[:-1]


@pytest.mark.parametrize("column", ["timestamptz", "timestamp", "timestamptz(3)", "timestamp(0)"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_every_datetime_has_six_digits(
    column: str, zone: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    """Also the hour that comes twice in autumn, whose two times differ in their zone only."""
    database = open_database(make_database("postgresql"))
    database.execute(f"SET TimeZone = '{zone}'")
    moments = [f"{moment}{digits}{z}" for moment in MOMENTS for digits in FRACTIONS for z in ZONES]
    run(database, f"CREATE TABLE t (v {column})")
    database.query("INSERT INTO t SELECT unnest(%s::text[])::timestamptz RETURNING 1", [moments])
    wanted = database.query("SELECT to_char(v, 'YYYY-MM-DD HH24:MI:SS.US') FROM t")
    assert read(database) == [text.encode() for (text,) in wanted]


ZONES = ("+00", "+01", "-04", "-05")


@pytest.mark.parametrize("text", ["infinity", "-infinity", "0044-03-15 12:00:00 BC", "12026-01-01"])
def test_what_others_have_no_form_for_is_in_its_own_words(
    text: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    database = open_database(make_database("postgresql"))
    run(database, "CREATE TABLE t (v timestamptz)", f"INSERT INTO t VALUES ('{text}')")
    ((found,),) = database.query("SELECT v::text FROM t")
    assert read(database) == [found.encode()]


def test_a_uuid_is_its_digits_whatever_the_column_is(
    make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    database = open_database(make_database("postgresql"))
    run(
        database,
        "CREATE TABLE t (v uuid, w uuid)",
        "INSERT INTO t VALUES ('00112233-4455-6677-8899-AABBCCDDEEFF', NULL)",
    )
    assert read(database) == [b"00112233445566778899aabbccddeeff\t\\N"]


CATALOG = """
WITH pg_constraint (conrelid, contype, conkey, convalidated) AS (VALUES
    (1::oid, 'n', ARRAY[1::int2], true), (1, 'n', ARRAY[2::int2], false),
    (2, 'n', ARRAY[3::int2], false), (1, 'f', ARRAY[3::int2], false))
SELECT attnum, {} FROM (VALUES (1::oid, 1::int2, true), (1, 2::int2, true), (1, 3::int2, true),
    (1, 4::int2, false)) a (attrelid, attnum, attnotnull)
"""


@pytest.mark.parametrize(("nullable", "found"), [(HAS_NULLS, [2, 4]), (TAKES_NULLS, [4])])
def test_a_not_null_that_was_never_validated_may_have_nulls(
    nullable: str, found: list[int], make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    """As PostgreSQL 18 has it in its catalog; before, it had none."""
    database = open_database(make_database("postgresql"))
    rows = database.query(CATALOG.format(nullable))
    assert [number for number, may_be_null in rows if may_be_null] == found


@pytest.mark.parametrize("read_only", [True, False])
def test_nulls_are_looked_for_in_the_source_only(
    read_only: bool,
    make_database: MakeDatabase,
    open_database: OpenDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is loaded meets the constraint, validated or not."""
    database = open_database(make_database("postgresql"), read_only=read_only)
    asked: list[str] = []

    def query(sql: str, parameters: object) -> list[tuple[object, ...]]:
        asked.append(sql)
        return []

    monkeypatch.setattr(database, "query", query)
    assert database.columns(["t"]) == {}
    assert (HAS_NULLS in asked[0]) is read_only
