"""What is answered when a page fails: 503 while the control database is away, 500 otherwise."""

from __future__ import annotations

import sys

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template import loader
from django.views.defaults import server_error

from migrations_ui.ticker import AWAY, passes

# Seconds after which to ask again.
SOON = 5


def failed(request: HttpRequest) -> HttpResponseBase:
    """Called by Django while it handles what a view, or what is around it, has raised."""
    return unavailable(request) if is_away(sys.exception()) else server_error(request)


def is_away(error: BaseException | None) -> bool:
    """Whether it is the control database that does not answer, and not one that is looked at."""
    lost = connection.connection is None or connection.errors_occurred
    return isinstance(error, AWAY) and lost and passes(error)


def unavailable(request: HttpRequest) -> HttpResponse:
    """Made without any database.  A poll gets no page: what it belongs to is left standing."""
    headers = {"Retry-After": str(SOON), "Cache-Control": "no-store"}
    if request.headers.get("HX-Request"):
        text = "The control database does not answer.\n"
        return HttpResponse(text, status=503, content_type="text/plain", headers=headers)
    page = loader.render_to_string("503.html", {"where": where()})
    return HttpResponse(page, status=503, headers=headers)


def where() -> str:
    """The control database, as its configuration names it, without the account."""
    config = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"the file {config['NAME']}"
    port = f":{config['PORT']}" if config["PORT"] else ""
    return f"{config['NAME']} on {config['HOST'] or 'localhost'}{port}"
