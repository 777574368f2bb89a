"""Steps after a copy: their section of the run's page, and trying one again."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from migrations_ui import services
from migrations_ui.decorators import copy, look
from migrations_ui.models import Run, Step
from migrations_ui.services import Refused


@look
@require_safe
def live(request: HttpRequest, pk: int) -> HttpResponse:
    """The fragment that is polled while a step is tried again."""
    run = get_object_or_404(Run.objects.defer(*Run.LONG), pk=pk)
    return render(request, "cutover/steps/live.html", {"run": run})


@copy
@require_POST
def retry(request: HttpRequest, pk: int, position: int) -> HttpResponse:
    """Have a worker do a step of an ended run again."""
    step = get_object_or_404(Step.objects.select_related("run"), run=pk, position=position)
    try:
        services.retry_step(step, request.user.get_username())
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(step.run)
