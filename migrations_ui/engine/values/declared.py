"""Rows that a model's own constraint is against, where the destination alone has the constraint.

MySQL makes no unique constraint with a condition, MariaDB none over expressions, old servers no
checks: in a source there the site may have written what the destination refuses.  Django writes
the SQL of the constraint for the source's server, which then judges its rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any, TypeVar

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CheckConstraint, UniqueConstraint
from django.db.models.constraints import BaseConstraint
from django.db.models.expressions import Col, OrderBy
from django.db.models.lookups import Lookup
from django.db.models.sql import Query
from django.db.utils import ConnectionHandler

from migrations_ui.engine.checks.constraints import same_name
from migrations_ui.engine.databases.access import read_only
from migrations_ui.engine.databases.inspecting import Check, Index, Inspector
from migrations_ui.engine.errors import ServerError
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.layout import CopiedColumn, Layout
from migrations_ui.engine.values.hazards import Hazard
from migrations_ui.engine.values.readers import Reader
from migrations_ui.engine.values.scan import Scan, finding
from migrations_ui.engine.values.targets import Target

# Lookups by which every server judges alike; texts only by the first three.
OF_TEXTS = {"exact", "in", "isnull"}
PLAIN = OF_TEXTS | {"gt", "gte", "lt", "lte", "range"}

Rule = TypeVar("Rule", Index, Check)


class Declared:
    """What the constraints of the models ask, as far as only the destination enforces it."""

    def __init__(
        self, layouts: Sequence[Layout], reader: Reader, there: Inspector, target: Target
    ) -> None:
        self.reader = reader
        names_there = [layout.source_name for layout in layouts]
        names_here = [layout.dest_name for layout in layouts]
        self.uniques = by_table(odd(target.inspector.indexes(names_here)))
        self.uniques_there = by_table(odd(there.indexes(names_there)))
        self.checks = by_table(valid(target.inspector.checks(names_here)))
        self.checks_there = by_table(valid(there.checks(names_there)))

    def over(self, reader: Reader) -> Declared:
        """The same, over a connection of another thread."""
        other = copy(self)
        other.reader = reader
        return other

    def check(self, layout: Layout) -> Iterator[Finding]:
        """The rows of one table that such constraints are against, a finding for each."""
        constraints = layout.table.model._meta.constraints
        there = self.uniques_there.get(layout.source_name, [])
        for index in self.uniques.get(layout.dest_name, []):
            if not any(same(index, other) for other in there):
                # Texts are judged by their characters, which an index may fold.
                judged = () if any(index.folds) else constraints
                unique = named(judged, UniqueConstraint, index.name)
                yield from self.judged(layout, unique, not_looked_at(layout, index))
        kept = self.checks_there.get(layout.source_name, [])
        for check in self.checks.get(layout.dest_name, []):
            wanted = named(constraints, CheckConstraint, check.name)
            if wanted and not any(same_name(other.name, wanted.name) for other in kept):
                yield from self.judged(layout, wanted, check_not_looked_at(layout, check))

    def judged(
        self, layout: Layout, constraint: BaseConstraint | None, otherwise: Finding
    ) -> Iterator[Finding]:
        """What the source's server says of the rows; `otherwise` where it can't be asked."""
        if constraint is None or getattr(constraint, "nulls_distinct", None) is False:
            yield otherwise
            return
        written = Written(layout, self.reader)
        try:
            yield from written.rows_against(constraint)
        except OperationalError as error:  # of Django's own connection
            raise ServerError(f"{self.reader.database.label}: {error}", transient=True) from error
        except ServerError as error:
            if error.transient:
                raise
            yield otherwise
        except Exception:  # noqa: BLE001  # a host's lookups and expressions run arbitrary code
            yield otherwise
        finally:
            written.close()


class Written:
    """Constraints of one table as SQL for the source's server."""

    def __init__(self, layout: Layout, reader: Reader) -> None:
        self.layout, self.reader = layout, reader
        self.columns = {column.source.name.lower(): column for column in layout.columns}
        self.query = Query(layout.table.model, alias_cols=False)
        config = read_only(reader.database.config)
        self.connection: BaseDatabaseWrapper = ConnectionHandler({"default": config})["default"]
        self.compiler = self.query.get_compiler(connection=self.connection)
        self.is_exact = True
        self.used: dict[str, CopiedColumn] = {}

    def close(self) -> None:
        """Django connects to quote a value for MySQL."""
        self.connection.close()

    def rows_against(self, constraint: BaseConstraint) -> Iterator[Finding]:
        """A finding, if there are rows that the constraint is against."""
        scan = Scan(self.layout, self.reader, self.relation())
        if isinstance(constraint, UniqueConstraint):
            values = [self.value(name) for name in constraint.fields]
            values += [self.expression(each) for each in constraint.expressions]
            where = [self.condition(constraint.condition)] if constraint.condition else []
            rows, keys = scan.repeated(values, where)
            code = "duplicate-in-part"
        else:
            # What is neither true nor false is let through.
            against = f"NOT ({self.condition(constraint.condition)})"  # type: ignore[attr-defined]
            rows, keys = scan.counts([against])[against], ()
            if rows:
                keys = scan.keys(f"FROM {scan.table} WHERE {against}")
            code = "check-violated"
        if rows:
            yield finding(self.layout, self.hazard(code, constraint), rows, keys)

    def hazard(self, code: str, constraint: BaseConstraint) -> Hazard:
        judged = (
            "" if self.is_exact else ", as the source's server judges (the destination's may not)"
        )
        return Hazard(
            code,
            ", ".join(column.dest.name for column in self.used.values()),
            "",
            None,
            (("name", constraint.name), ("judged", judged)),
            Severity.BLOCKER if self.is_exact else Severity.WARNING,
        )

    def relation(self) -> str:
        """The table with texts that are equal, and then only, if their characters are."""
        quote = self.reader.database.quote
        shown = ", ".join(
            f"{self.reader.exact(column.source)} AS {quote(column.source.name)}"
            for column in self.layout.columns
        )
        return f"(SELECT {shown} FROM {quote(self.layout.source_name)}) exact_texts"

    def value(self, field_name: str) -> str:
        """SQL for a field such that equal means the same bytes."""
        field: Any = self.layout.table.model._meta.get_field(field_name)
        return self.reader.bytewise(self.use(field.column).source)

    def use(self, name: str) -> CopiedColumn:
        """The column of this name, which is spoken of."""
        column = self.columns[name.lower()]
        self.used[column.source.name] = column
        return column

    def expression(self, expression: Any) -> str:
        """SQL for an expression, which another server may compute in another way."""
        self.is_exact = False
        resolved = expression.resolve_expression(self.query)
        if isinstance(resolved, OrderBy):
            resolved = resolved.expression
        for part in resolved.flatten():
            if isinstance(part, Col):
                self.use(part.target.column)
        return self.sql(resolved)

    def condition(self, condition: Any) -> str:
        """SQL for a condition."""
        where = self.query.build_where(condition)
        for leaf in where.leaves():  # type: ignore[attr-defined]  # the stubs lack it
            columns = [self.use(p.target.column) for p in leaf.flatten() if isinstance(p, Col)]
            self.is_exact &= is_plain(leaf, columns)
        return self.sql(where)

    def sql(self, expression: Any) -> str:
        """The SQL with its values in it."""
        sql, parameters = self.compiler.compile(expression)
        quote = self.connection.schema_editor().quote_value
        return str(sql % tuple(quote(value) for value in parameters))


def is_plain(leaf: Any, columns: Sequence[CopiedColumn]) -> bool:
    """Whether every server judges this part of a condition alike."""
    if isinstance(leaf, Col):
        return True  # a boolean
    if not isinstance(leaf, Lookup) or not isinstance(leaf.lhs, Col):
        return False
    if hasattr(leaf.rhs, "flatten") and not isinstance(leaf.rhs, Col):
        return False
    is_text = any(column.kind is Kind.TEXT for column in columns)
    folds = any(column.dest.collation for column in columns)
    if leaf.lookup_name == "isnull" or not is_text:
        return leaf.lookup_name in PLAIN
    return leaf.lookup_name in OF_TEXTS and not folds


def odd(indexes: Iterable[Index]) -> list[Index]:
    """The unique indexes that go by more than equal columns."""
    return [index for index in indexes if index.unique and index.valid and index.by]


def valid(checks: Iterable[Check]) -> list[Check]:
    return [check for check in checks if check.valid]


def by_table(found: Iterable[Rule]) -> Mapping[str, list[Rule]]:
    """What was found, by the table that it is on."""
    grouped: dict[str, list[Rule]] = {}
    for rule in found:
        grouped.setdefault(rule.table, []).append(rule)
    return grouped


def same(index: Index, other: Index) -> bool:
    """Whether two indexes are made by the same constraint of a model."""
    is_named = index.name.lower() == other.name.lower()
    folds_alike = list(filter(None, index.folds)) == list(filter(None, other.folds))
    is_alike = index.by == other.by and folds_alike
    return is_alike and (is_named or index.columns == other.columns)


def named(
    constraints: Iterable[BaseConstraint], kind: type[BaseConstraint], name: str
) -> BaseConstraint | None:
    """The model's constraint of this kind that is called so on the destination."""
    return next(
        (each for each in constraints if isinstance(each, kind) and same_name(name, each.name)),
        None,
    )


def not_looked_at(layout: Layout, index: Index) -> Finding:
    columns = ", ".join(name or "an expression" for name in index.columns)
    return Finding(
        code="unique-not-looked-at",
        severity=Severity.INFO,
        label=layout.label,
        table=layout.dest_name,
        column=", ".join(name for name in index.columns if name),
        message=f"The destination's unique index {index.name} on {columns} goes by {index.by}, and "
        "the source has none like it. Whether rows clash in it is not looked at: the copy would "
        "refuse them.",
        remedy="Look for such rows in the source, or try the copy on an empty destination first.",
    )


def check_not_looked_at(layout: Layout, check: Check) -> Finding:
    return Finding(
        code="check-not-looked-at",
        severity=Severity.INFO,
        label=layout.label,
        table=layout.dest_name,
        message=f"The destination has the check {check.name}, which the source has not. Whether "
        "rows violate it is not looked at: the copy would refuse them.",
        remedy="Look for such rows in the source, or try the copy on an empty destination first.",
    )
