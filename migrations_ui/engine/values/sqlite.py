"""Looking for values in SQLite, where a column holds anything, whatever it was declared as.

What SQL can't tell is left to functions of ours, which SQL calls for the rare values that look odd.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, time
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime, parse_time

from migrations_ui.engine.databases.base import Column, Database
from migrations_ui.engine.databases.sqlite.reading import exact_datetime, exact_time, zero_date
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.values import readers
from migrations_ui.engine.values.hazards import Hazard
from migrations_ui.engine.values.readers import outside_charset
from migrations_ui.engine.values.zones import Gap

ASCII = "'*[^' || char(1) || '-' || char(127) || ']*'"
INTEGERS = "BETWEEN -9223372036854775808 AND 9223372036854775807"
BEYOND = "9.2e18"
DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}\Z", re.ASCII)
# Of a datetime as Django writes it, with a fraction.
USUAL = len("2026-11-22 03:07:00.000000")
DATETIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.\d{6}\Z", re.ASCII)
TIME = re.compile(r"\d\d:\d\d:\d\d\.\d{6}\Z", re.ASCII)
# Found by SQL alone.
ZERO_DATE = re.compile(r"\d{4}-(00-\d\d|\d\d-00)", re.ASCII)
UUID = re.compile(rb"[0-9a-f]{32}\Z")
SURROGATE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)
# The types of values that a column should have; the others are texts.
TYPES: dict[Kind, tuple[str, ...]] = {
    Kind.INTEGER: ("integer",),
    Kind.BOOLEAN: ("integer",),
    Kind.DECIMAL: ("integer", "real"),
    Kind.FLOAT: ("integer", "real"),
    Kind.BINARY: ("blob",),
}
ABOUT_TYPES = {
    "blob-in-text",
    "text-in-blob",
    "not-a-number",
    "not-an-integer",
    "text-among-numbers",
}
SECONDS = {Kind.DATETIME: 19, Kind.TIME: 8}


class Reader(readers.Reader):
    """Predicates for SQLite."""

    is_dynamic = True

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        for name, arguments, function in FUNCTIONS:
            database.connection.create_function(name, arguments, function, deterministic=True)

    def key(self, column: Column) -> str:
        name = self.name(column)
        text = f"readable({bytes_of(name)})"
        return f"CASE typeof({name}) WHEN 'blob' THEN hex({name}) ELSE {text} END"

    def raw(self, column: Column) -> str:
        return bytes_of(self.name(column))

    def guards(self, hazards: Sequence[Hazard]) -> dict[Hazard, str]:
        """The type of a value, once a column; whether it is UTF-8, once a row."""
        found = {hazard: self.odd_type(hazard) for hazard in hazards if hazard.code in ABOUT_TYPES}
        texts = [hazard for hazard in hazards if hazard.code == "invalid-utf8"]
        names = [self.name(hazard.source) for hazard in texts if hazard.source]
        joined = " || x'0a' || ".join(f"ifnull({name}, '')" for name in names)
        return found | dict.fromkeys(texts, f"not_utf8({bytes_of(f'({joined})')})")

    def odd_type(self, hazard: Hazard) -> str:
        """The value is of none of the types that the column should have."""
        column = hazard.source
        if column is None or column.storage is None:
            return hazard.predicate
        usual = ", ".join(f"'{name}'" for name in ("null", *TYPES.get(column.storage, ("text",))))
        return f"typeof({self.name(column)}) NOT IN ({usual})"

    def of_type(self, column: Column, *types: str) -> str:
        """The value is of one of these types."""
        listed = ", ".join(f"'{name}'" for name in types)
        return f"typeof({self.name(column)}) IN ({listed})"

    # -- Any column -------------------------------------------------------------------------------

    def blob(self, column: Column) -> str:
        return self.of_type(column, "blob")

    def not_blob(self, column: Column) -> str:
        return self.of_type(column, "text", "integer", "real")

    def not_numeric(self, column: Column) -> str:
        return self.of_type(column, "text")

    def not_whole(self, column: Column) -> str:
        return f"({self.of_type(column, 'real')} AND ABS({self.name(column)}) < {BEYOND})"

    # -- Texts ------------------------------------------------------------------------------------

    def characters(self, column: Column) -> int | None:
        return None

    def octets(self, column: Column) -> int | None:
        return None

    def nul(self, column: Column) -> str:
        return f"instr({self.name(column)}, char(0)) > 0"

    def not_utf8(self, column: Column) -> str:
        name = self.name(column)
        odd = f"({name} GLOB {ASCII} OR {self.nul(column)})"
        return f"({self.of_type(column, 'text')} AND {odd} AND not_utf8({bytes_of(name)}))"

    def longer(self, column: Column, characters: int) -> str:
        name = self.name(column)  # length() stops at a NUL
        exact = f"characters({bytes_of(name)}) > {characters}"
        return f"(length({name}) > {characters} OR ({self.nul(column)} AND {exact}))"

    def heavier(self, column: Column, octets: int) -> str:
        return f"length({bytes_of(self.name(column))}) > {octets}"

    def beyond(self, column: Column, charset: str) -> str:
        if not (ranges := outside_charset(charset)):
            return ""
        listed = " || ".join(f"char({first}) || '-' || char({last})" for first, last in ranges)
        return f"{self.name(column)} GLOB '*[' || {listed} || ']*'"

    def trailing_space(self, column: Column) -> str:
        return f"{self.name(column)} GLOB '* '"

    def folding(self, column: Column) -> str:
        name = self.name(column)
        return f"({name} GLOB '*[^ -@[-~]*' OR {name} GLOB '* ' OR {self.nul(column)})"

    # -- Numbers ----------------------------------------------------------------------------------

    def outside(self, column: Column, least: int, most: int) -> str:
        outside = super().outside(column, least, most)
        # SQLite keeps an integer of more than 64 bits as a float.
        beyond = f"{self.of_type(column, 'real')} AND ABS({self.name(column)}) >= {BEYOND}"
        return f"(({self.of_type(column, 'integer')} AND {outside}) OR ({beyond}))"

    def no_boolean(self, column: Column) -> str:
        return f"({self.of_type(column, 'integer')} AND {self.name(column)} NOT IN (0, 1))"

    def too_big(self, column: Column, digits: int) -> str:
        number = self.of_type(column, "integer", "real")
        finite = f"ABS({self.name(column)}) < 9e999"
        return f"({number} AND {super().too_big(column, digits)} AND {finite})"

    def finer(self, column: Column, scale: int) -> str:
        """More digits than that even when read as Django does, through 15 significant ones."""
        name = self.name(column)
        short = f"CAST(printf('%!.{scale}f', {name}) AS REAL)"
        return (
            f"({self.of_type(column, 'real')} AND {short} <> {name} "
            f"AND CAST(printf('%.15g', {name}) AS REAL) <> {short})"
        )

    def no_number(self, column: Column) -> str:
        return f"({self.of_type(column, 'real')} AND ABS({self.name(column)}) = 9e999)"

    # -- Dates and times --------------------------------------------------------------------------

    def zero_date(self, column: Column) -> str:
        return zero_date(self.name(column))

    def no_date(self, column: Column, dest_vendor: str) -> str:
        return self.unreadable(column, "no_date", dest_vendor)

    def no_datetime(self, column: Column, dest_vendor: str) -> str:
        return self.unreadable(column, "no_datetime", dest_vendor)

    def no_time(self, column: Column, dest_vendor: str) -> str:
        return self.unreadable(column, "no_time", dest_vendor)

    def unreadable(self, column: Column, function: str, dest_vendor: str) -> str:
        """SQLite's own functions for dates are slower than Python's, and take more for a date."""
        name = self.name(column)
        return (
            f"CASE WHEN typeof({name}) IN ('null', 'blob') THEN 0 "
            f"ELSE {function}({bytes_of(name)}, '{dest_vendor}') END"
        )

    def outside_times(self, column: Column, least: str, most: str) -> str:
        return f"({self.of_type(column, 'text')} AND {super().outside_times(column, least, most)})"

    def left_out(self, column: Column, gaps: Sequence[Gap]) -> str:
        # A time that is written with its zone is one that there is.
        name = f"replace({self.name(column)}, 'T', ' ')"
        if not (found := self.in_gaps(column, f"CAST(substr({name}, 6, 2) AS INTEGER)", gaps)):
            return ""
        plain = f"{name} NOT GLOB '*[zZ+]*' AND {name} NOT GLOB '*:*-*'"
        return f"({self.of_type(column, 'text')} AND {plain} AND {found})"

    def fraction(self, column: Column, precision: int) -> str:
        name, seconds = self.name(column), SECONDS[column.storage or Kind.DATETIME]
        lost = f"CAST(substr({name}, {seconds + 2 + precision}) AS INTEGER) <> 0"
        return (
            f"CASE length({name}) WHEN {seconds} THEN 0 WHEN {seconds + 7} THEN {lost} "
            f"ELSE fraction({bytes_of(name)}, {precision}) END"
        )

    # -- Others -----------------------------------------------------------------------------------

    def no_uuid(self, column: Column) -> str:
        return f"({self.not_blob(column)} AND no_uuid({bytes_of(self.name(column))}))"

    def uuid_like(self, column: Column, octets: list[str]) -> str:
        name = self.name(column)
        usual = f"length({name}) = 32 AND substr({name}, 13, 1) BETWEEN '0' AND '7'"
        digits = f"lower(replace({name}, '-', ''))"
        listed = ", ".join(f"'{octet}'" for octet in octets)
        odd = f"substr({digits}, 13, 1) >= '8' AND substr({digits}, 17, 2) IN ({listed})"
        return f"CASE WHEN {usual} THEN 0 ELSE {odd} END"

    def no_ip(self, column: Column) -> str:
        return f"({self.not_blob(column)} AND no_ip({bytes_of(self.name(column))}))"

    def no_json(self, column: Column) -> str:
        name = self.name(column)
        return f"({self.not_blob(column)} AND (NOT json_valid({name}) OR {self.nul(column)}))"

    def json_nul(self, column: Column) -> str:
        name = self.name(column)
        return (
            f"(instr({name}, '\\u0000') > 0 AND instr(replace({name}, '\\\\', ''), '\\u0000') > 0)"
        )

    def json_surrogate(self, column: Column) -> str:
        name = self.name(column)
        return f"({name} LIKE '%\\ud%' AND lone_surrogate({bytes_of(name)}))"

    def deeper(self, column: Column, levels: int) -> str:
        name = self.name(column)
        brackets = f"length({name}) - length(replace(replace({name}, '[', ''), '{{', ''))"
        return (
            f"(length({name}) > {2 * levels} AND {brackets} > {levels} "
            f"AND depth({bytes_of(name)}) > {levels})"
        )


def bytes_of(name: str) -> str:
    """SQL for the bytes of a value: as a text, one that is no UTF-8 would fail on its way here."""
    return f"CAST({name} AS BLOB)"


def text_of(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def readable(value: bytes | None) -> str:
    return "NULL" if value is None else value.decode("utf-8", "backslashreplace")


def not_utf8(value: bytes) -> bool:
    if value.isascii():
        return False
    try:
        value.decode()
    except UnicodeDecodeError:
        return True
    return False


def characters(value: bytes) -> int:
    return len(text_of(value))


def refuses(parse: Callable[[str], object], text: str) -> bool:
    """Whether the text can't be parsed, by an error or by None."""
    try:
        return parse(text) is None
    except ValueError:
        return True


def no_date(value: bytes, dest_vendor: str) -> bool:
    text = text_of(value)
    if ZERO_DATE.match(text):
        return False
    return refuses(parse_date, text) or (dest_vendor != "sqlite" and not DATE.match(text))


def no_datetime(value: bytes, dest_vendor: str) -> bool:
    text = text_of(value)
    if len(text) == USUAL and (text[7], text[10], text[19]) == ("-", " ", "."):
        return refuses(datetime.fromisoformat, text) and not ZERO_DATE.match(text)
    if ZERO_DATE.match(text):
        return False
    text = crossing(text, Kind.DATETIME)
    if dest_vendor == "sqlite":
        return refuses(parse_datetime, text)
    return not DATETIME.match(text) or refuses(datetime.fromisoformat, text)


def no_time(value: bytes, dest_vendor: str) -> bool:
    text = crossing(text_of(value), Kind.TIME)
    if dest_vendor == "sqlite":
        return refuses(parse_time, text)
    return not TIME.match(text) or refuses(time.fromisoformat, text)


def crossing(text: str, kind: Kind) -> str:
    """The text as the copy reads it."""
    seconds = SECONDS[kind]
    if len(text) == seconds:
        return f"{text}.000000"
    if len(text) == seconds + len(".000000"):
        return text
    return (exact_time if kind is Kind.TIME else exact_datetime)(text) or text


def fraction(value: bytes | None, precision: int) -> bool:
    """Whether an unusual datetime or time has more digits after the second than that."""
    digits = "" if value is None else exact_fraction(text_of(value))
    return digits[precision:].strip("0") != ""


def exact_fraction(text: str) -> str:
    return (exact_time(text) or exact_datetime(text) or "").partition(".")[2]


def no_uuid(value: bytes) -> bool:
    return not UUID.match(value.replace(b"-", b"").lower())


def no_ip(value: bytes) -> bool:
    text = text_of(value)
    return "%" in text or refuses(ipaddress.ip_address, text)


def lone_surrogate(value: bytes) -> bool:
    return bool(SURROGATE.search(text_of(value).replace("\\\\", "")))


def depth(value: bytes) -> int:
    """How deep JSON is nested; 0 where it is none."""
    try:
        level, parsed = 0, [json.loads(value)]
    except (ValueError, RecursionError):
        return 0
    while parsed := [item for outer in parsed for item in inside(outer)]:
        level += 1
    return level


def inside(value: Any) -> Iterator[Any]:
    """What is one level below; for a scalar nothing, and for what is empty one scalar."""
    if isinstance(value, dict):
        yield from value.values() or [None]
    elif isinstance(value, list):
        yield from value or [None]


FUNCTIONS: tuple[tuple[str, int, Callable[..., Any]], ...] = (
    ("readable", 1, readable),
    ("not_utf8", 1, not_utf8),
    ("characters", 1, characters),
    ("no_date", 2, no_date),
    ("no_datetime", 2, no_datetime),
    ("no_time", 2, no_time),
    ("fraction", 2, fraction),
    ("no_uuid", 1, no_uuid),
    ("no_ip", 1, no_ip),
    ("lone_surrogate", 1, lone_surrogate),
    ("depth", 1, depth),
)
