"""What a driver returns, as the Python value that the column stands for.

An error here is a finding: the column holds something that Django would not have written.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

WIDE = Context(prec=65)
# Modules of fields that one vendor alone has.
OWN = ("django.contrib.postgres.", "tests.conformance.elephant.")


def connect(connection: BaseDatabaseWrapper) -> Any:
    """The driver's connection, without what Django teaches SQLite's driver to convert."""
    if connection.vendor == "sqlite":
        return sqlite3.connect(connection.settings_dict["NAME"])
    connection.ensure_connection()
    return connection.connection


def value(vendor: str, field: models.Field, cell: Any) -> Any:
    """The cell, brought to the type that is the same for every vendor."""
    if cell is None:
        return None
    field = meaning(field)
    if type(field).__module__.startswith(OWN):
        # Between two of a vendor only, whose driver is the same.
        return cell if isinstance(cell, list) else repr(cell)
    if isinstance(field, models.DecimalField):
        return WIDE.quantize(Decimal(str(cell)), Decimal(1).scaleb(-(field.decimal_places or 0)))
    if isinstance(field, models.IntegerField):  # automatic keys are integers, too
        return exactly(int, cell)
    return READERS.get(field.get_internal_type(), text)(vendor, cell)


def meaning(field: Any) -> Any:
    """The field that says what the column holds: a foreign key's is the one that it refers to."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return field.output_field if isinstance(field, models.GeneratedField) else field


def text(vendor: str, cell: Any) -> str:
    return exactly(str, cell)


def exactly(kind: type, cell: Any) -> Any:
    """The cell itself, which must be of this very type: SQLite would keep any other as well."""
    if type(cell) is not kind:
        raise TypeError(f"{cell!r} is no {kind.__name__}")
    return cell


def as_django_writes(cell: str, parsed: date | time) -> Any:
    """SQLite compares text: '12:00:00.000000' would not be found by `WHERE … = '12:00:00'`."""
    if str(parsed) != cell:
        raise ValueError(f"{cell!r} is stored, where Django would have written {str(parsed)!r}")
    return parsed


def read_binary(vendor: str, cell: Any) -> bytes:
    return bytes(cell) if vendor == "postgresql" else exactly(bytes, cell)


def read_boolean(vendor: str, cell: Any) -> bool:
    return exactly(bool, cell) if vendor == "postgresql" else {0: False, 1: True}[cell]


def read_date(vendor: str, cell: Any) -> date:
    if vendor == "sqlite":
        return as_django_writes(cell, date.fromisoformat(cell))
    return exactly(date, cell)


def read_datetime(vendor: str, cell: Any) -> datetime:
    if vendor == "sqlite":
        cell = as_django_writes(cell, datetime.fromisoformat(cell))
    if vendor == "postgresql" and not settings.USE_TZ:
        # Of an hour that comes twice the application sees only one.
        return cell.astimezone(ZoneInfo(settings.TIME_ZONE)).replace(tzinfo=UTC, fold=0)
    return cell.astimezone(UTC) if vendor == "postgresql" else cell.replace(tzinfo=UTC)


def read_time(vendor: str, cell: Any) -> time:
    if vendor == "sqlite":
        return as_django_writes(cell, time.fromisoformat(cell))
    return exactly(time, cell)


def read_duration(vendor: str, cell: Any) -> timedelta:
    if vendor == "postgresql":
        return exactly(timedelta, cell)
    return timedelta(microseconds=exactly(int, cell))


def read_json(vendor: str, cell: Any) -> Any:
    return [json.loads(exactly(str, cell))]  # in a list, JSON's null differs from SQL's


def read_uuid(vendor: str, cell: Any) -> uuid.UUID:
    found = uuid.UUID(str(cell))
    if vendor == "sqlite" and cell != found.hex:
        raise ValueError(f"{cell!r} is stored, where Django would have written {found.hex!r}")
    return found


def read_float(vendor: str, cell: Any) -> float:
    return exactly(float, cell)


def read_mark(vendor: str, cell: Any) -> uuid.UUID:
    return uuid.UUID(str(cell)) if vendor == "postgresql" else uuid.UUID(bytes=exactly(bytes, cell))


def read_words(vendor: str, cell: Any) -> list[str]:
    return exactly(list, cell) if vendor == "postgresql" else exactly(str, cell).splitlines()


READERS: dict[str, Callable[[str, Any], Any]] = {
    "BinaryField": read_binary,
    "BooleanField": read_boolean,
    "DateField": read_date,
    "DateTimeField": read_datetime,
    "Document": read_json,
    "DurationField": read_duration,
    "FloatField": read_float,
    "JSONField": read_json,
    "Mark": read_mark,
    "TimeField": read_time,
    "UUIDField": read_uuid,
    "Words": read_words,
}
