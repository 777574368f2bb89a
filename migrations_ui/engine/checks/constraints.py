"""Indexes and constraints of the destination, compared with what the models say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from django.db.backends.utils import truncate_name
from django.db.models import Field

from migrations_ui.engine.catalog import Table, possible_names, shortened
from migrations_ui.engine.checks.expected import Expected, ExpectedCheck, ExpectedIndex
from migrations_ui.engine.checks.sides import Side
from migrations_ui.engine.databases.base import ForeignKey
from migrations_ui.engine.databases.inspecting import Check, Index
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.naming import lookup, physical_name

T = TypeVar("T", Index, Check, ForeignKey)

REMEDY = (
    "`manage.py sqlmigrate APP MIGRATION --database dest` shows the statement that makes it; run "
    "it on the destination."
)


def constraints(tables: Sequence[Table], dest: Side) -> Iterator[Finding]:
    """What the destination lacks, and what is there but not valid."""
    names = dest.tables
    indexes = by_table(dest.inspector.indexes(names))
    checks = by_table(dest.inspector.checks(names))
    keys = by_table(dest.database.foreign_keys(names))
    counted = dest.inspector.counted_keys(names)
    without_keys = set(dest.inspector.not_transactional(names))
    for table in tables:
        if name := dest.names.get(table.label):
            compared = Compared(table, name, dest)
            yield from compared.key(counted)
            yield from compared.indexes(indexes[name])
            yield from compared.checks(checks[name])
            if name not in without_keys:
                yield from compared.foreign_keys(keys[name])
    yield from invalid_foreign_keys(dest)


def missing_indexes(tables: Sequence[Table], side: Side) -> set[tuple[str, str]]:
    """Label and columns of the plain indexes of the models that a side lacks."""
    indexes = by_table(side.inspector.indexes(side.tables))
    return {
        (found.label, found.column.lower())
        for table in tables
        if (name := side.names.get(table.label))
        for found in Compared(table, name, side).indexes(indexes[name])
        if found.code == "index-missing"
    }


def by_table(found: Iterable[T]) -> dict[str, list[T]]:
    """What was found, by the table that it is on."""
    grouped: dict[str, list[T]] = defaultdict(list)
    for item in found:
        grouped[item.table].append(item)
    return grouped


def invalid_foreign_keys(dest: Side) -> Iterator[Finding]:
    for table, name in dest.inspector.invalid_foreign_keys(dest.tables):
        yield not_valid(dest.labels.get(table, ""), table, f"foreign key {name}")


def not_valid(label: str, table: str, what: str) -> Finding:
    return Finding(
        code="constraint-not-valid",
        severity=Severity.WARNING,
        label=label,
        table=table,
        message=f"The {what} of {table} is there on the destination, but not valid: rows may "
        "violate it.",
        remedy="Validate it (ALTER TABLE … VALIDATE CONSTRAINT, or REINDEX INDEX), have it "
        "enforced (ALTER CONSTRAINT … ENFORCED), switch its triggers on (ENABLE TRIGGER ALL), or "
        "make it anew.",
    )


class Compared:
    """A table of the destination beside its model."""

    def __init__(self, table: Table, name: str, dest: Side) -> None:
        self.table = table
        self.name = name
        self.dest = dest
        self.columns = dest.columns[name]
        self.expected = Expected(table, dest.inspector)

    # -- The key ----------------------------------------------------------------------------------

    def key(self, counted: set[tuple[str, str]] | None) -> Iterator[Finding]:
        """A key that the database is to hand out, and doesn't, or by what a copy does not set."""
        auto = self.physical([self.table.auto_column]) if self.table.auto_column else None
        if counted is None or not auto or (self.name, auto[0]) in counted:
            return
        if self.columns[auto[0]].has_default:
            yield self.finding(
                "sequence-not-owned",
                auto,
                f"The keys of {self.name} come from a default whose sequence the column does not "
                "own: it is not set after the copy, and may hand out keys that are taken.",
                f"ALTER SEQUENCE … OWNED BY {self.name}.{auto[0]};",
            )
        else:
            yield self.finding(
                "key-not-counted",
                auto,
                f"The destination hands out no keys for {self.name}: new rows of the site would "
                "be refused.",
                f"ALTER TABLE: make {auto[0]} an identity or AUTO_INCREMENT column, as `migrate` "
                "does.",
            )

    # -- Indexes ----------------------------------------------------------------------------------

    def indexes(self, found: Sequence[Index]) -> Iterator[Finding]:
        """Indexes that are missing or not valid."""
        for index in found:
            if not index.valid:
                yield not_valid(self.table.label, self.name, f"index {index.name}")
        reported = set()
        for wanted in self.expected.indexes():
            columns = self.physical(wanted.columns)
            if columns is None or (wanted.unique, columns) in reported:
                continue  # a missing column is reported as that
            if not any(self.serves(index, wanted, columns) for index in found):
                reported.add((wanted.unique, columns))
                yield self.missing_index(wanted, columns)

    def serves(self, index: Index, wanted: ExpectedIndex, columns: tuple[str, ...]) -> bool:
        """Whether an index does what is wanted of it, whatever its name."""
        if wanted.unique and not index.unique:
            return False
        if not columns:
            return None in index.columns or same_name(index.name, wanted.name)
        if (index.partial and not wanted.partial) or (wanted.ordinary and not index.ordinary):
            return False
        if wanted.by_foreign_key:
            return index.columns[:1] == columns
        if wanted.unique:
            return sorted(map(str, index.columns)) == sorted(columns)
        return index.columns == columns

    def missing_index(self, wanted: ExpectedIndex, columns: tuple[str, ...]) -> Finding:
        over = ", ".join(columns) or wanted.name
        remedy = self.statement(wanted, columns)
        if wanted.unique:
            return self.finding(
                "unique-missing",
                columns,
                f"{over} is to be unique, and the destination lets two rows have the same.",
                remedy,
            )
        return self.finding(
            "index-missing",
            columns,
            f"The index on {over} is missing in the destination: queries by it will be slow.",
            remedy,
        )

    def statement(self, wanted: ExpectedIndex, columns: tuple[str, ...]) -> str:
        """What makes the index: `migrate` itself may have lost it, in a table made anew."""
        if not columns or wanted.partial or not wanted.ordinary or self.is_more(wanted):
            return REMEDY
        quote = self.dest.database.quote
        name = wanted.name or "_".join((self.name, *columns, "idx"))
        kind = "UNIQUE INDEX" if wanted.unique else "INDEX"
        listed = self.dest.database.quoted(columns)
        shortest = truncate_name(name, self.dest.database.max_name_length)
        return (
            f"Run on the destination: CREATE {kind} {quote(shortest)} ON {quote(self.name)} "
            f"({listed});"
        )

    def is_more(self, wanted: ExpectedIndex) -> bool:
        """Whether it may be more than its columns: a key, a constraint, in an order, covering."""
        if wanted.unique:
            return bool(wanted.name) or wanted.columns == self.table.key
        own = (index for index in self.table.model._meta.indexes if index.name == wanted.name)
        return any(index.include or any(order for _, order in index.fields_orders) for index in own)

    # -- Checks -----------------------------------------------------------------------------------

    def checks(self, found: Sequence[Check]) -> Iterator[Finding]:
        """Check constraints that are missing or not valid."""
        for check in found:
            if not check.valid:
                yield not_valid(self.table.label, self.name, f"check {check.name}")
        for wanted in self.expected.checks():
            columns = self.physical(tuple(sorted(wanted.columns)))
            if columns is not None and not any(
                self.keeps(check, wanted, columns) for check in found
            ):
                what = f"The check {wanted.name}" if wanted.name else f"The check of {columns[0]}"
                yield self.finding(
                    "check-missing",
                    columns,
                    f"{what} is missing in the destination: it would take values that the model "
                    "does not allow.",
                    REMEDY,
                )

    def keeps(self, check: Check, wanted: ExpectedCheck, columns: tuple[str, ...]) -> bool:
        """Whether it is the check that is wanted: by its name, or by all that it is about."""
        if wanted.name and same_name(check.name, wanted.name):
            return True
        return bool(columns) and {
            name for name in self.columns if self.dest.inspector.mentions(check.definition, name)
        } == set(columns)

    # -- Foreign keys -----------------------------------------------------------------------------

    def foreign_keys(self, found: Sequence[ForeignKey]) -> Iterator[Finding]:
        """Foreign keys that are missing, or lead to another table."""
        for field in self.expected.foreign_keys():
            columns = self.physical((str(field.column),))
            parent = self.parent(field)
            if columns is None or parent is None:
                continue
            leading = [key.parent for key in found if key.columns == columns]
            if parent not in leading:
                elsewhere = f" (it leads to {leading[0]})" if leading else ""
                yield self.finding(
                    "foreign-key-missing",
                    columns,
                    f"The foreign key from {columns[0]} to {parent} is missing in the "
                    f"destination{elsewhere}: it would take references that lead nowhere.",
                    REMEDY,
                )

    def parent(self, field: Field[Any, Any]) -> str | None:
        """The table that a foreign key leads to, as the destination names it."""
        related: Any = field.related_model
        names = possible_names(related._meta.concrete_model)
        return physical_name(names, self.dest.existing, self.dest.database.folds_names)

    # -- Words ------------------------------------------------------------------------------------

    def physical(self, columns: Collection[str]) -> tuple[str, ...] | None:
        """The columns' names in the destination; None when one is missing there."""
        folds = self.dest.database.folds_names
        found = [lookup(self.columns, column, folds) for column in columns]
        names = tuple(column.name for column in found if column is not None)
        return names if len(names) == len(found) else None

    def finding(self, code: str, columns: Sequence[str], message: str, remedy: str) -> Finding:
        return Finding(
            code=code,
            severity=Severity.WARNING,
            label=self.table.label,
            table=self.name,
            column=", ".join(columns),
            message=message,
            remedy=remedy,
        )


def same_name(found: str, wanted: str) -> bool:
    """Whether a name is the wanted one, however it was shortened or folded."""
    return found.lower() in {name.lower() for name in (wanted, *shortened(wanted))}
