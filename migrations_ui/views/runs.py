"""Runs: confirming one, starting it, watching it, looking back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from migrations_ui import services, shown
from migrations_ui.decorators import copy, look, may, wipe
from migrations_ui.engine.checks.sides import listed
from migrations_ui.engine.transforms import parse
from migrations_ui.models import Run
from migrations_ui.services import Plan, Refused, Stale
from migrations_ui.site import site
from migrations_ui.tables import pending_counts
from migrations_ui.views import transforms
from migrations_ui.views.tables import (
    CHOICES,
    REJECT_LIMIT,
    SELECTION,
    TRANSFORMS,
    choose,
    count_error,
    is_backwards,
    look_error,
)

PER_PAGE = 25
MOST_WORKERS = 32
MOST_REJECTED = 100_000  # more are no exceptions, and the worker holds them in memory


@look
@require_safe
def runs(request: HttpRequest) -> HttpResponse:
    """The history, newest first."""
    history = Run.objects.order_by("-id").annotate(
        table_count=Count("tables"),
        rows=Sum("tables__copied_rows"),
        rejected_rows=Sum("tables__rejected_rows"),
    )
    page = Paginator(history.defer(*Run.LONG), PER_PAGE).get_page(request.GET.get("page"))
    return site.page(request, "cutover/runs.html", "Runs", page=page)


@wipe
@require_safe
def new(request: HttpRequest) -> HttpResponse:
    """The confirmation: everything that will be lost, before it is."""
    if run := _under_way(request):
        return site.page(request, "cutover/confirm/under_way.html", f"{run} is under way", run=run)
    plan = _plan(request)
    if plan is None:
        return redirect("tables")
    back = f"Confirm the way back: wipe {plan.dest.name}"
    return site.page(
        request,
        "cutover/confirm/page.html",
        back if plan.reverse else "Confirm the wipe and the copy",
        **_confirmation(request, plan),
    )


@wipe
@require_safe
def new_live(request: HttpRequest) -> HttpResponse:
    """The fragment that is polled until the worker has counted."""
    if _under_way(request):
        return HttpResponse(headers={"HX-Redirect": reverse("run_new")})
    plan = _plan(request)
    if plan is None:
        return HttpResponse(headers={"HX-Redirect": reverse("tables")})
    return render(request, "cutover/confirm/live.html", _confirmation(request, plan))


@copy
@require_POST
def leave_out(request: HttpRequest) -> HttpResponse:
    """Take the tables that can't be copied out of the selection; the rest is looked at anew."""
    plan = _plan(request)
    if plan is None:
        return redirect("tables")
    spoilt = plan.spoilt(MOST_REJECTED)
    labels = [row.label for row in plan.tables if row.label not in spoilt]
    if not labels:
        messages.error(request, "None of the selected tables can be copied.")
        return redirect("run_new")
    declared = [text for text in plan.transforms if parse(text).table in labels]
    try:
        choose(request, labels, backwards=plan.reverse)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("tables")
    request.session[TRANSFORMS] = declared
    if spoilt:
        messages.info(request, f"Left out of the selection: {listed(spoilt)}.")
    return redirect("run_new")


@wipe
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    labels: list[str] = request.session.get(SELECTION, [])
    if active := _under_way(request):
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
            reverse=is_backwards(request),
            options=services.Options(
                reject_limit=limit,
                transforms=tuple(_declared(request)),
                workers=_workers(request),
                compares_cells="counts_only" not in request.POST,
            ),
        )
    except Stale as stale:
        changed = shown.differences(request.POST.get("shown", ""), stale.now)
        messages.error(
            request,
            f"Something has changed since the confirmation was shown. {changed} Nothing was wiped. "
            "Look at what it says now, and confirm again.",
        )
        return redirect("run_new")
    except Refused as refusal:
        messages.error(request, str(refusal), extra_tags=refusal.field)
        return redirect("run_new")
    for key in CHOICES:
        request.session.pop(key, None)
    return redirect(run)


@wipe
@require_POST
def back(request: HttpRequest, pk: int) -> HttpResponse:
    """Prepare the opposite of a run, to be confirmed like any other: nothing is touched yet."""
    run = _run(pk)
    known = {table.label for table in services.host_tables()}
    labels = [table.label for table in run.tables.all() if table.label in known]
    try:
        if run.is_active:
            raise Refused(f"{run} is still active. Wait until it has ended.")
        choose(request, labels, backwards=not run.reverse)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(run)
    return redirect("run_new")


@copy
@require_POST
def pause(request: HttpRequest, pk: int) -> HttpResponse:
    return _ask(request, pk, services.pause)


@copy
@require_POST
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Go on with a run that is paused or has ended early."""
    return _ask(request, pk, services.resume)


@copy
@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    return _ask(request, pk, services.cancel)


@copy
@require_POST
def limit(request: HttpRequest, pk: int) -> HttpResponse:
    """How many rows a second the run may read; none where the field was left empty."""
    field = forms.IntegerField(required=False, min_value=1)

    def ask(run: Run, operator: str) -> None:
        try:
            rows = field.clean(request.POST.get("rows", ""))
        except ValidationError:
            raise Refused("A limit is a number of rows a second, from 1.") from None
        services.limit(run, operator, rows)

    return _ask(request, pk, ask)


def _ask(request: HttpRequest, pk: int, ask: Callable[[Run, str], object]) -> HttpResponse:
    """Ask something of a run, and show its page with what is said against it."""
    run = _run(pk)
    try:
        ask(run, request.user.get_username())
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(run)


@copy
@require_POST
def restore(request: HttpRequest, pk: int) -> HttpResponse:
    """Put back the indexes and constraints that the run has left off."""
    run = _run(pk)
    try:
        services.request_restore(run, request.user.get_username())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "The worker puts back what is missing. See the events below.")
    return redirect(run)


def _run(pk: int) -> Run:
    return get_object_or_404(Run.objects.defer(*Run.LONG), pk=pk)


def _under_way(request: HttpRequest) -> Run | None:
    """The run that is active, where there is no selection to confirm."""
    if request.session.get(SELECTION):
        return None
    return Run.objects.filter(status__in=Run.ACTIVE).first()


def _confirmation(request: HttpRequest, plan: Plan) -> dict[str, Any]:
    found = transforms.found(plan)
    declared = transforms.declared(plan.transforms)
    return {
        "plan": plan,
        "shown": shown.carried(plan),
        "found": found,
        "choices": any(one.options for one in found),
        "declared": declared,
        "leaves_out": any(transform.leaves_out for transform in declared),
        "counts_pending": pending_counts().exists(),
        "looking": services.pending_data_check(reverse=plan.reverse) if plan.checking else None,
        "hopeless": plan.blockers_beyond(MOST_REJECTED),
        "spoilt": plan.spoilt(MOST_REJECTED),
        "count_error": count_error(),
        "look_error": look_error(),
        "reject_limit": request.session.get(REJECT_LIMIT, 0),
        "most_rejected": MOST_REJECTED,
        "may_copy": may(request, "copy_run"),
        "workers": services.available_cores(),
        "most_workers": MOST_WORKERS,
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


def _workers(request: HttpRequest) -> int:
    """How many chunks to load at once; the default where the field was left empty."""
    field = forms.IntegerField(required=False, min_value=1, max_value=MOST_WORKERS)
    try:
        return int(field.clean(request.POST.get("workers", "")) or services.available_cores())
    except ValidationError:
        raise Refused(
            f"The number of workers is from 1 to {MOST_WORKERS}. Nothing was wiped."
        ) from None


def _declared(request: HttpRequest) -> list[str]:
    found: list[str] = request.session.get(TRANSFORMS, [])
    return found


def _plan(request: HttpRequest) -> Plan | None:
    """The plan for the session's selection; None, with a message, where there can't be one."""
    try:
        labels = request.session.get(SELECTION, [])
        return services.plan(labels, reverse=is_backwards(request), transforms=_declared(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
        return None
