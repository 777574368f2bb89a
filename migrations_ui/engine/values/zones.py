"""Local times that a time zone leaves out when its clocks go forward."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

FIRST, LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


class Gap(NamedTuple):
    """From the first local time that there is not, to the first that there is again."""

    start: datetime
    end: datetime


@lru_cache(maxsize=8)
def gaps(time_zone: str) -> tuple[Gap, ...]:
    """All gaps of two centuries; none for a zone whose clocks stay as they are."""
    return () if time_zone == "UTC" else tuple(found_gaps(ZoneInfo(time_zone)))


def found_gaps(zone: ZoneInfo) -> Iterator[Gap]:
    day, offset = FIRST, offset_at(FIRST, zone)
    while day < LAST:
        following = offset_at(day + DAY, zone)
        if following > offset:
            change = change_in(day, zone, offset).replace(tzinfo=None)
            yield Gap(change + offset, change + following)
        day, offset = day + DAY, following


def change_in(day: datetime, zone: ZoneInfo, offset: timedelta) -> datetime:
    """The second of the day, in UTC, from which on the offset is another one."""
    before, after = day, day + DAY
    while after - before > SECOND:
        middle = before + (after - before) // SECOND // 2 * SECOND
        if offset_at(middle, zone) == offset:
            before = middle
        else:
            after = middle
    return after


def offset_at(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
