"""Whether anybody would pick up what a button asks for, and what stands in its way."""

from __future__ import annotations

from typing import Any

from django import template

from migrations_ui import notifications, services, workers
from migrations_ui.models import Audit
from migrations_ui.services import Side

register = template.Library()


@register.simple_tag
def why_no_worker() -> str:
    """Why nobody would, and what to do; "" if somebody would."""
    return workers.look().nobody


@register.inclusion_tag("cutover/health/undelivered.html")
def undelivered(audit: Audit) -> dict[str, Any]:
    """What could not be told of an audit."""
    return {"undelivered": notifications.undelivered().filter(audit=audit), "heading": "h2"}


@register.inclusion_tag("cutover/in_the_way.html")
def in_the_way(dest: Side) -> dict[str, Any]:
    """The run that keeps a destination, and whether a new one would end it."""
    run, superseded = services.in_the_way(dest.identity)
    return {"run": run, "superseded": superseded, "dest": dest}
