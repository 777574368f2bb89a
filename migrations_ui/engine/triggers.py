"""The destination's triggers while rows are loaded: off, and on again as they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Protocol

from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.databases.triggers import Trigger
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.firing import in_the_way
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.persisting import Patience, persist


class Ledger(Patience, Protocol):
    """Who keeps what is switched off."""

    def switching_off(self, triggers: Sequence[Trigger]) -> None:
        """These triggers are about to be switched off: note them down first."""

    def switched_on(self, trigger: Trigger) -> None:
        """This trigger is on again."""


def switch_off(triggers: Sequence[Trigger], dest: Database, ledger: Ledger) -> None:
    """Switch them off, noted down before that; those that are off already are left."""
    ledger.switching_off(triggers)
    for trigger in triggers:
        dest.execute(trigger.off)


def switch_on(triggers: Sequence[Trigger], dest: Database, ledger: Ledger) -> None:
    """Switch them on as they were."""
    for trigger in triggers:
        dest.switch_on(trigger)
        ledger.switched_on(trigger)


@contextmanager
def without_triggers(layouts: Sequence[Layout], dest: Database, ledger: Ledger) -> Iterator[None]:
    """Triggers out of the way, and on again at the end, whatever happens."""
    found = persist(ledger, lambda: in_the_way(layouts, dest), dest)
    on = partial(switch_on, found, dest, ledger)
    try:
        persist(ledger, lambda: switch_off(found, dest, ledger), dest)
        yield
    except BaseException:
        with suppress(EngineError):  # the journal keeps what could not be switched on
            on()
        raise
    persist(ledger, on, dest)
