"""The differences that an audit has found: table by table, and as files."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_safe

from migrations_ui.decorators import look
from migrations_ui.models import Audit, AuditedTable, Difference
from migrations_ui.site import site
from migrations_ui.views.downloads import Line, guarded

PER_PAGE = 50
# Differences of a query for a file: few, since each may hold kilobytes.
BATCH = 200
NAMES = ("table", "what", "key", "column", "source", "dest", "at", "size")


@look
@require_safe
def table(request: HttpRequest, pk: int, table: int) -> HttpResponse:
    """One table of an audit, its differences page by page, of one kind or column if wanted."""
    found = get_object_or_404(AuditedTable.objects.select_related("audit"), audit=pk, pk=table)
    chosen = {name: _asked(request, name) for name in ("what", "column")}
    differences = found.differences.filter(**{k: value for k, value in chosen.items() if value})
    trail = [(reverse("audits"), "Audits"), (found.audit.get_absolute_url(), str(found.audit))]
    return site.page(
        request,
        "cutover/audit/table.html",
        f"{found.label} in audit {pk}",
        trail=trail,
        audit=found.audit,
        table=found,
        page=Paginator(differences, PER_PAGE).get_page(request.GET.get("page")),
        kept=found.differences.count(),
        columns=columns(found),
        whats=Difference.What.choices,
        chosen=chosen,
        query=urlencode({k: value for k, value in chosen.items() if value}),
    )


def _asked(request: HttpRequest, name: str) -> str:
    """A parameter, without what a control database in PostgreSQL could not even look for."""
    return request.GET.get(name, "").replace("\0", "")


def columns(table: AuditedTable) -> QuerySet[Difference, dict[str, Any]]:
    """The columns that differ, and in how many of the rows that are kept."""
    differing = table.differences.exclude(column="").order_by("column")
    return differing.values("column").annotate(rows=Count("pk"))


@look
@require_safe
def as_csv(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    return _download(request, pk, csv_lines, "csv", "text/csv; charset=utf-8")


@look
@require_safe
def as_json(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    return _download(request, pk, json_lines, "json", "application/json")


def _download(
    request: HttpRequest, pk: int, lines: Any, suffix: str, content_type: str
) -> StreamingHttpResponse:
    """All differences of the audit, or of the table that is asked for."""
    audit = get_object_or_404(Audit, pk=pk)
    differences = Difference.objects.filter(table__audit=audit)
    label = _asked(request, "table")
    if label:
        differences = differences.filter(table__label=label)
    return StreamingHttpResponse(
        lines(differences),
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="audit-{pk}-differences.{suffix}"'},
    )


def csv_lines(differences: QuerySet[Difference]) -> Iterator[str]:
    """A line a difference; NULL is `\\N`, no row is empty, formulas are held in check."""
    writer = csv.writer(Line(), quoting=csv.QUOTE_ALL)
    yield writer.writerow(NAMES)
    for one in batches(differences):
        told = about(one)
        if one.what == Difference.What.DIFFERENT:
            told |= {side: "\\N" for side in ("source", "dest") if told[side] is None}
        cells = ("" if value is None else str(value) for value in told.values())
        yield writer.writerow([guarded(cell) for cell in cells])


def json_lines(differences: QuerySet[Difference]) -> Iterator[str]:
    """A list of one object a difference."""
    before = "[\n"
    for one in batches(differences):
        yield before + json.dumps(about(one), ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def batches(differences: QuerySet[Difference]) -> Iterator[Difference]:
    """The differences in order, by queries that end before anything is sent."""
    last = 0
    ordered = differences.select_related("table").order_by("pk")
    while batch := list(ordered.filter(pk__gt=last)[:BATCH]):
        yield from batch
        last = batch[-1].pk


def about(one: Difference) -> dict[str, Any]:
    values = (one.what, one.key, one.column, one.source, one.dest, one.at, one.size)
    return dict(zip(NAMES, (one.table.label, *values), strict=True))
