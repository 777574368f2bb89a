"""The memory of a process that copies."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Four threads allocate at once; then glibc is asked how many heaps there are.
PROBE = """
import ctypes, sys, threading
if sys.argv[1] == "one":
    from migrations_ui.memory import use_one_heap
    use_one_heap()
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


@pytest.mark.parametrize(("how", "one"), [("one", True), ("as it is", False)])
def test_threads_allocate_from_one_heap(how: str, one: bool) -> None:
    command = [sys.executable, "-c", PROBE, how]
    found = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # this interpreter
    assert (found.stdout.count("<heap nr=") == 1) is one
