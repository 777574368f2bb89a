"""What only PostgreSQL's indexes can do, and must still do when they are back."""

from __future__ import annotations

import threading

import pytest

from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import IndexRefused, ServerError
from tests.conftest import MakeDatabase
from tests.engine.conftest import OpenDatabase, run
from tests.engine.indexed_tables import NAME, NASTY, PARENT, make
from tests.engine.schemas import schema


@pytest.fixture
def postgres(make_database: MakeDatabase, open_database: OpenDatabase) -> Database:
    return open_database(make_database("postgresql"))


def test_a_table_in_another_schema_has_its_indexes_back(postgres: Database) -> None:
    name = '"Sch ema"."T able"'
    run(
        postgres,
        'CREATE SCHEMA "Sch ema"',
        'CREATE TABLE "T able" (id int PRIMARY KEY, a int UNIQUE)',
        f"CREATE TABLE {name} (id int PRIMARY KEY, a int UNIQUE, b text)",
        f'CREATE INDEX "b y" ON {name} (b)',
        'CREATE INDEX "b y" ON "T able" (a)',
    )
    before = schema(postgres)
    indexes = postgres.secondary_indexes([name])
    assert {index.table for index in indexes} == {name}
    postgres.drop_indexes(name, indexes)
    assert len(postgres.secondary_indexes(["T able"])) == 2
    postgres.restore_indexes(name, indexes)
    assert schema(postgres) == before


def test_what_this_role_could_not_build_again_stays(postgres: Database) -> None:
    run(
        postgres,
        "CREATE SCHEMA closed",
        "CREATE TABLE closed.t (id int PRIMARY KEY, a int UNIQUE)",
    )
    assert len(postgres.secondary_indexes(['"closed"."t"'])) == 1
    run(postgres, "REVOKE CREATE ON SCHEMA closed FROM current_user")
    assert postgres.secondary_indexes(['"closed"."t"']) == []


def test_an_invalid_index_stays(postgres: Database) -> None:
    run(
        postgres,
        "CREATE TABLE t (id int PRIMARY KEY, a int)",
        "INSERT INTO t VALUES (1, 1), (2, 1)",
    )
    with pytest.raises(ServerError):
        postgres.execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON t (a)")
    assert postgres.secondary_indexes(["t"]) == []


def test_an_index_that_is_not_its_constraint_yet_becomes_it(postgres: Database) -> None:
    run(postgres, "CREATE TABLE t (id int PRIMARY KEY, a int UNIQUE DEFERRABLE)")
    before = schema(postgres)
    indexes = postgres.secondary_indexes(["t"])
    postgres.drop_indexes("t", indexes)
    run(postgres, indexes[0].definition)
    postgres.restore_indexes("t", indexes)
    assert schema(postgres) == before
    postgres.drop_indexes("t", indexes)
    run(postgres, indexes[0].definition)
    postgres.drop_indexes("t", indexes)
    assert postgres.secondary_indexes(["t"]) == []


def test_rows_that_exclude_each_other_are_told_in_the_servers_words(postgres: Database) -> None:
    run(
        postgres, "CREATE TABLE t (id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&))"
    )
    indexes = postgres.secondary_indexes(["t"])
    postgres.drop_indexes("t", indexes)
    run(postgres, "INSERT INTO t VALUES (1, '[1,5)'), (2, '[3,9)')")
    with pytest.raises(IndexRefused, match=r"constraint t_r_excl of table t.*\[1,5\).*\[3,9\)"):
        postgres.restore_indexes("t", indexes)


def test_a_value_that_is_too_long_for_an_index_is_about_the_rows(postgres: Database) -> None:
    run(postgres, "CREATE TABLE t (id int PRIMARY KEY, a text UNIQUE)")
    indexes = postgres.secondary_indexes(["t"])
    postgres.drop_indexes("t", indexes)
    run(
        postgres,
        "INSERT INTO t SELECT 1, string_agg(md5(n::text), '') FROM generate_series(1, 400) n",
    )
    with pytest.raises(IndexRefused, match="t_a_key of table t can't be built: index row requires"):
        postgres.restore_indexes("t", indexes)


def test_nulls_and_collations_clash_as_the_index_has_it(postgres: Database) -> None:
    run(
        postgres,
        "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2',"
        " deterministic = false)",
        "CREATE TABLE t (id int PRIMARY KEY, a int, b text COLLATE nocase UNIQUE,"
        " CONSTRAINT once UNIQUE NULLS NOT DISTINCT (a))",
    )
    indexes = postgres.secondary_indexes(["t"])
    postgres.drop_indexes("t", indexes)
    run(postgres, "INSERT INTO t VALUES (1, NULL, 'x'), (2, NULL, 'X'), (3, 5, NULL), (4, 6, NULL)")
    with pytest.raises(IndexRefused) as refused:
        postgres.restore_indexes("t", indexes)
    message = str(refused.value)
    assert "once of table t can't be built: a = None is in two rows, those with id = " in message
    assert "t_b_key of table t can't be built: b = " in message
    assert message.count("1 and 2") + message.count("2 and 1") == 2


def test_several_sessions_build_the_indexes_of_one_table(
    make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    url = make_database("postgresql")
    database = open_database(url)
    make(database, NASTY["postgresql"])
    for key in database.foreign_keys([NAME, PARENT]):
        database.drop_foreign_key(key)
    before = schema(database)
    indexes = database.secondary_indexes([NAME])
    database.drop_indexes(NAME, indexes)
    sessions = [open_database(url) for _ in range(3)]
    threads = [
        threading.Thread(target=session.restore_indexes, args=(NAME, indexes[number::3]))
        for number, session in enumerate(sessions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert schema(database) == before


def test_a_session_of_another_search_path_builds_the_same(
    make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    url = make_database("postgresql")
    name = '"public"."t"'
    database = open_database(url)
    run(
        database,
        "CREATE TABLE t (id int PRIMARY KEY, a text, UNIQUE (a, id))",
        "CREATE FUNCTION fold(text) RETURNS text IMMUTABLE LANGUAGE sql RETURN lower($1)",
        "CREATE INDEX folded ON t (fold(a)) WHERE fold(a) <> ''",
    )
    before = schema(database)
    indexes = database.secondary_indexes([name])
    database.drop_indexes(name, indexes)
    other = open_database(url, options="-c search_path=pg_catalog -c default_tablespace=pg_global")
    other.restore_indexes(name, indexes)
    assert schema(database) == before
    other.drop_indexes(name, indexes)
    assert database.secondary_indexes(["t"]) == []


def test_building_leaves_the_sessions_settings_alone(postgres: Database) -> None:
    names = ("search_path", "lock_timeout", "default_tablespace", "maintenance_work_mem")
    asked = ", ".join(f"current_setting('{name}')" for name in names)
    before = postgres.query(f"SELECT {asked}")
    run(postgres, "CREATE TABLE t (id int PRIMARY KEY, a int UNIQUE)")
    indexes = postgres.secondary_indexes(["t"])
    postgres.drop_indexes("t", indexes)
    run(postgres, "INSERT INTO t VALUES (1, 1), (2, 1)")
    with pytest.raises(IndexRefused):
        postgres.restore_indexes("t", indexes)
    assert postgres.query(f"SELECT {asked}") == before
