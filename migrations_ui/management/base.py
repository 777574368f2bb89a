"""What the commands share: labels, exit statuses, one JSON object, the operator's name."""

from __future__ import annotations

import getpass
import json
import re
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.db import DatabaseError

from migrations_ui import services
from migrations_ui.engine.errors import EngineError
from migrations_ui.memory import use_one_heap

USAGE = 2  # the exit status of a command that was called wrongly; nothing was touched
# What a terminal obeys, or writes backwards, instead of showing it; but for tabs and ends of lines.
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Output(OutputWrapper):
    """What is printed, in which keys of rows and words of servers are no orders to a terminal."""

    def write(  # type: ignore[override]  # as in what it extends
        self,
        msg: str = "",
        style_func: Callable[[str], str] | None = None,
        ending: str | None = None,
    ) -> None:
        if style_func in (None, str):  # else Django's, with colours in it
            msg = OBEYED.sub(lambda found: ascii(found[0])[1:-1], msg)
        super().write(msg, style_func, ending)


class CutoverCommand(BaseCommand):
    """A command whose work is in the services; what these refuse is its error message."""

    # What --json prints when the services refuse what was asked for.
    nothing: dict[str, Any]

    def __init__(self, stdout: Any = None, stderr: Any = None, **colours: bool) -> None:
        super().__init__(stdout, stderr, **colours)
        self.stdout = Output(stdout or sys.stdout)
        self.stderr, style = Output(stderr or sys.stderr), self.stderr.style_func
        self.stderr.style_func = style

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
