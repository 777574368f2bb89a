"""How numbers, times and statuses are written on the pages."""

from __future__ import annotations

import re
from datetime import datetime

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from migrations_ui.models import Audit, Run, Step, TableCopy

register = template.Library()

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EM DASH}"
BLANK = "\N{OPEN BOX}"
SHOWN = 60  # characters of a long value
BREAKS = re.compile(r"([._])")
CODE = re.compile(r"`([^`]+)`")


@register.filter
def rows(value: int | None, exact: bool = True) -> str:
    """A number of rows: "1,234", "≈ 1,234" where it is an estimate, "—" where it is not known."""
    if value is None:
        return NOTHING
    return f"{value:,}" if exact else f"≈\N{NO-BREAK SPACE}{value:,}"


@register.filter
def prose(text: str) -> SafeString:
    """A message of the services, with what stands between backticks set as code."""
    return mark_safe(CODE.sub(r"<code>\1</code>", escape(text)))  # noqa: S308  # escaped here


@register.filter
def breakable(name: str) -> SafeString:
    """A long name that may be broken after its dots and underscores, and nowhere else."""
    return mark_safe(BREAKS.sub(r"\1<wbr>", escape(name)))  # noqa: S308  # escaped here


@register.filter
def visible(text: str) -> str:
    """A short value with its control characters spelt out, and blanks at its ends marked."""
    spelt = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    body = spelt.strip(" ")
    before, _, after = spelt.partition(body) if body else (spelt, "", "")
    return before.replace(" ", BLANK) + body + after.replace(" ", BLANK)


@register.filter
def cells(row: str) -> str:
    """A short row, its cells apart."""
    return " · ".join(visible(cell) for cell in row.split("\t"))


@register.filter
def beginning(text: str) -> str:
    """As much of a long value as fits a cell."""
    return visible(text[:SHOWN]) + "…"


@register.filter
def verdict_name(verdict: str) -> str:
    """A verdict in words."""
    return str(Audit.Verdict(verdict).label)


@register.filter
def whole(value: float) -> int:
    """A rate without its fraction."""
    return round(value)


@register.filter
def signed(value: int | None) -> str:
    """A difference: "0", "+12", "−3", or "—" where it is not known."""
    if value is None:
        return NOTHING
    return f"{value:+,}".replace("-", MINUS) if value else "0"


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds in words: "12 s", "3 min 05 s", "2 h 05 min", or "—"."""
    if seconds is None:
        return NOTHING
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


@register.filter
def took(work: Run | TableCopy | Step) -> str:
    """How long a run, a table or a step has taken, so far or in all."""
    if work.started_at is None:
        return NOTHING
    return duration(((work.finished_at or timezone.now()) - work.started_at).total_seconds())


@register.filter
def seconds_since(moment: datetime | None) -> float | None:
    return None if moment is None else (timezone.now() - moment).total_seconds()


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """A time relative to now, the exact one in its title."""
    if moment is None:
        return NOTHING
    local = timezone.localtime(moment)
    exact = f"{local:%Y-%m-%d %H:%M:%S %Z}"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(), exact, naturaltime(moment)
    )
