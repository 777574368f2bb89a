"""The overview: where the cutover stands, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from migrations_ui import services
from migrations_ui.decorators import look
from migrations_ui.models import Audit, DataCheck, Run
from migrations_ui.site import site


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
    run = Run.objects.defer("traceback").first()
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
        step=_next_step(bool(source.error or dest.error), run, audit),
    )


def _next_step(unreachable: bool, run: Run | None, audit: Audit | None) -> Step:
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
    why = "It compares what is in the source now with what is in the destination."
    return Step(audit.get_absolute_url(), f"Read audit {audit.pk}", why)


def _is_since(run: Run, audit: Audit) -> bool:
    """Whether the audit saw what the run left: it is the run's own, or a later one."""
    return audit.run_id == run.pk or not run.finished_at or audit.created_at >= run.finished_at
