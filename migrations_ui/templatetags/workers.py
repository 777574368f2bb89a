"""Whether anybody would pick up what a button asks for, and who could not be told of its end."""

from __future__ import annotations

from typing import Any

from django import template

from migrations_ui import notifications, workers
from migrations_ui.models import Audit

register = template.Library()


@register.simple_tag
def why_no_worker() -> str:
    """Why nobody would, and what to do; "" if somebody would."""
    return workers.look().nobody


@register.inclusion_tag("cutover/health/undelivered.html")
def undelivered(audit: Audit) -> dict[str, Any]:
    """What could not be told of an audit."""
    return {"undelivered": notifications.undelivered().filter(audit=audit), "heading": "h2"}
