"""What the operator declares is changed on the way, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db.models import JSONField

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.transforms import Choice, Transform, parse, transformed, with_labels
from tests.engine.conftest import OpenPair, insert, layout_of, named, run

JSONS = {
    1: r'{"a": "x\u0000y"}',
    2: r'{"a": "\\u0000"}',  # an escaped backslash, and no NUL
    3: r'{"a": "\\\u0000\u0000z"}',
    4: r'{"a": "é"}',
}


def copied(
    source: Database, dest: Database, layout: Layout, *choices: str
) -> list[tuple[Any, ...]]:
    (changed,) = transformed([layout], map(parse, choices), source)
    dest.prepare_load()
    copy_chunk(source, dest, Chunk(changed), lambda rows: None)
    return dest.query(f"SELECT * FROM {dest.quote(layout.dest_name)} ORDER BY 1")


@pytest.mark.parametrize("vendor", ["mysql", "sqlite"])
@pytest.mark.parametrize(("transform", "left"), [("strip-nul", ""), ("replace-nul", "\ufffd")])
def test_nul_characters_go_and_everything_else_stays(
    open_pair: OpenPair, vendor: str, transform: str, left: str
) -> None:
    source, dest = open_pair(vendor, "postgresql")
    for database in (source, dest):
        run(database, "CREATE TABLE note (id integer PRIMARY KEY, body text)")
    insert(source, "note", [(1, "a\0b\0"), (2, None), (3, "tab\t\\N ✓"), (4, "\0" * 3), (5, "")])
    layout, _ = layout_of(source, dest, "note")
    assert copied(source, dest, layout, f"note.body={transform}") == [
        (1, f"a{left}b{left}"),
        (2, None),
        (3, "tab\t\\N ✓"),
        (4, left * 3),
        (5, ""),
    ]


@pytest.mark.parametrize("vendor", ["mysql", "sqlite"])
@pytest.mark.parametrize(("transform", "left"), [("strip-nul", ""), ("replace-nul", "\ufffd")])
def test_nul_in_json_goes_where_it_is_one(
    open_pair: OpenPair, vendor: str, transform: str, left: str
) -> None:
    source, dest = open_pair(vendor, "postgresql")
    run(source, "CREATE TABLE note (id integer PRIMARY KEY, body text)")
    run(dest, "CREATE TABLE note (id integer PRIMARY KEY, body jsonb)")
    insert(source, "note", list(JSONS.items()))
    layout, _ = layout_of(source, dest, "note", [named(JSONField, "body")])
    rows = dict(copied(source, dest, layout, f"note.body={transform}"))
    expected = {key: json.loads(text)["a"] for key, text in JSONS.items()}
    assert {key: value["a"] for key, value in rows.items()} == {
        key: value.replace("\0", left) for key, value in expected.items()
    }


def test_a_long_text_is_transformed_like_a_short_one(open_pair: OpenPair) -> None:
    """Long values take another way out of MySQL."""
    source, dest = open_pair("mysql", "postgresql")
    run(source, "CREATE TABLE note (id integer PRIMARY KEY, body longtext)")
    run(dest, "CREATE TABLE note (id integer PRIMARY KEY, body text)")
    insert(source, "note", [(1, "a\0b\n" * 10_000)])
    layout, _ = layout_of(source, dest, "note")
    assert copied(source, dest, layout, "note.body=strip-nul") == [(1, "ab\n" * 10_000)]


@pytest.mark.parametrize("vendor", ["mysql", "sqlite"])
def test_zero_dates_become_null(open_pair: OpenPair, vendor: str) -> None:
    source, dest = open_pair(vendor, "postgresql")
    moment = {"mysql": "datetime(6)", "sqlite": "datetime"}[vendor]
    run(source, f"CREATE TABLE log (id integer PRIMARY KEY, day date, at {moment})")
    run(dest, "CREATE TABLE log (id integer PRIMARY KEY, day date, at timestamptz)")
    zero, half = "0000-00-00", "2020-00-10"
    rows = [(1, zero, f"{zero} 00:00:00"), (2, half, f"{half} 00:00:00"), (3, None, None)]
    insert(source, "log", [*rows, (4, "2020-01-02", "2020-01-02 03:04:05")])
    layout, _ = layout_of(source, dest, "log")
    choices = ("log.day=zero-date-null", "log.at=zero-date-null")
    copied(source, dest, layout, *choices)
    assert dest.query("SELECT id, day::text, at::text FROM log ORDER BY id") == [
        (1, None, None),
        (2, None, None),
        (3, None, None),
        (4, "2020-01-02", "2020-01-02 03:04:05+00"),
    ]


@pytest.mark.parametrize("vendor", ["postgresql", "mysql", "sqlite"])
@pytest.mark.parametrize(("digits", "left"), [(0, ""), (3, ".987")])
def test_microseconds_are_cut_to_what_the_destination_holds(
    open_pair: OpenPair, vendor: str, digits: int, left: str
) -> None:
    source, dest = open_pair(vendor, "mysql")
    moment = {"postgresql": "timestamptz", "mysql": "datetime(6)", "sqlite": "datetime"}[vendor]
    time = {"postgresql": "time", "mysql": "time(6)", "sqlite": "time"}[vendor]
    run(source, f"CREATE TABLE log (id integer PRIMARY KEY, at {moment}, t {time})")
    run(dest, f"CREATE TABLE log (id integer PRIMARY KEY, at datetime({digits}), t time({digits}))")
    insert(source, "log", [(1, "2020-01-02 03:04:05.987654", "03:04:05.987654"), (2, None, None)])
    layout, _ = layout_of(source, dest, "log")
    copied(source, dest, layout, "log.at=truncate-microseconds", "log.t=truncate-microseconds")
    assert dest.query("SELECT id, CAST(at AS CHAR), CAST(t AS CHAR) FROM log ORDER BY id") == [
        (1, f"2020-01-02 03:04:05{left}", f"03:04:05{left}"),
        (2, None, None),
    ]


@pytest.mark.parametrize("text", ["", "note", "note.body", "body=strip-nul", "note.body=", "=x"])
def test_what_is_no_transform_is_told_how_to_be_written(text: str) -> None:
    with pytest.raises(EngineError, match=r"Write table\.column=name|There is no transform"):
        parse(text)


def test_a_choice_names_its_table_by_label_or_name(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "sqlite")
    for database in (source, dest):
        run(database, "CREATE TABLE note (id integer PRIMARY KEY, body text)")
    layout, _ = layout_of(source, dest, "note")
    expected = Choice("shop.note", "body", Transform.STRIP_NUL)
    for text in ("note.body=strip-nul", "shop.note.body=strip-nul", "SHOP.NOTE.body=strip-nul"):
        assert with_labels([parse(text)], [layout]) == [expected]
    assert parse(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("other.body=strip-nul", "not among those"),
        ("note.title=strip-nul", "has no column title"),
        ("note.id=strip-nul", "of the kind integer"),
        ("note.body=zero-date-null", "of the kind text"),
        ("note.day=zero-date-null", "takes no NULL"),
        ("note.body=skip-orphans", "no foreign key"),
    ],
)
def test_a_choice_that_fits_no_column_is_refused(open_pair: OpenPair, text: str, why: str) -> None:
    source, dest = open_pair("sqlite", "sqlite")
    columns = "id integer PRIMARY KEY, body text, day date NOT NULL"
    for database in (source, dest):
        run(database, f"CREATE TABLE note ({columns})")
    layout, _ = layout_of(source, dest, "note")
    with pytest.raises(EngineError, match=why):
        transformed([layout], [parse(text)], source)
