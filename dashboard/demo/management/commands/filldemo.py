"""Fill a migrated, empty destination with the sample registry."""

from __future__ import annotations

import time
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from dashboard.demo.filling import NotEmpty, fill
from dashboard.demo.rows import Size

DEFAULT_ROWS = 300_000


class Command(BaseCommand):
    help = "Fills the migrated, empty destination with the sample; the same rows each time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--rows", type=positive, default=DEFAULT_ROWS, help="about how many rows in all"
        )
        parser.add_argument("--database", default="dest", choices=["dest"])
        for name in ("pids", "targets", "log-entries", "users", "domains"):
            parser.add_argument(
                f"--{name}", type=positive, metavar="N", help="this many, whatever --rows says"
            )

    def handle(self, *args: Any, **options: Any) -> None:
        size = Size.about(options["rows"])
        size = replace(size, **{name: options[name] for name in vars(size) if options[name]})
        began = time.monotonic()
        try:
            rows = fill(options["database"], size, self.report(options["verbosity"]))
        except NotEmpty as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(
                f"{error}. Is the destination migrated? (manage.py migrate --database dest)"
            ) from error
        self.stdout.write(f"{rows:,} rows in {time.monotonic() - began:.1f} s")

    def report(self, verbosity: int) -> Any:
        def write(label: str, rows: int, seconds: float) -> None:
            if verbosity > 1:
                self.stdout.write(f"{label:32}{rows:>12,}{seconds:>8.1f} s")

        return write


def positive(text: str) -> int:
    try:
        number = int(text.replace("_", ""))
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError(f"{text!r} is not a positive whole number")
    return number
