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
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.values.hazards import Hazard
from migrations_ui.engine.values.sqlite_functions import not_utf8

# Between two texts: it keeps the bytes at the ends of two from making up a character.
PARTED = "\x1f"
UUID = rb"[0-9a-f]{32}"
LEAP = rb"(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
# A day of the calendar, from the year 1 on.
DATE = (
    rb"(?!0000)(?:\d{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    rb"|(?:0[13578]|1[02])-31)|" + LEAP + rb"-02-29)"
)
# As Django writes it: without the fraction where that is zero.
TIME = rb"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{6})?"

# Of so many texts, joined: false only if none of them is odd.
Test = Callable[[bytes, int], bool]


def no_utf8(texts: bytes, number: int) -> bool:
    return not_utf8(texts)


def with_nul(texts: bytes, number: int) -> bool:
    return b"\0" in texts


def other_than(form: bytes) -> Test:
    """The test for texts of one form, which holds no separator."""
    several = re.compile(rb"(?:%b%b)*+%b" % (form, PARTED.encode(), form))

    def odd(texts: bytes, number: int) -> bool:
        # Each text has one of that form at least, so with as many of them it has one.
        return not (several.fullmatch(texts) and texts.count(PARTED.encode()) == number - 1)

    return odd


# By the code of the hazard.
TESTS: dict[str, Test] = {
    "invalid-utf8": no_utf8,
    "nul-in-text": with_nul,
    "invalid-uuid": other_than(UUID),
}
# Of hazards that no date or time can be which is as nearly all are.
ABOUT_DATES = {"zero-date", "zero-date-kept", "invalid-date", "invalid-datetime", "invalid-time"}
USUAL: dict[Kind, Test] = {
    Kind.DATE: other_than(DATE),
    Kind.DATETIME: other_than(DATE + b" " + TIME),
    Kind.TIME: other_than(TIME),
}


def test_of(hazard: Hazard) -> tuple[str, Test] | None:
    """A test of the column's texts that those of the hazard don't pass, and its name, if any."""
    if not hazard.source:
        return None
    code, test = hazard.code, TESTS.get(hazard.code)
    if code in ABOUT_DATES and hazard.source.storage in USUAL:
        code, test = "unusual", USUAL[hazard.source.storage]
    return (f"{code} in {hazard.source.name}", test) if test else None


def odd_texts(
    database: Database, table: str, tests: Mapping[str, tuple[str, Test]], keys: KeyRange | None
) -> set[str]:
    """The names of those tests, each of a column, that a block of the rows has not passed.

    All of them for a table of which no blocks can be made, since it has no rowid.
    """
    walk = Walk(database, database.connection, table)
    names = keys.columns if keys else walk.by_rowid()
    if not names:
        return set(tests)
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
