"""The nasty project's own process, which knows nothing of the dashboard.

`python -m tests.conformance.host STEP SOURCE_VENDOR DEST_VENDOR`, with NASTY_DATABASE_URL and
HOST_SETTINGS; prints JSON.  The steps: `fill` (migrate, fill and dump), `stale` (migrate, leave
some stale rows), `dump`, `insert` (new rows, as after the cutover), `fields` (the fields' classes),
`compare` (with what loaddata made).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from hashlib import sha256
from importlib import import_module
from typing import TYPE_CHECKING, Any

import django
from django.apps import apps
from django.core.management import call_command
from django.db import connection, transaction

if TYPE_CHECKING:
    from django.db import models

    from tests.conformance.nasty.values import Pair

Dump = dict[str, list[list[str]]]

# No cell of a dump is longer; the rest is in the digest.
SHOWN = 80


def fill(pair: Pair) -> dict[str, Dump]:
    call_command("migrate", verbosity=0)
    with transaction.atomic():
        rows().fill(pair)
    return dump(pair)


def stale(pair: Pair) -> None:
    call_command("migrate", verbosity=0)
    rows().fill_stale()


def dump(pair: Pair) -> dict[str, Dump]:
    """Every row of every table, twice: as Django reads it, and as the driver does."""
    return {
        "orm": {model._meta.label: sorted(through_orm(model)) for model in tables()},
        "raw": {model._meta.label: sorted(through_driver(model)) for model in tables()},
    }


def fields(pair: Pair) -> dict[str, list[str]]:
    """The classes of the fields of each model, as Django made them."""
    return {
        model.__name__: sorted(
            {type(field).__name__ for field in (*model._meta.get_fields(), model._meta.pk)}
        )
        for model in apps.get_models(include_auto_created=True)
    }


def compare(pair: Pair) -> list[str]:
    """What differs between this copy and NASTY_OTHER_URL, which loaddata has filled."""
    from tests.conformance import yardstick

    chosen = (m for m in tables() if m._meta.label not in yardstick.left_out(pair))
    return sorted({what for m in chosen for what in yardstick.differences("default", "other", m)})


def insert(pair: Pair) -> list[dict[str, Any]]:
    return list(rows().insert_after())


STEPS: dict[str, Callable[[Pair], Any]] = {
    "fill": fill,
    "stale": stale,
    "compare": compare,
    "dump": dump,
    "fields": fields,
    "insert": insert,
}


def rows() -> Any:
    """The module that fills the tables of the project whose settings these are."""
    return import_module(import_module(os.environ["HOST_SETTINGS"]).ROWS)


def tables() -> Iterator[type[models.Model]]:
    for model in apps.get_models(include_auto_created=True):
        options = model._meta
        if options.managed and not options.proxy and not options.swapped:
            yield model


def through_orm(model: type[models.Model]) -> Iterator[list[str]]:
    """The rows as instances have them; not through a manager, which might hide some."""
    from django.db.models import QuerySet

    if "%" in model._meta.db_table:  # Django's own queries fail on it
        return
    everything: QuerySet[models.Model] = QuerySet(model)
    for row in everything.iterator():
        yield [show(cell(row, field)) for field in model._meta.concrete_fields]


def cell(row: models.Model, field: models.Field) -> Any:
    value = getattr(row, field.attname)
    return value if field.get_internal_type() != "JSONField" or value is None else [value]


def through_driver(model: type[models.Model]) -> Iterator[list[str]]:
    """The rows as the driver gives them, the vendor's own types brought to the same ones."""
    from tests.conformance import raw

    fields = model._meta.local_concrete_fields
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    with closing(raw.connect(connection).cursor()) as cursor:
        cursor.execute(f"SELECT {columns} FROM {quote(model._meta.db_table)}")
        for row in cursor.fetchall():
            yield [
                show(raw.value(connection.vendor, field, found))
                for field, found in zip(fields, row, strict=True)
            ]


def show(value: Any) -> str:
    """A value as text that is equal just where the values are."""
    if isinstance(value, memoryview):
        value = bytes(value)
    if isinstance(value, float):
        value += 0.0  # SQLite knows no negative zero
    if isinstance(value, dict | list):
        value = json.dumps(numbers(value), sort_keys=True, default=other)
    text = f"{type(value).__name__} {value!r}"
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… {len(text)} {digest}"


def other(value: Any) -> str:
    """What JSON does not know, inside a list."""
    return repr(bytes(value) if isinstance(value, memoryview) else value)


def numbers(value: Any) -> Any:
    """JSON with its numbers by value: jsonb writes 1e2 as 100."""
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbers(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(Decimal(repr(value)))
    return value


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = os.environ["HOST_SETTINGS"]
    django.setup()
    from tests.conformance.nasty.values import Pair

    step, source, dest = sys.argv[1:]
    json.dump(STEPS[step](Pair(source, dest)), sys.stdout)


if __name__ == "__main__":
    main()
