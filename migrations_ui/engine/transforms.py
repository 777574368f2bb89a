"""Declared transforms: what the operator chose to be changed on the way, column by column.

Nothing is ever transformed undeclared.  The source's reader applies a transform, so that the copy
and every comparison see the same values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from django.db.models import Field

from migrations_ui.engine.catalog import make_table
from migrations_ui.engine.databases.base import Database, RowFilter
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.layout import CopiedColumn, Layout
from migrations_ui.engine.naming import columns_of, lookup, physical_name
from migrations_ui.engine.through_django import target_of


class Transform(StrEnum):
    """What may be done to a column."""

    STRIP_NUL = "strip-nul"  # NUL characters are left out
    REPLACE_NUL = "replace-nul"  # NUL characters become U+FFFD, the replacement character
    ZERO_DATE_NULL = "zero-date-null"  # a date with a month or day of zero becomes NULL
    TRUNCATE_MICROSECONDS = "truncate-microseconds"  # cut to what the destination's column holds
    SKIP_ORPHANS = "skip-orphans"  # rows whose foreign key leads nowhere are left out


KINDS = {
    Transform.STRIP_NUL: {Kind.TEXT, Kind.JSON},
    Transform.REPLACE_NUL: {Kind.TEXT, Kind.JSON},
    Transform.ZERO_DATE_NULL: {Kind.DATE, Kind.DATETIME},
    Transform.TRUNCATE_MICROSECONDS: {Kind.TIME, Kind.DATETIME},
    Transform.SKIP_ORPHANS: set(Kind),
}


@dataclass(frozen=True, order=True)
class Choice:
    """A transform of one column; `str()` is what a command takes and a run records."""

    table: str  # the label or the name of the table
    column: str
    transform: Transform

    def __str__(self) -> str:
        return f"{self.table}.{self.column}={self.transform}"


def parse(text: str) -> Choice:
    """A choice from `table.column=transform`; `EngineError` says what is wrong with it."""
    where, _, name = text.rpartition("=")
    table, _, column = where.rpartition(".")
    if not (table and column):
        raise EngineError(f"{text!r} is not a transform. Write table.column=name.")
    try:
        return Choice(table, column, Transform(name))
    except ValueError:
        known = ", ".join(Transform)
        raise EngineError(f"There is no transform {name!r}. There are: {known}.") from None


def with_labels(choices: Iterable[Choice], layouts: Sequence[Layout]) -> list[Choice]:
    """The choices, each with its table's label, however the table was named."""
    return [replace(choice, table=chosen_layout(choice, layouts).label) for choice in choices]


def transformed(
    layouts: Sequence[Layout], choices: Iterable[Choice], source: Database
) -> list[Layout]:
    """The layouts with the chosen transforms; a choice that fits no column is an `EngineError`."""
    found = {layout.label: layout for layout in layouts}
    filters = Filters(source)
    for choice in choices:
        layout = chosen_layout(choice, found.values())
        column = chosen_column(choice, layout)
        if choice.transform is Transform.SKIP_ORPHANS:
            filters.add(choice, layout, column)
        else:
            changed = replace(column, transform=choice.transform)
            columns = tuple(changed if c is column else c for c in layout.columns)
            found[layout.label] = replace(layout, columns=columns)
    return [
        replace(layout, filters=nested(filters.found, layout.source_name))
        for layout in found.values()
    ]


def chosen_layout(choice: Choice, layouts: Iterable[Layout]) -> Layout:
    """The table that is meant, by its label or its name on either side."""
    for layout in layouts:
        names = {layout.label.lower(), layout.source_name, layout.dest_name}
        if choice.table in names or choice.table.lower() in names:
            return layout
    raise EngineError(f"{choice}: the table {choice.table} is not among those that are copied.")


def chosen_column(choice: Choice, layout: Layout) -> CopiedColumn:
    """The column that is meant, if the transform fits it."""
    for column in layout.columns:
        if choice.column in (column.source.name, column.dest.name):
            break
    else:
        raise EngineError(f"{choice}: {layout.label} has no column {choice.column}.")
    if column.kind not in KINDS[choice.transform]:
        raise EngineError(f"{choice}: the column is of the kind {column.kind}.")
    if column.transform:
        raise EngineError(f"{choice}: the column is to be transformed by {column.transform}.")
    if choice.transform is Transform.ZERO_DATE_NULL and not column.dest.nullable:
        raise EngineError(f"{choice}: the destination's column takes no NULL.")
    return column


class Filters:
    """The filters that leave out rows whose foreign key leads nowhere, or to a row left out."""

    def __init__(self, source: Database) -> None:
        self.source = source
        self.found: dict[str, list[RowFilter]] = {}

    def add(self, choice: Choice, layout: Layout, column: CopiedColumn) -> None:
        """Leave out the rows of a table that this column of it does not lead anywhere."""
        self.found.setdefault(layout.source_name, []).append(self.plain(choice, layout, column))

    def plain(self, choice: Choice, layout: Layout, column: CopiedColumn) -> RowFilter:
        """The filter of a single table."""
        target = self.target(choice, layout, column)
        names, folds = make_table(target.model).names, self.source.folds_names
        parent = physical_name(names, self.source.estimates().keys(), folds)
        if parent is None:
            raise EngineError(f"{choice}: the source has no table {names[0]}.")
        key = lookup(columns_of(self.source, [parent])[parent], str(target.column), folds)
        if key is None:
            raise EngineError(f"{choice}: {parent} has no column {target.column} in the source.")
        return RowFilter(column.source.name, parent, key.name, is_exact(column))

    def target(self, choice: Choice, layout: Layout, column: CopiedColumn) -> Field[Any, Any]:
        """The field that the column refers to."""
        for field in layout.table.fields:
            target = target_of(field)
            of_field = lookup({column.source.name: column}, str(field.column), folds=True)
            if of_field and target and not getattr(field, "db_constraint", True):
                raise EngineError(f"{choice}: the model lets this foreign key lead nowhere.")
            if of_field and target:
                return target
        raise EngineError(f"{choice}: the column is no foreign key.")


def is_exact(column: CopiedColumn) -> bool:
    """Whether the destination tells "a" from "A" in a reference, whatever the source does."""
    return column.kind is Kind.TEXT and not column.dest.folds


def nested(
    found: Mapping[str, Sequence[RowFilter]], table: str, below: tuple[str, ...] = ()
) -> tuple[RowFilter, ...]:
    """The filters of a source's table, with those of its parents above them.

    Of tables that refer to one another in a circle, each is followed once.
    """
    seen = (*below, table)
    return tuple(
        one if one.parent in seen else one._replace(above=nested(found, one.parent, seen))
        for one in found.get(table, ())
    )
