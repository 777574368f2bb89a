"""One direction's race: all contestants, in turn, each several times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.bench import ending, limit
from tests.bench.contestants import DIRECTIONS, Contestant, Direction
from tests.bench.figures import FASTER, OURS, Outcome
from tests.bench.ground import Ground
from tests.bench.prepared import File, prepare
from tests.bench.process import Failed, Measured
from tests.bench.stock import Place
from tests.servers import MissingProgramError

Tell = Callable[[str], None]
SLOW = 90.0  # seconds for all rows


@dataclass(frozen=True)
class Race:
    """The ground, how much is copied, how often, and who is told what happens."""

    ground: Ground
    scale: float
    runs: int
    tell: Tell
    against: Sequence[str] = ()  # words of the names of rivals and limits; none: all of them
    prepared: dict[str, list[File]] = field(default_factory=dict)  # by the source's vendor

    def run(self, name: str) -> dict[str, Outcome]:
        """What each contestant of the direction needed, by name."""
        direction = DIRECTIONS[name]
        files = self.files(direction.source)
        rows, size = sum(file.rows for file in files), sum(file.size for file in files)
        entrants = self.chosen(entered(direction, files))
        outcomes = {who.name: Outcome(who.name, rows, size, who.note) for who in entrants}
        fixed = {
            who.name: self.fixed(direction, who, outcomes[who.name])
            for who in entrants
            if who.share < 1
        }
        for turn in range(self.runs):
            for who in entrants[:: -1 if turn % 2 else 1]:
                if not (outcomes[who.name].failure or is_enough(name, outcomes[who.name])):
                    self.one(direction, who, outcomes[who.name], fixed.get(who.name, 0.0))
        return outcomes

    def chosen(self, entrants: Sequence[Contestant]) -> list[Contestant]:
        """Ourselves, and those of the others who were asked for."""
        words = self.against or [""]
        return [who for who in entrants if who.name == OURS or any(w in who.name for w in words)]

    def files(self, vendor: str) -> list[File]:
        """The source's rows in files, written when they are first asked for."""
        if vendor not in self.prepared:
            folder = self.ground.folder / f"files-{vendor}"
            self.prepared[vendor] = prepare(self.ground.source(vendor, self.scale), folder)
        return self.prepared[vendor]

    def fixed(self, direction: Direction, who: Contestant, outcome: Outcome) -> float:
        """Seconds that the contestant needs when there is nothing to copy."""
        measured = self.measured(direction, who, outcome, 0.0)
        return measured.seconds if measured else 0.0

    def one(self, direction: Direction, who: Contestant, outcome: Outcome, fixed: float) -> None:
        """One run of one contestant, added to its outcome."""
        if measured := self.measured(direction, who, outcome, self.scale * who.share):
            outcome.add(measured, fixed, who.share)
            self.tell(f"  {who.name}: {outcome.seconds[-1]:.1f} s")
        else:
            self.tell(f"  {who.name} failed: {outcome.failure}")

    def measured(
        self, direction: Direction, who: Contestant, outcome: Outcome, scale: float
    ) -> Measured | None:
        """A run into a fresh destination, which is looked over afterwards; None if it failed."""
        source = self.ground.source(direction.source, scale)
        try:
            with self.destination(direction.dest, who) as dest:
                measured = who.copy(source, dest, self.ground.folder)
                outcome.lacks = ending.lacks(source, dest, self.ground.schema(direction.dest))
        except (Failed, MissingProgramError) as error:
            outcome.failure = str(error)
            return None
        return measured

    def destination(self, vendor: str, who: Contestant) -> AbstractContextManager[Place]:
        if who.makes_schema:
            return self.ground.servers.database(vendor)
        return self.ground.fresh(vendor)


def is_enough(direction: str, outcome: Outcome) -> bool:
    """Whether one run is enough: of a slow rival that no bar of the direction compares us with."""
    rival, _ = FASTER.get(direction, ("", 0))
    return outcome.name not in (OURS, rival) and max(outcome.seconds, default=0) > SLOW


def entered(direction: Direction, files: Sequence[File]) -> list[Contestant]:
    """The direction's contestants, and its limit in the ways that may be the fastest."""
    entrants = list(direction.contestants)
    if direction.limit:
        ways = {"limit, indexes built": True}
        if direction.dest == "mysql":
            ways["limit, indexes in place"] = False
        entrants += [
            Contestant(name, partial(_limit, files, rebuild=rebuild), note=LIMIT_NOTE)
            for name, rebuild in ways.items()
        ]
    return entrants


def _limit(
    files: Sequence[File], source: Place, dest: Place, folder: Path, *, rebuild: bool
) -> Measured:
    return limit.load(dest, files, rebuild=rebuild)


LIMIT_NOTE = "the server reads prepared files, two connections"
