"""preflight: check both sides before anything is touched."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from dataclasses import asdict, replace
from typing import Any

from django.core.management.base import CommandError

from migrations_ui import services
from migrations_ui.engine.findings import Finding
from migrations_ui.management.base import CutoverCommand, operator_name

# What a finding shows in JSON.
CONTRACT = {
    "code",
    "severity",
    "label",
    "table",
    "column",
    "rows",
    "sample_keys",
    "message",
    "remedy",
}


class Command(CutoverCommand):
    help = "Check both sides. Exit status: 0 no blocker, 1 blockers, 2 wrong usage."
    nothing = {"status": "refused", "findings": []}

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("labels", nargs="*", metavar="LABEL", help="app_label[.Model]")
        self.add_exclude(parser)
        self.add_reverse(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        labels = self.chosen_labels(options["labels"], options["exclude"])
        backwards = options["reverse"]
        report = services.preflight(labels, reverse=backwards)
        if report.comparable:
            check = services.check_data_now(labels, operator_name(), reverse=backwards)
            if check.error:
                raise CommandError(f"The values could not be looked at: {check.error}")
            report = services.preflight(labels, reverse=backwards)
        if options["json"]:
            findings = [
                {key: value for key, value in asdict(finding).items() if key in CONTRACT}
                | {"remedy": remedy(finding)}
                for finding in report.findings
            ]
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
            told = replace(finding, remedy=remedy(finding))
            self.stdout.write(f"{finding.severity.upper()} {told}")
            if finding.sample_keys:
                self.stdout.write(f"  for example, keys {', '.join(finding.sample_keys)}")
        self.stdout.write(
            {"ok": "No blockers, no warnings."}.get(report.status, report.status.capitalize())
        )


def remedy(finding: Finding) -> str:
    """What to do, with the options of `copydata` that let the copy do it."""
    options = " or ".join(f"`--transform {choice}`" for choice in finding.choices)
    return f"{finding.remedy} Or let the copy do it: {options}." if options else finding.remedy
