"""Catch-up: bringing a destination that was copied before up to date, without a wipe."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import NoReturn

from django.db.models import F
from django.utils import timezone

from migrations_ui import copies, plans, positions
from migrations_ui.engine.comparing import Comparison
from migrations_ui.engine.databases.base import ForeignKey
from migrations_ui.engine.databases.indexing import Index
from migrations_ui.engine.databases.triggers import Trigger
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.findings import insist
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.newer import Columns, Pass, columns_of
from migrations_ui.engine.persisting import persist
from migrations_ui.engine.repairing import Repair
from migrations_ui.engine.transforms import parse, transformed
from migrations_ui.links import Links
from migrations_ui.models import Run, TableCopy
from migrations_ui.plans import Plan
from migrations_ui.recorder import Recorder
from migrations_ui.sides import Refused, chosen_tables
from migrations_ui.ticker import patiently

NOTHING_CHANGED = "Nothing was changed."
# Seconds between two writes of the progress.
WRITES = 0.5

# -- Asking for one --------------------------------------------------------------------------------


def plan(labels: Iterable[str], *, reverse: bool = False, newer_only: bool = False) -> Plan:
    """What a catch-up of these tables would meet, with the transforms of their last copies.

    With `newer_only` of those of them that have a column which tells newer rows.
    """
    if newer_only:
        labels = list(newer_by(labels)) or refuse_all()
    current = plans.make_plan(labels, reverse=reverse)
    runs = copies.last_copies(current.source.identity, current.dest.identity, current.labels)
    declared = {
        text
        for run in runs.values()
        for text in run.transforms
        if runs.get(parse(text).table) == run
    }
    return plans.make_plan(labels, reverse=reverse, transforms=declared) if declared else current


def newer_by(labels: Iterable[str]) -> dict[str, Columns]:
    """Those of the tables that have a column which tells newer rows, with these columns."""
    by = {table.label: columns_of(table) for table in chosen_tables(labels)}
    return {label: columns for label, columns in by.items() if any(columns)}


def refuse_all() -> NoReturn:
    raise Refused(
        "None of these tables has an automatic key or a timestamp of its last save, so nothing "
        "tells which of its rows are newer. Catch up completely."
    )


def blockers(current: Plan) -> list[str]:
    """What keeps a catch-up from starting; rows that are refused stop it when it meets them."""
    return [str(found) for found in current.open_blockers if not found.refused]


def fingerprint(current: Plan) -> str:
    """SHA-256 of what is confirmed: the databases, the tables and the transforms."""
    facts = {
        "source": asdict(current.source),
        "dest": asdict(current.dest),
        "tables": sorted([row.label, row.table] for row in current.tables),
        "transforms": list(current.transforms),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


# -- Doing it --------------------------------------------------------------------------------------


def repair(
    run: Run, recorder: Recorder, links: Links
) -> tuple[list[Layout], dict[str, Comparison]]:
    """Compare and repair; the tables, and what was found of those in which nothing was changed."""
    found = checked(run, recorder, links)
    labels = [layout.label for layout in found]
    runs = copies.last_copies(run.source["identity"], run.dest["identity"], labels)
    work = Repair(
        found,
        links.open,
        Ledger(run, recorder),
        workers=run.workers,
        set_aside=copies.rejected(runs, found),
    )
    work.run()
    changed = {layout.label for layout in work.changed}
    same = {label: one for label, one in work.comparisons.items() if label not in changed}
    recorder.event(told(work.changed, work.comparisons))
    return found, same


def bring_newer(run: Run, recorder: Recorder, links: Links) -> None:
    """Bring over what a key or a timestamp says is newer; it proves nothing of the other rows."""
    work = Pass(checked(run, recorder, links), links.open, Ledger(run, recorder))
    work.run()
    positions.note(run, "end", recorder)
    rows, tables = sum(work.written.values()), len(work.written)
    recorder.event(
        f"{rows:,} newer {'row' if rows == 1 else 'rows'} brought over, in {tables:,} "
        f"{'table' if tables == 1 else 'tables'}."
    )


def unproved(run: Run) -> str:
    """What a pass over newer rows leaves to be done."""
    left = run.tables.filter(status=TableCopy.Status.FAILED).count()
    refused = (
        f"{left:,} {'table' if left == 1 else 'tables'} could not take the newer rows yet and "
        f"{'is as it was' if left == 1 else 'are as they were'}. "
    )
    return (
        f"{refused if left else ''}Only newer rows were read, so nothing is proved: what was "
        "deleted, or changed without a new timestamp, is not looked for. Catch up completely when "
        "nobody writes to the source any more."
    )


def checked(run: Run, recorder: Recorder, links: Links) -> list[Layout]:
    """The tables, if everything is as the operator confirmed it."""
    labels = list(run.tables.values_list("label", flat=True))
    recorder.phase(Run.Phase.PREFLIGHT)
    begin_anew(run)
    return persist(recorder, lambda: preflight(run, labels, recorder, links))


@patiently
def begin_anew(run: Run) -> None:
    """Forget what an earlier worker has compared: all is compared once more."""
    run.tables.filter(started_at__isnull=False).update(
        compared_rows=0,
        copied_rows=0,
        changed_rows=None,
        status=TableCopy.Status.WAITING,
        started_at=None,
        finished_at=None,
        error="",
    )


def preflight(run: Run, labels: Sequence[str], recorder: Recorder, links: Links) -> list[Layout]:
    """Check everything again; stop unless it is what the operator confirmed."""
    make = partial(plan, labels, reverse=run.reverse, newer_only=run.newer_only)
    now = plans.insist_on(make, NOTHING_CHANGED)
    if problems := blockers(now):
        raise Refused(" ".join([NOTHING_CHANGED, *problems]))
    if fingerprint(now) != run.fingerprint:
        raise Refused(
            "Nothing was changed: the databases, the tables or the transforms of their last copy "
            "are not what was confirmed. Confirm again."
        )
    positions.note(run, "start", recorder)
    report = plans.check(chosen_tables(labels), reverse=run.reverse)
    insist(report.findings, NOTHING_CHANGED)
    with links.open() as (source, _):
        return transformed(report.layouts, map(parse, run.transforms), source)


def told(changed: Sequence[Layout], comparisons: Mapping[str, Comparison]) -> str:
    """What was found and put right, for the timeline."""
    if not changed:
        return "Nothing differed, so nothing was changed."
    total: Counter[str] = Counter()
    for layout in changed:
        for what in ("missing", "extra", "different"):
            total[what] += getattr(comparisons[layout.label], what)
    noun = "table" if len(changed) == 1 else "tables"
    rows = "row" if total["missing"] == 1 else "rows"
    return (
        f"In {len(changed)} {noun}: {total['missing']:,} {rows} added, {total['extra']:,} deleted, "
        f"{total['different']:,} replaced."
    )


class Ledger:
    """The engine's ledger of a repair, in the control tables."""

    def __init__(self, run: Run, recorder: Recorder) -> None:
        self.run = run
        self.recorder = recorder
        self._rows: Counter[str] = Counter()  # by label: compared, not written yet
        self._written_at = time.monotonic()
        self._lock = threading.Lock()

    def check(self) -> None:
        self.recorder.check()

    def again(self, error: EngineError, attempt: int) -> bool:
        return self.recorder.again(error, attempt)

    def phase(self, name: str) -> None:
        self._write()
        self.recorder.phase(name)

    def progress(self, layout: Layout, rows: int) -> None:
        self.recorder.check()
        self.recorder.throttle.more(max(0, rows), self.recorder.check)
        with self._lock:
            self._rows[layout.label] += rows
            if time.monotonic() - self._written_at < WRITES:
                return
            self._written_at = time.monotonic()
        self._write()

    def _write(self) -> None:
        with self._lock:
            rows, self._rows = self._rows, Counter()
        for label, compared in rows.items():
            tables = self.run.tables.filter(label=label)
            tables.filter(started_at=None).update(started_at=timezone.now())
            tables.update(
                compared_rows=F("compared_rows") + compared, status=TableCopy.Status.COPYING
            )

    def compared(self, layout: Layout, found: Comparison) -> None:
        rows = found.missing + found.extra + found.different
        with self._lock:
            del self._rows[layout.label]  # the whole count is known now
        self.run.tables.filter(label=layout.label).update(
            compared_rows=found.rows_source,
            source_rows=found.rows_source,
            changed_rows=rows,
            status=TableCopy.Status.COPYING if rows else TableCopy.Status.DONE,
            finished_at=None if rows else timezone.now(),
        )

    def failed(self, layout: Layout, error: EngineError) -> None:
        self.run.tables.filter(label=layout.label).update(
            status=TableCopy.Status.FAILED, error=str(error)
        )

    def left(self, layout: Layout, error: EngineError) -> None:
        self.failed(layout, error)

    def dropping(self, keys: Sequence[ForeignKey], indexes: Sequence[Index]) -> None:
        self.recorder.dropping(keys, indexes)

    def switching_off(self, triggers: Sequence[Trigger]) -> None:
        self.recorder.switching_off(triggers)

    def switched_on(self, trigger: Trigger) -> None:
        self.recorder.switched_on(trigger)

    def restored(self, key: ForeignKey) -> None:
        self.recorder.restored(key)

    def repaired(self, layout: Layout, differed: int, loaded: int) -> None:
        self._write()  # what is written later would say that the table is still being done
        self.run.tables.filter(label=layout.label).update(
            changed_rows=differed,
            copied_rows=loaded,
            status=TableCopy.Status.DONE,
            finished_at=timezone.now(),
        )
