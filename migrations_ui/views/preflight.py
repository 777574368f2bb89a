"""Preflight: what would get in the way of a copy."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from migrations_ui import services
from migrations_ui.decorators import copy, look, may
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.models import DataCheck
from migrations_ui.services import Refused
from migrations_ui.site import site
from migrations_ui.views.tables import SELECTION, is_backwards


@look
@require_safe
def preflight(request: HttpRequest) -> HttpResponse:
    """Servers and schemas as they are now, and what the last look at the values found."""
    report = services.preflight(None)
    newest = DataCheck.objects.filter(reverse=False).first()
    spoilt = [found for found in report.findings if _keeps_its_table_out(found)]
    return site.page(
        request,
        "cutover/preflight/page.html",
        "Preflight",
        report=report,
        severities=[
            (severity, [finding for finding in report.findings if finding.severity == severity])
            for severity in ("blocker", "warning", "info")
        ],
        hopeless=_is_hopeless(spoilt),
        spoilt=spoilt,
        looking=services.pending_data_check(),
        failed=newest if newest and newest.status == DataCheck.Status.FAILED else None,
        may_copy=may(request, "copy_run"),
    )


def _keeps_its_table_out(found: Finding) -> bool:
    """Whether no decision on the confirmation gets its table past it."""
    decided = found.refused or found.transforms or found.overcome_by
    return found.severity is Severity.BLOCKER and not decided


def _is_hopeless(spoilt: list[Finding]) -> bool:
    """Whether to leave tables out would not help either: it is about all of them, or each has one.

    What is about no table of the project is about all.
    """
    labels = {found.label for found in spoilt}
    return "" in labels or labels >= {table.label for table in services.chosen_tables(None)}


@look
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The line that is polled while a worker looks at the values; then the page comes anew."""
    if looking := services.pending_data_check():
        return render(request, "cutover/preflight/looking.html", {"looking": looking})
    return HttpResponse(headers={"HX-Refresh": "true"})


@copy
@require_POST
def check(request: HttpRequest) -> HttpResponse:
    """Ask a worker to look at the values of all tables, or of those that are to be confirmed."""
    confirming = request.POST.get("next") == reverse("run_new")
    labels = request.session.get(SELECTION, []) if confirming else None
    try:
        services.request_data_check(
            labels,
            request.user.get_username(),
            reverse=confirming and is_backwards(request),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("run_new" if confirming else "preflight")
