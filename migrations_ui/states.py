"""The states of a run: which changes are allowed, and why; every change goes through `move`."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from migrations_ui.models import Event, Run

S = Run.Status

# (from, to): the reason, which stands in the run's timeline.
TRANSITIONS: dict[tuple[str, str], str] = {
    (S.QUEUED, S.RUNNING): "A worker has taken the run.",
    (S.QUEUED, S.CANCELLED): "Cancelled before a worker took it. Nothing was touched.",
    (S.RUNNING, S.CANCELLING): "Asked to stop.",
    (S.RUNNING, S.SUCCEEDED): "All rows have arrived and the counts agree.",
    (S.RUNNING, S.INCOMPLETE): "All rows have arrived but those that were set aside.",
    (S.RUNNING, S.FAILED): "The run has failed.",
    (S.RUNNING, S.INTERRUPTED): "The worker has vanished.",
    (S.CANCELLING, S.CANCELLED): "The worker has stopped.",
    (S.CANCELLING, S.SUCCEEDED): "The run had finished before it could be stopped.",
    (S.CANCELLING, S.INCOMPLETE): "The run had finished before it could be stopped.",
    (S.CANCELLING, S.FAILED): "The run has failed before it could be stopped.",
    (S.CANCELLING, S.INTERRUPTED): "The worker has vanished.",
}


def move(
    run_id: int, to: str, *, who: str, why: str = "", only_from: str = "", **fields: Any
) -> bool:
    """Change a run's state, from whichever state allows it; whether this call did it.

    The change is one conditional UPDATE whose row count is checked, so of two that race one wins.
    A run that is no longer active gives its destination free.
    """
    if to not in Run.ACTIVE:
        fields["active_dest"] = None
    for (before, after), reason in TRANSITIONS.items():
        if after != to or (only_from and before != only_from):
            continue
        with transaction.atomic():
            if Run.objects.filter(pk=run_id, status=before).update(status=to, **fields):
                Event.objects.create(run_id=run_id, who=who, what=why or reason)
                return True
    return False
