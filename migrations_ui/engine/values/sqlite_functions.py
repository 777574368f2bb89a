"""What SQL of SQLite calls for what it can't tell itself; rarely, since each call is slow."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, time
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime, parse_time

from migrations_ui.engine.databases.sqlite.reading import exact_datetime, exact_time
from migrations_ui.engine.kinds import Kind, is_utf8
from migrations_ui.engine.values.readers import LONG_NUMBER

DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}\Z", re.ASCII)
DATETIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.\d{6}\Z", re.ASCII)
TIME = re.compile(r"\d\d:\d\d:\d\d\.\d{6}\Z", re.ASCII)
# Found by SQL alone.
ZERO_DATE = re.compile(r"\d{4}-(00-\d\d|\d\d-00)", re.ASCII)
UUID = re.compile(rb"[0-9a-f]{32}\Z")
SURROGATE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)
STRING = re.compile(r'"([^"\\]|\\.)*"', re.DOTALL)
NUMBER = re.compile(LONG_NUMBER)
SECONDS = {Kind.DATETIME: 19, Kind.TIME: 8}


def text_of(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def readable(value: bytes | None) -> str:
    return "NULL" if value is None else value.decode("utf-8", "backslashreplace")


def not_utf8(value: bytes) -> bool:
    return not is_utf8(value)


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


def long_number(value: bytes) -> bool:
    """Whether JSON has a number of more digits than PostgreSQL's jsonb holds."""
    return bool(NUMBER.search(STRING.sub("", text_of(value))))


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
    ("long_number", 1, long_number),
    ("depth", 1, depth),
)
