"""Where a destination would cut digits without a word, values that have them are refused."""

from __future__ import annotations

import pytest

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.errors import RowRefused
from migrations_ui.engine.rejecting import Allowance, Rejects
from tests.engine.conftest import OpenPair, insert, layout_of, run

# source, its type, destination, its type, a value that fits, one that has a digit too many
CASES = [
    ("postgresql", "numeric(10, 3)", "mysql", "decimal(10, 2)", "1.250", "1.255"),
    ("mysql", "decimal(10, 3)", "postgresql", "numeric(10, 2)", "1.250", "1.255"),
    ("postgresql", "numeric", "postgresql", "numeric(10, 2)", "-7.10", "-7.101"),
    (
        "postgresql",
        "timestamptz",
        "mysql",
        "datetime",
        "2020-01-02 03:04:05",
        "2020-01-02 03:04:05.1",
    ),
    ("mysql", "time(6)", "mysql", "time(3)", "03:04:05.125", "03:04:05.1255"),
    (
        "sqlite",
        "datetime",
        "mysql",
        "datetime(3)",
        "2020-01-02 03:04:05",
        "2020-01-02 03:04:05.000001",
    ),
    ("postgresql", "double precision", "mysql", "float", "0.5", "0.1"),
    ("mysql", "double", "postgresql", "real", "-0.25", "1e300"),
]


@pytest.mark.parametrize("limit", [0, 5])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[1]} to {case[2]} {case[3]}")
def test_a_digit_too_many_is_refused_and_everything_else_arrives(
    open_pair: OpenPair, case: tuple[str, str, str, str, str, str], limit: int
) -> None:
    there, its_type, here, other_type, good, bad = case
    source, dest = open_pair(there, here)
    run(source, f"CREATE TABLE t (id integer PRIMARY KEY, v {its_type})")
    run(dest, f"CREATE TABLE t (id integer PRIMARY KEY, v {other_type})")
    insert(source, "t", [(1, good), (2, None), (3, bad), (4, good)])
    layout, _ = layout_of(source, dest, "t")
    dest.prepare_load()
    rejects = Rejects(Allowance(limit))
    if limit:
        assert copy_chunk(source, dest, Chunk(layout), lambda rows: None, rejects) == 3
        assert [(row.key, row.column) for row in rejects.found] == [("3", "v")]
        assert dest.query("SELECT id FROM t ORDER BY id") == [(1,), (2,), (4,)]
    else:
        with pytest.raises(RowRefused, match=r"column v, key 3, value .* would cut it"):
            copy_chunk(source, dest, Chunk(layout), lambda rows: None, rejects)
        assert dest.count("t") == 0
