"""The bench's arithmetic: medians, projections, ratios, and whether a bar is met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from tests.bench.process import Measured

OURS = "Cutover"
MB = 1_000_000


@dataclass
class Outcome:
    """What one contestant needed in all its runs of one direction.

    `seconds` are the whole command's, `load_seconds` ours from the wipe to the end of the
    sequences, `phases` those of the last run; `rows` and `size` (bytes as text) are what the
    times stand for.
    """

    name: str
    rows: int
    size: int
    note: str = ""
    seconds: list[float] = field(default_factory=list)
    load_seconds: list[float] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)
    cpu_seconds: list[float] = field(default_factory=list)
    peak_rss: dict[str, int] = field(default_factory=dict)  # bytes by process
    lacks: list[str] = field(default_factory=list)
    failure: str = ""

    def add(self, measured: Measured, fixed: float = 0.0, share: float = 1.0) -> None:
        """A run; one of a share of the rows is projected to all of them."""
        self.seconds.append(projected(measured.seconds, fixed, share))
        self.cpu_seconds.append(measured.cpu_seconds)
        if measured.load_seconds is not None:
            self.load_seconds.append(measured.load_seconds)
            self.phases = measured.phases
        if measured.largest_rss > self.largest_rss:
            self.peak_rss = measured.peak_rss

    @property
    def largest_rss(self) -> int:
        """Bytes of its largest process in the run where that was largest."""
        return max(self.peak_rss.values(), default=0)

    @property
    def median(self) -> float | None:
        """Seconds; None for a contestant that never finished."""
        return median(self.seconds) if self.seconds else None

    @property
    def load_median(self) -> float | None:
        return median(self.load_seconds) if self.load_seconds else None

    @property
    def rows_per_second(self) -> float | None:
        return self.rows / self.median if self.median else None

    @property
    def mb_per_second(self) -> float | None:
        return self.size / MB / self.median if self.median else None

    def as_json(self) -> dict[str, Any]:
        derived = ("median", "load_median", "rows_per_second", "mb_per_second", "largest_rss")
        return asdict(self) | {name: getattr(self, name) for name in derived}


def projected(seconds: float, fixed: float, share: float) -> float:
    """Seconds for all rows, of which a share was measured; `fixed` is what no rows take."""
    fixed = min(fixed, seconds)
    return fixed + (seconds - fixed) / share


def ratio(above: float | None, below: float | None) -> float | None:
    """One by the other; None where either is unknown."""
    return above / below if above is not None and below else None


def megabytes(size: int) -> float | None:
    """Bytes as MB; None where nothing was measured."""
    return size / MB if size else None


@dataclass(frozen=True)
class Bar:
    """A figure and what it has to be."""

    what: str
    value: float | None
    bar: float
    at_least: bool = False  # else at most
    unit: str = "×"

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        met = self.value >= self.bar if self.at_least else self.value <= self.bar
        return "met" if met else "missed"

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"verdict": self.verdict}


# By direction: how many times faster than which rival; how many times the limit's time.
FASTER: Mapping[str, tuple[str, float]] = {
    "pg-mariadb": ("seed's method", 12),
    "mariadb-pg": ("pgloader", 2.5),
    "sqlite-pg": ("pgloader", 2),
    "sqlite-mariadb": ("sqlite3-to-mysql", 5),
    "pg-pg": ("pg_dump, pg_restore -j2", 1),
    "pg-sqlite": ("dumpdata | loaddata", 5),
    "mariadb-sqlite": ("dumpdata | loaddata", 5),
    "sqlite-sqlite": ("dumpdata | loaddata", 5),
}
NEAR: Mapping[str, float] = {"pg-mariadb": 1.25, "mariadb-pg": 1.35}
MEMORY = 150.0  # MB for each process of ours


def fastest_limit(outcomes: Mapping[str, Outcome]) -> float | None:
    """Seconds of the limit, in whichever of its ways is the fastest."""
    limits = [found.median for name, found in outcomes.items() if name.startswith("limit")]
    return min((seconds for seconds in limits if seconds is not None), default=None)


def bars(direction: str, outcomes: Mapping[str, Outcome]) -> list[Bar]:
    """The bars of one direction; a rival that failed leaves its bar not measured."""
    ours = outcomes[OURS]
    found = []
    if direction in FASTER:
        rival, times = FASTER[direction]
        theirs = outcomes[rival].median if rival in outcomes else None
        value = ratio(theirs, ours.median)
        found.append(Bar(f"{direction}: faster than {rival}", value, times, at_least=True))
    if direction in NEAR:
        value = ratio(ours.load_median, fastest_limit(outcomes))
        found.append(Bar(f"{direction}: of the limit's time", value, NEAR[direction]))
    rss = megabytes(ours.largest_rss)
    found.append(Bar(f"{direction}: largest process", rss, MEMORY, unit=" MB"))
    return found
