"""Texts that are looked at together, many at once, because each look costs."""

from __future__ import annotations

import pytest
from django.db import models

from migrations_ui.engine import chunks, values
from migrations_ui.engine.crew import Crew
from migrations_ui.engine.databases.ranges import KeyRange
from migrations_ui.engine.databases.sqlite import blocks
from migrations_ui.engine.findings import Finding
from migrations_ui.engine.values.scan import Scan
from tests.engine_values.conftest import MakeSides

WIDE = 130  # texts in a table


def told(findings: list[Finding]) -> list[tuple[str, str, int | None, tuple[str, ...]]]:
    return [(each.code, each.column, each.rows, each.sample_keys) for each in findings]


def test_two_halves_of_a_character_in_two_columns_are_no_character(sides: MakeSides) -> None:
    between = sides("sqlite", "postgresql")
    name = between.create("id integer NOT NULL PRIMARY KEY, v text, w text, x text")
    between.source.execute(
        f"INSERT INTO {name} VALUES (1, 'é', 'a', NULL), "
        "(2, CAST(x'61c3' AS TEXT), CAST(x'a962' AS TEXT), 'b'), (3, NULL, NULL, 'é')"
    )
    assert told(between.check(name)) == [
        ("invalid-utf8", "v", 1, ("2",)),
        ("invalid-utf8", "w", 1, ("2",)),
    ]


def test_what_is_wrong_in_the_last_of_many_texts_is_found(sides: MakeSides) -> None:
    columns = ", ".join(f"v{number} text" for number in range(WIDE))
    between = sides("sqlite", "postgresql")
    name = between.create(f"id integer NOT NULL PRIMARY KEY, {columns}")
    last = f"v{WIDE - 1}"
    between.source.execute(f"INSERT INTO {name} (id, v0) VALUES (1, 'é')")
    assert between.check(name) == []
    between.source.execute(f"INSERT INTO {name} (id, {last}) VALUES (2, CAST(x'ff' AS TEXT))")
    assert told(between.check(name)) == [("invalid-utf8", last, 1, ("2",))]


def test_two_halves_of_a_character_in_two_rows_are_no_character(sides: MakeSides) -> None:
    between = sides("sqlite", "postgresql")
    name = between.create("id integer NOT NULL PRIMARY KEY, v text")
    between.source.execute(
        f"INSERT INTO {name} VALUES (1, CAST(x'61c3' AS TEXT)), (2, CAST(x'a962' AS TEXT))"
    )
    assert told(between.check(name)) == [("invalid-utf8", "v", 2, ("1", "2"))]


def test_bytes_among_texts_are_no_text_that_is_odd(sides: MakeSides) -> None:
    between = sides("sqlite", "postgresql")
    name = between.create("id integer NOT NULL PRIMARY KEY, v text")
    between.source.execute(f"INSERT INTO {name} VALUES (1, x'ff'), (2, 'é')")
    assert [each.code for each in between.check(name)] == ["blob-in-text"]


@pytest.mark.parametrize(
    ("there", "rows"),
    [
        ("''", 1),
        ("NULL", 0),
        (f"'{'0' * 32}'", 0),
        (f"'{'0' * 31}'", 1),
        (f"'{'0' * 33}'", 1),
        (f"'{'0' * 31}' || char(31)", 1),
        (f"'{'0' * 32}' || char(31) || '{'0' * 32}'", 1),
        (f"'{'A' * 32}'", 0),  # in capitals it is one, seen by a closer look
        ("5", 1),
    ],
)
def test_a_uuid_that_is_alone_is_looked_at(sides: MakeSides, there: str, rows: int) -> None:
    between = sides("sqlite", "postgresql")
    name = between.create(
        "id integer NOT NULL PRIMARY KEY, v char(32)", "id integer PRIMARY KEY, v uuid"
    )
    between.source.execute(f"INSERT INTO {name} VALUES (1, {there})")
    found = between.check(name, id=models.IntegerField, v=models.UUIDField)
    assert [(each.code, each.rows) for each in found] == [("invalid-uuid", 1)] * rows


def test_a_nul_in_one_of_many_texts_is_found(sides: MakeSides) -> None:
    between = sides("sqlite", "postgresql")
    name = between.create("id integer NOT NULL PRIMARY KEY, v text, w text")
    between.source.execute(
        f"INSERT INTO {name} VALUES (1, 'a', ''), (2, 'b' || char(0), NULL), (3, '', 'c'),"
        " (4, char(0), 'd'), (5, 'e', x'00')"  # bytes go as a text
    )
    assert told(between.check(name)) == [
        ("nul-in-text", "v", 2, ("2", "4")),
        ("blob-in-text", "w", 1, ("5",)),
        ("nul-in-text", "w", 1, ("5",)),
    ]


def test_a_table_of_which_no_blocks_can_be_made_is_looked_at_row_by_row(sides: MakeSides) -> None:
    between = sides("sqlite", "postgresql")
    name = f"shop_without_{id(sides)}"
    between.source.execute(f"CREATE TABLE {name} (id text PRIMARY KEY, v text) WITHOUT ROWID")
    between.dest.execute(f"CREATE TABLE {name} (id text PRIMARY KEY, v text)")
    between.made.append(name)
    between.source.execute(f"INSERT INTO {name} VALUES ('a', 'é'), ('b', CAST(x'ff' AS TEXT))")
    assert told(between.check(name)) == [("invalid-utf8", "v", 1, ("b",))]


def test_texts_that_do_not_fit_into_a_block_are_looked_at(
    sides: MakeSides, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "LARGEST", 1_000)
    between = sides("sqlite", "postgresql")
    name = between.create("id integer NOT NULL PRIMARY KEY, v text")
    for number in range(1, 9):
        between.source.execute(f"INSERT INTO {name} VALUES ({number}, '{'é' * 60 * number}')")
    assert between.check(name) == []
    between.source.execute(f"UPDATE {name} SET v = v || CAST(x'ff' AS TEXT) WHERE id IN (3, 8)")
    assert told(between.check(name)) == [("invalid-utf8", "v", 2, ("3", "8"))]


@pytest.mark.parametrize("source", ["sqlite", "mysql", "postgresql"])
def test_a_large_table_is_looked_at_in_parts_by_several(
    source: str, sides: MakeSides, monkeypatch: pytest.MonkeyPatch
) -> None:
    between = sides(source, "postgresql")
    name = between.create(
        "id bigint NOT NULL PRIMARY KEY, v bigint", "id bigint PRIMARY KEY, v smallint"
    )
    rows = 30_000 if source == "mysql" else 300  # fewer than MySQL can make estimates of
    between.fill(name, [(number, number % 7) for number in range(1, rows)])
    bad = [1, rows // 2, rows - 1]
    keys = ", ".join(map(str, bad))
    between.source.execute(f"UPDATE {name} SET v = 99999 WHERE id IN ({keys})")
    if source == "mysql":
        between.source.query(f"ANALYZE TABLE {name}")
    if source == "postgresql":
        between.source.execute(f"ANALYZE {name}")
    for module in (chunks, values):
        monkeypatch.setattr(module, "CHUNK_BYTES", 500_000 if source == "mysql" else 4096)
    parts: list[KeyRange | None] = []
    first = Scan.first

    def spied(scan: Scan, hazards: object, keys: KeyRange | None) -> object:
        parts.append(keys)
        return first(scan, hazards, keys)  # type: ignore[arg-type]

    monkeypatch.setattr(Scan, "first", spied)

    found = values.check(between.layouts(name), between.connect, workers=2)
    assert told(found) == [("integer-out-of-range", "v", 3, tuple(map(str, bad)))]
    if source == "postgresql":  # each part would be a scan of the whole table
        assert parts == [None]
    else:
        assert len(parts) > 1
        assert None not in parts


def test_what_can_not_be_divided_is_looked_at_before_the_parts(
    sides: MakeSides, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no worker is left alone with it at the end."""
    between = sides("sqlite", "postgresql")
    names = [between.create("id bigint NOT NULL PRIMARY KEY, v text") for _ in range(2)]
    for name, rows in zip(names, (300, 3), strict=True):
        between.fill(name, [(number, "a") for number in range(rows)])
    sizes = between.source.sizes(names)
    assert sizes[names[0]] > sizes[names[1]]
    for module in (chunks, values):
        monkeypatch.setattr(module, "CHUNK_BYTES", sizes[names[1]])
    looks: list[values.Look] = []
    do = values.Check.do

    def spied(check: values.Check, look: values.Look) -> None:
        looks.append(look)
        do(check, look)

    monkeypatch.setattr(values.Check, "do", spied)
    with between.connect() as (source, dest):
        check = values.Check(between.layouts(*names), source, dest)
        parts = check.parts(Crew(2, between.connect), source.sizes(names))
        ((label, ranges),) = parts.items()
        assert (label, len(ranges) > 1) == (f"shop.{names[0]}", True)
        monkeypatch.setattr(values.Check, "parts", lambda *_: parts)
        assert check.run(Crew(1, between.connect), lambda label: None) == []
    divided = [look.is_divided for look in looks]
    assert divided == sorted(divided)
    assert divided.count(True) == len(ranges)


def test_a_nul_is_told_of_its_own_column(sides: MakeSides) -> None:
    between = sides("mysql", "postgresql")
    name = between.create(
        "id integer NOT NULL PRIMARY KEY, v varchar(9), w longtext, x char(9) CHARACTER SET ucs2",
        "id integer NOT NULL PRIMARY KEY, v varchar(9), w text, x varchar(9)",
    )
    between.fill(name, [(1, "a", "b", "c"), (2, None, None, None)])
    assert between.check(name) == []
    between.fill(name, [(3, None, "a\0", "d"), (4, "", "", "\0"), (5, "x", None, None)])
    assert told(between.check(name)) == [
        ("nul-in-text", "w", 1, ("3",)),
        ("nul-in-text", "x", 1, ("4",)),
    ]


def test_texts_that_are_too_long_to_be_joined_are_looked_at_all_the_same(sides: MakeSides) -> None:
    """Beyond max_allowed_packet, of 16 MB, functions give NULL."""
    between = sides("mysql", "postgresql")
    name = between.create(
        "id integer NOT NULL PRIMARY KEY, v longtext, w longtext",
        "id integer NOT NULL PRIMARY KEY, v text, w text",
    )
    between.source.execute(
        f"INSERT INTO {name} VALUES (1, REPEAT('a', 9000000), CONCAT(REPEAT('a', 9000000), x'00'))"
    )
    assert told(between.check(name)) == [("nul-in-text", "w", 1, ("1",))]


@pytest.mark.parametrize(
    ("there", "code"),
    [
        ("'2024-02-29 12:00:00'", ""),
        ("'2024-02-29 12:00:00.000001'", ""),
        ("'2024-02-29T12:00:00'", ""),  # usual to nobody, but the copy reads it: a closer look
        ("'2023-02-29 12:00:00'", "invalid-datetime"),
        ("'2023-00-29 12:00:00'", "zero-date"),
        ("'2024-01-01 12:00:00' || char(31) || '2024-01-01 12:00:00'", "invalid-datetime"),
        ("2024", "invalid-datetime"),
        ("CAST('2024-01-01 12:00:00' AS BLOB)", "blob-in-text"),
    ],
)
def test_an_odd_datetime_among_usual_ones_is_found(sides: MakeSides, there: str, code: str) -> None:
    between = sides("sqlite", "postgresql")
    name = between.create(
        "id integer NOT NULL PRIMARY KEY, v datetime",
        "id integer NOT NULL PRIMARY KEY, v timestamp",
    )
    between.source.execute(
        f"INSERT INTO {name} VALUES (1, '1999-12-31 23:59:59'), (2, {there}), (3, NULL), "
        "(4, '2000-02-29 00:00:00.000000')"
    )
    assert told(between.check(name)) == ([(code, "v", 1, ("2",))] if code else [])


@pytest.mark.mariadb
def test_what_mariadb_takes_for_json_is_looked_at_before_it_goes_to_mysql(
    sides: MakeSides, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are one vendor, and one checks less."""
    between = sides("mysql", "mysql")
    checked = "id integer NOT NULL PRIMARY KEY, v longtext CHECK (json_valid(v))"
    name = between.create(checked)
    between.source.execute(f"INSERT INTO {name} VALUES (1, '[1]'), (2, '[1.]')")
    assert told(between.check(name, v=models.JSONField)) == []
    here = between.dest.config["NAME"]
    monkeypatch.setattr(
        type(between.dest),
        "product",
        property(lambda it: "MySQL" if it.config["NAME"] == here else "MariaDB"),
    )
    assert told(between.check(name, v=models.JSONField)) == [("invalid-json", "v", 1, ("2",))]


def test_a_column_that_is_called_rowid_is_no_number_to_walk_by(sides: MakeSides) -> None:
    between = sides("sqlite", "postgresql")
    name = between.create("id integer NOT NULL PRIMARY KEY, rowid varchar(9), v text")
    between.source.execute(
        f"INSERT INTO {name} VALUES (1, NULL, 'é'), (2, NULL, CAST(x'ff' AS TEXT)), (3, 'a', 'e')"
    )
    assert told(between.check(name)) == [("invalid-utf8", "v", 1, ("2",))]
