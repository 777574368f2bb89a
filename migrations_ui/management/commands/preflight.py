"""preflight: check both sides before anything is touched."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from migrations_ui import services
from migrations_ui.management.base import CutoverCommand


class Command(CutoverCommand):
    help = "Check both sides. Exit status: 0 no blocker, 1 blockers, 2 wrong usage."
    nothing = {"status": "refused", "findings": []}

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("labels", nargs="*", metavar="LABEL", help="app_label[.Model]")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        report = services.preflight(self.chosen_labels(options["labels"]))
        if options["json"]:
            findings = [asdict(finding) for finding in report.findings]
            self.write_json({"status": report.status, "findings": findings})
        else:
            self.show(report)
        if report.status == "blockers":
            sys.exit(1)

    def show(self, report: services.PreflightReport) -> None:
        for word, side in (("Source", report.source), ("Destination", report.dest)):
            where = side.error or f"{side.product}, {side.name} on {side.host}"
            self.stdout.write(f"{word}: {where}")
        for finding in report.findings:
            where = ".".join(filter(None, (finding.label, finding.column)))
            prefix = f"{finding.severity.upper()} {where}".strip()
            self.stdout.write(f"{prefix}: {finding.message} {finding.remedy}")
        self.stdout.write({"ok": "Nothing found."}.get(report.status, report.status.capitalize()))
