"""What has happened since: to the sides of a run or an audit, and to the audit itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django import template
from django.conf import settings
from django.template.context import RequestContext

from migrations_ui import positions, signing
from migrations_ui.decorators import may
from migrations_ui.models import Audit, Run, Step

register = template.Library()


@register.filter
def utc(moment: str | datetime | None) -> str:
    """A moment, or its ISO text, as records show it: "2026-11-22 11:20:03 UTC"."""
    if not moment:
        return "\N{EM DASH}"
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


@register.inclusion_tag("cutover/since.html")
def since(report: Run | Audit) -> dict[str, Any]:
    """Whether the sides were written since; asked only once a run or an audit has ended."""
    moves = [] if report.is_active else positions.since(report)
    return {
        "moves": moves,
        "report": report,
        "of_run": isinstance(report, Run),
        "quiet": all_unchanged(moves),
        "looked_at": min((side.looked_at for side in moves if side.looked_at), default=None),
    }


@register.inclusion_tag("cutover/signing/state.html", takes_context=True)
def sign_off_state(context: RequestContext, audit: Audit) -> dict[str, Any]:
    """Who has signed an audit off, and the way to do so where it is green."""
    return {
        "audit": audit,
        "sign_offs": audit.sign_offs.defer("record"),
        "wrong": signing.wrong_passwords(audit),
        "may_sign": may(context["request"], "sign_off"),
    }


@register.inclusion_tag("cutover/steps/section.html", takes_context=True, name="steps_of")
def steps_of(context: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """The steps after a run's copy.

    Polled by themselves only when the run has ended: before that its whole page is.
    """
    steps = list(run.steps.all())
    at_work = [step for step in steps if step.status in (Step.Status.RUNNING, Step.Status.QUEUED)]
    return {
        "run": run,
        "steps": steps,
        "mended": bool(steps)
        and run.status == Run.Status.INCOMPLETE
        and all(step.status == Step.Status.SUCCEEDED for step in steps)
        and not audited_since(run, steps),
        "polled": bool(at_work) and not run.is_active,
        "announcement": " ".join(f"Step {step} is {step.status}." for step in steps),
        "may_retry": not run.is_active and may(context["request"], "copy_run"),
    }


def audited_since(run: Run, steps: Sequence[Step]) -> bool:
    """Whether an audit of the run's has been made after its steps, or somebody is about to."""
    last = max((step.finished_at for step in steps if step.finished_at), default=run.created_at)
    made = run.audits.filter(status=Audit.Status.FINISHED, started_at__gte=last)
    return bool(run.active_dest) or made.exists()


@register.inclusion_tag("cutover/run/back.html", takes_context=True)
def way_back(context: Mapping[str, Any], run: Run | None) -> dict[str, Any]:
    """The way back from a run that has copied something, for who may wipe."""
    ended = run is not None and run.status in (Run.Status.SUCCEEDED, Run.Status.INCOMPLETE)
    offered = run if ended and may(context["request"], "copy_run", "wipe_destination") else None
    return {
        "run": offered,
        "sign_off": offered.sign_offs.defer("record").first() if offered else None,
    }


@register.inclusion_tag("cutover/steps/planned.html")
def planned_steps() -> dict[str, Any]:
    """What will be done after the copy that is being confirmed."""
    return {"planned": settings.CUTOVER_STEPS}


def all_unchanged(moves: list[positions.Since]) -> bool:
    """Whether neither side has moved; of a run that did not succeed one side alone is known."""
    told = {side.role for side in moves if side.movement.state == "unchanged"}
    return told == set(positions.ROLES)
