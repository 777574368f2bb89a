"""The check as a whole: what it asks, and that it finds nothing where nothing is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import models

from migrations_ui.engine import values
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.layout import Layout, layouts
from migrations_ui.engine.values import readers, targets
from tests.conformance.nasty import values as nasty
from tests.engine import values as every
from tests.engine.conftest import insert, table_of
from tests.engine_values.conftest import MakeSides, Sides

PG, MY, SQ = "postgresql", "mysql", "sqlite"
DIRECTIONS = [(source, dest) for source in (PG, MY, SQ) for dest in (PG, MY, SQ)]
SHORT = 200
# The columns of tests.engine.values, and what the nasty project calls such a field.
FIELDS = {
    "txt": "text",
    "chars": "slug",
    "small": "integer",
    "big": "integer_big",
    "yes": "boolean",
    "price": "decimal",
    "real": "float",
    "bin": "binary",
    "day": "date",
    "clock": "time",
    "moment": "datetime",
    "lapse": "duration",
    "mark": "uuid",
}
DOCUMENTS = ["null", "1", '"é😀"', '{"a": [1, 2.5, null, {"b": "\\\\u0000"}]}', "[]", '"NaN"']


def rows(pair: nasty.Pair) -> Iterator[list[Any]]:
    """Rows of every kind of column, with every value that both vendors hold."""
    found = nasty.values(pair)
    columns = {column: found[field] for column, field in FIELDS.items()}
    columns["chars"] = [text for text in found["text"] if len(text) <= SHORT]
    columns["doc"] = DOCUMENTS
    for number in range(max(map(len, columns.values()))):
        yield [
            number,
            *(
                every.stored(pair.source, columns[name][number % len(columns[name])])
                for name in every.TYPES
                if name != "id"
            ),
        ]
    yield [-1, *[None] * (len(every.TYPES) - 1)]


def every_type(between: Sides) -> list[Layout]:
    """A table of every kind on both sides, filled with all that both can hold."""
    name = f"every_{between.source.vendor}_{between.dest.vendor}"
    for database in (between.source, between.dest):
        every.create(database, name)
    between.made.append(name)
    pair = nasty.Pair(between.source.vendor, between.dest.vendor)
    insert(between.source, name, list(rows(pair)))
    tables = [table_of(name, fields=every.FIELDS)]
    return layouts(tables, between.source, between.dest)[0]


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_a_table_with_all_that_both_sides_hold_gives_no_finding(
    source: str, dest: str, sides: MakeSides
) -> None:
    between = sides(source, dest)
    found = between.look(every_type(between))
    assert found == []


def test_two_postgresqls_alike_are_not_asked_at_all(sides: MakeSides) -> None:
    between = sides(PG, PG)
    found = every_type(between)
    asked = between.listen()
    assert between.look(found) == []
    assert [
        sql for sql in asked if f"FROM {between.source.quote(found[0].source_name)}" in sql
    ] == []


@pytest.mark.parametrize(("source", "dest"), [(PG, MY), (MY, PG), (SQ, PG), (SQ, MY)])
def test_a_table_is_read_once_whatever_it_may_hold(
    source: str, dest: str, sides: MakeSides
) -> None:
    between = sides(source, dest)
    found = every_type(between)
    asked = between.listen()
    assert between.look(found) == []
    quoted = between.source.quote(found[0].source_name)
    # How large it is, SQLite guesses from its last key.
    scans = [sql for sql in asked if f"FROM {quoted}" in sql and "MAX(rowid)" not in sql]
    assert len(scans) == 1


def test_all_findings_come_at_once_with_their_keys(sides: MakeSides) -> None:
    between = sides(MY, PG)
    columns = "a varchar(9) NOT NULL, b integer NOT NULL, {}, PRIMARY KEY (a, b)"
    name = between.create(
        columns.format("t text, d date, n integer unsigned"),
        columns.format("t varchar(3), d date, n integer"),
    )
    for number in range(8):
        row = ("it's", number, "a\0bcd", "0000-00-00", 2**31)
        insert(between.source, name, [row])
    tables = [ByTwo(**vars(table_of(name)))]
    found_layouts, _ = layouts(tables, between.source, between.dest)
    found = between.look(found_layouts)
    assert {(f.code, f.column, f.rows) for f in found} == {
        ("nul-in-text", "t", 8),
        ("text-too-long", "t", 8),
        ("zero-date", "d", 8),
        ("integer-out-of-range", "n", 8),
    }
    keys = tuple(f"it's, {number}" for number in range(5))
    assert {f.sample_keys for f in found} == {keys}


@dataclass(frozen=True, eq=False)
class ByTwo(Table):
    """A table with a key of two columns."""

    @property
    def key(self) -> tuple[str, ...]:
        return "a", "b"


def test_mysql_keeps_its_zero_dates_but_no_thirty_first_of_february(sides: MakeSides) -> None:
    between = sides(MY, MY)
    name = between.create("id integer PRIMARY KEY, v date, w datetime(6)")
    between.fill(name, [(1, "0000-00-00", "2020-00-10"), (2, "0000-05-05", None)])
    assert between.check(name) == []
    assert between.survives(name)
    between.source.execute("SET SESSION sql_mode='ALLOW_INVALID_DATES'")
    between.fill(name, [(3, "2020-02-31", "2021-06-31"), (4, "2020-01-31", "2020-02-29")])
    between.source.execute("SET SESSION sql_mode=''")
    assert [(f.code, f.column, f.sample_keys) for f in between.check(name)] == [
        ("invalid-date", "v", ("3",)),
        ("invalid-datetime", "w", ("3",)),
    ]
    between.dest.execute(f"DELETE FROM {name}")
    assert not between.survives(name)


def test_a_finding_says_what_will_happen_and_what_to_do(sides: MakeSides) -> None:
    between = sides(MY, PG)
    name = between.create("id integer PRIMARY KEY, v text")
    between.fill(name, [(1, "a\0"), (2, "b")])
    (found,) = between.check(name)
    assert found == Finding(
        code="nul-in-text",
        severity=Severity.BLOCKER,
        label=f"shop.{name}",
        table=name,
        column="v",
        rows=1,
        sample_keys=("1",),
        message="In 1 row, values of v have a NUL character in them, which PostgreSQL's texts "
        "can't hold. The destination would refuse the first of them and the run would stop.",
        remedy="Remove the character in the source.",
        refused=True,
        transforms=("strip-nul", "replace-nul"),
    )


def test_a_zero_date_is_not_to_become_a_null_that_is_refused(sides: MakeSides) -> None:
    between = sides(MY, PG)
    name = between.create("id integer PRIMARY KEY, v date NOT NULL, w date")
    between.fill(name, [(1, "0000-00-00", "0000-00-00")])
    found = {f.column: f for f in between.check(name)}
    assert found["v"].transforms == ()
    assert found["w"].transforms == ("zero-date-null",)


@pytest.mark.parametrize("source", [PG, MY, SQ])
def test_the_key_zero_crosses_to_mysql(source: str, sides: MakeSides) -> None:
    between = sides(source, MY)
    plain = "id integer NOT NULL PRIMARY KEY, v integer"
    name = between.create(plain, plain.replace("PRIMARY", "AUTO_INCREMENT PRIMARY"))
    between.fill(name, [(0, 1), (-1, 2), (5, 3)])
    assert between.check(name) == []
    assert between.survives(name)


def test_values_larger_than_the_packet_are_found_where_statements_carry_them(
    sides: MakeSides, monkeypatch: pytest.MonkeyPatch
) -> None:
    between = sides(PG, MY)
    name = between.create(
        "id integer PRIMARY KEY, t text, b bytea", "id integer PRIMARY KEY, t longtext, b longblob"
    )
    ((packet,),) = between.dest.query("SELECT @@max_allowed_packet")
    insert(between.source, name, [(1, "x" * (packet + 1), b"x" * (packet // 2)), (2, "x", b"x")])
    assert between.check(name) == []
    without_local_infile(between.dest, monkeypatch)
    found = between.check(name)
    assert [(f.code, f.column, f.rows, f.sample_keys) for f in found] == [
        ("packet-too-large", "t", 1, ("1",)),
        ("packet-too-large", "b", 1, ("1",)),
    ]


def without_local_infile(database: Database, patch: pytest.MonkeyPatch) -> None:
    """Have the server say that it takes no LOAD DATA LOCAL: only its administrator can set that."""
    query = database.query

    def answer(sql: str, *more: Any) -> list[tuple[Any, ...]]:
        return query(sql.replace("@@local_infile", "0"), *more)

    patch.setattr(database, "query", answer)


def test_progress_names_each_table_and_may_stop_the_check(sides: MakeSides) -> None:
    between = sides(PG, PG)
    names = [between.create("id integer PRIMARY KEY") for _ in range(3)]
    told: list[str] = []
    found = between.layouts(*names)
    assert between.look(found, told.append) == []
    assert list(dict.fromkeys(told)) == [f"shop.{name}" for name in names]

    def stop(label: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        between.look(found, stop)


def test_a_table_that_can_not_be_read_is_a_warning_and_the_others_are_checked(
    sides: MakeSides,
) -> None:
    between = sides(MY, PG)
    first, second = (between.create("id integer PRIMARY KEY, v text") for _ in range(2))
    between.fill(second, [(1, "\0")])
    found = between.layouts(first, second)
    between.source.execute(f"DROP TABLE {first}")
    codes = [f.code for f in between.look(found)]
    assert codes == ["values-not-checked", "nul-in-text"]


@pytest.mark.parametrize("source", [MY, SQ])
def test_several_workers_find_what_one_finds_in_the_same_order(
    source: str, sides: MakeSides
) -> None:
    between = sides(source, PG)
    there = "id bigint PRIMARY KEY, v bigint"
    names = [between.create(there, "id integer PRIMARY KEY, v smallint UNIQUE") for _ in range(4)]
    for number, name in enumerate(names):
        between.fill(
            name, [(1, 7), (2, 7), (2**31 + number, 2**15), *((n, n) for n in range(8, 50))]
        )
    found = between.layouts(*names)
    between.source.execute(f"DROP TABLE {names[2]}")

    told: list[str] = []
    by_three = values.check(found, between.connect, told.append, workers=3)
    assert by_three == between.look(found)
    assert set(told) == {f"shop.{name}" for name in names}
    whole = ["integer-out-of-range", "integer-out-of-range", "duplicate"]
    expected = [(name, code) for name in names for code in whole]
    expected[6:9] = [(names[2], "values-not-checked")]
    assert [(each.table, each.code) for each in by_three] == expected


TOKENS = (
    *'{}[],:"\\-1. \n\t\x01\x7fé😀',
    *("0", "e", "E+", "true", "NaN", "\\u0000", "\\ud83d", "\\ude00", "\\N", "\\x"),
    *("e131072", "e-16384"),
)
SOUND = ('{"a": 1}', "[1, 2.5]", '"x"', "[]", '{"a": [-1e5, "b"]}', '"\\ud83d\\ude00"')


def broken(chance: random.Random) -> str:
    """JSON with a piece of something else in it."""
    text = chance.choice(SOUND)
    for _ in range(chance.randint(1, 2)):
        place = chance.randint(0, len(text))
        text = text[:place] + chance.choice(TOKENS) + text[place + chance.randint(0, 1) :]
    return text


@pytest.mark.parametrize("source", [MY, SQ])
def test_what_postgresql_says_of_any_json_is_known_before(source: str, sides: MakeSides) -> None:
    between = sides(source, PG)
    plain = "id integer NOT NULL PRIMARY KEY, v longtext"
    name = between.create(plain, "id integer PRIMARY KEY, v jsonb")
    chance = random.Random(20261122)
    texts = sorted({broken(chance) for _ in range(1_500)} | set(SOUND))
    between.fill(name, list(enumerate(texts)))
    refused = {number for number, text in enumerate(texts) if not is_jsonb(between.dest, text)}
    assert len(SOUND) <= len(texts) - len(refused)
    (layout,) = between.layouts(name, v=models.JSONField)
    crossing = next(column for column in layout.columns if column.dest.name == "v").source
    reader = readers.reader(between.source)
    looks = (
        *(reader.no_json(crossing), reader.json_nul(crossing)),
        *(reader.json_surrogate(crossing), reader.json_long_number(crossing)),
    )
    where = " OR ".join(look for look in looks if look)
    found = between.source.query(f"SELECT id FROM {name} WHERE {where}")
    assert {number for (number,) in found} == refused


def test_mysql_tells_what_mariadb_would_call_too_deep(sides: MakeSides) -> None:
    """Only a MySQL keeps JSON deeper than MariaDB takes it, and counts its scalars as levels."""
    between = sides(MY, PG)
    name = between.create(
        "id integer NOT NULL PRIMARY KEY, v json", "id integer PRIMARY KEY, v json"
    )
    kept = (30, "{}"), (30, '["[]{}"]'), (31, "7")
    deeper = (31, "{}"), (31, "[7]"), (60, "1"), (98, "{}")
    texts = ["[" * levels + inner + "]" * levels for levels, inner in (*kept, *deeper)]
    rows = list(enumerate(texts))
    own = between.source.product != "MariaDB"
    between.fill(name, rows if own else rows[: len(kept)])
    (layout,) = between.layouts(name, v=models.JSONField)
    crossing = next(column for column in layout.columns if column.dest.name == "v").source
    look = readers.reader(between.source).deeper(crossing, targets.MARIADB_DEPTH) or "FALSE"
    found = between.source.query(f"SELECT id FROM {name} WHERE {look}")
    assert {number for (number,) in found} == (set(range(len(kept), len(rows))) if own else set())


def is_jsonb(database: Database, text: str) -> bool:
    try:
        database.query("SELECT %s::jsonb", [text])
    except EngineError:
        return False
    return True


@pytest.mark.parametrize("source", [PG, MY, SQ])
@pytest.mark.parametrize("dest", [PG, MY])
def test_any_name_is_quoted(source: str, dest: str, sides: MakeSides) -> None:
    between = sides(source, dest)
    table, column = 'o\'clock \\ 100%s `of` "x"; -- {0}', 'it\'s \\ 50%d `a` "b" {1}'
    for database, size in ((between.source, 9), (between.dest, 3)):
        name, v = database.quote(table), database.quote(column)
        database.execute(f"DROP TABLE IF EXISTS {name}")
        database.execute(
            f"CREATE TABLE {name} (id integer NOT NULL PRIMARY KEY, {v} varchar({size}) UNIQUE,"
            f" w integer, FOREIGN KEY (w) REFERENCES {name} (id))"
        )
    quoted = between.source.quote(table)
    between.source.execute(f"INSERT INTO {quoted} VALUES (1, 'abcd', NULL), (2, 'Ä', NULL)")
    found = between.check(table)
    assert [(f.code, f.table, f.column, f.rows) for f in found] == [
        ("text-too-long", table, column, 1)
    ]
    for database in (between.source, between.dest):
        database.execute(f"DROP TABLE {database.quote(table)}")
