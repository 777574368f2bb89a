"""One table of 1×, 4× and 16× the rows: time and memory against size."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.contestants import cutover
from tests.bench.figures import MEMORY, OURS, Bar, Outcome, megabytes, ratio
from tests.bench.host import ROW_BYTES, Host, fill
from tests.bench.racing import Race

ROWS = 100_000  # at 1×, at the seed's size
STEPS = (1, 4, 16)
SLOWER = 17.0  # times, at most, for 16 times the rows
SAME = 1.1  # times the memory at 1×, at most


def grow(race: Race) -> list[Outcome]:
    """What each step from PostgreSQL to MariaDB needed, the smallest first."""
    host = Host(race.ground.folder / "growth", tables=1)
    host.write()
    with (
        host.migrated(race.ground, "postgresql") as source,
        host.migrated(race.ground, "mysql") as dest,
    ):
        outcomes = []
        for step in STEPS:
            rows = max(1, round(ROWS * race.scale)) * step
            fill(source, 0, rows)
            outcome = Outcome(f"{OURS}, {step}×", rows, rows * ROW_BYTES)
            for _ in range(race.runs):
                outcome.add(cutover(source, dest, race.ground.folder, host.environment))
            race.tell(f"  {outcome.name}: {outcome.median:.1f} s")
            outcomes.append(outcome)
    return outcomes


def bars(outcomes: Sequence[Outcome]) -> list[Bar]:
    """Time by what the load itself took: a start that all steps share would hide growth."""
    smallest, largest = outcomes[0], outcomes[-1]
    slower = ratio(largest.load_median, smallest.load_median)
    more = ratio(largest.largest_rss or None, smallest.largest_rss or None)
    return [
        Bar("growth: 16× the rows, load time", slower, SLOWER),
        Bar("growth: 16× the rows, memory", more, SAME),
        Bar("growth: largest process", megabytes(largest.largest_rss), MEMORY, unit=" MB"),
    ]
