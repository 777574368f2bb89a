"""Catch-up, and the repair of chosen tables, which is the same for fewer: confirmed and started."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from migrations_ui import services
from migrations_ui.decorators import wipe
from migrations_ui.services import Refused
from migrations_ui.site import site


@wipe
@require_safe
def new(request: HttpRequest) -> HttpResponse:
    """The confirmation: which tables, and what becomes of rows that only the destination has."""
    chosen = request.GET.getlist("label")
    backwards = "reverse" in request.GET
    try:
        whole = [table.label for table in services.chosen_tables(None)]
        plan = services.catch_up_plan(chosen or whole, reverse=backwards)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("audits")
    return site.page(
        request,
        "cutover/catch_up.html",
        "Repair tables" if chosen else "Catch up",
        plan=plan,
        blockers=services.catch_up_blockers(plan),
        fingerprint=services.catch_up_fingerprint(plan),
        every=sorted({*whole, *plan.labels}),
        chosen=chosen,
        reverse=backwards,
        workers=services.available_cores(),
    )


@wipe
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Queue what was confirmed."""
    labels = request.POST.getlist("label")
    backwards = "reverse" in request.POST
    try:
        run = services.start_catch_up(
            labels,
            request.POST.get("name", "").strip(),
            request.POST.get("fingerprint", ""),
            request.user.get_username(),
            reverse=backwards,
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(address(labels, backwards=backwards))
    return redirect(run)


def address(labels: Iterable[str], *, backwards: bool) -> str:
    """The confirmation page for these tables."""
    query = [("label", label) for label in labels] + ([("reverse", "1")] if backwards else [])
    return f"{reverse('catch_up')}?{urlencode(query)}" if query else reverse("catch_up")
