"""Rows about tables, of which a page may have hundreds: what looks the same is rendered once.

A row is a template of nothing but values, and most of them are the same from one look to the next,
whoever looks.  So a process keeps what it has rendered of each, by these values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from migrations_ui.models import Run, TableCopy
from migrations_ui.progress import Progress
from migrations_ui.services import TableRow
from migrations_ui.templatetags.cutover import took

register = template.Library()

MOST_KEPT = 5_000  # rows of about 1 KB


@dataclass(frozen=True)
class CopiedTable:
    """All that a table's row on the page of its run depends on."""

    pk: int
    label: str
    status: str
    progress: Progress
    copied_rows: int
    rejected_rows: int
    changed_rows: int | None
    wiped_rows: int | None  # None where the table was not wiped
    took: str
    is_copy: bool
    newer_only: bool

    @classmethod
    def of(cls, table: TableCopy) -> CopiedTable:
        return cls(
            pk=table.pk,
            label=table.label,
            status=table.shown_status,
            progress=table.progress,
            copied_rows=table.copied_rows,
            rejected_rows=table.rejected_rows,
            changed_rows=table.changed_rows,
            wiped_rows=table.dest_rows_before if table.wiped else None,
            took=took(table),
            is_copy=table.run.mode == Run.Mode.COPY,
            newer_only=table.run.newer_only,
        )


@register.simple_tag
def copied_rows(tables: Iterable[TableCopy], *, oob: bool = False) -> SafeString:
    """Tables' rows on the page of their run; `oob`: as they come with a poll."""
    rows = (_row("cutover/run/row.html", CopiedTable.of(table), oob=oob) for table in tables)
    return mark_safe("".join(rows))  # noqa: S308  # escaped there


@register.simple_tag
def table_rows(
    tables: Iterable[TableRow], selection: Collection[str], *, may_copy: bool
) -> SafeString:
    """Tables' rows on the tables page, ticked where they are in the selection."""
    rows = (
        _row("cutover/tables/row.html", table, ticked=table.label in selection, may_copy=may_copy)
        for table in tables
    )
    return mark_safe("".join(rows))  # noqa: S308  # escaped there


@lru_cache(MOST_KEPT)
def _row(name: str, table: TableRow | CopiedTable, **how: bool) -> SafeString:
    return render_to_string(name, {"table": table, **how})
