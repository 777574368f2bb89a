"""Texts that are looked at together, a row at once, because each look costs."""

from __future__ import annotations

from migrations_ui.engine.findings import Finding
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
