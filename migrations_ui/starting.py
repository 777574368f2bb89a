"""Starting a run: what is confirmed, checked once more, recorded and queued."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, ParamSpec

from django.db import IntegrityError, transaction

from migrations_ui import catching_up, holding, steps, tasks, workers
from migrations_ui.models import Event, Run, TableCopy
from migrations_ui.plans import Plan, Stale, make_plan
from migrations_ui.sides import Refused, available_cores
from migrations_ui.steering import supersede


@dataclass(frozen=True)
class Options:
    """How a run is done, besides which tables it copies and where to."""

    reject_limit: int = 0  # refused rows to set aside
    transforms: tuple[str, ...] = ()  # declared: label.column=name
    workers: int = field(default_factory=available_cores)  # chunks that are loaded at once
    compares_cells: bool = True  # the audit at the end compares every cell, not only counts
    newer_only: bool = False  # a catch-up reads only what a key or a timestamp says is newer


DEFAULT = Options()
Given = ParamSpec("Given")


def prepare_run(
    labels: Iterable[str],
    typed_name: str,
    fingerprint: str,
    operator: str,
    *,
    reverse: bool = False,
    options: Options = DEFAULT,
) -> Run:
    """Record a confirmed run, all of it or nothing, after checking the confirmation once more."""
    current = make_plan(labels, reverse=reverse, transforms=options.transforms)
    confirmed(current, typed_name, fingerprint, options.reject_limit)
    with only_one(current):
        return record(current, operator, options)


def prepare_catch_up(
    labels: Iterable[str],
    typed_name: str,
    fingerprint: str,
    operator: str,
    *,
    reverse: bool = False,
    options: Options = DEFAULT,
) -> Run:
    """Record a confirmed catch-up as queued, after checking the confirmation once more."""
    current = catching_up.plan(labels, reverse=reverse, newer_only=options.newer_only)
    if problems := catching_up.blockers(current):
        raise Refused("Preflight has found what is in the way: " + " ".join(problems))
    if typed_name != current.dest.name:
        raise Refused(
            f"The name {typed_name!r} is not that of the destination, {current.dest.name!r}. "
            "Nothing was changed.",
            field="name",
        )
    if fingerprint != catching_up.fingerprint(current):
        raise Refused(
            "Something has changed since the confirmation was shown: the databases, the tables or "
            "the transforms of their last copy. Nothing was changed. Confirm again."
        )
    with only_one(current):
        return record_catch_up(current, operator, options)


def queued(prepare: Callable[Given, Run]) -> Callable[Given, Run]:
    """The same, and a worker does the run; `Refused` where there is none."""

    def start(*arguments: Given.args, **named: Given.kwargs) -> Run:
        workers.require()
        run = prepare(*arguments, **named)
        transaction.on_commit(lambda: tasks.execute_run(run.pk))
        return run

    return start


start = queued(prepare_run)
start_catch_up = queued(prepare_catch_up)


@contextmanager
def only_one(current: Plan) -> Iterator[None]:
    """Refuse what is recorded inside where another run is active on the destination."""
    supersede(current.dest.identity)
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        active = Run.objects.filter(active_dest=current.dest.identity, status__in=Run.ACTIVE)
        held = holding.by_whom(current.dest.identity, current.dest.name)
        raise Refused(
            f"{held or 'Another run was active there.'} Wait until it has ended"
            f"{', or cancel it' if active.exists() else ''}."
        ) from None


def confirmed(current: Plan, typed_name: str, fingerprint: str, reject_limit: int) -> None:
    """Refuse what the operator has not been shown, or has not confirmed."""
    if blockers := current.blockers_beyond(reject_limit):
        rows = current.refused_rows
        if reject_limit and not current.blockers_beyond(rows):
            raise Refused(
                f"{rows:,} rows would be refused, more than the {reject_limit:,} to set aside. "
                f"Set at least {rows:,}. Nothing was wiped."
            )
        raise Refused(
            "Preflight has found what would make the run fail: "
            + " ".join(str(found) for found in blockers)
        )
    if current.counting:
        raise Refused("The rows are still being counted. Wait for the counts and confirm again.")
    if current.checking:
        raise Refused("The values have not been looked at yet. Wait for that and confirm again.")
    if fingerprint != current.fingerprint:
        raise Stale(
            "Something has changed since the confirmation was shown: the databases, the tables or "
            "their rows. Nothing was wiped. Look at what it says now, and confirm again.",
            current,
        )
    # The last: else who confirmed another destination would be asked for the name of this one.
    if typed_name != current.dest.name:
        raise Refused(
            f"The name {typed_name!r} is not that of the destination, {current.dest.name!r}. "
            "Nothing was wiped.",
            field="name",
        )


def record(current: Plan, operator: str, options: Options) -> Run:
    """Write a copy and its tables."""
    tables, limit = len(current.tables), options.reject_limit
    what = (
        f"wipe {current.dest.name} ({current.total_dest_rows:,} rows) and copy "
        f"{tables} {'table' if tables == 1 else 'tables'} ({current.total_source_rows:,} rows)."
        + (f" Up to {limit:,} refused rows are set aside." if limit else "")
    )
    return write(
        current,
        operator,
        what,
        fingerprint=current.fingerprint,
        reject_limit=limit,
        workers=options.workers,
        compares_cells=options.compares_cells,
    )


def record_catch_up(current: Plan, operator: str, options: Options) -> Run:
    """Write a catch-up and its tables."""
    tables = len(current.tables)
    noun = "table" if tables == 1 else "tables"
    what = (
        f"bring newer rows of {tables} {noun} to {current.dest.name}. Nothing else is compared."
        if options.newer_only
        else f"bring {tables} {noun} of {current.dest.name} up to date. Nothing is wiped."
    )
    return write(
        current,
        operator,
        what,
        mode=Run.Mode.CATCH_UP,
        fingerprint=catching_up.fingerprint(current),
        workers=options.workers,
        compares_cells=not options.newer_only,
        newer_only=options.newer_only,
    )


def write(current: Plan, operator: str, what: str, **fields: Any) -> Run:
    """Write a run with its tables, its steps and the first line of its timeline."""
    run = Run.objects.create(
        operator=operator,
        reverse=current.reverse,
        source=asdict(current.source),
        dest=asdict(current.dest),
        active_dest=current.dest.identity,
        transforms=list(current.transforms),
        **fields,
    )
    TableCopy.objects.bulk_create(
        TableCopy(
            run=run,
            position=position,
            label=row.label,
            table=row.table,
            source_rows=row.source_rows or 0,
            dest_rows_before=row.dest_rows or 0,
        )
        for position, row in enumerate(current.tables)
    )
    if not run.newer_only:  # the steps belong to the end, which it is not
        steps.plan(run)
    declared = "".join(f" Declared transform: {transform}." for transform in current.transforms)
    Event.objects.create(run=run, who=operator, what=f"Confirmed: {what}{declared}")
    return run
