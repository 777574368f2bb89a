"""Where both sides stood when a run or an audit began and ended, and what has moved since.

A verdict is true as of a moment.  Whether a side was written after it is asked of the server's own
bookkeeping (`engine/databases/positions.py`), which takes milliseconds; no table is read.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from migrations_ui.engine import databases
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.databases.access import Config, place
from migrations_ui.engine.databases.positions import Movement, Others, Position, State
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.naming import names_on
from migrations_ui.engine.persisting import Patience, persist
from migrations_ui.models import Audit, Run, SignOff
from migrations_ui.recall import memory
from migrations_ui.sides import Side, endpoints, host_tables

logger = logging.getLogger(__name__)

ROLES = ("source", "dest")
# Seconds for which a page believes what it was told, and that a side could not be asked.
FRESH, AWAY = 5, 30
# Seconds between the two looks of `stillness`: longer than a server takes to say what was written.
PAUSE = 1.5


# -- Taking positions -----------------------------------------------------------------------------


def note(
    report: Run | Audit, moment: str, patience: Patience, *, known: Collection[str] = ()
) -> None:
    """Keep where both sides stand at the "start" or the "end" of a run or an audit.

    The start is kept once, whoever goes on with it later.  A side that can't be asked is asked
    again, then left out: the copy and the comparison themselves will say what is wrong with it.  An
    audit's `known` tables were compared by its run, after the start of that.
    """
    kept = report.positions
    if moment == "start" and kept:
        return
    for role, position in take(report, settled=True, patience=patience).items():
        if known and moment == "start" and isinstance(report, Audit) and report.run:
            first = report.run.positions.get(role, {}).get("start")
            position = as_of_both(role, first, position, known)
        kept.setdefault(role, {})[moment] = position.as_json()
    type(report)._base_manager.filter(pk=report.pk).update(positions=kept)


def as_of_both(
    role: str, first: Mapping[str, Any] | None, now: Position, known: Collection[str]
) -> Position:
    """The first of two positions for the known tables, the later one for the others.

    Where tables are not told apart: the first of the source; but the later one of the destination,
    which the run itself has written in between.
    """
    if first is None:
        return now
    then = Position.from_json(first)
    if then.mark == now.mark:
        return now
    if then.tables is None or now.tables is None or then.since != now.since:
        return then if role == "source" else now
    tables = now.tables | {label: then.tables[label] for label in known if label in then.tables}
    return replace(now, mark="", tables=tables)


def take(
    report: Run | Audit, *, settled: bool = False, patience: Patience | None = None
) -> dict[str, Position]:
    """Where the sides stand that can be asked, by role; tables go by their labels."""
    tables = tables_of(report.tables.values_list("label", flat=True))
    found = {}
    for role, config in configs(reverse=report.reverse).items():
        ask = partial(position_of, config, tables, settled=settled)
        try:
            found[role] = persist(patience, ask) if patience else ask()
        except EngineError as error:
            if patience:
                patience.check()
            logger.warning("%s: where the %s stands is not known: %s", report, role, error)
    return found


def position_of(config: Config, tables: Iterable[Table], *, settled: bool = False) -> Position:
    """Where the tables of a database stand, on a connection that can't write."""
    with databases.connect(config, read_only=True) as database:
        names = names_on(database, tables)
        position = database.position(names.values(), settled=settled)
    labels = {name: label for label, name in names.items()}
    told = position.tables
    return replace(
        position, tables=told and {labels[name]: numbers for name, numbers in told.items()}
    )


def configs(*, reverse: bool) -> dict[str, Config]:
    ends = endpoints(reverse=reverse)
    return {"source": ends.source, "dest": ends.dest}


def tables_of(labels: Iterable[str]) -> list[Table]:
    """The tables of the labels; one that the project has no more is left out."""
    wanted = set(labels)
    return [table for table in host_tables() if table.label in wanted]


# -- What has moved since -------------------------------------------------------------------------


@dataclass(frozen=True)
class Since:
    """What has happened to a side since a verdict on it."""

    role: str  # "source" or "dest"
    name: str
    as_of: datetime
    movement: Movement
    looked_at: datetime | None  # as of when that is; None where the side could not be asked

    @property
    def word(self) -> str:
        return "source" if self.role == "source" else "destination"


def since(report: Run | Audit, *, fresh: bool = False) -> list[Since]:
    """For each side whose position was kept, what has happened since.

    Since the run's or the audit's start for what was read, the run's end for what it wrote.
    `fresh`: ask now, instead of believing what a page was told a few seconds ago.
    """
    labels = report.tables.values_list("label", flat=True)
    return [
        told
        for role in ROLES
        if (kept := report.positions.get(role))
        and (told := _since(report, role, kept, list(labels), fresh=fresh))
    ]


def _since(
    report: Run | Audit, role: str, kept: Mapping[str, Any], labels: list[str], *, fresh: bool
) -> Since | None:
    written = role == "dest" and isinstance(report, Run)
    first = kept.get("end" if written else "start")
    if not first:
        return None
    config = configs(reverse=report.reverse)[role]
    before, after = Position.from_json(first), kept.get("end")
    as_of = datetime.fromisoformat(before.taken_at)
    # The later of two looks at the same state: counters that were late have arrived by then.
    if after and moved(config, before, Position.from_json(after)).state is State.UNCHANGED:
        before = Position.from_json(after)
    told = until_now(config, before, labels, fresh=fresh)
    return Since(role, getattr(report, role)["name"], as_of, *told)


def since_signing(sign_off: SignOff) -> list[Since]:
    """For each side of a sign-off, what has happened since it was signed."""
    contents = sign_off.contents
    sides = configs(reverse=contents["audit"]["reverse"])
    labels = [table["label"] for table in contents["tables"]]
    found = []
    for role, kept in sorted(contents["positions"]["signing"].items(), reverse=True):
        before = Position.from_json(kept)
        told = until_now(sides[role], before, labels)
        as_of = datetime.fromisoformat(before.taken_at)
        found.append(Since(role, contents[role]["name"], as_of, *told))
    return found


def until_now(
    config: Config, before: Position, labels: Iterable[str], *, fresh: bool = False
) -> tuple[Movement, datetime | None]:
    """What has happened to a side since a position, and when that was looked at."""
    try:
        now = None if fresh else remembered(config, labels)
        # What was remembered may be from before what is asked about.
        if now is None or now.taken_at < before.taken_at:
            now = position_of(config, tables_of(labels))
    except EngineError as error:
        return Movement(State.UNKNOWN, why=str(error)), None
    return moved(config, before, now), datetime.fromisoformat(now.taken_at)


def between(
    report: Run | Audit, role: str, before: Mapping[str, Any], now: Mapping[str, Any]
) -> Movement:
    """What has happened to a side of a run or an audit, from one kept position to a later one."""
    config = configs(reverse=report.reverse)[role]
    return moved(config, Position.from_json(before), Position.from_json(now))


def moved(config: Config, before: Position, now: Position) -> Movement:
    return databases.class_of(config).moved(before, now)


def remembered(config: Config, labels: Iterable[str]) -> Position:
    """Where the tables stand now or stood a few seconds ago; `EngineError` as often."""
    text = repr((place(config), sorted(labels)))
    key = f"position-{hashlib.sha256(text.encode()).hexdigest()}"
    found = memory.get(key)
    if found is None:
        try:
            found, seconds = position_of(config, tables_of(labels)), FRESH
        except EngineError as error:
            found, seconds = str(error), AWAY
        memory.set(key, found, seconds)
    if isinstance(found, Position):
        return found
    raise EngineError(found)


# -- Whether anyone still writes ------------------------------------------------------------------


@dataclass(frozen=True)
class Stillness:
    """What was seen of a side in a second or two: who is connected, and what was written."""

    role: str
    name: str
    movement: Movement
    elsewhere: bool  # something was written on the server, to none of these tables as far as known
    others: Others
    error: str = ""  # why it could not be asked

    @classmethod
    def untold(cls, role: str, config: Config, error: EngineError) -> Stillness:
        """Of a side that could not be asked."""
        name = Side.unknown(role, config, str(error)).name
        movement = Movement(State.UNKNOWN, why=str(error))
        return cls(role, name, movement, elsewhere=False, others=Others(), error=str(error))

    @property
    def is_still(self) -> bool:
        """Nobody was seen writing, and it was possible to see."""
        return self.movement.state is State.UNCHANGED and not self.others.writing

    @property
    def sentences(self) -> list[str]:
        """What was seen of writing, and what could not be seen of it."""
        found = [f"In {self.name}, {phrase}." for phrase in self.others.writing]
        if self.movement.changed:
            where = ", ".join(self.movement.tables) or "which tables, it does not tell"
            found.append(f"Somebody writes to {self.name} ({where}).")
        if self.movement.state is State.UNKNOWN:
            found.append(f"Whether anyone writes to {self.name} can't be told. {self.movement.why}")
        return found


def stillness(*, reverse: bool = False) -> list[Stillness]:
    """Whether anyone writes to the source or the destination, by two looks at all their tables.

    Takes PAUSE seconds.  A proof of writing when it is seen, no proof of none: who is connected may
    write a second later.  Of a side that does not answer nothing is told; of the other it is.
    """
    sides = configs(reverse=reverse)
    before = {role: _first_look(config) for role, config in sides.items()}
    time.sleep(PAUSE)
    return [_stillness(role, sides[role], before[role]) for role in ROLES]


def _first_look(config: Config) -> Position | EngineError:
    try:
        return position_of(config, host_tables())
    except EngineError as error:
        return error


def _stillness(role: str, config: Config, before: Position | EngineError) -> Stillness:
    if isinstance(before, EngineError):
        return Stillness.untold(role, config, before)
    try:
        return _second_look(role, config, before)
    except EngineError as error:
        return Stillness.untold(role, config, error)


def _second_look(role: str, config: Config, before: Position) -> Stillness:
    now = position_of(config, host_tables())
    with databases.connect(config, read_only=True) as database:
        others, name = database.others(), database.server().name
        movement = moved(config, before, now)
    elsewhere = movement.state is State.UNCHANGED and before.mark != now.mark
    return Stillness(role, name, movement, elsewhere, others)
