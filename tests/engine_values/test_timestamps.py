"""MySQL's type timestamp, whose last moment depends on the server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.values import columns
from migrations_ui.engine.values.targets import timestamps
from tests.engine_values.cases import MY, PG, SQ
from tests.engine_values.conftest import MakeSides

KEY = "id integer NOT NULL PRIMARY KEY"


@pytest.mark.parametrize("moment", ["2038-01-19 03:14:07", "2038-01-19 03:14:08", "2100-01-01"])
def test_what_the_server_does_not_hold_is_found(moment: str, sides: MakeSides) -> None:
    """MariaDB 11.5 holds 68 years more than those before it, and than MySQL."""
    between = sides(PG, MY)
    name = between.create(f"{KEY}, v timestamp", f"{KEY}, v timestamp NULL")
    between.fill(name, [(1, moment)])
    codes = [finding.code for finding in between.check(name)]
    assert codes == ([] if between.survives(name) else ["timestamp-out-of-range"])


def test_the_last_moment_is_the_last_one_there(sides: MakeSides) -> None:
    between = sides(PG, MY)
    name = between.create(f"{KEY}, v timestamp", f"{KEY}, v timestamp(6) NULL")
    _, most = timestamps(between.dest)
    between.source.execute(
        f"INSERT INTO {name} VALUES (1, '{most}'), (2, '{most}'::timestamp + interval '1 us')"
    )
    (found,) = between.check(name)
    assert (found.code, found.sample_keys) == ("timestamp-out-of-range", ("2",))
    assert not between.survives(name)
    between.source.execute(f"DELETE FROM {name} WHERE id = 2")
    assert between.survives(name)


def test_a_source_that_holds_later_ones_is_looked_at(sides: MakeSides) -> None:
    between = sides(MY, MY)
    name = between.create(f"{KEY}, v timestamp NULL")
    between.fill(name, [(1, "2035-06-01 00:00:00"), (2, "2020-06-01 00:00:00")])
    assert between.check(name) == []

    def older(database: Database) -> tuple[str, str]:
        least, most = timestamps(database)
        return least, "2030-01-01 00:00:00" if database is between.dest else most

    between.patch.setattr(columns, "timestamps", older)
    (found,) = between.check(name)
    assert (found.code, found.sample_keys) == ("timestamp-out-of-range", ("1",))


@pytest.mark.parametrize("source", [MY, PG])
def test_what_sqlite_calls_a_timestamp_has_no_such_limit(source: str, sides: MakeSides) -> None:
    between = sides(source, SQ)
    kind = "datetime" if source == MY else "timestamp"
    name = between.create(f"{KEY}, v {kind}", f"{KEY}, v timestamp")
    between.fill(name, [(1, "1950-06-01 00:00:00")])
    assert between.check(name) == []
    assert between.survives(name)


@pytest.mark.parametrize(
    ("product", "answer", "year"),
    [("MariaDB", 4102444800, "2106"), ("MariaDB", None, "2038"), ("MySQL", 4102444800, "2038")],
)
def test_how_far_it_reaches_is_what_mariadb_says_itself(
    product: str, answer: int | None, year: str
) -> None:
    """The servers of the tests hold moments up to 2038 only; what newer ones answer was seen."""
    told = SimpleNamespace(product=product, query=lambda sql: [(answer,)])
    assert timestamps(cast("Database", told))[1].startswith(year)
