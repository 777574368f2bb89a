"""Where a database stands: what tells, later and without a scan, whether it was written since."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from migrations_ui.engine.databases.facts import Server


@dataclass(frozen=True)
class Position:
    """Where a database stood; it can be kept as JSON and compared with a later one.

    `mark` moves with every write to whatever it covers, which may be the whole server; "" where
    there is none.  `tables` has numbers of each table that move when this table is written; None
    where none are kept.  They begin again when `since` changes.
    """

    identity: str
    mark: str
    tables: dict[str, list[Any]] | None
    since: str = ""
    taken_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        return cls(**kept)

    def differing(self, other: Position) -> list[str]:
        """The tables whose numbers are not those of the other position."""
        mine, others = self.tables or {}, other.tables or {}
        return [name for name in mine | others if mine.get(name) != others.get(name)]


class State(StrEnum):
    UNCHANGED = "unchanged"
    CHANGED = "changed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Movement:
    """What has happened between two positions: to which tables, where that can be told."""

    state: State
    tables: tuple[str, ...] = ()
    why: str = ""  # why it can't be told

    @property
    def changed(self) -> bool:
        return self.state is State.CHANGED


STOOD = Movement(State.UNCHANGED)


@dataclass(frozen=True)
class Others:
    """Who else is connected, each in a phrase, and what of that can't be seen."""

    writing: tuple[str, ...] = ()  # inside a transaction that has written
    connected: tuple[str, ...] = ()
    unseen: str = ""


class PositionOperations(ABC):
    """What a database tells of writes to it, cheaply: nothing here reads a table through."""

    @abstractmethod
    def server(self) -> Server:
        """What and where it is."""

    @abstractmethod
    def position(self, tables: Iterable[str], *, settled: bool = False) -> Position:
        """Where the tables stand.

        `settled`: it will be compared with later ones, so wait (two seconds at most) until a write
        from now on would be told from one just before.
        """

    @classmethod
    def moved(cls, before: Position, now: Position) -> Movement:
        """What has happened from one position to a later one."""
        if before.identity != now.identity:
            return Movement(State.UNKNOWN, why="It is not the same database any more.")
        return cls.compare(before, now)

    @classmethod
    @abstractmethod
    def compare(cls, before: Position, now: Position) -> Movement:
        """`moved`, of two positions that are of one database."""

    @abstractmethod
    def others(self) -> Others:
        """Other sessions in this database, but for Cutover's own."""
