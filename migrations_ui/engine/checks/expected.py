"""The indexes and constraints that `migrate` makes for a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import CheckConstraint, Field, Index, Q, UniqueConstraint

from migrations_ui.engine.catalog import Table
from migrations_ui.engine.databases.inspecting import Inspector

POSITIVE = {"PositiveIntegerField", "PositiveBigIntegerField", "PositiveSmallIntegerField"}
LONG_TEXTS = {"TextField", "BinaryField", "JSONField"}


@dataclass(frozen=True)
class ExpectedIndex:
    """An index over these columns, in this order unless it is unique.

    `columns` is empty where it is over expressions; then only the name tells.
    """

    columns: tuple[str, ...]
    name: str = ""
    unique: bool = False
    partial: bool = False
    ordinary: bool = True  # operator classes of its own are not asked for
    by_foreign_key: bool = False  # any index that begins with the column will do


@dataclass(frozen=True)
class ExpectedCheck:
    """A check constraint over these columns; `name` is empty where Django makes one up."""

    columns: frozenset[str]
    name: str = ""


class Expected:
    """What a table of a vendor should have."""

    def __init__(self, table: Table, inspector: Inspector) -> None:
        self.table = table
        self.options = table.model._meta
        self.can = inspector

    def indexes(self) -> Iterator[ExpectedIndex]:
        """All indexes, from the strictest kind to the plain ones."""
        if self.table.key:
            yield ExpectedIndex(self.table.key, unique=True)
        for field in self.table.fields:
            if field.unique and not field.primary_key:
                yield ExpectedIndex((str(field.column),), unique=True)
        for names in self.options.unique_together:
            yield ExpectedIndex(self.columns(names), unique=True)
        for constraint in self.options.constraints:
            if isinstance(constraint, UniqueConstraint) and self.makes(constraint):
                yield self.of_constraint(constraint)
        yield from self.plain_indexes()

    def plain_indexes(self) -> Iterator[ExpectedIndex]:
        for field in self.table.fields:
            if wants_index(field) and self.takes_index(field):
                by_foreign_key = self.can.indexes_foreign_keys and is_constrained(field)
                yield ExpectedIndex((str(field.column),), by_foreign_key=by_foreign_key)
        for index in self.options.indexes:
            if self.makes_index(index):
                yield ExpectedIndex(
                    self.columns(name for name, _ in index.fields_orders),
                    index.name,
                    partial=index.condition is not None,
                    ordinary=not index.opclasses and is_plain(index),
                )

    def takes_index(self, field: Field[Any, Any]) -> bool:
        return self.can.indexes_texts or field.get_internal_type() not in LONG_TEXTS

    def makes(self, constraint: UniqueConstraint) -> bool:
        """Whether the vendor has what a constraint asks for; Django leaves it out otherwise."""
        return (
            (not constraint.condition or self.can.has_partial_indexes)
            and (not constraint.expressions or self.can.has_expression_indexes)
            and (not getattr(constraint, "include", ()) or self.can.has_covering_constraints)
            and (not constraint.deferrable or self.can.has_deferrable_constraints)
            and (constraint.nulls_distinct is None or self.can.has_nulls_distinct)
        )

    def makes_index(self, index: Index) -> bool:
        if not is_plain(index) and not self.can.has_special_indexes:
            return False
        # A condition that the vendor can't express is left out, and the whole is indexed.
        return not index.expressions or self.can.has_expression_indexes

    def of_constraint(self, constraint: UniqueConstraint) -> ExpectedIndex:
        return ExpectedIndex(
            self.columns(constraint.fields),
            constraint.name,
            unique=True,
            partial=constraint.condition is not None,
            ordinary=not getattr(constraint, "opclasses", ()),
        )

    def checks(self) -> Iterator[ExpectedCheck]:
        """All check constraints."""
        if not self.can.has_checks:
            return
        for field in self.table.fields:
            if field.generated:
                continue  # Django makes no check of what the database computes
            kind = field.get_internal_type()
            if (kind in POSITIVE and self.can.checks_positive) or (
                kind == "JSONField" and self.can.checks_json
            ):
                yield ExpectedCheck(frozenset({str(field.column)}))
        for constraint in self.options.constraints:
            if isinstance(constraint, CheckConstraint):
                yield ExpectedCheck(self.columns_of(constraint.condition), constraint.name)
            elif not isinstance(constraint, UniqueConstraint) and self.can.has_special_indexes:
                yield ExpectedCheck(frozenset(), constraint.name)  # an exclusion

    def foreign_keys(self) -> Iterator[Field[Any, Any]]:
        """The fields that a constraint goes with."""
        return (field for field in self.table.fields if is_constrained(field))

    def columns(self, names: Any) -> tuple[str, ...]:
        """The columns of the fields of these names."""
        return tuple(self.column(name) for name in names)

    def column(self, name: str) -> str:
        field: Any = self.options.get_field(name)
        return str(field.column)

    def columns_of(self, condition: Any) -> frozenset[str]:
        """The columns that a condition is about, as far as it tells."""
        fields = {field.name: field for field in self.table.fields}
        names = Q(condition).referenced_base_fields
        return frozenset(str(fields[name].column) for name in names if name in fields)


def wants_index(field: Field[Any, Any]) -> bool:
    """Whether the field asks for an index that a unique one doesn't make needless."""
    return bool(getattr(field, "db_index", False)) and not field.unique


def is_plain(index: Index) -> bool:
    """Whether it is Django's own kind of index, which every vendor has."""
    return type(index).__module__ == Index.__module__


def is_constrained(field: Field[Any, Any]) -> bool:
    """Whether it is a foreign key that the database enforces."""
    return bool(field.remote_field and getattr(field, "db_constraint", False))
