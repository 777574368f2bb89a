"""Putting back what is missing on a destination, because somebody asked for it."""

from __future__ import annotations

from dataclasses import dataclass

from migrations_ui import holding, journal
from migrations_ui.engine.errors import EngineError
from migrations_ui.models import Event, Run
from migrations_ui.sides import Refused, endpoints


@dataclass(frozen=True)
class Restored:
    """What was missing on a destination, and what could not be put back, in words."""

    dest: str
    missing: int
    problems: list[str]
    unfinished: str = ""  # the run that was loading these tables, and did not get to its end

    def __str__(self) -> str:
        if not self.missing:
            return f"Nothing that Cutover took off is missing in {self.dest}."
        one = self.missing == 1
        noun = "index, constraint or trigger" if one else "indexes, constraints and triggers"
        back = self.missing - len(self.problems)
        return " ".join(
            [f"{back:,} of {self.missing:,} missing {noun} put back in {self.dest}."]
            + self.problems
            + self.advice
        )

    @property
    def advice(self) -> list[str]:
        """What to do first where a load has not got to its end; rows may merely be missing yet."""
        if not self.unfinished:
            return []
        begun = f"{self.unfinished} has not got to its end: before anything is mended, resume it."
        return [f"{begun} What these rows lead to may not be loaded yet; it puts the rest back."]


def restore(*, reverse: bool) -> Restored:
    """Put back all that the journal misses; `Refused` during a run."""
    with endpoints(reverse=reverse).open_dest() as dest:
        server = dest.server()
        if active := Run.objects.filter(active_dest=server.identity, status__in=Run.ACTIVE).first():
            raise Refused(f"{active} is active on {server.name}; it puts them back itself.")
        missing = journal.missing(server.identity)
        if not missing:
            return Restored(server.name, 0, [])
        # Two at once would meet at the first index.
        with holding.take(missing[-1].run, "putting back what is missing"):
            problems = journal.restore(server.identity, dest)
        begun = unfinished(server.identity) if problems else None
        return Restored(server.name, len(missing), problems, str(begun or ""))


def unfinished(dest_identity: str) -> Run | None:
    """The last run on a destination, if it has wiped something and can be gone on with."""
    last = Run.objects.filter(dest__identity=dest_identity).first()
    if last is None or last.changed_since or last.status not in Run.RESUMABLE:
        return None
    return last if last.tables.filter(wiped=True).exists() else None


def restore_after(run_id: int) -> None:
    """The same for the destination of an ended run, told in its timeline."""
    run = Run.objects.get(pk=run_id)
    try:
        what = str(restore(reverse=run.reverse))
    except (EngineError, Refused) as error:
        what = f"What is missing could not be put back: {error}"
    Event.objects.create(run=run, who="worker", what=what)
