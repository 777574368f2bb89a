"""Fills the tables with times around those at which Berlin's clocks are changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from tests.conformance.nasty.values import Pair

from . import models as clocks

# The hours in UTC: 02:30 local comes twice in October and not at all in March.
CHANGES = [
    datetime(1980, 4, 5, 23, 0, tzinfo=UTC),  # at midnight then
    datetime(1996, 10, 27, 1, 0, tzinfo=UTC),
    datetime(2024, 3, 31, 1, 0, tzinfo=UTC),
    datetime(2024, 10, 27, 1, 0, tzinfo=UTC),
]
MINUTES = (-90, -60, -30, 0, 30, 60)
FAR = [
    datetime(1000, 1, 2, 3, 4, 5, 6, tzinfo=UTC),  # the mean time of Berlin, 53:28 off
    datetime(1893, 3, 31, 12, 0, tzinfo=UTC),
    datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC),
]


def moments() -> list[datetime]:
    """Moments as the project's code has them: naive local times where USE_TZ is off."""
    found = [change + timedelta(minutes=minutes) for change in CHANGES for minutes in MINUTES]
    found = [*found, *(moment.replace(microsecond=123_456) for moment in found), *FAR]
    return found if settings.USE_TZ else [timezone.make_naive(moment) for moment in found]


def fill(pair: Pair) -> None:
    for moment in moments():
        clocks.Tick.objects.create(moment=moment, day=moment.date(), clock=moment.time())
    last = None
    for moment in sorted({moment.replace(fold=0) for moment in moments()}):
        last = clocks.Appointment.objects.create(moment=moment, after=last)


def fill_stale() -> None:
    clocks.Tick.objects.create(moment=timezone.now())


def insert_after() -> Iterator[dict[str, Any]]:
    """Appointments are still found by their times, and there is none twice."""
    for moment in moments():
        yield {
            "label": f"clocks.Appointment {moment}",
            "largest": 0,
            "next": clocks.Appointment.objects.filter(moment=moment).count(),
        }
