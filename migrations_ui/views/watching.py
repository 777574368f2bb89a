"""Watching a run: its page, and the fragment that the page asks for again and again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import inf
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from migrations_ui import services
from migrations_ui.decorators import look, may
from migrations_ui.models import RejectedRow, Run, TableCopy
from migrations_ui.services import RunProgress
from migrations_ui.site import site
from migrations_ui.views import rejected, transforms
from migrations_ui.views.rejected import Rejection

# By how much a worker's clock and writes may be behind the page.
SLACK = timedelta(seconds=2)
MOST_ROWS = 8  # of tables that come with one poll
PATIENCE = 10  # seconds in the queue before the page says that no worker has taken the run
# After how many seconds a page asks again, by the seconds for which the run goes on already.
ASKS_AGAIN = ((10, 1), (600, 2), (inf, 5))
SHARED_FOR = 1.0  # seconds: a poll is as late as that at most
MOST_SHARED = 64  # answers of about 6 KB


@dataclass(frozen=True)
class Aftermath:
    """What a run that did not succeed has left in the destination."""

    copied: list[TableCopy]
    partly: list[TableCopy]  # but for the rows that were set aside
    begun: list[TableCopy]  # a part of the rows is there
    wiped: list[TableCopy]
    untouched: list[TableCopy]
    strange: list[TableCopy]  # somebody else has written there since

    @classmethod
    def of(cls, run: Run) -> Aftermath:
        tables = list(_tables(run))
        after = [t for t in tables if t.dest_rows_after not in (None, t.copied_rows)]
        strange = after if run.changed_since else []
        tables = [table for table in tables if table not in strange]
        done = [table for table in tables if table.status == TableCopy.Status.DONE]
        rest = [table for table in tables if table.status != TableCopy.Status.DONE]
        return cls(
            copied=[table for table in done if not table.rejected_rows],
            partly=[table for table in done if table.rejected_rows],
            begun=[table for table in rest if table.wiped and table.copied_rows],
            wiped=[table for table in rest if table.wiped and not table.copied_rows],
            untouched=[table for table in rest if not table.wiped],
            strange=strange,
        )


@look
@require_safe
def run(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    trail = [(reverse("runs"), "Runs")]
    return site.page(
        request,
        "cutover/run/page.html",
        f"Run {pk}",
        trail=trail,
        tables=_tables(run),
        may_copy=may(request, "copy_run"),
        **_live(run),
    )


@look
@require_safe
def live(request: HttpRequest, pk: int) -> HttpResponse:
    """The fragment that is polled; the last one, of a finished run, polls no more.

    With it come the rows of the tables in which something moves; all of them where the run is no
    more as the page has `seen` it.  So a poll stays small, however many tables there are.
    """
    seen = request.GET.get("seen", "")
    fragment = _shared(pk, seen, _moment())
    return HttpResponse(_own(request, pk, seen) if fragment is None else fragment)


def _moment() -> int:
    """The number of the second that it is."""
    return int(time.monotonic() / SHARED_FOR)


@lru_cache(MOST_SHARED)
def _shared(pk: int, seen: str, moment: int) -> str | None:
    """What everybody gets who asks at this moment; None where it is made for each of them.

    While a worker is on the run, and its status is what was `seen`, nothing depends on who asks but
    the buttons, and the page has these.  It is rendered without the request, so that nothing of one
    operator's can get to another.
    """
    run = _run(pk)
    if not run.is_at_work or seen.partition("-")[0] not in ("", run.status):
        return None
    context = _live(run) | _tables_to_tell(run, seen) | {"shared": True}
    return render_to_string("cutover/run/poll.html", context)


def _own(request: HttpRequest, pk: int, seen: str) -> str:
    """What one operator gets, with the buttons."""
    run = _run(pk)
    context = _live(run) | _tables_to_tell(run, seen) | {"may_copy": may(request, "copy_run")}
    if seen and context["rejection"].trying:
        context["tables"] = _tables(run)
    return render_to_string("cutover/run/poll.html", context, request)


def _tables_to_tell(run: Run, seen: str) -> dict[str, Any]:
    """The tables that have changed since the page has seen them."""
    state, _, at = seen.partition(" ")
    if state and state != _state(run):
        return {"tables": _tables(run)}
    moving, seen = _moving(run, at)
    return {"moving": moving, "seen": seen}


def _state(run: Run) -> str:
    """What changes the rows of all tables at once."""
    return f"{run.status}-{run.phase}"


def _seen(run: Run, at: float | None = None) -> str:
    """What a page shows by now, and as of when (Unix time), for the next poll to tell."""
    return f"{_state(run)} {time.time() if at is None else at:.0f}"


def _moving(run: Run, at: str) -> tuple[list[TableCopy], str]:
    """The tables that are copied just now, the first that have ended since, and what is seen then.

    What has ended besides comes with the next polls.
    """
    recent = _tables(run).filter(finished_at__gt=_shortly_before(at)).order_by("finished_at")
    ended = list(recent[:MOST_ROWS])
    copying = _tables(run).filter(status=TableCopy.Status.COPYING, finished_at=None)[:MOST_ROWS]
    last = ended[-1].finished_at if len(ended) == MOST_ROWS else None
    return [*copying, *ended], _seen(run, last.timestamp() + SLACK.seconds if last else None)


def _shortly_before(at: str) -> datetime:
    """Before the moment (Unix time) that a page has seen; before now where no calendar has it."""
    try:
        return datetime.fromtimestamp(float(at), UTC) - SLACK
    except (ValueError, OverflowError):
        return timezone.now() - SLACK


def _run(pk: int) -> Run:
    return get_object_or_404(Run.objects.defer(*Run.LONG), pk=pk)


def _tables(run: Run) -> QuerySet[TableCopy]:
    """Its tables without their columns, which no page shows."""
    return run.tables.defer("signature")


def _live(run: Run) -> dict[str, Any]:
    """What the run's fragment shows, in a number of queries that no number of tables changes."""
    progress = services.run_progress(run)
    events = list(run.events.order_by("-id"))
    audits = list(run.audits.defer("positions").order_by("-id"))
    rejection = Rejection.of(run, events[0] if events else None)
    moving = run.is_active and run.status != Run.Status.PAUSED
    return {
        "run": run,
        "seen": _seen(run),
        "heading": _heading(run, progress),
        "status_template": f"cutover/run/status/{run.status}.html",
        "progress": progress,
        "every": next(every for until, every in ASKS_AGAIN if (progress.elapsed or 0) < until),
        "declared": transforms.declared(run.transforms),
        "left_out": _left_out(run, progress),
        "aftermath": None if moving else Aftermath.of(run),
        "failed_tables": run.tables.exclude(error=""),
        "missing_constraints": run.dropped_constraints.filter(restored_at=None),
        "disabled_triggers": run.disabled_triggers.filter(restored_at=None),
        "missing_indexes": run.dropped_indexes.filter(restored_at=None),
        "events": events,
        "audit": audits[0] if audits else None,
        "earlier_audits": audits[1:],
        "rejection": rejection,
        "rejected": _rejected(run, rejection),
        "nobody_came": (timezone.now() - run.created_at).total_seconds() > PATIENCE,
        "resumable": services.is_resumable(run),
    }


def _rejected(run: Run, rejection: Rejection) -> list[RejectedRow]:
    """The first rejected rows; none while the run is polled."""
    return (
        list(rejected.rows(run)[: rejected.SHOWN]) if rejection.total and not run.is_active else []
    )


def _left_out(run: Run, progress: RunProgress) -> int:
    """How many rows the declared transforms have left out; 0 until the run has succeeded."""
    return progress.total - progress.rows if run.status == Run.Status.SUCCEEDED else 0


def _heading(run: Run, progress: RunProgress) -> str:
    """The window's title: what can be read from another tab."""
    if run.status == Run.Status.RUNNING and progress.percent is not None:
        return f"{progress.percent} % · Run {run.pk}"
    return f"Run {run.pk} {run.status}"
