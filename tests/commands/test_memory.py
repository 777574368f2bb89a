"""What a command's process does with its memory."""

from __future__ import annotations

from tests.hosts.site import Site

USED = """
import _sqlite3, ctypes
from migrations_ui.models import Run
library = ctypes.CDLL(_sqlite3.__file__)
library.sqlite3_memory_used.restype = ctypes.c_int64
print([Run.objects.count(), library.sqlite3_memory_used()])
"""


def test_sqlite_does_not_count_what_a_command_allocates(registry: Site) -> None:
    assert registry.shell(USED) == [0, 0]
