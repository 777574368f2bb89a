"""auditdata: compare the two sides."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from migrations_ui import services
from migrations_ui.management import running
from migrations_ui.management.base import CutoverCommand, operator_name
from migrations_ui.models import Audit, AuditedTable, Difference

SHOWN = 10  # differences of a table; all are on the audit's page
WIDTH = 60


class Command(CutoverCommand):
    help = "Compare the two sides. Exit status: 0 same, 1 differences, 2 wrong usage."
    nothing = {"status": "refused", "tables": []}

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("labels", nargs="*", metavar="LABEL", help="app_label[.Model]")
        parser.add_argument(
            "--counts",
            action="store_true",
            help="compare counts and next keys only; this proves nothing about the cells",
        )
        self.add_reverse(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        labels = self.chosen_labels(options["labels"])
        counts_only = options["counts"]
        audit = services.prepare_audit(
            labels, operator_name(), reverse=options["reverse"], counts_only=counts_only
        )
        running.execute_audit(audit, sys.stderr if sys.stderr.isatty() else None)
        tables = list(audit.tables.all())
        if options["json"]:
            self.write_json({"status": status(audit), "tables": [as_json(t) for t in tables]})
        else:
            self.show(audit, tables)
        if not (audit.is_green or (counts_only and audit.verdict == Audit.Verdict.COUNTS_ONLY)):
            self.stderr.write(audit.error or complaint(audit))
            sys.exit(1)

    def show(self, audit: Audit, tables: list[AuditedTable]) -> None:
        for table in sorted(tables, key=lambda table: not table.problem):
            rows = f"{number(table.source_rows)} → {number(table.dest_rows)} rows"
            self.stdout.write(f"{table.label}: {rows}, {table.get_verdict_display()}")
            if table.problem:
                self.stdout.write(f"  {table.problem}")
            for one in table.structure:
                if not one["verdict"]:
                    self.stdout.write(f"  {one['message']}")
            for difference in table.differences.all()[:SHOWN]:
                self.stdout.write(f"  {line(difference)}")
        for one in audit.structure:
            if one["message"]:
                self.stdout.write(f"{one['what']}: {one['message']}")
        applied = "".join(f" Declared transform: {text}." for text in audit.transforms)
        only = " Cells were not compared." if audit.counts_only else ""
        self.stdout.write(f"{audit}: {audit.get_verdict_display()}.{applied}{only}")


def complaint(audit: Audit) -> str:
    """Why it is not green."""
    if audit.verdict == Audit.Verdict.DIFFERS:
        return "The two sides differ."
    if audit.status == Audit.Status.CANCELLED:
        return f"{audit} was cancelled before its end: it proves nothing. Start it again."
    return f"{audit} could not compare everything, so it proves nothing."


def line(difference: Difference) -> str:
    """A difference in a line."""
    where = f"key {difference.key}" + (f", {difference.column}" if difference.column else "")
    if difference.is_whole_row:
        return f"{difference.what}: {where}"
    return f"{where}: {short(difference.source)} → {short(difference.dest)}"


def short(value: str | None) -> str:
    """A value that fits a line."""
    if value is None:
        return "NULL"
    return repr(value if len(value) <= WIDTH else f"{value[:WIDTH]}…")


def status(audit: Audit) -> str:
    """The verdict, or how it ended where there is none."""
    return audit.verdict if audit.status == Audit.Status.FINISHED else audit.status


def number(rows: int | None) -> str:
    return "?" if rows is None else f"{rows:,}"


def as_json(table: AuditedTable) -> dict[str, Any]:
    """The contract's object; of counts alone nobody knows which rows differ: null."""
    return {
        "label": table.label,
        "table": table.table,
        "source_rows": table.source_rows,
        "dest_rows": table.dest_rows,
        "missing": table.missing,
        "extra": table.extra,
        "different": table.different,
        "verdict": table.verdict,
    }
