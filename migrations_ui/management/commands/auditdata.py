"""auditdata: compare the two sides."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from migrations_ui import services
from migrations_ui.management.base import CutoverCommand, operator_name
from migrations_ui.models import Audit, AuditedTable


class Command(CutoverCommand):
    help = "Compare the two sides. Exit status: 0 same, 1 differences, 2 wrong usage."
    nothing = {"status": "refused", "tables": []}

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("labels", nargs="*", metavar="LABEL", help="app_label[.Model]")
        parser.add_argument(
            "--counts", action="store_true", required=True, help="compare rows and sequences"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        labels = self.chosen_labels(options["labels"])
        audit = services.prepare_audit(labels, operator_name())
        services.execute_audit(audit.pk)
        audit.refresh_from_db()
        tables = list(audit.tables.all())
        if options["json"]:
            self.write_json({"status": status(audit), "tables": [as_json(t) for t in tables]})
        else:
            self.show(audit, tables)
        if status(audit) != Audit.Verdict.COUNTS_ONLY:
            self.stderr.write(audit.error or "The two sides differ.")
            sys.exit(1)

    def show(self, audit: Audit, tables: list[AuditedTable]) -> None:
        for table in sorted(tables, key=lambda table: not table.problem):
            rows = f"{number(table.source_rows)} → {number(table.dest_rows)} rows"
            self.stdout.write(f"{table.label}: {rows}, {table.get_verdict_display()}")
            if table.problem:
                self.stdout.write(f"  {table.problem}")
        self.stdout.write(f"{audit}: {audit.get_verdict_display()}. Cells were not compared.")


def status(audit: Audit) -> str:
    """The verdict, or "failed" where there is none."""
    return audit.status if audit.status == Audit.Status.FAILED else audit.verdict


def number(rows: int | None) -> str:
    return "?" if rows is None else f"{rows:,}"


def as_json(table: AuditedTable) -> dict[str, Any]:
    """The contract's object; which rows are missing, extra or different, counts can't tell."""
    return {
        "label": table.label,
        "table": table.table,
        "source_rows": table.source_rows,
        "dest_rows": table.dest_rows,
        "missing": None,
        "extra": None,
        "different": None,
        "verdict": table.verdict,
    }
