"""The admin site that the pages live in: its look, its sections, its sign-in.

It is a site of its own, not `admin.site`: a host project's module that registers its models there
would otherwise bring them here, where they have no tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.models import LogEntry
from django.contrib.auth import REDIRECT_FIELD_NAME, get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

SECTIONS = (
    ("overview", "Overview"),
    ("preflight", "Preflight"),
    ("tables", "Tables"),
    ("runs", "Runs"),
    ("audits", "Audits"),
    ("sign_offs", "Sign-offs"),
)


@dataclass(frozen=True)
class Section:
    """A link in the bar below the header."""

    url: str
    text: str
    current: bool


class CutoverSite(AdminSite):
    site_header = "Cutover"
    site_title = "Cutover"
    index_title = "Operators"
    site_url = None
    enable_nav_sidebar = False

    def page(
        self,
        request: HttpRequest,
        template: str,
        title: str,
        *,
        status: int = 200,
        **context: Any,
    ) -> HttpResponse:
        """A whole page, with everything that the admin's frame needs."""
        return render(
            request,
            template,
            self.each_context(request) | {"title": title} | context,
            status=status,
        )

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().each_context(request)
        sections = self.sections(request) if context["has_permission"] else []
        return context | {"sections": sections, "operators_here": self.operators_here()}

    def operators_here(self) -> bool:
        """Whether operators can be edited here: not where they are the source's accounts."""
        return self.is_registered(get_user_model())

    def get_log_entries(self, request: HttpRequest) -> QuerySet[LogEntry]:
        """What was done to operators; nothing where they live elsewhere, out of a query's reach."""
        entries: QuerySet[LogEntry] = super().get_log_entries(request)
        return entries if self.operators_here() else entries.none()

    def sections(self, request: HttpRequest) -> list[Section]:
        links = [(reverse(name), text) for name, text in SECTIONS]
        if self.operators_here() and self.get_app_list(request):
            links.append((reverse("admin:index"), "Operators"))
        return [Section(url, text, is_current(request.path, url)) for url, text in links]

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Sign-in; it leads to the overview unless another page was asked for."""
        if REDIRECT_FIELD_NAME not in request.GET:
            extra_context = {REDIRECT_FIELD_NAME: reverse("overview")} | (extra_context or {})
        return super().login(request, extra_context)


def is_current(path: str, url: str) -> bool:
    """Whether the page at `path` is in the section that starts at `url`."""
    return path == url if url == reverse("overview") else path.startswith(url)


site = CutoverSite(name="admin")
