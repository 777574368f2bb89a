"""Secondary indexes: taken off before a load, built again after it exactly as they were."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from migrations_ui.engine.errors import IndexRefused, ServerError

if TYPE_CHECKING:
    from migrations_ui.engine.databases.base import Database

# What stands for the keys of an index in a query, so that no column has the same name.
ALIAS = "cutover_key_{}"


@dataclass(frozen=True)
class Index:
    """A secondary index, or the unique or exclusion constraint that brings one along.

    It has all that building it again takes, so it can be written to a journal as JSON.
    """

    table: str
    name: str
    definition: str  # what builds it: a statement, or MySQL's part of ALTER TABLE … ADD
    columns: tuple[str, ...]  # columns and expressions, for messages
    unique: bool = False
    constraint: bool = False
    attach: str = ""  # the statement that makes the index, when it is built, the constraint
    # What tells which rows clash; no keys where it can't be told.
    keys: tuple[str, ...] = ()  # SQL of what is indexed, under the index's own collations
    condition: str = ""  # SQL of a partial index
    nulls_clash: bool = False

    def __str__(self) -> str:
        what = "unique index" if self.unique else "constraint" if self.constraint else "index"
        return f"{what} {self.name} of table {self.table}"

    def to_json(self) -> str:
        """The index as text, for a journal."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The index from `to_json`'s text."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in json.loads(text).items()
        }
        return cls(**fields)


@dataclass(frozen=True)
class Found:
    """An index that is there, and whether it could be put back exactly as it is."""

    index: Index
    removable: bool


@dataclass(frozen=True)
class Refusal:
    """An index that can't hold the rows, and the server's word for it."""

    index: Index
    message: str


class IndexOperations(ABC):
    """What a database does with secondary indexes.  None of it runs inside a transaction.

    Foreign keys that are taken off go before the indexes, and come back after them.
    """

    # Fewer rows are loaded faster with the indexes in place.
    rebuilds_indexes_from: ClassVar[int]
    # Several sessions may build indexes of one table at once; else one statement builds them all.
    builds_indexes_at_once: ClassVar[bool] = False

    def loads_without_indexes(self, rows: int | None) -> bool:
        """Whether so many rows (None: unknown) are loaded faster when indexes are built after."""
        return rows is None or rows >= self.rebuilds_indexes_from

    def secondary_indexes(self, tables: Iterable[str]) -> list[Index]:
        """Those of the tables that can be taken off and built again exactly; no primary keys.

        In the order in which they are to be built.
        """
        return [found.index for found in self.indexes(tables) if found.removable]

    def index_builds(self, indexes: Sequence[Index]) -> list[list[Index]]:
        """The indexes in lists, each of one table, that several sessions may restore at once."""
        if self.builds_indexes_at_once:
            return [[index] for index in indexes]
        found: dict[str, list[Index]] = {}
        for index in indexes:
            found.setdefault(index.table, []).append(index)
        return list(found.values())

    def drop_indexes(self, table: str, indexes: Sequence[Index]) -> None:
        """Take the table's indexes off; those that are off already are left.

        `ServerError` when one has another definition than here, before any is taken off.
        """
        if there := self._present(table, indexes):
            self.remove_indexes(table, there)

    def restore_indexes(self, table: str, indexes: Sequence[Index]) -> None:
        """Build the table's indexes, in this order; those that are there already are left.

        `IndexRefused` when some can't hold the rows: all others are there then.
        `ServerError` when one is there with another definition.
        """
        missing = self._missing(table, indexes)
        if late := self._late(table, indexes, missing):
            self.remove_indexes(table, late)
            missing = self._missing(table, indexes)
        refused = self.build_indexes(table, missing)
        off = [refusal.index for refusal in refused]
        wanted = [index for index in indexes if index not in off]
        if missing := self._missing(table, wanted):
            raise ServerError(f"The {missing[0]} was built, but is not there.")
        if refused:
            raise IndexRefused(" ".join(self._explained(refusal) for refusal in refused), off)

    def _present(self, table: str, indexes: Sequence[Index]) -> list[Index]:
        """Those of the indexes that are there, as they are there."""
        there = {found.index.name: found.index for found in self.indexes([table])}
        present = [(index, there[index.name]) for index in indexes if index.name in there]
        for index, other in present:
            if other.definition != index.definition or other.attach not in ("", index.attach):
                raise ServerError(
                    f"The {index} is not the one that was noted down. It is there as: "
                    f"{other.definition} {other.attach}; it was: {index.definition} "
                    f"{index.attach}. Rename or drop it, then restore the indexes again."
                )
        return [other for _, other in present]

    def _missing(self, table: str, indexes: Sequence[Index]) -> list[Index]:
        """Those of the indexes that are not there, or not as the constraints that they were."""
        there = {(index.name, index.attach) for index in self._present(table, indexes)}
        return [index for index in indexes if (index.name, index.attach) not in there]

    def _late(self, table: str, indexes: Sequence[Index], missing: Sequence[Index]) -> list[Index]:
        """Indexes that are there, but belong behind missing ones, if building them costs nothing.

        So a table that was emptied because of one index has all in their order again.
        """
        if not missing or not self.is_empty(table):
            return []
        return self._present(table, indexes[indexes.index(missing[0]) :])

    def _explained(self, refusal: Refusal) -> str:
        """Which rows violate the index, or what the server says of it."""
        why = ""
        with suppress(ServerError):  # what can't be indexed may not even be read
            why = self.clash(refusal.index)
        return f"The {refusal.index} can't be built: {why or refusal.message}."

    # -- What a vendor does -----------------------------------------------------------------------

    @abstractmethod
    def indexes(self, tables: Iterable[str]) -> list[Found]:
        """All secondary indexes of the tables, as far as `secondary_indexes` knows their kind."""

    @abstractmethod
    def is_empty(self, table: str) -> bool:
        """Whether the table has no row."""

    @abstractmethod
    def remove_indexes(self, table: str, indexes: Sequence[Index]) -> None:
        """Take off indexes that are there."""

    @abstractmethod
    def build_indexes(self, table: str, indexes: Sequence[Index]) -> list[Refusal]:
        """Build indexes that are not there, but for those that can't hold the rows."""

    @abstractmethod
    def clash(self, index: Index) -> str:
        """Two rows that a unique index can't both hold, in words; "" where none are found."""


def clash(database: Database, index: Index, key: Sequence[str], equal: str = "{0} = {1}") -> str:
    """Two rows with the same values under a unique index, in words; "" where none are found.

    `key` is the table's primary key; the index's own collations decide what is the same.
    """
    if not index.keys:
        return ""
    aliases = [database.quote(ALIAS.format(number)) for number in range(len(index.keys))]
    table = database.quote(index.table)
    present = [] if index.nulls_clash else [f"{sql} IS NOT NULL" for sql in index.keys]
    conditions = [*present, *([f"({index.condition})"] if index.condition else [])]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    named = ", ".join(f"{sql} AS {a}" for sql, a in zip(index.keys, aliases, strict=True))
    same = " AND ".join(equal.format(s, a) for s, a in zip(index.keys, aliases, strict=True))
    rows = database.query(
        f"SELECT {', '.join([*aliases, *(f'{table}.{database.quote(name)}' for name in key)])} "
        f"FROM {table} JOIN (SELECT {named} FROM {table} {where} GROUP BY {', '.join(index.keys)} "
        f"HAVING COUNT(*) > 1 LIMIT 1) cutover_clash ON {same} {where} LIMIT 2"
    )
    if len(rows) < 2:
        return ""
    values, one, other = (
        _shown(part) for part in (rows[0][: len(aliases)], *(row[len(aliases) :] for row in rows))
    )
    columns = ", ".join(index.columns)
    return f"{columns} = {values} is in two rows, those with {', '.join(key)} = {one} and {other}"


def _shown(values: Sequence[Any]) -> str:
    return ", ".join(str(value) for value in values)
