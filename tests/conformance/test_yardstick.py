"""A copy against Django's own yardstick: dumpdata from the source, loaddata into a third database.

What both make of every value that Django's serialisers support must be the same, but for what these
lose.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.conftest import Host, Move, run_host
from tests.conformance.nasty.values import Pair
from tests.conformance.yardstick import LOSSES, left_out
from tests.conftest import MakeDatabase


@pytest.mark.parametrize(
    ("source", "dest"),
    [("postgresql", "mysql"), ("mysql", "sqlite"), ("sqlite", "postgresql")],
)
def test_a_copy_is_what_dumpdata_and_loaddata_make_but_for_their_losses(
    source: str,
    dest: str,
    move: Move,
    make_database: MakeDatabase,
    host: Host,
    tmp_path: Path,
) -> None:
    moved, third = move(source, dest, try_out=False), make_database(dest)
    fixture = str(tmp_path / "dump.jsonl")
    excluded = [f"--exclude={label}" for label in left_out(Pair(source, dest))]
    for url, *command in (
        (moved.source, "dumpdata", "--all", "--format=jsonl", f"--output={fixture}", *excluded),
        (third, "migrate", "--verbosity=0"),
        (third, "loaddata", fixture),
    ):
        done = run_host(url, "django", *command)
        assert done.returncode == 0, done.stderr[-3000:]
    found = host(moved.dest, "compare", source, dest, other=third)
    assert set(found) == set(LOSSES)
