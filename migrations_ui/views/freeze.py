"""Whether anyone still writes: asked before the last catch-up."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from migrations_ui import positions
from migrations_ui.decorators import look
from migrations_ui.site import site


@look
@require_safe
def freeze(request: HttpRequest) -> HttpResponse:
    """Look at both sides twice; it changes nothing, so that a GET may ask."""
    backwards = "reverse" in request.GET
    return site.page(
        request,
        "cutover/freeze.html",
        "Does anyone still write?",
        sides=positions.stillness(reverse=backwards),
        looked_at=timezone.now(),
        backwards=backwards,
    )
