"""Whether anybody would pick up what a button asks for."""

from __future__ import annotations

from django import template

from migrations_ui import workers

register = template.Library()


@register.simple_tag
def why_no_worker() -> str:
    """Why nobody would, and what to do; "" if somebody would."""
    return workers.look().nobody
