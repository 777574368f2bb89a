"""The states of a run: which changes are allowed, and why; every change goes through `move`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.db import transaction

from migrations_ui import notifications
from migrations_ui.models import Event, Run
from migrations_ui.ticker import patiently

S = Run.Status
NOTHING: Mapping[str, Any] = MappingProxyType({})

# (from, to): the reason, which stands in the run's timeline.
TRANSITIONS: dict[tuple[str, str], str] = {
    (S.QUEUED, S.RUNNING): "A worker has taken the run.",
    (S.QUEUED, S.CANCELLED): "Cancelled before a worker took it. Nothing was touched.",
    (S.QUEUED, S.CANCELLING): "Asked to stop. A worker puts back what was taken off.",
    (S.RUNNING, S.QUEUED): "The worker was stopped. The next one goes on from there.",
    (S.RUNNING, S.PAUSING): "Asked to pause.",
    (S.RUNNING, S.CANCELLING): "Asked to stop.",
    (S.RUNNING, S.SUCCEEDED): "All rows have arrived, and the audit has found no difference.",
    (S.RUNNING, S.INCOMPLETE): "All rows have arrived but those that were set aside.",
    (S.RUNNING, S.FAILED): "The run has failed.",
    (S.RUNNING, S.INTERRUPTED): "The worker has vanished.",
    (S.PAUSING, S.PAUSED): "The worker has paused.",
    (S.PAUSING, S.CANCELLING): "Asked to stop.",
    (S.PAUSING, S.SUCCEEDED): "The run had finished before it could be paused.",
    (S.PAUSING, S.INCOMPLETE): "The run had finished before it could be paused.",
    (S.PAUSING, S.FAILED): "The run has failed before it could be paused.",
    (S.PAUSING, S.INTERRUPTED): "The worker has vanished.",
    (S.PAUSED, S.QUEUED): "Asked to go on.",
    (S.PAUSED, S.CANCELLING): "Asked to stop. A worker puts back what was taken off.",
    (S.CANCELLING, S.CANCELLED): "The worker has stopped.",
    (S.CANCELLING, S.SUCCEEDED): "The run had finished before it could be stopped.",
    (S.CANCELLING, S.INCOMPLETE): "The run had finished before it could be stopped.",
    (S.CANCELLING, S.FAILED): "The run has failed before it could be stopped.",
    (S.CANCELLING, S.INTERRUPTED): "The worker has vanished.",
    (S.INCOMPLETE, S.SUCCEEDED): "Its steps have succeeded by a later try, and the audit after "
    "them has found no difference.",
    (S.FAILED, S.QUEUED): "Asked to go on from where it stood.",
    (S.CANCELLED, S.QUEUED): "Asked to go on from where it stood.",
    (S.INTERRUPTED, S.QUEUED): "Asked to go on from where it stood.",
}


@patiently
def move(
    run_id: int,
    to: str,
    *,
    who: str,
    why: str = "",
    only_from: str = "",
    only: Mapping[str, Any] = NOTHING,
    **fields: Any,
) -> bool:
    """Change a run's state, from whichever state allows it; whether this call did it.

    The change is one conditional UPDATE whose row count is checked, so of two that race one wins.
    `only` are fields that must be as the caller saw them.  A run that is no longer active gives its
    destination free.
    """
    if to not in Run.ACTIVE:
        fields["active_dest"] = None
    for (before, after), reason in TRANSITIONS.items():
        if after != to or (only_from and before != only_from):
            continue
        with transaction.atomic():
            if Run.objects.filter(pk=run_id, status=before, **only).update(status=to, **fields):
                event = Event.objects.create(run_id=run_id, who=who, what=why or reason)
                notifications.note(run_id, to, event.pk)
                return True
    return False
