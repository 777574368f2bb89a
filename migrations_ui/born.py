"""Rows that were born on the destination after a sign-off: what the way back would lose."""

from __future__ import annotations

from dataclasses import dataclass

from migrations_ui import positions
from migrations_ui.engine import databases
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.databases.base import Database, KeyRange, Rows
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.naming import names_on
from migrations_ui.models import SignOff
from migrations_ui.sides import Refused

# More rows of a table than this are not counted: a page must not keep a server busy.
COUNTED = 10_000
SAMPLES = 5


@dataclass(frozen=True)
class Born:
    """The rows of a table whose keys are above the largest that was there when it was signed."""

    label: str
    above: int | None  # the largest key then; None: the table was empty
    rows: int
    keys: tuple[str, ...]  # the first few

    @property
    def more(self) -> bool:
        """Whether there are more than were counted."""
        return self.rows > COUNTED


@dataclass(frozen=True)
class Births:
    """What could be told by keys, and for which tables nothing could."""

    tables: list[Born]
    untold: list[str]  # labels of tables whose keys don't grow


def births(sign_off: SignOff) -> Births:
    """The rows that the destination has got since, by the keys that it hands out itself.

    `Refused` where it can't be asked.
    """
    contents = sign_off.contents
    config = positions.configs(reverse=contents["audit"]["reverse"])["dest"]
    recorded = {table["label"]: table for table in contents["tables"]}
    tables = positions.tables_of(recorded)
    growing = [table for table in tables if is_growing(table, recorded[table.label]["next_dest"])]
    try:
        with databases.connect(config, read_only=True) as dest:
            if dest.server().identity != contents["dest"]["identity"]:
                raise Refused("The destination is not the database that was signed for.")
            names = names_on(dest, growing)
            found = [
                born(dest, table, names[table.label], recorded[table.label]["max_key"])
                for table in growing
                if table.label in names
            ]
    except EngineError as error:
        raise Refused(str(error)) from error
    told = {one.label for one in found}
    return Births([one for one in found if one.rows], sorted(set(recorded) - told))


def is_growing(table: Table, next_key: int | None) -> bool:
    """Whether the database itself hands out the table's keys, each above the last."""
    return table.auto_column is not None and next_key is not None


def born(dest: Database, table: Table, name: str, above: int | None) -> Born:
    """The table's rows above a key, from the key's index."""
    column = str(table.auto_column)
    after = None if above is None else (str(above),)
    rows = dest.from_(name, Rows(keys=KeyRange((column,), after), order=(column,)))
    key = dest.quote(column)
    ((count,),) = dest.query(
        f"SELECT COUNT(*) FROM (SELECT {key} FROM {rows} LIMIT {COUNTED + 1}) born"
    )
    sample = dest.query(f"SELECT {key} FROM {rows} LIMIT {SAMPLES}") if count else []
    return Born(table.label, above, int(count), tuple(str(value) for (value,) in sample))
