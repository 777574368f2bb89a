"""The page of an error where DEBUG is on: it says where and why, and no credential.

Whoever makes an error gets that page, signed in or not, and the drivers' frames have the passwords
that they connect with.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, QueryDict
from django.utils.safestring import SafeString, mark_safe
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from migrations_ui.concealing import cleaned


class Filter(SafeExceptionReporterFilter):
    """Hides what was sent as a password, whichever view it was sent to."""

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        sent = request.POST if request else {}
        return {name: self.cleanse_setting(name, value) for name, value in sent.items()}

    def cleanse_special_types(self, request: HttpRequest | None, value: Any) -> Any:
        cleansed = super().cleanse_special_types(request, value)
        return self.cleanse_setting("", dict(cleansed)) if _is_sent(cleansed) else cleansed


def _is_sent(value: Any) -> bool:
    """Whether it is what a form has sent; of what is lazy only its type can be asked for."""
    return issubclass(type(value), QueryDict)


class Reporter(ExceptionReporter):
    """Django's own, without the credentials that are configured."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filter = Filter()

    def get_traceback_html(self) -> SafeString:
        return mark_safe(cleaned(super().get_traceback_html()))  # noqa: S308  # Django has escaped it

    def get_traceback_text(self) -> SafeString:
        return mark_safe(cleaned(super().get_traceback_text()))  # noqa: S308  # a plain text
