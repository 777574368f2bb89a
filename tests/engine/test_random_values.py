"""Random values of each kind, from each vendor to each: the same values back, bit for bit.

Rows are drawn one by one and copied all at once; where something differs, the message has the row.
"""

from __future__ import annotations

import json
import struct
import uuid
from dataclasses import dataclass
from datetime import UTC, timedelta
from decimal import Decimal
from functools import cache
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database
from tests.engine import values
from tests.engine.conftest import DIRECTIONS, OpenPair, insert, layout_of

# Rows of a table: half of their values are NULL, so that rows stay small enough to be drawn.
ROWS = 500
# What readers, loaders and their escapes are about.
TRAPS = ["\\", "\t", "\n", "\r", "\\N", "\\.", "'", '"', "`", "%s", "\x08", "\x0b", "\x0c", "\x1a"]


@dataclass(frozen=True)
class Can:
    """What both ends of a pair of vendors can hold."""

    nul: bool
    any_uuid: bool
    wide: bool
    infinity: bool
    negative_zero: bool

    @classmethod
    def of(cls, *vendors: str) -> Can:
        return cls(
            nul="postgresql" not in vendors,
            any_uuid="mysql" not in vendors,
            wide="sqlite" not in vendors,
            infinity="mysql" not in vendors,
            negative_zero=set(vendors) == {"postgresql"},
        )


def texts(can: Can, longest: int) -> st.SearchStrategy[str]:
    """Any Unicode, and rather often what has to be escaped."""
    characters = st.characters(
        exclude_categories=["Cs"], exclude_characters="" if can.nul else "\0"
    )
    dense = st.lists(st.sampled_from(TRAPS) | characters, max_size=longest // 2).map("".join)
    return (st.text(characters, max_size=longest) | dense).map(lambda text: text[:longest])


def decimals(digits: int, places: int) -> st.SearchStrategy[Decimal]:
    most = 10**digits - 1
    return st.integers(-most, most).map(lambda whole: values.WIDE.scaleb(Decimal(whole), -places))


def wide(can: Can) -> st.SearchStrategy[Decimal]:
    """Up to 38 digits; SQLite keeps 15 significant ones, wherever the point is."""
    if can.wide:
        return decimals(38, 18)
    return st.integers(0, 18).flatmap(lambda places: decimals(15, places))


def floats(can: Can) -> st.SearchStrategy[float]:
    found = st.floats(allow_nan=False, allow_infinity=can.infinity)
    return found if can.negative_zero else found.map(lambda value: value + 0.0)


def documents(can: Can) -> st.SearchStrategy[Any]:
    text = texts(can, 8)
    plain = st.none() | st.booleans() | st.integers() | text
    numbers = st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0)
    return st.recursive(
        plain | numbers,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
        max_leaves=6,
    ).map(lambda document: {"": document})


def columns(can: Can) -> dict[str, st.SearchStrategy[Any]]:
    return {
        "txt": texts(can, 60),
        "chars": texts(can, 40),
        "code": texts(can, 3),
        "tiny": st.integers(-(2**15), 2**15 - 1),
        "small": st.integers(-(2**31), 2**31 - 1),
        "big": st.integers(-(2**63), 2**63 - 1),
        "positive": st.integers(0, 2**63 - 1),
        "yes": st.booleans(),
        "price": decimals(15, 4),
        "wide": wide(can),
        "real": floats(can),
        "bin": st.binary(max_size=60),
        "day": st.dates(),
        "clock": st.times(),
        "moment": st.datetimes(timezones=st.just(UTC)),
        "lapse": st.timedeltas(timedelta(days=-(10**8)), timedelta(days=10**8)),
        "mark": st.uuids() | st.just(uuid.UUID(int=0)),
        "native": st.uuids(version=None if can.any_uuid else 4),
        "ip": st.ip_addresses().map(str),
        "doc": documents(can),
    }


@cache
def random_rows(can: Can) -> list[dict[str, Any]]:
    """Rows that both ends can hold, in the order of their keys, which lie anywhere."""
    found: dict[int, dict[str, Any]] = {}
    keys = st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300)
    row = st.fixed_dictionaries(
        {"id": keys, **{name: st.none() | kind for name, kind in columns(can).items()}}
    )

    @settings(
        max_examples=ROWS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(row)
    def draw(drawn: dict[str, Any]) -> None:
        found[drawn["id"]] = drawn

    draw()
    return [found[key] for key in sorted(found)]


def bits(value: Any) -> Any:
    """A value that is equal only where all of its bits are.

    JSON has none: its numbers are decimals, of which PostgreSQL writes all digits (1e20).
    """
    if isinstance(value, float):
        return struct.pack(">d", value)
    if isinstance(value, dict):
        return json.loads(json.dumps(value), parse_int=Decimal, parse_float=Decimal)
    return value


def same(row: dict[str, Any]) -> dict[str, Any]:
    """A row that is equal to another one where all values are; of an IP the address counts."""
    ip = row["ip"] and ip_address(row["ip"])
    return {name: bits(row[name]) for name in values.MORE_TYPES} | {"ip": ip}


def fill(database: Database, rows: list[dict[str, Any]]) -> None:
    cells = [[values.stored(database.vendor, row[c]) for c in values.MORE_TYPES] for row in rows]
    insert(database, "things", cells)


# What chance has brought up, and what came back wrong then.
FOUND: list[dict[str, Any]] = [
    {"wide": Decimal("750426.47047")},  # 750426.4704699999 from SQLite
    {"wide": Decimal("-0.000000123456789012")},
    {"ip": "::ffff:3f85:27bb"},  # ::ffff:63.133.39.187 from PostgreSQL: the same address
    {"doc": {"": 4.726267991836046e16}},  # 47262679918360460 from PostgreSQL: the same decimal
]


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_whatever_a_row_holds_arrives(source: str, dest: str, open_pair: OpenPair) -> None:
    assert_arrives(source, dest, open_pair, random_rows(Can.of(source, dest)))


@pytest.mark.parametrize(("source", "dest"), DIRECTIONS)
def test_what_chance_has_brought_up_arrives(source: str, dest: str, open_pair: OpenPair) -> None:
    empty = dict.fromkeys(values.MORE_TYPES)
    rows = [{**empty, **row, "id": number} for number, row in enumerate(FOUND)]
    assert_arrives(source, dest, open_pair, rows)


def assert_arrives(source: str, dest: str, open_pair: OpenPair, rows: list[dict[str, Any]]) -> None:
    one, other = open_pair(source, dest)
    for database in (one, other):
        values.create(database, "things", values.MORE_TYPES)
    fill(one, rows)
    layout, findings = layout_of(one, other, "things", values.MORE_FIELDS)
    assert findings == []
    other.prepare_load()
    assert copy_chunk(one, other, Chunk(layout), lambda rows: None) == len(rows)
    found = values.rows_of(other, "things", values.MORE_TYPES)
    for there, here in zip(map(same, rows), map(same, found), strict=True):
        assert there == here
