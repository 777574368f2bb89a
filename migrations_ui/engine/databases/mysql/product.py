"""Which of the two products a server is."""

from __future__ import annotations

from abc import ABC
from functools import cached_property

from migrations_ui.engine.databases import base


class Product(base.Database, ABC):
    """A MySQL or MariaDB database that knows which it is."""

    @cached_property
    def is_mariadb(self) -> bool:
        """Whether the server is MariaDB, not MySQL."""
        return bool(self.query("SELECT VERSION() LIKE '%mariadb%'")[0][0])
