"""Audits: asking for one, and the page that keeps it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from migrations_ui import services
from migrations_ui.coverage import Coverage
from migrations_ui.decorators import copy, look, may
from migrations_ui.models import Audit, AuditedTable
from migrations_ui.services import Refused
from migrations_ui.site import site
from migrations_ui.views import transforms

PER_PAGE = 25
WORST_LAST = list(Audit.Verdict.values)


@look
@require_safe
def audits(request: HttpRequest) -> HttpResponse:
    services.end_dead_audits()
    differing = AuditedTable.objects.filter(verdict=Audit.Verdict.DIFFERS)
    history = (
        Audit.objects.order_by("-id")
        .select_related("run")
        .annotate(table_count=_count(AuditedTable.objects.all()), differing=_count(differing))
    )
    page = Paginator(history, PER_PAGE).get_page(request.GET.get("page"))
    return site.page(
        request,
        "cutover/audits.html",
        "Audits",
        page=page,
        may_copy=may(request, "copy_run"),
        may_repair=may(request, "copy_run", "wipe_destination"),
    )


def _count(tables: QuerySet[AuditedTable]) -> Coalesce:
    """How many of these tables an audit has: a join would group by all of its columns."""
    of_audit = tables.filter(audit=OuterRef("pk")).order_by().values("audit")
    return Coalesce(Subquery(of_audit.annotate(count=Count("*")).values("count")), 0)


@copy
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Audit the tables that are ticked, or all: every cell, or only the counts."""
    labels = request.POST.getlist("label") or None
    try:
        audit = services.request_audit(
            labels, request.user.get_username(), counts_only="counts_only" in request.POST
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("audits")
    return redirect(audit)


@copy
@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the worker to stop comparing."""
    audit = _audit(pk)
    try:
        services.cancel_audit(audit)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(audit)


@look
@require_safe
def audit(request: HttpRequest, pk: int) -> HttpResponse:
    trail = [(reverse("audits"), "Audits")]
    return site.page(
        request, "cutover/audit/page.html", f"Audit {pk}", trail=trail, **_live(request, pk)
    )


@look
@require_safe
def live(request: HttpRequest, pk: int) -> HttpResponse:
    """The fragment that is polled until the audit is finished."""
    return render(request, "cutover/audit/live.html", _live(request, pk))


def _audit(pk: int) -> Audit:
    found = get_object_or_404(Audit.objects.select_related("run"), pk=pk)
    if services.end_audit_if_dead(found):
        found.refresh_from_db()
    return found


def _live(request: HttpRequest, pk: int) -> dict[str, Any]:
    """What the audit's fragment shows: the tables that differ come first."""
    audit = _audit(pk)
    tables = list(audit.tables.all())
    differing = [table for table in tables if table.verdict == Audit.Verdict.DIFFERS]
    only_differing = request.GET.get("show") == "differing"
    if not audit.is_active:
        tables.sort(key=lambda table: -WORST_LAST.index(table.verdict))
    return {
        "audit": audit,
        "declared": transforms.declared(audit.transforms),
        "tables": tables,
        "coverage": Coverage.of([table.label for table in tables]),
        "shown": differing if only_differing else tables,
        "only_differing": only_differing,
        "differing": len(differing),
        "repairable": [table.label for table in differing if table.is_repairable],
        "unchecked": sum(table.verdict == Audit.Verdict.NOT_CHECKED for table in tables),
        "source_rows": sum(table.source_rows or 0 for table in tables),
        "dest_rows": sum(table.dest_rows or 0 for table in tables),
        "progress": services.audit_progress(audit, tables),
        "may_copy": may(request, "copy_run"),
        "may_repair": may(request, "copy_run", "wipe_destination"),
    }
