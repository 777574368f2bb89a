"""Where the pages are."""

from __future__ import annotations

from django.urls import include, path

from migrations_ui.admin import site

urlpatterns = [
    path("admin/", site.urls),
    path("", include("migrations_ui.urls")),
]

handler500 = "dashboard.errors.failed"
