"""Every kind of value, from each vendor's native type to each other's, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database
from tests.engine import values
from tests.engine.conftest import DIRECTIONS, OpenPair, insert, layout_of, plain_layout, run

directions = pytest.mark.parametrize(("source", "dest"), DIRECTIONS)

CONTROLS = [chr(number) for number in [*range(1, 32), 127]]
HOSTILE = [
    *CONTROLS,
    *(f"a{control}b" for control in CONTROLS),
    "".join(CONTROLS),
    "",
    " ",
    " leading and trailing ",
    "\\",
    "\\\\",
    "ends in \\",
    "ends in \\\\",
    "\\N",
    "\\\\N",
    "a\\N",
    "\\Na",
    "\\.",
    "\\t",
    "\\n",
    "\\r",
    "\\0",
    "\\x41",
    "\\b\\f\\v",
    "\\\t",
    "\\\n",
    "\\\r\n",
    "\t\t",
    "\r\n",
    "NULL",
    "null",
    "'",
    "''",
    '"',
    "\\'",
    "'\\N'",
    "`%s`",
    "%(name)s %%",
    "{0}",
    "; DROP TABLE things; --",
    "ü ß € ё 漢字",
    "🐘🐬🪶",
    "\U0010ffff",
    "e\u0301 \u200b \ufeff \u2028",
]


def made(source: Database, dest: Database, name: str) -> None:
    for database in (source, dest):
        values.create(database, name)


def fill(database: Database, name: str, rows: list[dict[str, Any]]) -> None:
    cells = [[values.stored(database.vendor, row.get(c)) for c in values.TYPES] for row in rows]
    insert(database, name, cells)


def copied(source: Database, dest: Database, name: str) -> list[dict[str, Any]]:
    """Copy the table, and what the destination has then."""
    layout, findings = layout_of(source, dest, name, values.FIELDS)
    assert findings == []
    copy_chunk(source, dest, Chunk(layout), lambda rows: None)
    return values.rows_of(dest, name)


@directions
def test_hostile_text_arrives_as_it_is(source: str, dest: str, open_pair: OpenPair) -> None:
    one, other = open_pair(source, dest)
    made(one, other, "things")
    texts = [*HOSTILE, *(["a\0b", "\0", "\\0\0"] if "postgresql" not in (source, dest) else [])]
    rows = [
        {"id": number, "txt": text, "chars": text, "bin": text.encode(), "doc": {text: [text]}}
        for number, text in enumerate(texts)
    ]
    fill(one, "things", rows)

    expected = [dict.fromkeys(values.TYPES) | row for row in rows]
    assert values.rows_of(one, "things") == expected
    assert copied(one, other, "things") == expected


@pytest.mark.parametrize(("source", "dest"), [pair for pair in DIRECTIONS if "mysql" in pair])
def test_values_that_the_server_does_not_format_arrive(
    source: str, dest: str, open_pair: OpenPair
) -> None:
    one, other = open_pair(source, dest)
    made(one, other, "things")
    rows = [
        {"id": 1, "txt": "\\\t" * 1_500_000, "bin": bytes(range(256)) * 8_000},
        {"id": 2, "txt": "short", "bin": b"\0"},
        {"id": 3, "txt": "x" * 1_000_001, "chars": "\\N", "yes": True, "real": 0.1},
    ]
    fill(one, "things", rows)
    expected = [dict.fromkeys(values.TYPES) | row for row in rows]
    assert copied(one, other, "things") == expected


@pytest.mark.parametrize("count", [100, 101, 250])
@pytest.mark.parametrize(("source", "dest"), [("sqlite", "mysql"), ("mysql", "sqlite")])
def test_tables_of_many_columns_arrive(
    source: str, dest: str, count: int, open_pair: OpenPair
) -> None:
    one, other = open_pair(source, dest)
    # Short ones: MySQL holds a row in half a page.
    columns_sql = ", ".join(f"c{number} varchar(6)" for number in range(1, count))
    for database in (one, other):
        run(database, f"CREATE TABLE wide (id integer NOT NULL PRIMARY KEY, {columns_sql})")
    rows = [(row, *(f"{row}\t{number}\\" for number in range(1, count))) for row in (1, 2)]
    insert(one, "wide", rows)
    layout = plain_layout(one, other, "wide")
    assert copy_chunk(one, other, Chunk(layout), lambda rows: None) == 2
    assert other.query("SELECT * FROM wide ORDER BY id") == rows


@directions
def test_names_of_any_spelling_are_quoted(source: str, dest: str, open_pair: OpenPair) -> None:
    one, other = open_pair(source, dest)
    table = "Täble of 100 %s, 'quoted' `and` \"so\" \\ {0}"
    column = "%(cölumn)s \"x\" `y` 'z' {1} \\"
    for database in (one, other):
        name = database.quote(column)
        run(
            database,
            f"CREATE TABLE {database.quote(table)} (id integer NOT NULL PRIMARY KEY, "
            f"{name} varchar(20), {database.quote('select')} decimal(5, 2))",
        )
    insert(one, table, [(1, "a\tb", "1.50"), (2, None, None)])
    layout = plain_layout(one, other, table)
    assert copy_chunk(one, other, Chunk(layout), lambda rows: None) == 2
    found = other.query(f"SELECT * FROM {other.quote(table)} ORDER BY id")
    assert [row[:2] for row in found] == [(1, "a\tb"), (2, None)]


@directions
def test_empty_text_and_null_stay_apart(source: str, dest: str, open_pair: OpenPair) -> None:
    one, other = open_pair(source, dest)
    for database in (one, other):
        run(database, "CREATE TABLE lone (word varchar(5))")
    insert(one, "lone", [("",), (None,), ("",), ("\\N",), ("\n",)])
    layout = plain_layout(one, other, "lone")
    assert copy_chunk(one, other, Chunk(layout), lambda rows: None) == 5
    found = [row[0] for row in other.query("SELECT word FROM lone")]
    assert sorted(found, key=str) == sorted(["", None, "", "\\N", "\n"], key=str)
