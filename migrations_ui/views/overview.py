"""The overview: where the cutover stands, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from migrations_ui import notifications, services, workers
from migrations_ui.coverage import Coverage
from migrations_ui.decorators import look
from migrations_ui.models import Audit, DataCheck, Run, SignOff
from migrations_ui.services import TablesPage
from migrations_ui.site import site

SHOWN = 5  # notifications that were not delivered


@dataclass(frozen=True)
class Step:
    """Something to do next: a button and the sentence beside it."""

    url: str
    button: str
    why: str


@dataclass(frozen=True)
class Standing:
    """The newest of everything, as the control database has it."""

    run: Run | None
    audit: Audit | None
    check: DataCheck | None
    signed: SignOff | None
    waiting: int  # rejected rows of the run that have not arrived

    @classmethod
    def now(cls) -> Standing:
        run = Run.objects.defer(*Run.LONG).first()
        return cls(
            run=run,
            audit=Audit.objects.defer("positions").first(),
            check=DataCheck.objects.defer("findings").first(),
            signed=SignOff.objects.defer("record").first(),
            waiting=run.rejected.filter(arrived_at=None).count() if run else 0,
        )

    @property
    def seen(self) -> str:
        """What a page shows that has seen this, for its next poll to tell."""
        newest = (self.run, self.audit, self.check)
        states = [f"{one.pk}-{one.status}" if one else "" for one in newest]
        return " ".join([*states, str(self.signed.pk if self.signed else ""), str(self.waiting)])


@look
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    databases = services.tables_page()
    standing = Standing.now()
    return site.page(
        request,
        "cutover/overview.html",
        "Overview",
        source=databases.source,
        dest=databases.dest,
        **_stands(standing, databases),
        **_health(standing),
    )


@look
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The fragment of workers and queue, which is polled.

    With it come what is next and the steps, while a worker is on the run and where they are no more
    as the page has `seen` them: only then are the databases asked, and not while a run is active.
    """
    standing = Standing.now()
    context = _health(standing)
    if request.GET.get("seen") != standing.seen or (standing.run and standing.run.is_at_work):
        context |= _stands(standing)
    return render(request, "cutover/standing/poll.html", context)


@look
@require_safe
def nobody(request: HttpRequest, note: str) -> HttpResponse:
    """The note beside buttons that wait for a worker, which is polled; `note` is its id."""
    context = {"id": note, "reason": workers.look().nobody}
    return render(request, "cutover/health/nobody.html", context)


def _health(standing: Standing) -> dict[str, Any]:
    return {
        "health": workers.look(),
        "undelivered": notifications.undelivered()[:SHOWN],
        "seen": standing.seen,
    }


def _stands(standing: Standing, databases: TablesPage | None = None) -> dict[str, Any]:
    """What is next, and the steps with what was done of each."""
    run, audit = standing.run, standing.audit
    coverage = Coverage.of(audit.tables.values_list("label", flat=True)) if audit else None
    return {
        "run": run,
        "progress": services.run_progress(run) if run else None,
        "audit": audit,
        "coverage": coverage,
        "outdated": bool(run and audit and _is_outdated(run, audit)),
        "signed": standing.signed,
        "step": _next_step(standing, coverage, databases),
    }


def _next_step(standing: Standing, coverage: Coverage | None, databases: TablesPage | None) -> Step:
    run = standing.run
    if run and run.status == Run.Status.PAUSED:
        why = f"Run {run.pk} is paused: nobody is on it until it is resumed or cancelled."
        return Step(run.get_absolute_url(), f"Open run {run.pk}", why)
    if run and run.is_active:
        return Step(run.get_absolute_url(), f"Watch run {run.pk}", "A run is under way.")
    databases = databases or services.tables_page()
    if databases.source.error or databases.dest.error:
        return Step(reverse("preflight"), "Run preflight", "A database can't be used as it is.")
    if run is None:
        return _before_the_copy()
    if run.status == Run.Status.INCOMPLETE:
        return _after_an_incomplete_copy(run, standing, coverage)
    if run.status != Run.Status.SUCCEEDED:
        why = f"The last run was {run.status}. Its page says what happened to the data."
        return Step(run.get_absolute_url(), f"Read run {run.pk}", why)
    return _after_the_copy(run, standing.audit, coverage)


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


def _after_an_incomplete_copy(run: Run, standing: Standing, coverage: Coverage | None) -> Step:
    audit, waiting = standing.audit, standing.waiting
    if run.newer_only and not (audit and _is_since(run, audit)):
        why = f"Run {run.pk} brought newer rows over. Nothing is proved before all are compared."
        return Step(reverse("catch_up"), "Catch up completely", why)
    if not waiting:
        return _after_the_copy(run, audit, coverage)
    noun = "row is" if waiting == 1 else "rows are"
    why = f"Run {run.pk} is incomplete: {waiting:,} {noun} set aside, refused by the destination."
    return Step(f"{run.get_absolute_url()}#rejected", "Look at the rejected rows", why)


def _after_the_copy(run: Run, audit: Audit | None, coverage: Coverage | None) -> Step:
    if audit is None or coverage is None or not _is_since(run, audit):
        why = f"Run {run.pk} has copied its tables and no audit was made since."
        return Step(reverse("audits"), "Audit the copy", why)
    return _after_the_audit(audit, coverage)


def _after_the_audit(audit: Audit, coverage: Coverage) -> Step:
    signed = audit.sign_offs.defer("record").first()
    if signed:
        why = f"Audit {audit.pk}, of {coverage}, is signed off by {signed.operator}."
        if not coverage.is_partial:
            why += f" The site can be pointed at {audit.dest['name']} and opened again."
        return Step(signed.get_absolute_url(), "Read the record", why)
    why = _audited(audit, coverage)
    if coverage.is_partial and (audit.is_green or audit.verdict == Audit.Verdict.COUNTS_ONLY):
        return Step(reverse("audits"), "Audit all tables", why)
    return Step(audit.get_absolute_url(), f"Read audit {audit.pk}", why)


def _audited(audit: Audit, coverage: Coverage) -> str:
    if audit.is_active:
        return f"Audit {audit.pk} is under way."
    if audit.status != Audit.Status.FINISHED:
        return f"Audit {audit.pk} was not finished: it is {audit.status}."
    verdict = f"Audit {audit.pk} covers {coverage}: {audit.get_verdict_display()}."
    if coverage.others:
        verdict += f" Not in it: {coverage.not_in_it}."
    if audit.verdict == Audit.Verdict.DIFFERS:
        return f"{verdict} It shows what differs, and can repair it."
    if not audit.is_green:
        return f"{verdict} Cells were not compared, so it can’t be signed off."
    if coverage.is_partial:
        return f"{verdict} On its page it can be signed off for the tables that it covers."
    return f"{verdict} Read it; there it is signed off."


def _is_outdated(run: Run, audit: Audit) -> bool:
    """Whether a run has begun since: the audit does not tell what it has written."""
    return audit.run_id != run.pk and audit.created_at < run.created_at


def _is_since(run: Run, audit: Audit) -> bool:
    """Whether the audit saw what the run left: it is the run's own, or a later one."""
    return audit.run_id == run.pk or not run.finished_at or audit.created_at >= run.finished_at
