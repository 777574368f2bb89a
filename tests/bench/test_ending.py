"""What the bench says of a destination that did not end whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.bench.ending import lacks
from tests.bench.limit import SECONDARY
from tests.bench.prepared import prepare, text
from tests.bench.stock import Place
from tests.conftest import MakeDatabase

SCHEMA = """
    CREATE TABLE parent (id integer PRIMARY KEY, name varchar(20) NOT NULL UNIQUE);
    CREATE TABLE child (id integer PRIMARY KEY,
                        parent_id integer REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED,
                        size integer CHECK (size > 0));
    CREATE INDEX child_size ON child (size);
"""
ROWS = """
    INSERT INTO parent VALUES (1, 'a'), (2, 'tab\there');
    INSERT INTO child VALUES (1, 1, 5), (2, NULL, 6), (3, 2, NULL);
"""


def filled(make_database: MakeDatabase, script: str) -> Place:
    place = Place("sqlite", make_database("sqlite"))
    with closing(sqlite3.connect(place.path)) as connection:
        connection.executescript(script)
    return place


@pytest.fixture
def source(make_database: MakeDatabase) -> Place:
    return filled(make_database, SCHEMA + ROWS)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (SCHEMA + ROWS, []),
        (SCHEMA + ROWS + "DELETE FROM child WHERE id = 2", ["child: 2 rows instead of 3"]),
        (SCHEMA + ROWS + "DROP INDEX child_size", ["1 of 1 indexes, such as ('child', ('size',)"]),
        (SCHEMA + ROWS + "UPDATE child SET parent_id = 9 WHERE id = 1", ["1 orphans in child"]),
        (SCHEMA.replace("UNIQUE", "") + ROWS, ["1 of 1 unique constraints"]),
        (SCHEMA.replace("CHECK (size > 0)", "") + ROWS, ["1 of 1 checks"]),
        (SCHEMA.replace("varchar(20)", "text") + ROWS, ["1 of 5 columns of their type"]),
        ("", ["no table child", "no table parent"]),
    ],
)
def test_what_a_destination_lacks_is_named(
    make_database: MakeDatabase, source: Place, script: str, said: list[str]
) -> None:
    found = lacks(source, filled(make_database, script), filled(make_database, SCHEMA))
    assert [text[: len(start)] for text, start in zip(found, said, strict=False)] == said
    assert bool(found) == bool(said)


def test_prepared_files_hold_every_row_in_the_loaders_text(source: Place, tmp_path: Path) -> None:
    child, parent = prepare(source, tmp_path / "files")
    assert (child.rows, child.columns) == (3, ("id", "parent_id", "size"))
    assert child.path.read_text() == "1\t1\t5\n2\t\\N\t6\n3\t2\t\\N\n"
    assert parent.path.read_text() == "1\ta\n2\ttab\\there\n"
    assert parent.size == parent.path.stat().st_size


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "1"),
        (None, "\\N"),
        (datetime(2020, 1, 1, 1, tzinfo=UTC), "2020-01-01 01:00:00"),
        (datetime(2020, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "2020-01-01 00:00:00"),
        (datetime(2020, 1, 1, 1), "2020-01-01 01:00:00"),
    ],
)
def test_drivers_values_become_what_both_loaders_read(value: object, expected: str) -> None:
    assert text(value) == expected


def test_the_limit_knows_secondary_indexes_and_foreign_keys_from_the_rest() -> None:
    table = (
        "CREATE TABLE `t` (\n"
        "  `KEY` int(11) NOT NULL,\n"
        "  PRIMARY KEY (`KEY`),\n"
        "  UNIQUE KEY `u` (`KEY`),\n"
        "  KEY `k` (`a`,`b`),\n"
        "  CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`id`),\n"
        "  CONSTRAINT `c` CHECK (`a` > 0)\n"
        ") ENGINE=InnoDB"
    )
    assert SECONDARY.findall(table) == [
        ("UNIQUE KEY", "`u`", "(`KEY`)"),
        ("KEY", "`k`", "(`a`,`b`)"),
        ("CONSTRAINT", "`f`", "FOREIGN KEY (`a`) REFERENCES `p` (`id`)"),
        ("CONSTRAINT", "`c`", "CHECK (`a` > 0)"),
    ]
