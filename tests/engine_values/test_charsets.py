"""Texts of MySQL's older character sets, whose bytes need not be characters."""

from __future__ import annotations

import pytest

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.errors import ServerError
from migrations_ui.engine.findings import Severity
from migrations_ui.engine.verifying import compare_table
from tests.engine_values.conftest import MakeSides, Sides

# A text, and bytes that are none.
BYTES = {
    "cp1251": ("Я? ї", "98"),
    "greek": ("Ω? ή", "41D2"),
    "hebrew": ("ש?", "BF"),
    "gbk": ("汉? 字", "A2E341"),
    "big5": ("漢? 字", "F9FE"),
    "cp1257": ("š? ž", "A1"),
    "geostd8": ("ა?", "81"),
    "tis620": ("ก?", "DC"),
    "ujis": ("漢? 字", "A9A1"),
}


def filled(sides: MakeSides, dest: str, charset: str, texts: list[str]) -> tuple[Sides, str]:
    """Two tables with a short and a long text of that character set in the source's."""
    between = sides("mysql", dest)
    short, long_ = ("varchar(9)", "longtext") if dest == "mysql" else ("varchar(9)", "text")
    own = f"CHARACTER SET {charset}"
    name = between.create(
        f"id integer NOT NULL PRIMARY KEY, v varchar(9) {own}, w longtext {own}",
        f"id integer NOT NULL PRIMARY KEY, v {short}, w {long_}",
    )
    for key, text in enumerate(texts):
        between.source.execute(f"INSERT INTO {name} VALUES ({key}, {text}, {text})")
    return between, name


@pytest.mark.parametrize("dest", ["postgresql", "mysql", "sqlite"])
@pytest.mark.parametrize("charset", BYTES)
def test_bytes_that_are_no_character_are_found(charset: str, dest: str, sides: MakeSides) -> None:
    text, wrong = BYTES[charset]
    between, name = filled(sides, dest, charset, [f"'{text}'", "'?'", "''", "NULL"])
    assert between.check(name) == []
    assert between.survives(name)

    between.source.execute(f"INSERT INTO {name} VALUES (101, x'{wrong}', x'{wrong}')")
    found = between.check(name)
    assert [each.column for each in found] == ["v", "w"]
    for each in found:
        assert (each.code, each.severity) == ("charset-unmapped", Severity.BLOCKER)
        assert (each.rows, each.sample_keys) == (1, ("101",))
        assert charset in each.message


@pytest.mark.parametrize("charset", BYTES)
def test_they_are_neither_copied_nor_called_identical(charset: str, sides: MakeSides) -> None:
    """Both sides alike are no proof: what is read of either is a question mark."""
    wrong = f"x'{BYTES[charset][1]}'"
    between, name = filled(sides, "mysql", charset, [wrong])
    (layout,) = between.layouts(name)
    with pytest.raises(ServerError, match="not as its character set has it"):
        copy_chunk(between.source, between.dest, Chunk(layout), lambda rows: None)
    assert between.dest.count(name) == 0

    between.dest.execute(f"INSERT INTO {name} VALUES (0, '?', '?')")
    with pytest.raises(ServerError, match="not as its character set has it"):
        compare_table(layout, between.connect)


def test_a_character_that_a_set_has_twice_is_one(sides: MakeSides) -> None:
    """Its other code comes back from UTF-8."""
    between, name = filled(sides, "postgresql", "cp932", ["x'ED40'", "x'FA5C'"])
    assert between.check(name) == []
    assert between.survives(name)


@pytest.mark.parametrize("dest", ["postgresql", "sqlite"])
@pytest.mark.parametrize(
    ("charset", "wrong"),
    [
        ("ucs2", "0041D8000042"),
        pytest.param("utf32", "000000410000DFFF", marks=pytest.mark.mariadb),
        pytest.param("utf8mb3", "41EDA080", marks=pytest.mark.mariadb),
        pytest.param("utf8mb4", "41EDBFBF42", marks=pytest.mark.mariadb),
    ],
)
def test_half_of_a_surrogate_pair_is_found(
    charset: str, wrong: str, dest: str, sides: MakeSides
) -> None:
    between, name = filled(sides, dest, charset, ["'\ud7ff\ue000í한?'", "NULL"])
    assert between.check(name) == []
    assert between.survives(name)

    between.source.execute(f"INSERT INTO {name} VALUES (101, x'{wrong}', x'{wrong}')")
    found = between.check(name)
    assert [(each.column, each.rows, each.sample_keys) for each in found] == [
        ("v", 1, ("101",)),
        ("w", 1, ("101",)),
    ]
    code = "invalid-utf8" if between.source.product == "MariaDB" else "charset-unmapped"
    assert {each.code for each in found} == {code}
    assert not between.survives(name)


@pytest.mark.mariadb
def test_between_two_of_mariadb_half_of_a_surrogate_pair_crosses(sides: MakeSides) -> None:
    between, name = filled(sides, "mysql", "utf8mb4", ["x'EDA080'", "'a'"])
    assert between.check(name) == []
    assert between.survives(name)
