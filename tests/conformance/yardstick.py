"""Where a copy differs from what Django's own `dumpdata` and `loaddata` would have made of it.

Each difference must be one that the serialiser makes, with the reason in `LOSSES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, time
from typing import Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.conformance import raw
from tests.conformance.nasty.values import Pair

# What can't go through Django's serialisers, and why.  None of it is a reason for us.
UNSERIALISABLE = {
    "nasty.HiddenRows": "dumpdata sees what the base manager shows",
    "nasty.Many": "5,000 rows without anything odd, which loaddata saves one by one",
    "nasty.MomentKey": "keys are cut to milliseconds, and so are other rows' keys",
    "nasty.Residence": "keys are cut to milliseconds, and so are other rows' keys",
    "nasty.Percent": "the ORM fails on a percent sign in a column's name",
    "nasty.SwitchedOff": "dumpdata reads unmanaged tables, even those that don't exist",
    "nasty.Letter": "a reference to two columns is written as the text of the other row",
    "nasty.JSONNull": "JSON's null is read as SQL's NULL, which the column refuses",
}
# The same for one vendor as the destination.
REFUSED = {
    "postgresql": ("nasty.Quoted",),  # a quote in a table's name, when sequences are reset
    "mysql": ("nasty.AutoKey", "nasty.BigAutoKey", "nasty.SmallAutoKey"),  # keys of 0
    "sqlite": (),
}

Row = list[Any]
Loss = Callable[[models.Field, Any, Any], bool]


def left_out(pair: Pair) -> list[str]:
    """The labels of the tables that can't be compared."""
    return [*UNSERIALISABLE, *REFUSED[pair.dest]]


def cut_to_milliseconds(field: models.Field, ours: Any, theirs: Any) -> bool:
    if not isinstance(ours, datetime | time):
        return False
    return bool(theirs == ours.replace(microsecond=ours.microsecond // 1000 * 1000))


def null_of_json(field: models.Field, ours: Any, theirs: Any) -> bool:
    return field.get_internal_type() == "JSONField" and ours == [None] and theirs is None


def text_of_object(field: models.Field, ours: Any, theirs: Any) -> bool:
    return type(field).__name__ == "Pickled"


LOSSES: dict[str, Loss] = {
    "the JSON serialiser cuts datetimes and times to milliseconds": cut_to_milliseconds,
    "loaddata reads JSON's null as SQL's NULL": null_of_json,
    "an object whose field has no value_to_string is written as str() has it": text_of_object,
}


def rows_of(connection: BaseDatabaseWrapper, model: type[models.Model]) -> dict[Any, Row]:
    """All rows of a table by their keys, as the driver gives them.

    Rows of an automatic through table are known by what they connect: loaddata numbers them anew.
    """
    fields = model._meta.local_concrete_fields
    key = [
        index
        for index, field in enumerate(fields)
        if (field.remote_field if model._meta.auto_created else field in model._meta.pk_fields)
    ]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    with closing(raw.connect(connection).cursor()) as cursor:
        cursor.execute(f"SELECT {columns} FROM {quote(model._meta.db_table)}")
        found = [
            [
                raw.value(connection.vendor, field, cell)
                for field, cell in zip(fields, row, strict=True)
            ]
            for row in cursor.fetchall()
        ]
    return {tuple(row[index] for index in key): row for row in found}


def differences(ours: str, theirs: str, model: type[models.Model]) -> Iterator[str]:
    """Each difference of a table between two databases: its reason, or what it is."""
    label = model._meta.label
    here, there = rows_of(connections[ours], model), rows_of(connections[theirs], model)
    for key in here.keys() ^ there.keys():
        yield f"{label} {key}: only {'the copy' if key in here else 'loaddata'} has it"
    for key in here.keys() & there.keys():
        for field, one, other in zip(
            model._meta.local_concrete_fields, here[key], there[key], strict=True
        ):
            if one != other and not (model._meta.auto_created and field.primary_key):
                yield reason(field, one, other) or f"{label}.{field.name} {key}: {one!r}, {other!r}"


def reason(field: models.Field, ours: Any, theirs: Any) -> str:
    """Why loaddata has another value; "" where there is no reason for it."""
    return next((why for why, loses in LOSSES.items() if loses(field, ours, theirs)), "")
