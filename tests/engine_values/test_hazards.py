"""Each hazard, in each direction in which it is possible.

A case has values that cross and values that don't.  The former must not be found, and the copy must
take them; the latter must be found by table, column, number and keys, and the copy must refuse or
alter each of them: a finding that the copy does not bear out is a false alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.errors import RowRefused
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.rejecting import Allowance, Rejects
from migrations_ui.engine.transforms import parse, transformed
from migrations_ui.engine.values.hazards import WORDS
from tests.engine_values.cases import Case
from tests.engine_values.conftest import MakeSides, rows_of
from tests.engine_values.number_cases import NUMBER_CASES
from tests.engine_values.text_cases import TEXT_CASES

CASES = [*TEXT_CASES, *NUMBER_CASES]
# What is not about the values of a single column has tests of its own.
ELSEWHERE = {
    *("unique-clash", "duplicate", "orphans", "parent-left-out", "parent-refused"),
    *("parent-not-copied", "child-left-behind", "packet-too-large", "time-left-out"),
    *("duplicate-in-part", "check-violated", "time-doubled", "charset-unmapped"),
    "json-number-altered",
}


class Planted:
    """A table on either side, with one column to plant values in."""

    def __init__(self, case: Case, sides: MakeSides) -> None:
        self.case = case
        self.between = sides(case.source, case.dest)
        there, here = (f"id integer NOT NULL PRIMARY KEY, v {kind}" for kind in case.types)
        self.name = self.between.create(there, here)
        self.between.dest.prepare_load()
        # Of a check that a row violates, not every server says which column it is about.
        self.nameless = {""} if "json" in case.code or "CHECK" in there + here else set()

    def fill(self, values: Sequence[Any], first: int) -> None:
        if self.case.as_sql:
            for key, value in enumerate(values, start=first):
                self.between.source.execute(f"INSERT INTO {self.name} VALUES ({key}, {value})")
        else:
            self.between.fill(self.name, list(enumerate(values, start=first)))

    def check(self) -> list[Finding]:
        return self.between.check(self.name, **self.case.kinds)

    def layout(self, *choices: str) -> Layout:
        found = self.between.layouts(self.name, **self.case.kinds)
        return transformed(found, map(parse, choices), self.between.source)[0]

    def copy(self, limit: int = 0, *choices: str) -> list[str]:
        """Copy it into an empty table; the keys that were set aside."""
        self.between.dest.execute(f"DELETE FROM {self.name}")
        rejects = Rejects(Allowance(limit))
        source, dest = self.between.source, self.between.dest
        copy_chunk(source, dest, Chunk(self.layout(*choices)), lambda rows: None, rejects)
        assert {refused.column for refused in rejects.found} <= {"v", *self.nameless}
        return [refused.key for refused in rejects.found]

    def arrived(self, *choices: str) -> bool:
        """Whether the destination has what the source has, but for the transforms."""
        layout = self.layout(*choices)
        return rows_of(self.between.source, self.name, layout.source_columns) == rows_of(
            self.between.dest, self.name, layout.dest_columns
        )


@pytest.mark.parametrize("case", [case.parameter for case in CASES])
def test_what_does_not_cross_is_found_and_nothing_else_is(case: Case, sides: MakeSides) -> None:
    planted = Planted(case, sides)
    planted.fill(case.good, 1)
    assert planted.check() == []
    assert planted.copy() == []
    assert planted.arrived()

    values = [*case.bad, *case.misread]
    planted.fill(values, 101)
    (found,) = planted.check()
    assert (found.code, found.table, found.column) == (case.code, planted.name, "v")
    assert found.rows == len(values)
    assert found.sample_keys == tuple(str(101 + n) for n in range(len(values)))[:5]
    assert found.severity is (Severity.WARNING if case.warns else Severity.BLOCKER)


@pytest.mark.parametrize("case", [case.parameter for case in CASES if case.bad])
def test_the_copy_does_not_take_what_was_found(case: Case, sides: MakeSides) -> None:
    """It stops and leaves the destination as it was, or, by a finding that says so, alters it."""
    planted = Planted(case, sides)
    for number in range(len(case.bad)):
        planted.between.source.execute(f"DELETE FROM {planted.name}")
        planted.fill(case.bad[number : number + 1], 1)
        (found,) = planted.check()
        if found.refused:
            with pytest.raises(RowRefused) as refused:
                planted.copy()
            assert refused.value.column in ("v", *planted.nameless)
            assert ", key 1" in str(refused.value)
            assert planted.between.dest.count(planted.name) == 0
        else:
            with suppress(RowRefused):
                planted.copy()
            assert not planted.arrived(), f"{case.bad[number]!r} does cross"


@pytest.mark.parametrize("case", [case.parameter for case in CASES if case.bad])
def test_what_is_refused_is_set_aside_and_all_else_arrives(case: Case, sides: MakeSides) -> None:
    planted = Planted(case, sides)
    planted.fill(case.good, 1)
    planted.fill(case.bad, 101)
    (found,) = planted.check()
    if not found.refused:
        return
    keys = [str(101 + number) for number in range(len(case.bad))]
    assert planted.copy(len(case.bad)) == keys
    planted.between.source.execute(f"DELETE FROM {planted.name} WHERE id > 100")
    assert planted.arrived()


@pytest.mark.parametrize("case", [case.parameter for case in CASES if case.bad or case.warns])
def test_with_each_transform_that_is_offered_all_rows_arrive(case: Case, sides: MakeSides) -> None:
    planted = Planted(case, sides)
    planted.fill(case.good, 1)
    planted.fill([*case.bad, *case.misread], 101)
    (found,) = planted.check()
    for choice in found.choices:
        assert planted.copy(0, choice) == []
        assert planted.arrived(choice)


def test_every_hazard_has_its_case() -> None:
    assert {case.code for case in CASES} == set(WORDS) - ELSEWHERE
