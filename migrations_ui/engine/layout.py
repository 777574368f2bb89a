"""How a table's columns on the source meet those on the destination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Field

from migrations_ui.engine.catalog import Table
from migrations_ui.engine.databases.base import (
    FLOAT_DIGITS,
    Column,
    Database,
    RowFilter,
    Rows,
    TypedColumn,
)
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.kinds import Kind, common_kind
from migrations_ui.engine.missing import missing_table
from migrations_ui.engine.naming import Described, lookup, names_on
from migrations_ui.engine.through_django import (
    ThroughDjango,
    converted,
    final_field,
    names_own_type,
)

SEARCH_VECTOR = (
    "A search vector is made from other columns: leave the table out, and let the site make it "
    "anew on the destination (Wagtail by `manage.py update_index`)."
)

UNKNOWN_COLUMN = (
    "No model that is loaded has this column. If the ready() of an app adds it, name that app in "
    "CUTOVER_READY; else let both databases have the same type, or leave the table out."
)


@dataclass(frozen=True)
class CopiedColumn:
    """A column that both databases have, and the kind in which its values cross."""

    kind: Kind
    source: Column
    dest: Column
    transform: str = ""  # declared by the operator
    # Where the kind is DJANGO.  Kept apart: a layout is known by its columns' facts.
    through: ThroughDjango | None = field(default=None, repr=False, compare=False)

    @property
    def read_as(self) -> Kind:
        """The kind in which the source writes it."""
        return self.through.source.kind or self.kind if self.through else self.kind

    @property
    def loaded_as(self) -> Kind:
        """The kind in which the destination takes it."""
        return self.through.dest.kind or self.kind if self.through else self.kind

    @property
    def fits(self) -> bool:
        """Whether the source's own limit keeps its texts from being too long for the destination.

        No transform makes a text longer.
        """
        source, dest = self.source, self.dest
        if self.through or source.dynamic or source.length is None:
            return False
        return source.storage is dest.storage is Kind.TEXT and source.length <= (dest.length or 0)


@dataclass(frozen=True, eq=False)
class Layout:
    """A table that can be copied: its names on both sides and the columns that cross."""

    table: Table
    source_name: str
    dest_name: str
    columns: tuple[CopiedColumn, ...]
    filters: tuple[RowFilter, ...] = ()  # rows that the operator declared to be left out

    @property
    def label(self) -> str:
        return self.table.label

    @property
    def source_columns(self) -> list[TypedColumn]:
        return [
            TypedColumn(column.read_as, column.source, column.transform, column.dest.precision or 0)
            for column in self.columns
        ]

    @property
    def dest_columns(self) -> list[TypedColumn]:
        return [
            TypedColumn(column.loaded_as, column.dest, fits=column.fits) for column in self.columns
        ]

    def for_dest(self, rows: bytes) -> bytes:
        """Canonical rows of the source as the destination takes them; mostly they are the same."""
        through = {i: column.through for i, column in enumerate(self.columns) if column.through}
        return converted(rows, through) if through else rows

    @property
    def rows(self) -> Rows:
        """The source's rows that are to be in the destination."""
        return Rows(self.filters)

    @property
    def signature(self) -> list[str]:
        """What a canonical row of this layout holds, in order: two that are equal mean the same."""
        return [
            f"{column.dest.name} {column.kind}"
            + (f" {column.source.type}" if column.kind is Kind.DJANGO else "")
            for column in self.columns
        ]

    @property
    def key_positions(self) -> list[int]:
        """Where the primary key's columns stand in a canonical row."""
        names = [column.dest.name.lower() for column in self.columns]
        return [names.index(key.lower()) for key in self.table.key if key.lower() in names]


def layouts(
    tables: Sequence[Table], source: Database, dest: Database
) -> tuple[list[Layout], list[Finding]]:
    """The layouts of the tables that can be copied, and what is wrong with the others."""
    sides = (Described(database, names_on(database, tables)) for database in (source, dest))
    return matched(tables, *sides)


def matched(
    tables: Sequence[Table], source: Described, dest: Described
) -> tuple[list[Layout], list[Finding]]:
    """`layouts` of two databases whose tables are known."""
    findings: list[Finding] = []
    found = []
    for table in tables:
        there, here = table.label in source.names, table.label in dest.names
        if not (there and here):
            findings += missing_table(
                table, source.database, dest.database, on_source=there, on_dest=here
            )
            continue
        source_name, dest_name = source.names[table.label], dest.names[table.label]
        matching = Matching(table, source_name, dest_name, source.database, dest.database)
        matching.run(source.columns[source_name], dest.columns[dest_name])
        findings += matching.findings
        found.append(Layout(table, source_name, dest_name, tuple(matching.columns)))
    return found, findings


class Matching:
    """The columns of one table, matched by name: first the model's, then what both have besides."""

    def __init__(
        self, table: Table, source_name: str, dest_name: str, source: Database, dest: Database
    ) -> None:
        self.table = table
        self.source_name, self.name = source_name, dest_name
        self.source_db, self.dest_db = source, dest
        self.source: dict[str, Column] = {}
        self.dest: dict[str, Column] = {}
        self.columns: list[CopiedColumn] = []
        self.findings: list[Finding] = []

    def run(self, source: Mapping[str, Column], dest: Mapping[str, Column]) -> None:
        """Match every column; what is left over on one side is a finding."""
        self.source, self.dest = dict(source), dict(dest)
        for declared in self.table.fields:
            column = str(declared.column)
            there = lookup(self.source, column, self.source_db.folds_names)
            here = lookup(self.dest, column, self.dest_db.folds_names)
            self.match(column, there, here, declared)
        for name, there in list(self.source.items()):
            here = lookup(self.dest, name, self.dest_db.folds_names)
            if here is not None:
                self.match(name, there, here, None)
        self.left_over()

    def match(
        self, name: str, source: Column | None, dest: Column | None, field: Field[Any, Any] | None
    ) -> None:
        """Take one column off both sides."""
        if source is not None:
            del self.source[source.name]
        if dest is not None:
            del self.dest[dest.name]
        if dest is not None and dest.generated:
            self.computed_in_dest(source, dest)
            return
        if source is None or dest is None:
            self.missing(name, "source" if source is None else "destination")
            return
        there, here = (self.source_db, source), (self.dest_db, dest)
        if (kind := column_kind(there, here, field)) is None:
            if source.generated and (dest.nullable or dest.has_default):
                self.computed_in_source(source, dest)
            else:
                self.match_through_django(source, dest, field)
            return
        source, dest = scaled(kind, there, here)
        if loses_digits(kind, source, dest):
            self.precision_lost(source, dest)
        self.columns.append(CopiedColumn(kind, source, dest))

    def match_through_django(
        self, source: Column, dest: Column, field: Field[Any, Any] | None
    ) -> None:
        """Let the field convert the values, if it declares both types and can do so."""
        if field is None:
            self.unknown(source, dest, field)
            return
        through = ThroughDjango(field, (self.source_db, source), (self.dest_db, dest))
        if not through.possible:
            self.unknown(source, dest, field)
        elif problem := through.problem(self.source_db.quote(self.source_name)):
            why = f" Its {type(field).__name__} can't convert them: {problem}."
            self.unknown(source, dest, field, why)
        else:
            self.columns.append(CopiedColumn(Kind.DJANGO, source, dest, through=through))
            self.converted_by(source, dest, field)

    def missing(self, name: str, side: str) -> None:
        self.find(
            f"column-missing-{side}",
            Severity.BLOCKER,
            name,
            f"The model has a column {name}, which is missing in the {side}.",
            "Apply the missing migrations there"
            + (" (`manage.py migrate --database dest`)." if side == "destination" else "."),
        )

    def converted_by(self, source: Column, dest: Column, field: Field[Any, Any]) -> None:
        self.find(
            "through-django",
            Severity.INFO,
            source.name,
            f"The column {source.name} is {source.type} in the source and {dest.type} in the "
            f"destination. Its values go through Django's {type(field).__name__}, one by one, "
            "which is slower; one that does not come through unaltered is refused.",
            "Nothing to do.",
        )

    def computed_in_dest(self, source: Column | None, dest: Column) -> None:
        """Tell of a column that a source of another vendor has as a plain one, and leaves empty."""
        if source is None or source.generated:
            return
        if not has_values(self.source_db, self.source_name, source):
            self.find(
                "generated-not-copied",
                Severity.WARNING,
                dest.name,
                f"The destination computes {dest.name}, in which the source has no value: nothing "
                "of it is copied or compared.",
                "Nothing to do if the site wants it computed.",
            )

    def computed_in_source(self, source: Column, dest: Column) -> None:
        """Tell of a column whose computed values are nothing to the destination."""
        self.find(
            "generated-not-copied",
            Severity.WARNING,
            source.name,
            f"The source computes {source.name}, a {source.type}, and the destination has a plain "
            f"column of {dest.type} for it: it stays empty there, and is not compared.",
            "Nothing to do if the site does without it on this database.",
        )

    def unknown(
        self, source: Column, dest: Column, field: Field[Any, Any] | None, why: str = ""
    ) -> None:
        self.find(
            "type-unknown",
            Severity.BLOCKER,
            source.name,
            f"The column {source.name} is {source.type} in the source and {dest.type} in the "
            f"destination; values don't cross between these types.{why}",
            SEARCH_VECTOR
            if "tsvector" in (source.type, dest.type)
            else UNKNOWN_COLUMN
            if field is None
            else "Change the field so that both databases store it alike, or leave the table out.",
        )

    def precision_lost(self, source: Column, dest: Column) -> None:
        self.find(
            "precision-lost",
            Severity.WARNING,
            source.name,
            f"The column {source.name} is {source.type} in the source, and the destination's "
            f"{dest.type} holds fewer digits: a value that has more is refused.",
            f"If there are such values, widen the column {dest.name} in the destination.",
        )

    def left_over(self) -> None:
        """Columns that one side has alone and that no model knows."""
        for column in self.source.values():
            if not column.generated:
                self.find(
                    "column-extra-source",
                    Severity.WARNING,
                    column.name,
                    f"The source has a column {column.name} that neither the model nor the "
                    "destination has; its values are not copied.",
                    "If they are still needed, add the column to the model and the destination.",
                )
        for column in self.dest.values():
            if not (column.generated or column.nullable or column.has_default):
                self.find(
                    "column-extra-destination",
                    Severity.BLOCKER,
                    column.name,
                    f"The destination has a column {column.name} that takes no NULL, has no "
                    "default, and is missing in the source.",
                    "Drop the column, give it a default, or apply the missing migrations.",
                )

    def find(self, code: str, severity: Severity, column: str, message: str, remedy: str) -> None:
        self.findings.append(
            Finding(
                code=code,
                severity=severity,
                label=self.table.label,
                table=self.name,
                column=column,
                message=message,
                remedy=remedy,
            )
        )


def column_kind(
    one: tuple[Database, Column], other: tuple[Database, Column], field: Field[Any, Any] | None
) -> Kind | None:
    """The kind in which the column crosses; a type of one vendor's own crosses to itself only."""
    (source_db, source), (dest_db, dest) = one, other
    kind = common_kind(source.storage, dest.storage, internal_type(field))
    if source.storage is not dest.storage and kind is not Kind.JSON and names_own_type(field):
        kind = None  # a subclass that stores it in its own way, such as UUIDs with their dashes
    # A day and 24 hours are two intervals, and two moments may have one local time, so between two
    # that store such they go as they are.
    own = source.storage is None or source.storage is dest.storage is Kind.DURATION
    own = own or (source.is_instant and source_db.time_zone != "UTC")
    alike = source_db.vendor == dest_db.vendor and source.type == dest.type
    return Kind.NATIVE if own and alike else kind


def has_values(database: Database, table: str, column: Column) -> bool:
    """Whether the column of that table is anything but NULL in some row."""
    where = f"{database.quote(table)} WHERE {database.quote(column.name)} IS NOT NULL"
    return bool(database.query(f"SELECT 1 FROM {where} LIMIT 1"))


def scaled(
    kind: Kind, source: tuple[Database, Column], dest: tuple[Database, Column]
) -> tuple[Column, Column]:
    """The two columns, where one is a decimal without digits with those of the other.

    So both sides are read as Django reads them: SQLite itself keeps a float, whose last bit may be
    another one than the decimal's.  Between two of SQLite's the float crosses with all its digits.
    """
    (source_db, there), (dest_db, here) = source, dest
    if kind is not Kind.DECIMAL:
        return there, here
    if there.scale is here.scale is None and source_db.refuses_digits and dest_db.refuses_digits:
        return there, replace(here, precision=FLOAT_DIGITS)
    if there.scale is None and source_db.refuses_digits:
        there = replace(there, scale=here.scale)
    if here.scale is None and dest_db.refuses_digits:
        here = replace(here, scale=there.scale)
    return there, here


def loses_digits(kind: Kind, source: Column, dest: Column) -> bool:
    """Whether the destination would silently round or cut some value that the source can hold."""
    if kind is Kind.DECIMAL:
        return dest.scale is not None and (source.scale is None or source.scale > dest.scale)
    if kind in (Kind.DATETIME, Kind.TIME, Kind.FLOAT):
        return (source.precision or 0) > (dest.precision or 0)
    return False


def internal_type(field: Field[Any, Any] | None) -> str:
    """The internal type of a field, or of the field that its foreign keys end at."""
    return final_field(field).get_internal_type() if field is not None else ""
