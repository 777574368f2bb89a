"""Each hazard, in each direction in which it is possible.

A case has values that cross and values that don't.  The former must not be found, and the copy must
take them; the latter must be found by table, column, number and keys, and the copy must refuse or
alter each of them: a finding that the copy does not bear out is a false alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from migrations_ui.engine.findings import Severity
from tests.engine_values.cases import Case
from tests.engine_values.conftest import MakeSides
from tests.engine_values.number_cases import NUMBER_CASES
from tests.engine_values.text_cases import TEXT_CASES


@pytest.mark.parametrize("case", [*TEXT_CASES, *NUMBER_CASES], ids=str)
def test_what_does_not_cross_is_found_and_nothing_else_is(case: Case, sides: MakeSides) -> None:
    between = sides(case.source, case.dest)
    there, here = (f"id integer NOT NULL PRIMARY KEY, v {kind}" for kind in case.types)
    name = between.create(there, here)

    def fill(values: Sequence[Any], first: int) -> None:
        if case.as_sql:
            for key, value in enumerate(values, start=first):
                between.source.execute(f"INSERT INTO {name} VALUES ({key}, {value})")
        else:
            between.fill(name, list(enumerate(values, start=first)))

    fill(case.good, 1)
    assert between.check(name, **case.kinds) == []
    assert between.survives(name, **case.kinds)

    between.dest.execute(f"DELETE FROM {name}")
    values = [*case.bad, *case.misread]
    fill(values, 101)
    found = between.check(name, **case.kinds)
    assert [(f.code, f.table, f.column, f.rows) for f in found] == [
        (case.code, name, "v", len(values))
    ]
    assert found[0].sample_keys == tuple(str(101 + n) for n in range(len(values)))[:5]
    assert found[0].severity is Severity.BLOCKER

    for number in range(len(case.bad)):
        between.source.execute(f"DELETE FROM {name}")
        fill(case.bad[number : number + 1], 1)
        assert not between.survives(name, **case.kinds), f"{case.bad[number]!r} does cross"
