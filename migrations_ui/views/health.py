"""A plain answer for probes."""

from __future__ import annotations

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from migrations_ui.models import Run


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer "ok" when the control database answers and is migrated; no sign-in is needed."""
    try:
        Run.objects.exists()
    except DatabaseError:
        return HttpResponse(
            "The control database does not answer, or `manage.py migrate` has not been run.\n",
            status=503,
            content_type="text/plain",
        )
    return HttpResponse("ok\n", content_type="text/plain")
