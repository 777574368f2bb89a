"""The columns of both sides, compared with one another and with the model's fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import NOT_PROVIDED, Field, Value

from migrations_ui.engine.checks.sides import Side, listed
from migrations_ui.engine.databases.base import Column, Database
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.layout import CopiedColumn, Layout, has_values, loses_digits
from migrations_ui.engine.naming import lookup

# How the fields of Django's own are stored, whatever the vendor.
STORED_AS = {
    "BinaryField": {Kind.BINARY},
    "BooleanField": {Kind.BOOLEAN, Kind.INTEGER},
    "CharField": {Kind.TEXT},
    "DateField": {Kind.DATE},
    "DateTimeField": {Kind.DATETIME},
    "DecimalField": {Kind.DECIMAL},
    "DurationField": {Kind.DURATION, Kind.INTEGER},
    "FileField": {Kind.TEXT},
    "FilePathField": {Kind.TEXT},
    "FloatField": {Kind.FLOAT},
    "GenericIPAddressField": {Kind.IP, Kind.TEXT},
    "IntegerField": {Kind.INTEGER},
    "BigIntegerField": {Kind.INTEGER},
    "SmallIntegerField": {Kind.INTEGER},
    "PositiveIntegerField": {Kind.INTEGER},
    "PositiveBigIntegerField": {Kind.INTEGER},
    "PositiveSmallIntegerField": {Kind.INTEGER},
    "AutoField": {Kind.INTEGER},
    "BigAutoField": {Kind.INTEGER},
    "SmallAutoField": {Kind.INTEGER},
    "JSONField": {Kind.JSON, Kind.TEXT},
    "SlugField": {Kind.TEXT},
    "TextField": {Kind.TEXT},
    "TimeField": {Kind.TIME},
    "UUIDField": {Kind.UUID, Kind.TEXT},
}
# Bytes of an integer or a float, by the first word of its type.
WIDTHS = {
    Kind.INTEGER: {
        "tinyint": 1,
        "smallint": 2,
        "mediumint": 3,
        "int": 4,
        "integer": 4,
        "bigint": 8,
    },
    Kind.FLOAT: {"float": 4, "real": 4, "double": 8},
}
# Characters; the limits beyond it differ by vendor and are none in practice.
LONGEST = 1 << 24
UNICODE = {"", "utf8mb4"}
UNICODE_BY_HALF = {"utf8", "utf8mb3"}


def columns(layouts: Iterable[Layout], source: Side, dest: Side) -> Iterator[Finding]:
    """Everything about the columns that cross."""
    dest_has_uuids = has_uuids(dest.database)
    for layout in layouts:
        table = Columns(layout, source, dest, dest_has_uuids=dest_has_uuids)
        yield from table.narrower()
        yield from table.fields()
        yield from table.charsets()


def widths(source: Side, dest: Side) -> Iterator[Finding]:
    """Tables of whose rows not all may fit into the destination's pages."""
    if source.database.vendor == dest.database.vendor:
        return  # what fits there fits here
    for width in dest.inspector.too_wide(dest.tables):
        yield Finding(
            code="row-too-wide",
            severity=Severity.WARNING,
            label=dest.labels.get(width.table, ""),
            table=width.table,
            message=f"{width.table} has {width.columns:,} columns. A row that is filled in all of "
            f"them may take {width.size:,} bytes of its page, which has room for {width.room:,}: "
            "the destination would refuse it (“row is too big”) and the run would stop.",
            remedy="Nothing, if no row is filled in so many columns. Else divide the model into "
            "two, or keep some of its fields in one JSONField, before the cutover.",
        )


class Columns:
    """The columns of one table."""

    def __init__(self, layout: Layout, source: Side, dest: Side, *, dest_has_uuids: bool) -> None:
        self.layout = layout
        self.source = source
        self.on_dest = dest.columns[layout.dest_name]
        self.folds = dest.database.folds_names
        # Where sizes are not kept, they are no reason to expect what is beyond them.
        self.sized = source.inspector.enforces_types and dest.inspector.enforces_types
        self.dest_is_sized = dest.inspector.enforces_types
        self.dest_has_uuids = dest_has_uuids
        self.same_vendor = source.database.vendor == dest.database.vendor

    def narrower(self) -> Iterator[Finding]:
        """Columns of the destination into which not everything fits that the source may hold."""
        for column in self.layout.columns:
            if self.sized and (what := loses(column)):
                yield self.finding(
                    "column-narrower",
                    Severity.WARNING,
                    column.dest.name,
                    f"{column.dest.name} is {described(column.source)} in the source and "
                    f"{described(column.dest)} in the destination, which holds {what}.",
                    "Values that don't fit are found with the data. Widen the column where the "
                    "field allows it: apply the migrations that do, or ALTER TABLE.",
                )
            if column.source.nullable and not column.dest.nullable and not self.is_key(column):
                yield self.finding(
                    "column-not-nullable",
                    Severity.WARNING,
                    column.dest.name,
                    f"{column.dest.name} may be NULL in the source and not in the destination: a "
                    "row where it is NULL is refused.",
                    "Fill such rows in the source, or let the model and the destination take NULL.",
                )

    def is_key(self, column: CopiedColumn) -> bool:
        """Whether it is in the primary key; some vendors call that nullable, and it never is."""
        return column.dest.name.lower() in {name.lower() for name in self.layout.table.key}

    def fields(self) -> Iterator[Finding]:
        """The destination's columns against the model's fields."""
        copied = {column.dest.name: column for column in self.layout.columns}
        for field in self.layout.table.fields:
            column = lookup(self.on_dest, str(field.column), self.folds)
            if column is None:
                continue  # reported as missing
            if getattr(field, "generated", False) or column.generated:
                yield from self.computed(field, column)
                continue
            yield from self.promises(field, column)
            if column.name in copied:
                yield from self.type(field, copied[column.name])

    def computed(self, field: Field[Any, Any], column: Column) -> Iterator[Finding]:
        """Columns that one of model and destination takes for computed, or both do."""
        if not column.generated:
            yield self.finding(
                "generated-missing-destination",
                Severity.WARNING,
                column.name,
                f"The model says that the database computes {column.name}; in the destination it "
                "is a plain column, which keeps what is copied and is never computed again.",
                "Drop the column there and let the migration make it again.",
            )
        elif not getattr(field, "generated", False):
            if self.source_has_values(column):
                yield self.finding(
                    "generated-destination",
                    Severity.BLOCKER,
                    column.name,
                    f"The destination computes {column.name}, which the model does not know: the "
                    "source's values can't be written.",
                    f"If they are needed, ALTER TABLE {self.layout.dest_name}: make {column.name} "
                    "a plain column; else empty the column in the source.",
                )
        elif not self.same_vendor:
            yield self.finding(
                "generated-compared",
                Severity.INFO,
                column.name,
                f"The destination computes {column.name} itself, and another vendor's server may "
                "do so otherwise (lower and upper case beyond ASCII, divisions, rounding). The "
                "audit compares it and tells of rows in which the two differ; who signs it off "
                "answers for them.",
                "See in a rehearsal whether they differ, and whether the site minds.",
            )

    def source_has_values(self, column: Column) -> bool:
        source, table = self.source.database, self.layout.source_name
        there = lookup(self.source.columns[table], column.name, source.folds_names)
        return there is not None and not there.generated and has_values(source, table, there)

    def promises(self, field: Field[Any, Any], column: Column) -> Iterator[Finding]:
        """What the model relies on: no NULL, the length, the default."""
        if column.nullable and not field.null and not field.primary_key:
            yield self.finding(
                "column-nullable-destination",
                Severity.WARNING,
                column.name,
                f"The model takes no NULL in {column.name}, and the destination does.",
                "ALTER TABLE: make the column NOT NULL, as `migrate` would.",
            )
        if (
            self.dest_is_sized
            and column.storage is Kind.TEXT
            and column.length is not None
            and column.length < (limit := limit_of(field))
        ):
            yield self.finding(
                "column-shorter-than-model",
                Severity.WARNING,
                column.name,
                f"The model allows {limit:,} characters in {column.name}, the destination "
                f"{column.length:,}.",
                "Apply the missing migrations to the destination, or ALTER TABLE.",
            )
        if has_default(field) and not column.has_default:
            yield self.finding(
                "default-missing-destination",
                Severity.WARNING,
                column.name,
                f"The model leaves the default of {column.name} to the database, and the "
                "destination has none: new rows of the site would be refused or wrong.",
                "ALTER TABLE: give the column its default, as `migrate` would.",
            )

    def type(self, field: Field[Any, Any], column: CopiedColumn) -> Iterator[Finding]:
        """A column that neither side stores as the field would."""
        expected = STORED_AS.get(field.get_internal_type(), set())
        storages = {column.source.storage, column.dest.storage}
        if is_djangos_own(field) and expected and not storages & {None, *expected}:
            yield self.finding(
                "type-differs-from-model",
                Severity.WARNING,
                column.dest.name,
                f"The model's {type(field).__name__} {column.dest.name} is {column.source.type} in "
                f"the source and {column.dest.type} in the destination.",
                "It is copied as it is. Let a migration give the column the field's type.",
            )
        texts = Kind.UUID in expected and column.dest.storage is Kind.TEXT
        if is_djangos_own(field) and texts and self.dest_has_uuids:
            yield self.finding(
                "uuid-as-text",
                Severity.WARNING,
                column.dest.name,
                f"{column.dest.name} is {column.dest.type} in the destination, where Django asks "
                "for UUIDs by the type uuid: the site would find no row by it.",
                f"ALTER TABLE {self.layout.dest_name}: make {column.dest.name} a uuid, as "
                "`migrate` does.",
            )

    def charsets(self) -> Iterator[Finding]:
        """Columns that don't hold every character."""
        half: list[str] = []
        less: list[str] = []
        for column in self.layout.columns:
            charset = column.dest.charset
            if charset in UNICODE or charset == column.source.charset:
                continue
            (half if charset in UNICODE_BY_HALF else less).append(column.dest.name)
        if half:
            yield self.finding(
                "charset-utf8mb3",
                Severity.INFO,
                ", ".join(half),
                f"utf8mb3 keeps no character beyond U+FFFF (emoji, rare Chinese): {listed(half)}.",
                f"ALTER TABLE {self.layout.dest_name} CONVERT TO CHARACTER SET utf8mb4;",
            )
        if less:
            yield self.finding(
                "charset-not-unicode",
                Severity.WARNING,
                ", ".join(less),
                f"The destination's character set refuses most of Unicode: {listed(less)}.",
                f"ALTER TABLE {self.layout.dest_name} CONVERT TO CHARACTER SET utf8mb4;",
            )

    def finding(
        self, code: str, severity: Severity, column: str, message: str, remedy: str
    ) -> Finding:
        return Finding(
            code=code,
            severity=severity,
            label=self.layout.label,
            table=self.layout.dest_name,
            column=column,
            message=message,
            remedy=remedy,
        )


def has_uuids(database: Database) -> bool:
    """Whether Django keeps UUIDs there in a type of their own."""
    if database.vendor == "mysql":
        return database.product == "MariaDB" and database.server().version >= (10, 7)
    return database.vendor == "postgresql"


def loses(column: CopiedColumn) -> str:
    """What the destination's column holds less of than the source's; "" where it holds all."""
    source, dest = column.source, column.dest
    if source.storage is not dest.storage or loses_digits(column.kind, source, dest):
        return ""  # reported with the layout
    if dest.storage is Kind.TEXT:
        return "fewer characters" if limit(dest) < limit(source) else ""
    if dest.storage in WIDTHS:
        there, here = width(source), width(dest)
        return "smaller numbers" if there and here and here < there else ""
    if dest.storage is Kind.DECIMAL:
        return fewer_digits(source, dest)
    if dest.storage in (Kind.DATETIME, Kind.TIME):
        there, here = source.precision, dest.precision
        return "fewer digits of a second" if (there or 0) > (here or 0) else ""
    return ""


def limit(column: Column) -> int:
    """How many characters fit; what no text reaches is all the same."""
    return min(column.length or LONGEST, LONGEST)


def width(column: Column) -> int | None:
    """The bytes of a number's type."""
    word = column.type.partition("(")[0].partition(" ")[0]
    return WIDTHS[column.storage].get(word) if column.storage in WIDTHS else None


def fewer_digits(source: Column, dest: Column) -> str:
    """Where a decimal loses digits, before the point or after it."""
    if dest.precision is None:
        return ""
    if source.precision is None:
        return "fewer digits"
    if (source.scale or 0) > (dest.scale or 0):
        return "fewer digits after the point"
    whole = source.precision - (source.scale or 0) > dest.precision - (dest.scale or 0)
    return "fewer digits before the point" if whole else ""


def described(column: Column) -> str:
    """A type with its size, which some vendors give apart."""
    if "(" in column.type:
        return column.type
    if column.storage is Kind.TEXT and column.length:
        return f"{column.type}({column.length})"
    if column.storage is Kind.DECIMAL and column.precision:
        return f"{column.type}({column.precision},{column.scale})"
    if column.storage in (Kind.DATETIME, Kind.TIME) and column.precision is not None:
        return f"{column.type}({column.precision})"
    return column.type


def limit_of(field: Field[Any, Any]) -> int:
    """How many characters the model lets into a column of Django's own making; 0 for no limit."""
    sized = is_djangos_own(field) and field.get_internal_type() in (
        "CharField",
        "FileField",
        "FilePathField",
        "SlugField",
    )
    return (field.max_length or 0) if sized else 0


def has_default(field: Field[Any, Any]) -> bool:
    """Whether the database has to fill in the field's value."""
    default = getattr(field, "db_default", NOT_PROVIDED)
    if isinstance(default, Value):
        default = default.value
    return default is not NOT_PROVIDED and default is not None


def is_djangos_own(field: Field[Any, Any]) -> bool:
    """Whether the field's class is one of Django's, whose columns are known."""
    return type(field).__module__.startswith("django.db.models.")
