"""copydata: a whole run in this process; no worker is needed."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable
from functools import partial
from typing import Any

from django.core.management.base import CommandError

from migrations_ui import positions, services
from migrations_ui.management import running
from migrations_ui.management.base import USAGE, CutoverCommand, operator_name, wrong_usage
from migrations_ui.models import Audit, Run, TableCopy

# Findings about what stays behind, although nothing stands in the way of the run.
LEFT_OUT = {
    "table-not-loaded",
    "table-unmanaged",
    "table-of-another-database",
    "column-extra-source",
}


class Command(CutoverCommand):
    help = (
        "Wipe tables of the destination and copy the source's rows there, or bring them up to "
        "date. "
        "Exit status: 0 all copied, 1 not, 2 wrong usage."
    )
    nothing = {"run": None, "status": "refused", "rows": 0, "seconds": 0.0, "tables": []}

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("labels", nargs="*", metavar="LABEL", help="app_label[.Model]")
        parser.add_argument("--all", action="store_true", help="all tables that pages preselect")
        self.add_exclude(parser)
        self.add_reverse(parser)
        parser.add_argument(
            "--wipe",
            metavar="DEST_NAME",
            help="the destination database's name, to confirm",
        )
        parser.add_argument(
            "--reject-limit",
            type=natural_number,
            default=0,
            metavar="N",
            help="set up to N refused rows aside instead of stopping at the first",
        )
        parser.add_argument(
            "--transform",
            action="append",
            default=[],
            metavar="TABLE.COLUMN=NAME",
            help="change the values of a column on the way, by "
            "strip-nul, replace-nul, zero-date-null, truncate-microseconds or skip-orphans",
        )
        parser.add_argument(
            "--workers",
            type=positive_number,
            default=services.available_cores(),
            metavar="N",
            help="load so many chunks at once (default: the number of cores, %(default)s)",
        )
        parser.add_argument(
            "--no-verify", action="store_true", help="compare counts only, not every cell"
        )
        self.add_catch_up(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def add_catch_up(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--catch-up",
            action="store_true",
            help="wipe nothing: compare, and copy again only what differs",
        )
        parser.add_argument(
            "--newer-only",
            action="store_true",
            help="with --catch-up: read only rows that an automatic key or a timestamp of the last "
            "save tells as newer; quick, and proves nothing, so the exit status is 1",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["labels"]) == options["all"]:
            raise CommandError("Give either labels or --all.", returncode=USAGE)
        labels = self.chosen_labels(options["labels"], options["exclude"])
        if options["newer_only"] and not options["catch_up"]:
            raise CommandError("--newer-only goes with --catch-up.", returncode=USAGE)
        run = self.catch_up(labels, options) if options["catch_up"] else self.copy(labels, options)
        running.execute(run, operator_name(), sys.stderr if sys.stderr.isatty() else None)
        self.report(run, as_json=options["json"])

    def copy(self, labels: list[str], options: dict[str, Any]) -> Run:
        """A run that wipes the tables and copies all rows, confirmed and ready to be done."""
        make_plan = partial(
            services.plan,
            labels,
            reverse=options["reverse"],
            transforms=options["transform"],
        )
        with wrong_usage():
            plan = make_plan()
        self.check_wipe(options["wipe"], plan)
        if run := self.left_behind(plan):
            return run
        blockers = plan.blockers_beyond(options["reject_limit"])
        if all(found.rows for found in blockers):  # a look at the values has found them
            services.count_now(labels, reverse=plan.reverse)
            if services.look_is_due(plan):
                services.check_data_now(labels, operator_name(), reverse=plan.reverse)
            plan = make_plan()
        self.tell(str(found) for found in plan.findings if found.code in LEFT_OUT)
        return services.prepare_run(
            labels,
            options["wipe"] or self.ask(plan, of_copy(plan), *plan.reach),
            plan.fingerprint,
            operator_name(),
            reverse=plan.reverse,
            options=services.Options(
                reject_limit=options["reject_limit"],
                transforms=tuple(options["transform"]),
                workers=options["workers"],
                compares_cells=not options["no_verify"],
            ),
        )

    def catch_up(self, labels: list[str], options: dict[str, Any]) -> Run:
        """A run that copies again only what differs, confirmed and ready to be done.

        It wipes nothing, so a script need not repeat the destination's name; people do, since it
        deletes rows that only the destination has.
        """
        if options["transform"] or options["reject_limit"] or options["no_verify"]:
            raise CommandError(
                "--catch-up changes values as the last copy of each table did and compares every "
                "cell; it takes no --transform, --reject-limit or --no-verify.",
                returncode=USAGE,
            )
        with wrong_usage():
            plan = services.catch_up_plan(
                labels, reverse=options["reverse"], newer_only=options["newer_only"]
            )
        self.check_name(options["wipe"], plan)
        if not options["newer_only"]:  # which is for the time in which the site is still on
            self.warn_of_writers(reverse=plan.reverse)
        newer_only = options["newer_only"]
        if run := self.left_behind(plan, Run.Mode.CATCH_UP, newer_only=newer_only):
            return run
        name = options["wipe"]
        if name is None and sys.stdin.isatty():
            name = self.ask(plan, of_catch_up(plan, newer_only=newer_only))
        return services.prepare_catch_up(
            labels,
            plan.dest.name if name is None else name,
            services.catch_up_fingerprint(plan),
            operator_name(),
            reverse=plan.reverse,
            options=services.Options(workers=options["workers"], newer_only=newer_only),
        )

    def left_behind(
        self, plan: services.Plan, mode: str = Run.Mode.COPY, *, newer_only: bool = False
    ) -> Run | None:
        """The same run as an earlier command has left it, which was confirmed then."""
        run = services.left_behind(
            plan, lambda said: self.tell([said]), mode, newer_only=newer_only
        )
        if run:
            self.tell([f"{run} was left behind; this goes on with it, as it was confirmed then."])
        return run

    def tell(self, sentences: Iterable[str]) -> None:
        """Say what is no error, beside the output."""
        for sentence in sentences:
            self.stderr.write(sentence, style_func=str)

    def warn_of_writers(self, *, reverse: bool) -> None:
        """Say who still writes to the source: what they write may not be caught up with."""
        for side in positions.stillness(reverse=reverse):
            self.tell(side.sentences if side.role == "source" else ())

    def check_wipe(self, name: str | None, plan: services.Plan) -> None:
        """Refuse a confirmation that can't be right before the rows are counted."""
        if name is None and not sys.stdin.isatty():
            raise CommandError(
                "This wipes tables, and there is no terminal to ask for confirmation. Add "
                f"--wipe {plan.dest.name} if that is the database to wipe.",
                returncode=USAGE,
            )
        self.check_name(name, plan)

    def check_name(self, name: str | None, plan: services.Plan) -> None:
        """Refuse the name of another database."""
        if name is not None and name != plan.dest.name:
            raise CommandError(
                f"--wipe names {name!r}, but the destination is {plan.dest.name!r} on "
                f"{plan.dest.host}. Nothing was changed.",
                returncode=USAGE,
            )

    def ask(self, plan: services.Plan, *sentences: str) -> str:
        """The destination's name as the operator types it."""
        if plan.blockers:
            return plan.dest.name  # it will be refused for a better reason
        self.tell(sentences)
        try:
            self.stderr.write(
                "Type the name of the destination to go on: ", style_func=str, ending=""
            )
            return input()
        except (EOFError, KeyboardInterrupt):
            raise CommandError("Not confirmed. Nothing was changed.") from None

    def report(self, run: Run, *, as_json: bool) -> None:
        """Say what has become of the run, and leave with its exit status."""
        found = verdicts(run)
        tables = [table_as_json(table, found) for table in run.tables.all()]
        progress = services.run_progress(run)
        if as_json:
            self.write_json(
                {
                    "run": run.pk,
                    "status": run.status,
                    "rows": progress.rows,
                    "seconds": progress.elapsed,
                    "tables": tables,
                }
            )
        else:
            catch_up, newer = run.mode == Run.Mode.CATCH_UP, run.newer_only
            done = " brought over" if newer else " differed" if catch_up else ""
            for row, table in zip(run.tables.all(), tables, strict=True):
                rows = row.changed_rows or 0 if catch_up else row.copied_rows
                self.stdout.write(f"{row.label}: {rows:,} rows{done}, {table['verdict']}")
            compared = " read" if newer else " compared" if catch_up else ""
            self.stdout.write(f"{run} {run.status}: {progress.rows:,} rows{compared}")
        if run.status == Run.Status.QUEUED:
            raise CommandError(
                f"{run} was stopped before its end. Start the same command again, or leave it to a "
                "worker: it goes on from where it stands."
            )
        if run.status in Run.AT_WORK:
            raise CommandError(f"A worker has taken over {run}, which goes on: its page shows how.")
        if run.status != Run.Status.SUCCEEDED:
            raise CommandError(run.error or f"{run} ended as {run.status}.")


def of_copy(plan: services.Plan) -> str:
    """What a copy does, before it is confirmed."""
    return (
        f"This wipes {plan.total_dest_rows:,} rows in {len(plan.tables)} tables of "
        f"{plan.dest.name} ({plan.dest.product} on {plan.dest.host}) and copies "
        f"{plan.total_source_rows:,} rows there from {plan.source.name} "
        f"({plan.source.product} on {plan.source.host})."
    )


def of_catch_up(plan: services.Plan, *, newer_only: bool) -> str:
    """What a catch-up does, before it is confirmed."""
    sides = (
        f"{plan.dest.name} ({plan.dest.product} on {plan.dest.host})",
        f"{plan.source.name} ({plan.source.product} on {plan.source.host})",
    )
    if newer_only:
        return (
            f"This brings rows of {len(plan.tables)} tables that are newer in {sides[1]} to "
            f"{sides[0]}: they are added, or replace the destination's. It proves nothing."
        )
    return (
        f"This makes {len(plan.tables)} tables of {sides[0]} what they are in {sides[1]}: rows "
        "that differ are replaced, rows that only the destination has are deleted."
    )


def natural_number(text: str) -> int:
    """A number of rows, from 0."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is not a number of rows")
    return int(text)


def positive_number(text: str) -> int:
    """A number of workers, from 1."""
    if natural_number(text) < 1:
        raise ArgumentTypeError("at least 1 worker is needed")
    return int(text)


def verdicts(run: Run) -> dict[str, str]:
    """The verdict on each table, from the audit that ends the run."""
    audit = run.audits.first()  # the newest
    return dict(audit.tables.values_list("label", "verdict")) if audit else {}


def table_as_json(table: TableCopy, verdicts: dict[str, str]) -> dict[str, Any]:
    seconds = (
        (table.finished_at - table.started_at).total_seconds()
        if table.started_at and table.finished_at
        else None
    )
    return {
        "label": table.label,
        "table": table.table,
        "source_rows": table.source_rows,
        "dest_rows": table.dest_rows_after,
        "copied_rows": table.copied_rows,
        "rejected_rows": table.rejected_rows,
        "seconds": seconds,
        "verdict": verdicts.get(table.label, Audit.Verdict.NOT_CHECKED),
    }
