"""The tables of both sides, their counts, and the selection."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from migrations_ui import services, workers
from migrations_ui.decorators import copy, look, may
from migrations_ui.engine.checks.sides import listed
from migrations_ui.models import CountRequest, DataCheck
from migrations_ui.services import Refused, TableRow, TablesPage
from migrations_ui.site import site

SELECTION = "selection"  # the session's key for the labels that were selected
REJECT_LIMIT = "reject_limit"  # and for what was last typed on the confirmation of these
TRANSFORMS = "transforms"  # and for those that were declared there
BACKWARDS = "backwards"  # and for whether it is the way back, from the destination to the source
NAMED = 12  # of the tables that are left out
CHOICES = (SELECTION, REJECT_LIMIT, TRANSFORMS, BACKWARDS)


@look
@require_safe
def tables(request: HttpRequest) -> HttpResponse:
    page = services.tables_page()
    return site.page(request, "cutover/tables/page.html", "Tables", **_context(request, page))


@look
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The fragment that is polled while the worker counts."""
    context = _context(request, services.tables_page())
    # A count that failed is not asked for again and again: only the page itself asks.
    return render(request, "cutover/tables/live.html", context | {"ask": False})


@copy
@require_POST
def count(request: HttpRequest) -> HttpResponse:
    """Ask the worker for exact counts, of the tables given or of all."""
    try:
        labels = request.POST.getlist("count")
        confirming = request.POST.get("next") == reverse("run_new")
        backwards = confirming and is_backwards(request)
        services.request_counts(labels or None, reverse=backwards)
        if labels:  # from the confirmation, which needs both
            services.request_data_check(labels, request.user.get_username(), reverse=backwards)
    except Refused as refusal:
        messages.error(request, str(refusal))
    if getattr(request, "htmx", False):
        context = _context(request, services.tables_page())
        return render(request, "cutover/tables/live.html", context | {"asked": True})
    return HttpResponseRedirect(_next(request))


@copy
@require_POST
def select(request: HttpRequest) -> HttpResponse:
    """Remember the selection, have it counted, and go on to the confirmation."""
    labels = _selected(request)
    if not labels:
        messages.error(request, "Nothing is selected. Select at least one table.")
        return redirect("tables")
    try:
        choose(request, labels)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("tables")
    return redirect("run_new")


def choose(request: HttpRequest, labels: list[str], *, backwards: bool = False) -> None:
    """Remember the selection for the confirmation, and have it counted and looked at."""
    for key in CHOICES:
        request.session.pop(key, None)
    request.session[SELECTION] = labels
    request.session[BACKWARDS] = backwards
    services.request_counts(labels, reverse=backwards)
    services.request_data_check(labels, request.user.get_username(), reverse=backwards)


def is_backwards(request: HttpRequest) -> bool:
    """Whether the run that is being confirmed goes from the destination to the source."""
    return bool(request.session.get(BACKWARDS, False))


def _selected(request: HttpRequest) -> list[str]:
    """The labels that were ticked, and those of the apps that were ticked as a whole.

    A script takes the names off the boxes of whole apps; they only get here without it.
    """
    labels = request.POST.getlist("label")
    apps = request.POST.getlist("app")
    if not apps:
        return labels
    rows = _matching(services.tables_page().rows, request.POST.get("q", ""))
    whole = [row.label for row in rows if "*" in apps or row.app_label in apps]
    left_out = {row.label for row in rows if row.left_out or row.problem}
    return list(dict.fromkeys(labels + [label for label in whole if label not in left_out]))


def _context(request: HttpRequest, page: TablesPage) -> dict[str, Any]:
    query = request.GET.get("q", "").strip()
    rows = _matching(page.rows, query)
    nobody = workers.look().nobody
    left_out = [row.label for row in page.rows if row.left_out]
    return {
        "page": page,
        "q": query,
        "apps": [(app, list(group)) for app, group in groupby(rows, lambda row: row.app_label)],
        "selection": frozenset(request.session.get(SELECTION, ())),
        "left_out": left_out,
        "left_out_names": listed(left_out, NAMED),
        "count_error": count_error(),
        "may_copy": may(request, "copy_run"),
        "nobody": nobody,
        "ask": _incomplete(page) and may(request, "copy_run") and not nobody,
    }


def count_error() -> str:
    """Why the latest count that was asked for has failed; "" if it has not."""
    latest = CountRequest.objects.first()
    return latest.error if latest else ""


def look_error() -> str:
    """Why the latest look at the values has failed; "" if it has not."""
    latest = DataCheck.objects.first()
    return latest.error if latest else ""


def _incomplete(page: TablesPage) -> bool:
    """Whether exact counts are still to be asked for, of sides that can be reached."""
    if page.counting or page.source.error or page.dest.error:
        return False
    return any(not (row.problem or (row.source_exact and row.dest_exact)) for row in page.rows)


def _matching(rows: Iterable[TableRow], query: str) -> list[TableRow]:
    """The rows whose label, name or table contains the query, grouped by app."""
    words = query.lower().split()
    found = [row for row in rows if all(word in _text(row) for word in words)]
    return sorted(found, key=lambda row: row.app_label)


def _text(row: TableRow) -> str:
    return f"{row.label} {row.name} {row.table}".lower()


def _next(request: HttpRequest) -> str:
    """The page to go back to: one of ours, or the tables."""
    url = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(url, {request.get_host()}, request.is_secure())
    return url if ours else reverse("tables")
