"""Plain answers for probes and for Prometheus."""

from __future__ import annotations

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from migrations_ui import metrics as figures
from migrations_ui.decorators import look
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


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponseBase:
    """The figures for whoever brings METRICS_TOKEN, or is signed in and may look."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if not scheme:
        return _signed_in(request)
    if scheme.lower() == "bearer" and _is_token(token.strip()):
        return _figures(request)
    return HttpResponse(
        "Send `Authorization: Bearer` with what METRICS_TOKEN is set to.\n",
        status=401,
        content_type="text/plain",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _is_token(token: str) -> bool:
    """Where no token is set, none is right."""
    expected = settings.METRICS_TOKEN
    return bool(expected) and constant_time_compare(token, expected)


def _figures(request: HttpRequest) -> HttpResponse:
    return HttpResponse(figures.exposition(), content_type=CONTENT_TYPE_PLAIN_0_0_4)


_signed_in = look(_figures)
