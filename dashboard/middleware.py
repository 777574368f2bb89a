"""What happens around every request of the pages."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation

from migrations_ui.engine.databases.access import hurry

# Seconds that a page waits for a lock of the source or the destination before it says so.
LOCK_TIMEOUT = 3

Handler = Callable[[HttpRequest], HttpResponse]


def sealed(get_response: Handler) -> Handler:
    """Who has come by TLS sends our cookies by TLS only, even if somebody lures them to http://.

    A proxy that ends the TLS may not say so: then the public address, where it is one of https, is
    known by its host.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        public = urlsplit(settings.PUBLIC_URL)
        host = request.headers.get("Host", "").lower()
        if request.is_secure() or (public.scheme, public.netloc.lower()) == ("https", host):
            for cookie in response.cookies.values():
                cookie["secure"] = True
        return response

    return middleware


def english(get_response: Handler) -> Handler:
    """The pages are in English, whatever LANGUAGE_CODE the host's models were written for."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with translation.override("en-us"):
            return get_response(request)

    return middleware


def impatient(get_response: Handler) -> Handler:
    """Whoever looks at a page should not wait as long for a lock as a worker does."""

    def middleware(request: HttpRequest) -> HttpResponse:
        token = hurry.set(LOCK_TIMEOUT)
        try:
            return get_response(request)
        finally:
            hurry.reset(token)

    return middleware
