"""Comparing every cell: what is there is found and named, what is not is not."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps.registry import Apps
from django.db import models

from migrations_ui.engine import databases
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.comparing import Comparison, RowDifference, Suspects
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.differences import BEFORE, VALUE_BYTES, What
from migrations_ui.engine.layout import Layout, layouts
from migrations_ui.engine.verifying import compare_table
from tests.engine import values
from tests.engine.conftest import DIRECTIONS, OpenPair, insert, layout_of, run, table_of

ROWS = 40


def row(number: int) -> list[Any]:
    """A row in which every value differs from those of the other rows."""
    return [
        number,
        f"text {number}\twith \\ tabs\nand é 🎉",
        f"chars {number}",
        number * 7,
        10**15 + number,
        bool(number % 2),
        Decimal(number) + Decimal("0.5"),
        number / 3,
        bytes([number, 0, 255, 92]),
        date(2000, 1, 1) + timedelta(days=number),
        time(1, 2, 3, number),
        datetime(2020, 2, 29, 23, 59, 59, number),
        timedelta(microseconds=number, days=1),
        uuid.UUID(int=number * 2**64),
        {"b": number, "a": [1, 2.5, None, {"z": "é", "long key": True}]},
    ]


def filled(database: Database, name: str = "t") -> None:
    values.create(database, name)
    rows = [row(number) for number in range(1, ROWS + 1)]
    insert(database, name, [[values.stored(database.vendor, v) for v in r] for r in rows])


def connector(source: Database, dest: Database) -> Callable[[], Any]:
    @contextmanager
    def connect() -> Iterator[tuple[Database, Database]]:
        with (
            databases.connect(source.config, read_only=True) as there,
            databases.connect(dest.config, read_only=True) as here,
        ):
            yield there, here

    return connect


def compared(source: Database, dest: Database, layout: Layout, **options: Any) -> Comparison:
    return compare_table(layout, connector(source, dest), **options)


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_a_clean_copy_is_identical(source: str, dest: str, open_pair: OpenPair) -> None:
    there, here = open_pair(source, dest)
    filled(there)
    values.create(here, "t")
    layout, _ = layout_of(there, here, "t", values.FIELDS)
    copy_chunk(there, here, Chunk(layout), lambda rows: None)
    found = compared(there, here, layout)
    assert found.is_identical, found.differences
    assert (found.rows_source, found.rows_dest) == (ROWS, ROWS)


# -- One change, found and named -------------------------------------------------------------------

# column: (the source's value, the destination's, and both as the difference shows them where all
# vendors spell them alike)
CHANGES: dict[str, tuple[Any, Any, str, str]] = {
    "txt": ("left", "right", "left", "right"),
    "txt trailing space": ("word", "word ", "word", "word "),
    "txt case": ("Straße", "straße", "Straße", "straße"),
    "txt normal form": ("é", "e\u0301", "é", "e\u0301"),
    "txt empty": ("", None, "", "None"),
    "chars": ("a\tb", "a b", "a\tb", "a b"),
    "small": (2, 3, "2", "3"),
    "big": (2**62, 2**62 + 1, str(2**62), str(2**62 + 1)),
    "yes": (True, False, "1", "0"),
    "price": (Decimal("1.0001"), Decimal("1.0002"), "1.0001", "1.0002"),
    "real last bit": (0.1, math.nextafter(0.1, 1), "0.1", "0.10000000000000002"),
    "real large": (1e300, math.nextafter(1e300, 0), "", ""),  # vendors spell it in their ways
    "bin": (b"\x00\xff", b"\x00\xfe", "00ff", "00fe"),
    "day": (date(2024, 2, 29), date(2024, 3, 1), "2024-02-29", "2024-03-01"),
    "clock": (time(1, 2, 3, 4), time(1, 2, 3, 5), "01:02:03.000004", "01:02:03.000005"),
    "moment microsecond": (
        datetime(2024, 1, 1, 0, 0, 0, 1),
        datetime(2024, 1, 1, 0, 0, 0, 2),
        "2024-01-01 00:00:00.000001",
        "2024-01-01 00:00:00.000002",
    ),
    "lapse": (timedelta(microseconds=5), timedelta(microseconds=-5), "", ""),
    "mark": (uuid.UUID(int=1), uuid.UUID(int=2), f"{1:032x}", f"{2:032x}"),
    "doc": ({"a": [1, 2]}, {"a": [2, 1]}, '{"a": [1, 2]}', '{"a": [2, 1]}'),
    "doc type": ({"a": 1}, {"a": "1"}, '{"a": 1}', '{"a": "1"}'),
    "doc truth": ({"a": 1}, {"a": True}, '{"a": 1}', '{"a": true}'),
    "doc large number": ({"a": 2**60}, {"a": 2**60 + 1}, "", ""),
}
SAME: dict[str, tuple[str, str]] = {
    "order of keys": ('{"a": 1, "b": [{"x": 1, "y": 2}]}', '{"b":[{"y":2,"x":1}],"a":1}'),
    "spelling of numbers": ('{"a": 100, "b": 1.50}', '{"a": 1e2, "b": 1.5}'),
    "escapes": ('{"a": "é/"}', '{"a": "\\u00e9\\/"}'),
}


def set_value(database: Database, column: str, value: Any, key: int = 7) -> None:
    mark = "?" if database.vendor == "sqlite" else "%s"
    cursor = database.connection.cursor()
    value = values.stored(database.vendor, value)
    cursor.execute(f"UPDATE t SET {database.quote(column)} = {mark} WHERE id = {key}", [value])


@pytest.fixture
def copied(open_pair: OpenPair) -> Callable[[str, str], tuple[Database, Database, Layout]]:
    """`copied(source, dest)`: two databases with the same rows."""

    def make(source: str, dest: str) -> tuple[Database, Database, Layout]:
        there, here = open_pair(source, dest)
        filled(there)
        filled(here)
        layout, _ = layout_of(there, here, "t", values.FIELDS)
        return there, here, layout

    return make


Copied = Callable[[str, str], tuple[Database, Database, Layout]]


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_every_change_of_a_cell_is_found_and_named(source: str, dest: str, copied: Copied) -> None:
    there, here, layout = copied(source, dest)
    for name, (before, after, was, became) in CHANGES.items():
        column = name.split()[0]
        set_value(there, column, before)
        set_value(here, column, after)
        found = compared(there, here, layout)
        assert (found.missing, found.extra, found.different) == (0, 0, 1), name
        (one,) = found.differences
        assert (one.what, one.key, one.column) == ("different", "7", column), name
        if was:
            assert (str(one.source), str(one.dest)) == (was, became), name
        set_value(here, column, before)
    assert compared(there, here, layout).is_identical


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_json_is_compared_by_its_structure(source: str, dest: str, copied: Copied) -> None:
    there, here, layout = copied(source, dest)
    for name, (one, other) in SAME.items():
        set_value(there, "doc", one)
        set_value(here, "doc", other)
        assert compared(there, here, layout).is_identical, name


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_rows_that_are_missing_extra_or_exchanged_are_named(
    source: str, dest: str, copied: Copied
) -> None:
    there, here, layout = copied(source, dest)
    run(here, "DELETE FROM t WHERE id IN (1, 20)", "UPDATE t SET id = 999 WHERE id = 40")
    # Two rows exchange their values: every sum over the table stays what it was.
    run(here, "UPDATE t SET id = -1 WHERE id = 5", "UPDATE t SET id = 5 WHERE id = 6")
    run(here, "UPDATE t SET id = 6 WHERE id = -1")
    found = compared(there, here, layout)
    assert (found.missing, found.extra, found.different) == (3, 1, 2)
    assert (found.rows_source, found.rows_dest) == (ROWS, ROWS - 2)
    keys = {what: {one.key for one in found.differences if one.what == what} for what in What}
    assert keys == {
        "missing": {"1", "20", "40"},
        "extra": {"999"},
        "different": {"5", "6"},
        "computed": set(),
    }
    (extra,) = (one for one in found.differences if one.what == "extra")
    assert extra.source is None
    assert extra.dest is not None
    assert extra.dest.startswith("id=999\ttxt=text 40")


@pytest.mark.parametrize("empty", ["source", "dest"])
def test_a_side_without_rows_is_told_row_by_row(empty: str, copied: Copied) -> None:
    there, here, layout = copied("sqlite", "postgresql")
    run(there if empty == "source" else here, "DELETE FROM t")
    found = compared(there, here, layout)
    assert (found.missing, found.extra) == ((0, ROWS) if empty == "source" else (ROWS, 0))


@pytest.mark.parametrize("dest", ["postgresql", "mysql", "sqlite"])
def test_minus_zero_is_zero_only_where_a_side_knows_no_other(dest: str, copied: Copied) -> None:
    there, here, layout = copied("postgresql", dest)
    run(there, "UPDATE t SET \"real\" = '-0' WHERE id = 7")
    run(here, f"UPDATE t SET {here.quote('real')} = 0 WHERE id = 7")
    found = compared(there, here, layout)
    if dest == "postgresql":
        assert [(one.source, one.dest) for one in found.differences] == [("-0", "0")]
    copy_chunk(there, here, Chunk(layout, again=True), lambda rows: None)
    assert compared(there, here, layout).is_identical


# -- Keys that the vendors sort in different ways --------------------------------------------------

WORDS = [
    "a",
    "A",
    "b",
    "B ",
    "ä",
    "z",
    "Z",
    "ss",
    "ß",
    "\\",
    "tab\there",
    "quote'\"",
    "%",
    "_",
    "é🎉",
]


def words(database: Database) -> None:
    collation = {"mysql": " COLLATE utf8mb4_bin"}.get(database.vendor, "")
    run(
        database,
        f"CREATE TABLE t (word varchar(50){collation} NOT NULL, n integer NOT NULL,"
        " doc text, PRIMARY KEY (word, n))",
    )
    insert(database, "t", [(word, n, f"{word} {n}") for word in WORDS for n in (1, 2)])


def word_table() -> Table:
    class Word(models.Model):  # noqa: DJ008  # nobody prints one
        pk = models.CompositePrimaryKey("word", "n")
        word = models.CharField(max_length=50)
        n = models.IntegerField()
        doc = models.TextField(null=True)  # noqa: DJ001  # NULL is to be compared, too

        class Meta:
            app_label = "auth"
            db_table = "t"
            apps = Apps()

    return replace(table_of("t", fields=Word._meta.local_concrete_fields), model=Word)


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_keys_of_text_are_compared_whatever_their_order(
    source: str, dest: str, open_pair: OpenPair
) -> None:
    there, here = open_pair(source, dest)
    words(there)
    words(here)
    ((layout,), _) = layouts([word_table()], there, here)
    found = compared(there, here, layout)
    assert found.is_identical, found.differences
    assert found.digest_source == found.digest_dest

    run(
        here,
        "DELETE FROM t WHERE word = 'B ' AND n = 1",
        "UPDATE t SET doc = 'changed' WHERE word = 'ß' AND n = 2",
        "INSERT INTO t VALUES ('new', 1, NULL)",
    )
    found = compared(there, here, layout)
    assert {(one.what, one.key, one.column) for one in found.differences} == {
        ("missing", "B , 1", ""),
        ("different", "ß, 2", "doc"),
        ("extra", "new, 1", ""),
    }
    assert found.digest_source != found.digest_dest


# -- Rows that change meanwhile --------------------------------------------------------------------


def test_a_row_that_is_put_right_meanwhile_is_no_difference(
    copied: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here, layout = copied("postgresql", "mysql")
    set_value(here, "small", 12345)
    flush = Suspects.flush

    def put_right(self: Suspects) -> None:
        set_value(here, "small", 7 * 7)
        flush(self)

    monkeypatch.setattr(Suspects, "flush", put_right)
    assert compared(there, here, layout).is_identical


# -- What a run has set aside ----------------------------------------------------------------------


def test_rows_that_were_set_aside_are_counted_apart(copied: Copied) -> None:
    there, here, layout = copied("mysql", "postgresql")
    aside: list[bytes] = []
    there.read("t", layout.source_columns, aside.append)
    (third,) = [line for line in b"".join(aside).split(b"\n") if line.startswith(b"3\t")]
    run(here, "DELETE FROM t WHERE id IN (3, 4)")
    found = compared(there, here, layout, set_aside=[third])
    assert (found.rejected, found.missing) == (1, 1)
    assert [one.key for one in found.differences] == ["4"]
    assert not found.is_identical


# -- Many differences ------------------------------------------------------------------------------


def test_differences_beyond_what_is_kept_are_counted(
    copied: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migrations_ui.engine.comparing.KEPT", 5)
    there, here, layout = copied("sqlite", "sqlite")
    run(here, "UPDATE t SET small = 0, big = 0")
    told: list[RowDifference] = []
    found = compared(there, here, layout, found=told.append)
    assert (found.different, len(found.differences), len(told)) == (ROWS, 5, ROWS)


def test_of_a_long_value_the_part_that_differs_is_kept(copied: Copied) -> None:
    there, here, layout = copied("sqlite", "postgresql")
    text = "x" * 100_000
    set_value(there, "txt", f"{text}left{text}")
    set_value(here, "txt", f"{text}right{text}")
    (one,) = compared(there, here, layout).differences
    assert one.source is not None
    assert one.dest is not None
    assert (one.at, one.size) == (100_000 - BEFORE, 200_005)
    assert one.source[BEFORE : BEFORE + 5] == "leftx"
    assert one.dest[BEFORE : BEFORE + 5] == "right"
    assert len(one.source) == VALUE_BYTES
