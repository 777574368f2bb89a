"""Secondary indexes go before a load and are back after it, exactly as they were."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.databases.indexing import Index
from migrations_ui.engine.databases.mysql.indexing import Part
from migrations_ui.engine.errors import IndexRefused, ServerError
from migrations_ui.engine.transfer import taken_off
from tests.conftest import MakeDatabase
from tests.engine.conftest import VENDORS, OpenDatabase, run
from tests.engine.indexed_tables import NAME, NASTY, PARENT, REMOVABLE, STAYS, make
from tests.engine.schemas import schema


@pytest.fixture(params=VENDORS)
def database(
    request: pytest.FixtureRequest, make_database: MakeDatabase, open_database: OpenDatabase
) -> Database:
    """A database with nasty indexes, on which no foreign key depends any more."""
    opened = open_database(make_database(request.param))
    make(opened, NASTY[request.param])
    opened.prepare_load()
    keys = opened.foreign_keys([NAME, PARENT])
    in_the_way = opened.product == "MySQL"
    for key in keys if in_the_way else taken_off(keys):
        opened.drop_foreign_key(key)
    return opened


def drop(database: Database, indexes: Sequence[Index]) -> None:
    for table in (NAME, PARENT):
        database.drop_indexes(table, [index for index in indexes if index.table == table])


def restore(database: Database, indexes: Sequence[Index]) -> None:
    for table in (NAME, PARENT):
        database.restore_indexes(table, [index for index in indexes if index.table == table])


def test_indexes_are_back_exactly_as_they_were(database: Database) -> None:
    before = schema(database)
    indexes = database.secondary_indexes([NAME, PARENT])
    assert len(indexes) == REMOVABLE[database.vendor]
    drop(database, indexes)
    assert {i.name for i in database.secondary_indexes([NAME, PARENT])} == set()
    restore(database, [Index.from_json(index.to_json()) for index in indexes])
    assert schema(database) == before
    assert database.secondary_indexes([NAME, PARENT]) == indexes


def test_dropping_and_restoring_twice_is_harmless(database: Database) -> None:
    before = schema(database)
    indexes = database.secondary_indexes([NAME, PARENT])
    restore(database, indexes)
    drop(database, indexes)
    drop(database, indexes)
    restore(database, indexes)
    restore(database, indexes)
    assert schema(database) == before


def test_what_a_crash_left_half_dropped_is_restored_in_full(database: Database) -> None:
    indexes = database.secondary_indexes([NAME, PARENT])
    before = schema(database)
    drop(database, indexes[len(indexes) // 2 :])
    restore(database, indexes)
    assert schema(database) == before


def test_an_index_that_somebody_has_changed_is_not_touched(database: Database) -> None:
    indexes = database.secondary_indexes([PARENT])
    drop(database, indexes)
    table, name = database.quote(PARENT), database.quote(indexes[0].name)
    run(database, f"CREATE INDEX {name} ON {table} (x, code)")
    for change in (database.drop_indexes, database.restore_indexes):
        with pytest.raises(ServerError, match="is not the one that was noted down") as refused:
            change(PARENT, indexes)
        assert f"{indexes[0].name} of table {PARENT}" in str(refused.value)
    assert [index.columns for index in database.secondary_indexes([PARENT])] == [("x", "code")]


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_can_not_be_put_back_exactly_stays(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    database = open_database(make_database(vendor))
    make(database, STAYS[vendor])
    names = [NAME, PARENT, "one", *(["parts"] if vendor == "mysql" else [])]
    assert database.secondary_indexes(names) == []
    assert database.secondary_indexes([]) == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_few_rows_are_loaded_with_the_indexes_in_place(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    database = open_database(make_database(vendor))
    assert not database.loads_without_indexes(1_000)
    assert database.loads_without_indexes(100_000)
    assert database.loads_without_indexes(None)


def test_every_index_is_built_in_one_list(database: Database) -> None:
    indexes = database.secondary_indexes([NAME, PARENT])
    builds = database.index_builds(indexes)
    assert [index for build in builds for index in build] == indexes
    lists = len(indexes) if database.vendor == "postgresql" else 2
    assert len(builds) == lists
    for build in builds:
        database.drop_indexes(build[0].table, build)
        database.restore_indexes(build[0].table, build)


# -- Rows that an index refuses -------------------------------------------------------------------

CLASH = {
    "postgresql": "CREATE UNIQUE INDEX folded ON {t} (left(lower(a), 3), b) WHERE b > 0",
    "mysql": "CREATE UNIQUE INDEX folded ON {t} (a(3), b)",
    "sqlite": "CREATE UNIQUE INDEX folded ON {t} (substr(a,1,3) COLLATE NOCASE, b DESC) WHERE b",
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_rows_that_clash_are_named_and_the_other_indexes_restored(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    database = open_database(make_database(vendor))
    make(
        database,
        (
            (
                "CREATE TABLE {t} (k1 int, k2 varchar(5), a varchar(9), b int, cutover int,"
                " PRIMARY KEY (k1, k2))"
            ),
            "CREATE INDEX first ON {t} (b)",
            CLASH[vendor],
            "CREATE UNIQUE INDEX last ON {t} (b, k1)",
        ),
    )
    before = schema(database)
    indexes = database.secondary_indexes([NAME])
    database.drop_indexes(NAME, indexes)
    rows = "(1, 'x', 'abc', NULL), (2, 'x', 'abc', NULL), (3, 'x', 'abc', 7), (4, 'y', 'ABCd', 7)"
    run(database, f"INSERT INTO {database.quote(NAME)} (k1, k2, a, b) VALUES {rows}")
    with pytest.raises(IndexRefused) as refused:
        database.restore_indexes(NAME, indexes)
    message = str(refused.value)
    assert f"unique index folded of table {NAME} can't be built" in message
    assert "= abc, 7 is in two rows, those with k1, k2 = " in message.replace("ABC", "abc")
    assert "3, x" in message
    assert "4, y" in message
    assert [index.name for index in refused.value.indexes] == ["folded"]
    there = {index.name for index in database.secondary_indexes([NAME])}
    assert there == {"first", "last"}
    run(database, f"DELETE FROM {database.quote(NAME)}")
    database.restore_indexes(NAME, indexes)
    assert schema(database) == before


def test_every_index_that_rows_violate_is_named(database: Database) -> None:
    indexes = database.secondary_indexes([PARENT])
    database.drop_indexes(PARENT, indexes)
    table = database.quote(PARENT)
    columns = "x, code"
    run(
        database,
        f"CREATE UNIQUE INDEX one ON {table} ({columns})",
        f"CREATE UNIQUE INDEX other ON {table} (x)",
    )
    both = [i for i in database.secondary_indexes([PARENT]) if i.name in ("one", "other")]
    database.drop_indexes(PARENT, both)
    run(database, f"INSERT INTO {table} VALUES (1, 'a', 1), (2, 'a', 1)")
    with pytest.raises(IndexRefused) as refused:
        database.restore_indexes(PARENT, [*indexes, *both])
    assert {index.name for index in refused.value.indexes} >= {"one", "other"}
    assert str(refused.value).count("those with id = ") == len(refused.value.indexes)


EXPRESSION = {
    "postgresql": ("CREATE INDEX expression ON {t} ((10 / b))", "division by zero"),
    "sqlite": ("CREATE INDEX expression ON {t} (json(a))", "malformed JSON"),
}


@pytest.mark.parametrize("vendor", EXPRESSION)
def test_a_value_that_an_expression_can_not_take_is_about_the_rows(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    database = open_database(make_database(vendor))
    sql, message = EXPRESSION[vendor]
    make(
        database,
        (
            "CREATE TABLE {t} (id int PRIMARY KEY, a varchar(9), b int)",
            sql,
            "CREATE UNIQUE INDEX other ON {t} (b)",
        ),
    )
    before = schema(database)
    indexes = database.secondary_indexes([NAME])
    assert len(indexes) == 2
    database.drop_indexes(NAME, indexes)
    run(database, f"INSERT INTO {database.quote(NAME)} VALUES (1, '{{', 0), (2, '{{}}', 1)")
    with pytest.raises(IndexRefused, match=f"index expression of table .* {message}") as refused:
        database.restore_indexes(NAME, indexes)
    assert [index.name for index in refused.value.indexes] == ["expression"]
    assert [index.name for index in database.secondary_indexes([NAME])] == ["other"]
    run(database, f"DELETE FROM {database.quote(NAME)}")
    database.restore_indexes(NAME, indexes)
    assert schema(database) == before


def test_an_index_by_a_function_of_the_applications_own_stays(
    make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    database = open_database(make_database("sqlite"))
    run(database, "CREATE TABLE t (id int PRIMARY KEY, a text)")
    database.connection.create_function("own", 1, str, deterministic=True)
    database.connection.create_collation("own", lambda a, b: (a > b) - (a < b))
    run(
        database,
        "CREATE INDEX function ON t (own(a))",
        "CREATE INDEX condition ON t (id) WHERE own(a)",
        "CREATE INDEX collation ON t (a COLLATE own)",
    )
    assert len(database.secondary_indexes(["t"])) == 3
    other = open_database(f"sqlite:///{database.config['NAME']}")
    assert other.secondary_indexes(["t"]) == []


# -- MariaDB --------------------------------------------------------------------------------------


@pytest.mark.parametrize("tables", [(NAME, PARENT), (PARENT, NAME)])
def test_foreign_keys_are_enforced_when_their_indexes_are_back(
    tables: tuple[str, str], make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    url = make_database("mysql")
    database = open_database(url)
    make(database, NASTY["mysql"])
    indexes = database.secondary_indexes(tables)
    keys = taken_off(database.defined(database.foreign_keys(tables), indexes))
    for key in keys:
        database.drop_foreign_key(key)
    drop(database, indexes)
    run(database, "SET foreign_key_checks = 0")
    child, parent = database.quote(NAME), database.quote(PARENT)
    run(
        database,
        f"INSERT INTO {parent} VALUES (1, 'a', 1), (2, 'b', 2)",
        f"INSERT INTO {child} (b, p_id, code) VALUES (1, 1, 'a')",
        "INSERT INTO outside VALUES (1, 'b')",
    )
    for table in tables:
        database.restore_indexes(table, [index for index in indexes if index.table == table])
    for key in keys:
        database.restore_foreign_key(key)
    application = open_database(url)
    for refused in (
        f"INSERT INTO {child} (b, p_id) VALUES (2, 9)",
        f"INSERT INTO {child} (b, p_id, code) VALUES (2, 1, 'z')",
        f"INSERT INTO {child} (b, p_id, other) VALUES (2, 1, 9)",
        "INSERT INTO outside VALUES (2, 'z')",
        f"DELETE FROM {parent} WHERE id = 1",
        f"UPDATE {parent} SET code = 'z' WHERE id = 2",
    ):
        with pytest.raises(ServerError, match="foreign key constraint fails"):
            application.execute(refused)
    application.execute(f"UPDATE {parent} SET code = 'moved' WHERE id = 1")
    assert application.query(f"SELECT code FROM {child}") == [("moved",)]


def test_an_index_that_would_come_back_in_another_place_stays(
    make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    database = open_database(make_database("mysql"))
    make(
        database,
        (
            (
                "CREATE TABLE {t} (id int PRIMARY KEY, number int NOT NULL AUTO_INCREMENT, a int,"
                " b int NOT NULL, KEY before_it (a), KEY counter (number), KEY after_it (a),"
                " UNIQUE KEY nullable (a, id), UNIQUE KEY of_another_kind (b))"
            ),
        ),
    )
    before = schema(database)
    indexes = database.secondary_indexes([NAME])
    assert [index.name for index in indexes] == ["of_another_kind", "nullable", "after_it"]
    database.drop_indexes(NAME, indexes)
    database.restore_indexes(NAME, indexes)
    assert schema(database) == before


@pytest.mark.parametrize(
    ("kind", "repeats", "is_tree", "is_hashed"),
    [
        ("BTREE", 1, True, False),
        ("BTREE", 0, True, False),
        ("HASH", 1, True, False),  # MariaDB 11.8's word for a tree that was to be a hash
        ("HASH", 0, False, True),
        ("FULLTEXT", 1, False, False),
    ],
)
def test_only_what_is_unique_by_a_hash_is_hashed(
    kind: str, repeats: int, is_tree: bool, is_hashed: bool
) -> None:
    part = Part("a", None, kind, repeats)
    assert (part.is_tree, part.is_hashed) == (is_tree, is_hashed)
