"""The overview: where the cutover stands, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from migrations_ui import notifications, services, workers
from migrations_ui.decorators import look
from migrations_ui.models import Audit, DataCheck, Run, SignOff
from migrations_ui.site import site

SHOWN = 5  # notifications that were not delivered


@dataclass(frozen=True)
class Step:
    """Something to do next: a button and the sentence beside it."""

    url: str
    button: str
    why: str


@look
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    databases = services.tables_page()
    source, dest = databases.source, databases.dest
    run = Run.objects.defer(*Run.LONG).first()
    audit = Audit.objects.first()
    return site.page(
        request,
        "cutover/overview.html",
        "Overview",
        source=source,
        dest=dest,
        run=run,
        progress=services.run_progress(run) if run else None,
        audit=audit,
        outdated=bool(run and audit and _is_outdated(run, audit)),
        signed=SignOff.objects.defer("record").first(),
        step=_next_step(bool(source.error or dest.error), run, audit),
        **_health(),
    )


@look
@require_safe
def workers_live(request: HttpRequest) -> HttpResponse:
    """The fragment of workers and queue, which is polled."""
    return render(request, "cutover/health/live.html", _health())


@look
@require_safe
def nobody(request: HttpRequest, note: str) -> HttpResponse:
    """The note beside buttons that wait for a worker, which is polled; `note` is its id."""
    context = {"id": note, "reason": workers.look().nobody}
    return render(request, "cutover/health/nobody.html", context)


def _health() -> dict[str, Any]:
    return {"health": workers.look(), "undelivered": notifications.undelivered()[:SHOWN]}


def _next_step(unreachable: bool, run: Run | None, audit: Audit | None) -> Step:
    if run and run.status == Run.Status.PAUSED:
        why = f"Run {run.pk} is paused: nobody is on it until it is resumed or cancelled."
        return Step(run.get_absolute_url(), f"Open run {run.pk}", why)
    if run and run.is_active:
        return Step(run.get_absolute_url(), f"Watch run {run.pk}", "A run is under way.")
    if unreachable:
        return Step(reverse("preflight"), "Run preflight", "A database can't be used as it is.")
    if run is None:
        return _before_the_copy()
    if run.status == Run.Status.INCOMPLETE:
        return _after_an_incomplete_copy(run, audit)
    if run.status != Run.Status.SUCCEEDED:
        why = f"The last run was {run.status}. Its page says what happened to the data."
        return Step(run.get_absolute_url(), f"Read run {run.pk}", why)
    return _after_the_copy(run, audit)


def _before_the_copy() -> Step:
    if not DataCheck.objects.filter(status=DataCheck.Status.FINISHED).exists():
        return Step(reverse("preflight"), "Run preflight", "Nothing has been copied yet.")
    report = services.preflight()
    if report.status == "blockers":
        why = "Preflight has found what would get in the way of a copy."
        return Step(reverse("preflight"), "Read preflight", why)
    if report.checked is None:
        why = "The last look at the values is too old, or was not at all tables as they are now."
        return Step(reverse("preflight"), "Run preflight", why)
    why = "Preflight has looked at the values and found nothing in the way of a copy."
    return Step(reverse("tables"), "Select tables", why)


def _after_an_incomplete_copy(run: Run, audit: Audit | None) -> Step:
    if run.newer_only and not (audit and _is_since(run, audit)):
        why = f"Run {run.pk} brought newer rows over. Nothing is proved before all are compared."
        return Step(reverse("catch_up"), "Catch up completely", why)
    waiting = run.rejected.filter(arrived_at=None).count()
    if not waiting:
        return _after_the_copy(run, audit)
    noun = "row is" if waiting == 1 else "rows are"
    why = f"Run {run.pk} is incomplete: {waiting:,} {noun} set aside, refused by the destination."
    return Step(f"{run.get_absolute_url()}#rejected", "Look at the rejected rows", why)


def _after_the_copy(run: Run, audit: Audit | None) -> Step:
    if audit is None or not _is_since(run, audit):
        why = f"Run {run.pk} has copied its tables and no audit was made since."
        return Step(reverse("audits"), "Audit the counts", why)
    return _after_the_audit(audit)


def _after_the_audit(audit: Audit) -> Step:
    signed = audit.sign_offs.defer("record").first()
    if signed:
        why = f"Audit {audit.pk} is signed off by {signed.operator}."
        return Step(signed.get_absolute_url(), "Read the record", why)
    return Step(audit.get_absolute_url(), f"Read audit {audit.pk}", _audited(audit))


def _audited(audit: Audit) -> str:
    if audit.is_active:
        return f"Audit {audit.pk} is under way."
    if audit.status != Audit.Status.FINISHED:
        return f"Audit {audit.pk} was not finished: it is {audit.status}."
    number = audit.tables.count()
    noun = "table" if number == 1 else "tables"
    verdict = f"Audit {audit.pk} of {number:,} {noun}: {audit.get_verdict_display()}."
    if audit.is_green:
        return f"{verdict} Read it; there it is signed off."
    if audit.verdict == Audit.Verdict.DIFFERS:
        return f"{verdict} It shows what differs, and can repair it."
    return f"{verdict} Cells were not compared, so it can’t be signed off."


def _is_outdated(run: Run, audit: Audit) -> bool:
    """Whether a run has begun since: the audit does not tell what it has written."""
    return audit.run_id != run.pk and audit.created_at < run.created_at


def _is_since(run: Run, audit: Audit) -> bool:
    """Whether the audit saw what the run left: it is the run's own, or a later one."""
    return audit.run_id == run.pk or not run.finished_at or audit.created_at >= run.finished_at
