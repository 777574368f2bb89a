"""Runs: confirming one, starting it, watching it, looking back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from migrations_ui import services
from migrations_ui.decorators import copy, look, may, wipe
from migrations_ui.models import RejectedRow, Run, TableCopy
from migrations_ui.services import Plan, Refused, RunProgress
from migrations_ui.site import site
from migrations_ui.tables import pending_counts
from migrations_ui.views import rejected, transforms
from migrations_ui.views.rejected import Rejection
from migrations_ui.views.tables import (
    REJECT_LIMIT,
    SELECTION,
    TRANSFORMS,
    count_error,
    look_error,
)

PER_PAGE = 25
PATIENCE = 10  # seconds in the queue before the page says that no worker has taken the run
MOST_REJECTED = 100_000  # more are no exceptions, and the worker holds them in memory


@dataclass(frozen=True)
class Aftermath:
    """What a run that did not succeed has left in the destination."""

    copied: list[TableCopy]
    partly: list[TableCopy]  # but for the rows that were set aside
    wiped: list[TableCopy]
    untouched: list[TableCopy]

    @classmethod
    def of(cls, tables: Sequence[TableCopy]) -> Aftermath:
        done = [table for table in tables if table.status == TableCopy.Status.DONE]
        rest = [table for table in tables if table.status != TableCopy.Status.DONE]
        return cls(
            copied=[table for table in done if not table.rejected_rows],
            partly=[table for table in done if table.rejected_rows],
            wiped=[table for table in rest if table.wiped],
            untouched=[table for table in rest if not table.wiped],
        )


@look
@require_safe
def runs(request: HttpRequest) -> HttpResponse:
    """The history, newest first."""
    history = Run.objects.order_by("-id").annotate(
        table_count=Count("tables"),
        rows=Sum("tables__copied_rows"),
        rejected_rows=Sum("tables__rejected_rows"),
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
        **_confirmation(request, plan),
    )


@wipe
@require_safe
def new_live(request: HttpRequest) -> HttpResponse:
    """The fragment that is polled until the worker has counted."""
    plan = _plan(request)
    if plan is None:
        return HttpResponse(headers={"HX-Redirect": reverse("tables")})
    return render(request, "cutover/confirm/live.html", _confirmation(request, plan))


@wipe
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    labels: list[str] = request.session.get(SELECTION, [])
    if not labels and (active := Run.objects.exclude(active_dest=None).first()):
        messages.warning(request, f"{active} is under way already. Nothing was started.")
        return redirect(active)
    typed_name = request.POST.get("name", "").strip()
    fingerprint = request.POST.get("fingerprint", "")
    try:
        # Kept, so that a name typed wrong doesn't reset it unseen.
        limit = request.session[REJECT_LIMIT] = _reject_limit(request)
        run = services.start(
            labels,
            typed_name,
            fingerprint,
            request.user.get_username(),
            reject_limit=limit,
            transforms=_declared(request),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("run_new")
    for key in (SELECTION, REJECT_LIMIT, TRANSFORMS):
        request.session.pop(key, None)
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


def _confirmation(request: HttpRequest, plan: Plan) -> dict[str, Any]:
    found = transforms.found(plan)
    declared = transforms.declared(plan.transforms)
    return {
        "plan": plan,
        "found": found,
        "choices": any(one.options for one in found),
        "declared": declared,
        "leaves_out": any(transform.leaves_out for transform in declared),
        "counts_pending": pending_counts().exists(),
        "looking": services.pending_data_check() if plan.checking else None,
        "hopeless": plan.blockers_beyond(MOST_REJECTED),
        "count_error": count_error(),
        "look_error": look_error(),
        "reject_limit": request.session.get(REJECT_LIMIT, 0),
        "most_rejected": MOST_REJECTED,
    }


def _reject_limit(request: HttpRequest) -> int:
    """How many refused rows to set aside; none where the field was left empty."""
    field = forms.IntegerField(required=False, min_value=0, max_value=MOST_REJECTED)
    try:
        return int(field.clean(request.POST.get(REJECT_LIMIT, "")) or 0)
    except ValidationError:
        raise Refused(
            f"How many rows to set aside is a number from 0 to {MOST_REJECTED:,}. "
            "Nothing was wiped."
        ) from None


def _declared(request: HttpRequest) -> list[str]:
    found: list[str] = request.session.get(TRANSFORMS, [])
    return found


def _plan(request: HttpRequest) -> Plan | None:
    """The plan for the session's selection; None, with a message, where there can't be one."""
    try:
        labels = request.session.get(SELECTION, [])
        return services.plan(labels, transforms=_declared(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
        return None


def _live(request: HttpRequest, run: Run) -> dict[str, Any]:
    """What the run's fragment shows, in a number of queries that no number of tables changes."""
    tables = list(run.tables.all())
    progress = services.run_progress(run)
    events = list(run.events.order_by("-id"))
    audits = list(run.audits.order_by("-id"))
    rejection = Rejection.of(run, events[0] if events else None)
    return {
        "run": run,
        "heading": _heading(run, progress),
        "status_template": f"cutover/run/status/{run.status}.html",
        "progress": progress,
        "declared": transforms.declared(run.transforms),
        "left_out": _left_out(run, progress),
        "tables": tables,
        "aftermath": Aftermath.of(tables),
        "failed_tables": [table for table in tables if table.error],
        "missing_constraints": run.dropped_constraints.filter(restored_at=None),
        "events": events,
        "audit": audits[0] if audits else None,
        "earlier_audits": audits[1:],
        "rejection": rejection,
        "rejected": _rejected(run, rejection),
        "nobody_came": (timezone.now() - run.created_at).total_seconds() > PATIENCE,
        "may_copy": may(request, "copy_run"),
    }


def _rejected(run: Run, rejection: Rejection) -> list[RejectedRow]:
    """The first rejected rows; none while the run is polled each second."""
    return (
        list(rejected.rows(run)[: rejected.SHOWN]) if rejection.total and not run.is_active else []
    )


def _left_out(run: Run, progress: RunProgress) -> int:
    """How many rows the declared transforms have left out; 0 until the run has succeeded."""
    return progress.total - progress.rows if run.status == Run.Status.SUCCEEDED else 0


def _heading(run: Run, progress: RunProgress) -> str:
    """The window's title: what can be read from another tab."""
    if run.status == Run.Status.RUNNING and progress.percent is not None:
        return f"{progress.percent} % · Run {run.pk}"
    return f"Run {run.pk} {run.status}"
