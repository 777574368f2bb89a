"""How a process that copies keeps its memory."""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_ARENA_MAX = -8  # glibc's malloc.h


def use_one_heap() -> None:
    """Let all threads that begin from now on allocate from one heap, where the C library is glibc.

    It would give each thread a heap of its own, and what was freed in one is kept from the others:
    up to 8 MB in a run of two workers.  The interpreter lets one of them run at a time anyway.
    """
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
