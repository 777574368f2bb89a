"""Numbers, dates and times."""

from __future__ import annotations

from django.db import models

from tests.engine_values.cases import MY, PG, SQ, Case

BOOLEAN = models.BooleanField
INF, NAN = float("inf"), float("nan")
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

NUMBER_CASES = [
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
    Case("not-an-integer", SQ, PG, ("integer", "integer"), [1, 2.0, None], [1.5]),
    Case("not-an-integer", SQ, MY, ("integer", "integer"), [1, 2.0, None], [1.5]),
    Case("not-an-integer", SQ, SQ, ("integer", "integer"), [1], [1.5]),
    Case("not-an-integer", SQ, PG, ("bool", "boolean"), [0, 1, 1.0], [0.5], BOOLEAN),
    Case("not-an-integer", SQ, MY, ("bool", "bool"), [0, 1, 1.0], [0.5], BOOLEAN),
    *(
        Case("integer-out-of-range", SQ, dest, ("bigint", "bigint"), [2**63 - 1], [1e19, -1e300])
        for dest in (PG, MY, SQ)
    ),
    Case("text-among-numbers", SQ, SQ, ("integer", "integer"), [1], [], None, False, ["abc"], True),
    Case(
        "text-among-numbers", SQ, SQ, ("decimal", "decimal"), [1.5], [], None, False, ["1,5"], True
    ),
    Case("not-a-number", SQ, PG, ("integer", "integer"), ["7", " 8 "], ["", "abc", "1_000"]),
    Case("not-a-number", SQ, MY, ("integer", "integer"), ["7"], ["", "abc", "7 apples"]),
    Case("not-a-number", SQ, PG, ("decimal", "numeric(9, 2)"), ["7.5"], ["", "7,50"]),
    Case("not-a-number", SQ, MY, ("decimal", "numeric(9, 2)"), ["7.5"], ["", "7,50"]),
    Case("not-a-number", SQ, MY, ("real", "double"), ["7.5", "1e3"], ["", "seven"]),
    Case("not-a-number", SQ, SQ, ("real", "real"), ["7.5"], ["", "seven"]),
    Case("boolean-not-0-1", MY, PG, ("tinyint", "boolean"), [0, 1], [2, -1], BOOLEAN),
    Case("boolean-not-0-1", SQ, PG, ("bool", "boolean"), [0, 1, None], [2], BOOLEAN),
    *(
        Case(
            "boolean-read-otherwise",
            source,
            dest,
            ("bool", "bool"),
            [0, 1, None],
            [],
            BOOLEAN,
            False,
            [2, -1, 127],
            True,
        )
        for source, dest in ((MY, SQ), (SQ, MY))
    ),
    Case("not-a-number", SQ, PG, ("bool", "boolean"), [0, 1], ["maybe"], BOOLEAN),
    Case("not-a-number", SQ, MY, ("bool", "bool"), [0, 1], ["true"], BOOLEAN),
    # Decimals and floats
    Case("decimal-too-big", PG, MY, ("numeric", "numeric(5, 2)"), ["999.99"], ["1000", "-1000"]),
    Case("decimal-too-big", MY, PG, ("numeric(9, 2)", "numeric(5, 2)"), ["-999.99"], ["1000"]),
    Case("decimal-too-big", SQ, PG, ("decimal", "numeric(5, 2)"), [999.99, 999], [1000, 1000.5]),
    Case("decimal-too-big", SQ, MY, ("decimal", "numeric(5, 2)"), [999.99, 999], [1000, 1000.5]),
    Case("decimal-too-big", PG, PG, ("numeric", "numeric(5, 2)"), ["999.99"], ["1000"]),
    *(
        # Through 15 digits they are ten thousand millions.
        Case(
            "decimal-too-big",
            SQ,
            dest,
            ("decimal", "numeric(16, 6)"),
            [9999999999.99999, -9999999999.9999, 9999999999, None],
            [-9999999999.999998, 9999999999.999998, 10**10, 1e300, -(2**63)],
        )
        for dest in (PG, MY)
    ),
    *(
        Case(
            "decimal-too-big",
            SQ,
            dest,
            ("decimal", "numeric(15, 0)"),
            [999999999999999, -999999999999999],
            [999999999999999.9, 10**15],
        )
        for dest in (PG, MY)
    ),
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
    Case("decimal-too-fine", SQ, SQ, ("decimal", "decimal(9, 2)"), [0.1, 0.1 + 0.2], [0.125]),
    Case("not-finite", PG, MY, ("numeric", "numeric(9, 2)"), ["1"], ["NaN", "Infinity"]),
    Case("not-finite", PG, SQ, ("numeric(9, 2)", "decimal"), ["1"], ["NaN"]),
    Case("not-finite", PG, MY, ("double precision", "double"), [1e300], [NAN, INF, -INF]),
    Case("not-finite", PG, SQ, ("double precision", "real"), [1e300, INF], [NAN]),
    Case("not-finite", SQ, MY, ("real", "double"), [1e300], [INF, -INF]),
    Case("float-too-fine", MY, MY, ("double", "float"), [0.5, 2.0**40, 0.0], [0.1, 16777217.0]),
    # Dates and times
    Case("zero-date", MY, PG, ("date", "date"), DATES, ZERO_DATES),
    Case("zero-date", SQ, PG, ("date", "date"), DATES, ZERO_DATES),
    Case("zero-date", SQ, SQ, ("date", "date"), DATES, ZERO_DATES),
    Case("zero-date-kept", SQ, MY, ("date", "date"), DATES, [], None, False, ZERO_DATES, True),
    Case(
        "zero-date-kept",
        SQ,
        MY,
        ("datetime", "datetime(6)"),
        DATES,
        [],
        None,
        False,
        [f"{date} 00:00:00" for date in ZERO_DATES],
        True,
    ),
    Case("zero-date", SQ, PG, ("datetime", "timestamptz"), DATES, ZERO_DATES),
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
        misread=["0000-01-01"],
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
        ["1970-01-01 00:00:00+00", "2106-02-07 06:28:16+00"],
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
]
