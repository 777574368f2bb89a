"""What a MySQL or MariaDB server sets its sessions to changes nothing that is read or written."""

from __future__ import annotations

import pytest

from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import ServerError
from tests.conftest import MakeDatabase
from tests.engine.conftest import OpenDatabase, read_all, run, typed

EVERY_ROW = 2**64 - 1
PINNED = [
    ("sql_select_limit", "2", EVERY_ROW),
    ("sql_auto_is_null", "1", 0),
    ("sql_quote_show_create", "0", 1),
    ("group_concat_max_len", "4", 1 << 20),
    ("completion_type", "'CHAIN'", "NO_CHAIN"),
    ("unique_checks", "0", 1),
    ("foreign_key_checks", "0", 1),
    ("transaction_isolation", "'READ-UNCOMMITTED'", "REPEATABLE-READ"),
]
PINNED_IN_MARIADB = [
    ("check_constraint_checks", "0", 1),
    ("max_recursive_iterations", "1000", 2**32 - 1),
    ("system_versioning_asof", "'2020-01-01 00:00:00'", "DEFAULT"),
]


def has(database: Database, name: str) -> object:
    # MariaDB 10.11 has this one by its older name only.
    mariadb = database.product == "MariaDB"
    name = name.replace("transaction_isolation", "tx_isolation") if mariadb else name
    return database.query(f"SELECT @@{name}")[0][0]


def test_a_limit_for_selects_cuts_no_table_short(
    make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    url = make_database("mysql")
    run(
        open_database(url),
        "CREATE TABLE t (id int NOT NULL PRIMARY KEY)",
        "INSERT INTO t VALUES (1), (2), (3)",
    )
    limited = open_database(url, init_command="SET SESSION sql_select_limit = 2")
    assert read_all(limited, "t", typed(limited, "t")) == b"1\n2\n3\n"
    assert limited.query("SELECT id FROM t") == [(1,), (2,), (3,)]


def test_a_session_that_starts_read_only_writes_where_it_may(
    make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    url = make_database("mysql")
    plain = open_database(url)
    name = "tx_read_only" if plain.product == "MariaDB" else "transaction_read_only"
    begin = f"SET SESSION {name} = 1"
    run(open_database(url, init_command=begin), "CREATE TABLE t (id int NOT NULL PRIMARY KEY)")
    assert list(plain.estimates()) == ["t"]
    with pytest.raises(ServerError):
        run(open_database(url, read_only=True, init_command=begin), "DROP TABLE t")


@pytest.mark.parametrize(
    ("name", "otherwise", "pinned"),
    [
        *PINNED,
        *(pytest.param(*values, marks=pytest.mark.mariadb) for values in PINNED_IN_MARIADB),
    ],
)
def test_what_a_session_starts_with_is_set_right(
    name: str,
    otherwise: str,
    pinned: object,
    make_database: MakeDatabase,
    open_database: OpenDatabase,
) -> None:
    before = f"SET SESSION {name} = {otherwise}"
    if name == "transaction_isolation":
        before = "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED"
    assert has(open_database(make_database("mysql"), init_command=before), name) == pinned


def test_a_recursive_query_goes_on_to_the_last_row(
    make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    """MariaDB stops after a thousand steps, with a mere warning; rows below would not be seen."""
    database = open_database(make_database("mysql"))
    steps = "WITH RECURSIVE n (i) AS (SELECT 1 UNION SELECT i + 1 FROM n WHERE i < 1500)"
    assert database.query(f"{steps} SELECT MAX(i) FROM n") == [(1500,)]
