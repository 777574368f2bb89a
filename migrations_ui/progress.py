"""Progress as a small pure object: what a progress bar and the text next to it show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """`value` of `max` rows; `max` is None while the total is unknown."""

    value: int
    max: int | None
    finished: bool = False

    @property
    def percent(self) -> int | None:
        """0 to 99 while under way, 100 only when finished; None while the total is unknown."""
        if self.finished:
            return 100
        if not self.max:
            return 0 if self.max == 0 else None
        return min(99, self.value * 100 // self.max)

    @property
    def text(self) -> str:
        """The rows in words, which is authoritative: a bar at 98,230 of 98,231 looks full."""
        if self.max is None:
            return f"{self.value:,} rows"
        if self.value > self.max:
            return f"{self.value:,} rows (expected {self.max:,})"
        return f"{self.value:,} of {self.max:,} rows"
