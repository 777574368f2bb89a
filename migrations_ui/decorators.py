"""Who may ask: decorators that stand above each view."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.cache import never_cache

from migrations_ui.site import site

View = Callable[..., HttpResponseBase]

# What the permissions are called on the page that refuses.
NAMES = {
    "view_run": "Can view run",
    "copy_run": "Can start and cancel runs",
    "wipe_destination": "Can confirm the wipe of the destination",
    "sign_off": "Can sign off audits",
}


def operators_only(*codenames: str) -> Callable[[View], View]:
    """Let staff in who have all the permissions; tell everybody else what is missing."""

    def decorate(view: View) -> View:
        @never_cache
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return _refusal(request, codenames) or view(request, *args, **kwargs)

        return guarded

    return decorate


look = operators_only("view_run")
copy = operators_only("view_run", "copy_run")
wipe = operators_only("view_run", "copy_run", "wipe_destination")
sign = operators_only("view_run", "sign_off")


def may(request: HttpRequest, *codenames: str) -> bool:
    """Whether the operator has these permissions of ours."""
    user = request.user
    # Not `has_perms()`, which a host's user model need not have.
    return not isinstance(user, AnonymousUser) and all(
        user.has_perm(f"migrations_ui.{codename}") for codename in codenames
    )


def _refusal(request: HttpRequest, codenames: tuple[str, ...]) -> HttpResponse | None:
    user = request.user
    if isinstance(user, AnonymousUser) or not user.is_active:
        return _sign_in(request)
    missing = [NAMES[name] for name in codenames if not may(request, name)]
    if user.is_staff and not missing:
        return None
    return site.page(
        request, "cutover/forbidden.html", "Not allowed", status=403, missing=missing, user=user
    )


def _sign_in(request: HttpRequest) -> HttpResponse:
    """Off to the sign-in page; a plain redirect would put that page inside a polled fragment."""
    htmx = getattr(request, "htmx", None)
    page = request.get_full_path() if request.method in {"GET", "HEAD"} else reverse("overview")
    if htmx:
        page = htmx.current_url_abs_path or reverse("overview")
    url = f"{reverse('admin:login')}?{urlencode({REDIRECT_FIELD_NAME: page})}"
    if htmx:
        return HttpResponseForbidden("Your session has ended.", headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)
