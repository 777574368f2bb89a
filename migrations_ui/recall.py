"""What a process remembers for a moment: in a cache of our own, since the host's are its site's."""

from __future__ import annotations

from django.core.cache import caches
from django.utils.connection import ConnectionProxy

memory = ConnectionProxy(caches, "cutover")
