"""The memory of a process that copies."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Four threads allocate at once; then glibc is asked how many heaps there are.
HEAPS = """
import ctypes, sys, threading
if sys.argv[1:]:
    from migrations_ui.memory import use_one_heap
    use_one_heap(sys.argv[1:])
barrier = threading.Barrier(4)
def work():
    barrier.wait()
    kept.append([bytes(5000) for _ in range(100)])
kept = []
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = libc.fopen(b"/dev/stdout", b"w")
libc.malloc_info(0, ctypes.c_void_p(file))
libc.fclose(ctypes.c_void_p(file))
"""
# What SQLite says that it has allocated, for a connection that has done something.
USED = """
import _sqlite3, ctypes, sqlite3, sys
from migrations_ui.memory import let_sqlite_allocate_freely
steps = sys.argv[1].split()
for step in steps:
    if step == "connect":
        connection = sqlite3.connect(":memory:")
        connection.execute("CREATE TABLE t (c)")
    else:
        let_sqlite_allocate_freely()
library = ctypes.CDLL(_sqlite3.__file__)
library.sqlite3_memory_used.restype = ctypes.c_int64
print(library.sqlite3_memory_used(), connection.execute("SELECT COUNT(*) FROM t").fetchone())
"""


def told(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603  # this interpreter


@pytest.mark.parametrize(
    ("vendors", "one"),
    [
        (["postgresql", "mysql"], True),
        (["postgresql", "sqlite"], False),  # whose threads would wait for each other
        ([], False),  # not asked for
    ],
)
def test_threads_allocate_from_one_heap(vendors: list[str], one: bool) -> None:
    assert (told(HEAPS, *vendors).count("<heap nr=") == 1) is one


def test_sqlite_does_not_count_what_it_allocates() -> None:
    assert told(USED, "free connect") == "0 (0,)\n"


def test_sqlite_counts_where_it_was_not_asked_or_asked_too_late() -> None:
    for steps in ("connect", "connect free"):
        used, _, rows = told(USED, steps).partition(" ")
        assert (int(used) > 0, rows) == (True, "(0,)\n")
