"""Runs: confirming one, starting it, watching it, looking back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet, Sum
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
# By how much a worker's clock and writes may be behind the page.
SLACK = timedelta(seconds=2)
MOST_ROWS = 8  # of tables that come with one poll
MOST_WORKERS = 32
LIVELY = 10  # seconds of a run in which its page asks each second; then each two, which costs half
PATIENCE = 10  # seconds in the queue before the page says that no worker has taken the run
MOST_REJECTED = 100_000  # more are no exceptions, and the worker holds them in memory


@dataclass(frozen=True)
class Aftermath:
    """What a run that did not succeed has left in the destination."""

    copied: list[TableCopy]
    partly: list[TableCopy]  # but for the rows that were set aside
    begun: list[TableCopy]  # a part of the rows is there
    wiped: list[TableCopy]
    untouched: list[TableCopy]
    strange: list[TableCopy]  # somebody else has written there since

    @classmethod
    def of(cls, run: Run) -> Aftermath:
        tables = list(_tables(run))
        after = [t for t in tables if t.dest_rows_after not in (None, t.copied_rows)]
        strange = after if run.changed_since else []
        tables = [table for table in tables if table not in strange]
        done = [table for table in tables if table.status == TableCopy.Status.DONE]
        rest = [table for table in tables if table.status != TableCopy.Status.DONE]
        return cls(
            copied=[table for table in done if not table.rejected_rows],
            partly=[table for table in done if table.rejected_rows],
            begun=[table for table in rest if table.wiped and table.copied_rows],
            wiped=[table for table in rest if table.wiped and not table.copied_rows],
            untouched=[table for table in rest if not table.wiped],
            strange=strange,
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
    page = Paginator(history.defer(*Run.LONG), PER_PAGE).get_page(request.GET.get("page"))
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
            reverse=is_backwards(request),
            options=services.Options(
                reject_limit=limit,
                transforms=tuple(_declared(request)),
                workers=_workers(request),
                compares_cells="counts_only" not in request.POST,
            ),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
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


@look
@require_safe
def run(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    trail = [(reverse("runs"), "Runs")]
    return site.page(
        request,
        "cutover/run/page.html",
        f"Run {pk}",
        trail=trail,
        tables=_tables(run),
        **_live(request, run),
    )


@look
@require_safe
def live(request: HttpRequest, pk: int) -> HttpResponse:
    """The fragment that is polled; the last one, of a finished run, polls no more.

    With it come the rows of the tables in which something moves; all of them where the run is no
    more as the page has `seen` it.  So a poll stays small, however many tables there are.
    """
    run = _run(pk)
    context = _live(request, run)
    seen, _, at = request.GET.get("seen", "").partition(" ")
    if seen and (seen != _state(run) or context["rejection"].trying):
        context["tables"] = _tables(run)
    else:
        context["moving"], context["seen"] = _moving(run, at)
    return render(request, "cutover/run/poll.html", context)


def _state(run: Run) -> str:
    """What changes the rows of all tables at once."""
    return f"{run.status}-{run.phase}"


def _seen(run: Run, at: float | None = None) -> str:
    """What a page shows by now, and as of when (Unix time), for the next poll to tell."""
    return f"{_state(run)} {time.time() if at is None else at:.0f}"


def _moving(run: Run, at: str) -> tuple[list[TableCopy], str]:
    """The tables that are copied just now, the first that have ended since, and what is seen then.

    What has ended besides comes with the next polls.
    """
    since = datetime.fromtimestamp(float(at) if at.isdecimal() else time.time(), UTC)
    recent = _tables(run).filter(finished_at__gt=since - SLACK).order_by("finished_at")
    ended = list(recent[:MOST_ROWS])
    copying = _tables(run).filter(status=TableCopy.Status.COPYING, finished_at=None)[:MOST_ROWS]
    last = ended[-1].finished_at if len(ended) == MOST_ROWS else None
    return [*copying, *ended], _seen(run, last.timestamp() + SLACK.seconds if last else None)


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


def _tables(run: Run) -> QuerySet[TableCopy]:
    """Its tables without their columns, which no page shows."""
    return run.tables.defer("signature")


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
        "looking": services.pending_data_check(reverse=plan.reverse) if plan.checking else None,
        "hopeless": plan.blockers_beyond(MOST_REJECTED),
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


def _live(request: HttpRequest, run: Run) -> dict[str, Any]:
    """What the run's fragment shows, in a number of queries that no number of tables changes."""
    progress = services.run_progress(run)
    events = list(run.events.order_by("-id"))
    audits = list(run.audits.defer("positions").order_by("-id"))
    rejection = Rejection.of(run, events[0] if events else None)
    moving = run.is_active and run.status != Run.Status.PAUSED
    return {
        "run": run,
        "seen": _seen(run),
        "heading": _heading(run, progress),
        "status_template": f"cutover/run/status/{run.status}.html",
        "progress": progress,
        "every": 1 if (progress.elapsed or 0) < LIVELY else 2,
        "declared": transforms.declared(run.transforms),
        "left_out": _left_out(run, progress),
        "aftermath": None if moving else Aftermath.of(run),
        "failed_tables": run.tables.exclude(error=""),
        "missing_constraints": run.dropped_constraints.filter(restored_at=None),
        "missing_indexes": run.dropped_indexes.filter(restored_at=None),
        "events": events,
        "audit": audits[0] if audits else None,
        "earlier_audits": audits[1:],
        "rejection": rejection,
        "rejected": _rejected(run, rejection),
        "nobody_came": (timezone.now() - run.created_at).total_seconds() > PATIENCE,
        "resumable": services.is_resumable(run),
        "may_copy": may(request, "copy_run"),
    }


def _rejected(run: Run, rejection: Rejection) -> list[RejectedRow]:
    """The first rejected rows; none while the run is polled."""
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
