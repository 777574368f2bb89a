"""What is unique in the source, and not under the destination's rules."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from migrations_ui.engine.databases.base import TypedColumn
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.findings import Severity
from tests.engine_values.conftest import MakeSides, Sides

PG, MY, SQ = "postgresql", "mysql", "sqlite"
GENERAL = "utf8mb4_general_ci"
# Under which collation which texts are the same, with some that are not.
CLASHES = [
    (GENERAL, ["abc", "ABC", "abd"], ["1", "2"]),
    (GENERAL, ["cafe", "café", "cafés"], ["1", "2"]),
    (GENERAL, ["a", "a ", "a b"], ["1", "2"]),
    (GENERAL, ["😀", "😎", "☺"], ["1", "2"]),
    (GENERAL, ["Straße", "straße", "strasse"], ["1", "2"]),
    ("utf8mb4_unicode_ci", ["Straße", "STRASSE", "strase"], ["1", "2"]),
    ("utf8mb4_unicode_ci", ["a\u200bb", "AB", "a b"], ["1", "2"]),
    ("utf8mb4_unicode_ci", ["ｱ", "ア", "イ"], ["1", "2"]),
    ("utf8mb4_bin", ["a", "a ", "A", "á"], ["1", "2"]),
    pytest.param("utf8mb4_nopad_bin", ["a", "a ", "A", "á"], [], marks=pytest.mark.mariadb),
    pytest.param(
        "utf8mb4_general_nopad_ci", ["a", "a ", "A"], ["1", "3"], marks=pytest.mark.mariadb
    ),
]
# A collation of either server that holds different bytes apart, spaces at the end among them.
EXACT = "/*M!100203 COLLATE utf8mb4_nopad_bin */ /*!80000 COLLATE utf8mb4_0900_bin */"


def texts(between: Sides, collation: str, values: Sequence[str]) -> str:
    """A table of unique texts on both sides, compared by that collation on the destination."""
    there = "id integer NOT NULL PRIMARY KEY, v varchar(99) NOT NULL UNIQUE"
    here = there.replace("varchar(99)", f"varchar(99) COLLATE {collation}")
    if between.source.vendor == MY:
        there = there.replace("varchar(99)", f"varchar(99) {EXACT}")
    name = between.create(there, here)
    between.fill(name, list(enumerate(values, start=1)))
    return name


@pytest.mark.parametrize(("collation", "values", "keys"), CLASHES)
@pytest.mark.parametrize("source", [PG, MY, SQ])
def test_texts_that_the_collation_holds_equal_are_found_and_no_others(
    source: str, collation: str, values: Sequence[str], keys: Sequence[str], sides: MakeSides
) -> None:
    between = sides(source, MY)
    name = texts(between, collation, values)
    found = between.check(name)
    assert [(f.code, f.table, f.column, f.rows, f.sample_keys) for f in found] == (
        [("unique-clash", name, "v", len(keys), tuple(keys))] if keys else []
    )
    assert between.survives(name) is not bool(keys)
    assert all(collation in f.message for f in found)


# What SQLite's own collations hold equal: the case of ASCII's letters, spaces at the end.
FOLDED = [
    ("NOCASE", ["x", "X", "y", "é", "É", "x "], ["1", "2"]),
    ("RTRIM", ["a", "A", "a ", "a\t"], ["1", "3"]),
    ("BINARY", ["x", "X", "x "], []),
]


@pytest.mark.parametrize(("collation", "values", "keys"), FOLDED)
@pytest.mark.parametrize("source", [PG, MY, SQ])
@pytest.mark.parametrize(
    ("definition", "index"),
    [
        ("varchar(9) COLLATE {} NOT NULL UNIQUE", ""),
        ("varchar(9) COLLATE {} NOT NULL", "CREATE UNIQUE INDEX {0}_u ON {0} (v)"),
        ("varchar(9) NOT NULL", "CREATE UNIQUE INDEX {0}_u ON {0} (v COLLATE {1})"),
    ],
)
def test_texts_that_sqlite_holds_equal_are_found_and_no_others(
    definition: str,
    index: str,
    source: str,
    collation: str,
    values: Sequence[str],
    keys: Sequence[str],
    sides: MakeSides,
) -> None:
    between = sides(source, SQ)
    there = f"varchar(9) {EXACT if source == MY else ''} NOT NULL UNIQUE"
    key = "id integer NOT NULL PRIMARY KEY, v"
    name = between.create(f"{key} {there}", f"{key} {definition.format(collation)}")
    if index:
        between.dest.execute(index.format(name, collation))
    between.fill(name, list(enumerate(values, start=1)))
    found = between.check(name)
    assert [(f.code, f.table, f.column, f.rows, f.sample_keys) for f in found] == (
        [("unique-clash", name, "v", len(keys), tuple(keys))] if keys else []
    )
    assert between.survives(name) is not bool(keys)
    assert all(f"collation {collation}" in f.message and "BINARY" in f.remedy for f in found)


@pytest.mark.parametrize("source", [PG, MY, SQ])
def test_a_key_that_sqlite_folds_clashes_as_well(source: str, sides: MakeSides) -> None:
    between = sides(source, SQ)
    exact = EXACT if source == MY else ""
    name = between.create(
        f"id varchar(9) {exact} NOT NULL, shop integer NOT NULL, PRIMARY KEY (id, shop)",
        "id varchar(9) NOT NULL COLLATE NOCASE, shop integer NOT NULL, PRIMARY KEY (id, shop)",
    )
    between.fill(name, [("x", 1), ("X", 2), ("y", 1)])
    assert between.check(name) == []
    between.fill(name, [("X", 1)])
    (found,) = between.check(name)
    assert (found.code, found.column, found.rows) == ("unique-clash", "id, shop", 2)
    assert found.sample_keys == ("X", "x")
    assert not between.survives(name)


@pytest.mark.parametrize("dest", [PG, SQ])
def test_texts_that_only_the_source_folds_are_no_duplicates(dest: str, sides: MakeSides) -> None:
    between = sides(SQ, dest)
    columns = "id integer NOT NULL PRIMARY KEY, v varchar(9)"
    name = between.create(f"{columns} COLLATE NOCASE", f"{columns} UNIQUE")
    between.fill(name, [(1, "x"), (2, "X")])
    assert between.check(name) == []
    assert between.survives(name)
    between.fill(name, [(3, "X")])
    (found,) = between.check(name)
    assert (found.code, found.rows, found.sample_keys) == ("duplicate", 2, ("2", "3"))


def test_a_unique_key_that_both_sqlites_fold_alike_is_not_looked_at(sides: MakeSides) -> None:
    between = sides(SQ, SQ)
    folded = "id varchar(9) COLLATE NOCASE NOT NULL PRIMARY KEY, v varchar(9)"
    name = between.create(folded, f"{folded} COLLATE RTRIM UNIQUE")
    between.source.execute(f"CREATE UNIQUE INDEX {name}_u ON {name} (v COLLATE NOCASE)")
    between.fill(name, [("x", "y"), ("y", "y ")])
    asked = between.listen()
    (found,) = between.check(name)
    assert (found.code, found.column) == ("unique-clash", "v")
    assert not [sql for sql in asked if name in sql and '"id" GLOB' in sql]


def test_a_clash_is_one_of_all_columns_together(sides: MakeSides) -> None:
    between = sides(PG, MY)
    name = between.create(
        "id integer PRIMARY KEY, shop integer, day date, v varchar(9), UNIQUE (shop, day, v)"
    )
    between.fill(
        name,
        [
            (1, 1, "2020-01-01", "a"),
            (2, 2, "2020-01-01", "A"),
            (3, 1, "2020-01-02", "A"),
            (4, None, "2020-01-02", "A"),
            (5, None, "2020-01-02", "a"),
        ],
    )
    assert between.check(name) == []
    assert between.survives(name)
    between.fill(name, [(6, 1, "2020-01-01", "A"), (7, 3, "2020-01-01", "ß")])
    (found,) = between.check(name)
    assert (found.code, found.column, found.rows) == ("unique-clash", "shop, day, v", 2)
    assert found.sample_keys == ("1", "6")


def test_a_key_of_text_clashes_like_any_other_unique_column(sides: MakeSides) -> None:
    between = sides(SQ, MY)
    name = between.create("id varchar(9) NOT NULL PRIMARY KEY")
    between.fill(name, [("a",), ("A",), ("b",)])
    (found,) = between.check(name)
    assert (found.code, found.rows, found.sample_keys) == ("unique-clash", 2, ("A", "a"))


def test_values_that_are_no_texts_do_not_clash(sides: MakeSides) -> None:
    between = sides(PG, MY)
    name = between.create("id integer PRIMARY KEY, v integer UNIQUE, w date UNIQUE")
    between.fill(name, [(1, 1, "2020-01-01"), (2, 2, None), (3, None, None)])
    assert between.check(name) == []


def test_addresses_and_uuids_are_no_texts_where_they_come_from(sides: MakeSides) -> None:
    between = sides(PG, MY)
    types = {"key": ("inet", "char(39)"), "mark": ("uuid", "char(32)")}
    there, here = (
        ", ".join(f"{name} {kinds[side]} NOT NULL UNIQUE" for name, kinds in types.items())
        for side in (0, 1)
    )
    name = between.create(there.replace("key", "id"), here.replace("key", "id"))
    between.fill(name, [("192.0.2.1", f"{1:032x}"), ("2001:db8::a", f"{10:032x}")])
    assert between.check(name) == []


@pytest.mark.parametrize("source", [PG, MY, SQ])
def test_a_column_may_be_called_as_anything_is_while_looking(source: str, sides: MakeSides) -> None:
    between = sides(source, PG)
    columns = "id integer NOT NULL PRIMARY KEY, c0 integer, c1 integer"
    name = between.create(columns, f"{columns}, UNIQUE (c1)")
    between.fill(name, [(1, 7, 1), (2, 8, 7), (3, 9, 7), (4, 1, None)])
    (found,) = between.check(name)
    assert (found.code, found.rows, found.sample_keys) == ("duplicate", 2, ("2", "3"))


@pytest.mark.parametrize("source", [PG, MY, SQ])
@pytest.mark.parametrize("dest", [PG, MY, SQ])
def test_duplicates_that_only_the_destination_forbids_are_found(
    source: str, dest: str, sides: MakeSides
) -> None:
    between = sides(source, dest)
    columns = "id integer NOT NULL PRIMARY KEY, v varchar(9), w integer"
    name = between.create(columns, f"{columns}, UNIQUE (v, w)")
    between.fill(name, [(1, "a", 1), (2, "a", 2), (3, "b", None), (4, "b", None), (5, "c", 3)])
    assert between.check(name) == []
    between.fill(name, [(6, "a", 2), (7, "a", 2)])
    (found,) = between.check(name)
    assert (found.code, found.column, found.rows) == (
        "unique-clash" if dest == MY else "duplicate",
        "v, w",
        3,
    )
    assert found.sample_keys == ("2", "6", "7")


def test_the_case_that_mysql_ignores_is_no_duplicate_elsewhere(sides: MakeSides) -> None:
    between = sides(MY, PG)
    columns = "id integer NOT NULL PRIMARY KEY, v varchar(9)"
    name = between.create(columns, f"{columns} UNIQUE")
    between.fill(name, [(1, "a"), (2, "A"), (3, "a ")])
    assert between.check(name) == []
    assert between.survives(name)


def test_nothing_stays_on_the_destination(sides: MakeSides) -> None:
    between = sides(PG, MY)
    before = between.dest.estimates().keys()
    name = texts(between, GENERAL, ["a", "A"])
    assert between.check(name)
    assert between.dest.estimates().keys() - before == {name}
    assert between.dest.query(f"SELECT * FROM {name}") == []


def test_a_unique_key_that_both_sides_fold_alike_is_not_looked_at(sides: MakeSides) -> None:
    between = sides(MY, MY)
    name = between.create(f"id integer PRIMARY KEY, v varchar(99) COLLATE {GENERAL} UNIQUE")
    asked = between.listen()
    assert between.check(name) == []
    assert [sql for sql in asked if name in sql] == []


def test_a_destination_that_gives_no_temporary_table_is_a_warning(sides: MakeSides) -> None:
    between = sides(PG, MY)
    name = texts(between, GENERAL, ["a", "A"])
    execute = between.dest.execute

    def refuse(sql: str) -> None:
        if "TEMPORARY" in sql:
            raise EngineError("Access denied")
        execute(sql)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(between.dest, "execute", refuse)
        (found,) = between.check(name)
    assert (found.code, found.severity, found.table) == ("values-not-checked", "warning", name)
    assert "Access denied" in found.message


NOT_LOOKED_AT = [
    (SQ, "CREATE UNIQUE INDEX {0}_u ON {0} (v COLLATE shop)", "the collation SHOP"),
    (SQ, "CREATE UNIQUE INDEX {0}_u ON {0} (v COLLATE NOCASE) WHERE id > 1", "a condition"),
    (SQ, "CREATE UNIQUE INDEX {0}_u ON {0} (v) WHERE id > 1", "a condition"),
    (SQ, "CREATE UNIQUE INDEX {0}_u ON {0} (lower(v))", "an expression"),
    (PG, 'CREATE UNIQUE INDEX {0}_u ON {0} (v COLLATE "folding")', "the collation folding"),
    (PG, "CREATE UNIQUE INDEX {0}_u ON {0} (v) WHERE id > 1", "a condition"),
    (PG, "CREATE UNIQUE INDEX {0}_u ON {0} (lower(v))", "an expression"),
    (MY, "CREATE UNIQUE INDEX {0}_u ON {0} (v(5))", "the first 5 characters"),
]


def test_texts_are_compared_in_a_table_that_has_a_key(
    sides: MakeSides, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may ask one of every table; what could not be compared was a mere warning."""
    between = sides(SQ, MY)
    name = texts(between, GENERAL, ["a", "A"])
    keys: list[str] = []
    load = between.dest.load

    def look(table: str, columns: Sequence[TypedColumn], rows: bytes) -> int:
        keys.extend(key[2] for key in between.dest.query(f"SHOW KEYS FROM {table}"))
        return load(table, columns, rows)

    monkeypatch.setattr(between.dest, "load", look)
    (found,) = between.check(name)
    assert (found.code, keys) == ("unique-clash", ["PRIMARY"])


def test_the_remedy_for_a_clash_names_a_collation_that_the_destination_has(
    sides: MakeSides,
) -> None:
    between = sides(SQ, MY)
    (found,) = between.check(texts(between, GENERAL, ["a", "A"]))
    (exact,) = re.findall(r"\butf8mb4_\w+_bin\b", found.remedy)
    assert between.dest.query(f"SELECT 'a' = 'a ' COLLATE {exact}") == [(0,)]


@pytest.mark.parametrize(("dest", "statement", "by"), NOT_LOOKED_AT)
def test_a_unique_index_that_is_not_looked_at_is_told(
    dest: str, statement: str, by: str, sides: MakeSides
) -> None:
    between = sides(MY if dest == SQ else SQ, dest)
    name = between.create("id integer NOT NULL PRIMARY KEY, v varchar(99)")
    between.fill(name, [(1, "a"), (2, "b")])
    if "folding" in by:
        between.dest.execute(
            "CREATE COLLATION IF NOT EXISTS folding "
            "(provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
        )
    if "SHOP" in by:
        between.dest.connection.create_collation("shop", lambda one, other: 0)
    between.dest.execute(statement.format(name))
    (found,) = between.check(name)
    assert (found.code, found.severity) == ("unique-not-looked-at", Severity.INFO)
    assert (found.table, f"{name}_u" in found.message) == (name, True)
    assert f"goes by {by}, and the source has none like it" in found.message


def test_a_unique_index_of_the_source_guarantees_its_like(sides: MakeSides) -> None:
    between = sides(SQ, PG)
    name = between.create("id integer NOT NULL PRIMARY KEY, v varchar(99)")
    for database in (between.source, between.dest):
        database.execute(f"CREATE UNIQUE INDEX {name}_one ON {name} (v) WHERE id > 1")
        database.execute(f"CREATE UNIQUE INDEX {name}_two ON {name} (lower(v))")
    assert between.check(name) == []
