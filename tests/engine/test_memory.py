"""Memory does not grow with the table."""

from __future__ import annotations

import subprocess
import sys

import pytest

from migrations_ui.engine.databases.base import Database
from tests.conftest import ROOT, MakeDatabase
from tests.engine.conftest import OpenDatabase, insert, run

# Copies the table `t` in a process of its own, and prints the rows and the peak in KiB.
SCRIPT = """
import resource, sys
import dj_database_url
from django.conf import settings
settings.configure(INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"])
import django
django.setup()
from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from tests.engine.conftest import config_of, plain_layout
from migrations_ui.engine import databases

source = databases.connect(config_of(sys.argv[1]), read_only=True)
dest = databases.connect(config_of(sys.argv[2]), read_only=False)
dest.prepare_load()
rows = copy_chunk(source, dest, Chunk(plain_layout(source, dest, "t")), lambda rows: None)
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
MEGABYTE = 2**20
# Larger than everything that a copy may hold at once: AHEAD, BATCH and their copies.
SMALL = 24


@pytest.mark.parametrize(
    ("source", "dest"),
    [("postgresql", "mysql"), ("mysql", "sqlite"), ("sqlite", "postgresql")],
)
def test_four_times_the_rows_take_the_same_memory(
    source: str, dest: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    peaks = []
    for size in (SMALL, 4 * SMALL):
        there, here = make_database(source), make_database(dest)
        rows = fill(open_database(there), size)
        run(open_database(here), "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v text)")
        copied, peak = copy_in_a_process(there, here)
        assert copied == rows
        peaks.append(peak)
    assert peaks[1] < 1.2 * peaks[0]


def fill(database: Database, size: int) -> int:
    """A table of about so many megabytes; the rows it has."""
    run(database, "CREATE TABLE seq (n integer)")
    insert(database, "seq", [(number,) for number in range(100)])
    wide = {"sqlite": "hex(zeroblob(1000))"}.get(database.vendor, "repeat('abcdefghij', 200)")
    rows = size * MEGABYTE // 2_000
    run(
        database,
        "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v text)",
        f"INSERT INTO t SELECT a.n * 10000 + b.n * 100 + c.n, {wide} FROM seq a, seq b, seq c"
        f" WHERE a.n <= {rows // 10_000} AND a.n * 10000 + b.n * 100 + c.n < {rows}",
    )
    return rows


def copy_in_a_process(source: str, dest: str) -> tuple[int, int]:
    """Copy the table; the number of rows and the process's peak."""
    done = subprocess.run(  # noqa: S603  # our own command line
        [sys.executable, "-c", SCRIPT, source, dest],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    copied, peak = done.stdout.split()
    return int(copied), int(peak)
