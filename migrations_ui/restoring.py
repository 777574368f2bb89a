"""Putting back what is missing on a destination, because somebody asked for it."""

from __future__ import annotations

from dataclasses import dataclass

from migrations_ui import journal
from migrations_ui.engine.errors import EngineError
from migrations_ui.models import Event, Run
from migrations_ui.sides import Refused, endpoints


@dataclass(frozen=True)
class Restored:
    """What was missing on a destination, and what could not be put back, in words."""

    dest: str
    missing: int
    problems: list[str]

    def __str__(self) -> str:
        if not self.missing:
            return f"Nothing that Cutover took off is missing in {self.dest}."
        noun = "index or constraint" if self.missing == 1 else "indexes and constraints"
        back = self.missing - len(self.problems)
        return " ".join(
            [f"{back:,} of {self.missing:,} missing {noun} put back in {self.dest}."]
            + self.problems
        )


def restore(*, reverse: bool) -> Restored:
    """Put back every index and foreign key that the journal misses; `Refused` during a run."""
    with endpoints(reverse=reverse).open_dest() as dest:
        server = dest.server()
        if active := Run.objects.filter(active_dest=server.identity).first():
            raise Refused(f"{active} is active on {server.name}; it puts them back itself.")
        missing = len(journal.missing(server.identity))
        return Restored(server.name, missing, journal.restore(server.identity, dest))


def restore_after(run_id: int) -> None:
    """The same for the destination of an ended run, told in its timeline."""
    run = Run.objects.get(pk=run_id)
    try:
        what = str(restore(reverse=run.reverse))
    except (EngineError, Refused) as error:
        what = f"What is missing could not be put back: {error}"
    Event.objects.create(run=run, who="worker", what=what)
