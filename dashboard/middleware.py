"""What happens around every request of the pages."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import translation

Handler = Callable[[HttpRequest], HttpResponse]


def english(get_response: Handler) -> Handler:
    """The pages are in English, whatever LANGUAGE_CODE the host's models were written for."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with translation.override("en-us"):
            return get_response(request)

    return middleware
