"""Audits: asking for one, and the page that keeps it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from migrations_ui import services
from migrations_ui.decorators import copy, look, may
from migrations_ui.models import Audit
from migrations_ui.services import Refused
from migrations_ui.site import site
from migrations_ui.views import transforms

PER_PAGE = 25
WORST_FIRST = (Audit.Verdict.DIFFERS, Audit.Verdict.NOT_CHECKED, Audit.Verdict.COUNTS_ONLY)


@look
@require_safe
def audits(request: HttpRequest) -> HttpResponse:
    differing = Count("tables", filter=Q(tables__verdict=Audit.Verdict.DIFFERS))
    history = (
        Audit.objects.order_by("-id")
        .select_related("run")
        .annotate(table_count=Count("tables"), differing=differing)
    )
    page = Paginator(history, PER_PAGE).get_page(request.GET.get("page"))
    return site.page(
        request, "cutover/audits.html", "Audits", page=page, may_copy=may(request, "copy_run")
    )


@copy
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Audit the tables that are ticked, or all."""
    labels = request.POST.getlist("label") or None
    try:
        audit = services.request_audit(labels, request.user.get_username())
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("audits")
    return redirect(audit)


@look
@require_safe
def audit(request: HttpRequest, pk: int) -> HttpResponse:
    trail = [(reverse("audits"), "Audits")]
    return site.page(
        request, "cutover/audit/page.html", f"Audit {pk}", trail=trail, **_live(_audit(pk))
    )


@look
@require_safe
def live(request: HttpRequest, pk: int) -> HttpResponse:
    """The fragment that is polled until the audit is finished."""
    return render(request, "cutover/audit/live.html", _live(_audit(pk)))


def _audit(pk: int) -> Audit:
    return get_object_or_404(Audit.objects.select_related("run"), pk=pk)


def _live(audit: Audit) -> dict[str, Any]:
    """What the audit's fragment shows: the tables that differ come first."""
    tables = list(audit.tables.all())
    return {
        "audit": audit,
        "declared": transforms.declared(audit.run.transforms if audit.run else ()),
        "active": audit.status in {Audit.Status.QUEUED, Audit.Status.RUNNING},
        "tables": sorted(tables, key=lambda table: WORST_FIRST.index(Audit.Verdict(table.verdict))),
        "differing": sum(table.verdict == Audit.Verdict.DIFFERS for table in tables),
        "unchecked": sum(table.verdict == Audit.Verdict.NOT_CHECKED for table in tables),
        "source_rows": sum(table.source_rows or 0 for table in tables),
        "dest_rows": sum(table.dest_rows or 0 for table in tables),
    }
