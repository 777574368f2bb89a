"""The journal of what was taken off a destination, and putting back what it says is missing."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import groupby

from django.db import DatabaseError
from django.db.models import QuerySet
from django.utils import timezone

from migrations_ui.engine.databases.base import Database, ForeignKey
from migrations_ui.engine.databases.indexing import Index
from migrations_ui.engine.databases.triggers import Trigger
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.transfer import put_back
from migrations_ui.models import DisabledTrigger, DroppedConstraint, DroppedIndex

# What preflight calls an index that is not there.
MISSING = {"index-missing", "unique-missing"}

logger = logging.getLogger(__name__)


def missing_indexes(dest_identity: str) -> QuerySet[DroppedIndex]:
    """Indexes that were dropped on this destination and are not known to be back."""
    return DroppedIndex.objects.filter(restored_at=None, run__dest__identity=dest_identity)


def missing_constraints(dest_identity: str) -> QuerySet[DroppedConstraint]:
    """Foreign keys that were dropped on this destination and are not known to be back and valid."""
    return DroppedConstraint.objects.filter(restored_at=None, run__dest__identity=dest_identity)


def disabled_triggers(dest_identity: str) -> QuerySet[DisabledTrigger]:
    """Triggers that were switched off on this destination and are not known to be on again."""
    return DisabledTrigger.objects.filter(restored_at=None, run__dest__identity=dest_identity)


def missing(dest_identity: str) -> list[DroppedIndex | DroppedConstraint | DisabledTrigger]:
    """All that is missing, each once however often it was noted down."""
    noted: list[DroppedIndex | DroppedConstraint | DisabledTrigger] = []
    noted += missing_indexes(dest_identity)
    noted += missing_constraints(dest_identity)
    noted += disabled_triggers(dest_identity)
    return list({(type(entry), entry.table, entry.name): entry for entry in noted}.values())


def explained(findings: Iterable[Finding], dest_identity: str) -> list[Finding]:
    """Preflight's findings; what is missing because a run has left it off is one that says so."""
    noted = []
    with suppress(DatabaseError):  # not prepared yet: then no run has left anything off
        noted = [Index.from_json(entry.facts) for entry in missing_indexes(dest_identity)]
    off = {(index.table, ", ".join(map(plain, index.columns))) for index in noted}
    if not off:
        return list(findings)
    left_off = Finding(
        code="indexes-left-off",
        severity=Severity.WARNING,
        message=f"Of the destination's indexes {len(off):,} {'is' if len(off) == 1 else 'are'} "
        "missing, because a run that did not get to its end has left off what it rebuilds. "
        "The next run puts that back before it does anything.",
        remedy="To have them back now, without a run: `manage.py restoreindexes`.",
    )
    rest = [
        found
        for found in findings
        if found.code not in MISSING or (found.table, found.column) not in off
    ]
    return [left_off, *rest]


def plain(column: str) -> str:
    """The name of an indexed column, without quotes, collation and order."""
    return column.partition(" COLLATE ")[0].removesuffix(" DESC").strip('"`')


def taken_off(run_id: int) -> tuple[list[ForeignKey], list[Index], list[Trigger]]:
    """What a run has taken off and not put back, as it was."""
    keys = DroppedConstraint.objects.filter(run=run_id, restored_at=None)
    indexes = DroppedIndex.objects.filter(run=run_id, restored_at=None)
    triggers = DisabledTrigger.objects.filter(run=run_id, restored_at=None)
    return (
        [ForeignKey.from_json(facts) for facts in keys.values_list("facts", flat=True)],
        [Index.from_json(facts) for facts in indexes.values_list("facts", flat=True)],
        [Trigger.from_json(facts) for facts in triggers.values_list("facts", flat=True)],
    )


def note_triggers(run_id: int, triggers: Sequence[Trigger]) -> None:
    """Note down that these are about to be switched off, each once."""
    *_, noted = taken_off(run_id)
    DisabledTrigger.objects.bulk_create(
        DisabledTrigger(
            run_id=run_id, table=trigger.table, name=trigger.name, facts=asdict(trigger)
        )
        for trigger in triggers
        if trigger not in noted
    )


def strike_trigger(run_id: int, trigger: Trigger) -> None:
    """Note down that it is on again."""
    noted = DisabledTrigger.objects.filter(
        run=run_id, table=trigger.table, name=trigger.name, restored_at=None
    )
    same = [entry.pk for entry in noted if Trigger.from_json(entry.facts) == trigger]
    noted.filter(pk__in=same).update(restored_at=timezone.now())


def restore(dest_identity: str, dest: Database) -> list[str]:
    """Put back what is missing, whichever run dropped it; what could not be, in words.

    Idempotent.  Indexes come first: a foreign key may lead to a unique one.  A foreign key that
    rows violate is there again afterwards, but not valid; the next try looks again.  An error that
    passes by itself is raised: the next attempt goes on from there.
    """
    problems = _restore_indexes(dest_identity, dest)
    for entry in missing_constraints(dest_identity):
        try:
            found = put_back([ForeignKey.from_json(entry.facts)], dest, lambda _: None)
        except EngineError as error:
            if error.transient:
                raise
            found = [str(error)]
        if found:
            logger.warning("%s is not restored: %s", entry, found[0])
            problems += found
        else:
            DroppedConstraint.objects.filter(pk=entry.pk).update(restored_at=timezone.now())
    return problems + _switch_on_triggers(dest_identity, dest)


def _switch_on_triggers(dest_identity: str, dest: Database) -> list[str]:
    problems = []
    for entry in disabled_triggers(dest_identity):
        try:
            dest.switch_on(Trigger.from_json(entry.facts))
        except EngineError as error:
            if error.transient:
                raise
            logger.warning("trigger %s is not switched on: %s", entry, error)
            problems.append(str(error))
        else:
            DisabledTrigger.objects.filter(pk=entry.pk).update(restored_at=timezone.now())
    return problems


def _restore_indexes(dest_identity: str, dest: Database) -> list[str]:
    problems = []
    missing = missing_indexes(dest_identity).order_by("table", "pk")
    for table, entries in groupby(missing, key=lambda entry: entry.table):
        noted = {entry.pk: Index.from_json(entry.facts) for entry in entries}
        # Several runs may have noted the same index down, when the first could not put it back.
        wanted = list({index.name: index for index in noted.values()}.values())
        try:
            dest.restore_indexes(table, wanted)
        except EngineError as error:
            if error.transient:
                raise
            logger.warning("indexes of %s are not restored: %s", table, error)
            problems.append(str(error))
        else:
            DroppedIndex.objects.filter(pk__in=noted).update(restored_at=timezone.now())
    return problems
