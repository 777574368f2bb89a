"""copydata: a whole run in this process; no worker is needed."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from functools import partial
from typing import Any

from django.core.management.base import CommandError

from migrations_ui import services
from migrations_ui.management import running
from migrations_ui.management.base import USAGE, CutoverCommand, operator_name, wrong_usage
from migrations_ui.models import Audit, Run, TableCopy


class Command(CutoverCommand):
    help = (
        "Wipe tables of the destination and copy the source's rows there. "
        "Exit status: 0 all copied, 1 not, 2 wrong usage."
    )
    nothing = {"run": None, "status": "refused", "rows": 0, "seconds": 0.0, "tables": []}

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("labels", nargs="*", metavar="LABEL", help="app_label[.Model]")
        parser.add_argument("--all", action="store_true", help="all tables that pages preselect")
        parser.add_argument(
            "--exclude", action="append", default=[], metavar="LABEL", help="leave these out"
        )
        parser.add_argument(
            "--reverse", action="store_true", help="exchange source and destination"
        )
        parser.add_argument(
            "--wipe", metavar="DEST_NAME", help="the destination database's name, to confirm"
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
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["labels"]) == options["all"]:
            raise CommandError("Give either labels or --all.", returncode=USAGE)
        labels = self.chosen_labels(options["labels"], options["exclude"])
        make_plan = partial(
            services.plan,
            labels,
            reverse=options["reverse"],
            transforms=options["transform"],
        )
        with wrong_usage():
            plan = make_plan()
        self.check_wipe(options["wipe"], plan)
        if not plan.blockers_beyond(options["reject_limit"]):
            services.count_now(labels, reverse=plan.reverse)
            services.check_data_now(labels, operator_name(), reverse=plan.reverse)
            plan = make_plan()
        run = services.prepare_run(
            labels,
            options["wipe"] or self.ask(plan),
            plan.fingerprint,
            operator_name(),
            reverse=plan.reverse,
            reject_limit=options["reject_limit"],
            transforms=options["transform"],
        )
        running.execute(run, operator_name(), sys.stderr if sys.stderr.isatty() else None)
        self.report(run, as_json=options["json"])

    def check_wipe(self, name: str | None, plan: services.Plan) -> None:
        """Refuse a confirmation that can't be right before the rows are counted."""
        if name is None and not sys.stdin.isatty():
            raise CommandError(
                "This wipes tables, and there is no terminal to ask for confirmation. Add "
                f"--wipe {plan.dest.name} if that is the database to wipe.",
                returncode=USAGE,
            )
        if name is not None and name != plan.dest.name:
            raise CommandError(
                f"--wipe names {name!r}, but the destination is {plan.dest.name!r} on "
                f"{plan.dest.host}. Nothing was wiped.",
                returncode=USAGE,
            )

    def ask(self, plan: services.Plan) -> str:
        """The destination's name as the operator types it."""
        if plan.blockers:
            return plan.dest.name  # it will be refused for a better reason
        tell = partial(self.stderr.write, style_func=str)  # it is not an error
        tell(
            f"This wipes {plan.total_dest_rows:,} rows in {len(plan.tables)} tables of "
            f"{plan.dest.name} ({plan.dest.product} on {plan.dest.host}) and copies "
            f"{plan.total_source_rows:,} rows there from {plan.source.name} "
            f"({plan.source.product} on {plan.source.host})."
        )
        for sentence in plan.reach:
            tell(sentence)
        try:
            tell("Type the name of the destination to go on: ", ending="")
            return input()
        except (EOFError, KeyboardInterrupt):
            raise CommandError("Not confirmed. Nothing was wiped.") from None

    def report(self, run: Run, *, as_json: bool) -> None:
        """Say what has become of the run, and leave with its exit status."""
        tables = [table_as_json(table, verdicts(run)) for table in run.tables.all()]
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
            for table in tables:
                self.stdout.write("{label}: {copied_rows:,} rows, {verdict}".format(**table))
            self.stdout.write(f"{run} {run.status}: {progress.rows:,} rows")
        if run.status != Run.Status.SUCCEEDED:
            raise CommandError(run.error or f"{run} ended as {run.status}.")


def natural_number(text: str) -> int:
    """A number of rows, from 0."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is not a number of rows")
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
