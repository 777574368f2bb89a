"""restoreindexes: put back what a run took off and could not put back itself."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from migrations_ui import services
from migrations_ui.management.base import CutoverCommand


class Command(CutoverCommand):
    help = (
        "Put back the indexes and foreign keys that an interrupted run has left off in the "
        "destination, and switch its triggers on again. Exit status: 0 nothing is missing any "
        "more, 1 something is, 2 wrong usage."
    )
    nothing = {"missing": None, "problems": []}

    def add_arguments(self, parser: ArgumentParser) -> None:
        self.add_reverse(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        restored = services.restore_missing(reverse=options["reverse"])
        if options["json"]:
            self.write_json({"missing": restored.missing, "problems": restored.problems})
        elif not restored.problems:
            self.stdout.write(str(restored))
        if restored.problems:
            raise CommandError(str(restored))
