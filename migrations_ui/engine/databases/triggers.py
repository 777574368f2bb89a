"""Triggers that would fire for the rows of a load: which can be switched off, and on again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Trigger:
    """A trigger of a table, with the statements that switch it off and on again as it was."""

    table: str
    name: str
    off: str
    on: str
    fills: bool  # it is given each new row before it is stored, and may compute values of it

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """The trigger from what `asdict` gave, after it was JSON."""
        return cls(**facts)


class TriggerOperations(ABC):
    """What a database does with triggers.  Most vendors can't switch one off."""

    def switchable_triggers(self, tables: Iterable[str]) -> list[Trigger]:
        """Those that rows which are wiped, deleted or loaded would fire, and may be switched off.

        Not those that are off already.
        """
        return []

    def switch_on(self, trigger: Trigger) -> None:
        """Switch it on as it was; a no-op where it is on, or is not there any more."""
        self.execute(trigger.on)

    @abstractmethod
    def execute(self, sql: str) -> None:
        """Run a statement that returns nothing of interest."""
