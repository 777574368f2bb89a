"""What is known of a database, its tables and columns, and which rows are meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from migrations_ui.engine.databases.ranges import KeyList, KeyRange
from migrations_ui.engine.kinds import Kind


@dataclass(frozen=True)
class Server:
    """A database as it may be shown: never a password."""

    vendor: str
    product: str  # "PostgreSQL 15.4"
    version: tuple[int, ...]
    name: str  # the database's name; for SQLite the file's base name
    host: str  # "db.example.org:5432"; for SQLite the folder
    identity: str  # equal for two connections if and only if they reach the same database


# With so many digits a float is told from any other.
FLOAT_DIGITS = 17


@dataclass(frozen=True)
class Column:
    """A column as the database really has it."""

    name: str
    type: str  # the vendor's own name of the type, in lower case, with its length
    storage: Kind | None  # None where no kind fits
    nullable: bool
    generated: bool = False
    scale: int | None = None  # decimals: digits after the point
    # Decimals: digits; datetimes and times: digits of the fraction; floats: bits of the mantissa.
    precision: int | None = None
    length: int | None = None  # characters
    charset: str = ""
    has_default: bool = False
    collation: str = ""  # MySQL's, which decides what is unique
    unsigned: bool = False
    padded: bool = False  # the database cuts or fills up the spaces at the end of a text
    members: tuple[str, ...] = ()  # the values of MySQL's enum
    auto_increment: bool = False  # MySQL's, which may take a 0 for "the next number"
    dynamic: bool = False  # it holds values of any type and length, whatever was declared

    @property
    def is_float(self) -> bool:
        """Whether a decimal has no digits of its own, and crosses with all those of its float."""
        return self.scale is None and self.precision == FLOAT_DIGITS

    @property
    def is_instant(self) -> bool:
        """Whether it holds moments, of which a time zone's clocks show two as the same time."""
        return self.storage is Kind.DATETIME and self.type.endswith("with time zone")

    @property
    def folds(self) -> bool:
        """Whether the collation holds texts equal that differ, as "a" and "A"."""
        return self.collation != "" and not self.collation.endswith("_bin")


class TypedColumn(NamedTuple):
    """A column of one side, the kind in which its values cross, and a declared transform.

    `digits` is how many digits of a second the transform "truncate-microseconds" leaves.  `fits`
    says of a destination's column that no text of the source can be too long for it.
    """

    kind: Kind
    column: Column
    transform: str = ""
    digits: int = 6
    fits: bool = False


def kept(column: TypedColumn) -> tuple[int, str]:
    """What "truncate-microseconds" leaves of a canonical text, and zeros for the rest."""
    whole = len("HH:MM:SS") if column.kind is Kind.TIME else len("YYYY-MM-DD HH:MM:SS")
    if not column.digits:
        return whole, ".000000"
    return whole + 1 + column.digits, "0" * (6 - column.digits)


class RowFilter(NamedTuple):
    """Leaves out rows whose column has no match in the parent; a NULL needs none.

    Rows of the parent that `above` leaves out match nothing.  `exact` tells "a" from "A" whatever
    the columns' collation is.
    """

    column: str
    parent: str
    parent_column: str
    exact: bool = False
    above: tuple[RowFilter, ...] = ()


class Rows(NamedTuple):
    """Which rows of a table are read, and by which columns they are sorted (none: as they come)."""

    filters: tuple[RowFilter, ...] = ()
    keys: KeyRange | None = None
    order: tuple[str, ...] = ()
    listed: KeyList | None = None


ALL_ROWS = Rows()


@dataclass(frozen=True)
class ForeignKey:
    """A foreign-key constraint as the database has it.

    `definition` puts it back; it is "" for one that stays while rows are loaded, because a session
    that loads does not look at it.
    """

    table: str
    name: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    definition: str = ""

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """The key from what `asdict` gave, after it was JSON."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in facts.items()
        }
        return cls(**fields)


class KeySequence(NamedTuple):
    """What hands out the keys of a table: its column and the next value."""

    column: str
    next_value: int
