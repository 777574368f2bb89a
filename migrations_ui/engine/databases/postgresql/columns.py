"""How PostgreSQL stores values."""

from __future__ import annotations

from migrations_ui.engine.databases.base import Column
from migrations_ui.engine.kinds import Kind

STORAGES = {
    "int2": Kind.INTEGER,
    "int4": Kind.INTEGER,
    "int8": Kind.INTEGER,
    "bool": Kind.BOOLEAN,
    "numeric": Kind.DECIMAL,
    "float4": Kind.FLOAT,
    "float8": Kind.FLOAT,
    "varchar": Kind.TEXT,
    "bpchar": Kind.TEXT,
    "text": Kind.TEXT,
    "bytea": Kind.BINARY,
    "date": Kind.DATE,
    "time": Kind.TIME,
    "timestamp": Kind.DATETIME,
    "timestamptz": Kind.DATETIME,
    "interval": Kind.DURATION,
    "uuid": Kind.UUID,
    "json": Kind.JSON,
    "jsonb": Kind.JSON,
    "inet": Kind.IP,
}
# The mantissas of floats.
BITS = {"float4": 24, "float8": 53}

# Whether a column takes NULL, and whether there may be some in it: since PostgreSQL 18 a NOT NULL
# that was never validated (contype `n`) keeps new ones out only.
TAKES_NULLS = "NOT attnotnull"
HAS_NULLS = (
    "(NOT attnotnull OR EXISTS (SELECT FROM pg_constraint WHERE conrelid = attrelid"
    " AND contype = 'n' AND conkey = ARRAY[attnum] AND NOT convalidated))"
)


def make_column(
    name: str,
    typname: str,
    full_type: str,
    nullable: bool,
    generated: bool,
    modifier: int,
    has_default: bool,
) -> Column:
    """A row of pg_attribute as a column; the modifier holds length, precision and scale."""
    sized = modifier >= 4
    numeric = typname == "numeric" and sized
    text = typname in {"varchar", "bpchar"} and sized
    fraction = 6 if modifier < 0 else modifier & 0xFFFF
    timed = typname in {"time", "timestamp", "timestamptz", "interval"}
    return Column(
        name=name,
        type=full_type,
        storage=STORAGES.get(typname),
        nullable=nullable,
        generated=generated,
        precision=(modifier - 4) >> 16 if numeric else fraction if timed else BITS.get(typname),
        scale=(modifier - 4) & 0x7FF if numeric else None,
        length=modifier - 4 if text else None,
        has_default=has_default,
        padded=typname == "bpchar",
    )
