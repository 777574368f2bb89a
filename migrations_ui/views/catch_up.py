"""Catch-up, and the repair of chosen tables, which is the same for fewer: confirmed and started."""

from __future__ import annotations

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

# The session's key for the tables that were chosen.  A browser can send hundreds of labels, but not
# in an address: web servers refuse one of more than some thousand characters.
CHOSEN = "catch_up"


@wipe
@require_safe
def new(request: HttpRequest) -> HttpResponse:
    """The confirmation: which tables, and what becomes of rows that only the destination has."""
    chosen: list[str] = request.session.get(CHOSEN, []) if "chosen" in request.GET else []
    backwards, newer = "reverse" in request.GET, "newer" in request.GET
    try:
        whole = [table.label for table in services.chosen_tables(None)]
        plan = services.catch_up_plan(chosen or whole, reverse=backwards, newer_only=newer)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(address(chosen=bool(chosen), backwards=backwards) if newer else "audits")
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
        other_way=address(chosen=bool(chosen), backwards=backwards, newer=not newer),
    )


@wipe
@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Keep which tables are to be confirmed; none means all."""
    return _confirmation(request)


def _confirmation(request: HttpRequest) -> HttpResponse:
    """The confirmation of the tables that were sent, and as it was asked for."""
    chosen = request.session[CHOSEN] = request.POST.getlist("label")
    backwards, newer = "reverse" in request.POST, "newer" in request.POST
    return redirect(address(chosen=bool(chosen), backwards=backwards, newer=newer))


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
        return _confirmation(request)
    return redirect(run)


def title(*, chosen: bool, newer: bool) -> str:
    if newer:
        return "Bring newer rows over"
    return "Repair tables" if chosen else "Catch up"


def address(*, chosen: bool, backwards: bool, newer: bool = False) -> str:
    """The confirmation page, for the tables that were chosen or for all."""
    asked = {"chosen": chosen, "reverse": backwards, "newer": newer}
    query = urlencode([(name, "1") for name, wanted in asked.items() if wanted])
    return f"{reverse('catch_up')}?{query}" if query else reverse("catch_up")
