"""Which dates and times pass for usual, many at once, as the calendar has them."""

from __future__ import annotations

from datetime import date
from itertools import product

import pytest

from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.values.sqlite_blocks import PARTED, USUAL

YEARS = (0, 1, 4, 100, 400, 1582, 1600, 1900, 1996, 2000, 2023, 2024, 2100, 2104, 9996, 9999)


def is_odd(kind: Kind, *texts: str) -> bool:
    return USUAL[kind](PARTED.join(texts).encode(), len(texts))


def is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("year", YEARS)
def test_a_date_is_usual_where_the_calendar_has_it(year: int) -> None:
    days = [f"{year:04}-{month:02}-{day:02}" for month, day in product(range(15), range(34))]
    usual = [day for day in days if not is_odd(Kind.DATE, day)]
    assert usual == [day for day in days if is_day(day)]
    assert not (usual and is_odd(Kind.DATE, *usual))


@pytest.mark.parametrize(
    "time",
    ["00:00:00", "23:59:59", "19:07:30.000001", "09:59:00.999999", "20:00:00.000000"],
)
def test_a_time_is_usual_with_and_without_a_fraction(time: str) -> None:
    assert not is_odd(Kind.TIME, "12:00:00", time, "12:00:00.500000")
    assert not is_odd(Kind.DATETIME, "2024-02-29 12:00:00", f"2024-02-29 {time}")


@pytest.mark.parametrize(
    "text",
    [
        "24:00:00",
        "12:60:00",
        "12:00:60",
        "12:00",
        "12:00:00.5",
        "12:00:00.1234567",
        "12:00:00Z",
        "12:00:00+02:00",
        "12:00:00.500000+02",
        " 12:00:00",
        "12:00:00\n",
        "12:00:00\0",
        "12:00:00\0x",
        "1２:00:00",
        "",
        f"12:00:00{PARTED}12:00:00",
    ],
)
def test_other_times_are_odd(text: str) -> None:
    assert is_odd(Kind.TIME, text)
    assert is_odd(Kind.TIME, "12:00:00", text, "12:00:00")
    assert is_odd(Kind.DATETIME, "2024-01-01 12:00:00", f"2024-01-01 {text}")


def test_a_date_alone_or_with_a_t_is_no_usual_datetime() -> None:
    assert is_odd(Kind.DATETIME, "2024-01-01")
    assert is_odd(Kind.DATETIME, "2024-01-01T00:00:00")
