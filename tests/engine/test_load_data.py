"""What MySQL and MariaDB would silently alter or drop, by LOAD DATA and by INSERT alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import MySQLdb
import pytest

from migrations_ui.engine.databases import mysql
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import RowRefused, ServerError
from migrations_ui.engine.kinds import Kind
from tests.conftest import MakeDatabase
from tests.engine.conftest import OpenDatabase, read_all, run, typed


@pytest.fixture(params=["LOAD DATA", "INSERT"])
def dest(
    request: pytest.FixtureRequest,
    mysql_url: str,
    open_database: OpenDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> Database:
    """A MariaDB destination that is ready to be loaded, each way."""
    if request.param == "INSERT":
        monkeypatch.setattr(mysql.Database, "loads_from_file", False)
    database = open_database(mysql_url)
    database.prepare_load()
    return database


def load(database: Database, rows: bytes) -> None:
    with database.transaction():
        assert database.load("t", typed(database, "t"), rows) == rows.count(b"\n")


# the column besides the key, the rows, and the line that is refused (None: the server tells none)
TRAPS = {
    "a text that is too long": ("v varchar(5)", b"1\tshort\n2\toverlong\n", 2),
    "trailing spaces that don't fit": ("v varchar(5)", b"1\tok\n2\tabcde   \n", 2),
    "a text for an integer": ("v integer", b"1\t7\n2\tnotint\n", 2),
    "an empty text for an integer": ("v integer", b"1\t7\n2\t\n", 2),
    "a number out of range": ("v smallint", b"1\t32767\n2\t32768\n", 2),
    "a negative number where none may be": ("v integer unsigned", b"1\t0\n2\t-1\n", 2),
    "NULL where none may be": ("v varchar(5) NOT NULL", b"1\tx\n2\t\\N\n", 2),
    "a decimal out of range": ("v decimal(5, 2)", b"1\t999.99\n2\t1000.00\n", 2),
    "a decimal with more digits after the point": ("v decimal(5, 2)", b"1\t1.50\n2\t1.505\n", 2),
    "a float that is none": ("v double", b"1\t0.1\n2\tNaN\n", 2),
    "a date that there is not": ("v date", b"1\t2024-02-29\n2\t2023-02-29\n", 2),
    "a date before Christ": ("v date", b"1\t2024-02-29\n2\t0044-03-15 BC\n", 2),
    "a time without end": ("v datetime(6)", b"1\t2020-01-01 00:00:00.000000\n2\tinfinity\n", 2),
    "a time that is too long": ("v time(6)", b"1\t23:59:59.999999\n2\t900:00:00.000000\n", 2),
    "JSON that is none": ("v json", b"1\t{}\n2\t{\n", None),
    "a value that a check forbids": ("v integer CHECK (v > 0)", b"1\t1\n2\t0\n", None),
    "the same key twice": ("v integer", b"1\t1\n1\t2\n", None),
    "the same unique value twice": ("v varchar(5) UNIQUE", b"1\tabc\n2\tabc\n", None),
    "unique values that differ in case only": ("v varchar(5) UNIQUE", b"1\tabc\n2\tABC\n", None),
    "unique values that differ in accents only": (
        "v varchar(5) UNIQUE",
        b"1\te\n2\t\xc3\xa9\n",
        None,
    ),
    "a character that the column's set lacks": (
        "v varchar(5) CHARACTER SET latin1",
        "1\té\n2\t漢\n".encode(),
        2,
    ),
    "half a character at the very end": ("v varchar(5)", b"1\tok\n2\tA\xe9\n", None),
    "bytes that are no UTF-8": ("v varchar(5)", b"1\tok\n2\t\xff\n", 2),
    "an unknown choice of an enumeration": ("v enum('a', 'b')", b"1\ta\n2\tc\n", 2),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_row_that_would_be_altered_or_dropped_is_refused(dest: Database, trap: str) -> None:
    column, rows, line = TRAPS[trap]
    run(dest, f"CREATE TABLE t (id integer NOT NULL PRIMARY KEY, {column})")
    with pytest.raises(RowRefused) as refused:
        load(dest, rows)
    told = "cannot be null" not in refused.value.message  # INSERT tells the column only
    if dest.product == "MySQL" and refused.value.message.startswith("Invalid"):
        told = False  # its LOAD DATA tells neither
    if line and told:
        assert (refused.value.line, refused.value.column) == (line, "v")
    assert refused.value.message
    assert dest.count("t") == 0


def test_a_row_that_is_refused_in_a_later_statement_is_counted_from_the_first(
    dest: Database,
) -> None:
    run(dest, "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v longtext, w integer)")
    rows = [b"%d\t%b\t1\n" % (number, b"x" * 300_000) for number in range(10)]
    rows[7] = b"7\t%b\tx\n" % (b"x" * 300_000)
    with pytest.raises(RowRefused) as refused:
        load(dest, b"".join(rows))
    assert (refused.value.line, refused.value.column) == (8, "w")
    assert dest.count("t") == 0


@pytest.mark.parametrize("kind", ["varchar(5)", "longblob", "bit(8)"])
def test_keys_that_are_zero_or_negative_stay(dest: Database, kind: str) -> None:
    """Also where a value needs a function: MariaDB forgets then what NO_AUTO_VALUE_ON_ZERO says."""
    run(dest, f"CREATE TABLE t (id integer NOT NULL PRIMARY KEY AUTO_INCREMENT, v {kind})")
    load(dest, b"0\t11\n-5\t12\n7\t13\n")
    assert read_all(dest, "t", typed(dest, "t")) == b"-5\t12\n0\t11\n7\t13\n"


def test_a_key_beside_a_value_that_needs_a_function_is_refused_as_any_other(
    dest: Database,
) -> None:
    run(dest, "CREATE TABLE t (id smallint NOT NULL PRIMARY KEY AUTO_INCREMENT, v longblob)")
    for key in (b"x", b"40000"):
        with pytest.raises(RowRefused):
            load(dest, key + b"\t11\n")
    assert dest.count("t") == 0


def test_bits_are_numbers(dest: Database) -> None:
    run(dest, "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v bit(8))")
    load(dest, b"1\t255\n2\t\\N\n3\t48\n")
    assert read_all(dest, "t", typed(dest, "t")) == b"1\t255\n2\t\\N\n3\t48\n"
    with pytest.raises(RowRefused):
        load(dest, b"4\t256\n")


def test_quotes_backslashes_and_null_are_told_apart(dest: Database) -> None:
    run(dest, "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v text, w longblob)")
    rows = b"1\t'\\\\N'\t\\N\n2\t\\N\t00ff27\n3\t\\\\'\t\n4\t'',(\\\\\\\\N\t5c4e\n"
    load(dest, rows)
    assert read_all(dest, "t", typed(dest, "t")) == rows


def test_rows_are_counted_where_the_reported_count_lies(
    mysql_url: str, open_database: OpenDatabase
) -> None:
    """Without unique checks MariaDB's bulk insert loses rows of a clash, and reports them."""
    database = open_database(mysql_url)
    run(
        database,
        "SET SESSION unique_checks=0",
        "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v varchar(5) UNIQUE)",
    )
    database.prepare_load()
    with pytest.raises((RowRefused, ServerError)):
        load(database, b"1\ta\n2\tabc\n3\tABC\n4\tb\n5\tc\n")
    assert database.count("t") == 0


@pytest.fixture
def without_local_infile(mysql_url: str, open_database: OpenDatabase) -> Iterator[None]:
    """The server, told by its administrator to take no LOAD DATA LOCAL."""
    database = open_database(mysql_url)
    ((socket,),) = database.query("SELECT @@socket")
    root = MySQLdb.connect(
        unix_socket=socket, user="root", password=database.config["PASSWORD"], autocommit=True
    )
    with closing(root), closing(root.cursor()) as cursor:
        cursor.execute("SET GLOBAL local_infile = 0")
        yield
        cursor.execute("SET GLOBAL local_infile = 1")


@pytest.mark.usefixtures("without_local_infile")
def test_a_server_without_local_infile_is_loaded_by_insert(
    mysql_url: str, open_database: OpenDatabase
) -> None:
    database = open_database(mysql_url)
    database.prepare_load()
    run(database, "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v varchar(5))")
    load(database, b"1\ta\\tb\n2\t\\N\n")
    assert database.query("SELECT * FROM t ORDER BY id") == [(1, "a\tb"), (2, None)]
    with pytest.raises(RowRefused) as refused:
        load(database, b"3\tx\n4\toverlong\n")
    assert (refused.value.line, refused.value.column) == (2, "v")


def test_a_float_of_single_precision_is_read_with_all_its_digits(
    make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    database = open_database(make_database("mysql"))
    run(
        database,
        "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v float)",
        "INSERT INTO t VALUES (1, 0.1), (2, 16777215)",
    )
    columns = typed(database, "t")
    assert columns[1].kind is Kind.FLOAT
    assert read_all(database, "t", columns) == b"1\t0.10000000149011612\n2\t16777215\n"
