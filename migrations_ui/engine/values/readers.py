"""What can be asked of a source's values, in the words of each vendor's SQL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any

from migrations_ui.engine.databases.base import Column, Database
from migrations_ui.engine.databases.ranges import KeyRange
from migrations_ui.engine.values.hazards import Hazard
from migrations_ui.engine.values.zones import Gap

# Types of MySQL: of these the length that information_schema tells is in bytes.
IN_BYTES = {
    "tinytext",
    "text",
    "mediumtext",
    "longtext",
    "tinyblob",
    "blob",
    "mediumblob",
    "longblob",
    "binary",
    "varbinary",
}
ROWS_AT_ONCE = 2_000
# A code point that a character set can't hold, as ranges of those that it can't.
Ranges = tuple[tuple[int, int], ...]

# A number of JSON, its strings left out, that PostgreSQL's jsonb refuses: with more than 131,072
# digits before the point or 16,383 after it.  It is told by its exponent, so one that is too long
# by its own digits is not.  Every vendor's regular expressions mean the same by this.
FAR = (
    "(13107[2-9]|1310[89][0-9]|131[1-9][0-9]{2}|13[2-9][0-9]{3}|1[4-9][0-9]{4}|[2-9][0-9]{5}"
    "|[1-9][0-9]{6,})"
)
FARTHER = "([2-9][0-9]{5}|[1-9][0-9]{6,})"
FINE = "(1638[4-9]|1639[0-9]|16[4-9][0-9]{2}|1[7-9][0-9]{3}|[2-9][0-9]{4}|[1-9][0-9]{5,})"
LONG_NUMBER = (
    f"((^|[^0-9.])[1-9][0-9]*([.][0-9]+)?[eE][+]?0*{FAR}"
    f"|(^|[^0-9.])0[.]0*[1-9][0-9]*[eE][+]?0*{FARTHER}"
    f"|[eE]-0*{FINE})([^0-9]|$)"
)
# What is looked for first: nearly no text has it, but a string may, such as a UUID.
LONG_EXPONENT = "[0-9][eE][-+0-9][0-9]{4}"


class Reader(ABC):
    """Predicates of SQL that are true for the rows that a hazard is about.

    None of them fails, whatever the column holds, and none is true for NULL.  "" says that this
    vendor's columns can't hold such a value at all.
    """

    # Equal texts may differ in bytes, by the column's collation.
    folds_texts = False

    def __init__(self, database: Database) -> None:
        self.database = database

    def name(self, column: Column) -> str:
        """The column in SQL."""
        return self.database.quote(column.name)

    def missing(self, column: Column) -> str:
        """The value is NULL."""
        return f"{self.name(column)} IS NULL"

    @abstractmethod
    def key(self, column: Column) -> str:
        """SQL for the value as a sample key."""

    def raw(self, column: Column) -> str:
        """SQL for a text or JSON as it is, in a form that always arrives here."""
        return self.name(column)

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, which need not fit into memory."""
        with self.database.errors_of(sql):
            cursor = self.cursor()
            cursor.execute(sql)
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                yield from rows
            cursor.close()

    def cursor(self) -> Any:
        """A cursor that leaves the rows with the server."""
        return self.database.connection.cursor()

    def bytewise(self, column: Column) -> str:
        """SQL for the value such that equal means the same bytes."""
        return self.name(column)

    def exact(self, column: Column) -> str:
        """SQL for the value, a text such that equal means the same characters."""
        return self.name(column)

    def guards(self, hazards: Sequence[Hazard]) -> dict[Hazard, str]:
        """For some hazards a predicate that is cheaper, and true wherever theirs is.

        The first pass over a table counts the guards, once where several hazards share one; only
        what is behind a guard that is true for a row is then looked at by itself.
        """
        return {}

    def outside_sql(self, hazards: Sequence[Hazard]) -> dict[Hazard, str]:
        """For some hazards a name by which `look_outside_sql` tells that there may be rows of it.

        As behind a guard, only then they are looked for in SQL.
        """
        return {}

    def look_outside_sql(
        self, table: str, hazards: Mapping[Hazard, str], keys: KeyRange | None
    ) -> Counter[str]:
        """The names of those of the hazards of which there may be rows in the range."""
        return Counter()

    # -- Any column of a vendor that doesn't enforce types ----------------------------------------

    def blob(self, column: Column) -> str:
        """Bytes, where something else should be."""
        return ""

    def not_blob(self, column: Column) -> str:
        """Something else, where bytes should be."""
        return ""

    def not_numeric(self, column: Column) -> str:
        """A text, where a number should be."""
        return ""

    def not_whole(self, column: Column) -> str:
        """A number with a fraction, where an integer should be."""
        return ""

    # -- Texts ------------------------------------------------------------------------------------

    def characters(self, column: Column) -> int | None:
        """How many characters a text may have at most; None where there is no limit."""
        return column.length

    def octets(self, column: Column) -> int | None:
        """How many bytes of UTF-8 or of a blob it may have at most; None: no limit."""
        return None if column.length is None else column.length * 4

    def nul(self, column: Column) -> str:
        """A text with the character NUL."""
        return ""

    def not_utf8(self, column: Column, dest_product: str) -> str:
        """Bytes in a text that the destination does not take for UTF-8."""
        return ""

    def unmapped(self, column: Column) -> str:
        """A text with bytes to which the column's character set gives no character."""
        return ""

    @abstractmethod
    def longer(self, column: Column, characters: int) -> str:
        """A text of more characters."""

    @abstractmethod
    def heavier(self, column: Column, octets: int) -> str:
        """A text or a blob of more bytes."""

    @abstractmethod
    def beyond(self, column: Column, charset: str) -> str:
        """A text with a character that MySQL's character set can't hold."""

    def not_among(self, column: Column, members: Sequence[str]) -> str:
        """A text that is none of these, to the byte."""
        return f"{self.exact(column)} NOT IN ({', '.join(map(self.quoted, members))})"

    def quoted(self, text: str) -> str:
        """A literal of the text."""
        return "'{}'".format(text.replace("'", "''"))

    @abstractmethod
    def trailing_space(self, column: Column) -> str:
        """A text that ends in a space."""

    @abstractmethod
    def folding(self, column: Column) -> str:
        """A text that a collation may hold equal to another one.

        Printable ASCII without capitals and without a space at the end never is.
        """

    # -- Numbers ----------------------------------------------------------------------------------

    def outside(self, column: Column, least: int, most: int) -> str:
        """An integer outside the range."""
        return f"({self.name(column)} < {least} OR {self.name(column)} > {most})"

    def no_boolean(self, column: Column) -> str:
        """Neither 0 nor 1."""
        return ""

    def too_big(self, column: Column, digits: int) -> str:
        """A decimal with more digits before the point."""
        return f"ABS({self.name(column)}) >= 1{'0' * digits}"

    @abstractmethod
    def finer(self, column: Column, scale: int) -> str:
        """A decimal with more digits after the point."""

    def digits(self, column: Column) -> str:
        """A decimal of more than 15 significant digits, and no 64-bit integer either."""
        return ""  # of a float SQLite reads no more

    def no_number(self, column: Column) -> str:
        """NaN or infinity."""
        return ""

    def not_a_number(self, column: Column) -> str:
        """NaN."""
        return ""

    def not_single(self, column: Column) -> str:
        """A float that single precision can't hold.

        Rounded to 24 bits by multiplication (Veltkamp's splitting), which is the same in all SQL.
        """
        name = self.name(column)
        high = f"({name} * 536870913 - ({name} * 536870913 - {name}))"
        return (
            f"CASE WHEN {name} = 0 THEN 0 = 1 "
            f"WHEN ABS({name}) BETWEEN 1.2E-38 AND 3.4E38 THEN {high} <> {name} ELSE 1 = 1 END"
        )

    # -- Dates and times --------------------------------------------------------------------------

    def zero_date(self, column: Column) -> str:
        """A date or datetime whose day or month is 0."""
        return ""

    def no_date(self, column: Column, dest_vendor: str) -> str:
        """What is stored is no date of the calendar, or not one that the destination reads."""
        return ""

    def no_datetime(self, column: Column, dest_vendor: str) -> str:
        """The same for a datetime."""
        return ""

    def no_time(self, column: Column, dest_vendor: str) -> str:
        """The same for a time of day."""
        return ""

    def far_date(self, column: Column) -> str:
        """A date outside the years 1 to 9999, or infinity."""
        return ""

    def outside_times(self, column: Column, least: str, most: str) -> str:
        """A datetime outside the range, which is given in UTC."""
        return f"({self.name(column)} < '{least}' OR {self.name(column)} > '{most}')"

    def left_out(self, column: Column, gaps: Sequence[Gap]) -> str:
        """A local datetime in one of the gaps."""
        return ""

    def in_gaps(self, column: Column, month: str, gaps: Sequence[Gap]) -> str:
        """SQL for `left_out`; most datetimes are in a month without a gap."""
        name = self.name(column)
        months = ", ".join(sorted({str(gap.start.month) for gap in gaps}))
        listed = " OR ".join(
            f"{name} >= '{gap.start}' AND {name} < '{gap.end}'" for gap in reversed(gaps)
        )
        return f"({month} IN ({months}) AND ({listed}))" if gaps else ""

    def doubled(self, column: Column) -> str:
        """A moment whose local time is read as another moment: the first of two that have it."""
        return ""

    def far_time(self, column: Column, dest_vendor: str) -> str:
        """A time that is no time of day: negative, or 24 hours and more."""
        return ""

    @abstractmethod
    def fraction(self, column: Column, precision: int) -> str:
        """A datetime or time with more digits after the second."""

    def far_duration(self, column: Column) -> str:
        """An interval of months, or of more than 64 bits of microseconds."""
        return ""

    # -- Others -----------------------------------------------------------------------------------

    def no_uuid(self, column: Column) -> str:
        """A text that is no UUID."""
        return ""

    @abstractmethod
    def uuid_like(self, column: Column, octets: list[str]) -> str:
        """A UUID of version 8 to 15 whose ninth byte is one of these, in lower hex."""

    def no_ip(self, column: Column) -> str:
        """A text that is no IP address."""
        return ""

    def no_json(self, column: Column) -> str:
        """A text that is no JSON, or has NaN or infinity in it."""
        return ""

    def json_nul(self, column: Column) -> str:
        """JSON with the character NUL, written `\\u0000`."""
        return ""

    def json_surrogate(self, column: Column) -> str:
        """JSON with half of a surrogate pair, written `\\ud800`."""
        return ""

    def json_long_number(self, column: Column) -> str:
        """JSON with a number of more digits than PostgreSQL's jsonb holds, written `1e200000`."""
        return ""

    def json_suspect(self, column: Column) -> str:
        """JSON that may have a number in it which MySQL's type does not keep."""
        return ""

    def deeper(self, column: Column, levels: int) -> str:
        """JSON that is nested deeper."""
        return ""


def reader(database: Database) -> Reader:
    """The reader of an open source."""
    module = import_module(f"migrations_ui.engine.values.{database.vendor}")
    found: Reader = module.Reader(database)
    return found


def outside_charset(charset: str) -> Ranges:
    """The code points that MySQL's character set can't hold; () for those that hold everything."""
    if charset in ("utf8mb3", "utf8", "ucs2"):
        return ((0x10000, 0x10FFFF),)
    if charset == "ascii":
        return ((0x80, 0x10FFFF),)
    if charset == "latin1":  # which is cp1252, the five codes that it leaves open as they are
        held = {ord(bytes([code]).decode("cp1252", "replace")) for code in range(256)} - {0xFFFD}
        return gaps(held | {0x81, 0x8D, 0x8F, 0x90, 0x9D})
    return ()


def gaps(held: set[int]) -> Ranges:
    """The ranges between these code points, from 1 on."""
    points = [0, *sorted(held - {0}), 0x110000]
    return tuple((a + 1, b - 1) for a, b in pairwise(points) if b - a > 1)
