"""One table with every kind of column, and its values as each driver takes and gives them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any

from django.db import models

from migrations_ui.engine.databases.base import Database
from tests.engine.conftest import named

# column: (field, and the type that Django makes of it on each vendor)
TYPES: dict[str, tuple[type[models.Field], dict[str, str]]] = {
    "id": (
        models.BigIntegerField,
        {"postgresql": "bigint", "mysql": "bigint", "sqlite": "integer"},
    ),
    "txt": (models.TextField, {"postgresql": "text", "mysql": "longtext", "sqlite": "text"}),
    "chars": (models.CharField, dict.fromkeys(("postgresql", "mysql", "sqlite"), "varchar(200)")),
    "small": (
        models.IntegerField,
        {"postgresql": "integer", "mysql": "integer", "sqlite": "integer"},
    ),
    "big": (models.BigIntegerField, dict.fromkeys(("postgresql", "mysql", "sqlite"), "bigint")),
    "yes": (models.BooleanField, {"postgresql": "boolean", "mysql": "bool", "sqlite": "bool"}),
    "price": (
        models.DecimalField,
        {"postgresql": "numeric(15, 4)", "mysql": "numeric(15, 4)", "sqlite": "decimal(15, 4)"},
    ),
    "real": (
        models.FloatField,
        {"postgresql": "double precision", "mysql": "double precision", "sqlite": "real"},
    ),
    "bin": (models.BinaryField, {"postgresql": "bytea", "mysql": "longblob", "sqlite": "BLOB"}),
    "day": (models.DateField, dict.fromkeys(("postgresql", "mysql", "sqlite"), "date")),
    "clock": (models.TimeField, {"postgresql": "time", "mysql": "time(6)", "sqlite": "time"}),
    "moment": (
        models.DateTimeField,
        {"postgresql": "timestamp with time zone", "mysql": "datetime(6)", "sqlite": "datetime"},
    ),
    "lapse": (
        models.DurationField,
        {"postgresql": "interval", "mysql": "bigint", "sqlite": "bigint"},
    ),
    "mark": (
        models.UUIDField,
        {"postgresql": "uuid", "mysql": "char(32)", "sqlite": "char(32)"},
    ),
    "doc": (
        models.JSONField,
        {
            "postgresql": "jsonb",
            "mysql": "json",
            "sqlite": 'text CHECK (json_valid("doc") OR "doc" IS NULL)',
        },
    ),
}
FIELDS = [named(kind, name) for name, (kind, _) in TYPES.items()]
# What there is besides: for tests that want every kind in each of its sizes.
MORE_TYPES = TYPES | {
    "tiny": (
        models.SmallIntegerField,
        dict.fromkeys(("postgresql", "mysql", "sqlite"), "smallint"),
    ),
    "positive": (
        models.PositiveBigIntegerField,
        {"postgresql": "bigint", "mysql": "bigint unsigned", "sqlite": "bigint unsigned"},
    ),
    "wide": (
        models.DecimalField,
        {"postgresql": "numeric(38, 18)", "mysql": "numeric(38, 18)", "sqlite": "decimal"},
    ),
    "native": (
        models.UUIDField,
        {
            "postgresql": "uuid",
            "mysql": "/*M!100700 uuid */ /*!80000 char(36) */",
            "sqlite": "char(32)",
        },
    ),
    "ip": (
        models.GenericIPAddressField,
        {"postgresql": "inet", "mysql": "char(39)", "sqlite": "char(39)"},
    ),
    "code": (models.CharField, dict.fromkeys(("postgresql", "mysql", "sqlite"), "varchar(3)")),
}
MORE_FIELDS = [named(kind, name) for name, (kind, _) in MORE_TYPES.items()]
EPOCH = datetime(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)
WIDE = Context(prec=65)

Row = Mapping[str, Any]


Types = Mapping[str, tuple[type[models.Field], dict[str, str]]]


def create(database: Database, name: str, kinds: Types = TYPES) -> None:
    """Make the table; every column but the key takes NULL."""
    columns = ", ".join(
        f"{database.quote(column)} {types[database.vendor]}"
        for column, (_, types) in kinds.items()
        if column != "id"
    )
    key = TYPES["id"][1][database.vendor]
    database.execute(
        f"CREATE TABLE {database.quote(name)} (id {key} NOT NULL PRIMARY KEY, {columns})"
    )


def stored(vendor: str, value: Any) -> Any:
    """A value as Django would hand it to the vendor's driver."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if vendor == "postgresql":
        # As a number of SQL's -0.0 would lose its sign.
        return str(value) if isinstance(value, uuid.UUID | float) else value
    return PLAIN.get(type(value), lambda same: same)(value)


PLAIN: dict[type, Callable[[Any], Any]] = {
    bool: int,
    Decimal: str,
    date: str,
    time: str,
    datetime: lambda value: str(value.replace(tzinfo=None)),
    timedelta: lambda value: value // MICROSECOND,
    uuid.UUID: lambda value: value.hex,
}


def seen(column: str, cell: Any) -> Any:
    """A driver's cell as the value that the column stands for, whatever the vendor."""
    return None if cell is None else SEEN.get(column, exactly_text)(cell)


def exactly_text(cell: Any) -> str:
    assert isinstance(cell, str)
    return cell


def whole(cell: Any) -> int:
    assert isinstance(cell, int)
    return cell


def moment(cell: Any) -> datetime:
    value = datetime.fromisoformat(cell) if isinstance(cell, str) else cell
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def clock(cell: Any) -> time:
    if isinstance(cell, timedelta):  # as MySQL's driver has it
        return (EPOCH + cell).time()
    return time.fromisoformat(cell) if isinstance(cell, str) else cell


SEEN: dict[str, Callable[[Any], Any]] = {
    "id": whole,
    "small": whole,
    "tiny": whole,
    "positive": whole,
    "big": whole,
    "yes": {False: False, True: True}.__getitem__,
    "price": lambda cell: Decimal(str(cell)).quantize(Decimal("0.0001")),
    "wide": lambda cell: WIDE.quantize(Decimal(str(cell)), Decimal(1).scaleb(-18)),
    "real": float,
    "bin": bytes,
    "day": lambda cell: date.fromisoformat(cell) if isinstance(cell, str) else cell,
    "clock": clock,
    "moment": moment,
    "lapse": lambda cell: timedelta(microseconds=cell) if isinstance(cell, int) else cell,
    "mark": lambda cell: uuid.UUID(str(cell)),
    "native": lambda cell: uuid.UUID(str(cell)),
    "doc": lambda cell: json.loads(cell) if isinstance(cell, str) else cell,
}


def rows_of(database: Database, name: str, kinds: Types = TYPES) -> list[dict[str, Any]]:
    """All rows of the table, in the order of the key."""
    columns = database.quoted(kinds)
    return [
        {column: seen(column, cell) for column, cell in zip(kinds, row, strict=True)}
        for row in database.query(f"SELECT {columns} FROM {database.quote(name)} ORDER BY id")
    ]
