"""What the commands share: labels, exit statuses, one JSON object, the operator's name."""

from __future__ import annotations

import getpass
import json
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from migrations_ui import services
from migrations_ui.engine.errors import EngineError
from migrations_ui.memory import use_one_heap

USAGE = 2  # the exit status of a command that was called wrongly; nothing was touched


class CutoverCommand(BaseCommand):
    """A command whose work is in the services; what these refuse is its error message."""

    # What --json prints when the services refuse what was asked for.
    nothing: dict[str, Any]

    def execute(self, *args: Any, **options: Any) -> str | None:
        use_one_heap(services.vendors())
        try:
            return super().execute(*args, **options)
        except (services.Refused, EngineError) as error:
            reason = str(error)
        except DatabaseError as error:
            reason = (
                "The control database does not answer, or has not been prepared by "
                f"`manage.py migrate`: {error}"
            )
        if options.get("json"):
            self.write_json(self.nothing)
        raise CommandError(reason)

    def add_reverse(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--reverse", action="store_true", help="exchange source and destination"
        )

    def add_exclude(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--exclude", action="append", default=[], metavar="LABEL", help="leave these out"
        )

    def chosen_labels(self, labels: Iterable[str], exclude: Iterable[str] = ()) -> list[str]:
        """The tables that the labels mean (none: all but those left out by default)."""
        with wrong_usage():
            chosen = services.chosen_tables(list(labels) or None, exclude)
        if not chosen:
            raise CommandError("Nothing is left to do: no table is chosen.", returncode=USAGE)
        return [table.label for table in chosen]

    def write_json(self, answer: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(answer))


@contextmanager
def wrong_usage() -> Iterator[None]:
    """What is refused here is the caller's mistake."""
    try:
        yield
    except services.Refused as error:
        raise CommandError(str(error), returncode=USAGE) from error


def operator_name() -> str:
    """Who runs the command, for the records."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):  # a container's user may have no name
        return "command line"
