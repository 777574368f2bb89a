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
    backwards, newer = "reverse" in request.GET, "newer" in request.GET
    try:
        whole = [table.label for table in services.chosen_tables(None)]
        plan = services.catch_up_plan(chosen or whole, reverse=backwards, newer_only=newer)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(address(chosen, backwards=backwards) if newer else "audits")
    return site.page(
        request,
        "cutover/catch_up.html",
        title(chosen=bool(chosen), newer=newer),
        plan=plan,
        blockers=services.catch_up_blockers(plan),
        fingerprint=services.catch_up_fingerprint(plan),
        every=sorted({*whole, *plan.labels}),
        chosen=chosen,
        reverse=backwards,
        newer=newer,
        newer_by=services.catch_up_newer_by(chosen or whole),
        other_way=address(chosen, backwards=backwards, newer=not newer),
    )


@wipe
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Queue what was confirmed."""
    labels = request.POST.getlist("label")
    backwards, newer = "reverse" in request.POST, "newer" in request.POST
    try:
        run = services.start_catch_up(
            labels,
            request.POST.get("name", "").strip(),
            request.POST.get("fingerprint", ""),
            request.user.get_username(),
            reverse=backwards,
            options=services.Options(newer_only=newer),
        )
    except Refused as refusal:
        messages.error(request, str(refusal), extra_tags=refusal.field)
        return redirect(address(labels, backwards=backwards, newer=newer))
    return redirect(run)


def title(*, chosen: bool, newer: bool) -> str:
    if newer:
        return "Bring newer rows over"
    return "Repair tables" if chosen else "Catch up"


def address(labels: Iterable[str], *, backwards: bool, newer: bool = False) -> str:
    """The confirmation page for these tables."""
    query = [("label", label) for label in labels]
    query += [(name, "1") for name, asked in (("reverse", backwards), ("newer", newer)) if asked]
    return f"{reverse('catch_up')}?{urlencode(query)}" if query else reverse("catch_up")
