"""Sign-offs: signing an audit, the record of it, and what has happened since."""

from __future__ import annotations

import csv
import io
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from migrations_ui import born, positions, signing
from migrations_ui.coverage import Coverage
from migrations_ui.decorators import look
from migrations_ui.decorators import sign as signers
from migrations_ui.engine.checks.sides import listed
from migrations_ui.models import Audit, SignOff
from migrations_ui.services import Refused
from migrations_ui.site import site
from migrations_ui.views.downloads import guarded

PER_PAGE = 25
SHOWN = 12  # tables of which a signature says nothing
CSV_COLUMNS = (
    "label",
    "table",
    "verdict",
    "source_rows",
    "dest_rows",
    "source_digest",
    "dest_digest",
    "max_key",
    "next_source",
    "next_dest",
)
# A file that is opened from a disk: it may have a look of its own, and nothing else.
FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


@look
@require_safe
def sign_offs(request: HttpRequest) -> HttpResponse:
    history = SignOff.objects.select_related("audit").defer("record")
    page = Paginator(history, PER_PAGE).get_page(request.GET.get("page"))
    return site.page(request, "cutover/signing/list.html", "Sign-offs", page=page)


@signers
@require_safe
def sign(request: HttpRequest, pk: int) -> HttpResponse:
    """What would be signed, and the place for the password."""
    audit = _audit(pk)
    moves = positions.since(audit, fresh=True)
    coverage = Coverage.of(audit.tables.values_list("label", flat=True))
    trail = [(reverse("audits"), "Audits"), (audit.get_absolute_url(), str(audit))]
    return site.page(
        request,
        "cutover/signing/form.html",
        f"Sign {audit} off",
        trail=trail,
        audit=audit,
        coverage=coverage,
        not_audited=listed(coverage.labels, SHOWN),
        moves=moves,
        obstacles=signing.obstacles(audit, moves),
        doubts=signing.doubts(audit, moves),
    )


@sensitive_post_parameters("password")
@signers
@require_POST
def sign_off_now(request: HttpRequest, pk: int) -> HttpResponse:
    audit = _audit(pk)
    password = request.POST.get("password", "")
    try:
        signed = signing.sign(request, audit, password, answers="answers" in request.POST)
    except Refused as refusal:
        messages.error(request, str(refusal), extra_tags=refusal.field)
        return redirect("audit_sign", pk)
    return redirect(signed)


@look
@require_safe
def sign_off(request: HttpRequest, pk: int) -> HttpResponse:
    """The record, to be read and printed; its seal is checked each time."""
    signed = _sign_off(pk)
    return site.page(
        request,
        "cutover/signing/page.html",
        f"Sign-off {pk}",
        trail=[(reverse("sign_offs"), "Sign-offs")],
        **_shown(signed),
        moves=positions.since_signing(signed) if signed.is_intact else [],
    )


@look
@require_safe
def since(request: HttpRequest, pk: int) -> HttpResponse:
    """What the destination has got since: what the way back would lose."""
    signed = _sign_off(pk)
    births, moves = None, []
    try:
        if not signed.is_intact:
            raise Refused("The record is not what was signed, so nothing can be told from it.")
        moves = positions.since_signing(signed)
        births = born.births(signed)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return site.page(
        request,
        "cutover/signing/since.html",
        f"Since sign-off {pk}",
        trail=[(reverse("sign_offs"), "Sign-offs"), (signed.get_absolute_url(), str(signed))],
        sign_off=signed,
        moves=moves,
        births=births,
        counted=born.COUNTED,
    )


@look
@require_safe
def as_json(request: HttpRequest, pk: int) -> HttpResponse:
    """The record, byte for byte: the file's SHA-256 is the one on the page."""
    return _file(_sign_off(pk).record, f"sign-off-{pk}.json", "application/json")


@look
@require_safe
def as_csv(request: HttpRequest, pk: int) -> HttpResponse:
    """A line a table; of a record that was changed there is none to be taken for the real one."""
    signed = _sign_off(pk)
    if not signed.is_intact:
        messages.error(request, "The record was changed after it was signed, so there is no CSV.")
        return redirect(signed)
    seal = (str(signed), signed.operator, signed.signed_at.isoformat(), signed.digest)
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(["sign_off", "operator", "signed_at", "sha256", *CSV_COLUMNS])
    for table in signed.contents["tables"]:
        cells = ("" if table[name] is None else str(table[name]) for name in CSV_COLUMNS)
        writer.writerow([guarded(cell) for cell in (*seal, *cells)])
    return _file(text.getvalue(), f"sign-off-{pk}.csv", "text/csv; charset=utf-8")


@look
@require_safe
def as_html(request: HttpRequest, pk: int) -> HttpResponse:
    """The record as a file that needs nothing beside it."""
    text = render_to_string("cutover/signing/file.html", _shown(_sign_off(pk)))
    response = _file(text, f"sign-off-{pk}.html", "text/html; charset=utf-8")
    response["Content-Security-Policy"] = FILE_POLICY
    return response


def _file(text: str, name: str, content_type: str) -> HttpResponse:
    return HttpResponse(
        text,
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _shown(signed: SignOff) -> dict[str, Any]:
    return {
        "sign_off": signed,
        "intact": signed.is_intact,
        "now": signed.digest_now,
        "checked": timezone.now(),
        "record": signed.contents if signed.is_intact else {},
    }


def _audit(pk: int) -> Audit:
    return get_object_or_404(Audit.objects.select_related("run"), pk=pk)


def _sign_off(pk: int) -> SignOff:
    return get_object_or_404(SignOff.objects.select_related("audit", "run"), pk=pk)
