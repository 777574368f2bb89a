"""Declared transforms: chosen while a run is confirmed, and told in words wherever they count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from migrations_ui import services
from migrations_ui.decorators import copy
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.transforms import Transform
from migrations_ui.services import Plan, Refused
from migrations_ui.views.tables import SELECTION, TRANSFORMS, is_backwards

SEVERITIES = list(Severity)
WORDS = {
    Transform.STRIP_NUL: "leave the NUL characters out",
    Transform.REPLACE_NUL: "replace each NUL character by U+FFFD, the replacement character",
    Transform.ZERO_DATE_NULL: "make zero dates NULL",
    Transform.TRUNCATE_MICROSECONDS: "cut the microseconds that the destination can’t hold",
    Transform.SKIP_ORPHANS: "leave out the rows whose foreign key leads nowhere",
}


@dataclass(frozen=True)
class Declared:
    """A transform of one column, for people."""

    text: str  # label.column=name, as a run records it and a command takes it

    @property
    def where(self) -> str:
        return self.text.rpartition("=")[0]

    @property
    def what(self) -> str:
        name = self.text.rpartition("=")[2]
        return WORDS[Transform(name)] if name in set(Transform) else name

    @property
    def leaves_out(self) -> bool:
        """Whether it leaves out rows, and not only changes values."""
        return self.text.endswith(f"={Transform.SKIP_ORPHANS}")


@dataclass(frozen=True)
class Found:
    """A finding, the transforms that overcome it, and which of them is declared."""

    finding: Finding
    options: tuple[Declared, ...]
    chosen: Declared | None


def declared(transforms: Iterable[str]) -> list[Declared]:
    return [Declared(text) for text in transforms]


def found(plan: Plan) -> list[Found]:
    """What preflight has found, the worst first; each choice once, even where two have the same."""
    offered: set[tuple[Declared, ...]] = set()
    result = []
    for finding in sorted(plan.findings, key=lambda one: SEVERITIES.index(one.severity)):
        options = _options(finding)
        chosen = next((option for option in options if option.text in plan.transforms), None)
        result.append(Found(finding, () if options in offered else options, chosen))
        offered.add(options)
    return result


def _options(finding: Finding) -> tuple[Declared, ...]:
    where = f"{finding.label}.{finding.column}"
    return tuple(Declared(f"{where}={name}") for name in finding.transforms)


@copy
@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Remember the declared transforms, if there can be a plan with them."""
    asked = {text for text in request.POST.getlist("transform") if text}
    try:
        plan = services.plan(
            request.session.get(SELECTION, []),
            reverse=is_backwards(request),
            transforms=sorted(asked),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        request.session[TRANSFORMS] = list(plan.transforms)
    return redirect("run_new")
