"""How numbers, times and statuses are written on the pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.template import Context
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from migrations_ui.engine.differences import common
from migrations_ui.engine.kinds import unescape
from migrations_ui.models import Audit, Run, Step, TableCopy

register = template.Library()

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EM DASH}"
BLANK = "\N{OPEN BOX}"
NULL = '<span class="null">NULL</span>'
# The control characters from U+0000, by names: few fonts have pictures of them.
# fmt: off
CONTROLS = [
    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF", "CR",
    "SO", "SI", "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC",
    "FS", "GS", "RS", "US",
]
# fmt: on
EXCERPT = 60  # characters of a long value
BEFORE = 20  # and how many of these come before the first difference
BREAKS = re.compile(r"([._])")
CODE = re.compile(r"`([^`]+)`")


@register.simple_tag(takes_context=True)
def wrong(context: Context, field: str) -> str:
    """What is said of a field that was filled in wrongly; "" where nothing is."""
    said = context.get("messages") or ()
    return next((message.message for message in said if message.extra_tags == field), "")


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
def visible(text: str) -> SafeString:
    """A value with what can't be seen of it as marks: control characters, blanks at its ends."""
    body = text.strip(" ")
    before, _, after = text.partition(body) if body else (text, "", "")
    middle = [escape(char) if char.isprintable() else _mark(char) for char in body]
    parts = [_mark(" ") * len(before), *middle, _mark(" ") * len(after)]
    return mark_safe("".join(parts))  # noqa: S308  # escaped here


@register.filter
def excerpt(value: str, other: str | None) -> str:
    """A part of a long value: from shortly before the first character that the other side lacks."""
    start = max(0, common(value, other or "") - BEFORE)
    end = start + EXCERPT
    return f"{'…' if start else ''}{value[start:end]}{'…' if end < len(value) else ''}"


def _mark(char: str) -> str:
    """A character that can't be seen, by its name or its number."""
    number = f"U+{ord(char):04X}"
    name = BLANK if char == " " else CONTROLS[ord(char)] if ord(char) < len(CONTROLS) else number
    return format_html('<mark class="char" title="{}">{}</mark>', number, name)


@register.filter
def cells(row: str) -> SafeString:
    """A short row, its cells apart."""
    return mark_safe(" · ".join(map(_cell, row.split("\t"))))  # noqa: S308  # escaped there


def _cell(cell: str) -> SafeString:
    """A canonical value with its column's name."""
    name, _, canonical = cell.partition("=")
    value = unescape(canonical.encode())
    shown = mark_safe(NULL) if value is None else visible(value.decode())  # noqa: S308  # ours
    return format_html("{}={}", name, shown)


@register.filter
def in_full(value: str, is_row: bool) -> SafeString:
    """A long value line by line, or a row cell by cell."""
    lines = map(_cell, value.split("\t")) if is_row else map(visible, value.splitlines(True))
    return mark_safe("\n".join(lines))  # noqa: S308  # escaped there


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
    """How long a run, a table or a step has taken, so far or in all; "—" while nobody is on it."""
    end = work.finished_at
    if end is None and isinstance(work, TableCopy) and not work.run.is_at_work:
        end = work.run.finished_at
    elif end is None:
        end = timezone.now()
    if work.started_at is None or end is None:
        return NOTHING
    return duration((end - work.started_at).total_seconds())


@register.filter
def clock(moment: datetime | None) -> SafeString | str:
    """A time of today as "19:58:41 UTC", with its date where it is of another day."""
    if moment is None:
        return NOTHING
    there = moment.astimezone(UTC)
    exact = f"{there:%Y-%m-%d %H:%M:%S} UTC"
    today = there.date() == timezone.now().astimezone(UTC).date()
    shown = f"{there:%H:%M:%S} UTC" if today else exact
    written = '<time datetime="{}" title="{}">{}</time>'
    return format_html(written, there.isoformat(), exact, shown)


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """A time and how long ago that was, which stands still where a page is not polled."""
    if moment is None:
        return NOTHING
    recent = abs((timezone.now() - moment).total_seconds()) < 60
    return format_html("{}, {}", clock(moment), "just now" if recent else naturaltime(moment))
