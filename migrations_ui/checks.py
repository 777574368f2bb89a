"""System checks: mistakes in the settings that Django finds before anything is touched.

They compare what is configured, without connecting; whether two databases are physically the same
is asked again, of the servers themselves, before every run.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, register

from migrations_ui.engine.databases.access import place

LOOPBACK = {"localhost", "127.0.0.1", "::1", "[::1]"}


@register
def queue_is_not_immediate(**kwargs: Any) -> list[CheckMessage]:
    if not settings.HUEY.get("immediate", settings.DEBUG):
        return []
    return [
        checks.Error(
            "huey would run every copy inside a web request.",
            hint='Set "immediate" to False in HUEY, and run a worker: manage.py run_huey.',
            id="migrations_ui.E001",
        )
    ]


@register
def source_is_not_destination(**kwargs: Any) -> list[CheckMessage]:
    """A warning: the destination may be migrated like that, but every run refuses."""
    if place(settings.ENDPOINTS["source"]) != place(settings.ENDPOINTS["dest"]):
        return []
    return [
        checks.Warning(
            "Source and destination are the same database, by their configuration.",
            hint="Correct SOURCE_DATABASE_URL or DEST_DATABASE_URL. No run can start like this.",
            id="migrations_ui.W001",
        )
    ]


@register
def debug_stays_at_home(**kwargs: Any) -> list[CheckMessage]:
    strangers = sorted(set(settings.ALLOWED_HOSTS) - LOOPBACK)
    if not settings.DEBUG or not strangers:
        return []
    return [
        checks.Warning(
            f"DEBUG is on, and pages may be asked for as {', '.join(strangers)}.",
            hint="Error pages then show settings and rows to whoever sees them: set DEBUG=0.",
            id="migrations_ui.W002",
        )
    ]
