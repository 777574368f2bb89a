"""Rejected rows: looking at them, taking them home, and trying them again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, F, Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from migrations_ui import services
from migrations_ui.decorators import copy, look, may
from migrations_ui.execution import WORKER
from migrations_ui.models import Event, RejectedRow, Run
from migrations_ui.services import Refused
from migrations_ui.site import site
from migrations_ui.views import downloads

SHOWN = 100  # rows on the run's page, and on each page of the list
PATIENCE = timedelta(seconds=60)  # for a worker that was asked to try rows again


@dataclass(frozen=True)
class Rejection:
    """How many rows a run has set aside, and how many of them are still waiting."""

    tables: Sequence[dict[str, Any]]  # label, total, waiting, arrived
    asked: Event | None  # to try again; None where the worker has answered

    @classmethod
    def of(cls, run: Run, newest: Event | None) -> Rejection:
        """One query.  What follows the end of a run is asked by an operator, done by a worker."""
        waiting = Count("pk", filter=Q(arrived_at=None))
        tables = run.rejected.order_by("label").values("label")
        arrived = Max("arrived_at")
        found = list(tables.annotate(total=Count("pk"), waiting=waiting, arrived=arrived))
        asked = newest if newest and newest.who != WORKER and not run.is_active else None
        return cls(found, asked if found else None)

    @property
    def total(self) -> int:
        return sum(table["total"] for table in self.tables)

    @property
    def waiting(self) -> int:
        return sum(table["waiting"] for table in self.tables)

    @property
    def arrived(self) -> int:
        return self.total - self.waiting

    @property
    def last_arrival(self) -> datetime | None:
        """When the last of those that have arrived did so."""
        times = [table["arrived"] for table in self.tables if table["arrived"]]
        return max(times, default=None)

    @property
    def trying(self) -> bool:
        """Whether a worker may still be at it: the page is kept up to date meanwhile."""
        return bool(self.waiting and self.asked and timezone.now() - self.asked.at < PATIENCE)


@look
@require_safe
def rejected(request: HttpRequest, pk: int) -> HttpResponse:
    """All of them, page by page."""
    run = _run(pk)
    trail = [(reverse("runs"), "Runs"), (run.get_absolute_url(), str(run))]
    return site.page(
        request,
        "cutover/rejected/page.html",
        f"Rejected rows of run {pk}",
        trail=trail,
        run=run,
        rejection=Rejection.of(run, run.events.last()),
        page=Paginator(rows(run), SHOWN).get_page(request.GET.get("page")),
        may_copy=may(request, "copy_run"),
    )


@look
@require_safe
def as_csv(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    run = _run(pk)
    return _download(downloads.as_csv(run), f"run-{pk}-rejected.csv", "text/csv; charset=utf-8")


@look
@require_safe
def as_json(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    run = _run(pk)
    return _download(downloads.as_json(run), f"run-{pk}-rejected.json", "application/json")


@copy
@require_POST
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Have a worker try those again that are still set aside."""
    run = _run(pk)
    try:
        services.retry_rejected(run, request.user.get_username())
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(run)


def rows(run: Run) -> QuerySet[RejectedRow]:
    """The rejected rows, those first that are still set aside, without their long values."""
    waiting_first = F("arrived_at").asc(nulls_first=True)
    return run.rejected.defer("row", "signature").order_by(waiting_first, "pk")


def _run(pk: int) -> Run:
    return get_object_or_404(Run.objects.defer(*Run.LONG), pk=pk)


def _download(lines: Iterator[str], filename: str, content_type: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        lines,
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{filename}"'},
    )
