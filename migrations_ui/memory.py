"""How a process that copies keeps its memory, so that its threads work side by side."""

from __future__ import annotations

import ctypes
from collections.abc import Collection
from contextlib import suppress
from importlib import import_module

M_ARENA_MAX = -8  # glibc's malloc.h
SQLITE_CONFIG_MEMSTATUS = 9  # sqlite3.h


def use_one_heap(vendors: Collection[str]) -> None:
    """Let all threads that begin from now on allocate from one heap, where the C library is glibc.

    It would give each thread a heap of its own, and what was freed in one is kept from the others:
    up to 8 MB in a run of two workers.  The interpreter lets one of them run at a time anyway, but
    for those that are inside SQLite: they would wait for the heap, and take a tenth longer.  So
    nothing changes with SQLite among the vendors of the source and the destination.
    """
    if "sqlite" in vendors:
        return
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def let_sqlite_allocate_freely() -> None:
    """Keep SQLite from counting what it allocates; before its first connection, or never.

    The count has one lock for the whole process.  Two threads that read rows wait for it so often
    that they take as long as one would, and twice its CPU time.  Nobody asks for the count.
    """
    # There may be no SQLite, or one that is built into the interpreter, which doesn't export it.
    with suppress(ImportError, AttributeError):
        library = ctypes.CDLL(import_module("_sqlite3").__file__)
        library.sqlite3_memory_used.restype = ctypes.c_int64
        if library.sqlite3_memory_used():  # a connection is open: shutting down would pull it away
            return
        library.sqlite3_shutdown()
        library.sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0)
        library.sqlite3_initialize()
