"""Texts, JSON, UUIDs and addresses, bytes."""

from __future__ import annotations

from django.db import models

from tests.engine_values.cases import MY, PG, SQ, Case


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
FINE_NUMBERS = [
    *("1e131071", "-9.99E+131071", "[1e0000131071]", "0.5e131072", "0e200000", "1e-16383", "12e9"),
    *('"1e200000"', '{"1e200000": "\\" 1e-20000 \\\\"}', '{"a1e99999": 1e3}', None),
    f'["1e99999 {"é" * 100_000}", 1e99999]',
]
LONG_NUMBERS = [
    *("1e131072", "-2.5E+131072", "[7, 1e0000200000]", "0.05e1000000", "99e131099"),
    *("1e-16384", '{"a\\"": 0e-16384}', "1e-20000", "1.5e99999999999", '["\\\\", 1e200000]'),
    f'["1e99999 {"é" * 100_000}", 1e200000]',
]
ANYTHING = ["x'00ff'", "x''", "5", "0.1", "9e999", "'it''s'", "'12 apples'", "char(0)", "NULL"]
CHECKED = "text CHECK (json_valid(v) OR v IS NULL)"
DEEP = "[" * 32 + "]" * 32
FLAT = "[" * 31 + "]" * 31

TEXT_CASES = [
    # NUL in texts and in JSON
    Case("nul-in-text", MY, PG, ("longtext", "text"), NO_NULS, NULS),
    Case("nul-in-text", MY, PG, ("varchar(9)", "varchar(9)"), NO_NULS, NULS),
    Case("nul-in-text", SQ, PG, ("text", "text"), NO_NULS, NULS),
    Case("nul-in-json", MY, PG, ("json", "jsonb"), NO_NUL_JSON, NUL_JSON, JSON),
    Case("nul-in-json", SQ, PG, ("text", "jsonb"), NO_NUL_JSON, NUL_JSON, JSON),
    Case("nul-in-json", PG, PG, ("json", "jsonb"), NO_NUL_JSON, NUL_JSON, JSON),
    Case("number-in-json", MY, PG, ("longtext", "jsonb"), FINE_NUMBERS, LONG_NUMBERS, JSON),
    Case("number-in-json", SQ, PG, ("text", "jsonb"), FINE_NUMBERS, LONG_NUMBERS, JSON),
    Case("number-in-json", PG, PG, ("json", "jsonb"), FINE_NUMBERS, LONG_NUMBERS, JSON),
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
    *(
        Case(
            "index-entry",
            source,
            PG,
            (kind, "text UNIQUE"),
            ["a" * 2704, ""],
            [],
            misread=["ab" * 2000],
            warns=True,
        )
        for source, kind in ((MY, "longtext"), (SQ, "text"))
    ),
    Case("value-padded", PG, MY, ("bytea", "binary(3)"), [b"abc"], [b"ab", b""]),
    Case("trailing-spaces", PG, MY, ("text", "char(9)"), ["a b", " a"], ["a ", " "]),
    Case("invalid-utf8", SQ, PG, ("text", "text"), ["'é'"], [text("ff"), text("41e9")], None, True),
    Case("invalid-utf8", SQ, MY, ("text", "text"), ["'a'"], [text("c3"), text("41e9")], None, True),
    Case("invalid-utf8", SQ, SQ, ("text", "text"), ["'é'"], [text("ff"), text("00ff")], None, True),
    *(
        # What holds values of any type holds them in another of its own type, too.
        Case("invalid-utf8", SQ, SQ, (own, own), ANYTHING, [text("ff"), text("00ff")], None, True)
        for own in ("vector", "point", "geometry")
    ),
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
    # Enums: 0 is what MySQL stores for what is none of the values, and gives as an empty text
    Case(
        "not-a-member",
        MY,
        MY,
        ("enum('a','it''s')", "enum('a','it''s')"),
        ["'a'", "'it''s'", "NULL"],
        ["''", "'else'"],
        None,
        True,
    ),
    Case(
        "not-a-member",
        MY,
        MY,
        ("enum('a','b','c')", "enum('','a','b')"),
        ["'a'", "'else'"],
        ["'c'"],
        None,
        True,
    ),
    *(
        Case(
            "not-a-member",
            source,
            MY,
            ("varchar(9)", "enum('p','2','it''s','a\\\\b','x\\ny')"),
            ["p", "2", "it's", "a\\b", "x\ny", None],
            ["1", "P", "p ", "", "s"],
        )
        for source in (PG, MY, SQ)
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
        ["192.0.2.1", "10.0.0.0", "2001:db8::1", "::ffff:192.0.2.1", None],
        ["", "192.0.2.256", "host", "2001:db8:::1"],
        models.GenericIPAddressField,
        misread=["01.2.3.4", "192.0.2.08"],
    ),
    Case(
        "invalid-ip",
        SQ,
        PG,
        ("char(39)", "inet"),
        ["192.0.2.1", "10.0.0.0", "2001:db8::1", "::ffff:192.0.2.1", None],
        ["", "192.0.2.256", "host", "2001:db8:::1"],
        models.GenericIPAddressField,
        misread=["01.2.3.4", "192.0.2.08"],
    ),
    # NULL
    *(
        Case("null-refused", source, dest, ("integer", "integer NOT NULL"), [0], [None])
        for source in (PG, MY, SQ)
        for dest in (PG, MY, SQ)
    ),
]
