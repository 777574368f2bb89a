"""Rows as MySQL and MariaDB give them, whatever the bytes in them mean elsewhere."""

from __future__ import annotations

import pytest

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database, TypedColumn
from migrations_ui.engine.databases.mysql.rows import NoRow, RowForm
from migrations_ui.engine.errors import ServerError
from tests.conftest import MakeDatabase
from tests.engine.conftest import OpenDatabase, insert, plain_layout, run

MEGABYTE = 1024 * 1024
# ý, þ and ÿ are in Latin-1 the bytes that part cells and rows meanwhile.
TEXTS = ["ýþÿ", "ÿ", "\xfe\t\xfd\n\r\\N", "", "\\", "NULL", None]
BYTES = [b"\xff", b"\xfe\xfd\xff", b"", b"\\N\t\n", None, b"\0", b"\xff\xff"]


def read(database: Database, transform: str = "") -> list[bytes]:
    blocks: list[bytes] = []
    columns = database.columns(["t"])["t"].values()
    typed = [TypedColumn(column.storage, column, transform) for column in columns if column.storage]
    database.read("t", typed, blocks.append)
    return b"".join(blocks).split(b"\n")[:-1]


@pytest.mark.parametrize("charset", ["latin1", "utf8mb4", "ucs2"])
def test_no_text_and_no_bytes_are_taken_for_what_parts_them(
    charset: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    database = open_database(make_database("mysql"))
    run(
        database,
        "CREATE TABLE t (id int NOT NULL PRIMARY KEY, short varchar(40), small varbinary(40),"
        f" long_ longtext, large longblob, last int) CHARACTER SET {charset}",
    )
    insert(
        database,
        "t",
        [(n, t, b, t, b, None) for n, (t, b) in enumerate(zip(TEXTS, BYTES, strict=True))],
    )
    escaped = [
        text if text is None else text.encode().replace(b"\\", b"\\\\").replace(b"\t", b"\\t")
        for text in TEXTS
    ]
    texts = [
        b"\\N" if text is None else text.replace(b"\n", b"\\n").replace(b"\r", b"\\r")
        for text in escaped
    ]
    hexed = [b"\\N" if value is None else value.hex().encode() for value in BYTES]
    assert read(database) == [
        b"\t".join([b"%d" % n, t, b, t, b, b"\\N"])
        for n, (t, b) in enumerate(zip(texts, hexed, strict=True))
    ]


@pytest.mark.mariadb
def test_of_a_versioned_table_the_current_rows_are_read(
    make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    database = open_database(make_database("mysql"))
    run(
        database,
        "CREATE TABLE t (id int NOT NULL PRIMARY KEY, v text) WITH SYSTEM VERSIONING",
        "INSERT INTO t VALUES (1, 'first'), (2, 'gone'), (3, 'stays')",
        "UPDATE t SET v = 'second' WHERE id = 1",
        "DELETE FROM t WHERE id = 2",
    )
    assert list(database.estimates()) == ["t"]
    assert database.count("t") == 2
    assert read(database) == [b"1\tsecond", b"3\tstays"]


def test_a_text_too_large_for_a_function_is_an_error_and_no_null(
    make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    """In UTF-8 it takes twice the bytes, which is more than max_allowed_packet."""
    database = open_database(make_database("mysql"))
    packet = int(database.query("SELECT @@max_allowed_packet")[0][0])
    length = packet // 2 + MEGABYTE
    run(
        database,
        "CREATE TABLE t (v longtext CHARACTER SET latin1)",
        f"INSERT INTO t VALUES (REPEAT(_latin1 x'e9', {length}))",
    )
    assert read(database) == ["é".encode() * length]
    if database.product == "MySQL":  # does not mind there
        assert read(database, "strip-nul") == ["é".encode() * length]
        return
    with pytest.raises(ServerError, match="max_allowed_packet"):
        read(database, "strip-nul")


@pytest.mark.parametrize("row", [(None,), (b"1",), (b"1\xfe2\xfe3",), (b"1\xfe2\xfd",)])
def test_a_row_with_another_number_of_values_is_never_passed_on(row: tuple[bytes | None]) -> None:
    with pytest.raises(NoRow):
        RowForm("", cells=2, blobs=()).block([(b"1\xfe2",), row])


def test_what_latin_1_holds_arrives_elsewhere(
    make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    source = open_database(make_database("mysql"))
    dest = open_database(make_database("postgresql"))
    run(
        source,
        "CREATE TABLE t (id int NOT NULL PRIMARY KEY, v text) CHARACTER SET latin1",
    )
    run(dest, "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v text)")
    insert(source, "t", list(enumerate(TEXTS)))
    dest.prepare_load()
    assert copy_chunk(
        source, dest, Chunk(plain_layout(source, dest, "t")), lambda rows: None
    ) == len(TEXTS)
    assert dest.query("SELECT id, v FROM t ORDER BY id") == list(enumerate(TEXTS))


def test_keys_are_listed_in_a_table_that_has_a_key(
    make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    """A server may ask for one, and the destination may hold two of the source's keys equal."""
    database = open_database(make_database("mysql"))
    run(database, "CREATE TABLE t (a varchar(9) NOT NULL PRIMARY KEY, b integer)")
    listed = database.list_keys("t", ["a"])
    run(database, f"INSERT INTO {listed} (a) VALUES ('a'), ('A')")
    ((_, sql),) = database.query(f"SHOW CREATE TABLE {listed}")
    assert "PRIMARY KEY" in sql


@pytest.mark.mariadb
def test_addresses_that_are_missing_are_read(
    make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    """MariaDB has types of their own for them."""
    database = open_database(make_database("mysql"))
    run(
        database,
        "CREATE TABLE t (id int NOT NULL PRIMARY KEY, v4 inet4, v6 inet6, w6 inet6 NOT NULL)",
        "INSERT INTO t VALUES (1, '192.0.2.1', '2001:db8::1', '::1'), (2, NULL, NULL, '::2')",
    )
    assert read(database) == [b"1\t192.0.2.1\t2001:db8::1\t::1", b"2\t\\N\t\\N\t::2"]
