"""Comparing takes the same memory however large the table is, and however much of it differs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from migrations_ui.engine.databases.base import Database
from tests.conftest import ROOT, MakeDatabase
from tests.engine.conftest import OpenDatabase, run
from tests.engine.test_memory import SMALL, fill

# Compares the table `t` in a process of its own, and prints the rows, those that differ, and the
# peak in KiB.  With `words` the key is a text, whose order the two vendors don't share.
SCRIPT = """
import resource, sys
from contextlib import contextmanager
from dataclasses import replace
from django.conf import settings
settings.configure(INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"])
import django
django.setup()
from migrations_ui.engine import databases, verifying
from tests.engine.conftest import config_of, plain_layout

@contextmanager
def connect():
    with databases.connect(config_of(sys.argv[1]), read_only=True) as source:
        with databases.connect(config_of(sys.argv[2]), read_only=True) as dest:
            yield source, dest

if sys.argv[3] == "by digests":
    verifying.is_ordered = lambda layout: False
with connect() as (source, dest):
    layout = plain_layout(source, dest, "t")
found = verifying.compare_table(layout, connect)
print(found.rows_source, found.different, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.parametrize("differing", [0, 1], ids=["equal", "all different"])
@pytest.mark.parametrize("way", ["in order", "by digests"])
def test_four_times_the_rows_take_the_same_memory(
    way: str, differing: int, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    peaks = []
    for size in (SMALL, 4 * SMALL):
        there, here = make_database("postgresql"), make_database("sqlite")
        rows = fill(open_database(there), size)
        fill_alike(open_database(here), rows, "b" if differing else "a")
        compared, different, peak = compare_in_a_process(there, here, way)
        assert (compared, different) == (rows, rows * differing)
        peaks.append(peak)
    assert peaks[1] < 1.2 * peaks[0]


def fill_alike(database: Database, rows: int, first: str) -> None:
    run(
        database,
        "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v text)",
        "WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n"
        f" WHERE i < {rows - 1}) INSERT INTO t SELECT i,"
        f" '{first}' || substr(replace(hex(zeroblob(100)), '00', 'abcdefghij'), 2)"
        " || replace(hex(zeroblob(100)), '00', 'abcdefghij') FROM n",
    )


def compare_in_a_process(source: str, dest: str, way: str) -> tuple[int, int, int]:
    """Compare the table; its rows, those that differ, and the process's peak."""
    done = subprocess.run(  # noqa: S603  # our own command line
        [sys.executable, "-c", SCRIPT, source, dest, way],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    compared, different, peak = done.stdout.split()
    return int(compared), int(different), int(peak)
