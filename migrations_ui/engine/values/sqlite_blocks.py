"""Texts of SQLite, looked at many at once.

A function of ours that SQL calls for each row costs half of what the whole look takes, and two
threads that call one wait for each other.  So the texts of a column are joined, some thousands of
rows at a time, and the whole is looked at.  Only where something is odd does each row get its call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from migrations_ui.engine.databases.base import Database, Rows
from migrations_ui.engine.databases.ranges import KeyRange
from migrations_ui.engine.databases.sqlite.blocks import TooLarge, Walk
from migrations_ui.engine.values.sqlite_functions import not_utf8

# Between two texts: it keeps the bytes at the ends of two from making up a character.
PARTED = "\x1f"
UUIDS = re.compile(rb"(?:[0-9a-f]{32}\x1f)*[0-9a-f]{32}")

# Of so many texts, joined: false only if none of them is odd.
Test = Callable[[bytes, int], bool]


def no_utf8(texts: bytes, number: int) -> bool:
    return not_utf8(texts)


def no_uuids(texts: bytes, number: int) -> bool:
    """Each text has one UUID at least, so with as many of them it has one."""
    return not (UUIDS.fullmatch(texts) and texts.count(PARTED.encode()) == number - 1)


# By the code of the hazard.
TESTS: dict[str, Test] = {"invalid-utf8": no_utf8, "invalid-uuid": no_uuids}


def odd_texts(
    database: Database, table: str, tests: Mapping[str, tuple[str, Test]], keys: KeyRange | None
) -> set[str]:
    """The names of those tests, each of a column, that a block of the rows has not passed.

    All of them for a table of which no blocks can be made, since it has no rowid.
    """
    walk = Walk(database, database.connection, table)
    if not (keys or walk.has_rowid()):
        return set(tests)
    names = keys.columns if keys else ("rowid",)
    after, end = (keys.after, keys.upto) if keys else (None, None)
    left = dict(tests)
    while left:
        upto = walk.cut(KeyRange(names, after, end))
        part = KeyRange(names, after, upto or end)
        try:
            texts = joined(walk, {column for column, _ in left.values()}, part)
        except TooLarge:
            if walk.at_once == 1:
                return set(tests)
            walk.at_once //= 2
            continue
        left = {
            name: (column, test)
            for name, (column, test) in left.items()
            if not (column in texts and test(*texts[column]))
        }
        if upto is None:
            break
        after = upto
    return tests.keys() - left.keys()


def joined(walk: Walk, columns: Iterable[str], keys: KeyRange) -> dict[str, tuple[bytes, int]]:
    """The values of the rows in the range, by column, joined, and how many these are.

    NULL is no value; a column without one is left out.  `TooLarge` if the rows are too many.
    """
    columns = sorted(columns)
    quoted = map(walk.database.quote, columns)
    values = ", ".join(
        f"CAST(group_concat({name}, '{PARTED}') AS BLOB), COUNT({name})" for name in quoted
    )
    sql = f"SELECT COUNT(*), {values} FROM {walk.database.from_(walk.table, Rows(keys=keys))}"
    with walk.bounded(), walk.database.errors_of(sql):
        count, *found = walk.connection.execute(sql).fetchone()
    texts = zip(columns, found[::2], found[1::2], strict=True)
    values_of = {name: (text, number) for name, text, number in texts if number}
    walk.has_read(count, sum(len(text) for text, _ in values_of.values()))
    return values_of
