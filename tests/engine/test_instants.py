"""PostgreSQL's moments in a project without USE_TZ, in a zone whose clocks are put back."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db.models import CharField, DateTimeField

from migrations_ui.engine import databases
from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.layout import Layout, layouts
from migrations_ui.engine.newer import Pass
from tests.engine.conftest import OpenPair, insert, named, run, table_of
from tests.engine.test_newer import Told
from tests.engine.test_verifying import compared

BERLIN = "Europe/Berlin"
# In Berlin both are 02:30.
FIRST, SECOND = "2024-10-27 00:30:00+00", "2024-10-27 01:30:00+00"
MOMENTS = (
    *(FIRST, SECOND, "2024-10-27 00:30:00.123456+00", "1893-03-31 23:00:00+00"),
    *("infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "0001-01-01 00:00:00+00"),
)
FIELDS = (
    Group._meta.get_field("id"),
    named(CharField, "name", max_length=20),
    named(DateTimeField, "updated_at", auto_now=True),
)


@pytest.fixture
def pair(open_pair: OpenPair) -> tuple[Database, Database]:
    """Two databases as such a project has them opened."""
    pair = open_pair("postgresql", "postgresql")
    for database in pair:
        database.time_zone = BERLIN
        database.reconnect()
        run(
            database,
            "CREATE TABLE t (id int PRIMARY KEY, name varchar(20), updated_at timestamptz UNIQUE)",
        )
    return pair


def copied(source: Database, dest: Database) -> Layout:
    (layout,), findings = layouts([table_of("t", fields=FIELDS)], source, dest)
    assert findings == []
    dest.prepare_load()
    copy_chunk(source, dest, Chunk(layout), lambda rows: None)
    return layout


def moments(database: Database) -> list[tuple[Any, ...]]:
    return database.query(
        "SELECT id, name, extract(epoch FROM updated_at)::text FROM t ORDER BY id"
    )


def test_two_moments_of_one_local_time_arrive_as_two(pair: tuple[Database, Database]) -> None:
    source, dest = pair
    insert(source, "t", [(number, "a", moment) for number, moment in enumerate(MOMENTS)])
    layout = copied(source, dest)
    assert moments(dest) == moments(source)
    assert not compared(source, dest, layout).differences


def test_an_audit_tells_them_from_each_other(pair: tuple[Database, Database]) -> None:
    source, dest = pair
    insert(source, "t", [(1, "a", FIRST)])
    layout = copied(source, dest)
    run(dest, f"UPDATE t SET updated_at = '{SECOND}'")
    (found,) = compared(source, dest, layout).differences
    assert (found.key, found.source, found.dest) == ("1", FIRST, SECOND)


def test_what_was_changed_within_the_doubled_hour_is_newer(
    pair: tuple[Database, Database],
) -> None:
    source, dest = pair
    insert(source, "t", [(1, "old", FIRST), (2, "old", "2024-10-27 00:20:00+00")])
    layout = copied(source, dest)
    run(source, "UPDATE t SET name = 'new', updated_at = '2024-10-27 00:40:00+00' WHERE id = 2")

    @contextmanager
    def connect() -> Any:
        with (
            databases.connect(source.config, read_only=True, time_zone=BERLIN) as one,
            databases.connect(dest.config, read_only=False, time_zone=BERLIN) as other,
        ):
            yield one, other

    Pass([layout], connect, Told()).run()
    assert moments(dest) == moments(source)
