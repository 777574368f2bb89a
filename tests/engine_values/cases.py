"""A hazard's values: those that cross from one type to another, and those that don't."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from _pytest.mark import ParameterSet
from django.db import models

PG, MY, SQ = "postgresql", "mysql", "sqlite"


@dataclass(frozen=True)
class Case:
    """Values of a column `v` that cross from one type to the other (`good`), or don't (`bad`)."""

    code: str
    source: str
    dest: str
    types: tuple[str, str]
    good: Sequence[Any]
    bad: Sequence[Any]
    field: type[models.Field] | None = None
    # Written by the source itself, since its driver does not take such a value.
    as_sql: bool = False
    # The destination takes these, but Django would not read there what it read before.
    misread: Sequence[Any] = ()
    # They arrive as they are, so the operator is merely told.
    warns: bool = False

    def __str__(self) -> str:
        return f"{self.code}: {self.source} {self.types[0]} to {self.dest} {self.types[1]}"

    @property
    def parameter(self) -> ParameterSet:
        """The case for a test; MySQL has no type for UUIDs, and nests JSON deeper than MariaDB."""
        own = (self.dest, self.types[1]) == ("mysql", "uuid") or self.code == "json-too-deep"
        return pytest.param(self, id=str(self), marks=[pytest.mark.mariadb] if own else [])

    @property
    def kinds(self) -> dict[str, type[models.Field]]:
        return {"v": self.field} if self.field else {}
