"""Hostile values: each one has broken a copy somewhere."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import JSONField, Value


@dataclass(frozen=True)
class Pair:
    """The two vendors of a copy, and so the values that both of them can hold."""

    source: str
    dest: str

    @property
    def nul_in_text(self) -> bool:
        """PostgreSQL alone takes no NUL character."""
        return "postgresql" not in (self.source, self.dest)

    @property
    def any_uuid(self) -> bool:
        """MariaDB refuses a UUID whose version is above 7 while its variant is below 8."""
        return "mysql" not in (self.source, self.dest)

    @property
    def wide_decimals(self) -> bool:
        """SQLite keeps 15 significant digits."""
        return "sqlite" not in (self.source, self.dest)


CONTROLS = [*range(1, 32), 127, 0x80, 0x85, 0x9F]
# Joiners, marks of direction and order, separators, noncharacters, the ends of the planes.
INVISIBLE = [0xA0, 0xAD, 0x200B, 0x200D, 0x2028, 0x2029, 0x202E, 0xFEFF, 0xFFFD, 0xFFFE, 0xFFFF]
BEYOND = [0x10000, 0x1F600, 0xE0001, 0x10FFFF]

TEXTS = [
    "",
    "   leading and trailing   ",
    " ",
    "trailing\u00a0",
    r"\N",
    r"\n",
    r"\.",
    "\\.\n\\.\n",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "a\tb\nc\rd\r\ne",
    "\\",
    "\\\\",
    "a\\",
    "a\\\n",
    "a\\\t",
    "\\\\N",
    "\\0 \\b \\f \\v \\Z \\x41 \\101 \\u0041",
    "\x08\x0b\x0c\x1a",
    "bfv\\b\\f\\v\b\f\v",
    "'",
    '"',
    "''\"\"``",
    "it's \\'quoted\\' and \"double\"",
    "%s %d %(name)s %% 100%",
    "{0} {name} {{}} $1 :name ? @x",
    "NULL",
    "null",
    "None",
    "\\x00ff",
    "0x41",
    "true",
    "1e5",
    "-- comment",
    "/* comment */; DROP TABLE select",
    "é",
    "e\u0301",
    "ﬁ ß ẞ İ ı Ǆ",
    "עברית עם \u202eסימון\u202c and English",
    "مرحبا\u200f بالعالم",
    "नमस्ते 한국어 日本語 ไทย",
    "😀👩‍👩‍👧‍👦🏴󠁧󠁢󠁳󠁣󠁴󠁿👍🏽",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢",
    *(f"a{chr(code)}b" for code in CONTROLS),
    *(chr(code) for code in CONTROLS),
    *(f"{chr(code)}" for code in INVISIBLE),
    *(f"{chr(code)}x{chr(code)}" for code in BEYOND),
    "".join(map(chr, CONTROLS)),
]

# Longer than any buffer, so that escapes and characters straddle every boundary.
LONG_TEXTS = [
    "\\" * 300_001,
    "\t\n\\N" * 50_001,
    "😀é\n" * 60_001,
    "x" * 1_000_003,
]

BINARIES = [
    b"",
    b"\x00",
    b"\\N",
    b"\\x41",
    b"\t\n\r\\",
    b"\xff\xfe\x00\xd8",
    b"'\"`%s",
    bytes(range(256)),
    bytes(range(256)) * 2_000,
]

FLOATS = [
    0.0,
    -0.0,
    0.1,
    1 / 3,
    -1.5,
    1e20,
    1e16,
    1e15,
    123456789.123456789,
    2.0**53 + 2,
    5e-324,
    2.2250738585072014e-308,
    1.7976931348623157e308,
    -1.7976931348623157e308,
    3.4028234663852886e38,
    9007199254740993.0,
    0.30000000000000004,
    1e-5,
    1.0000000000000002,
]

DATES = [
    date(1, 1, 1),
    date(999, 12, 31),
    date(1000, 1, 1),
    date(1582, 10, 10),  # a day that the Gregorian calendar left out
    date(1900, 2, 28),
    date(1970, 1, 1),
    date(2000, 2, 29),
    date(9999, 12, 31),
]

DATETIMES = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1000, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(1883, 11, 18, 12, 3, 57, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2011, 11, 6, 3, 31, 0, 500000, tzinfo=UTC),  # twice on St. John's clocks
    datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC),
    datetime(2024, 3, 10, 5, 30, 0, 100000, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
]

TIMES = [
    time(0, 0),
    time(0, 0, 0, 1),
    time(12, 30, 15, 500000),
    time(23, 59, 59),
    time(23, 59, 59, 999999),
]

DURATIONS = [
    timedelta(0),
    timedelta(microseconds=1),
    timedelta(microseconds=-1),
    timedelta(days=1, seconds=-1),
    timedelta(days=-1),
    timedelta(days=-3, hours=5, microseconds=7),
    timedelta(days=30),
    timedelta(days=365_000, hours=23, minutes=59, seconds=59, microseconds=999_999),
    timedelta(microseconds=2**63 - 1),
    timedelta(microseconds=-(2**63)),
]

JSONS: list[Any] = [
    Value(None, JSONField()),  # JSON's null, as opposed to SQL's NULL
    True,
    False,
    0,
    -1,
    1.5,
    1e100,
    0.1,
    12345678901234567890,
    "",
    "null",
    "text",
    '\\ " / \b \f \n \r \t',
    "".join(map(chr, range(1, 32))),
    "\u2028\u2029\x7f\x80",
    r"\N",
    r"\u0041 is not A",
    "😀 é e\u0301",
    [],
    {},
    [[[[[[]]]]]],
    [None, True, {"a": None}],
    {"": "", " ": " ", "a\tb": "\\", "'\"`": "%s", "é😀": "\\u00e9", "\\": "\\\\"},
    {"b": 1, "a": 2, "aa": 3, "B": 4},
    {"deep": [{"deeper": {"deepest": [1, "2", 3.5, None, {"x": []}]}}]},
    {"long": '\\"\n😀' * 20_000},
    json.loads('{"escaped": "\\ud83d\\ude00 \\u00e9 \\u001f"}'),
]

IP4 = ["0.0.0.0", "127.0.0.1", "192.0.2.255", "255.255.255.255"]  # noqa: S104  # values, not binds
IP6 = [
    "::",
    "::1",
    "2001:db8::1",
    "2001:db8:0:1:1:1:1:1",
    "::ffff:192.0.2.1",
    "fe80::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
]

UUIDS = [
    uuid.UUID(int=0),
    uuid.UUID(int=2**128 - 1),
    uuid.UUID("12345678-90ab-cdef-9234-567890abcdef"),
    uuid.UUID("0a5c5c0a-0009-4000-8000-00005c0a0d22"),  # bytes that text would escape
]

# Every field of `Everything` with the values that all three vendors hold.
VALUES: dict[str, list[Any]] = {
    "binary": BINARIES,
    "boolean": [True, False],
    "char": [text for text in TEXTS if len(text) <= 255],
    "date": DATES,
    "datetime": DATETIMES,
    "decimal": [
        Decimal(text) for text in ("0", "-0.0001", "0.1", "99999999999.9999", "-99999999999.9999")
    ],
    "decimal_narrow": [Decimal(text) for text in ("-9.99", "9.99", "0.01", "1.10", "5")],
    "decimal_whole": [
        Decimal(text) for text in ("999999999999999", "-999999999999999", "100", "0")
    ],
    "decimal_wide": [Decimal(text) for text in ("0.000000000000000001", "1e14", "-123456.654321")],
    "duration": DURATIONS,
    "email": ["a@example.org", '"o\'brien\\"@example.org', ""],
    "file": ["files/naïve name (1).pdf", "", "a\\b"],
    "file_path": ["/etc/hosts", "", "/with space/ü"],
    "float": FLOATS,
    "image": ["images/a.png", ""],
    "integer": [0, 1, -1, 2**31 - 1, -(2**31)],
    "integer_big": [0, 2**63 - 1, -(2**63), 2**53 + 1],
    "integer_small": [0, 32767, -32768],
    "ip": [*IP4, *IP6],
    "ip4": IP4,
    "ip6": IP6,
    "json": JSONS,
    "positive": [0, 2**31 - 1],
    "positive_big": [0, 2**63 - 1],
    "positive_small": [0, 32767],
    "slug": ["a-b_c", "", "0"],
    "text": [*TEXTS, *LONG_TEXTS],
    "time": TIMES,
    "url": ["https://example.org/?a=%20&b=ü#\\", ""],
    "uuid": UUIDS,
}


def values(pair: Pair) -> dict[str, list[Any]]:
    """The values by field, with those that only this pair of vendors can hold."""
    found = {name: list(listed) for name, listed in VALUES.items()}
    if pair.nul_in_text:
        for name in ("char", "text"):
            found[name] += ["\0", "a\0b", "\\\0", "\0" * 20]
        found["json"] += ["\0", {"\0": "a\0b"}]
    if pair.any_uuid:
        found["uuid"].append(uuid.UUID("12345678-90ab-cdef-1234-567890abcdef"))
    if pair.wide_decimals:
        digits = Decimal("12345678901234567890.123456789012345678")
        found["decimal_wide"] += [digits, -digits, Decimal("99999999999999999999")]
    return found
