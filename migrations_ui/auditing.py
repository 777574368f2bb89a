"""Comparing both sides, kept for good: every cell, or only counts and next keys."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from threading import Event

from django.db import transaction
from django.utils import timezone

from migrations_ui import copies, counted, positions
from migrations_ui.audit_recorder import AuditRecorder
from migrations_ui.backing_off import BackingOff
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.comparing import Comparison
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import Cancelled, EngineError, Suspended
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.layout import Layout, layouts
from migrations_ui.engine.persisting import connected, persist
from migrations_ui.engine.structure import Structure, look
from migrations_ui.engine.transfer import SequenceState, sequence_states
from migrations_ui.engine.transforms import parse, transformed
from migrations_ui.engine.verifying import compare_tables
from migrations_ui.health_models import ControlClock
from migrations_ui.models import Audit, AuditedTable, Run
from migrations_ui.pace import silence
from migrations_ui.sides import chosen_tables, endpoints, host_app_labels
from migrations_ui.tables import Glance, glances, kept_counts
from migrations_ui.throttle import Throttle
from migrations_ui.ticker import Ticker, closed_at_the_end, in_words, patiently
from migrations_ui.verdicts import (
    COLUMNS,
    NOT_COMPARED,
    ROWS,
    as_json,
    computed_otherwise,
    left_behind,
    note,
    row_problems,
    rows_are,
    transforms_of,
    verdict_of,
)

logger = logging.getLogger(__name__)

Verdict = Audit.Verdict
# A worker writes its heartbeat twice a second; one that is silent for so long has died.
SILENCE = timedelta(seconds=60)
# What an audited table has before anybody begins with it.
ASKED = ("position", "label", "table", "expected_rows", "source_rows_before", "dest_rows_before")
VANISHED = "The worker has vanished in the middle of it. Start another audit."


def new_audit(
    tables: Sequence[Table],
    operator: str,
    *,
    reverse: bool,
    run: Run | None = None,
    counts_only: bool | None = None,
    workers: int = 2,
) -> Audit:
    """Record an audit of these tables, with the counts before the run where there was one.

    `counts_only` is as the run wants it, unless it is given.
    """
    source, dest = glances(tables, reverse=reverse)
    if counts_only is None:
        counts_only = run is not None and not run.compares_cells
    audit = Audit.objects.create(
        run=run,
        operator=operator,
        reverse=reverse,
        counts_only=counts_only,
        workers=run.workers if run else workers,
        source=run.source if run else asdict(source.side),
        dest=run.dest if run else asdict(dest.side),
    )
    before = {copy.label: copy for copy in run.tables.all()} if run else {}
    expected = expected_rows(tables, source, dest)
    AuditedTable.objects.bulk_create(
        AuditedTable(
            audit=audit,
            position=position,
            label=table.label,
            table=dest.names.get(table.label, table.names[0]),
            expected_rows=before[table.label].source_rows if run else expected[table.label],
            source_rows_before=before[table.label].source_rows if run else None,
            dest_rows_before=before[table.label].dest_rows_before if run else None,
        )
        for position, table in enumerate(tables)
    )
    return audit


def expected_rows(tables: Iterable[Table], source: Glance, dest: Glance) -> dict[str, int | None]:
    """About how many rows there are to compare, by label: counted before, or estimated."""
    counts = kept_counts(source, dest)
    return {table.label: source.rows(table, counts)[0] for table in tables}


def audit(
    audit_id: int,
    known: Mapping[str, Comparison] | None = None,
    throttle: Throttle | None = None,
    leaving: Event | None = None,
) -> None:
    """Compare both sides as was asked for, and write the verdicts: once, then for good.

    `known`, by label, was compared just before by the run whose audit this is, and `throttle` holds
    that run back; any other audit gives way to a busy source by itself.  When `leaving` is set, the
    audit is left to the next worker, which begins with it anew.
    """
    now = timezone.now()
    queued = Audit.objects.filter(pk=audit_id, status=Audit.Status.QUEUED)
    if not queued.update(status=Audit.Status.RUNNING, started_at=now, heartbeat_at=ControlClock()):
        return
    report = Audit.objects.get(pk=audit_id)
    recorder = AuditRecorder(report, throttle or Throttle(None), leaving)
    ticker = Ticker(recorder.tick)
    ticker.start()
    try:
        try:
            work = Auditing(report, recorder, known or {})
            with nullcontext() if throttle else BackingOff(work.ends, recorder.throttle, recorder):
                work.run()
        finally:
            ticker.stop()
    except Cancelled:
        _end(report, Audit.Status.CANCELLED)
    except Suspended:
        _queue_again(report)
    except EngineError as error:
        _end(report, Audit.Status.FAILED, str(error))
    except BaseException as error:
        logger.exception("%s failed", report)
        _end(report, Audit.Status.FAILED, in_words(error, "Start another audit."))
        if not isinstance(error, Exception):
            raise
    else:
        _end(report, Audit.Status.FINISHED)


def _end(report: Audit, status: str, error: str = "") -> None:
    """Write how the audit ended, unless it was given up for dead meanwhile."""
    finished = status == Audit.Status.FINISHED
    verdicts = set(report.tables.values_list("verdict", flat=True))
    verdicts |= {line["verdict"] for line in report.structure}
    Audit.objects.filter(pk=report.pk, status__in=Audit.ACTIVE).update(
        status=status,
        verdict=worst(verdicts) if finished else Verdict.NOT_CHECKED,
        error=error,
        transforms=report.transforms,
        structure=report.structure,
        doing="",
        rows_per_second=None,
        finished_at=timezone.now(),
    )


@patiently
def _queue_again(report: Audit) -> None:
    """Leave the audit as if nobody had begun with it; who looks for what waits will find it."""
    with transaction.atomic():
        running = Audit.objects.filter(pk=report.pk, status=Audit.Status.RUNNING)
        if not running.update(
            status=Audit.Status.QUEUED, started_at=None, doing="", rows_per_second=None
        ):
            return  # it was cancelled in this moment, or given up for dead
        asked = list(report.tables.values(*ASKED))
        report.tables.all().delete()
        AuditedTable.objects.bulk_create(AuditedTable(audit=report, **table) for table in asked)
    logger.info("%s is left to the next worker", report)


def worst(verdicts: set[str]) -> str:
    """An audit's verdict: its worst table's."""
    for verdict in reversed(Verdict.values):
        if verdict in verdicts:
            return str(verdict)
    return Verdict.NOT_CHECKED


def end_dead() -> None:
    """End the audits whose worker has died."""
    Audit.objects.filter(
        status__in=(Audit.Status.RUNNING, Audit.Status.CANCELLING),
        heartbeat_at__lt=ControlClock() - SILENCE,
    ).update(
        status=Audit.Status.FAILED,
        error=VANISHED,
        doing="",
        rows_per_second=None,
        finished_at=timezone.now(),
    )


def end_if_dead(report: Audit) -> bool:
    """End this audit if its worker has died; whether it has."""
    if not report.is_active or (silence(report) or 0.0) < SILENCE.total_seconds():
        return False
    end_dead()
    return True


def cancel(audit_id: int) -> bool:
    """Ask an audit to stop; one that no worker has taken yet ends at once.

    Whether it could still be asked.
    """
    end_dead()
    found = Audit.objects.filter(pk=audit_id)
    now = timezone.now()
    return bool(
        found.filter(status=Audit.Status.QUEUED).update(
            status=Audit.Status.CANCELLED, finished_at=now
        )
        or found.filter(status=Audit.Status.RUNNING).update(status=Audit.Status.CANCELLING)
    )


class Auditing:
    """One audit, being made."""

    def __init__(
        self, report: Audit, recorder: AuditRecorder, known: Mapping[str, Comparison]
    ) -> None:
        self.report = report
        self.known = known
        self.recorder = recorder
        self.ends = endpoints(reverse=report.reverse)
        self.labels = list(report.tables.values_list("label", flat=True))

    def run(self) -> None:
        runs = copies.last_runs(self.report, self.labels)
        with self.connected() as (source, dest):
            positions.note(self.report, "start", self.recorder, known=self.known)
            found, findings = persist(
                self.recorder, lambda: self.layouts(runs, source, dest), source, dest
            )
            self._report(findings)
            if self.report.counts_only:
                self._count(found, source, dest)
        if not self.report.counts_only:
            self._compare(found, runs)
        counted.keep(self.report, found)
        positions.note(self.report, "end", self.recorder)
        counted.hold_against(self.report, found)

    def _compare(self, found: Sequence[Layout], runs: Mapping[str, Run]) -> None:
        """Compare every cell, and all that is around the rows."""
        self.recorder.doing("comparing every cell")
        for layout in found:
            if layout.label in self.known:
                self.recorder.compared(layout, self.known[layout.label])
        compare_tables(
            [layout for layout in found if layout.label not in self.known],
            self.connect,
            self.recorder,
            workers=self.report.workers,
            set_aside=copies.rejected(runs, found),
        )
        self.recorder.tick()
        self.recorder.doing("looking at keys, indexes, constraints and references")
        with self.connected() as (source, dest):
            structure = persist(
                self.recorder,
                lambda: look(found, source, dest, host_app_labels()),
                source,
                dest,
            )
            left_out = persist(self.recorder, lambda: counted.left_out(found, source), source)
        self.report.structure = [as_json(line) for line in structure.general]
        for layout in found:
            self._conclude(layout, structure, left_out.get(layout.label, 0))

    def connected(self) -> AbstractContextManager[tuple[Database, Database]]:
        """Both sides, once they can be reached."""
        return connected(self.recorder, self.connect)

    @contextmanager
    def connect(self) -> Iterator[tuple[Database, Database]]:
        """Both sides, for one thread, on connections that can't write."""
        with (
            closed_at_the_end(),
            self.ends.open_source() as source,
            self.ends.open_dest_to_read() as dest,
        ):
            yield source, dest

    def layouts(
        self, runs: Mapping[str, Run], source: Database, dest: Database
    ) -> tuple[list[Layout], list[Finding]]:
        """The tables' layouts, with the transforms that the runs had which copied them last."""
        transforms = {
            text: None
            for run in dict.fromkeys(runs.values())
            for text in run.transforms
            if runs.get(parse(text).table) in (run, None)
        }
        choices = {text: parse(text) for text in transforms}
        # What is left out of a table may follow from what is left out of another.
        labels = {*self.labels, *(choice.table for choice in choices.values())}
        found, findings = layouts(chosen_tables(labels), source, dest)
        found = transformed(found, choices.values(), source)
        self.report.transforms = [
            text for text, choice in choices.items() if choice.table in self.labels
        ]
        wanted = set(self.labels)
        return (
            [layout for layout in found if layout.label in wanted],
            [finding for finding in findings if finding.label in wanted],
        )

    def _report(self, findings: Iterable[Finding]) -> None:
        """A table that a side lacks differs, and so does one with a column that can't be compared.

        A column of the source that is not copied, and so not compared, is only noted.
        """
        for finding in findings:
            row = self.report.tables.get(label=finding.label)
            if finding.severity is Severity.BLOCKER:
                row.verdict = Verdict.DIFFERS
                row.problem = row.other_problem = "; ".join(
                    filter(None, (row.other_problem, finding.message))
                )
            if finding.code.startswith("table-missing"):
                row.status = AuditedTable.Status.DONE
            if finding.code in NOT_COMPARED:
                row.structure = [*row.structure, note(COLUMNS, finding.message)]
            row.save()

    # -- Verdicts ---------------------------------------------------------------------------------

    def _count(self, found: Sequence[Layout], source: Database, dest: Database) -> None:
        """Count both sides of each table and look at the next keys."""
        states = persist(self.recorder, lambda: sequence_states(found, source, dest), source, dest)
        for layout in found:
            self.recorder.doing(f"counting {layout.label}")
            row = self.report.tables.get(label=layout.label)
            count = partial(source.count, layout.source_name, layout.rows)
            row.source_rows = persist(self.recorder, count, source)
            row.dest_rows = persist(self.recorder, partial(dest.count, layout.dest_name), dest)
            run = self.report.run
            row.rejected = (
                run.rejected.filter(label=row.label, arrived_at=None).count() if run else 0
            )
            state = states.get(layout.label)
            self._write(row, layout, state, [state.problem] if state and state.problem else [])

    def _conclude(self, layout: Layout, structure: Structure, left_out: int) -> None:
        """Write a compared table's verdict: the worst of its cells and of all else."""
        row = self.report.tables.get(label=layout.label)
        lines = structure.tables[layout.label]
        noted = [note(COLUMNS, computed_otherwise(row))] if row.computed else []
        if left_out:
            noted.append(note(ROWS, left_behind(left_out)))
        row.structure = [*row.structure, *noted, *map(as_json, lines)]
        problems = [text for line in lines for text in line.problems or ()]
        unchecked = any(line.problems is None for line in lines)
        self._write(
            row, layout, structure.sequences.get(layout.label), problems, unchecked=unchecked
        )

    def _write(
        self,
        row: AuditedTable,
        layout: Layout,
        state: SequenceState | None,
        problems: Sequence[str],
        *,
        unchecked: bool = False,
    ) -> None:
        row.status = AuditedTable.Status.DONE
        row.transforms = transforms_of(layout)
        if state:
            row.max_key, row.next_source = kept(state.max_key), kept(state.next_source)
            row.next_dest = kept(state.next_dest)
        others = [text for text in (row.other_problem, *row_problems(row), *problems) if text]
        row.other_problem = "; ".join(others)
        aside = f"{rows_are(row.rejected)} set aside by the run" if row.rejected else ""
        row.problem = "; ".join(filter(None, (aside, *others)))
        row.verdict = verdict_of(row, unchecked=unchecked)
        row.save()


def kept(key: int | None) -> int | None:
    """A key as the control database holds it: what comes after the last of 64 bits is none."""
    return key if key is not None and key < 1 << 63 else None
