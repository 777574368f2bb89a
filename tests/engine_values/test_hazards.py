"""Each hazard, in each direction in which it is possible.

A case has values that cross and values that don't.  The former must not be found, and the copy must
take them; the latter must be found by table, column, number and keys, and the copy must refuse or
alter each of them: a finding that the copy does not bear out is a false alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import models

from migrations_ui.engine.findings import Severity
from tests.engine_values.conftest import MakeSides

PG, MY, SQ = "postgresql", "mysql", "sqlite"
INF, NAN = float("inf"), float("nan")


@dataclass(frozen=True)
class Case:
    """Values of a column `v` that cross from one type to the other (`good`), or don't (`bad`)."""

    code: str
    source: str
    dest: str
    types: tuple[str, str]
    good: Sequence[Any]
    bad: Sequence[Any]
    field: type[models.Field] | None = None
    # Written by the source itself, since its driver does not take such a value.
    as_sql: bool = False
    # The destination takes these, but Django would not read there what it read before.
    misread: Sequence[Any] = ()

    def __str__(self) -> str:
        return f"{self.code}: {self.source} {self.types[0]} to {self.dest} {self.types[1]}"

    @property
    def kinds(self) -> dict[str, type[models.Field]]:
        return {"v": self.field} if self.field else {}


def text(value: str) -> str:
    """SQLite: bytes as a text, whatever they are."""
    return f"CAST(x'{value}' AS TEXT)"


NULS = ["a\0b", "\0", "b\0"]
NO_NULS = ["", "\\0", "\x01", "a", None]
JSON = models.JSONField
NUL_JSON = ['"\\u0000"', '{"a": ["\\\\\\u0000"]}']
NO_NUL_JSON = ['"\\\\u0000"', '{"a": "\\u0001"}', '"u0000"', None]
BROKEN_JSON = ["", "NaN", '{"a": Infinity}', "{'a': 1}", "[1,]", "01", '"a']
FINE_JSON = ["1", '"é😀"', ' {"a": [1, 2.5, null]} ', '"1. x"', "1.5e3", '"\\ud83d\\ude00"', None]
ZERO_DATES = ["0000-00-00", "2020-00-10", "2020-10-00"]
DATES = ["0001-01-01", "1582-10-10", "2020-02-29", "2020-12-31", "9999-12-31", None]
ODD_DATES = [
    "2020-02-30",
    "2021-02-29",
    "today",
    "",
    "2020-13-01",
    "2020-01-01 10:00",
]
ODD_DATETIMES = ["2020-02-30 10:00:00", "now", "", "2020-01-01 25:00:00"]
MOMENTS = ["2020-01-01 10:00:00", "2020-01-01 10:00:00.123456", "2020-01-01T10:00:00Z", None]
CHECKED = "text CHECK (json_valid(v) OR v IS NULL)"
DEEP = "[" * 32 + "]" * 32
FLAT = "[" * 31 + "]" * 31

CASES = [
    # NUL in texts and in JSON
    Case("nul-in-text", MY, PG, ("longtext", "text"), NO_NULS, NULS),
    Case("nul-in-text", MY, PG, ("varchar(9)", "varchar(9)"), NO_NULS, NULS),
    Case("nul-in-text", SQ, PG, ("text", "text"), NO_NULS, NULS),
    Case("nul-in-json", MY, PG, ("json", "jsonb"), NO_NUL_JSON, NUL_JSON, JSON),
    Case("nul-in-json", SQ, PG, ("text", "jsonb"), NO_NUL_JSON, NUL_JSON, JSON),
    Case("nul-in-json", PG, PG, ("json", "jsonb"), NO_NUL_JSON, NUL_JSON, JSON),
    # JSON
    Case("invalid-json", MY, PG, ("longtext", "jsonb"), FINE_JSON, [*BROKEN_JSON, "1."], JSON),
    Case(
        "invalid-json", MY, PG, ("longtext", "jsonb"), ['"\\\\x"'], ['"\\x"', '["1. ", 2.]'], JSON
    ),
    Case("invalid-json", SQ, PG, ("text", "jsonb"), FINE_JSON, BROKEN_JSON, JSON),
    Case("invalid-json", SQ, MY, ("text", "json"), FINE_JSON, BROKEN_JSON, JSON),
    Case("invalid-json", MY, SQ, ("longtext", CHECKED), FINE_JSON, BROKEN_JSON, JSON),
    Case("invalid-json", SQ, SQ, ("text", CHECKED), FINE_JSON, BROKEN_JSON, JSON),
    Case("invalid-json", MY, MY, ("longtext", "json"), FINE_JSON, BROKEN_JSON, JSON),
    Case(
        "surrogate-in-json",
        SQ,
        PG,
        ("text", "jsonb"),
        ['"\\ud83d\\ude00"', '"\\\\ud83d"', '"ud83d"'],
        ['"\\ud83d"', '"\\ude00\\ud83d"', '"\\\\\\ude00"'],
        JSON,
    ),
    Case(
        "surrogate-in-json",
        PG,
        PG,
        ("json", "jsonb"),
        ['"\\ud83d\\ude00"', '"\\\\ud83d"'],
        ['"\\ud83d"', '"\\ude00"'],
        JSON,
    ),
    Case("surrogate-in-json", SQ, MY, ("text", "json"), ['"\\u00e9"'], ['"\\ud83d"'], JSON),
    Case("json-too-deep", PG, MY, ("jsonb", "json"), [FLAT, '"[[["'], [DEEP], JSON),
    Case("json-too-deep", SQ, MY, ("text", "json"), [FLAT, f'"{DEEP}"'], [DEEP], JSON),
    # Texts
    Case("text-too-long", PG, MY, ("text", "varchar(3)"), ["éé😀", ""], ["abcd", "ab  "]),
    Case("text-too-long", MY, PG, ("longtext", "varchar(3)"), ["éé😀", ""], ["abcd", "ab  "]),
    Case("text-too-long", SQ, PG, ("varchar(3)", "varchar(3)"), ["éé😀", ""], ["abcd"]),
    Case(
        "text-too-long", SQ, MY, ("varchar(3)", "varchar(3)"), ["éé😀", "a\0b"], ["abcd", "a\0bc"]
    ),
    Case("text-too-long", PG, PG, ("varchar(9)", "varchar(3)"), ["abc"], ["abcd"]),
    Case("value-too-large", PG, MY, ("text", "tinytext"), ["é" * 127], ["é" * 128, "a" * 256]),
    Case("value-too-large", SQ, MY, ("text", "tinytext"), ["é" * 127], ["é" * 128]),
    Case("value-too-large", MY, MY, ("longblob", "tinyblob"), [b"a" * 255], [b"a" * 256]),
    Case("value-padded", PG, MY, ("bytea", "binary(3)"), [b"abc"], [b"ab", b""]),
    Case("trailing-spaces", PG, MY, ("text", "char(9)"), ["a b", " a"], ["a ", " "]),
    Case("invalid-utf8", SQ, PG, ("text", "text"), ["'é'"], [text("ff"), text("41e9")], None, True),
    Case("invalid-utf8", SQ, MY, ("text", "text"), ["'a'"], [text("c3"), text("41e9")], None, True),
    Case("invalid-utf8", SQ, SQ, ("text", "text"), ["'é'"], [text("ff"), text("00ff")], None, True),
    Case("blob-in-text", SQ, MY, ("text", "text"), ["'a'"], ["x'ff'"], None, True),
    Case("blob-in-text", SQ, PG, ("text", "text"), ["'a'"], ["x'ff'"], None, True, ["x'61'"]),
    Case("blob-in-text", SQ, SQ, ("text", "text"), ["'a'"], ["x'ff'"], None, True, ["x'41'"]),
    Case("blob-in-text", SQ, PG, ("integer", "integer"), ["1"], ["x'ff'"], None, True),
    Case("blob-in-text", SQ, MY, ("datetime", "datetime"), ["NULL"], ["x'ff'"], None, True),
    Case("text-in-blob", SQ, PG, ("blob", "bytea"), ["x'00ff'"], [], None, True, ["'a'", "5"]),
    Case("text-in-blob", SQ, SQ, ("blob", "blob"), ["x'00ff'"], [], None, True, ["'a'", "5"]),
    # Character sets
    Case(
        "charset-too-narrow",
        PG,
        MY,
        ("text", "text CHARACTER SET utf8mb3"),
        ["é", "日本", "\uffff"],
        ["😀", "a𐀀"],
    ),
    Case(
        "charset-too-narrow",
        SQ,
        MY,
        ("text", "text CHARACTER SET utf8mb3"),
        ["é", "日本", "\uffff"],
        ["😀", "a𐀀"],
    ),
    Case(
        "charset-too-narrow",
        MY,
        MY,
        ("text CHARACTER SET utf8mb4", "text CHARACTER SET utf8mb3"),
        ["é", "日本", "\uffff", "?"],
        ["😀", "a𐀀"],
    ),
    Case("charset-too-narrow", PG, MY, ("text", "text CHARACTER SET latin1"), ["é€"], ["ł", "日"]),
    Case("charset-too-narrow", SQ, MY, ("text", "text CHARACTER SET latin1"), ["é€"], ["ł", "日"]),
    Case("charset-too-narrow", PG, MY, ("text", "text CHARACTER SET ascii"), ["~"], ["é"]),
    # Integers and booleans
    Case("integer-out-of-range", PG, MY, ("bigint", "integer"), [2**31 - 1], [2**31, -(2**40)]),
    Case("integer-out-of-range", PG, MY, ("integer", "integer unsigned"), [0], [-1]),
    Case("integer-out-of-range", MY, PG, ("integer unsigned", "integer"), [2**31 - 1], [2**31]),
    Case("integer-out-of-range", MY, PG, ("bigint unsigned", "bigint"), [2**63 - 1], [2**63]),
    Case("integer-out-of-range", MY, SQ, ("bigint unsigned", "bigint"), [2**63 - 1], [2**63]),
    Case("integer-out-of-range", MY, PG, ("integer", "integer CHECK (v >= 0)"), [0, 7], [-1]),
    Case("integer-out-of-range", SQ, PG, ("integer", "smallint"), [-32768, 32767], [32768, 2**40]),
    Case("integer-out-of-range", SQ, MY, ("integer", "smallint"), [-32768, 32767], [32768, 2**40]),
    Case("integer-out-of-range", SQ, SQ, ("integer", "integer CHECK (v >= 0)"), [0], [-1]),
    Case("integer-out-of-range", MY, MY, ("bit(9)", "tinyint unsigned"), [255], [256]),
    Case("integer-out-of-range", PG, PG, ("bigint", "integer"), [-(2**31)], [2**31]),
    Case("not-an-integer", SQ, PG, ("integer", "integer"), [1, 2.0, None], [1.5, 1e300]),
    Case("not-an-integer", SQ, MY, ("integer", "integer"), [1, 2.0, None], [1.5, 1e300]),
    Case("not-an-integer", SQ, SQ, ("integer", "integer"), [1, "abc"], [1.5]),
    Case("not-a-number", SQ, PG, ("integer", "integer"), ["7", " 8 "], ["", "abc", "1_000"]),
    Case("not-a-number", SQ, MY, ("integer", "integer"), ["7"], ["", "abc", "7 apples"]),
    Case("not-a-number", SQ, PG, ("decimal", "numeric(9, 2)"), ["7.5"], ["", "7,50"]),
    Case("not-a-number", SQ, MY, ("decimal", "numeric(9, 2)"), ["7.5"], ["", "7,50"]),
    Case("not-a-number", SQ, MY, ("real", "double"), ["7.5", "1e3"], ["", "seven"]),
    Case("not-a-number", SQ, SQ, ("real", "real"), ["7.5"], ["", "seven"]),
    Case("boolean-not-0-1", MY, PG, ("tinyint", "boolean"), [0, 1], [2, -1], models.BooleanField),
    Case("boolean-not-0-1", SQ, PG, ("bool", "boolean"), [0, 1, None], [2], models.BooleanField),
    Case("not-a-number", SQ, PG, ("bool", "boolean"), [0, 1], ["maybe"], models.BooleanField),
    Case("not-a-number", SQ, MY, ("bool", "bool"), [0, 1], ["true"], models.BooleanField),
    # Decimals and floats
    Case("decimal-too-big", PG, MY, ("numeric", "numeric(5, 2)"), ["999.99"], ["1000", "-1000"]),
    Case("decimal-too-big", MY, PG, ("numeric(9, 2)", "numeric(5, 2)"), ["-999.99"], ["1000"]),
    Case("decimal-too-big", SQ, PG, ("decimal", "numeric(5, 2)"), [999.99, 999], [1000, 1000.5]),
    Case("decimal-too-big", SQ, MY, ("decimal", "numeric(5, 2)"), [999.99, 999], [1000, 1000.5]),
    Case("decimal-too-big", PG, PG, ("numeric", "numeric(5, 2)"), ["999.99"], ["1000"]),
    Case("decimal-too-fine", PG, MY, ("numeric", "numeric(9, 2)"), ["1.500"], ["1.005", "0.001"]),
    Case("decimal-too-fine", PG, PG, ("numeric", "numeric(9, 2)"), ["1.500"], ["1.005", "0.001"]),
    Case("decimal-too-fine", MY, PG, ("numeric(9, 4)", "numeric(9, 2)"), ["1.5000"], ["-1.0001"]),
    Case("decimal-too-fine", SQ, PG, ("decimal", "numeric(9, 2)"), [1.5, 0.1, 7], [1.005]),
    Case("decimal-too-fine", SQ, MY, ("decimal", "numeric(9, 2)"), [1.5, 0.1, 7], [1.005]),
    Case(
        "decimal-too-many-digits",
        PG,
        SQ,
        ("numeric(40, 18)", "decimal"),
        ["1.5", "999999999999.999", "123456789012345678", "-0.000000000000000001"],
        ["1234567890123.456", "0.1234567890123456", "12345678901234567890.5"],
    ),
    Case(
        "decimal-too-many-digits",
        MY,
        SQ,
        ("numeric(40, 18)", "decimal"),
        ["1.5", "999999999999.999", "123456789012345678", "-0.000000000000000001"],
        ["1234567890123.456", "0.1234567890123456", "12345678901234567890.5"],
    ),
    Case("decimal-too-many-digits", SQ, SQ, ("decimal", "decimal"), [0.1, 1.5], [0.1 + 0.2, 1 / 3]),
    Case("not-finite", PG, MY, ("numeric", "numeric(9, 2)"), ["1"], ["NaN", "Infinity"]),
    Case("not-finite", PG, SQ, ("numeric(9, 2)", "decimal"), ["1"], ["NaN"]),
    Case("not-finite", PG, MY, ("double precision", "double"), [1e300], [NAN, INF, -INF]),
    Case("not-finite", PG, SQ, ("double precision", "real"), [1e300, INF], [NAN]),
    Case("not-finite", SQ, MY, ("real", "double"), [1e300], [INF, -INF]),
    Case("float-too-fine", MY, MY, ("double", "float"), [0.5, 2.0**40, 0.0], [0.1, 16777217.0]),
    # Dates and times
    Case("zero-date", MY, PG, ("date", "date"), DATES, ZERO_DATES),
    Case("zero-date", MY, SQ, ("date", "date"), DATES, ZERO_DATES),
    Case("zero-date", MY, PG, ("datetime(6)", "timestamptz"), DATES, ZERO_DATES),
    Case("zero-date", MY, SQ, ("datetime(6)", "datetime"), DATES, ZERO_DATES),
    Case("date-out-of-range", MY, PG, ("date", "date"), DATES, ["0000-05-05"]),
    Case("date-out-of-range", MY, PG, ("datetime", "timestamptz"), DATES, ["0000-05-05"]),
    Case(
        "date-out-of-range",
        PG,
        MY,
        ("date", "date"),
        DATES,
        ["infinity", "-infinity", "0044-03-15 BC", "10000-01-01"],
    ),
    Case("date-out-of-range", PG, SQ, ("date", "date"), DATES, ["infinity", "0044-03-15 BC"]),
    Case(
        "date-out-of-range",
        PG,
        MY,
        ("timestamptz", "datetime(6)"),
        DATES,
        ["infinity", "0044-03-15 BC", "10000-01-01"],
    ),
    Case("date-out-of-range", PG, SQ, ("timestamptz", "datetime"), DATES, ["-infinity"]),
    Case("invalid-date", SQ, PG, ("date", "date"), [*DATES, "2020-1-5"], [*ODD_DATES, 5]),
    Case(
        "invalid-date",
        SQ,
        MY,
        ("date", "date"),
        DATES,
        [*ODD_DATES, 5, 1.5],
        misread=["0000-01-01", "0000-00-00"],
    ),
    Case("invalid-date", SQ, SQ, ("date", "date"), DATES, ["2020-02-30", "today", ""]),
    Case("invalid-datetime", SQ, PG, ("datetime", "timestamptz"), MOMENTS, ODD_DATETIMES),
    Case("invalid-datetime", SQ, MY, ("datetime", "datetime(6)"), MOMENTS, [*ODD_DATETIMES, 5]),
    Case("invalid-datetime", SQ, SQ, ("datetime", "datetime"), MOMENTS, ODD_DATETIMES),
    Case("invalid-time", SQ, PG, ("time", "time"), ["10:00:00", "10:00"], ["noon", "25:00:00"]),
    Case(
        "invalid-time",
        SQ,
        MY,
        ("time", "time(6)"),
        ["10:00:00"],
        ["noon", ""],
        None,
        False,
        ["99:00:00"],
    ),
    Case("time-out-of-range", MY, PG, ("time", "time"), ["23:59:59"], ["24:00:01", "-01:00:00"]),
    Case("time-out-of-range", MY, SQ, ("time", "time"), ["23:59:59"], ["24:00:00", "-01:00:00"]),
    Case("time-out-of-range", PG, SQ, ("time", "time"), ["23:59:59.999999"], ["24:00:00"]),
    Case(
        "timestamp-out-of-range",
        PG,
        MY,
        ("timestamptz", "timestamp(6) NULL"),
        ["1970-01-01 00:00:01+00", "2038-01-19 03:14:07+00"],
        ["1970-01-01 00:00:00+00", "2038-01-19 03:14:08+00"],
    ),
    Case(
        "fraction-lost",
        PG,
        MY,
        ("timestamptz", "datetime"),
        ["2020-01-01 10:00:00+00"],
        ["2020-01-01 10:00:00.5+00", "2020-01-01 10:00:00.000001+00"],
    ),
    Case(
        "fraction-lost",
        MY,
        PG,
        ("datetime(6)", "timestamptz(3)"),
        ["2020-01-01 10:00:00.123"],
        ["2020-01-01 10:00:00.1234"],
    ),
    Case("fraction-lost", MY, MY, ("time(6)", "time"), ["10:00:00"], ["10:00:00.000001"]),
    Case(
        "fraction-lost",
        SQ,
        MY,
        ("datetime", "datetime(3)"),
        ["2020-01-01 10:00:00", "2020-01-01 10:00:00.123000", "2020-01-01 10:00:00.5"],
        ["2020-01-01 10:00:00.123400", "2020-01-01 10:00:00.1234"],
    ),
    Case(
        "duration-without-length",
        PG,
        MY,
        ("interval", "bigint"),
        ["1 day 2 hours", "-3 days"],
        ["1 month", "2 years", "200000000 days"],
        models.DurationField,
    ),
    # UUIDs and addresses
    Case(
        "invalid-uuid",
        MY,
        PG,
        ("varchar(40)", "uuid"),
        ["0a5c5c0a00094000800000005c0a0d22", "0A5C5C0A-0009-4000-8000-00005C0A0D22", None],
        ["", "abc", "0a5c5c0a00094000800000005c0a0d2g", "0a5c5c0a00094000800000005c0a0d22x"],
        models.UUIDField,
    ),
    Case(
        "invalid-uuid",
        SQ,
        PG,
        ("char(32)", "uuid"),
        ["0a5c5c0a00094000800000005c0a0d22", "0A5C5C0A-0009-4000-8000-00005C0A0D22", None],
        ["", "abc", "0a5c5c0a00094000800000005c0a0d2g", "0a5c5c0a00094000800000005c0a0d22\n"],
        models.UUIDField,
    ),
    Case(
        "uuid-refused",
        PG,
        MY,
        ("uuid", "uuid"),
        [
            "0a5c5c0a-0009-4000-8000-00005c0a0d22",
            "12345678-90ab-cdef-9234-567890abcdef",
            "00000000-0000-7000-0100-000000000000",
            "00000000-0000-8000-8100-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ],
        ["12345678-90ab-cdef-1234-567890abcdef", "00000000-0000-8000-8000-000000000001"],
    ),
    Case(
        "uuid-refused",
        SQ,
        MY,
        ("char(32)", "uuid"),
        ["0a5c5c0a000940008000 00005c0a0d22".replace(" ", "0")[:32], "f" * 32],
        ["1234567890abcdef1234567890abcdef", "1234567890ABCDEF-1234567890abcdef"],
        models.UUIDField,
    ),
    Case(
        "invalid-ip",
        MY,
        PG,
        ("char(39)", "inet"),
        ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", None],
        ["", "192.0.2.256", "host", "2001:db8:::1"],
        models.GenericIPAddressField,
    ),
    Case(
        "invalid-ip",
        SQ,
        PG,
        ("char(39)", "inet"),
        ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", None],
        ["", "192.0.2.256", "host", "2001:db8:::1"],
        models.GenericIPAddressField,
    ),
    # NULL
    *(
        Case("null-refused", source, dest, ("integer", "integer NOT NULL"), [0], [None])
        for source in (PG, MY, SQ)
        for dest in (PG, MY, SQ)
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_does_not_cross_is_found_and_nothing_else_is(case: Case, sides: MakeSides) -> None:
    between = sides(case.source, case.dest)
    there, here = (f"id integer NOT NULL PRIMARY KEY, v {kind}" for kind in case.types)
    name = between.create(there, here)

    def fill(values: Sequence[Any], first: int) -> None:
        if case.as_sql:
            for key, value in enumerate(values, start=first):
                between.source.execute(f"INSERT INTO {name} VALUES ({key}, {value})")
        else:
            between.fill(name, list(enumerate(values, start=first)))

    fill(case.good, 1)
    assert between.check(name, **case.kinds) == []
    assert between.survives(name, **case.kinds)

    between.dest.execute(f"DELETE FROM {name}")
    values = [*case.bad, *case.misread]
    fill(values, 101)
    found = between.check(name, **case.kinds)
    assert [(f.code, f.table, f.column, f.rows) for f in found] == [
        (case.code, name, "v", len(values))
    ]
    assert found[0].sample_keys == tuple(str(101 + n) for n in range(len(values)))[:5]
    assert found[0].severity is Severity.BLOCKER

    for number in range(len(case.bad)):
        between.source.execute(f"DELETE FROM {name}")
        fill(case.bad[number : number + 1], 1)
        assert not between.survives(name, **case.kinds), f"{case.bad[number]!r} does cross"
