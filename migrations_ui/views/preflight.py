"""Preflight: what would get in the way of a copy."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from migrations_ui import services
from migrations_ui.decorators import look
from migrations_ui.site import site


@look
@require_safe
def preflight(request: HttpRequest) -> HttpResponse:
    report = services.preflight(None)
    return site.page(
        request,
        "cutover/preflight.html",
        "Preflight",
        report=report,
        severities=[
            (severity, [finding for finding in report.findings if finding.severity == severity])
            for severity in ("blocker", "warning", "info")
        ],
    )
