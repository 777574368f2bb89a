"""Local times that there are not, and such that there are twice, where clocks are changed."""

from __future__ import annotations

import pytest

from migrations_ui.engine.findings import Severity
from tests.engine_values.cases import MY, PG, SQ
from tests.engine_values.conftest import MakeSides


@pytest.mark.parametrize("source", [MY, SQ])
def test_a_local_time_that_the_clocks_leave_out_is_found(source: str, sides: MakeSides) -> None:
    between = sides(source, PG)
    kind = "datetime(6)" if source == MY else "datetime"
    there = f"id integer NOT NULL PRIMARY KEY, v {kind}"
    name = between.create(there, "id integer PRIMARY KEY, v timestamptz")
    times = ["01:59:59.999999", "03:00:00", "02:00:00", "02:59:59.999999"]
    between.fill(name, [(number, f"2024-03-10 {time}") for number, time in enumerate(times)])
    assert between.check(name) == []
    for database in (between.source, between.dest):
        between.patch.setattr(database, "time_zone", "America/New_York")
    (found,) = between.check(name)
    assert (found.code, found.column, found.rows) == ("time-left-out", "v", 2)
    assert found.sample_keys == ("2", "3")
    try:
        between.dest.execute("SET TimeZone = 'America/New_York'")
        assert not between.survives(name)
        between.source.execute(f"DELETE FROM {name} WHERE id > 1")
        between.dest.execute(f"DELETE FROM {name}")
        assert between.check(name) == []
        assert between.survives(name)
    finally:
        between.dest.execute("SET TimeZone = 'UTC'")


@pytest.mark.parametrize(
    ("dest", "kind"),
    [(MY, "datetime(6)"), (SQ, "datetime"), (PG, "timestamp"), (PG, "timestamptz(5)")],
)
def test_a_moment_that_is_told_from_another_by_no_local_time_is_found(
    dest: str, kind: str, sides: MakeSides
) -> None:
    between = sides(PG, dest)
    key = "id integer NOT NULL PRIMARY KEY"
    name = between.create(f"{key}, v timestamptz", f"{key}, v {kind}")
    hours = ["03:59:59.99999", "07:00:00", "06:00:00", "05:00:00", "05:59:59.99999"]
    times = [f"2024-11-03 {hour}+00" for hour in hours]
    between.fill(name, list(enumerate([*times, "0002-01-01 12:00:00+00", None])))
    assert between.check(name) == []
    for database in (between.source, between.dest):
        between.patch.setattr(database, "time_zone", "America/New_York")
    try:
        between.source.execute("SET TimeZone = 'America/New_York'")
        (found,) = between.check(name)
    finally:
        between.source.execute("SET TimeZone = 'UTC'")
    assert (found.code, found.column, found.rows) == ("time-doubled", "v", 2)
    assert found.sample_keys == ("3", "4")
    assert found.severity is Severity.BLOCKER
