"""Fills the tables of what only PostgreSQL has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.db.backends.postgresql.psycopg_any import (
    DateRange,
    DateTimeTZRange,
    NumericRange,
)

from tests.conformance.nasty.values import BINARIES, DATETIMES, FLOATS, TEXTS, UUIDS, Pair

from . import models as elephant

NOON = datetime(2024, 10, 27, 0, 30, 0, 5, tzinfo=UTC)
LATER = datetime(2024, 10, 27, 1, 30, tzinfo=UTC)
SHORT = [text for text in TEXTS if len(text) <= 50]
VALUES: dict[str, list[Any]] = {
    "words": [[], [None], SHORT, ["NULL", "null", "", "{}", '"', "a,b"]],
    "nested": [[], [[1, None], [3, 4]], [[-(2**31)], [0]]],
    "floats": [[], FLOATS[:3], [float("nan"), float("inf"), -0.0]],
    "moments": [DATETIMES],
    "blobs": [BINARIES[:8]],
    "marks": [UUIDS],
    "pairs": [{}, {"": None, "a\tb": "\\", '"': "'", "=>": "=>", "é": ""}],
    "integers": [
        NumericRange(1, 5),
        NumericRange(None, 5, "(]"),
        NumericRange(None, None, "()"),
        NumericRange(empty=True),
    ],
    "big_integers": [NumericRange(-(2**63), 2**63 - 1)],
    "decimals": [NumericRange(Decimal("-0.10"), Decimal("1e20"), "[]"), NumericRange(empty=True)],
    "days": [DateRange(date(1, 1, 1), date(9999, 12, 31)), DateRange(None, date(2024, 1, 1))],
    "times": [DateTimeTZRange(NOON, LATER, "(]"), DateTimeTZRange(None, None)],
    "case_insensitive": ["Ab", "Äb", "ß"],
    "vector": ["", "'a':1A 'b\\\\':2,3B", "'it''s'"],
    "text": ["The quick brown foxes", "\\"],
}
FOREIGN: dict[str, list[Any]] = {
    "citext": ["Ab", "\\N", "tab\there"],
    "json": ['{"a": 1, "a": 2}', "  [1.0, 1e5]  "],
    "mood": ["happy", "it's \\ so-so"],
    "short": ["", "12345"],
    "bits": ["101"],
    "money": ["-1234.56"],
    "network": ["192.0.2.0/24", "2001:db8::/32"],
    "card": ["08:00:2b:01:02:03"],
    "point": ["(1.5,-2)"],
    "clock": ["12:30:15.5+05:30"],
    "moment": ["2024-10-27 02:30:00"],
    "padded": ["ab"],
    "any_decimal": ["1" * 60 + "." + "2" * 60, "NaN", "0.10"],
    "single": ["0.1", "3.4028235e+38"],
    "ranges": ["{[1,3),[5,6)}"],
    "letters": ["a"],
    "name": ["a\\b"],
    "xml": ["<a>\t\\ &amp;</a>"],
    "number": ["4294967295"],
}


def fill(pair: Pair) -> None:
    elephant.Own.objects.create()
    for name, listed in VALUES.items():
        for value in listed:
            elephant.Own.objects.create(**{name: value})
    elephant.Foreign.objects.create()
    for name, listed in FOREIGN.items():
        for value in listed:
            elephant.Foreign.objects.create(**{name: value})
    for room in (1, 2):
        elephant.Booking.objects.create(room=room, during=DateTimeTZRange(NOON, LATER))


def fill_stale() -> None:
    elephant.Own.objects.create(case_insensitive="AB")
    elephant.Booking.objects.create(room=1, during=DateTimeTZRange(NOON, LATER))


def insert_after() -> Iterator[dict[str, Any]]:
    """What must be refused after the cutover still is: told as a key that comes too late."""
    from django.db import IntegrityError, transaction

    for model, columns in (
        (elephant.Own, {"case_insensitive": "aB"}),
        (elephant.Foreign, {"citext": "aB"}),
        (elephant.Booking, {"room": 1, "during": DateTimeTZRange(NOON, LATER)}),
    ):
        try:
            with transaction.atomic():
                model._default_manager.create(**columns)
        except IntegrityError:
            continue
        yield {"label": model._meta.label, "largest": 1, "next": 0}
