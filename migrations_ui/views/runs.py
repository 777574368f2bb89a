"""Runs: confirming one, starting it, watching it, looking back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from migrations_ui import services
from migrations_ui.decorators import copy, look, may, wipe
from migrations_ui.models import Run, TableCopy
from migrations_ui.services import Plan, Refused, RunProgress
from migrations_ui.site import site
from migrations_ui.views.tables import SELECTION, count_error

PER_PAGE = 25
PATIENCE = 10  # seconds in the queue before the page says that no worker has taken the run


@dataclass(frozen=True)
class Aftermath:
    """What a run that did not succeed has left in the destination."""

    copied: list[TableCopy]
    wiped: list[TableCopy]
    untouched: list[TableCopy]

    @classmethod
    def of(cls, tables: Sequence[TableCopy]) -> Aftermath:
        done = [table for table in tables if table.status == TableCopy.Status.DONE]
        rest = [table for table in tables if table.status != TableCopy.Status.DONE]
        return cls(done, [t for t in rest if t.wiped], [t for t in rest if not t.wiped])


@look
@require_safe
def runs(request: HttpRequest) -> HttpResponse:
    """The history, newest first."""
    history = Run.objects.order_by("-id").annotate(
        table_count=Count("tables"), rows=Sum("tables__copied_rows")
    )
    page = Paginator(history.defer("traceback"), PER_PAGE).get_page(request.GET.get("page"))
    return site.page(request, "cutover/runs.html", "Runs", page=page)


@wipe
@require_safe
def new(request: HttpRequest) -> HttpResponse:
    """The confirmation: everything that will be lost, before it is."""
    plan = _plan(request)
    if plan is None:
        return redirect("tables")
    return site.page(
        request,
        "cutover/confirm/page.html",
        "Confirm the wipe and the copy",
        plan=plan,
        count_error=count_error(),
    )


@wipe
@require_safe
def new_live(request: HttpRequest) -> HttpResponse:
    """The fragment that is polled until the worker has counted."""
    plan = _plan(request)
    if plan is None:
        return HttpResponse(headers={"HX-Redirect": reverse("tables")})
    context = {"plan": plan, "count_error": count_error()}
    return render(request, "cutover/confirm/live.html", context)


@wipe
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    labels: list[str] = request.session.get(SELECTION, [])
    typed_name = request.POST.get("name", "").strip()
    fingerprint = request.POST.get("fingerprint", "")
    try:
        run = services.start(labels, typed_name, fingerprint, request.user.get_username())
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("run_new")
    request.session.pop(SELECTION, None)
    return redirect(run)


@look
@require_safe
def run(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    trail = [(reverse("runs"), "Runs")]
    return site.page(
        request, "cutover/run/page.html", f"Run {pk}", trail=trail, **_live(request, run)
    )


@look
@require_safe
def live(request: HttpRequest, pk: int) -> HttpResponse:
    """The fragment that is polled; the last one, of a finished run, polls no more."""
    return render(request, "cutover/run/live.html", _live(request, _run(pk)))


@copy
@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    try:
        services.cancel(run, request.user.get_username())
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(run)


def _run(pk: int) -> Run:
    return get_object_or_404(Run.objects.prefetch_related("tables"), pk=pk)


def _plan(request: HttpRequest) -> Plan | None:
    """The plan for the session's selection; None, with a message, where there can't be one."""
    try:
        return services.plan(request.session.get(SELECTION, []))
    except Refused as refusal:
        messages.error(request, str(refusal))
        return None


def _live(request: HttpRequest, run: Run) -> dict[str, Any]:
    """What the run's fragment shows, in a number of queries that no number of tables changes."""
    tables = list(run.tables.all())
    progress = services.run_progress(run)
    return {
        "run": run,
        "heading": _heading(run, progress),
        "status_template": f"cutover/run/status/{run.status}.html",
        "progress": progress,
        "tables": tables,
        "aftermath": Aftermath.of(tables),
        "failed_tables": [table for table in tables if table.error],
        "missing_constraints": run.dropped_constraints.filter(restored_at=None),
        "events": run.events.order_by("-id"),
        "audit": run.audits.first(),
        "nobody_came": (timezone.now() - run.created_at).total_seconds() > PATIENCE,
        "may_copy": may(request, "copy_run"),
    }


def _heading(run: Run, progress: RunProgress) -> str:
    """The window's title: what can be read from another tab."""
    if run.status == Run.Status.RUNNING and progress.percent is not None:
        return f"{progress.percent} % · Run {run.pk}"
    return f"Run {run.pk} {run.status}"
