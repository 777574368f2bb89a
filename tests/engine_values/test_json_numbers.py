"""Numbers in JSON on their way into MySQL's own type, which MariaDB has not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from django.db import models

from migrations_ui.engine.findings import Severity
from migrations_ui.engine.values.columns import Crossing, hazards
from migrations_ui.engine.values.json_numbers import alters
from migrations_ui.engine.values.readers import reader
from migrations_ui.engine.values.scan import Scan
from migrations_ui.engine.values.targets import Checks, Target
from tests.engine_values.conftest import MakeSides, Sides

CODE = "json-number-altered"
JSON_OF = {"postgresql": "jsonb", "mysql": "longtext", "sqlite": "text"}
KEPT = [
    *("18446744073709551615", "-9223372036854775808", "9007199254740993", "1" + "0" * 22),
    *("0.30000000000000004", "1.7976931348623157e308", "1.50", "-0.0", "1e2", "5e-324"),
    *("1234567890123456", "1.23456789012345e-7", "[1, null, 2.5]", "1234567890123456e3"),
    # In strings there may be anything.
    *(
        '"18446744073709551617"',
        '{"4000-8000-00000e400e99999": "1e400"}',
        '"0.1234567890123456789"',
    ),
]
ALTERED = [
    *("18446744073709551617", "-9223372036854775809", "12345678901234567891.0", "1e400", "-2e308"),
    *("0.1234567890123456789", '{"a": [{"b": 3.14159265358979323846}]}', "1e-400"),
    *("9007199254740993.5", "8.209725099405891", "7969892405248098e35", '["1e3", 1.8e308]'),
]


@pytest.mark.parametrize("text", KEPT)
def test_numbers_that_are_kept_are_no_hazard(text: str) -> None:
    assert not alters(text)


@pytest.mark.parametrize("text", [*ALTERED, "1e99999999999999999999", "1e-99999999999999999999"])
def test_numbers_that_are_not_kept_are_found(text: str) -> None:
    assert alters(text)
    assert alters(text.encode())


@pytest.mark.parametrize("text", ["", "{", "1e400 x", "[" * 100_000])
def test_what_is_no_json_is_not_judged(text: str) -> None:
    assert not alters(text)


def planted(between: Sides) -> str:
    there, here = JSON_OF[between.source.vendor], JSON_OF[between.dest.vendor]
    if between.dest.vendor == "mysql":
        here = "json"
    name = between.create(
        f"id integer NOT NULL PRIMARY KEY, v {there}", f"id integer NOT NULL PRIMARY KEY, v {here}"
    )
    between.fill(name, list(enumerate([*KEPT, None, *ALTERED], start=1)))
    return name


@pytest.mark.parametrize("source", JSON_OF)
def test_the_source_is_searched_for_them(source: str, sides: MakeSides) -> None:
    """As for MySQL, whose type a destination of MariaDB calls something else."""
    between = sides(source, "mysql")
    name = planted(between)
    (layout,) = between.layouts(name, v=models.JSONField)
    column = next(column for column in layout.columns if column.source.name == "v")
    column = replace(column, dest=replace(column.dest, type="json"))
    there, target = reader(between.source), Target(between.dest, [name])
    none = Checks(target.inspector, [])
    looked_for = [
        hazard
        for hazard in hazards(Crossing(column, name, name, there, target, none))
        if hazard.code == CODE
    ]
    scan = Scan(layout, there)
    found = scan.found(looked_for, scan.first(looked_for, None))
    (finding,) = (scan.finding(hazard, rows) for hazard, rows in found.items())
    assert finding
    assert (finding.rows, finding.severity) == (len(ALTERED), Severity.BLOCKER)
    first = len(KEPT) + 2
    assert finding.sample_keys == tuple(str(first + number) for number in range(5))
    between.source.execute(f"DELETE FROM {name} WHERE id >= {first}")
    found = scan.found(looked_for, scan.first(looked_for, None))
    assert [scan.finding(hazard, rows) for hazard, rows in found.items()] in ([], [None])


@pytest.mark.parametrize("source", JSON_OF)
def test_they_are_found_if_and_only_if_the_destination_alters_them(
    source: str, sides: MakeSides
) -> None:
    between = sides(source, "mysql")
    name = planted(between)
    for key, value in enumerate([*KEPT, None, *ALTERED], start=1):
        between.source.execute(f"DELETE FROM {name}")
        between.fill(name, [(key, value)])
        between.dest.execute(f"DELETE FROM {name}")
        codes = [finding.code for finding in between.check(name, v=models.JSONField)]
        assert (CODE in codes) is not between.survives(name, v=models.JSONField), value


def test_a_table_without_a_key_is_judged_as_well(sides: MakeSides) -> None:
    between = sides("sqlite", "sqlite")
    name = between.create("v text, w text")
    between.fill(name, [(json.dumps({"a": 1}), ""), ("1e400", "")])
    (layout,) = between.layouts(name)
    scan = Scan(layout, reader(between.source))
    column = layout.columns[0].source
    assert scan.judged("v > ''", column, alters) == (1, ())
